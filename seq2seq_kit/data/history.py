"""The targets' own past, looked up by series and time: what the obvious forecasts repeat."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq_kit.data.table import Table

# Steps that keep two series apart in one ascending number; more than any series has and any season is long.
_SERIES_APART = 2**40


@dataclass(frozen=True)
class History:
    """Last known values of some columns.

    Attributes:
        values: The last known value at each row, shape `(rows, columns)`.
        keys: Series and time step of each row as one ascending number, shape `(rows,)`.
    """

    values: np.ndarray
    keys: np.ndarray

    @classmethod
    def of(cls, table: Table, columns: Sequence[str], start: np.ndarray) -> "History":
        """Carries known values on; rows before the first known one take `start`, shape `(series, columns)`."""
        values = table.values[:, [table.columns.index(name) for name in columns]]
        keys = np.empty(len(values), dtype=np.int64)
        for series, (first, end) in enumerate(zip(table.bounds[:-1], table.bounds[1:], strict=True)):
            ticks = np.arange(end - first)
            if table.times is not None and table.every is not None:
                ticks = np.round(table.every.ticks(table.times[first:end])).astype(np.int64)
            keys[first:end] = series * _SERIES_APART + ticks
            values[first:end] = _carried_on(values[first:end], start[series])
        return cls(values, keys)

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
        result = np.repeat(self.values[newest][:, None, :], len(ahead), axis=1)
        found = np.zeros(result.shape[:2], dtype=bool)
        for more in range(4):
            wanted = self.keys[newest][:, None] + back - more * season
            row = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
            take = (self.keys[row] == wanted) & ~found
            result[take] = self.values[row[take]]
            found |= take
        return result


def _carried_on(values: np.ndarray, start: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    last = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, None], -1), axis=0)
    carried = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where(last >= 0, carried, start)
