"""MASE's denominator: how far the seasonal naive forecast is off inside the training rows."""

import numpy as np

from seq2seq_kit.data.tables.pieces import PIECE, cells_of, pieces_of
from seq2seq_kit.data.tables.seasons import seasons_within
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.errors import DataError


def naive_error(prepared: Prepared) -> np.ndarray:
    """MASE's denominator: MAE of the seasonal naive forecast inside the training rows, shape `(series, targets)`.

    The season is the recipe's (`data.season`), else the shortest natural one, 1 where there is none (Hyndman and Koehler 2006).
    """
    season = min(held_seasons(prepared).values(), default=1)
    picked = [prepared.table.columns.index(name) for name in prepared.columns.targets]
    values, history = prepared.table.values, prepared.history
    sums, counts = (np.zeros((len(prepared.table.series), len(picked))) for _ in range(2))
    parts = prepared.split.rows("train")
    for together in _neighbours(parts[:, 1] - parts[:, 0]):
        for piece in pieces_of(int(parts[together[0], 0]), int(parts[together[-1], 1])):
            rows = np.arange(piece.start, piece.stop)
            series = np.searchsorted(parts[together, 0], rows, side="right") - 1 + together[0]
            # By time and not by row: after a gap the row `season` rows before is another time of the day.
            before = history.row_at(history.key_of(rows) - season)
            there = (before >= parts[series, 0]) & (rows < parts[series, 1])
            steps = np.abs(cells_of(values, rows[there], picked) - cells_of(values, before[there], picked))
            if len(together) == 1:
                sums[together] += np.nansum(steps, axis=0)
                counts[together] += (~np.isnan(steps)).sum(axis=0)
            else:
                np.add.at(sums, series[there], np.nan_to_num(steps))
                np.add.at(counts, series[there], ~np.isnan(steps))
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=sums > 0)


def require_mase(prepared: Prepared) -> None:
    """Raises `DataError` where no series with validation windows has a MASE, so that it could choose no epoch."""
    judged = np.unique(prepared.windows["val"].series)
    if not np.isfinite(naive_error(prepared)[judged]).any():
        raise DataError(
            f"{prepared.table.origin}: training.monitor: val_mase has no figure, because the training rows of every series with "
            "validation windows repeat those of a season before, so the seasonal naive forecast has no error to divide by. Set "
            "training.monitor: val_loss, or another data.season",
            code="no_mase",
        )


def _neighbours(lengths: np.ndarray) -> list[np.ndarray]:
    """Series that are looked at together, in order: so many short ones as one piece has room for."""
    numbers = np.arange(len(lengths))
    return np.split(numbers, 1 + np.flatnonzero(np.diff((np.cumsum(lengths) - 1) // PIECE)))


def held_seasons(prepared: Prepared) -> dict[str, int]:
    """The seasons, in steps, that the training rows of some series hold at least once: the recipe's, else the natural ones.

    A recipe's season of 1 is none.
    """
    return seasons_within(prepared.data, prepared.table, prepared.split.rows("train"))
