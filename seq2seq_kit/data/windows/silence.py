"""Rows that are watched, not trained on: a column without values must not end the watch, and is never filled in silence.

A missing cell is carried on from the last value of its column (or interpolated, where the recipe does so). Where there is none
left to carry on, the cell has no value; who reads the rows has to do without and says so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.columns import Columns, window_shape
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.series import pad_left, without_padding
from seq2seq_kit.data.tables.splits import whole
from seq2seq_kit.data.tables.table import Table
from seq2seq_kit.data.windows.prepare import read_rows
from seq2seq_kit.data.windows.prepared import Prepared, scale
from seq2seq_kit.data.windows.stages import fill, pad_short
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.fields import Data, Missing

_NAMED = 5


def carried_rows(data: Data, *, rebuilds: bool) -> int | None:
    """For how many rows a column's last value is carried on where `detect` or a stream reads rows; None: for ever.

    Args:
        data: The recipe's section.
        rebuilds: Whether the model rebuilds the rows that it reads and so can do without a cell: what it rebuilds is nearer to
            the truth than a value that stands still for longer than a window.
    """
    if not rebuilds:
        return None
    return 0 if data.missing == "refuse" else data.input_steps


def carry_on(values: np.ndarray, limit: int | None, *, ahead: bool) -> tuple[np.ndarray, np.ndarray]:
    """Fills the missing cells of a stretch of rows from the last value of their column.

    Args:
        values: NaN where missing, shape `(rows, columns)`.
        limit: Rows that a value is carried on; None for any number.
        ahead: Whether it is drawn towards the next value instead, where there is one.

    Returns:
        The values, NaN where there is none to carry on; and which cells know a later row, likewise.
    """
    filled, looks_ahead = values.copy(), np.zeros(values.shape, dtype=bool)
    at = np.arange(len(values))
    for place, cells in enumerate(values.T):
        known = np.flatnonzero(~np.isnan(cells))
        if len(known) in (0, len(cells)):
            continue
        newest = np.searchsorted(known, at, side="right") - 1
        since = at - known[np.maximum(newest, 0)]
        holes = (newest >= 0) & (since > 0)
        holes &= True if limit is None else since <= limit
        if ahead:
            filled[holes, place] = np.interp(at[holes], known, cells[known])
            looks_ahead[:, place] = holes & (at < known[-1])
        else:
            filled[holes, place] = cells[known[newest[holes]]]
    return filled, looks_ahead


def prepare_watched(
    data: Data,
    frame: pd.DataFrame,
    scaler: Scaler,
    *,
    limit: int | None,
    rebuilds: bool,
    origin: str = "the data",
) -> Prepared:
    """As `prepare_new`, of rows in which cells of any column may be missing, whatever the recipe says of training rows.

    Args:
        data: The recipe's section.
        frame: Rows with its columns.
        scaler: Fitted on the training rows.
        limit: See `carried_rows`.
        rebuilds: As there. The matrix then holds NaN where no value can be carried on, else the centre of the column.
        origin: Name of the rows for messages.

    Raises:
        DataError: See `read_table`; or no column that the model reads has a value.
    """
    columns = Columns.of(data)
    if columns.weight and columns.weight not in frame and columns.weight not in columns.past:
        frame = frame.assign(**{columns.weight: 1.0})  # as in `prepare_new`
    table = read_rows(data, frame, origin, scaler.times)
    _refuse_nothing(table, columns.inputs)
    table, split = pad_short(data, table, whole(table), "test", least=window_shape(data).span)
    if data.missing == "mask":
        return scale(data, table, fill(data, table, split), split, scaler)
    return _without_holes(scale(data, table, _carried(data, table, limit, rebuilds), split, scaler), rebuilds)


def without_holes(matrix: np.ndarray, inputs: int) -> None:
    """Puts the centre of its column, 0, where the matrix has no value among its leading columns."""
    read = matrix[:, :inputs]
    read[np.isnan(read)] = 0.0


def _without_holes(prepared: Prepared, rebuilds: bool) -> Prepared:
    if not rebuilds:
        without_holes(np.asarray(prepared.matrix), prepared.layout.inputs)
    return prepared


def _carried(data: Data, table: Table, limit: int | None, rebuilds: bool) -> Table:
    if table.pads is not None:
        return pad_left(_carried(data, without_padding(table), limit, rebuilds), table.pads)
    given = table.values[:]
    if not np.isnan(given).any():
        return table
    values, looks_ahead = given.copy(), np.zeros(given.shape, dtype=bool)
    ahead = data.missing == "interpolate"
    for first, end, _ in table.segments:
        values[first:end], looks_ahead[first:end] = carry_on(given[first:end], limit, ahead=ahead)
    word = "interpolated" if ahead else "carried on from the value before"
    notes = [
        f"missing cells {told}: {counts}"
        for told, cells in ((word, np.isnan(given) & ~np.isnan(values)), (_without(rebuilds), np.isnan(values)))
        if (counts := _counted(table.columns, cells))
    ]
    return replace(table, values=values, looks_ahead=looks_ahead, notes=[*table.notes, *notes])


def read_instead_of(missing: Missing, *, rebuilds: bool) -> str:
    """What the model reads in place of missing cells, in words, by `data.missing`."""
    if missing == "mask":
        return "that they are missing"
    return "what it rebuilds of them" if rebuilds else "the last value, or the centre of the training rows,"


def _without(rebuilds: bool) -> str:
    return f"without a value to carry on, where the model reads {'what it rebuilds' if rebuilds else 'the centre of the column'}"


def _counted(columns: list[str], cells: np.ndarray) -> str:
    if not cells.any():
        return ""
    counts = [f"{name} {count:,}" for name, count in zip(columns, cells.sum(axis=0), strict=True) if count]
    return ", ".join(counts[:_NAMED]) + (f" and {len(counts) - _NAMED} more columns" if len(counts) > _NAMED else "")


def _refuse_nothing(table: Table, read: list[str]) -> None:
    cells = table.values[:][:, [table.columns.index(name) for name in read]]
    if np.isnan(cells).all():
        more = f" and {len(read) - _NAMED} more" if len(read) > _NAMED else ""
        raise DataError(
            f"{table.origin}: no column that the model reads has any value ({', '.join(read[:_NAMED])}{more}), so there is "
            "nothing to look at. One column without values would do no harm: the others are scored. Give rows with values",
            code="missing_cells",
        )
