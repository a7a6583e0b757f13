"""Rows that do not fit the step: those of the same time joined, uneven ones put onto the grid, absent ones added.

A step of the grid is named by its beginning and holds what was observed from then until the next one begins. So it is complete
when the next one begins, which is the first that a forecast from it may tell: no row holds anything of a later one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.errors import DataError

if TYPE_CHECKING:
    from seq2seq_kit.data.tables.table import Table

_NEWEST = 1_000  # rows whose spacing tells when the next one is due
_MOST_ADDED = 10_000_000  # rows, and no more than _TIMES as many as there are
_TIMES = 100


@dataclass(frozen=True)
class Treatment:
    """What becomes of rows that do not fit the step; the recipe's keys of these names.

    Attributes:
        latest: Columns that have no mean or sum, such as categories: of joined rows the last known cell counts.
    """

    duplicates: str = "refuse"
    resample: str | None = None
    gaps: str = "cut"
    latest: tuple[str, ...] = ()


def join_duplicates(table: Table, how: str, latest: Sequence[str] = ()) -> Table:
    """Joins the rows of a series that have the same timestamp: `first`, `last` (as the file has them), `mean` or `sum`."""
    times = _times(table)
    new = np.ones(len(times), dtype=bool)
    new[1:] = times[1:].asi8 != times[:-1].asi8
    joined = _joined(table, new, times, how, latest)
    count = len(times) - len(joined.values)
    if not count:
        return table
    word = f"{'row' if count == 1 else 'rows'} with the timestamp of the row before"
    said = f"{table.origin}: {count} {word}; data.duplicates: {how}, the first in {table.where(int(np.flatnonzero(~new)[0]))}"
    return replace(joined, notes=[*table.notes, said])


def onto_grid(table: Table, step: Every, how: str, latest: Sequence[str] = ()) -> Table:
    """Each step of the grid of `step` from the rows that lie in it: `mean`, `sum` or `last` of what is known of a column.

    A step without a row stays absent. The last step of a series is left out unless the next row is due behind it, by the
    median time between the newest rows: it may not be complete yet.

    Raises:
        DataError: No series has a complete step.
    """
    times = _times(table)
    starts = step.floor(times)
    new = np.ones(len(times), dtype=bool)
    new[1:] = starts[1:].asi8 != starts[:-1].asi8
    new[table.bounds[:-1][table.bounds[:-1] < len(times)]] = True
    joined = _joined(table, new, starts, how, latest)
    open_ends = [
        int(end) - 1
        for series, end in enumerate(joined.bounds[1:])
        if _incomplete(
            times[table.bounds[series] : table.bounds[series + 1]], starts, int(table.bounds[series + 1]), step
        )
    ]
    notes = [f"{len(times)} rows became {len(joined.values)} steps of {step.text} (data.resample: {how})"]
    if open_ends:
        which = f"the last step ({joined.times[open_ends[0]]})" if joined.times is not None else "the last step"
        more = f" of {len(open_ends)} series" if len(open_ends) > 1 else ""
        notes.append(f"{which}{more} is not complete yet and was left out")
        joined = _without(joined, np.array(open_ends))
    return replace(joined, notes=[*table.notes, *notes])


def fill_gaps(table: Table, step: Every) -> Table:
    """Adds the rows that `step` lacks between the first and the last of each series, all cells missing.

    Raises:
        DataError: That would be too many rows.
    """
    times = _times(table)
    series_of, places, own = [], [], []
    for series, (first, end) in enumerate(zip(table.bounds[:-1], table.bounds[1:], strict=True)):
        ticks = np.round(step.ticks(times[first:end])).astype(np.int64)
        places.append(ticks)
        own.append(int(ticks[-1]) + 1)
        series_of.append(series)
    added = sum(own) - len(times)
    if not added:
        return table
    if added > min(_MOST_ADDED, _TIMES * len(times)):
        raise DataError(
            f"{table.origin}: data.gaps: fill would add {added:,} rows of missing cells to {len(times):,} rows. Check the "
            "timestamps and data.every, or set data.gaps: cut",
            code="too_many_gaps",
        )
    bounds = np.concatenate([[0], np.cumsum(own)])
    values = np.full((int(bounds[-1]), len(table.columns)), np.nan)
    order = np.full(len(values), -1)
    at = np.concatenate([place + first for place, first in zip(places, bounds[:-1], strict=True)])
    values[at], order[at] = table.values[:], table.row_numbers - 1
    grids = [
        step.grid(times[first:end], np.arange(count))
        for first, end, count in zip(table.bounds[:-1], table.bounds[1:], own, strict=True)
    ]
    filled = pd.DatetimeIndex(grids[0].append(list(grids[1:])))
    # What was given stays as it stands: a midnight that the clocks jump over, a month's last day.
    kept = np.asarray(filled.asi8).copy()
    kept[at] = times.as_unit(filled.unit).asi8
    dtype = f"M8[{filled.unit}]"
    exact = (
        pd.DatetimeIndex(kept.view(dtype))
        if filled.tz is None
        else pd.DatetimeIndex(kept.view(dtype), tz="UTC").tz_convert(filled.tz)
    )
    said = f"{added} absent {'row' if added == 1 else 'rows'} became rows of missing cells (data.gaps: fill)"
    return replace(
        table,
        values=values,
        times=exact,
        bounds=bounds,
        segments=_whole(bounds),
        order=order,
        notes=[*(note for note in table.notes if "no window crosses" not in note), said],
    )


def _times(table: Table) -> pd.DatetimeIndex:
    assert isinstance(table.times, pd.DatetimeIndex)
    return table.times


def _whole(bounds: np.ndarray) -> np.ndarray:
    return np.column_stack([bounds[:-1], bounds[1:], np.arange(len(bounds) - 1)])


def _joined(table: Table, new: np.ndarray, times: pd.DatetimeIndex, how: str, latest: Sequence[str]) -> Table:
    """One row for each run of rows that begins where `new` is True; its time is that of `times`."""
    new = new.copy()
    new[table.bounds[:-1][table.bounds[:-1] < len(new)]] = True
    firsts = np.flatnonzero(new)
    lasts = np.append(firsts[1:], len(new)) - 1
    given = table.values[:]
    if how == "first" or (how == "last" and times is table.times):
        values = given[firsts if how == "first" else lasts]
    elif how == "last":
        values = _last_known(given, firsts)
    else:
        with np.errstate(over="ignore"):  # what is beyond the range is refused by its row
            sums = np.add.reduceat(np.nan_to_num(given, nan=0.0), firsts, axis=0)
        counts = np.add.reduceat(~np.isnan(given), firsts, axis=0, dtype=np.int64)
        values = np.where(counts == 0, np.nan, sums / (np.maximum(counts, 1) if how == "mean" else 1))
        at = [table.columns.index(name) for name in latest if name in table.columns]
        values[:, at] = _last_known(given[:, at], firsts)
    bounds = np.searchsorted(firsts, table.bounds)
    picked = firsts if how == "first" else lasts
    order = (table.row_numbers - 1)[picked]
    return replace(table, values=values, times=times[firsts], bounds=bounds, segments=_whole(bounds), order=order)


def _last_known(given: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """The last known cell of each run of rows and column, shape `(runs, columns)`."""
    known = np.where(np.isnan(given), -1, np.arange(len(given))[:, None])
    newest = np.maximum.reduceat(known, firsts, axis=0)
    return np.where(newest < 0, np.nan, np.take_along_axis(given, np.maximum(newest, 0), axis=0))


def _incomplete(own: pd.DatetimeIndex, starts: pd.DatetimeIndex, end: int, step: Every) -> bool:
    """Whether a row that is still to come may lie in the last step of a series, whose rows are `own` and end at row `end`."""
    apart = np.diff(own[-_NEWEST:].asi8)
    apart = apart[apart > 0]
    if not apart.size:
        return False
    usual = pd.Timedelta(int(np.median(apart)), unit=own.unit)
    following = step.ahead(starts[end - 1 : end], np.array([1]))[0]
    # Days and longer steps are told by the local clock, on which a day in autumn has 25 hours.
    due = step.ahead(own[-1:], np.array([1]))[0] if usual >= following - starts[end - 1] else own[-1] + usual
    return bool(due < following)


def _without(table: Table, rows: np.ndarray) -> Table:
    keep = np.ones(len(table.values), dtype=bool)
    keep[rows] = False
    counts = np.diff(np.concatenate([[0], np.cumsum(keep)])[table.bounds])
    left = np.flatnonzero(counts)
    if not left.size:
        raise DataError(
            f"{table.origin}: not one step of the grid is complete. Give more rows, or a smaller data.every",
            code="too_few_rows",
        )
    bounds = np.concatenate([[0], np.cumsum(counts[left])])
    assert table.order is not None
    return replace(
        table,
        values=table.values[:][keep],
        times=_times(table)[keep],
        series=[table.series[series] for series in left],
        bounds=bounds,
        segments=_whole(bounds),
        order=table.order[keep],
    )
