"""Pydantic's errors in the words of a recipe: line, dotted key, what was expected, what was received."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: the dotted key, what to say of it, and a stable code."""

    key: str
    text: str
    code: str = "invalid_value"


def problems_of(error: ValidationError, schema: type[BaseModel]) -> list[Problem]:
    """Every problem of a recipe, one for each key (a union reports each of its members; the first is told)."""
    found: dict[str, Problem] = {}
    for detail in error.errors(include_url=False):
        loc = [part for part in detail["loc"] if not _names_a_union_member(part)]
        key = ".".join(map(str, loc))
        found.setdefault(key, Problem(key=key, text=text_of(detail, loc, schema)))
    # A union says of the whole value what a member says of the part that is wrong; the part is enough.
    return [problem for key, problem in found.items() if not any(other.startswith(f"{key}.") for other in found)]


def report(origin: str, problems: Sequence[Problem], tree: Mapping[str, Any], overridden: Sequence[str]) -> str:
    """The message, one line for each problem, in the order of the file."""
    rows = []
    for problem in problems:
        by_hand = any(problem.key == key or problem.key.startswith(f"{key}.") for key in overridden)
        line = None if by_hand else _line(tree, problem.key)
        where = "override" if by_hand else f"line {line}" if line else "recipe"
        rows.append((line or 0, where, problem))
    rows.sort(key=lambda row: row[0])
    width = max(len(row[2].key) for row in rows)
    count = "1 problem" if len(rows) == 1 else f"{len(rows)} problems"
    lines = [f"  {where:8s} {problem.key:{width}s}  {problem.text}" for _, where, problem in rows]
    return "\n".join([f"{origin} has {count}:", *lines])


def _line(tree: Any, key: str) -> int | None:
    """The line of a dotted key, or of the nearest section around it that the file has."""
    line, parts = None, key.split(".")
    while parts:
        part = _longest_key(tree, parts)
        parts = parts[part.count(".") + 1 :]
        try:
            if isinstance(tree, Mapping) and part in tree:
                line = tree.lc.key(part)[0] + 1  # type: ignore[attr-defined]
                tree = tree[part]
            elif isinstance(tree, list) and part.isdigit():
                line = tree.lc.item(int(part))[0] + 1  # type: ignore[attr-defined]
                tree = tree[int(part)]
            else:
                return line
        except (AttributeError, KeyError, IndexError, TypeError):  # a plain mapping has no lines
            return line
    return line


def _longest_key(tree: Any, parts: Sequence[str]) -> str:
    """The key of a mapping that a dotted one begins with: a key of a sweep's space has dots of its own."""
    candidates = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((key for key in candidates if isinstance(tree, Mapping) and key in tree), parts[0])


def _names_a_union_member(part: int | str) -> bool:
    return isinstance(part, str) and (
        part.startswith(("literal[", "dict[", "list[", "either: ")) or "constrained" in part
    )


def text_of(detail: ErrorDetails, loc: Sequence[int | str], schema: type[BaseModel]) -> str:
    """What to say of one of pydantic's errors at `loc` of a recipe."""
    kind, received = detail["type"], detail.get("input")
    if kind == "extra_forbidden":
        return f"unknown key{_did_you_mean(loc, schema)}"
    if kind == "missing":
        return "required, but not given"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if kind == "literal_error":
        return f"must be {detail['ctx']['expected']}. Received: {received!r}{_close_to(received, detail)}"
    if kind == "string_pattern_mismatch" and loc[-1] == "every":
        return f"must be a whole number and a unit: 30s, 15min, 1h, 1d, 1w, 1mo or 1y. Received: {received!r}"
    interval = _interval(_metadata(loc, schema))
    if interval and kind in {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}:
        return f"must be {interval}. Received: {received!r}"
    if kind in {"int_type", "int_from_float"}:
        return f"must be a whole number{' ' + interval if interval else ''}. Received: {received!r}"
    if kind in {"too_short", "too_long"} and detail["ctx"].get("min_length", detail["ctx"].get("max_length")) != 1:
        return f"must hold {detail['ctx'].get('min_length', detail['ctx'].get('max_length'))} values. Received: {received!r}"
    if kind == "string_pattern_mismatch":
        return f"must be letters, digits, dots, hyphens and underscores. Received: {received!r}"
    if kind == "model_type":
        return f"must be a section of `key: value` lines. Received: {received!r}"
    if kind == "bool_type":
        return f"must be true or false. Received: {received!r}"
    if kind == "too_short":
        return f"must name at least one. Received: {received!r}"
    said = str(detail["msg"]).replace("Input should be", "must be")
    return f"{said[0].lower()}{said[1:]}. Received: {received!r}"


