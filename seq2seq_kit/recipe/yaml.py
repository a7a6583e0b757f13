"""YAML as plain values, within bounds: how large and deep a recipe may be, and which numbers and texts it may hold.

YAML 1.2 through ruamel.yaml, because it keeps line numbers, refuses duplicate keys and reads `1e-3` as a number.
"""

import re
import warnings
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode
from ruamel.yaml.scalarbool import ScalarBoolean

from seq2seq_kit.errors import Problem, RecipeError
from seq2seq_kit.recipe.messages import shortened
from seq2seq_kit.recipe.section import Tree

MOST_BYTES = 2**20
DEEPEST = 20  # sections and lists in each other; a recipe has five
_MOST_BRACKETS = 100  # that may be open at once in the text; ruamel.yaml takes a minute for 500 of them
_TABLE = re.compile(r"\.(csv|tsv|parquet|pq|xlsx?|feather|arrow)(\.(gz|zip|zst|bz2|xz))?$", re.IGNORECASE)
_LARGEST = 2**63  # what int64 holds


def read_text(path: Path) -> str:
    """The text of a recipe file.

    Raises:
        RecipeError: There is none, it is no UTF-8 text, or it is larger than a recipe may be.
    """
    if _TABLE.search(path.name):
        said = f"expected a recipe (YAML). Received: {path}, which is a table. Draft a recipe for it: seq2seq-kit init {path}"
        raise RecipeError(said, code="table_for_recipe")
    try:
        with path.open("rb") as file:
            written = file.read(MOST_BYTES + 1)
        if len(written) <= MOST_BYTES:
            return written.decode("utf-8").replace("\r\n", "\n")
    except FileNotFoundError:
        said = f"there is no recipe at {path}. `seq2seq-kit list` shows the recipes at hand"
        raise RecipeError(said, code="missing_recipe") from None
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a path with a zero byte
        raise RecipeError(f"cannot read the recipe {path}: {error}", code="unreadable_recipe") from None
    said = f"the recipe {path} is larger than {MOST_BYTES:,} bytes, so it is hardly one; rows belong into `data.source`"
    raise RecipeError(said, code="recipe_too_large")


def read_yaml(text: str, origin: str) -> CommentedMap:
    """A recipe as ruamel.yaml reads it, with its line numbers; `origin` is what messages call it.

    Raises:
        RecipeError: It is no YAML, no mapping, or beyond the bounds.
    """
    tree = _loaded(text, origin)
    if _has_alias(tree):
        said = f"{origin} uses YAML aliases (*name), which are not supported. Write the value out"
        raise RecipeError(said, code="invalid_yaml")
    if not isinstance(tree, CommentedMap):
        received = "an empty file" if tree is None else "a list" if isinstance(tree, list) else shortened(tree)
        said = f"{origin} must be a mapping that begins with `task:`. Received: {received}"
        raise RecipeError(said, code="invalid_yaml")
    return tree


def read_value(text: str) -> object:
    """The value as a recipe would read it; a path such as `C:\\data: new.csv` is no YAML and stays text.

    Raises:
        RecipeError: It is beyond the bounds.
    """
    try:
        value = plain(_loaded(text, "an override"), "an override")
    except RecipeError as error:
        if error.code == "invalid_yaml":
            return text
        raise
    return text if isinstance(value, dict) and not text.startswith("{") else value


def _open_brackets(text: str) -> int:
    """The most brackets that are open at once, outside quotes and comments."""
    bare = re.sub(r"""\"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*""", "", text)
    deepest = depth = 0
    for bracket in re.findall(r"[\[\]{}]", bare):
        depth = depth + 1 if bracket in "[{" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest


