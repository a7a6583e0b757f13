"""From rows in original units to what a network reads: scaled, with calendar columns, missing cells at the centre."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from seq2seq_kit.data.on_disk.row_groups import PIECE_ROWS
from seq2seq_kit.data.on_disk.rows import RowsOnDisk, TimesOnDisk, on_disk
from seq2seq_kit.data.rows import Rows
from seq2seq_kit.data.tables.calendar import Clock, calendar_columns
from seq2seq_kit.data.tables.categories import MISSING, recoded
from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.tables.pieces import Moments, pieces_of
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.splits import Split
from seq2seq_kit.data.tables.table import Table
from seq2seq_kit.data.windows.batches import Layout, aligned
from seq2seq_kit.errors import DataError


def make_matrix(
    columns: Columns, table: Table, scaler: Scaler, codes: np.ndarray, layout: Layout, *, weight: float = 1.0
) -> Rows:
    """The scaled rows, shape `(rows, columns of the layout)` float32; those of a table on disk stay there.

    `weight`: what weights are divided by, see `mean_weight`.

    Raises:
        DataError: A scaled value is beyond the range of float32.
    """
    if on_disk(table.values):
        return _matrix_on_disk(columns, table, table.values, scaler, codes, layout, weight)
    matrix = aligned((len(table.values), len(layout.columns)))
    write_rest = _rest(columns, table, scaler, layout, weight)
    # In pieces, because the scaled rows in float64 would be a second table.
    for rows in pieces_of(0, len(matrix)):
        series = np.searchsorted(table.bounds, np.arange(rows.start, rows.stop), side="right") - 1
        cells = table.values[rows]
        scaled = scaler.transform(cells, codes[series])
        _refuse_overflow(scaled, table, rows.start)
        times = table.times[rows] if table.times is not None else None
        _write_rows(matrix[rows], scaled, times, columns, layout)
        write_rest(matrix[rows], cells)
    return matrix


def _matrix_on_disk(
    columns: Columns, table: Table, values: RowsOnDisk, scaler: Scaler, codes: np.ndarray, layout: Layout, weight: float
) -> RowsOnDisk:
    times, write_rest = table.times, _rest(columns, table, scaler, layout, weight)
    assert table.extremes is not None
    assert times is None or isinstance(times, TimesOnDisk)
    if np.abs(scaler.transform(table.extremes, codes)).max() > np.finfo(np.float32).max:
        for rows in pieces_of(0, len(values)):
            _refuse_overflow(scaler.transform(values[rows], codes), table, rows.start)

    def pieces(block: int, positions: tuple[int, ...], most: int) -> Iterator[np.ndarray]:
        ticks = times.ticks.pieces(block, (0,), most) if times is not None and columns.calendar else None
        matrix = np.empty((PIECE_ROWS, len(layout.columns)), np.float32)
        for cells in values.pieces(block, values.all_columns, most):
            clock = times.of(next(ticks)[:, 0]) if times is not None and ticks is not None else None
            write_rest(matrix[: len(cells)], cells)
            _write_rows(matrix[: len(cells)], scaler.transform(cells, codes, out=cells), clock, columns, layout)
            yield matrix[: len(cells)]

    return RowsOnDisk(values.edges, len(layout.columns), np.dtype(np.float32), pieces, by_column=False)


def _rest(
    columns: Columns, table: Table, scaler: Scaler, layout: Layout, weight: float
) -> Callable[[np.ndarray, np.ndarray], None]:
    """Writes what is not scaled, weights and the codes of words, into rows of the matrix, from the table's cells."""
    words = recoded(table, scaler.vocabularies)
    first = layout.inputs - len(columns.categories)

    def write(matrix: np.ndarray, cells: np.ndarray) -> None:
        for position, known in words.items():
            # Rows of a padding have no value.
            codes = np.nan_to_num(cells[:, position], nan=MISSING).astype(np.int64)
            matrix[:, first + columns.categories.index(table.columns[position])] = known[codes]
        if layout.weight is not None and columns.weight is not None:
            matrix[:, layout.weight] = np.nan_to_num(cells[:, table.columns.index(columns.weight)]) / weight

    return write


def write_calendar(matrix: np.ndarray, times: pd.DatetimeIndex | Clock, columns: Columns) -> None:
    """Writes the calendar of some rows into those rows of the matrix, right of the columns of the table that are read."""
    features, past = calendar_columns(times, columns.calendar, columns.holidays), len(columns.past)
    matrix[:, past : past + features.shape[1]] = features


def mean_weight(table: Table, columns: Columns, split: Split) -> float:
    """The mean of the weights in the training rows, by which weights are divided, so that they change no learning rate.

    Raises:
        DataError: All of them are 0.
    """
    assert columns.weight is not None
    rows = [(int(first), int(end)) for first, end in split.rows("train")]
    known = Moments.of(table.values, table.columns.index(columns.weight), rows)
    if known.count and not known.mean:
        raise DataError(
            f"{table.origin}: all training rows have the weight 0 (data.weight: {columns.weight}), so there is nothing to learn. "
            "Correct the weights, or choose another data.split",
            code="invalid_weight",
        )
    return known.mean if known.count else 1.0


def _write_rows(
    matrix: np.ndarray, scaled: np.ndarray, times: pd.DatetimeIndex | None, columns: Columns, layout: Layout
) -> None:
    """Writes scaled rows, shape `(rows, columns of the table)`, into rows of the matrix."""
    past = len(columns.past)
    matrix[:, :past] = scaled[:, :past]
    if columns.calendar:
        assert times is not None
        write_calendar(matrix, times, columns)
    if columns.masked:
        inputs = len(columns.inputs)
        matrix[:, columns.flags : columns.flags + inputs] = ~np.isnan(scaled[:, :inputs])
        # A missing cell gets the centre of its column, and its `observed` column is 0
        # (Lipton, Kale and Wetzel 2016: zero-imputation with indicators).
        matrix[:, :past] = np.nan_to_num(matrix[:, :past])
    for name, position in zip(columns.targets, layout.targets, strict=True):
        if position >= layout.inputs:
            matrix[:, position] = scaled[:, columns.table.index(name)]


def _refuse_overflow(scaled: np.ndarray, table: Table, first: int) -> None:
    """A network computes in float32; what is too large for it would silently become infinite. `first`: row of `scaled[0]`."""
    too_large = np.abs(scaled) > np.finfo(np.float32).max
    if too_large.any():
        large = np.argwhere(too_large)
        row, column = first + int(large[0, 0]), int(large[0, 1])
        raise DataError(
            f"{table.origin}, {table.where(row)}, column {table.columns[column]}: {table.values[row, column]:g} is beyond the "
            "range of float32. Correct the cell, set data.limits for the column, or choose a data.scaling other than none",
            code="value_too_large",
        )