def _did_you_mean(loc: Sequence[int | str], schema: type[BaseModel]) -> str:
    *sections, wrong = (str(part) for part in loc)
    inner, annotation = schema, None
    for section in sections:
        if get_origin(annotation) is dict:  # a key of its own, such as one of a sweep's space
            annotation = None
            continue
        annotation = inner.model_fields[section].annotation
        inner = model_in(annotation) or schema
    near = get_close_matches(wrong, inner.model_fields, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {'.'.join([*sections, near[0]])}?"
    elsewhere = [key for key in all_keys(schema) if key.split(".")[-1] == wrong]
    if elsewhere:
        return f"; it belongs to {elsewhere[0]}"
    return f"; known here: {', '.join(inner.model_fields)}"


def _close_to(received: Any, detail: ErrorDetails) -> str:
    options = str(detail["ctx"]["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
    near = get_close_matches(str(received), options, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def all_keys(schema: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Dotted keys of a recipe, sections included."""
    for name, field in schema.model_fields.items():
        yield prefix + name
        inner = None if get_origin(field.annotation) is dict else model_in(field.annotation)
        if inner:
            yield from all_keys(inner, f"{prefix}{name}.")


def filled(schema: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values with the schema's defaults in the place of what is absent, section by section; nothing is checked."""
    found = dict(values)
    for name, field in schema.model_fields.items():
        inner = None if get_origin(field.annotation) is dict else model_in(field.annotation)
        if name not in values and not field.is_required():
            default = field.get_default(call_default_factory=True)
            found[name] = default.model_dump() if isinstance(default, BaseModel) else default
        elif inner and isinstance(values.get(name), Mapping):
            found[name] = filled(inner, values[name])
    return found


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a field holds, also among other types; None where it holds a value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(model_in, get_args(annotation))), None)


def _metadata(loc: Sequence[int | str], schema: type[BaseModel]) -> list[Any]:
    """The constraints of the field at `loc`, also inside a list."""
    inner, found, annotation = schema, [], None
    for part in loc:
        if isinstance(part, int):
            # Units is Annotated[list[Annotated[int, Field(ge=1)]], ...]: its items carry their own constraints.
            item = next(iter(get_args(annotation)), None)
            found = [data for extra in get_args(item)[1:] for data in _unpack(extra)]
            continue
        if get_origin(annotation) is dict:
            annotation, found = None, []
            continue
        field = inner.model_fields.get(part)
        if field is None:
            break
        annotation, found = field.annotation, list(field.metadata)
        if get_origin(annotation) in (Union, UnionType):
            # Of several members the first that is bounded speaks, as its error is the one that is told.
            options = [
                [data for extra in get_args(option)[1:] for data in _unpack(extra)] for option in get_args(annotation)
            ]
            found += next(filter(None, options), [])
        inner = model_in(annotation) or inner
    return found


def _unpack(extra: Any) -> list[Any]:
    return list(extra.metadata) if isinstance(extra, FieldInfo) else [extra]


def _interval(metadata: Sequence[Any]) -> str:
    low = high = ""
    for data in metadata:
        if isinstance(data, annotated_types.Ge):
            low = f"[{data.ge}"
        elif isinstance(data, annotated_types.Gt):
            low = f"({data.gt}"
        elif isinstance(data, annotated_types.Le):
            high = f"{data.le}]"
        elif isinstance(data, annotated_types.Lt):
            high = f"{data.lt})"
    if low and high:
        return f"in {low}, {high}"
    if low:
        return f"{'at least' if low[0] == '[' else 'above'} {low[1:]}"
    if high:
        return f"{'at most' if high[-1] == ']' else 'below'} {high[:-1]}"
    return ""
