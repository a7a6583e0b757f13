"""The targets' own past, looked up by series and time: what simple baselines repeat."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq_kit.data.rows import Rows
from seq2seq_kit.data.tables.pieces import cells_of, count_missing
from seq2seq_kit.data.tables.table import Table
from seq2seq_kit.data.tables.ticks import ticks_since

# Steps that keep two series apart in one ascending number; more than any series has and any season is long.
_SERIES_APART = 2**40


@dataclass(frozen=True)
class History:
    """Last known values of some columns.

    Time is counted in keys: series and time step as one ascending number. In a stretch without a gap keys go up with the rows, so
    the first key of each stretch tells all others.

    Attributes:
        values: The last known value at each row in `columns`, shape `(rows, any columns)`.
        columns: Which columns of `values`.
        first: First row of each stretch without a gap, shape `(stretches,)`.
        end: Row behind it, same shape.
        keys: Key of its first row, same shape.
    """

    values: Rows
    columns: list[int]
    first: np.ndarray
    end: np.ndarray
    keys: np.ndarray

    @classmethod
    def of(cls, table: Table, columns: Sequence[str], start: np.ndarray) -> "History":
        """Fills missing values forward; rows before the first known one take `start`, shape `(series, columns)`."""
        values, positions = table.values, [table.columns.index(name) for name in columns]
        if any(count_missing(values, position)[0] for position in positions):
            values, positions = values[:, positions], list(range(len(positions)))
            for series, (first, end) in enumerate(zip(table.bounds[:-1], table.bounds[1:], strict=True)):
                values[first:end] = _filled_forward(values[first:end], start[series])
        first, end, series_of = table.segments.T
        keys = series_of * _SERIES_APART + _ticks(table, first, table.bounds[series_of])
        return cls(values, positions, first, end, keys)

    def last(self, rows: np.ndarray) -> np.ndarray:
        """The last known values at some rows, shape `(*rows.shape, columns)`."""
        return cells_of(self.values, rows, self.columns)

    def key_of(self, rows: np.ndarray) -> np.ndarray:
        """Keys of some rows, same shape."""
        stretch = np.searchsorted(self.first, rows, side="right") - 1
        return self.keys[stretch] + rows - self.first[stretch]

    def row_at(self, keys: np.ndarray) -> np.ndarray:
        """Rows of some keys, same shape; -1 where there is no such row."""
        stretch = np.maximum(np.searchsorted(self.keys, keys, side="right") - 1, 0)
        rows = self.first[stretch] + keys - self.keys[stretch]
        return np.where((keys >= self.keys[stretch]) & (rows < self.end[stretch]), rows, -1)

    def one_season_before(self, newest: np.ndarray, ahead: np.ndarray, season: int) -> np.ndarray:
        """The values a whole number of seasons before the steps ahead.

        As few seasons as reach back to the newest known row. Where a gap has swallowed that row, up to three seasons
        more are tried, then the newest value is taken.

        Args:
            newest: Row of the newest input of each window, shape `(windows,)`.
            ahead: Steps from there to each target, shape `(output_steps,)`, at least 1.
            season: Steps of a season.

        Returns:
            Shape `(windows, output_steps, columns)`.
        """
        back = ahead - season * np.ceil(ahead / season).astype(np.int64)
        result = np.repeat(self.last(newest)[:, None, :], len(ahead), axis=1)
        found = np.zeros(result.shape[:2], dtype=bool)
        for more in range(4):
            row = self.row_at(self.key_of(newest)[:, None] + back - more * season)
            take = (row >= 0) & ~found
            result[take] = self.last(row[take])
            found |= take
        return result


def _ticks(table: Table, rows: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Steps of some rows since the first rows of their series."""
    if table.times is None or table.every is None or not len(rows):
        return rows - first
    return np.round(ticks_since(table.every, table.times[rows], table.times[first])).astype(np.int64)


def _filled_forward(values: np.ndarray, start: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    last = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, None], -1), axis=0)
    carried = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where(last >= 0, carried, start)
