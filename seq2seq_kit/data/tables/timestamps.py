"""The column of timestamps: from texts of any writing to times on one clock.

How the training rows were written (time zone, day or month first) is kept with the model, so that the same instants
are the same rows of the calendar whatever zone they are written in later.
"""

import re
import warnings
from datetime import tzinfo

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.cells import plain, shown
from seq2seq_kit.data.tables.local_times import localize
from seq2seq_kit.data.tables.month_names import in_english
from seq2seq_kit.data.tables.time_formats import (
    advice_for_numbers,
    counted_times,
    read_excel_days,
    read_quarters,
    written_numbers,
)
from seq2seq_kit.data.tables.time_orders import (
    forms_of,
    refuse_other_century,
    refuse_other_order,
    refuse_turned,
    refuse_turned_days,
)
from seq2seq_kit.data.tables.time_parsing import in_iso, in_numbers, parse
from seq2seq_kit.data.tables.time_parts import refuse_other_calendar, refuse_without_date, refuse_year_one
from seq2seq_kit.data.tables.time_style import TimeStyle, zone_of
from seq2seq_kit.data.tables.time_texts import a_day_later, interval_starts, with_offsets, without_24
from seq2seq_kit.data.tables.weeks import read_weeks
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.time_fields import EPOCHS, EXCEL_DAYS, ISO_WEEK, MMWR_WEEK, QUARTER, WEEKS

_COUNTED = {ISO_WEEK: "ISO 8601", MMWR_WEEK: "the CDC's count"}
_EXAMPLE = "2024-01-31 13:00"
_DAY_OR_MONTH = (
    r"^\s*(?:[^\W\d_]{2,10}\.?,?\s+|\d{1,2}:\d{2}(?::\d{2})?,?\s+)?(\d{1,2})([./-])(\d{1,2})\2(?:\d{4}|\d{2})(?!\d)"
)
_WEEK = re.compile(r"\s*\d{4}-?W\d{1,2}\s*")
_QUARTER = re.compile(
    r"\s*\d{4}[-/. ]*[QT][-/. ]*[1-4]\s*|\s*(?:[QT][-/. ]*[1-4]|[1-4][-/. ]*[QT])[-/. ]*\d{4}\s*", re.IGNORECASE
)


def read_times(
    column: pd.Series,
    time: str,
    origin: str,
    *,
    first: int = 0,
    example: pd.Timestamp | None = None,
    style: TimeStyle | None = None,
    trained: TimeStyle | None = None,
) -> tuple[pd.DatetimeIndex, TimeStyle]:
    """The timestamps of a column, or of a piece of it that begins in row `first`, and how they are written.

    Args:
        column: The cells.
        time: The column's name.
        origin: Name of the file for messages.
        first: Row of the first cell.
        example: A timestamp from before the piece.
        style: What the recipe says of them.
        trained: How the training rows were written; the times are brought to that clock. None: these are those rows, or the
            model does not know.

    Raises:
        DataError: They are no timestamps, one is missing, day and month cannot be told apart, or the zone is another kind.
    """
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # pandas warns where it cannot guess a format, which the messages here tell better
        return _read_times(plain(column), time, origin, (first, example), style or TimeStyle(), trained)


