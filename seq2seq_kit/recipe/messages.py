"""Pydantic's errors in the words of a recipe: line, dotted key, what was expected, what was received."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from functools import cache
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

from seq2seq_kit.errors import Problem, RecipeError
from seq2seq_kit.recipe.other_names import KEYS_OF
from seq2seq_kit.recipe.section import Tree

# A message for each of pydantic's error types that needs no more than the value received.
_TEXTS = {
    "string_pattern_mismatch": "must be letters, digits, dots, hyphens and underscores",
    "model_type": "must be a section of `key: value` lines",
    "bool_type": "must be true or false",
    "too_short": "must name at least one",
}
_CODES = {"extra_forbidden": "unknown_key", "missing": "missing_key"}
_MOST_TOLD, _LONGEST_KEY, _LONGEST_TEXT = 50, 100, 2_000  # of a message: problems, letters of a key and of a problem
_OF_THE_MACHINE = 1_000  # smaller upper bounds have a meaning of their own
_BOUNDS = {
    annotated_types.Ge: ("ge", "["),
    annotated_types.Gt: ("gt", "("),
    annotated_types.Le: ("le", "]"),
    annotated_types.Lt: ("lt", ")"),
}


def problems_of(error: ValidationError, schema: type[BaseModel]) -> list[Problem]:
    """Every problem of a recipe, one for each key (a union reports each of its members; the first is kept)."""
    found: dict[str, Problem] = {}
    for detail in error.errors(include_url=False):
        loc = [part for part in detail["loc"] if not _names_a_union_member(part)]
        key, code = ".".join(map(str, loc)), _CODES.get(detail["type"], "invalid_value")
        found.setdefault(key, Problem(key, text_of(detail, loc, schema), code))
    # A union says of the whole value what a member says of the part that is wrong; the part is enough.
    return [problem for key, problem in found.items() if not any(other.startswith(f"{key}.") for other in found)]


def refusal(
    origin: str,
    problems: Sequence[Problem],
    *,
    tree: Tree | None = None,
    overridden: Sequence[str] = (),
    spelled: Callable[[str], str] = str,
) -> RecipeError:
    """The error of a recipe with problems; its message has one line for each, in the order of the file.

    Args:
        origin: Name of the recipe in the message.
        problems: At least one.
        tree: The recipe as ruamel.yaml has read it, with line numbers.
        overridden: Dotted keys that overrides have set.
        spelled: Gives a dotted key as the file spells it, where it uses a former name.
    """
    rows = []
    for problem in problems:
        by_hand = any(problem.key == key or problem.key.startswith(f"{key}.") for key in overridden)
        line = None if by_hand else line_of(tree, spelled(problem.key))
        where = "override" if by_hand else f"line {line}" if line else "recipe"
        rows.append((line or 0, where, problem))
    rows.sort(key=lambda row: row[0])
    width = min(max(len(problem.key) for problem in problems), _LONGEST_KEY)
    count = "1 problem" if len(rows) == 1 else f"{len(rows)} problems"
    lines = [
        f"  {where:8s} {_cut(problem.key, _LONGEST_KEY):{width}s}  {_cut(problem.text, _LONGEST_TEXT)}"
        for _, where, problem in rows[:_MOST_TOLD]
    ]
    more = [f"  and {len(rows) - _MOST_TOLD:,} more"] if len(rows) > _MOST_TOLD else []
    message = "\n".join([f"{origin} has {count}:", *lines, *more])
    return RecipeError(message, code="invalid_recipe", problems=[row[2] for row in rows])


def line_of(tree: object, key: str) -> int | None:
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


def _longest_key(tree: object, parts: Sequence[str]) -> str:
    """The key of a mapping that a dotted one begins with: a key of a sweep's space has dots of its own."""
    candidates = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((key for key in candidates if isinstance(tree, Mapping) and key in tree), parts[0])


def _names_a_union_member(part: int | str) -> bool:
    return isinstance(part, str) and (
        part.startswith(("literal[", "dict[", "list[", "either: ")) or "constrained" in part
    )


