"""The steps ahead of the newest rows: rows that hold what is known of the future and nothing else."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.tables.regular import Treatment
from seq2seq_kit.data.tables.series import leave_out, stepped
from seq2seq_kit.data.tables.table import Table, read_table, refuse_missing
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.data.tables.timestamps import TimeStyle
from seq2seq_kit.errors import DataError, SeriesTooShortError
from seq2seq_kit.recipe.fields import Data, HorizonData
from seq2seq_kit.recipe.fields import Table as TableSection

_SHOWN = 3
_OFTEN = 2  # values of a target, which have a distance


def append_ahead(table: Table, data: HorizonData, future: pd.DataFrame | None) -> Table:
    """Appends `gap_steps + output_steps` rows to each series: timestamps by `every`, `known_future` from `future`.

    Args:
        table: The rows at hand.
        data: The recipe's section.
        future: A row for each series and step ahead with the columns of `known_future`; with a time column it may begin
            earlier and go on longer, without one it begins right after the newest row.

    Raises:
        DataError: `known_future` columns are needed and absent for a step; the message names series and time.
    """
    ahead = data.gap_steps + data.output_steps
    columns = Columns.of(data)
    known, table = _known_future(table, data, columns, future, ahead)
    count = len(table.series)
    own = np.arange(len(table.values)) + np.repeat(ahead * np.arange(count), np.diff(table.bounds))
    bounds = table.bounds + ahead * np.arange(count + 1)
    new = bounds[1:, None] + np.arange(-ahead, 0)
    values = np.full((bounds[-1], len(table.columns)), np.nan)
    values[own] = table.values[:]
    fixed = [table.columns.index(name) for name in [*columns.static, *filter(None, [columns.series_category])]]
    values[new[..., None], fixed] = table.values[table.bounds[1:, None, None] - 1, fixed]
    for series, columns_ahead in enumerate(known):
        for name, cells in columns_ahead.items():
            values[new[series], table.columns.index(name)] = cells
    order = np.full(len(values), -1)
    order[own] = table.row_numbers - 1
    drawn = None
    if table.looks_ahead is not None:
        drawn = np.zeros(values.shape, dtype=bool)
        drawn[own] = table.looks_ahead
    of = table.segments[:, 2]
    last = np.diff(of, append=-1) != 0
    segments = table.segments + np.column_stack([ahead * of, ahead * (of + last), np.zeros_like(of)])
    times = None
    if table.times is not None:
        steps = [np.arange(1, ahead + 1)] * count
        later = stepped(table.every, table.times, table.bounds[:-1], table.bounds[1:], steps)
        place = np.empty(len(values), dtype=np.int64)
        place[own], place[new.ravel()] = np.arange(len(own)), len(own) + np.arange(new.size)
        times = pd.DatetimeIndex(table.times[:].append(later)[place])
    return replace(
        table,
        values=values,
        times=times,
        bounds=bounds,
        segments=segments,
        order=order,
        looks_ahead=drawn,
    )


def style_of(data: TableSection) -> TimeStyle:
    """What a recipe says of its timestamps."""
    return TimeStyle(format=data.time_format, reads_as=data.time_zone)


def treatment_of(data: TableSection) -> Treatment:
    """What a recipe says of rows that do not fit its step."""
    columns = Columns.of(data) if isinstance(data, Data) else None
    latest = (*columns.static, *columns.categories) if columns else ()
    return Treatment(data.duplicates, data.resample, data.gaps, latest)


def split_ahead(frame: pd.DataFrame, data: HorizonData) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Rows at hand, and the rows ahead at the end of each series: those with nothing but `known_future` columns filled."""
    if not data.known_future:
        return frame, None
    ahead = (*data.known_future, *data.static, data.weight)
    observed = [name for name in Columns.of(data).table if name not in ahead and name in frame]
    filled = (frame[observed].notna() & (frame[observed] != "")).any(axis=1)
    names = [name for name in data.series_columns if name in frame]
    series = frame.groupby(names, dropna=False).ngroup() if names else pd.Series(0, index=frame.index)
    at_hand = filled[::-1].groupby(series[::-1]).cummax()[::-1]
    # Those of a series without one filled row are at hand: it cannot be forecast, or targets that no encoder reads are absent.
    at_hand |= ~filled.groupby(series).transform("any")
    return (frame, None) if at_hand.all() else (frame[at_hand], frame[~at_hand])