def _read_times(
    column: pd.Series,
    time: str,
    origin: str,
    piece: tuple[int, pd.Timestamp | None],
    style: TimeStyle,
    trained: TimeStyle | None,
) -> tuple[pd.DatetimeIndex, TimeStyle]:
    _refuse_other_kinds(column, time, origin, style)
    day_first = trained.day_first if trained else None
    # Of a piece or a request the order is known.
    whole = trained is None and piece[1] is None
    if pd.api.types.is_datetime64_any_dtype(column):
        times = column
        if whole:
            refuse_turned_days(column, times, time, origin)
    elif style.format is not None and style.format in EPOCHS:
        times = counted_times(column, EPOCHS[style.format], time, origin)
    elif style.format == EXCEL_DAYS:
        times = read_excel_days(column)
    elif style.format in WEEKS:
        times = read_weeks(column, style.format)
    elif style.format == QUARTER:
        times = read_quarters(column)
    else:
        zone = style.reads_as or (trained.zone if trained else "")
        times, day_first = _read_texts(column, style.format, zone, day_first, time, origin, whole=whole)
    _refuse_missing(column, times, time, origin, *piece, style)
    found = pd.DatetimeIndex(times)
    if style.reads_as:
        found = _read_as(found, style.reads_as, time, origin)
    if trained is not None:
        found = trained.bring(found, time, origin)
    elif isinstance(found.tz, tzinfo):
        found = found.tz_convert(zone_of(found.tz, time, origin))
    return found, TimeStyle(zone_of(found.tz, time, origin), day_first)


def _read_texts(
    column: pd.Series, form: str | None, zone: str, day_first: bool | None, time: str, origin: str, *, whole: bool
) -> "tuple[pd.Series[pd.Timestamp], bool | None]":
    """The times of texts, and whether the day stands first in them; `whole`: they are all rows of a training."""
    if whole:
        refuse_other_calendar(column, time, origin)
    if form is None and (found := in_iso(column)) is not None:
        refuse_year_one(column, found, time, origin)
        if whole:
            refuse_turned_days(column, found, time, origin)
        return found, day_first
    if form is None and (told := in_numbers(column)) is not None and day_first in (None, told[1]):
        if whole:
            refuse_other_order(column, *told, time, origin)
        return told
    refuse_turned(column, time, origin)
    read = in_english(interval_starts(column, form))
    if form is not None:
        read = written_numbers(read, form)
    else:
        refuse_without_date(read, time, origin)
        read = with_offsets(read, zone)
        day_first = _day_first(read, day_first, time, origin)
    # ISO 8601 knows 24:00, pandas does not.
    read, late = without_24(read, digits=(form or "").endswith(" %H"))
    times = a_day_later(parse(read, form, day_first, zone, time, origin), late)
    refuse_year_one(read, times, time, origin)
    if whole:
        refuse_other_century(column, times, form, day_first, time, origin)
        if form is None:
            refuse_other_order(read, times, day_first, time, origin)
    return times, day_first


def _refuse_other_kinds(column: pd.Series, time: str, origin: str, style: TimeStyle) -> None:
    where, dtype = f"{origin}, column {time}", column.dtype
    received = f"Received: {shown(column)}"
    if isinstance(dtype, pd.PeriodDtype):
        cure = f"frame[{time!r}].dt.to_timestamp()"
        said = f"{where}: expected timestamps. {received}, which are periods. Take where each begins: {cure}"
    elif dtype.kind == "m" or pd.api.types.infer_dtype(column, skipna=True) in ("timedelta", "time"):
        said = (
            f"{where}: expected timestamps. {received}, which is a time without a date. Name the column of the dates before "
            f"it: data.time: [<dates>, {time}]"
        )
    elif pd.api.types.is_numeric_dtype(column) and style.format is None:
        said = (
            f"{where}: expected timestamps such as {_EXAMPLE}. {received}. A column of numbers is not read as dates unless "
            f"the recipe says how: {advice_for_numbers(column)}"
        )
    else:
        return
    raise DataError(said, code="invalid_timestamp")