def _loaded(text: str, origin: str) -> object:
    if _open_brackets(text) > _MOST_BRACKETS:
        raise _too_deep(origin)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of anchors that stand twice; aliases are refused anyway
            return YAML(typ="rt").load(text)
    except RecursionError:
        raise _too_deep(origin) from None
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1
        named = re.search(r'duplicate key "(.*?)"', str(error.problem))
        key = named[1] if named else text.splitlines()[line - 1].split(":")[0].strip()
        problem = Problem(key, "duplicate key; keep one of the two", "duplicate_key")
        said = f"{origin} has 1 problem:\n  line {line}  {key}   {problem.text}"
        raise RecipeError(said, code="invalid_recipe", problems=[problem]) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        hint = error.problem or error.context
        if "\t" in "".join(text.splitlines()[line - 1 : line]):
            hint = "a tab; YAML is indented with spaces only, replace the tab by spaces"
        raise RecipeError(f"{origin} is not valid YAML:\n  line {line}  {hint}", code="invalid_yaml") from None
    except YAMLError as error:
        raise RecipeError(f"{origin} is not valid YAML: {error}", code="invalid_yaml") from None
    except (
        Exception
    ) as error:  # `!!int abc`, 2024-13-45, 5,000 digits: what Python says of a value that is not of its kind
        hint = _unreadable_value(text) or str(error)
        raise RecipeError(f"{origin} is not valid YAML:\n  {hint}", code="invalid_yaml") from None


def _unreadable_value(text: str) -> str:
    """The line and the words of the first value that is not of its kind; empty where none is found."""
    waiting = [YAML(typ="rt").compose(text)]
    while waiting:
        node: Node = waiting.pop()
        if isinstance(node, ScalarNode):
            try:
                YAML(typ="rt").constructor.construct_object(node, deep=True)
            except Exception:
                kind = str(node.tag).rpartition(":")[2]
                advice = "Write a value of that kind, or quote it if it is a text"
                return f"line {node.start_mark.line + 1}  must be of the kind {kind}. {advice}. Received: {shortened(node.value)}"
        elif isinstance(node, MappingNode):
            waiting += [part for pair in reversed(node.value) for part in reversed(pair)]
        elif node is not None:
            waiting += reversed(node.value)
    return ""


def _has_alias(node: object) -> bool:
    """Whether a part occurs in two places: a few nested aliases would unfold into more than memory holds."""
    seen, waiting = set[int](), [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping | list):
            if id(part) in seen:
                return True
            seen.add(id(part))
            waiting += part.values() if isinstance(part, Mapping) else part
    return False


def plain_section(tree: Tree, origin: str = "the recipe") -> dict[str, object]:
    """Ruamel's annotated nodes as the plain values that a strict schema accepts.

    Raises:
        RecipeError: They are nested too deeply, or hold a number or a text that no recipe can have.
    """
    return {_text(str(key), origin, ""): plain(value, origin, str(key)) for key, value in tree.items()}


def plain(node: object, origin: str = "the recipe", key: str = "", *, depth: int = 1) -> object:
    """One value, found at a dotted key, as `plain_section` has it."""
    if depth > DEEPEST:
        raise _too_deep(origin)
    if isinstance(node, Mapping):
        return {
            _text(str(name), origin, key): plain(value, origin, f"{key}.{name}", depth=depth + 1)
            for name, value in node.items()
        }
    if isinstance(node, list | tuple):
        return [plain(value, origin, key, depth=depth + 1) for value in node]
    if isinstance(node, bool | ScalarBoolean) or node is None:
        return None if node is None else bool(node)
    if isinstance(node, int):
        if abs(node) >= _LARGEST:
            raise _refused(origin, key, "must be a whole number below 2^63. Received: one of more than 18 digits")
        return int(node)
    if isinstance(node, float):
        return float(node)
    if isinstance(node, str):
        return _text(str(node), origin, key)
    return node.isoformat() if isinstance(node, date) else node


def _text(text: str, origin: str, key: str) -> str:
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _refused(origin, key, f"must be text that UTF-8 can hold. Received: {shortened(text)}")
    return text


def _refused(origin: str, key: str, text: str) -> RecipeError:
    problem = Problem(key, text, "out_of_bounds")
    return RecipeError(f"{origin} has 1 problem:\n  {key}  {text}", code="invalid_recipe", problems=[problem])


def _too_deep(origin: str) -> RecipeError:
    said = f"{origin} has more than {DEEPEST} sections or lists in each other; a recipe needs five. Take brackets away"
    return RecipeError(said, code="recipe_too_deep")