def too_short(table: Table, rows: int) -> dict[int, str]:
    """Series, by number, that do not end with so many rows without a gap; with how many they do."""
    ends = np.zeros(len(table.series), dtype=np.int64)
    # The last stretch may have been left out, because a column is empty in all of it.
    last = table.segments[table.segments[:, 1] == table.bounds[1:][table.segments[:, 2]]]
    ends[last[:, 2]] = last[:, 1] - last[:, 0]
    padded = 0 if table.pads is None else table.pads
    return {int(series): f"{(ends - padded)[series]} rows" for series in np.flatnonzero(ends < rows)}


def observed(columns: Columns) -> list[str]:
    """Inputs that tell whether a row was observed: those that are not known ahead, where there are such."""
    return [name for name in columns.inputs if name not in (*columns.known_future, *columns.static)] or columns.inputs


def empty_ends(table: Table, inputs: Sequence[str]) -> dict[int, int]:
    """Series, by number, that end with rows which hold no input, and how many of those."""
    picked = [table.columns.index(name) for name in inputs]
    known = ~np.isnan(table.values[:, picked]).all(axis=1)
    last = np.maximum.accumulate(np.where(known, np.arange(len(known)), -1))[table.bounds[1:] - 1]
    empty = table.bounds[1:] - 1 - np.maximum(last, table.bounds[:-1] - 1)
    return {int(series): int(empty[series]) for series in np.flatnonzero(empty)}


def read_targets(data: HorizonData) -> list[str]:
    """The targets whose past the encoder reads."""
    return [name for name in data.targets if name in data.inputs]


def empty_targets(table: Table, data: HorizonData, rows: int) -> dict[int, int]:
    """Series, by number, whose targets that the encoder reads are all empty in the newest `rows` rows, and how long they are.

    What a fill makes of them is one value for the whole window, from which nothing can be forecast. Not concerned are targets
    that are measured so rarely that their rows at hand have such stretches in between, which training had, too; nor a model
    whose recipe has `missing: mask`, which was trained to read cells as absent.
    """
    names = read_targets(data)
    if data.missing == "mask" or not names:
        return {}
    known = ~np.isnan(table.values[:, [table.columns.index(name) for name in names]]).all(axis=1)
    found = {}
    for series, empty in empty_ends(table, names).items():
        own = known[table.bounds[series] : table.bounds[series + 1]]
        at = np.flatnonzero(own)
        if empty >= min(rows, len(own)) and (len(at) < _OFTEN or empty >= np.diff(at).max()):
            found[series] = empty
    return found


def told_of_stale_targets(table: Table, data: HorizonData) -> Table:
    """The table, with a note on each target whose newest rows are empty, which a fill gives its last value."""
    if data.missing == "mask":
        return table
    notes = []
    for name in read_targets(data):
        empty = empty_ends(table, [name])
        if empty:
            most = max(empty, key=lambda series: empty[series])
            of = f" of series {table.series[most]}" if table.series[most] else ""
            more = f"; {len(empty)} series end so" if len(empty) > 1 else ""
            last = table.where(int(table.bounds[most + 1]) - empty[most] - 1)
            said = "newest row has" if empty[most] == 1 else f"newest {empty[most]} rows have"
            notes.append(f"the {said} no value in {name}{of} and count as having the last one, of {last}{more}")
    return replace(table, notes=[*table.notes, *notes])


def told_of_new_series(names: Sequence[str], trained: Collection[str]) -> list[str]:
    """A note on series that the model was not trained on: their names may be misspelt; none where it knows of no names."""
    new = [name for name in names if name not in trained]
    if not new or not trained:
        return []
    shown = ", ".join(new[:_SHOWN]) + (", ..." if len(new) > _SHOWN else "")
    known = f"{len(trained):,} series, {', '.join(sorted(trained)[:_SHOWN])}{', ...' if len(trained) > _SHOWN else ''}"
    return [f"{shown} {'is' if len(new) == 1 else 'are'} none of the series that the model was trained on ({known})"]


def only_forecastable(table: Table, reasons: Mapping[int, str]) -> Table:
    """The table without the series that cannot be forecast, where there are others; the whole table if there are none."""
    return table if len(reasons) == len(table.series) else leave_out(table, reasons, "are not forecast")


def require_newest(table: Table, rows: int) -> None:
    """Raises `SeriesTooShortError` unless every series ends with `rows` rows without a gap."""
    found = too_short(table, rows)
    short = [f"{f'series {table.series[n]}: ' if table.series[n] else ''}{why}" for n, why in found.items()]
    if short:
        number, end = min(found), table.bounds[min(found) + 1]
        after = end - int(found[number].split()[0])
        if (
            table.times is not None and table.bounds[number] < after < end
        ):  # of dates that are read in another order, it may be
            short[0] += f" behind the gap from {table.times[after - 1]} to {table.times[after]}"
        raise SeriesTooShortError(
            f"{table.origin}: a forecast reads the newest {rows} rows without a gap of each series. "
            f"Received: {', '.join(short[:10])}. Give more rows, or fill the gap in time",
            code="series_too_short",
        )


