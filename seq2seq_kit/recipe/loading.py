"""From a YAML file and overrides to a checked recipe: default < recipe < override."""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from seq2seq_kit.arguments import require
from seq2seq_kit.errors import KitWarning, Problem, RecipeError
from seq2seq_kit.recipe.detect_rules import problems_of_detect
from seq2seq_kit.recipe.ensemble_fields import problems_of_ensemble
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.messages import did_you_mean, line_of, problems_of, refusal, shortened
from seq2seq_kit.recipe.renaming import Renaming
from seq2seq_kit.recipe.rules import broken_rules
from seq2seq_kit.recipe.section import Tree
from seq2seq_kit.recipe.sweep_rules import problems_of_sweep
from seq2seq_kit.recipe.yaml import DEEPEST, plain, plain_section, read_text, read_value, read_yaml

Overrides = Mapping[str, object] | Iterable[str]
# The schema of a recipe as it was written, or the problem that keeps it from being chosen.
Choose = Callable[[Tree], type[Recipe] | Problem]


def load_recipe(path: str | Path, overrides: Overrides = (), *, choose: Choose, warn: bool = True) -> Recipe:
    """Reads a recipe file; see `tasks.load_recipe`, which knows how to choose. `warn`: of renamed keys."""
    path = Path(path)
    tree = read_yaml(read_text(path), str(path))
    name = re.sub(r"[^\w.-]+", "_", path.stem)
    return parse_recipe(tree, overrides, choose=choose, origin=str(path), name=name, warn=warn)


def parse_recipe(
    tree: Tree,
    overrides: Overrides = (),
    *,
    choose: Choose,
    origin: str = "the recipe",
    name: str | None = None,
    warn: bool = True,
) -> Recipe:
    """Checks a recipe given as nested mappings; arguments and errors as in `load_recipe`."""
    pairs = pairs_of(overrides)
    kind = choose(with_pairs(plain_section(tree, origin), pairs))
    if isinstance(kind, Problem):
        raise refusal(origin, [kind], tree=tree, overridden=[key for key, _ in pairs])
    written = Renaming(kind)
    values = written.tree(plain_section(tree, origin))
    current = [(written.key(key), value) for key, value in pairs]
    values = written.tree(with_pairs(values, current))  # again, for a whole section that an override brings
    if warn:
        renamed = [(f"{origin}, line {line_of(tree, old)}", old, new) for new, old in written.former.items()]
        renamed += [("override", old, new) for (old, _), (new, _) in zip(pairs, current, strict=True) if old != new]
        for where, old, new in renamed:
            said = f"{where.removesuffix(', line None')}: {old} was renamed and still works. Write {new} instead"
            warnings.warn(KitWarning(said, code="renamed_key"), stacklevel=2)
    if name and values.get("name") is None:
        values["name"] = name
    problems = written.problems + broken_rules(values, kind) + problems_of_sweep(values, kind)
    problems += problems_of_ensemble(values, kind.no_ensemble)
    recipe = None
    try:
        recipe = kind.model_validate(values)
    except ValidationError as error:
        problems += problems_of(error, kind)
    else:
        problems += problems_of_detect(values) if warn else []
    if problems or recipe is None:
        raise refusal(origin, problems, tree=tree, overridden=[key for key, _ in current], spelled=written.spelled)
    return recipe


def unknown_word(key: str, received: object, known: Sequence[str], *, given: bool = True) -> Problem:
    """The problem of a key that decides which other keys are legal, and has none of the words that do."""
    words = " or ".join(filter(None, [", ".join(known[:-1]), known[-1]]))
    if not given:
        return Problem(key, f"required; {words}", "missing_key")
    text = f"must be {words}. Received: {shortened(received)}{did_you_mean(received, known)}"
    return Problem(key, text, f"unknown_{key.rpartition('.')[2]}")


def dump_recipe(recipe: Recipe) -> str:
    """The resolved recipe as YAML: training from it again repeats the run."""
    yaml = YAML()
    stream = StringIO()
    stored = recipe.model_dump(mode="json", exclude_none=True)
    # `patience: null` means something else than its default, so it is written; other keys are absent when they are None.
    stored["training"]["patience"] = recipe.training.patience
    if stored["data"].get("format") == {}:
        del stored["data"]["format"]
    search = {"sweep": stored.pop("sweep")} if recipe.sweep else {}
    yaml.dump(_blocks({"task": stored.pop("task"), **stored, **search}), stream)
    return stream.getvalue()


def _blocks(value: object) -> object:
    """Sections as blocks, lists on one line."""
    if isinstance(value, dict):
        return {key: _blocks(inner) for key, inner in value.items()}
    if isinstance(value, list):
        line = CommentedSeq(value)
        line.fa.set_flow_style()
        return line
    return value


def warn_of_searched(recipe: Recipe, overrides: Overrides) -> None:
    """Warns of overridden keys that the recipe's sweep searches: what they say holds for trial 1 only."""
    space = list(recipe.sweep.space) if recipe.sweep else []
    for key, _ in pairs_of(overrides):
        for other in space:
            if key == other or key.startswith(f"{other}.") or other.startswith(f"{key}."):
                said = (
                    f"override {key}: the sweep searches {other}, so the value is that of trial 1, the recipe as it stands, and "
                    f"other trials have their own. Take {other} out of `sweep.space` to train every trial with it"
                )
                warnings.warn(KitWarning(said, code="searched_override"), stacklevel=3)


def pairs_of(overrides: Overrides) -> list[tuple[str, object]]:
    """Dotted keys and their values, in order.

    Raises:
        RecipeError: One reads not `key=value`.
    """
    if isinstance(overrides, Mapping):
        return [(str(key), plain(value, f"override {key}", str(key))) for key, value in overrides.items()]
    if isinstance(overrides, str):
        overrides = [overrides]
    require("overrides", overrides, (list, tuple), "a mapping of keys and values, a text key=value, or a list of such")
    pairs = []
    for text in overrides:
        require("an override", text, str, "a text key=value")
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or key.count(".") > DEEPEST:
            said = f"an override must read key=value, for example training.epochs=5. Received: {text}"
            raise RecipeError(said, code="invalid_override")
        pairs.append((key.strip(), read_value(value.strip())))
    return pairs


def with_pairs(values: dict[str, object], pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Values with overrides put in, later ones over earlier ones; changes and returns `values`."""
    for key, value in pairs:
        *sections, last = key.split(".")
        if sections[:2] == ["sweep", "space"]:  # what follows is one key of the space, which has dots of its own
            sections, last = sections[:2], key.removeprefix("sweep.space.")
        place = values
        for section in sections:
            if place.get(section) is None:  # absent, or an empty section
                place[section] = {}
            inner = place[section]
            if not isinstance(inner, dict):
                said = f"override {key}: {section} is a value, not a section. Received: {shortened(inner)}"
                raise RecipeError(said, code="invalid_override")
            place = inner
        place[last] = plain(value)
    return values


def flattened(values: Tree, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Nested values by dotted key."""
    for key, value in values.items():
        # MLflow refuses some names of columns as names of parameters, so what is given by column stays one value.
        if (
            isinstance(value, Mapping)
            and value
            and key.split(".")[-1] not in ("limits", "scaling", "units", "join_labels")
        ):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
