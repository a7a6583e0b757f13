"""Where time jumps: each series cut into stretches without a gap; doubles and rows off the grid of `every` are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.cells import plain
from seq2seq_kit.data.tables.pieces import PIECE, pieces_of
from seq2seq_kit.data.tables.ticks import ticks_since
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.errors import DataError

if TYPE_CHECKING:
    from seq2seq_kit.data.tables.table import Table

_OFF_GRID = 1e-6  # steps that a row on the grid may be off by rounding
_LOOKED_AT = 1_000
_WEEKS = 2  # rows of so many weeks without a weekend are those of business days
_TIME_OF_DAY = r"\s*\d{1,2}:\d{2}(?::\d{2})?\s*(?i:[ap]m)?\s*"


def cut_at_gaps(table: Table, step: Every) -> Table:
    """Splits each series where a timestamp is missing; refuses duplicate timestamps and those off the grid."""
    assert table.times is not None
    if len(table.series) > 1:
        return _noted(table, step, _cut_together(table, step))
    segments = []
    for code, (first, end) in enumerate(zip(table.bounds[:-1], table.bounds[1:], strict=True)):
        duplicate, off, cuts = [], [], []
        # In pieces, each from the last row of the one before, so that a long table takes no second copy of its times.
        for piece in pieces_of(int(first), int(end)):
            before = max(first, piece.start - 1)
            ticks = step.ticks(table.times[before : piece.stop], since=table.times[first : first + 1])
            whole = np.round(ticks)
            # Rows nearer to each other than rounding are one step; a row off the grid is told as such.
            on_grid = np.abs(ticks - whole) <= _OFF_GRID
            duplicate.append(before + np.flatnonzero((np.diff(whole) <= 0) & on_grid[1:] & on_grid[:-1]))
            off.append(before + np.flatnonzero(~on_grid))
            cuts.append(before + 1 + np.flatnonzero(np.diff(whole) > 1))
        _refuse_duplicates(table, np.concatenate(duplicate), step)
        _refuse_off_grid(table, np.concatenate(off), step, (first, end))
        edges = [first, *np.concatenate(cuts), end]
        segments += [(begin, stop, code) for begin, stop in pairwise(edges)]
    return _noted(table, step, np.array(segments, dtype=np.int64))


def _cut_together(table: Table, step: Every) -> np.ndarray:
    """The segments of a table of many series, which are in memory: all rows at once."""
    times, first = table.times[:] if table.times is not None else None, table.bounds[:-1]
    assert times is not None
    series = np.repeat(np.arange(len(first)), np.diff(table.bounds))
    ticks = ticks_since(step, times, times[first[series]])
    whole = np.round(ticks)
    on_grid = np.abs(ticks - whole) <= _OFF_GRID
    inside, apart = np.diff(series) == 0, np.diff(whole)
    duplicate = np.flatnonzero(inside & (apart <= 0) & on_grid[1:] & on_grid[:-1])
    off = np.flatnonzero(~on_grid)
    if duplicate.size or off.size:  # told of the first series that has any
        wrong = int(series[min(int(rows[0]) for rows in (duplicate, off) if rows.size)])
        _refuse_duplicates(table, duplicate[series[duplicate] == wrong], step)
        _refuse_off_grid(table, off[series[off] == wrong], step, (table.bounds[wrong], table.bounds[wrong + 1]))
    begins = np.union1d(first, 1 + np.flatnonzero(inside & (apart > 1)))
    return np.column_stack([begins, np.append(begins[1:], table.bounds[-1]), series[begins]])


def _noted(table: Table, step: Every, segments: np.ndarray) -> Table:
    gaps = len(segments) - len(table.series)
    notes = [f"{gaps} gap{'s' if gaps > 1 else ''} in time; no window crosses one"] if gaps else []
    if gaps and _on_business_days(table, step):
        notes = [
            f"{gaps} gaps in time: there is no row of a Saturday or Sunday, so with `every: {step.text}` no "
            "window is longer than a "
            "week and the step after a Friday is a Saturday. If the rows are those of business days, set data.every: 1bd "
            "(and data.holidays: DE, US, ...), or data.every: rows"
        ]
    return replace(table, segments=segments, notes=[*table.notes, *notes])


def times_of_day(frame: pd.DataFrame, used: Sequence[str], clocks: Sequence[str]) -> str:
    """What to say of a column, beside those that are used, that has the times of day of dates; empty if there is none."""
    for name in (name for name in frame.columns if name not in used):
        cells = plain(frame[name]).dropna().head(_LOOKED_AT)
        if len(cells) and cells.astype("str").str.fullmatch(_TIME_OF_DAY).all():
            return f". The column {name} has times of day: set data.time: [{', '.join(clocks)}, {name}]"
    return ""


def _on_business_days(table: Table, step: Every) -> bool:
    if step.seconds != 86400 or table.times is None:
        return False
    days = table.times[: min(len(table.times), PIECE)].day_of_week
    return len(days) >= 5 * _WEEKS and not (days >= 5).any()


def _refuse_off_grid(table: Table, off: np.ndarray, step: Every, rows: tuple[int, int]) -> None:
    if not off.size:
        return
    assert table.times is not None
    row = int(off[0])
    weekend = table.times[row].day_of_week >= 5
    if step.weekdays and (weekend or step.is_holiday(table.times[row])):
        free = table.times[row].day_name() if weekend else f"holiday in {step.holidays}"
        counts = "counts from Monday to Friday" + (" without holidays" if step.holidays else "")
        said = f"is a {free}, and `every: {step.text}` {counts}"
        cure = "Drop such rows, set data.every: 1d, or data.every: rows if each row is a step whatever the day"
    else:
        said = (
            f"the row before is at {table.times[max(row - 1, rows[0])]}, which is not a whole number of steps "
            f"of `every: {step.text}`"
        )
        said, cure = said + _spacing(table, *rows), "Correct the timestamp, or data.every"
        if _uneven(table, *rows):
            cure = (
                f"A window needs rows at a fixed step: set data.resample: mean (or sum, last) with data.every: "
                f"{_rounded(table, *rows)}, or data.every: rows if each row is a step whatever the clock says"
            )
    raise DataError(f"{table.origin}, {table.where(row)}: {said}. {cure}", code="off_grid_timestamp")


def _refuse_duplicates(table: Table, duplicate: np.ndarray, step: Every) -> None:
    if not duplicate.size:
        return
    assert table.times is not None
    row = int(duplicate[0])
    times = table.times[row : row + 2]
    apart = times[1] - times[0]
    same = "have the same timestamp"
    if apart != pd.Timedelta(0):
        same = f"are {_told(apart)} apart, which is less than a step of `every: {step.text}`"
    raise DataError(
        f"{table.origin}: {table.where(row)} and row {table.number(row + 1)} {same}"
        f"{f' ({duplicate.size} such pairs)' if duplicate.size > 1 else ''}; expected one row for each series and time. "
        f"{_keep_one(apart, step)}, name the column that tells the series apart in data.series, or, where clocks were set back, "
        "name their zone in data.time_zone or write the times in UTC",
        code="duplicate_timestamp",
    )


def _keep_one(apart: pd.Timedelta, step: Every) -> str:
    if apart == pd.Timedelta(0):
        return "Say which of them counts in data.duplicates (first, last, mean or sum)"
    return f"Put them onto the grid of `every: {step.text}` with data.resample (mean, sum or last)"


def _steps(table: Table, first: int, end: int) -> pd.Series[pd.Timedelta]:
    assert table.times is not None
    return pd.Series(table.times[first : min(end, first + PIECE)]).diff().dropna()


def _uneven(table: Table, first: int, end: int) -> bool:
    """Whether no time between two rows is that of most of them."""
    steps = _steps(table, first, end)
    return len(steps) > 1 and int(steps.value_counts().iloc[0]) <= len(steps) / 2


def _spacing(table: Table, first: int, end: int) -> str:
    steps = _steps(table, first, end)
    if not len(steps):
        return ""
    if _uneven(table, first, end):
        low, middle, high = map(_told, (steps.min(), steps.median(), steps.max()))
        return f" (the rows are unevenly timed: {low} to {high} apart, half of them less than {middle})"
    return f" (most rows are {_told(steps.mode().iloc[0])} apart)"


def other_step(table: Table) -> str:
    """What to say where most rows are further apart than a step of `every`; empty if they are not, or rows have no clock."""
    if table.times is None or table.every is None:
        return ""
    apart = [
        (first, _steps(table, int(first), int(end)))
        for first, end in zip(table.bounds[:-1], table.bounds[1:], strict=True)
    ]
    first, steps = max(apart, key=lambda each: len(each[1]))
    if not len(steps):
        return ""
    usual = steps.mode().iloc[0]
    times = pd.DatetimeIndex([table.times[int(first)], table.times[int(first)] + usual])
    if table.every.ticks(times)[1] < 1 + _OFF_GRID:
        return ""
    return f"most rows are {_told(usual)} apart, and the recipe has every: {table.every.text}"


def _rounded(table: Table, first: int, end: int) -> str:
    """A usual step near the median."""
    middle = _steps(table, first, end).median()
    usual = ("1s", "10s", "1min", "5min", "15min", "1h", "1d", "1w")
    return min(usual, key=lambda step: abs(np.log(Every.parse(step).seconds / max(middle.total_seconds(), 1e-3))))


def _told(step: pd.Timedelta) -> str:
    seconds = step.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:g} ms"
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return f"{seconds / length:.4g} {unit if seconds != length else unit[:-1]}"
    return f"{seconds:.4g} s"
