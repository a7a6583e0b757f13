"""Times that are no texts of a date: counts since 1970, ISO weeks, numbers such as 20240131, and a date and a time of day in
columns of their own."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.cells import plain, shown
from seq2seq_kit.data.tables.weeks import write_weeks
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.time_fields import EPOCHS, EXCEL_DAYS, QUARTER, WEEKS, joined_name

_YEAR_AND_QUARTER = r"\s*(\d{4})(?:[-/. ]*[QqTt][-/. ]*| )([1-4])\s*"
_QUARTER_AND_YEAR = r"\s*(?:[QqTt][-/. ]*([1-4])|([1-4])[-/. ]*[QqTt])[-/. ]*(\d{4})\s*"
_WITH_OTHER_SIGNS = r"\d{1,2}(?:\.\d{2}){1,2}|\d{1,2}h\d{2}"  # 18.00.00 and 18h00, as times of day
_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_CALLED = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
# By word of `time_format` the counts of the times from March 1973 to 2096; by another unit all would be of early 1970 or far off.
COUNTS = {word: (1e8 * _PER_SECOND[unit], 4e9 * _PER_SECOND[unit]) for word, unit in EPOCHS.items()}
# Workbooks count from here; before March 1900 they have a day that there was not.
_EXCEL_BEGIN, _EXCEL_BUG, _EXCEL_END = "1899-12-30", 60, 2_958_466
_RECENT_DAYS = (20_000, 60_000)  # October 1954 to April 2064
_MS_OF_A_DAY = 86_400_000
# Digits of a whole number that is a date, and the format that reads it.
_DIGITS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_WITH_POINTS = {"%Y.%m": "{:.2f}", "%m.%Y": "{:07.4f}"}  # 2024.1 is October 2024, 10.202 is October 2020
_PARTS = (1, 1, 0, 0, 0), (12, 31, 23, 59, 59)  # of month, day, hour, minute, second
_FIRST_YEAR, _LAST_YEAR = 1000, 2999
_QUARTERS = 4


def counted_times(
    column: pd.Series, unit: Literal["s", "ms", "us", "ns"], time: str, origin: str
) -> "pd.Series[pd.Timestamp]":
    """Instants in UTC out of counts since 1970; NaT where a cell is no number or beyond the calendar.

    Raises:
        DataError: Milliseconds that are seconds, or the other way round: nothing else would tell.
    """
    numbers = pd.to_numeric(column, errors="coerce")
    known = numbers.dropna()
    right = next((word for word, (low, high) in COUNTS.items() if len(known) and known.between(low, high).all()), None)
    if right is None or EPOCHS[right] == unit or not {unit, EPOCHS[right]} & {"s", "ms", "us"}:
        return pd.to_datetime(numbers, unit=unit, utc=True, errors="coerce")
    few = _PER_SECOND[unit] > _PER_SECOND[EPOCHS[right]]
    said = f"as {_CALLED[unit]} since 1970 all times lie {'before 20 February 1970' if few else 'behind the year 5000'}"
    raise DataError(
        f"{origin}, column {time}: {said}. Received: {shown(column)}. If they are {_CALLED[EPOCHS[right]]}, set "
        f"data.time_format: {right}",
        code="invalid_timestamp",
    )


def read_excel_days(column: pd.Series) -> "pd.Series[pd.Timestamp]":
    """Times out of the days that a workbook counts, 45292.5 for noon of 1 January 2024, to a millisecond; NaT for other cells."""
    days = pd.to_numeric(column, errors="coerce")
    days = days.where((days > _EXCEL_BUG) & (days < _EXCEL_END))
    counted = (days * _MS_OF_A_DAY).round()
    return pd.to_datetime(counted, unit="ms", origin=pd.Timestamp(_EXCEL_BEGIN), errors="coerce")


def read_quarters(column: pd.Series) -> "pd.Series[pd.Timestamp]":
    """The first day of quarters such as 2024Q1, 2024-Q1, Q1 2024, Q1/2024 and T1 2024; NaT for other cells."""
    cells = column.astype("str")
    front, behind = cells.str.extract(f"^{_YEAR_AND_QUARTER}$"), cells.str.extract(f"^{_QUARTER_AND_YEAR}$")
    year, quarter = front[0].fillna(behind[2]), front[1].fillna(behind[0]).fillna(behind[1])
    if year.isna().all():
        return pd.Series(pd.NaT, index=column.index)
    months = pd.to_numeric(quarter) * 3 - 2
    return pd.to_datetime(
        year + "-" + months.map("{:02.0f}".format, na_action="ignore"), format="%Y-%m", errors="coerce"
    )


def written_numbers(column: pd.Series, form: str) -> pd.Series:
    """Whole numbers as texts that a format reads, with the zeros that a number has lost in front; other columns as they are."""
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column
    if form in _WITH_POINTS:
        return column.map(_WITH_POINTS[form].format, na_action="ignore")
    texts = column.map(lambda cell: f"{cell:.0f}" if pd.notna(cell) and cell % 1 == 0 else cell, na_action="ignore")
    digits = len(pd.Timestamp(2024, 12, 31, 23).strftime(form))
    return texts.map(lambda cell: cell.zfill(digits) if isinstance(cell, str) else str(cell), na_action="ignore")


def advice_for_numbers(column: pd.Series) -> str:
    """Which `time_format` reads a column of numbers, as far as the numbers tell."""
    numbers = pd.to_numeric(column, errors="coerce").dropna()
    low, high = (float(numbers.min()), float(numbers.max())) if len(numbers) else (0.0, 0.0)
    counted = next((word for word, (least, most) in COUNTS.items() if least <= low and high <= most), None)
    if counted is not None and not are_dates(numbers):
        return f"data.time_format: {counted}, if these are {_CALLED[EPOCHS[counted]]} since 1970"
    if _RECENT_DAYS[0] <= low and high <= _RECENT_DAYS[1]:
        return f"data.time_format: {EXCEL_DAYS}, if these are days as a workbook counts them"
    if len(numbers) and (form := are_dates(numbers)):
        return f"data.time_format: '{form}'"
    return (
        "data.time_format: epoch_s, epoch_ms or a format such as '%Y%m%d'. If they only count the rows, leave `time` and "
        "`every` out"
    )


def are_dates(numbers: pd.Series) -> str | None:
    """The format of numbers that are all dates with nothing between year, month, day, hour, ...; None for others."""
    if not len(numbers) or not (numbers % 1 == 0).all():
        return None
    texts = numbers.head(1_000).map("{:.0f}".format)
    form = _DIGITS.get(len(texts.iloc[0]))
    if form is None or texts.str.len().nunique() > 1:
        return None
    found = pd.to_datetime(texts, format=form, errors="coerce")
    return form if bool(found.notna().all()) and bool(found.dt.year.between(1900, 2100).all()) else None


def column_of_times(frame: pd.DataFrame, names: Sequence[str], form: str | None, origin: str) -> pd.Series:
    """The column of timestamps: one column as it is, several joined by a space, a date with its time of day.

    Args:
        frame: The rows.
        names: Its columns that hold the time, in order.
        form: The recipe's `time_format`.
        origin: Name of the file for messages.

    Raises:
        DataError: Columns of numbers that may be read in several ways.
    """
    if len(names) == 1:
        return frame[names[0]]
    columns = [plain(frame[name]) for name in names]
    if form is None:
        columns = [pd.to_numeric(column) if _of_digits(column) else column for column in columns]
    if form is None and all(pd.api.types.is_numeric_dtype(column) for column in columns):
        return _of_parts(columns, names, origin)
    texts = [
        _part(column, name, place, form, origin)
        for place, (column, name) in enumerate(zip(columns, names, strict=True))
    ]
    joined = texts[0]
    for text in texts[1:]:
        joined = joined + " " + text
    return joined.rename(joined_name(names))


def _of_digits(column: pd.Series) -> bool:
    texts = pd.api.types.infer_dtype(column, skipna=True) == "string"
    return texts and bool(column.dropna().astype("str").str.fullmatch(r"\d+").all())


def _of_parts(columns: Sequence[pd.Series], names: Sequence[str], origin: str) -> pd.Series:
    """Year, month, day, hour, minute and second in columns of their own."""
    year, *others = (pd.to_numeric(column) for column in columns)
    fits = year.dropna().between(_FIRST_YEAR, _LAST_YEAR).all() and all(
        column.dropna().between(low, high).all() for column, low, high in zip(others, *_PARTS, strict=False)
    )
    whole = all((column.dropna() % 1 == 0).all() for column in (year, *others))
    # Year and 1 to 4 may be a quarter, too.
    if not (fits and whole) or (len(others) == 1 and others[0].max() <= _QUARTERS):
        firsts = ", ".join(f"{name} {shown(column)}" for name, column in zip(names, columns, strict=True))
        raise DataError(
            f"{origin}, columns {', '.join(names)}: expected year, month, day, hour, minute and second, as far as they go. "
            f"Received: {firsts}. Say how the columns are written, joined by a space, in data.time_format, such as '%Y %m %d %H'",
            code="invalid_timestamp",
        )
    texts = [column.map(lambda cell: f"{cell:02.0f}", na_action="ignore") for column in others]
    joined = year.map("{:.0f}".format, na_action="ignore")
    for text, before in zip(texts, ("-", "-", " ", ":", ":"), strict=False):
        joined = joined + before + text
    if len(others) == 1:
        joined = joined + "-01"
    if len(others) == 3:
        joined = joined + ":00"
    return joined.rename(joined_name(names))


def _part(column: pd.Series, name: str, place: int, form: str | None, origin: str) -> pd.Series:
    """A date, or a time of day, as text."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        raise DataError(
            f"{origin}, column {name}: expected dates or times of day, which data.time joins. Received: {column.iloc[0]}, an "
            "instant with a zone. Make it a day of its clock: "
            f"frame[{name!r}].dt.tz_convert('Europe/Berlin').dt.tz_localize(None)",
            code="invalid_timestamp",
        )
    if pd.api.types.is_datetime64_any_dtype(column):
        only = "%H:%M:%S.%f" if place else "%Y-%m-%d"  # a workbook keeps a time of day as one of 1899 or 1970
        return column.dt.strftime(only) if form is None else column.astype("str").where(column.notna())
    if pd.api.types.is_timedelta64_dtype(column):
        return (pd.Timestamp(0) + column).dt.strftime("%H:%M:%S.%f")
    if pd.api.types.is_numeric_dtype(column):
        return _number(column, name, place, form, origin)
    texts = column.astype("str").str.strip().where(column.notna())
    if place and form is None and texts.dropna().str.fullmatch(_WITH_OTHER_SIGNS).all():
        return texts.str.replace(r"[.h]", ":", regex=True)
    return texts


