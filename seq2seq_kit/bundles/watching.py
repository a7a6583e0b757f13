"""New rows as a model watches them: cells may be missing, and what it says without them is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.labels import flags_of, is_file, labelled_rows
from seq2seq_kit.anomalies.row_errors import Predicts, RowErrors
from seq2seq_kit.data.windows.labels import row_labels
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.errors import DataError
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.fields import Table

# Of a pump whose current sensor is dead, scores of the others are at their usual median (1.8) after ten passes; after one 2.4.
_PASSES = 10


@dataclass(frozen=True)
class Watched:
    """Errors of new rows.

    Attributes:
        errors: Of each row that a window reaches.
        notes: What was done to the rows.
        seconds: From one row to the next; None without a clock.
        prepared: The rows.
        findings: Columns that gave no values.
    """

    errors: RowErrors
    notes: list[str]
    seconds: float | None
    prepared: Prepared
    findings: list[Finding] = field(default_factory=list)


def labelled(watched: Watched, data: Table, frame: pd.DataFrame, labels: str | None, origin: str) -> np.ndarray | None:
    """Whether each row with errors is labelled as anomalous, shape `(rows,)`; None without labels.

    Args:
        watched: The rows.
        data: The recipe's section.
        frame: The rows as they were read.
        labels: A column of them, or a file of intervals, of which one at least lies in these rows. None: those of the recipe,
            where the rows have its column or its file is there; one that is of the training's rows may tell nothing of these.
        origin: Name of the rows for messages.

    Raises:
        DataError: See `labelled_rows`.
    """
    own: str | None = getattr(data, "labels", None)
    known = own is not None and (Path(own).is_file() if is_file(own) else own in frame.columns)
    if labels is None and not known:
        return None
    table, prepared = watched.prepared.table, watched.prepared
    named = labels or str(own)
    try:
        flags = labelled_rows(named, table, frame, data, origin=origin, of_more=labels is None)
    except DataError as error:
        if error.code != "labels_outside_rows":
            raise
        flags = labelled_rows(named, table, frame, data, origin=origin, of_more=True)
        if not flags.any():
            raise
        watched.notes.append(f"intervals of {named} that lie outside of the rows are passed over")
    if labels is None and is_file(str(own)) and not flags.any():
        return None
    return flags_of(watched.errors.labels, row_labels(prepared, np.flatnonzero(flags)))


def rebuilt_inputs(
    forward: Callable[[Sequence[np.ndarray]], np.ndarray], arrays: Sequence[np.ndarray], places: Sequence[int]
) -> list[np.ndarray]:
    """An autoencoder's inputs with what it rebuilds itself in place of missing cells, which begin at their centre.

    Args:
        forward: Gives the reconstruction of the steps that are read, `(windows, steps, columns)`.
        arrays: The inputs; in the first, `(windows, steps, inputs)`, NaN is a missing cell.
        places: Which of these inputs each column of the reconstruction is.
    """
    holes = np.isnan(arrays[0])
    some = np.flatnonzero(holes.any(axis=(1, 2)))
    if not len(some):
        return list(arrays)
    filled = np.nan_to_num(arrays[0])
    own, others = filled[some], [each[some] for each in arrays[1:]]
    absent = holes[some][..., places]
    for _ in range(_PASSES):
        own[..., places] = np.where(absent, forward([own, *others]), own[..., places])
    filled[some] = own
    return [filled, *arrays[1:]]


def with_something_to_read(predict: Predicts) -> Predicts:
    """The same; a window in which no column that is read has a value says nothing: NaN."""

    def predicted(prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        found = predict(prepared, part, windows)
        these = prepared.windows[part]
        starts = these.starts(windows)
        first, end = (int(starts.min()), int(starts.max()) + these.shape.input_steps) if len(starts) else (0, 0)
        read = [prepared.table.columns.index(name) for name in prepared.columns.inputs]
        absent = np.isnan(prepared.table.values[first:end][:, read]).all(axis=1)
        if not absent.any():
            return found
        blind = absent[these.input_rows(windows) - first].all(axis=1)
        return np.where(blind[:, None, None], np.nan, found) if blind.any() else found

    return predicted