def refuse_empty_ends(table: Table, inputs: Sequence[str]) -> None:
    """Raises `DataError` where a series ends with rows that hold no input: days to come are no observations."""
    for series, empty in empty_ends(table, inputs).items():
        name = table.series[series]
        raise DataError(
            f"{table.origin}: the newest {empty} rows{f' of series {name}' if name else ''} have no value in "
            f"{', '.join(inputs)}, from {table.where(int(table.bounds[series + 1]) - empty)} on. A forecast starts after "
            "the newest observed row: "
            "drop these rows; values known ahead go into `future` (--future FILE)",
            code="missing_inputs",
        )


def refuse_empty_targets(table: Table, data: HorizonData, rows: int) -> None:
    """Raises `DataError` where a window to forecast from holds no value of a target; see `empty_targets`."""
    for series, empty in empty_targets(table, data, rows).items():
        name, names = table.series[series], ", ".join(read_targets(data))
        raise DataError(
            f"{table.origin}: the newest {empty} rows{f' of series {name}' if name else ''} have no value in {names}, from "
            f"{table.where(int(table.bounds[series + 1]) - empty)} on. A forecast reads {rows} rows and needs values of a "
            "target among them: give the rows up to the newest that has one",
            code="missing_inputs",
        )


def _known_future(
    table: Table, data: HorizonData, columns: Columns, future: pd.DataFrame | None, ahead: int
) -> tuple[list[dict[str, np.ndarray]], Table]:
    """Values of each known column for the steps ahead of each series, and the table with the words that are new there."""
    numbers = [name for name in columns.known_future if name not in columns.static]
    words = [name for name in columns.words if name in data.known_future]
    if not numbers and not words:
        return [{} for _ in table.series], table
    needed = ", ".join([*numbers, *words])
    if future is None:
        raise DataError(
            f"this model was trained with known_future: [{needed}] and needs their values for the {ahead} steps ahead of "
            f"each series{_after(table, data, 0)}. Give them as `future` (--future FILE), one row for each step",
            code="missing_future_rows",
        )
    given = read_table(
        future,
        columns=numbers,
        time=data.time,
        every=Every.of(data.every, data.holidays),
        series=data.series_columns,
        origin="the future rows",
        style=style_of(data),
        trained=table.style,
        form=data.format,
        treatment=replace(treatment_of(data), gaps="cut"),
        categories=words,
        words=table.words,
    )
    refuse_missing(given, numbers, advice="A column known ahead must be complete; fill it in")
    told = [_rows_of(table, given, series, ahead) for series in range(len(table.series))]
    return told, replace(table, words=table.words | given.words)


def _rows_of(table: Table, given: Table, series: int, ahead: int) -> dict[str, np.ndarray]:
    name = table.series[series]
    if name not in given.series:
        said = f"the future rows have no series {name}; they have {', '.join(given.series[:10])}"
        raise DataError(said, code="missing_future_rows")
    first, end = given.bounds[given.series.index(name)], given.bounds[given.series.index(name) + 1]
    positions = np.arange(first, min(end, first + ahead))
    if table.times is not None and table.every is not None and given.times is not None:
        own = table.times[table.bounds[series] : table.bounds[series + 1]]
        wanted = table.every.ahead(own, np.arange(1, ahead + 1))
        found = given.times[first:end].get_indexer(wanted)
        if (found < 0).any():
            absent = wanted[found < 0]
            raise DataError(
                f"the future rows lack {len(absent)} of the {ahead} steps ahead{f' of series {name}' if name else ''}: "
                f"{absent[0]}{f' to {absent[-1]}' if len(absent) > 1 else ''}",
                code="missing_future_rows",
            )
        positions = first + found
    elif table.times is not None and given.times is not None:
        newest = table.times[table.bounds[series + 1] - 1]
        later = first + int((given.times[first:end] <= newest).sum())
        positions = np.arange(later, min(end, later + ahead))
    if len(positions) < ahead:
        said = f"the future rows{f' of series {name}' if name else ''} must be {ahead}. Received: {len(positions)}"
        raise DataError(said, code="missing_future_rows")
    return {column: given.values[positions, index] for index, column in enumerate(given.columns)}


def _after(table: Table, data: HorizonData, series: int) -> str:
    """Where the steps ahead of a series begin, in words."""
    every = Every.of(data.every, data.holidays)
    if table.times is None:
        return ""
    own = table.times[table.bounds[series] : table.bounds[series + 1]]
    return f", behind {own[-1]}" if every is None else f", from {every.ahead(own, np.array([1]))[0]} on"
