"""The error of every row: windows overlap, so a row has several predictions, which become one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.pieces import cells_of
from seq2seq_kit.data.windows.labels import row_labels, series_of_rows
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.data.windows.ranges import WindowShape
from seq2seq_kit.recipe.detect_fields import Combine

Progress = Callable[[int, int], None]

_CHUNK = 4_096  # windows
_MOST_ROWS = 500_000


class Predicts(Protocol):
    """Predictions of some windows of a part in original units, `(windows, output_steps, targets)`."""

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class RowErrors:
    """One row for each row of the table that a window reaches, in order of series and time.

    Attributes:
        labels: The series' columns if there are any, then the time or `row`.
        series: Series of each row, int, shape `(rows,)`.
        segment: Changes where rows do not follow each other, shape `(rows,)`.
        columns: Names of the columns that are predicted.
        actual: Original units, NaN where missing, shape `(rows, columns)`; likewise `expected`.
        expected: The predictions of all windows that reach the row, combined.
        errors: `actual - expected` in scaled units, NaN where the cell was missing.
        unreached: Rows that no window reaches.
    """

    labels: pd.DataFrame
    series: np.ndarray
    segment: np.ndarray
    columns: list[str]
    actual: np.ndarray
    expected: np.ndarray
    errors: np.ndarray
    unreached: int


def row_errors(
    predict: Predicts,
    prepared: Prepared,
    part: str,
    *,
    combine: Combine = "median",
    beyond: float = 0.5,
    progress: Progress | None = None,
) -> RowErrors:
    """The errors of the rows of a part.

    Args:
        predict: The model, or a baseline.
        prepared: The rows; the part must have a window.
        part: Whose windows are predicted.
        combine: How the predictions of a row become one, see `combined`.
        beyond: Share of what windows say of a row that does not lie in them, where windows rebuild their rows and tell others.
        progress: Is told how many windows are done, and of how many.
    """
    windows = prepared.windows[part]
    starts, steps = windows.starts() + windows.shape.target_offset, windows.shape.output_steps
    real = _real(prepared)
    targets = [prepared.table.columns.index(name) for name in prepared.columns.targets]
    rows, expected, old, held = [], [], np.zeros((0, steps, len(targets))), 0
    for first in range(0, len(starts), _CHUNK):
        last = min(first + _CHUNK, len(starts))
        stack = np.concatenate([old, predict(prepared, part, np.arange(first, last))])
        known = starts[held:last]
        # Rows that a later window reaches wait for it.
        until = starts[last] if last < len(starts) else known[-1] + steps
        since = known[0] if first == 0 else starts[first]
        these = _reached(known, steps, since, until)
        these = these[these >= real[series_of_rows(prepared, these)]]
        actual = cells_of(prepared.table.values, these, targets)
        rows.append(these)
        expected.append(expected_rows(stack, known, these, actual, combine, windows.shape, beyond))
        if progress is not None:
            progress(last, len(starts))
        if last < len(starts):
            keep = int(np.searchsorted(known, until - steps, side="right"))
            old, held = stack[keep:], held + keep
    return _gathered(prepared, part, np.concatenate(rows), np.concatenate(expected), targets)


def expected_rows(
    stack: np.ndarray,
    starts: np.ndarray,
    rows: np.ndarray,
    actual: np.ndarray,
    combine: Combine,
    shape: WindowShape,
    beyond: float,
) -> np.ndarray:
    """As `combined`; what windows say of their own rows and of the rows around them is combined by itself, then weighed."""
    if not shape.beyond:
        return combined(stack, starts, rows, actual, combine)
    inside = np.zeros(shape.output_steps, dtype=bool)
    inside[shape.inside] = True
    own = combined(stack, starts, rows, actual, combine, steps=inside)
    other = combined(stack, starts, rows, actual, combine, steps=~inside)
    mixed = (1 - beyond) * own + beyond * other
    # A row that only one of the two reaches has what that one says.
    return np.where(np.isnan(mixed), np.where(np.isnan(own), other, own), mixed)


def newest_rows(prepared: Prepared, part: str, most: int = _MOST_ROWS) -> Prepared:
    """The same with at most so many rows in a part, the newest of each series: what is asked of it takes memory for each row."""
    rows = prepared.rows[part]
    each = max(most // max(len(rows), 1), 1)
    kept = np.column_stack([np.maximum(rows[:, 0], rows[:, 1] - each), rows[:, 1]])
    return replace(prepared, rows=prepared.rows | {part: kept})


def combined(
    stack: np.ndarray,
    starts: np.ndarray,
    rows: np.ndarray,
    actual: np.ndarray,
    combine: Combine,
    *,
    steps: np.ndarray | None = None,
) -> np.ndarray:
    """One prediction for each row of those of all windows that reach it.

    Args:
        stack: Predictions, shape `(windows, steps, columns)`.
        starts: Row of the first step of each window, ascending, shape `(windows,)`.
        rows: Ascending, shape `(rows,)`; each is reached by a window.
        actual: What was observed, shape `(rows, columns)`.
        combine: `median`, `mean`; `max`, `min`: the prediction with the largest or smallest error.
        steps: Which steps of the windows are asked, shape `(steps,)` bool; all by default. NaN where none of them is there.
    """
    low = np.searchsorted(starts, rows - stack.shape[1], side="right")
    high = np.searchsorted(starts, rows, side="right")
    which = low[:, None] + np.arange(int((high - low).max()))
    there = which < high[:, None]
    which = np.where(there, which, low[:, None])
    if np.isnan(stack).any():  # of windows that had nothing to go by
        there &= ~np.isnan(stack).all(axis=(1, 2))[which]
    step = rows[:, None] - starts[which]
    if steps is not None:
        there &= steps[step]
    values = np.where(there[:, :, None], stack[which, step], np.nan)
    if combine == "median":
        return _median(values, there.sum(axis=1))
    if not there.any(axis=1).all():
        some = there.any(axis=1)
        found = np.full(actual.shape, np.nan)
        found[some] = _chosen(values[some], actual[some], combine)
        return found
    return _chosen(values, actual, combine)


def _chosen(values: np.ndarray, actual: np.ndarray, combine: Combine) -> np.ndarray:
    if combine == "mean":
        return np.asarray(np.nanmean(values, axis=1))
    size = np.abs(values - np.nan_to_num(actual)[:, None])
    chosen = np.nanargmax(size, axis=1) if combine == "max" else np.nanargmin(size, axis=1)
    return np.asarray(np.take_along_axis(values, chosen[:, None], axis=1)[:, 0])


def _median(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """As `nanmedian` over the second axis, `counts` of whose cells are known, many times faster; NaN where none is."""
    if values.shape[1] == 1:
        return values[:, 0]
    ordered = np.sort(values, axis=1)
    at = np.arange(len(values))
    return np.asarray((ordered[at, np.maximum(counts - 1, 0) // 2] + ordered[at, counts // 2]) / 2)


def _reached(starts: np.ndarray, steps: int, since: int, until: int) -> np.ndarray:
    """The rows from `since` to before `until` that a window reaches."""
    rows = np.arange(since, until)
    newest = np.searchsorted(starts, rows, side="right") - 1
    return rows[(newest >= 0) & (rows < starts[np.maximum(newest, 0)] + steps)]


def _gathered(prepared: Prepared, part: str, rows: np.ndarray, expected: np.ndarray, targets: list[int]) -> RowErrors:
    actual = cells_of(prepared.table.values, rows, targets)
    series = series_of_rows(prepared, rows)
    stretch = np.searchsorted(prepared.segments[:, 0], rows, side="right")
    jumps = (np.diff(rows) != 1) | (np.diff(stretch) != 0) | (np.diff(series) != 0)
    first, end = np.maximum(prepared.split.rows(part), _real(prepared)[:, None]).T
    return RowErrors(
        labels=row_labels(prepared, rows),
        series=series,
        segment=np.concatenate([[0], np.cumsum(jumps)]) if len(rows) else np.zeros(0, dtype=np.int64),
        columns=list(prepared.columns.targets),
        actual=actual,
        expected=expected,
        errors=(actual - expected) / prepared.target_scale[series],
        unreached=int((end - first).sum()) - len(rows),
    )


def _real(prepared: Prepared) -> np.ndarray:
    """The first row of each series that is no padding, shape `(series,)`."""
    table = prepared.table
    return np.asarray(table.bounds[:-1] + (0 if table.pads is None else table.pads))
