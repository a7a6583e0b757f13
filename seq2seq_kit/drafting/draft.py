"""`draft_recipe`: looks at a table and writes a recipe for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_kit.arguments import require
from seq2seq_kit.drafting.autoencode import draft_autoencode
from seq2seq_kit.drafting.counted import refuse_unordered
from seq2seq_kit.drafting.forecast import draft_forecast
from seq2seq_kit.drafting.keys import has_key
from seq2seq_kit.drafting.labels import draft_labels, sequences_of
from seq2seq_kit.drafting.notes import Notes, listed
from seq2seq_kit.drafting.source import Source, open_source
from seq2seq_kit.drafting.table import Inspected, inspect
from seq2seq_kit.drafting.texts import (
    draft_classify,
    draft_tag,
    draft_translate,
    holds_rows,
    task_of_texts,
    with_numbers_as_words,
    with_words,
)
from seq2seq_kit.drafting.writing import write
from seq2seq_kit.errors import ArgumentError, DataError, Problem
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.loading import Overrides, pairs_of, with_pairs
from seq2seq_kit.recipe.messages import did_you_mean
from seq2seq_kit.recipe.time_rules import wrong_format
from seq2seq_kit.tasks.registry import parse_recipe, recipe_class
from seq2seq_kit.validation import validate

if TYPE_CHECKING:
    import pandas as pd

# Refusals that may come of what was taken for times or series.
_TOO_FEW = ("too_few_rows", "series_too_short", "empty_part", "too_few_windows")
# Refusals that a key of the recipe settles.
_SETTLED = (
    "ambiguous_dates",
    "unclear_format",
    "invalid_timestamp",
    "mixed_utc_offsets",
    "missing_query",
    "missing_sheet",
)

_AS_WORDS: dict[str | None, Callable[[Source], Source]] = {"translate": with_numbers_as_words}
_OF_ROWS: dict[str, Callable[..., dict[str, object]]] = {"forecast": draft_forecast, "autoencode": draft_autoencode}
_OF_TEXTS: dict[str, Callable[..., dict[str, object]]] = {
    "translate": draft_translate,
    "tag": draft_tag,
    "classify": draft_classify,
}
# Of those, what also takes rows of numbers.
_OF_LABELS: dict[str, Callable[..., dict[str, object]]] = {"classify": draft_labels}


@dataclass(frozen=True)
class Draft:
    """A recipe for a table.

    Attributes:
        recipe: Its values as nested mappings, as `train` takes them.
        yaml: The same as commented YAML.
        decisions: Each decision with its reason, in a sentence.
        windows: Number of windows or sequences by part, as the recipe cuts them.
    """

    recipe: dict[str, object]
    yaml: str
    decisions: list[str]
    windows: dict[str, int]

    def __repr__(self) -> str:
        counts = ", ".join(f"{count:,} {part}" for part, count in self.windows.items())
        return (
            f"<Draft: {self.recipe.get('task')}, {counts}; {len(self.decisions)} decisions; print(draft.yaml) shows it>"
        )


def draft_recipe(
    frame: "str | Path | pd.DataFrame",
    *,
    task: str | None = None,
    target: str | Sequence[str] | None = None,
    ahead: str | int | None = None,
    series: str | Sequence[str] | None = None,
    known: str | Sequence[str] | None = None,
    given: Overrides = (),
) -> Draft:
    """Looks at a table and writes a recipe that trains on it at once.

    Args:
        frame: A frame, the path of a CSV or Parquet file, or a named data set.
        task: `forecast`, `autoencode`, `translate`, `tag` or `classify`; None: what the table shows.
        target: Column or columns to predict; None: the best guess, with its reason.
        ahead: How far to forecast: rows (24) or a span of time ("14d"); None: one season.
        series: Column or columns that tell series apart; None: those that do.
        known: Column or columns whose values are known ahead, such as a plan; `predict` then needs them.
        given: Keys of the recipe that are settled already, such as `data.time_format`, as mapping or `key=value`.

    Returns:
        The recipe, checked against the table.

    Raises:
        DataError: The table cannot be read, has too few rows, or leaves open what a key has to settle; the message names it.
        ArgumentError: `task` is none that can be drafted, `ahead` no span, or a recipe was given in place of a table.

    Example:
        >>> import numpy as np, pandas as pd
        >>> at = pd.date_range("2024-01-01", periods=600, freq="h")
        >>> table = pd.DataFrame({"time": at, "load": np.sin(np.arange(600) * np.pi / 12)})
        >>> draft_recipe(table).recipe["data"]["output_steps"]
        24
    """
    notes = Notes()
    tasks = [*_OF_ROWS, *_OF_TEXTS]
    if task is not None and task not in tasks:
        near = did_you_mean(task, tasks, otherwise="")
        raise ArgumentError(f"task must be {', '.join(tasks)}. Received: {task!r}{near}", code="invalid_task")
    pairs = pairs_of(given)
    form = dict(pairs).get("data.time_format")
    if isinstance(form, str) and (said := wrong_format(form)):
        raise ArgumentError(f"data.time_format {said}", code="invalid_time_format")
    try:
        return _drafted(
            frame, task, _names("target", target), ahead, _names("series", series), _names("known", known), pairs, notes
        )
    except DataError as error:
        seen = [f"{key}: {said}" for key, said in notes.said if key in ("time", "series", "every", "duplicates")]
        if error.code in _TOO_FEW and seen:
            said = f"{error}. What was seen: {'; '.join(seen)}; another choice: --series COLUMN, --set data.time=COLUMN"
            raise DataError(said, code=error.code) from None
        if error.code not in _SETTLED:
            raise
        said = f"{error}. There is no recipe yet: init ... --set KEY=VALUE, draft_recipe(..., given={{KEY: VALUE}})"
        raise DataError(said, code=error.code) from None


def _drafted(
    frame: "str | Path | pd.DataFrame",
    task: str | None,
    targets: list[str],
    ahead: str | int | None,
    groups: list[str],
    known: list[str],
    given: list[tuple[str, object]],
    notes: Notes,
) -> Draft:
    before = {key.removeprefix("data."): value for key, value in given}
    source = open_source(frame, notes, before)
    targets, groups, known = (_as_called(each, source.frame.columns) for each in (targets, groups, known))
    words = with_words(source) if task is None or task in _OF_TEXTS else source
    words = _AS_WORDS[task](words) if task in _AS_WORDS else words
    chosen = task or task_of_texts(words, targets) or "forecast"
    source = words if chosen in _OF_TEXTS else source
    if chosen in _OF_TEXTS and known:
        raise ArgumentError(f"known is for a forecast. Received: task={chosen!r}. Leave it out", code="not_supported")
    if chosen in _OF_LABELS and holds_rows(source.frame, targets):
        inspected = inspect(source, groups or sequences_of(source.frame, targets), notes, given=before)
        _look_at_the_order(inspected, targets, notes)
        drafted = _OF_LABELS[chosen](inspected, _kind(chosen, of_windows=True), targets, notes)
    elif chosen in _OF_TEXTS:
        drafted = _OF_TEXTS[chosen](source, targets, notes)
    else:
        inspected = inspect(source, groups, notes, given=before, resample=has_key(_kind(chosen), "data.resample"))
        for said in inspected.roles.left_out:
            notes.say("", said)
        _look_at_the_order(inspected, targets, notes)
        if inspected.clock is None and task is None and inspected.roles.texts:
            said = "holds texts: to read them and write or tell another column, --task translate or classify"
            notes.say("", f"{listed(inspected.roles.texts)} {said}")
        drafted = _OF_ROWS[chosen](inspected, _kind(chosen), targets, ahead, notes, known)
    settled = {key.split(".")[1] for key, _ in given if key.count(".") == 1}
    notes.said[:] = [(key, said) for key, said in notes.said if key not in settled]
    for key, _ in given:
        notes.say(key.split(".")[1 if "." in key else 0], f"{key} as asked for")
    return _checked(with_pairs({"task": chosen} | drafted, given), source, notes)


def _look_at_the_order(table: Inspected, targets: list[str], notes: Notes) -> None:
    """Refuses rows without a clock that a column counts in another order than theirs."""
    if table.clock is None and (
        said := refuse_unordered(table.source.frame, table.series, table.codes, targets, table.source.origin)
    ):
        notes.say("", said)


def _names(key: str, given: str | Sequence[str] | None) -> list[str]:
    if given is not None:
        require(key, given, (str, list, tuple), "the name of a column, or a list of them")
    return [] if given is None else [given] if isinstance(given, str) else list(given)


def _as_called(names: list[str], columns: "pd.Index") -> list[str]:
    """Names as the table has them, where they only lack the blanks around them."""
    called = {str(column).strip(): str(column) for column in columns}
    return [name if name in columns else called.get(name.strip(), name) for name in names]


def _kind(task: str, *, of_windows: bool = False) -> type[Recipe]:
    kind = recipe_class({"task": task, "data": {"inputs": [], "input_steps": 1} if of_windows else {}})
    assert not isinstance(kind, Problem)
    return kind


def _checked(recipe: dict[str, object], source: Source, notes: Notes) -> Draft:
    """The draft, once the kit itself has read recipe and table and found windows in every part."""
    parsed = parse_recipe(recipe, name=None)
    checked = validate(parsed, data=None if source.keys else source.frame)
    counts = ", ".join(f"{count:,} {part}" for part, count in checked.windows.items())
    title = [f"Drafted from {source.origin}: {checked.unit}: {counts}. Every line is a proposal."]
    return Draft(
        recipe, write(recipe, notes, title), [*notes.sentences, f"checked: {checked.unit}: {counts}"], checked.windows
    )
