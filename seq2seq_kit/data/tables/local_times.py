"""Times of a local clock as instants: an hour that clocks repeat is told apart by the order of the rows."""

from itertools import pairwise

import numpy as np
import pandas as pd

_BACK = pd.Timedelta(hours=3)  # more than any clock is set back: another series begins
_MOSTLY = 0.9


def localize(times: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """Times without a zone on the clock of `zone`; rows may stand newest first, and series below each other.

    Raises:
        ValueError: A time is none of that clock, or nothing tells in which of two equal hours it is.
    """
    if _is_newest_first(times):
        return localize(times[::-1], zone)[::-1]
    parts = [times[first:end].tz_localize(zone, ambiguous="infer") for first, end in stretches(times)]
    return pd.DatetimeIndex(parts[0].append(parts[1:])) if len(parts) > 1 else parts[0]


def stretches(times: pd.DatetimeIndex) -> list[tuple[int, int]]:
    """Rows that follow each other in time, `(first, end)` each: those of one series where series stand below each other."""
    starts = np.flatnonzero(times[1:] - times[:-1] < -_BACK) + 1
    edges = [0, *starts.tolist(), len(times)]
    if len(edges) > len(times) / 10 + 2:  # no order at all
        return [(0, len(times))]
    return list(pairwise(edges))


def _is_newest_first(times: pd.DatetimeIndex) -> bool:
    return len(times) > 1 and bool((np.diff(times.asi8) <= 0).mean() > _MOSTLY) and times[0] > times[-1]
