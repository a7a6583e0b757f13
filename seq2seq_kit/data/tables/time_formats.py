"""Times that are no texts of a date: counts since 1970, ISO weeks, numbers such as 20240131, and a date and a time of day in
columns of their own."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.cells import plain, shown
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.time_fields import EPOCHS, ISO_WEEK, QUARTER, joined_name

_WEEK = r"\s*(\d{4})-?W(\d{1,2})(?:-?([1-7]))?\s*"
_YEAR_AND_QUARTER = r"\s*(\d{4})[-/. ]*[QqTt][-/. ]*([1-4])\s*"
_QUARTER_AND_YEAR = r"\s*(?:[QqTt][-/. ]*([1-4])|([1-4])[-/. ]*[QqTt])[-/. ]*(\d{4})\s*"
# Numbers that are seconds since 1970 between March 1973 and 2096; as milliseconds they would all be of early 1970.
_SECONDS = (1e8, 4e9)
# Digits of a whole number that is a date, and the format that reads it.
_DIGITS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_PARTS = (1, 1, 0, 0, 0), (12, 31, 23, 59, 59)  # of month, day, hour, minute, second
_FIRST_YEAR, _LAST_YEAR = 1000, 2999
_QUARTERS = 4


def counted_times(column: pd.Series, unit: Literal["s", "ms"], time: str, origin: str) -> "pd.Series[pd.Timestamp]":
    """Instants in UTC out of counts since 1970; NaT where a cell is no number or beyond the calendar.

    Raises:
        DataError: Milliseconds that are seconds, or the other way round: nothing else would tell.
    """
    numbers = pd.to_numeric(column, errors="coerce")
    known = numbers.dropna()
    low, high = _SECONDS
    if unit == "ms" and len(known) and known.between(low, high).all():
        said, other = (
            "as milliseconds since 1970 all times lie before 20 February 1970",
            "seconds, set data.time_format: epoch_s",
        )
    elif unit == "s" and len(known) and known.between(low * 1000, high * 1000).all():
        said, other = (
            "as seconds since 1970 all times lie behind the year 5000",
            "milliseconds, set data.time_format: epoch_ms",
        )
    else:
        return pd.to_datetime(numbers, unit=unit, utc=True, errors="coerce")
    raise DataError(
        f"{origin}, column {time}: {said}. Received: {shown(column)}. If they are {other}", code="invalid_timestamp"
    )


def read_weeks(column: pd.Series) -> "pd.Series[pd.Timestamp]":
    """The Monday of ISO weeks such as 2024-W05 and 2024W05, or the day that is named (2024-W05-3); NaT for other cells."""
    parts = column.astype("str").str.extract(rf"^{_WEEK}$")
    weeks = parts[0] + "-W" + parts[1].str.zfill(2) + "-" + parts[2].fillna("1")
    found = pd.to_datetime(weeks, format="%G-W%V-%u", errors="coerce")
    # Some readers take week 53 of a year of 52 for the first week of the next one.
    return found.where(found.dt.isocalendar().week.eq(pd.to_numeric(parts[1])).fillna(False).to_numpy(dtype=bool))


def read_quarters(column: pd.Series) -> "pd.Series[pd.Timestamp]":
    """The first day of quarters such as 2024Q1, 2024-Q1, Q1 2024, Q1/2024 and T1 2024; NaT for other cells."""
    cells = column.astype("str")
    front, behind = cells.str.extract(f"^{_YEAR_AND_QUARTER}$"), cells.str.extract(f"^{_QUARTER_AND_YEAR}$")
    year, quarter = front[0].fillna(behind[2]), front[1].fillna(behind[0]).fillna(behind[1])
    months = pd.to_numeric(quarter) * 3 - 2
    return pd.to_datetime(
        year + "-" + months.map("{:02.0f}".format, na_action="ignore"), format="%Y-%m", errors="coerce"
    )


def written_numbers(column: pd.Series, form: str) -> pd.Series:
    """Whole numbers as texts that a format reads, with the zeros that a number has lost in front; other columns as they are."""
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column
    texts = column.map(lambda cell: f"{cell:.0f}" if pd.notna(cell) and cell % 1 == 0 else cell, na_action="ignore")
    digits = len(pd.Timestamp(2024, 12, 31, 23).strftime(form))
    return texts.map(lambda cell: cell.zfill(digits) if isinstance(cell, str) else str(cell), na_action="ignore")


def advice_for_numbers(column: pd.Series) -> str:
    """Which `time_format` reads a column of numbers, as far as the numbers tell."""
    numbers = pd.to_numeric(column, errors="coerce").dropna()
    low, high = (float(numbers.min()), float(numbers.max())) if len(numbers) else (0.0, 0.0)
    if _SECONDS[0] <= low and high <= _SECONDS[1] and not _are_dates(numbers):
        return "data.time_format: epoch_s, if these are seconds since 1970"
    if _SECONDS[0] * 1e3 <= low and high <= _SECONDS[1] * 1e3 and not _are_dates(numbers):
        return "data.time_format: epoch_ms, if these are milliseconds since 1970"
    if len(numbers) and _are_dates(numbers):
        return f"data.time_format: '{_DIGITS[len(f'{low:.0f}')]}'"
    return (
        "data.time_format: epoch_s, epoch_ms or a format such as '%Y%m%d'. If they only count the rows, leave `time` and "
        "`every` out"
    )


def _are_dates(numbers: pd.Series) -> bool:
    """Whether all of them are dates written without anything between year, month and day."""
    if not (numbers % 1 == 0).all():
        return False
    texts = numbers.head(1_000).map("{:.0f}".format)
    form = _DIGITS.get(len(texts.iloc[0]))
    if form is None or texts.str.len().nunique() > 1:
        return False
    found = pd.to_datetime(texts, format=form, errors="coerce")
    return bool(found.notna().all()) and bool(found.dt.year.between(1900, 2100).all())


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
    if pd.api.types.is_datetime64_any_dtype(column):
        only = "%H:%M:%S.%f" if place else "%Y-%m-%d"  # a workbook keeps a time of day as one of 1899 or 1970
        return column.dt.strftime(only) if form is None else column.astype("str").where(column.notna())
    if pd.api.types.is_timedelta64_dtype(column):
        return (pd.Timestamp(0) + column).dt.strftime("%H:%M:%S.%f")
    if pd.api.types.is_numeric_dtype(column):
        return _number(column, name, place, form, origin)
    return column.astype("str").str.strip().where(column.notna())


def _number(column: pd.Series, name: str, place: int, form: str | None, origin: str) -> pd.Series:
    if form is not None:
        part = form.split(" ")[place] if form.count(" ") >= place else ""
        return written_numbers(column, part) if "%" in part else column.map(str, na_action="ignore")
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
        return np.asarray(times.as_unit("ns").asi8 // (10**9 if EPOCHS[form] == "s" else 10**6))
    if form is None:
        return (times if times.tz is None else times.tz_convert("UTC")).astype(str)
    if form == QUARTER:
        return pd.Index([f"{time.year}Q{time.quarter}" for time in times])
    return times.strftime("%G-W%V-%u" if form == ISO_WEEK else form)
