"""Tables that a program hands over, as the frame that the kit works on: pandas, Polars, Arrow, and what is in an index.

No library is imported for it: whatever exports Arrow's C stream (Polars, pyarrow, DuckDB, Ibis, ...) is taken through that.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.cells import exact, plain
from seq2seq_kit.data.tables.written import finite_ones
from seq2seq_kit.errors import ArgumentError, DataError


@runtime_checkable
class ArrowTable(Protocol):
    """What exports its rows by Arrow's C stream interface."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


@runtime_checkable
class PandasLike(Protocol):
    """What has a way of its own to become a frame."""

    def to_pandas(self) -> pd.DataFrame | pd.Series: ...


Given = pd.DataFrame | pd.Series | ArrowTable | PandasLike


def is_table(data: object) -> bool:
    """Whether `frame_of` takes it; lists, arrays and texts are no tables."""
    return isinstance(data, pd.DataFrame | pd.Series) or _exports(data)


def frame_of(
    data: Given, *, time: Sequence[str] = (), series: Sequence[str] = (), values: Sequence[str] = ()
) -> pd.DataFrame:
    """A table as a frame of columns.

    Args:
        data: A pandas DataFrame or Series, or what exports Arrow or has `to_pandas`.
        time: Names that the recipe has for times: an index without a name that holds times becomes the first that is no column.
        series: Likewise for the names of series, which are the other levels of such an index.
        values: Columns that the recipe reads or predicts: the only one of them is the name of a Series without one.

    Returns:
        The frame itself where nothing has to be done. Levels of an index that have a name are columns of that name, periods in an
        index or in a column of times the timestamp at which each begins.

    Raises:
        ArgumentError: It is no table, or its columns have several levels.
        DataError: A period begins when no timestamp can.
    """
    frame = _read(data, list(values))
    _refuse_levels(frame)
    if any(not isinstance(name, str) for name in frame.columns):  # a recipe's names are texts
        frame = frame.set_axis(list(map(str, frame.columns)), axis=1)
    frame = _without_index(frame, [name for name in time if name not in frame], [n for n in series if n not in frame])
    for name in time:
        if name in frame and isinstance(getattr(frame[name], "dtype", None), pd.PeriodDtype):
            frame = frame.assign(**{name: _period_starts(pd.PeriodIndex(frame[name]), name)})
    return frame


def plain_frame(data: object) -> pd.DataFrame:
    """A table as a frame of columns as pandas holds them by itself, without a recipe.

    Periods are the timestamps at which they begin.

    Raises:
        ArgumentError: It is no table, or its columns have several levels.
        DataError: A period begins when no timestamp can.
    """
    frame = _with_starts(_read(data, []))  # type: ignore[arg-type]  # which is what it looks at
    _refuse_levels(frame)
    frame = frame.copy(deep=False)
    for at, dtype in enumerate(frame.dtypes):
        if isinstance(dtype, pd.ArrowDtype) or dtype == np.dtype(object):
            frame.isetitem(at, finite_ones(plain(frame.iloc[:, at])).array)
    return frame


def _refuse_levels(frame: pd.DataFrame) -> None:
    if frame.columns.nlevels > 1:
        shown = ", ".join(map(str, frame.columns[:2]))
        raise ArgumentError(
            f"a table's columns must have one name each. Received: {frame.columns.nlevels} levels such as {shown}. Join them: "
            "frame.columns = ['_'.join(map(str, names)) for names in frame.columns]",
            code="unsupported_table",
        )


def _read(data: Given, values: list[str]) -> pd.DataFrame:
    if isinstance(data, pd.DataFrame):
        return data
    if not isinstance(data, pd.Series):
        if not _exports(data):
            raise ArgumentError(
                "rows must be a table: a pandas DataFrame or Series, a Polars DataFrame, an Arrow table. Received: "
                f"{type(data).__module__}.{type(data).__qualname__}. {_cure(data)}",
                code="unsupported_table",
            )
        read = _from_arrow(data) if isinstance(data, ArrowTable) else data.to_pandas()
        if isinstance(read, pd.DataFrame):
            return read
        data = read
    if data.name is not None and data.name != "":
        return data.to_frame()
    if len(values) != 1:
        raise ArgumentError(
            "a Series without a name stands for the only column of a recipe; this one has "
            f"{', '.join(values) or 'no columns of numbers'}. Give the Series a name, or a frame with a column for each",
            code="unsupported_table",
        )
    return data.to_frame(values[0])


