"""From a YAML file and overrides to a checked recipe: default < recipe < override.

YAML 1.2 through ruamel.yaml, because it keeps line numbers, refuses duplicate keys and reads `1e-3` as a number.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

from seq2seq_kit.errors import RecipeError
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.messages import Problem, problems_of, report
from seq2seq_kit.recipe.rules import broken_rules
from seq2seq_kit.recipe.sweep_rules import problems_of_sweep

Overrides = Mapping[str, Any] | Iterable[str]


# The schema of a recipe as it was written, or what keeps it from being chosen.
Choose = Callable[[Mapping[str, Any]], type[Recipe] | Problem]


def load_recipe(path: str | Path, overrides: Overrides = (), *, choose: Choose) -> Recipe:
    """Reads a recipe file; see `tasks.load_recipe`, which knows how to choose."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(f"there is no recipe at {path}. `seq2seq-kit list` shows the recipes at hand") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read the recipe {path}: {error}") from None
    tree = _read_yaml(text, str(path))
    name = re.sub(r"[^\w.-]+", "_", path.stem)
    return parse_recipe(tree, overrides, choose=choose, origin=str(path), name=name)


def parse_recipe(
    tree: Mapping[str, Any],
    overrides: Overrides = (),
    *,
    choose: Choose,
    origin: str = "the recipe",
    name: str | None = None,
) -> Recipe:
    """Checks a recipe given as nested mappings; arguments and errors as in `load_recipe`."""
    values = _plain(tree)
    for key, value in _pairs(overrides):
        _put(values, key, value)
    kind = choose(values)
    if isinstance(kind, Problem):
        raise RecipeError(report(origin, [kind], tree, _keys(overrides)))
    if name and values.get("name") is None:
        values["name"] = name
    problems = broken_rules(values, kind) + problems_of_sweep(values, kind)
    recipe = None
    try:
        recipe = kind.model_validate(values)
    except ValidationError as error:
        problems += problems_of(error, kind)
    if problems or recipe is None:
        raise RecipeError(report(origin, problems, tree, _keys(overrides)))
    return recipe


def unknown_word(key: str, received: Any, known: Sequence[str], *, given: bool = True) -> Problem:
    """The problem of a key that decides which other keys are legal, and has none of the words that do."""
    words = " or ".join(filter(None, [", ".join(known[:-1]), known[-1]]))
    near = get_close_matches(received, known, n=1) if isinstance(received, str) else []
    hint = f"; did you mean {near[0]}?" if near else ""
    return Problem(key, f"must be {words}. Received: {received!r}{hint}" if given else f"required; {words}")


def dump_recipe(recipe: Recipe) -> str:
    """The resolved recipe as YAML: training from it again repeats the run."""
    yaml = YAML()
    stream = StringIO()
    stored = recipe.model_dump(mode="json", exclude_none=True)
    # `patience: null` means something else than its default, so it is written; other keys are absent when they are None.
    stored["training"]["patience"] = recipe.training.patience
    search = {"sweep": stored.pop("sweep")} if recipe.sweep else {}
    yaml.dump(_blocks({"task": stored.pop("task"), **stored, **search}), stream)
    return stream.getvalue()


def _blocks(value: Any) -> Any:
    """Sections as blocks, lists on one line."""
    if isinstance(value, dict):
        return {key: _blocks(inner) for key, inner in value.items()}
    if isinstance(value, list):
        line = CommentedSeq(value)
        line.fa.set_flow_style()
        return line
    return value


def _read_yaml(text: str, origin: str) -> CommentedMap:
    try:
        tree = YAML(typ="rt").load(text)
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1
        named = re.search(r'duplicate key "(.*?)"', str(error.problem))
        key = named[1] if named else text.splitlines()[line - 1].split(":")[0].strip()
        raise RecipeError(
            f"{origin} has 1 problem:\n  line {line}  {key}   the key stands twice; keep one of the two"
        ) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        hint = error.problem or error.context
        if "\t" in "".join(text.splitlines()[line - 1 : line]):
            hint = "a tab; YAML is indented with spaces only, replace the tab by spaces"
        raise RecipeError(f"{origin} is not valid YAML:\n  line {line}  {hint}") from None
    except YAMLError as error:
        raise RecipeError(f"{origin} is not valid YAML: {error}") from None
    if _has_alias(tree, set()):
        raise RecipeError(f"{origin} uses YAML aliases (*name); a recipe is read top to bottom, write the value out")
    if not isinstance(tree, CommentedMap):
        received = "an empty file" if tree is None else "a list" if isinstance(tree, list) else repr(tree)
        raise RecipeError(f"{origin} must be a mapping that begins with `task:`. Received: {received}")
    return tree


def _has_alias(node: Any, seen: set[int]) -> bool:
    """Whether a part stands in two places: a few nested aliases would unfold into more than memory holds."""
    if not isinstance(node, Mapping | list):
        return False
    if id(node) in seen:
        return True
    seen.add(id(node))
    return any(_has_alias(inner, seen) for inner in (node.values() if isinstance(node, Mapping) else node))


def _plain(node: Any) -> Any:
    """Ruamel's annotated nodes as the plain values that a strict schema accepts."""
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(value) for value in node]
    if isinstance(node, bool | ScalarBoolean) or node is None:
        return None if node is None else bool(node)
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node.isoformat() if isinstance(node, date) else node


def _pairs(overrides: Overrides) -> list[tuple[str, Any]]:
    if isinstance(overrides, Mapping):
        return [(str(key), _plain(value)) for key, value in overrides.items()]
    if isinstance(overrides, str):
        overrides = [overrides]
    pairs = []
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise RecipeError(f"an override must read key=value, for example training.epochs=5. Received: {text}")
        pairs.append((key.strip(), _scalar(value.strip())))
    return pairs


def _keys(overrides: Overrides) -> list[str]:
    return [key for key, _ in _pairs(overrides)]


def _scalar(text: str) -> Any:
    """The value as the recipe would read it; a path such as `C:\\data: new.csv` is no YAML and stays text."""
    try:
        value = _plain(YAML(typ="rt").load(text))
    except YAMLError:
        return text
    return text if isinstance(value, dict) and not text.startswith("{") else value


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    if sections[:2] == ["sweep", "space"]:  # what follows is one key of the space, which has dots of its own
        sections, last = sections[:2], key.removeprefix("sweep.space.")
    for section in sections:
        if values.get(section) is None:  # absent, or a section without a line in it
            values[section] = {}
        inner = values[section]
        if not isinstance(inner, dict):
            raise RecipeError(f"override {key}: {section} is a value, not a section. Received: {inner!r}")
        values = inner
    values[last] = value


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values by dotted key."""
    for key, value in values.items():
        # Names of columns are no names that MLflow takes for parameters, so what is given by column stays one value.
        if isinstance(value, Mapping) and value and key not in ("limits", "scaling", "join_labels"):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
