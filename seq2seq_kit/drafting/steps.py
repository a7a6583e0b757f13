"""The step of a clock: from timestamps to `every`, and how much of the grid the rows fill."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.time import Every

_ON_GRID = 1e-6  # steps that a row may be off by rounding
_MEANS = 2
_MOSTLY_ABSENT = 0.4  # share of absent rows from which nothing is filled
_USUAL = ("1s", "5s", "10s", "30s", "1min", "5min", "10min", "15min", "30min", "1h", "3h", "6h", "12h", "1d", "1w")
_DELAY, _NEARLY = 0.25, 0.9  # of a step; share of the rows
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


@dataclass(frozen=True)
class Step:
    """How rows follow each other in time.

    Attributes:
        every: As in the recipe; None where the rows share no step.
        apart: What the rows are apart, in words.
        gaps: Places where rows are absent, over all series.
        absent: Rows that are absent there.
        by_rows: Whether rows are steps whatever the clock says, because it stands still most of the time: nights, closed days.
        resampled: Whether `every` is not the rows' own: they are uneven and can be averaged to it.
    """

    every: Every | None
    apart: str
    gaps: int = 0
    absent: int = 0
    resampled: bool = False
    by_rows: bool = False


def find_step(times: pd.DatetimeIndex, codes: np.ndarray, *, resample: bool = False) -> Step:
    """The largest step on whose grid the rows of every series lie.

    Args:
        times: Of all rows, by series and time, without duplicates inside a series.
        codes: Number of each row's series.
        resample: Whether the recipe can average uneven rows to a usual step, or count rows instead of time.

    Returns:
        Without `every` where rows are uneven and are to be left so.
    """
    apart = times[1:] - times[:-1]
    inside = (np.diff(codes) == 0) & (apart > pd.Timedelta(0))
    apart = apart[inside]
    if not len(apart):
        return Step(None, "no two rows of a series follow each other")
    middle = apart.sort_values()[len(apart) // 2]
    for word in _candidates(times, apart, middle):
        every = Every.parse(word)
        on_grid, gaps, absent = _fit(times, codes, every)
        if on_grid == 1.0 and resample and absent > _MOSTLY_ABSENT * (absent + len(times)):
            return Step(
                None,
                f"rows are {told(middle)} apart and mostly absent ({absent:,} of {absent + len(times):,})",
                by_rows=True,
            )
        if on_grid == 1.0:
            return Step(every, f"rows are {_told_step(word, middle)} apart", gaps, absent)
    uneven = f"rows are {told(apart.min())} to {told(apart.max())} apart, half of them less than {told(middle)}"
    if apart.min() == apart.max():
        uneven = f"rows are {told(middle)} apart, which `every` cannot say"
    if not resample:
        return Step(None, uneven)
    if middle < pd.Timedelta(seconds=1):  # no key has a step as short
        return Step(None, uneven, by_rows=True)
    usual = _nearly(times, codes, apart, middle)
    if usual is not None:
        return Step(usual, f"{uneven}, nearly all of them about {usual.text}", resampled=True)
    # At twice the mean, seven of eight steps hold a row where rows come at random.
    wanted = _MEANS * apart.mean()
    word = next((word for word in _USUAL if pd.Timedelta(seconds=Every.parse(word).seconds) >= wanted), _USUAL[-1])
    return Step(Every.parse(word), uneven, resampled=True)


def _nearly(times: pd.DatetimeIndex, codes: np.ndarray, apart: pd.TimedeltaIndex, middle: pd.Timedelta) -> Every | None:
    """The usual step that rows keep but for seconds of delay, if nearly each step of its grid has one row then."""
    word = min(_USUAL, key=lambda word: abs(Every.parse(word).seconds / middle.total_seconds() - 1))
    every = Every.parse(word)
    steps = apart / pd.Timedelta(seconds=every.seconds)
    if (np.abs(steps - np.maximum(np.round(steps), 1)) > _DELAY).mean() > 1 - _NEARLY:
        return None
    same = pd.MultiIndex.from_arrays([codes, every.floor(times)]).duplicated().mean()
    return every if same < 1 - _NEARLY else None


def _candidates(times: pd.DatetimeIndex, apart: pd.TimedeltaIndex, middle: pd.Timedelta) -> list[str]:
    seconds = middle.total_seconds()
    days = round(seconds / 86400)
    found = []
    if seconds >= 27 * 86400:
        years = round(days / 365.25)
        months = round(days / 30.44)
        found += [f"{years}y"] if years and abs(days - 365.25 * years) <= years else []
        found += [f"{months}mo"] if months and abs(days - 30.44 * months) <= 2.5 * months else []
    if days == 1 and len(times) >= 10 and not (times.day_of_week >= 5).any():
        found.append("1bd")
    if seconds >= 1 and seconds == round(seconds):
        found.append(_fixed(int(seconds)))
    counted = apart.as_unit("ns").asi8
    largest = int(np.gcd.reduce(counted)) / 1e9
    # A common divisor far below the median is no step: rows at odd times have one, too.
    if largest >= 1 and largest == round(largest) and seconds / largest <= 4:
        found.append(_fixed(int(largest)))
    return [word for word in dict.fromkeys(found) if word]


def _fixed(seconds: int) -> str:
    if seconds % (7 * 86400) == 0:
        return f"{seconds // (7 * 86400)}w"
    unit, length = next((unit, length) for unit, length in _UNITS if seconds % length == 0)
    return f"{seconds // length}{unit}"


def _fit(times: pd.DatetimeIndex, codes: np.ndarray, every: Every) -> tuple[float, int, int]:
    """Share of the rows on the grid, places where it is empty, and rows absent there."""
    bounds = np.flatnonzero(np.diff(codes, prepend=-1, append=codes.max() + 1))
    on_grid = gaps = absent = 0
    for first, end in pairwise(bounds):
        ticks = every.ticks(times[first:end])
        whole = np.round(ticks)
        on_grid += int((np.abs(ticks - whole) <= _ON_GRID).sum())
        jumps = np.diff(whole)
        gaps += int((jumps > 1).sum())
        absent += int((jumps[jumps > 1] - 1).sum())
    return on_grid / len(times), gaps, absent


def _told_step(every: str, middle: pd.Timedelta) -> str:
    """A step in words: one that the calendar counts by its own."""
    count = int(every.rstrip("abcdefghijklmnopqrstuvwxyz"))
    word = {"mo": "month", "y": "year", "bd": "business day", "w": "week"}.get(every[len(str(count)) :])
    return told(middle) if word is None else f"{count} {word}{'s' if count > 1 else ''}"


def told(length: pd.Timedelta) -> str:
    """A length of time in words."""
    seconds = length.total_seconds()
    for unit, one in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= one:
            return f"{seconds / one:.4g} {unit if seconds != one else unit[:-1]}"
    return f"{seconds:.4g} s"
