"""The recipe of a classifier of rows of numbers: a label for each series, or for each window of a table."""

import re

import pandas as pd

from seq2seq_kit.drafting.notes import Notes, listed
from seq2seq_kit.drafting.rows import (
    choose_window,
    clock_keys,
    missing_keys,
    series_keys,
    training_windows,
    usable_rows,
)
from seq2seq_kit.drafting.sizes import Effort, choose_effort
from seq2seq_kit.drafting.table import Inspected
from seq2seq_kit.drafting.text_columns import in_blocks
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.fields import Recipe

_SHARE = 0.15
_MOST_LABELS = 200
_RARE = 3  # times that the most frequent label may be as frequent as the rarest
_LEAST_SERIES = 20  # of which each is a sequence with a label of its own
_CALLED_A_LABEL = re.compile(
    r"label|class|klasse|kategorie|categor|type|state|status|zustand|befund|result|target|outcome|activity", re.I
)


def draft_labels(table: Inspected, kind: type[Recipe], target: list[str], notes: Notes) -> dict[str, object]:
    """The values of the recipe.

    Args:
        table: With a column of labels and columns of numbers.
        kind: Of the recipe for windows.
        target: The column of labels, or of numbers to predict; empty: the one that shows.
        notes: Takes the decisions.

    Raises:
        DataError: No column is one of labels, none holds numbers, or there are too few rows.
    """
    frame, roles = table.source.frame, table.roles
    answer = target[0] if target else _label(table)
    inputs = [name for name in roles.numbers if name != answer]
    if not answer or answer not in frame.columns or not inputs:
        columns = listed([str(name) for name in frame.columns])
        raise DataError(
            f"{table.source.origin}: this task needs columns of numbers and one of labels (--target COLUMN), or a column of "
            f"texts and one of labels. Received: {columns}. docs/classify.md shows the three forms of its data. Or choose "
            "another --task: forecast, autoencode, translate, tag or classify",
            code="nothing_to_draft",
        )
    values = frame[answer].nunique()
    key = "target" if pd.api.types.is_float_dtype(frame[answer]) or values > _MOST_LABELS else "label"
    why = (
        "as asked for"
        if target
        else "called like a label"
        if _CALLED_A_LABEL.search(answer)
        else "few values that are no measurement"
    )
    notes.say(key, f"{answer}: {why}; {values:,} different values; another one: --target")
    notes.say("inputs", f"every other column of numbers: {listed(inputs)}")
    own = pd.Series(table.codes).groupby(table.codes).size()
    labelled = frame[answer].groupby(table.codes).nunique(dropna=False)
    if table.series and len(own) >= _LEAST_SERIES and bool((labelled == 1).all()) and len(table.series) == 1:
        notes.say("series", f"each has one {key}, so a series is a sequence; its rows stand in order of time")
        keys = {
            name: value
            for name, value in clock_keys(table, kind, notes).items()
            if name in ("time", "every", "time_format", "time_zone")
        }
        empty = frame[inputs].isna().to_numpy().any()
        data = dict(table.source.keys) | keys | {"series": table.series[0], "inputs": inputs, key: answer}
        data |= {"missing": "interpolate"} if empty else {}
        effort = choose_effort(len(own), 1, int(own.mean()), len(inputs), notes)
    else:
        data, effort = _windows(table, kind, inputs, answer, key, notes)
    training: dict[str, object] = {
        "learning_rate": 3e-3,
        "schedule": "cosine",
        "batch_size": min(effort.batch_size, 128),
    }
    training |= {"epochs": effort.epochs, "patience": None, "clip_norm": 1.0}
    counts = frame[answer].value_counts()
    if key == "label" and counts.max() > _RARE * counts.min():
        notes.say(
            "class_weights",
            f"balanced: {counts.index[0]} is {counts.max() / counts.min():,.3g} times as frequent as {counts.index[-1]}",
        )
        training["class_weights"] = "balanced"
    return {
        "data": data | {"split": {"val": _SHARE, "test": _SHARE}},
        "model": {"encoder_units": [effort.units], "dropout": 0.2},
        "training": training,
    }


def sequences_of(frame: pd.DataFrame, target: list[str]) -> list[str]:
    """The column whose values stand in blocks of rows with one label each, as batches or trips do; empty without one."""
    labels = target or [str(name) for name in frame.columns if 1 < frame[name].nunique() <= _MOST_LABELS]
    for name in (str(each) for each in frame.columns if str(each) not in target):
        if (
            pd.api.types.is_float_dtype(frame[name])
            or not in_blocks(frame[name])
            or frame[name].nunique() < _LEAST_SERIES
        ):
            continue
        own = [label for label in labels if label != name and not pd.api.types.is_float_dtype(frame[label])]
        if any((frame.groupby(name)[label].nunique(dropna=False) == 1).all() for label in own):
            return [name]
    return []


def _windows(
    table: Inspected, kind: type[Recipe], inputs: list[str], answer: str, key: str, notes: Notes
) -> tuple[dict[str, object], Effort]:
    keys = clock_keys(table, kind, notes)
    rows = usable_rows(table, inputs, keys)
    steps = choose_window(table, inputs[0], keys, rows, share=_SHARE, notes=notes)
    notes.say("", f"a window of {steps} rows has the {key} of its last row")
    effort = choose_effort(training_windows(rows, steps, share=_SHARE), 1, steps, len(inputs), notes)
    data = dict(table.source.keys) | keys | series_keys(table, inputs[0], kind, notes)
    return data | {"inputs": inputs, key: answer, "input_steps": steps} | missing_keys(
        table, inputs, keys, notes
    ), effort


def _label(table: Inspected) -> str:
    """The column that shows itself as one of labels; empty where none does."""
    frame, roles = table.source.frame, table.roles
    words = [name for name in frame.columns if str(name) in (*roles.categories, *roles.truths, *roles.static)]
    counted = [
        name for name in roles.numbers if _CALLED_A_LABEL.search(name) and pd.api.types.is_integer_dtype(frame[name])
    ]
    found = [*(str(name) for name in words), *(name for name in counted if frame[name].nunique() <= _MOST_LABELS)]
    called = [name for name in found if _CALLED_A_LABEL.search(name)]
    return (called or found or [""])[-1]
