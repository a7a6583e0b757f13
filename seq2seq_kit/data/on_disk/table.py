"""A table out of a Parquet file that stays on disk: the checks of a table in memory, in passes over the file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.data.on_disk.row_groups import PIECE_ROWS, FrameOnDisk, GroupedFile, cells_of_column, words_of_column
from seq2seq_kit.data.on_disk.rows import RowsOnDisk, TimesOnDisk
from seq2seq_kit.data.tables.categories import FIRST, read_category
from seq2seq_kit.data.tables.cells import read_cells, require_columns
from seq2seq_kit.data.tables.gaps import cut_at_gaps
from seq2seq_kit.data.tables.table import Table, refuse_huge
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.data.tables.timestamps import TimeStyle, read_times
from seq2seq_kit.data.tables.written import PLAIN
from seq2seq_kit.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def open_table(
    path: str,
    *,
    columns: list[str],
    time: str | None,
    every: Every | str | None,
    style: TimeStyle | None = None,
    origin: str | None = None,
    categories: Sequence[str] = (),
) -> tuple[Table, FrameOnDisk]:
    """Checks a file of one series in time order, and leaves its rows where they are.

    Args:
        path: A Parquet file.
        columns: Numeric columns to take.
        time: Column of timestamps.
        every: Step between rows, as in the recipe.
        style: What the recipe says of the timestamps.
        origin: What the file is called in messages; default: its path.
        categories: Columns of words, whose cells become codes; they stand behind the numbers.

    Returns:
        The table, whose `values` and `times` read the rows that they are asked for, and the file as a frame.

    Raises:
        DataError: What `read_table` raises, and rows that are not in time order.
    """
    file, origin = GroupedFile.open(Path(path)), origin or path
    wanted = [*([time] if time else []), *columns, *categories]
    require_columns(file.columns, wanted, origin, rows=file.rows)
    lows, highs = zip(*(_extremes(file, name, origin) for name in columns), strict=True)
    words = {name: _words(file, name, origin) for name in categories}
    times, written = _open_times(file, time, origin, style) if time else (None, TimeStyle())

    names = [*columns, *categories]

    def pieces(block: int, positions: tuple[int, ...], most: int) -> Iterator[np.ndarray]:
        cells = np.empty((PIECE_ROWS, len(positions)), order="F")  # column by column, as the file has them
        picked = [names[position] for position in positions]
        for batch in file.batches(block, picked, most):
            rows = len(batch)
            for name, column in zip(picked, cells.T, strict=True):
                own = batch[name]
                column[:rows] = _codes(own, name, origin, words[name]) if name in words else cells_of_column(own)
            yield cells[:rows]

    values = RowsOnDisk(file.edges, len(names), np.dtype(np.float64), pieces, by_column=True)
    step = Every.of(every) if isinstance(every, str) else every
    table = Table(
        columns=names,
        values=values,
        times=times,
        series=[""],
        bounds=np.array([0, file.rows]),
        segments=np.array([[0, file.rows, 0]]),
        every=step,
        origin=origin,
        style=written,
        extremes=np.array(
            [[*lows, *(0.0 for _ in words)], [*highs, *(float(len(each) + FIRST) for each in words.values())]]
        ),
        words=words,
    )
    refuse_huge(table)
    return cut_at_gaps(table, step) if step else table, FrameOnDisk(file, wanted)


def _words(file: GroupedFile, name: str, origin: str) -> list[str]:
    """The values of a category, in the order in which they are met."""
    known: list[str] = []
    for block, first in enumerate(file.edges[:-1].tolist()):
        row = first
        for batch in file.batches(block, [name], int(file.edges[block + 1]) - first):
            _, known = read_category(words_of_column(batch[name]), name, origin, PLAIN, known, first=row)
            row += len(batch)
    return known


def _codes(cells: "pa.Array", name: str, origin: str, words: Sequence[str]) -> np.ndarray:
    codes, known = read_category(words_of_column(cells), name, origin, PLAIN, words)
    if len(known) > len(words):
        said = f"{origin}, column {name}: holds {known[-1]!r}, which was not there when the file was opened"
        raise DataError(f"{said}; let no one write to it during a training", code="file_changed")
    return codes


def _extremes(file: GroupedFile, name: str, origin: str) -> tuple[float, float]:
    """The smallest and the largest number of a column, all of whose cells are looked at."""
    pieces = ((int(first), file.frame(block, [name])[name]) for block, first in enumerate(file.edges[:-1]))
    low, high = np.inf, -np.inf
    for values in read_cells(pieces, name, origin):
        low, high = np.fmin(low, np.fmin.reduce(values)), np.fmax(high, np.fmax.reduce(values))
    return float(low), float(high)


def _open_times(file: GroupedFile, name: str, origin: str, style: TimeStyle | None) -> tuple[TimesOnDisk, TimeStyle]:
    written = TimeStyle()
    last: pd.DatetimeIndex | None = None
    like, example = pd.DatetimeIndex([]), None
    for block, first in enumerate(file.edges[:-1].tolist()):
        column = file.frame(block, [name])[name]
        numbers = pd.api.types.is_numeric_dtype(column)
        if not pd.api.types.is_datetime64_any_dtype(column) and (not numbers or (style and style.format)):
            raise DataError(
                f"{origin}, column {name}: data.read: row_groups takes a column of Parquet's timestamps. Received: "
                f"{column.iloc[0]!r} ({column.dtype}). Write the column as timestamps, or set data.read: memory",
                code="invalid_timestamp",
            )
        times, written = read_times(column, name, origin, first=first, example=example, style=style)
        together = times if last is None else last.append(times)
        back = np.flatnonzero(np.diff(pd.DatetimeIndex(together).asi8) < 0)
        if back.size:
            row, before = len(times) - len(together) + int(back[0]) + 1, together[back[0]]
            raise DataError(
                f"{origin}, row {first + row + 1} ({times[row]}): its time lies before that of the row above it ({before}). "
                "data.read: row_groups reads rows in the order of the file; sort it by time, or set data.read: memory",
                code="unsorted_rows",
            )
        last, like, example = times[-1:], times[:0], example or times[0]

    def pieces(block: int, positions: tuple[int, ...], most: int) -> Iterator[np.ndarray]:
        for (ticks,) in file.pieces(block, [name], most):
            yield ticks.astype(f"M8[{like.unit}]").view(np.int64)[:, None]

    return TimesOnDisk(RowsOnDisk(file.edges, 1, np.dtype(np.int64), pieces, by_column=False), like), written
