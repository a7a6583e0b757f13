"""MASE's denominator: how far the seasonal naive forecast is off inside the training rows."""

import numpy as np

from seq2seq_kit.data.tables.pieces import cells_of, pieces_of
from seq2seq_kit.data.windows.prepare import Prepared


def naive_error(prepared: Prepared) -> np.ndarray:
    """MASE's denominator: MAE of the seasonal naive forecast inside the training rows, shape `(series, targets)`.

    The season is the shortest natural one, 1 where there is none (Hyndman and Koehler 2006).
    """
    season = min(held_seasons(prepared).values(), default=1)
    picked = [prepared.table.columns.index(name) for name in prepared.columns.targets]
    values, history = prepared.table.values, prepared.history
    sums, counts = (np.zeros((len(prepared.table.series), len(picked))) for _ in range(2))
    for series, (first, end) in enumerate(prepared.split.rows("train")):
        for piece in pieces_of(int(first), int(end)):
            rows = np.arange(piece.start, piece.stop)
            # By time and not by row: after a gap the row `season` rows before is another time of the day.
            before = history.row_at(history.key_of(rows) - season)
            there = before >= first
            steps = np.abs(cells_of(values, rows[there], picked) - cells_of(values, before[there], picked))
            sums[series] += np.nansum(steps, axis=0)
            counts[series] += (~np.isnan(steps)).sum(axis=0)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=sums > 0)


def held_seasons(prepared: Prepared) -> dict[str, int]:
    """The natural seasons, in steps, that the training rows of some series hold at least once."""
    every = prepared.table.every
    rows = prepared.split.rows("train")
    longest = int((rows[:, 1] - rows[:, 0]).max(initial=0))
    return {name: length for name, length in every.seasons().items() if length < longest} if every else {}
