"""From a YAML file and overrides to a checked recipe: default < recipe < override.

YAML 1.2 through ruamel.yaml, because it keeps line numbers, refuses duplicate keys and reads `1e-3` as a number.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
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
from seq2seq_kit.recipe.kinds import FRAMINGS, TASKS, Recipe, kind_of
from seq2seq_kit.recipe.messages import Problem, problems_of, report
from seq2seq_kit.recipe.rules import broken_rules
from seq2seq_kit.recipe.sweep_rules import problems_of_sweep

Overrides = Mapping[str, Any] | Iterable[str]


def load_recipe(path: str | Path, overrides: Overrides = ()) -> Any:
    """Reads a recipe file.

    Args:
        path: A YAML file.
        overrides: Dotted keys that replace the file's values: `{"training.epochs": 5}` or `["training.epochs=5"]`.

    Returns:
        The recipe, complete with defaults: one of the kinds of `Recipe`, which one only the file can tell. Its `name` is
        the file's stem unless the file gives one.

    Raises:
        RecipeError: The file is missing or no YAML, or has problems; all of them are listed with their lines.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(f"there is no recipe at {path}. `seq2seq-kit list` shows the recipes at hand") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read the recipe {path}: {error}") from None
    tree = _read_yaml(text, str(path))
    return parse_recipe(tree, overrides, origin=str(path), name=re.sub(r"[^\w.-]+", "_", path.stem))


def parse_recipe(
    tree: Mapping[str, Any], overrides: Overrides = (), *, origin: str = "the recipe", name: str | None = None
) -> Any:
    """Checks a recipe given as nested mappings; arguments and errors as in `load_recipe`."""
    values = _plain(tree)
    for key, value in _pairs(overrides):
        _put(values, key, value)
    task = values.get("task")
    if not isinstance(task, str) or task not in TASKS:
        known = " or ".join([", ".join(TASKS[:-1]), TASKS[-1]])
        said = f"must be {known}. Received: {task!r}" if "task" in values else f"required; {known}"
        raise RecipeError(report(origin, [Problem(key="task", text=said)], tree, _keys(overrides)))
    data = values.get("data")
    framing = data.get("framing") if isinstance(data, dict) else None
    if framing is not None and framing not in FRAMINGS.get(task, (framing,)):  # as the task, it decides what is legal
        said = f"must be {' or '.join(FRAMINGS[task])}. Received: {framing!r}"
        raise RecipeError(report(origin, [Problem(key="data.framing", text=said)], tree, _keys(overrides)))
    if name and values.get("name") is None:
        values["name"] = name
    kind = kind_of(values)
    problems = broken_rules(values) + problems_of_sweep(values, kind)
    try:
        recipe = kind.model_validate(values)
    except ValidationError as error:
        problems += problems_of(error, kind)
    if problems:
        raise RecipeError(report(origin, problems, tree, _keys(overrides)))
    return recipe


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