def _day_first(column: pd.Series, known: bool | None, time: str, origin: str) -> bool | None:
    """Whether texts such as 03/04/2024 begin with the day, by a number above 12 somewhere; None where no text is like that."""
    if pd.api.types.infer_dtype(column, skipna=True) != "string":
        return known
    numbers = column.astype("str").str.extract(_DAY_OR_MONTH)[[0, 2]].dropna().astype(int)
    if not len(numbers):
        return known
    first, second = (bool((numbers[place] > 12).any()) for place in (0, 2))
    row = int(numbers.index[0]) if numbers.index.is_unique and isinstance(column.index, pd.RangeIndex) else 0
    cell = str(column.dropna().iloc[0]).strip()
    day, month = forms_of(cell)
    if first and second:
        found = numbers[(numbers > 12).any(axis=1)]
        raise DataError(
            f"{origin}, column {time}: some dates have the day first and others the month, such as {cell!r}: the first number is "
            f"up to {found[0].max()}, the second up to {found[2].max()}. Write all of them year first, {_EXAMPLE[:10]}",
            code="ambiguous_dates",
        )
    if known is None and not (first or second):
        raise DataError(
            f"{origin}, row {row + 1}, column {time}: {cell!r} may have the day or the month first, and no row of "
            "the column tells "
            f"which (all numbers are at most 12). Say it in the recipe: data.time_format: '{day}' (day first) or "
            f"'{month}' (month "
            f"first); or write the dates year first, {_EXAMPLE[:10]}",
            code="ambiguous_dates",
        )
    if known is not None and ((first and not known) or (second and known)):
        was = "day" if known else "month"
        raise DataError(
            f"{origin}, column {time}: the training rows have the {was} first, and here the "
            f"{'second' if known else 'first'} number "
            f"of a date is above 12. Write the dates year first, {_EXAMPLE[:10]}",
            code="ambiguous_dates",
        )
    return known if known is not None else first


def _refuse_missing(
    column: pd.Series,
    times: pd.Series,
    time: str,
    origin: str,
    first: int,
    example: pd.Timestamp | None,
    style: TimeStyle,
) -> None:
    bad = np.flatnonzero(times.isna().to_numpy())
    if not bad.size:
        return
    row = int(bad[0])
    cell = column.iloc[row]
    good = column[times.notna().to_numpy()]
    like = example if example is not None else next(iter(good), _EXAMPLE)
    advice = "Correct it (dates year first, 2024-01-31) or drop the row"
    if isinstance(cell, str) and style.format in WEEKS:
        advice = (
            f"{_COUNTED[style.format]} has no such week. Are they those of data.time_format: "
            f"{next(each for each in WEEKS if each != style.format)}? Else correct it or drop the row"
        )
    elif isinstance(cell, str) and _WEEK.fullmatch(cell):
        advice = "A week is no date; data.time_format: iso_week reads it as its Monday"
    elif isinstance(cell, str) and _QUARTER.fullmatch(cell) and style.format != QUARTER:
        advice = "A quarter is no date; data.time_format: quarter reads it as its first day"
    elif style.format in EPOCHS:
        advice = "Correct it or drop the row, or choose another data.time_format (epoch_s, epoch_ms)"
    elif bad[0] == len(column) - bad.size and column.iloc[bad].isna().all() and not first and len(good):
        rows = "row has" if bad.size == 1 else f"{bad.size} rows have"
        advice = (
            f"The last {rows} no time, as totals below a table: leave them out, data.format.footer_rows: {bad.size}"
        )
    elif not len(good):
        advice = (
            "Is it the column of timestamps? Write them year first, or say how they are written in data.time_format"
        )
    elif bad.size > 1:
        advice += f"; {bad.size} rows are like that"
    raise DataError(
        f"{origin}, row {first + row + 1}, column {time}: expected a timestamp like {str(like)!r}. Received: {cell!r}. {advice}",
        code="invalid_timestamp",
    )


def _read_as(times: pd.DatetimeIndex, zone: str, time: str, origin: str) -> pd.DatetimeIndex:
    if times.tz is not None:
        return times.tz_convert(zone)
    try:
        # An hour that the clocks repeat is there twice in rows in order, which tells the two apart.
        return localize(times, zone)
    except ValueError as error:
        raise DataError(
            f"{origin}, column {time}: not every time is one of the clock in {zone} (data.time_zone): {error}. "
            "Rows of the hour that clocks repeat in autumn must stand in order, or each series by itself; correct the times, "
            "or write them in UTC",
            code="invalid_local_time",
        ) from None