def _number(column: pd.Series, name: str, place: int, form: str | None, origin: str) -> pd.Series:
    if form is not None:
        part = form.split(" ")[place] if form.count(" ") >= place else ""
        return (
            written_numbers(column, part) if "%" in part else column.map(lambda cell: f"{cell:g}", na_action="ignore")
        )
    if place and (column.dropna() % 1 == 0).all() and column.dropna().between(0, 23).all() and (column == 0).any():
        return column.map(lambda hour: f"{hour:02.0f}:00", na_action="ignore")
    raise DataError(
        f"{origin}, column {name}: these numbers may be hours, hours and minutes, or something else. Received: {shown(column)}. "
        "Say how the columns are written, joined by a space, in data.time_format, such as '%Y-%m-%d %H' or '%d.%m.%Y %H%M'",
        code="invalid_timestamp",
    )


def as_written(times: pd.DatetimeIndex, form: str | None) -> np.ndarray | pd.Index:
    """Timestamps as a recipe's `time_format` reads them; without one as ISO texts, those with a zone in UTC.

    In UTC no hour is there twice, and any zone is brought to that of training.
    """
    if form is not None and form in EPOCHS:
        counts, unit = times.as_unit("ns").asi8, int(1e9 / _PER_SECOND[EPOCHS[form]])
        return counts / unit if (counts % unit).any() else counts // unit
    if form == EXCEL_DAYS:
        return np.asarray((times.tz_localize(None) - pd.Timestamp(_EXCEL_BEGIN)) / pd.Timedelta(days=1))
    if form is None:
        return (times if times.tz is None else times.tz_convert("UTC")).astype(str)
    if form == QUARTER:
        return pd.Index([f"{time.year}Q{time.quarter}" for time in times])
    return write_weeks(times, form) if form in WEEKS else times.strftime(form)
