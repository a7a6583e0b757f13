"""A frame, checked and put in order: numbers by column, rows by series and time, cut where time has gaps.

Columns, cells and timestamps are checked here and in `cells`; what is wrong is named with its row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from seq2seq_kit.data.rows import Rows, Times
from seq2seq_kit.data.tables.cells import read_numbers, read_times, require_columns
from seq2seq_kit.data.tables.pieces import PIECE, count_missing, pieces_of
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.errors import DataError

_SHOWN = 5  # cells or columns that one message names
_OFF_GRID = 1e-6  # steps that a row on the grid may be off by rounding


@dataclass(frozen=True)
class Table:
    """Rows of numbers, sorted by series and time.

    Attributes:
        columns: Names of the columns of `values`.
        values: Original units, NaN where a cell is missing, shape `(rows, columns)` float64, in memory or on disk.
        times: Timestamp of each row, or None without a time column.
        series: Names of the series; `[""]` for a table without a series column.
        bounds: First row of each series and the end, shape `(series + 1,)`.
        segments: Rows without a gap in time, `(first, end, series)` each, shape `(segments, 3)`.
        order: Row of the frame that each row came from, counted from 0; None where they are in the frame's own order.
        looks_ahead: Cells that were filled from a later row, shape `(rows, columns)` bool; None where nothing was.
        extremes: Smallest and largest value of each column of a table on disk, shape `(2, columns)`.
        notes: What was done to the frame that its owner should know.
        origin: Name of the file or data set, for messages.
    """

    columns: list[str]
    values: Rows
    times: Times | None
    series: list[str]
    bounds: np.ndarray
    segments: np.ndarray
    order: np.ndarray | None = None
    every: Every | None = None
    origin: str = "the data"
    looks_ahead: np.ndarray | None = None
    extremes: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def row_numbers(self) -> np.ndarray:
        """Row of the frame that each row came from, counted from 1 below the header, shape `(rows,)`."""
        return (np.arange(len(self.values)) if self.order is None else self.order) + 1

    def number(self, row: int) -> int:
        """`row_numbers` of one row."""
        return row + 1 if self.order is None else int(self.order[row]) + 1

    def where(self, row: int) -> str:
        """How a message names a row: its number in the file, its series and its time."""
        parts = [f"row {self.number(row)}"]
        name = self.series[int(np.searchsorted(self.bounds, row, side="right")) - 1]
        if name:
            parts.append(f"series {name}")
        if self.times is not None:
            parts.append(f"{self.times[row]}")
        return f"{parts[0]} ({', '.join(parts[1:])})" if parts[1:] else parts[0]

    def with_values(self, values: Rows, notes: Sequence[str] = ()) -> "Table":
        """The same rows with other values."""
        return replace(self, values=values, notes=[*self.notes, *notes])


def read_table(
    frame: pd.DataFrame,
    *,
    columns: Sequence[str],
    time: str | None = None,
    every: str | None = None,
    series: str | None = None,
    origin: str = "the data",
) -> Table:
    """Checks a frame and puts it in order.

    Args:
        frame: Long format: a row for each series and time, a column for each variable.
        columns: Numeric columns to take; others are left alone.
        time: Column of timestamps (or texts that pandas reads as such).
        every: Step between rows, as in the recipe.
        series: Column that tells the series apart.
        origin: Name of the file for messages.

    Raises:
        DataError: A column is missing or duplicate, no rows, a cell is no number or infinite, a timestamp is missing,
            unreadable, duplicate or off the grid of `every`.
    """
    wanted = [name for name in (series, time) if name] + list(columns)
    require_columns(frame.columns, wanted, origin, rows=len(frame))
    values = _values(frame, columns, origin)
    codes, names = _series(frame, series, origin)
    times = read_times(frame[time], time, origin) if time else None
    notes: list[str] = []
    order = _order(codes, times)
    if order is not None:
        values, codes = values[order], codes[order]
        if times is not None:
            times = times[order]
        notes.append(f"{origin} was not sorted by {' and '.join(filter(None, (series, time)))}; the rows were sorted")
    bounds = np.searchsorted(codes, np.arange(len(names) + 1))
    step = Every.parse(every) if every else None
    table = Table(
        columns=list(columns),
        values=values,
        times=times,
        series=names,
        bounds=bounds,
        segments=np.column_stack([bounds[:-1], bounds[1:], np.arange(len(names))]),
        order=order,
        every=step,
        origin=origin,
        notes=notes,
    )
    return cut_at_gaps(table, step) if step else table


def _values(frame: pd.DataFrame, columns: Sequence[str], origin: str) -> np.ndarray:
    """The columns as one matrix; the frame's own memory where it holds them side by side as float64."""
    if all(frame[name].dtype == np.float64 for name in columns):
        for name in columns:
            read_numbers(frame, name, origin)
        return frame[list(columns)].to_numpy()
    return np.column_stack([read_numbers(frame, name, origin) for name in columns])


