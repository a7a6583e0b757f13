"""Times of a local clock as instants: an hour that clocks repeat is told apart by the order of the rows."""

from datetime import tzinfo
from itertools import pairwise

import numpy as np
import pandas as pd

_BACK = pd.Timedelta(hours=3)  # more than any clock is set back: another series begins
_MOSTLY = 0.9


def localize(times: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """Times without a zone on the clock of `zone`; rows may stand newest first, series below each other or row by row.

    Where all are midnights they are dates: of a midnight that the clock skips the first time of that day is meant, of one
    that it has twice the first.

    Raises:
        ValueError: A time is none of that clock, or nothing tells in which of two equal hours it is.
    """
    if _is_newest_first(times):
        return localize(times[::-1], zone)[::-1]
    there = times.dropna()
    if there.nunique() > 1 and bool((there == there.normalize()).all()):
        return on_the_clock(times, zone)
    skipped = times[(on_the_clock(times, zone).tz_localize(None) != times) & times.notna()]
    if len(skipped):
        raise ValueError(f"{skipped[0]} is a time that the clock skips")
    parts = [_in_order(times[first:end], zone) for first, end in stretches(times)]
    return pd.DatetimeIndex(parts[0].append(parts[1:])) if len(parts) > 1 else parts[0]


def on_the_clock(local: pd.DatetimeIndex, zone: str | tzinfo) -> pd.DatetimeIndex:
    """Local times with their zone: an ambiguous one (clocks set back) is the first of two, a skipped one the next that exists."""
    return local.tz_localize(zone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="shift_forward")


def _in_order(times: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """Sorted times of one series or of several row by row: the first half of the rows of an ambiguous time is first."""
    if not len(times):
        return times.tz_localize(zone)
    runs, counts = _runs(times)
    twice = np.asarray(runs.tz_localize(zone, ambiguous="NaT").isna()) & np.asarray(runs.notna())
    usual = 1 if twice.all() else int(np.median(counts[~twice]))
    halved = twice & (counts == 2 * usual)
    counts = np.repeat(np.where(halved, usual, counts), 1 + halved)
    try:
        told = runs.repeat(1 + halved).tz_localize(zone, ambiguous="infer")
    except ValueError:
        raise ValueError(
            f"nothing tells which one is meant of the two that the clock has of {runs[twice][0]}"
        ) from None
    return told.repeat(counts)


def of_one_series(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """The times of one series, from rows of several that take turns; twice where a time has twice the usual number of rows."""
    runs, counts = _runs(times)
    return runs.repeat(1 + (counts == 2 * np.median(counts)))


def _runs(times: pd.DatetimeIndex) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Times that differ from the one before, and how many rows have each; of one row at least."""
    firsts = np.flatnonzero(np.concatenate([[True], times.asi8[1:] != times.asi8[:-1]]))
    return times[firsts], np.diff(firsts, append=len(times))


def stretches(times: pd.DatetimeIndex) -> list[tuple[int, int]]:
    """Rows that follow each other in time, `(first, end)` each: those of one series where series stand below each other."""
    starts = np.flatnonzero(times[1:] - times[:-1] < -_BACK) + 1
    edges = [0, *starts.tolist(), len(times)]
    if len(edges) > len(times) / 10 + 2:  # no order at all
        return [(0, len(times))]
    return list(pairwise(edges))


def _is_newest_first(times: pd.DatetimeIndex) -> bool:
    return len(times) > 1 and bool((np.diff(times.asi8) <= 0).mean() > _MOSTLY) and times[0] > times[-1]
