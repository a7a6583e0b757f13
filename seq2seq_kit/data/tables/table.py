"""A frame, checked and put in order: numbers by column, rows by series and time, cut where time has gaps.

Columns, cells and timestamps are checked here and in `cells`; what is wrong is named with its row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from seq2seq_kit.data.rows import Rows, Times
from seq2seq_kit.data.tables.categories import FIRST, read_categories
from seq2seq_kit.data.tables.cells import read_columns, require_columns
from seq2seq_kit.data.tables.dialect_words import footers_told
from seq2seq_kit.data.tables.gaps import cut_at_gaps, times_of_day
from seq2seq_kit.data.tables.names import read_series
from seq2seq_kit.data.tables.pieces import count_missing, pieces_of
from seq2seq_kit.data.tables.regular import Treatment, fill_gaps, join_duplicates, onto_grid
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.data.tables.time_formats import column_of_times
from seq2seq_kit.data.tables.timestamps import TimeStyle, read_times
from seq2seq_kit.data.tables.written import PLAIN
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.format import Format

LARGEST = 1e100  # of a number that may be squared and summed in float64
_SHOWN = 5  # cells or columns that one message names


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
        order: Row of the frame that each row came from, counted from 0; of joined rows the one that decides, else the last; -1
            of a row that the frame does not have; None where they are in the frame's own order.
        looks_ahead: Cells that were filled from a later row, shape `(rows, columns)` bool; None where nothing was.
        style: How the timestamps were written.
        extremes: Smallest and largest value of each column of a table on disk, shape `(2, columns)`.
        notes: What was done to the frame that its owner should know.
        pads: How many rows without a value were put before each series, shape `(series,)`; None where none were.
        left_out: Why, by the names of series that cannot be used.
        words: Values of each column that is a category, by name; its cells are codes of them, see `categories`.
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
    style: TimeStyle = field(default_factory=TimeStyle)
    notes: list[str] = field(default_factory=list)
    pads: np.ndarray | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    words: dict[str, list[str]] = field(default_factory=dict)

    @property
    def row_numbers(self) -> np.ndarray:
        """Row of the frame that each row came from, counted from 1 below the header, 0 of an added one, shape `(rows,)`."""
        return (np.arange(len(self.values)) if self.order is None else self.order) + 1

    def number(self, row: int) -> int:
        """`row_numbers` of one row."""
        return row + 1 if self.order is None else int(self.order[row]) + 1

    def where(self, row: int) -> str:
        """How a message names a row: its number in the file, its series and its time."""
        parts = [f"row {self.number(row)}" if self.number(row) else "a row that was added"]
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
    time: str | Sequence[str] | None = None,
    every: Every | str | None = None,
    series: str | Sequence[str] | None = None,
    origin: str = "the data",
    style: TimeStyle | None = None,
    trained: TimeStyle | None = None,
    form: Format = PLAIN,
    limits: Mapping[str, Sequence[float]] | None = None,
    treatment: Treatment | None = None,
    categories: Sequence[str] = (),
    series_category: str | None = None,
    words: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """Checks a frame and puts it in order.

    Args:
        frame: Long format: a row for each series and time, a column for each variable.
        columns: Numeric columns to take; others are left alone.
        time: Column of timestamps (or texts that pandas reads as such), or several that are joined.
        every: Step between rows, as in the recipe.
        series: Column that tells the series apart, or several.
        origin: Name of the file for messages.
        style: What the recipe says of the timestamps.
        trained: How those of the training rows were written; see `read_times`.
        form: What the recipe says of how numbers are written, for cells that are texts.
        limits: See `apply_limits`; before rows are joined, so that no impossible value gets into a mean.
        treatment: What becomes of rows that do not fit `every`.
        categories: Columns whose cells become codes, behind `columns`.
        series_category: Name of a last column, the series as a category; None for none.
        words: Values of categories that have their codes already.

    Raises:
        DataError: A column is missing or duplicate, no rows, a cell is no number or infinite, a timestamp is missing,
            unreadable, duplicate or off the grid of `every`.
    """
    clocks = [time] if isinstance(time, str) else list(time or [])
    named = [series] if isinstance(series, str) else list(series or [])
    wanted = [*named, *clocks, *columns, *categories]
    require_columns(frame.columns, wanted, origin, rows=len(frame), index=frame.index.names)
    values = _values(frame, columns, origin, form)
    codes, names = read_series(frame, named, origin) if named else (np.zeros(len(frame), dtype=np.int64), [""])
    coded, found = read_categories(frame, categories, origin, form, words or {})
    if series_category:
        coded, found = [*coded, codes + float(FIRST)], found | {series_category: names}
    if coded:
        values = np.column_stack([values, *coded])
    times, written, notes = None, TimeStyle(), []
    if clocks:
        column = column_of_times(frame, clocks, style.format if style else None, origin)
        try:
            times, written = read_times(column, str(column.name), origin, style=style, trained=trained)
        except DataError as error:
            hint = footers_told(column) if error.code == "invalid_timestamp" else ""
            raise DataError(f"{error}{hint}", code=error.code) from None
        given = getattr(column.dtype, "tz", None)
        if trained is not None and given is not None and str(given) != str(times.tz):
            notes.append(
                f"{origin}, column {column.name}: the times were converted from {given} to {times.tz}, the zone of training"
            )
    order = _order(codes, times)
    if order is not None:
        values, codes = values[order], codes[order]
        if times is not None:
            times = times[order]
        notes.append(f"{origin} was not sorted by {' and '.join((*named, *clocks))}; the rows were sorted")
    bounds = np.searchsorted(codes, np.arange(len(names) + 1))
    step = Every.of(every) if isinstance(every, str) else every
    table = Table(
        columns=[*columns, *found],
        values=values,
        times=times,
        series=names,
        bounds=bounds,
        segments=np.column_stack([bounds[:-1], bounds[1:], np.arange(len(names))]),
        order=order,
        every=step,
        origin=origin,
        style=written,
        notes=notes,
        words=found,
    )
    table = apply_limits(table, limits) if limits else table
    try:
        return _on_the_step(table, treatment or Treatment())
    except DataError as error:
        hint = times_of_day(frame, wanted, clocks) if error.code == "duplicate_timestamp" else ""
        raise DataError(f"{error}{hint}", code=error.code) from None


def _on_the_step(table: Table, treatment: Treatment) -> Table:
    """Rows of the same time joined or refused, uneven ones put onto the grid, gaps cut or filled."""
    if treatment.duplicates != "refuse":
        table = join_duplicates(table, treatment.duplicates, treatment.latest)
    step = table.every
    if step is None:
        return table
    if treatment.resample is not None:
        table = onto_grid(table, step, treatment.resample, treatment.latest)
    table = cut_at_gaps(table, step)
    return fill_gaps(table, step) if treatment.gaps == "fill" else table


def _values(frame: pd.DataFrame, columns: Sequence[str], origin: str, form: Format) -> np.ndarray:
    """The columns as one matrix; the frame's own memory where it holds them side by side as float64."""
    read = read_columns(frame, columns, origin, form=form)
    if not form.missing_words and all(frame[name].dtype == np.float64 for name in columns):
        return frame[list(columns)].to_numpy()
    return np.column_stack(read)


