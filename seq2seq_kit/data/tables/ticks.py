"""Steps since a start that each row has of its own: those of many series at once."""

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.time import Every


def ticks_since(every: Every, times: pd.DatetimeIndex, starts: pd.DatetimeIndex) -> np.ndarray:
    """`Every.ticks` of each of `times` since its own of `starts`, shape `(rows,)` float64.

    Steps of a fixed length are counted by arithmetic; for those of a calendar, rows of the same start are counted together.
    """
    if every.fixed or (every.seconds and times.tz is None):
        return np.asarray((times - starts) / pd.Timedelta(seconds=every.seconds), dtype=np.float64)
    found = np.empty(len(times))
    codes, known = pd.factorize(starts)
    order = np.argsort(codes, kind="stable")
    edges = np.searchsorted(codes[order], np.arange(len(known) + 1))
    for number, (first, end) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        rows = order[first:end]
        found[rows] = every.ticks(times[rows], since=pd.DatetimeIndex(known[number : number + 1]))
    return found
