"""Some of a table's series without the others, and series that are too short, padded on the left."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from seq2seq_kit.data.rows import Times
from seq2seq_kit.data.tables.table import Table
from seq2seq_kit.data.tables.time import Every

_NAMED = 10  # series that one note names


def leave_out(table: Table, reasons: Mapping[int, str], said: str) -> Table:
    """The table without some series; a note names them, `left_out` all of them.

    Args:
        table: In memory.
        reasons: Why, by number of the series; not all of them.
        said: What the note says of them, such as `are not forecast`.
    """
    if not reasons:
        return table
    kept = np.array([series not in reasons for series in range(len(table.series))])
    names = {table.series[series]: why for series, why in sorted(reasons.items())}
    shown = ", ".join(f"{name} ({why})" for name, why in list(names.items())[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    count = len(table.series) + len(table.left_out)
    note = f"{len(names)} of {count} series {said}: {shown}{more}"
    found = only(table, kept)
    return replace(found, left_out={**table.left_out, **names}, notes=[*table.notes, note])


def only(table: Table, kept: np.ndarray) -> Table:
    """The rows of some series; `kept` is their mask, shape `(series,)`."""
    lengths = np.diff(table.bounds)
    rows = np.repeat(kept, lengths)
    bounds = np.concatenate([[0], np.cumsum(lengths[kept])])
    number = np.cumsum(kept) - 1
    segments = table.segments[kept[table.segments[:, 2]]]
    new = number[segments[:, 2]]
    moved = bounds[new] - table.bounds[segments[:, 2]]
    return replace(
        table,
        values=table.values[rows],
        times=None if table.times is None else table.times[rows],
        series=[name for name, keep in zip(table.series, kept, strict=True) if keep],
        bounds=bounds,
        segments=np.column_stack([segments[:, 0] + moved, segments[:, 1] + moved, new]),
        order=table.row_numbers[rows] - 1,
        looks_ahead=None if table.looks_ahead is None else table.looks_ahead[rows],
        pads=None if table.pads is None else table.pads[kept],
    )


def pad_left(table: Table, counts: np.ndarray) -> Table:
    """Prepends rows without a value to series, `counts` of each, shape `(series,)`; their times go back by `every`."""
    if not counts.any():
        return table
    ends = np.cumsum(counts)
    own = np.arange(len(table.values)) + np.repeat(ends, np.diff(table.bounds))
    size = len(table.values) + int(ends[-1])
    values = np.full((size, len(table.columns)), np.nan)
    values[own] = table.values[:]
    order = np.full(size, -1)
    order[own] = table.row_numbers - 1
    bounds = table.bounds + np.concatenate([[0], ends])
    of = table.segments[:, 2]
    moved = np.column_stack([table.segments[:, 0] + ends[of], table.segments[:, 1] + ends[of], of])
    # Rows before the first known value were cut off where cells are filled; behind a padding they are part of it.
    leads = np.diff(of, prepend=-1) > 0
    moved[leads, 0] = np.where(counts[of[leads]] > 0, bounds[:-1][of[leads]], moved[leads, 0])
    ahead = None
    if table.looks_ahead is not None:
        ahead = np.zeros(values.shape, dtype=bool)
        ahead[own] = table.looks_ahead
    times = None
    if table.times is not None:
        rows = table.bounds[:-1][counts > 0]
        before = stepped(table.every, table.times, rows, rows + 1, [np.arange(-n, 0) for n in counts[counts > 0]])
        place = np.empty(size, dtype=np.int64)
        place[own] = np.arange(len(own))
        place[np.setdiff1d(np.arange(size), own)] = len(own) + np.arange(size - len(own))
        times = pd.DatetimeIndex(table.times[:].append(before)[place])
    return replace(
        table, values=values, times=times, bounds=bounds, segments=moved, order=order, pads=counts, looks_ahead=ahead
    )


def stepped(
    every: Every | None, times: Times, first: np.ndarray, end: np.ndarray, steps: Sequence[np.ndarray]
) -> list[pd.DatetimeIndex]:
    """Timestamps so many steps from the last row of each range `first..end`; ranges that end alike share them.

    With `every: rows`, None here, nobody knows the times of rows that are not there.
    """
    lasts = times[end - 1]
    if every is None:
        unknown = pd.DatetimeIndex([pd.NaT] * max(map(len, steps)), tz=lasts.tz).as_unit(lasts.unit)
        return [unknown[: len(own)] for own in steps]
    known: dict[tuple[pd.Timestamp, int, bytes], pd.DatetimeIndex] = {}
    found = []
    # Which day of the next month follows is told by all rows of a series of months.
    plain = not every.months
    for own, low, high, last in zip(steps, first.tolist(), end.tolist(), lasts, strict=True):
        key = (last, len(own), b"" if plain else times[low:high].asi8.tobytes())
        if key not in known:
            known[key] = every.ahead(times[high - 1 : high] if plain else times[low:high], own)
        found.append(known[key])
    return found


def without_padding(table: Table) -> Table:
    """The rows that there are, of a padded table; the reverse of `pad_left`."""
    if table.pads is None:
        return table
    lengths = np.diff(table.bounds)
    position = np.arange(len(table.values)) - np.repeat(table.bounds[:-1], lengths)
    rows = position >= np.repeat(table.pads, lengths)
    ends = np.cumsum(table.pads)
    shift = ends[table.segments[:, 2]]
    real = np.maximum(table.segments[:, 0], table.bounds[:-1][table.segments[:, 2]] + table.pads[table.segments[:, 2]])
    return replace(
        table,
        values=table.values[rows],
        times=None if table.times is None else table.times[rows],
        bounds=table.bounds - np.concatenate([[0], ends]),
        segments=np.column_stack([real - shift, table.segments[:, 1] - shift, table.segments[:, 2]]),
        order=table.row_numbers[rows] - 1,
        looks_ahead=None if table.looks_ahead is None else table.looks_ahead[rows],
        pads=None,
    )