def _order(codes: np.ndarray, times: pd.DatetimeIndex | None) -> np.ndarray | None:
    """Rows by series and time; None where they are in this order already."""
    apart = np.diff(codes)
    ordered = not (apart < 0).any()
    if ordered and times is not None:
        ordered = not ((np.diff(times.asi8) < 0) & (apart == 0)).any()
    if ordered:
        return None
    return np.lexsort((times.asi8, codes)) if times is not None else np.argsort(codes, kind="stable")


def _series(frame: pd.DataFrame, series: str | None, origin: str) -> tuple[np.ndarray, list[str]]:
    if not series:
        return np.zeros(len(frame), dtype=np.int64), [""]
    codes, names = pd.factorize(frame[series])
    if (codes < 0).any():
        row = int(np.flatnonzero(codes < 0)[0])
        said = f"{origin}, row {row + 1}, column {series}: the series has no name; give it one or drop the row"
        raise DataError(said, code="missing_series_name")
    return codes, [str(name) for name in names]


def cut_at_gaps(table: Table, step: Every) -> Table:
    """Splits each series where a timestamp is missing; refuses duplicate timestamps and those off the grid."""
    assert table.times is not None
    segments = []
    for code, (first, end) in enumerate(zip(table.bounds[:-1], table.bounds[1:], strict=True)):
        duplicate, off, cuts = [], [], []
        # In pieces, each from the last row of the one before, so that a long table takes no second copy of its times.
        for piece in pieces_of(int(first), int(end)):
            before = max(first, piece.start - 1)
            ticks = step.ticks(table.times[before : piece.stop], since=table.times[first : first + 1])
            whole = np.round(ticks)
            duplicate.append(before + np.flatnonzero(np.diff(ticks) == 0))
            off.append(before + np.flatnonzero(np.abs(ticks - whole) > _OFF_GRID))
            cuts.append(before + 1 + np.flatnonzero(np.diff(whole) > 1))
        _refuse_duplicates(table, np.concatenate(duplicate))
        _refuse_off_grid(table, np.concatenate(off), step, (first, end))
        edges = [first, *np.concatenate(cuts), end]
        segments += [(begin, stop, code) for begin, stop in pairwise(edges)]
    gaps = len(segments) - len(table.series)
    notes = [f"{gaps} gap{'s' if gaps > 1 else ''} in time; no window crosses one"] if gaps else []
    return replace(table, segments=np.array(segments, dtype=np.int64), notes=[*table.notes, *notes])


def _refuse_off_grid(table: Table, off: np.ndarray, step: Every, rows: tuple[int, int]) -> None:
    if off.size:
        assert table.times is not None
        row = int(off[0])
        raise DataError(
            f"{table.origin}, {table.where(row)}: the row before is at {table.times[row - 1]}, which is not a whole "
            f"number of steps of `every: {step.text}`{_frequent(table, *rows)}. "
            "Correct the timestamp, or data.every",
            code="off_grid_timestamp",
        )


def _refuse_duplicates(table: Table, duplicate: np.ndarray) -> None:
    if duplicate.size:
        row = int(duplicate[0])
        raise DataError(
            f"{table.origin}: {table.where(row)} and row {table.number(row + 1)} have the same timestamp"
            f"{f' ({duplicate.size} such pairs)' if duplicate.size > 1 else ''}; expected one row for each series and time. "
            "Remove one, name the column that tells the series apart in data.series, or, where clocks were set back, "
            "write the times in UTC",
            code="duplicate_timestamp",
        )


def _frequent(table: Table, first: int, end: int) -> str:
    assert table.times is not None
    steps = pd.Series(table.times[first : min(end, first + PIECE)]).diff().dropna()
    return f" (most rows are {steps.mode().iloc[0]} apart)" if len(steps) else ""


def apply_limits(table: Table, limits: Mapping[str, Sequence[float]]) -> Table:
    """Empties the cells outside the possible range of their column.

    Raises:
        DataError: A column of `limits` is not used by the recipe.
    """
    values, notes = table.values[:].copy(), []
    for name, (low, high) in limits.items():
        if name not in table.columns:
            used = ", ".join(table.columns)
            said = f"data.limits names the column {name}, which the recipe does not use; it uses {used}"
            raise DataError(said, code="unused_column")
        column = values[:, table.columns.index(name)]
        outside = (column < low) | (column > high)
        if outside.any():
            count, first = int(outside.sum()), int(np.flatnonzero(outside)[0])
            cells = "cell" if count == 1 else "cells"
            notes.append(
                f"{count} {cells} of {name} outside {low:g} to {high:g} count as missing, the first in {table.where(first)}"
            )
        column[outside] = np.nan
    return table.with_values(values, notes)


def refuse_missing(table: Table, columns: Sequence[str], *, advice: str) -> None:
    """Raises `DataError` that counts the missing cells of each of `columns` and names the first of each."""
    found = []
    for name in columns:
        count, first = count_missing(table.values, table.columns.index(name))
        if count:
            cells = "cell" if count == 1 else "cells"
            found.append(f"  {name}: {count} missing {cells}, the first in {table.where(first)}")
    if found:
        more = [f"  and {len(found) - _SHOWN} more columns"] if len(found) > _SHOWN else []
        raise DataError(
            "\n".join([f"{table.origin} has missing cells:", *found[:_SHOWN], *more, advice]), code="missing_cells"
        )