def text_of(detail: ErrorDetails, loc: Sequence[int | str], schema: type[BaseModel]) -> str:
    """The text for one of pydantic's errors at `loc` of a recipe."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{_did_you_mean(loc, schema)}"
    if kind == "missing":
        return "required, but not given"
    if kind == "value_error":
        return str(context["error"])
    received = f". Received: {shortened(detail.get('input'))}"
    if kind == "literal_error":
        options = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
        return f"must be {context['expected']}{received}{did_you_mean(detail.get('input'), options)}"
    if kind == "string_pattern_mismatch" and loc[-1] == "every":
        return f"must be a whole number and a unit: 30s, 15min, 1h, 1d, 1bd, 1w, 1mo or 1y; or rows{received}"
    interval = _interval(_metadata(loc, schema), passed=kind.startswith("less_than"))
    if interval and kind in {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}:
        return f"must be {interval}{received}"
    if kind in {"int_type", "int_from_float"}:
        return f"must be a whole number{' ' + interval if interval else ''}{received}"
    if kind == "too_long" and context["max_length"] != 2:
        return f"must hold at most {context['max_length']:,} values. Received: {context['actual_length'] or 'more'}"
    if kind == "list_type" and not isinstance(detail.get("input"), dict | list | None):
        return f"must be a list, even of one: [{detail['input']}]{received}"
    length = context.get("min_length", context.get("max_length"))
    if kind in {"too_short", "too_long"} and length != 1:
        return f"must hold at {'least' if kind == 'too_short' else 'most'} {length} values{received}"
    said = str(detail["msg"]).replace("Input should be", "must be")
    return _TEXTS.get(kind, said[0].lower() + said[1:]) + received


def shortened(value: object, most: int = 200) -> str:
    """A value in a message, as Python writes it; a long one is cut."""
    return _cut(repr(value), most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 4]} ..."


def did_you_mean(received: object, known: Sequence[str], *, otherwise: str = "") -> str:
    """The end of a message: the most similar of the known words, if there is one."""
    near = get_close_matches(received, known, n=1) if isinstance(received, str) else []
    return f"; did you mean {near[0]}?" if near else otherwise


def _did_you_mean(loc: Sequence[int | str], schema: type[BaseModel]) -> str:
    *sections, wrong = (str(part) for part in loc)
    inner, annotation = schema, None
    for section in sections:
        if get_origin(annotation) is dict:  # a key of its own, such as one of a sweep's space
            annotation = None
            continue
        annotation = inner.model_fields[section].annotation
        inner = model_in(annotation) or schema
    leaves = [(key, key.split(".")[-1]) for key in all_keys(schema)]
    called = [key for word in KEYS_OF.get(wrong.lower(), ()) for key, leaf in leaves if leaf == word]
    near = get_close_matches(wrong, inner.model_fields, n=1)
    meant = [key for key in called if key.split(".")[:-1] == sections] or [".".join([*sections, *near])] * bool(near)
    elsewhere = [key for key, leaf in leaves if leaf == wrong]
    if not meant and elsewhere:
        return f"; it belongs to {elsewhere[0]}"
    if meant or called:
        return f"; did you mean {' or '.join(meant or called)}?"
    return f"; known here: {', '.join(inner.model_fields)}"


def all_keys(schema: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Dotted keys of a recipe, sections included."""
    for name, field in schema.model_fields.items():
        yield prefix + name
        inner = section_of(field)
        if inner:
            yield from all_keys(inner, f"{prefix}{name}.")


def filled(schema: type[BaseModel], values: Tree) -> dict[str, object]:
    """Values with the schema's defaults in the place of what is absent, section by section; nothing is checked."""
    found = dict(values)
    for name, inner, default in _sections_and_defaults(schema):
        value = values.get(name)
        if name not in values and default is not PydanticUndefined:
            found[name] = deepcopy(default) if isinstance(default, list | dict) else default
        elif inner and isinstance(value, Mapping):
            found[name] = filled(inner, value)
    return found


@cache  # a sweep asks for each of thousands of combinations
def _sections_and_defaults(schema: type[BaseModel]) -> list[tuple[str, type[BaseModel] | None, object]]:
    """Of each field its name, its section if it is one, and its default as a plain value; `PydanticUndefined` if required."""
    found: list[tuple[str, type[BaseModel] | None, object]] = []
    for name, field in schema.model_fields.items():
        default = field.get_default(call_default_factory=True)
        plain = default.model_dump() if isinstance(default, BaseModel) else default
        found.append((name, section_of(field), plain))
    return found


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a field holds; None where it holds a value, or sections by free keys as a sweep's space."""
    return None if get_origin(field.annotation) is dict else model_in(field.annotation)


def model_in(annotation: object) -> type[BaseModel] | None:
    """The section that an annotation names, also among other types; None where it names none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(model_in, get_args(annotation))), None)


def _metadata(loc: Sequence[int | str], schema: type[BaseModel]) -> list[object]:
    """The constraints of the field at `loc`, also inside a list."""
    inner, annotation = schema, None
    found: list[object] = []
    for part in loc:
        if isinstance(part, int):
            # Units is Annotated[list[Annotated[int, Field(ge=1)]], ...]: its items carry their own constraints.
            found = _constraints(_item(annotation))
            continue
        if get_origin(annotation) is dict:
            annotation, found = None, []
            continue
        field = inner.model_fields.get(part)
        if field is None:
            break
        annotation, found = field.annotation, list(field.metadata)
        if get_origin(annotation) in (Union, UnionType):
            # The first bounded member decides, as its error is the one that is reported.
            found += next(filter(None, map(_constraints, get_args(annotation))), [])
        inner = model_in(annotation) or inner
    return found


def _item(annotation: object) -> object:
    """What a list holds, also an optional one."""
    while get_origin(annotation) in (Union, UnionType, Annotated):
        annotation = get_args(annotation)[0]
    return next(iter(get_args(annotation)), None)


def _constraints(annotated: object) -> list[object]:
    """What `Annotated` adds to a type."""
    extras = get_args(annotated)[1:]
    return [data for extra in extras for data in (extra.metadata if isinstance(extra, FieldInfo) else [extra])]


def _interval(metadata: Sequence[object], *, passed: bool) -> str:
    """`in [0, 1)`, `at least 1`, or nothing; a bound of the machine's only where it is `passed`."""
    low = high = ""
    for data in metadata:
        name, bracket = _BOUNDS.get(type(data), ("", ""))
        if bracket == "]" and getattr(data, name) >= _OF_THE_MACHINE and not passed:
            continue
        if bracket in ("[", "("):
            low = f"{bracket}{getattr(data, name)}"
        elif bracket:
            high = f"{getattr(data, name)}{bracket}"
    if low and high:
        return f"in {low}, {high}"
    if low:
        return f"{'at least' if low[0] == '[' else 'above'} {low[1:]}"
    return f"{'at most' if high[-1] == ']' else 'below'} {high[:-1]}" if high else ""