def _exports(data: object) -> bool:
    # Classes and modules have these names, too.
    # `isinstance` of such a protocol asks the same, fifty times as slowly.
    return not isinstance(data, type) and (hasattr(data, "__arrow_c_stream__") or hasattr(data, "to_pandas"))


def _cure(data: object) -> str:
    if hasattr(data, "collect"):
        return "Collect it first: rows.collect()"
    return "Make one of it, such as pandas.DataFrame(rows) with the recipe's column names"


def _from_arrow(data: ArrowTable) -> pd.DataFrame | pd.Series:
    import pyarrow as pa  # at the top it would slow down every command

    try:
        table = pa.table(data)
    except (TypeError, ValueError, pa.ArrowException):  # a single column
        column = pa.chunked_array(data)
        name = getattr(data, "name", None)
        read: pd.Series = column.to_pandas(date_as_object=False)
        return read.rename(name)
    frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    if len(set(table.column_names)) < table.num_columns:  # which is refused later
        return frame
    counted = {name: exact(table[name]) for name in table.column_names if pa.types.is_integer(table[name].type)}
    return frame.assign(**{name: cells.set_axis(frame.index) for name, cells in counted.items() if name in frame})


def _without_index(frame: pd.DataFrame, time: list[str], series: list[str]) -> pd.DataFrame:
    """The frame with what stands in its index as columns; `time` and `series` are names that no column has."""
    if isinstance(frame.index, pd.RangeIndex) and frame.index.name is None:  # only counts the rows
        return frame
    levels = [frame.index.get_level_values(level) for level in range(frame.index.nlevels)]
    # What has a name keeps it; names that are left go to timestamps first, then to the other levels in their order.
    names = [level.name for level in levels]
    time, series = ([name for name in free if name not in names] for free in (time, series))
    for number in sorted(range(len(levels)), key=lambda number: not _are_times(levels[number])):
        if names[number] is None:
            names[number] = _name_for(levels[number], time, series, alone=len(levels) == 1)
    found = [(name, level) for name, level in zip(names, levels, strict=True) if name is not None and name not in frame]
    if not found:
        return frame
    rows = frame.reset_index(drop=True)
    for name, level in reversed(found):
        values = _period_starts(level, name) if isinstance(level, pd.PeriodIndex) else level
        rows.insert(0, name, pd.Series(values.array, index=rows.index))
    return rows


def _with_starts(frame: pd.DataFrame) -> pd.DataFrame:
    periods = [name for name in frame.columns if isinstance(getattr(frame[name], "dtype", None), pd.PeriodDtype)]
    if periods:
        frame = frame.copy(deep=False)
    for name in periods:
        frame[name] = _period_starts(pd.PeriodIndex(frame[name]), name)
    if not isinstance(frame.index, pd.PeriodIndex):
        return frame
    return frame.set_axis(_period_starts(frame.index, frame.index.name).rename(frame.index.name))


def _period_starts(periods: pd.PeriodIndex, name: object) -> pd.DatetimeIndex:
    """When periods begin.

    Raises:
        DataError: One begins when no timestamp can.
    """
    try:
        found = periods.to_timestamp()
        # Some of them wrap around without an error.
        wrong = np.flatnonzero(found.to_period(periods.freqstr).asi8 != periods.asi8)
    except (pd.errors.OutOfBoundsDatetime, OverflowError):
        wrong = np.flatnonzero(np.abs(periods.asi8) == np.abs(periods.dropna().asi8).max())
    if len(wrong):
        raise DataError(
            f"row {wrong[0] + 1}, column {name}: the period begins at a time that no timestamp can hold. Received: "
            f"{periods.freqstr} {periods.asi8[wrong[0]]:,} after 1970. Correct the row, or drop it",
            code="invalid_timestamp",
        )
    return found


def _name_for(level: pd.Index, time: list[str], series: list[str], *, alone: bool) -> str | None:
    """A free name for a level without one, which is then taken; None where there is none, or the level only counts rows."""
    if _are_times(level):
        return time.pop(0) if time else None
    texts = pd.api.types.infer_dtype(level, skipna=True) == "string"
    if not alone and series:
        return series.pop(0)
    return time.pop(0) if texts and time else None


def _are_times(level: pd.Index) -> bool:
    return isinstance(level, pd.DatetimeIndex | pd.PeriodIndex)