def _order(codes: np.ndarray, times: pd.DatetimeIndex | None) -> np.ndarray | None:
    """Rows by series and time; None where they are in this order already."""
    apart = np.diff(codes)
    ordered = not (apart < 0).any()
    if ordered and times is not None:
        ordered = not ((np.diff(times.asi8) < 0) & (apart == 0)).any()
    if ordered:
        return None
    return np.lexsort((times.asi8, codes)) if times is not None else np.argsort(codes, kind="stable")


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
    found, empty = [], []
    for name in columns:
        count, first = count_missing(table.values, table.columns.index(name))
        if count:
            cells = "cell" if count == 1 else "cells"
            found.append(f"  {name}: {count} missing {cells}, the first in {table.where(first)}")
        if count == len(table.values):
            empty.append(name)
    if empty:
        advice += f". There is no value at all in {', '.join(empty[:_SHOWN])}: leave that out of the recipe"
    if found:
        more = [f"  and {len(found) - _SHOWN} more columns"] if len(found) > _SHOWN else []
        raise DataError(
            "\n".join(
                [
                    f"{table.origin} {'have' if table.origin.endswith('rows') else 'has'} missing cells:",
                    *found[:_SHOWN],
                    *more,
                    advice,
                ]
            ),
            code="missing_cells",
        )


def refuse_huge(table: Table) -> Table:
    """The table; raises `DataError` where a number is so large that no sum of squares of it is finite."""
    if table.extremes is not None and not (np.abs(table.extremes) > LARGEST).any():
        return table
    for piece in pieces_of(0, len(table.values)):
        for row, column in np.argwhere(np.abs(table.values[piece]) > LARGEST):
            at = piece.start + int(row)
            raise DataError(
                f"{table.origin}, {table.where(at)}, column {table.columns[column]}: "
                f"{table.values[at, int(column)]:g} is beyond the "
                f"range of float32, and too large to be summed (at most {LARGEST:g}). Correct the cell, or set "
                "data.limits for the "
                "column",
                code="value_too_large",
            )
    return table
