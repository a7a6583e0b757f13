"""The order of day, month and year in dates of numbers: what else than the order that was found the rows may have."""

import re
from datetime import date

import numpy as np
import pandas as pd

from seq2seq_kit.errors import DataError

_NUMBERS = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
_SHORT = r"^\s*(\d{2})([./-])(\d{2})\2(\d{2})(?!\d)"
_TIMES = (
    (r"\d{1,2}:\d{2}:\d{2}[.,]\d+", "%H:%M:%S.%f"),
    (r"\d{1,2}:\d{2}:\d{2}", "%H:%M:%S"),
    (r"\d{1,2}:\d{2}", "%H:%M"),
    (r"(?<!\d)\d{1,2}(?!\d)", "%H"),
)
_TWICE = 2
_ENOUGH = 12  # rows: fewer may follow each other by chance
_MONTHS = 12
_AHEAD = 20  # years from now that a year of two digits may be of: longer plans write the century


def forms_of(cell: str) -> tuple[str, str]:
    """The formats that read a text such as 03/04/24 9 AM with the day first and with the month first."""
    found = _NUMBERS.search(cell)
    if found is None:
        return "%d/%m/%Y", "%m/%d/%Y"
    sign, year = found[2], "%Y" if len(found[4]) > _TWICE else "%y"
    return tuple(  # type: ignore[return-value]
        f"{_timed(cell[: found.start()])}{first}{sign}{second}{sign}{year}{_timed(cell[found.end() :])}"
        for first, second in (("%d", "%m"), ("%m", "%d"))
    )


def _timed(text: str) -> str:
    """What stands before or behind a date, its time of day as a format."""
    half = re.search(r"\s*[AaPp][Mm]\b", text)
    for form, read in _TIMES:
        if re.search(form, text):
            text = re.sub(form, read.replace("%H", "%I") if half else read, text, count=1)
            break
    return re.sub(r"[AaPp][Mm]\b", "%p", text)


def refuse_other_order(column: pd.Series, times: pd.Series, day_first: bool | None, time: str, origin: str) -> None:
    """Raises `DataError` where times come in no order, as dates were read, and in a strict one as they may be read, too.

    11/05/31 may be the 31st of May 2011, and days up to 12 may have changed places with their months in a workbook.
    """
    if day_first is None or len(times) <= _TWICE or _goes_on(times):
        return
    texts = column.astype("str")
    if re.match(_SHORT, str(texts.iloc[0])) and (short := texts.str.extract(_SHORT)).notna().to_numpy().all():
        sign = str(short[1].iloc[0])
        form = f"%y{sign}%m{sign}%d" + _timed(str(texts.iloc[0]).strip()[8:])
        if _goes_on(pd.to_datetime(texts.str.strip(), format=form, errors="coerce")):
            raise DataError(
                f"{origin}, column {time}: {texts.iloc[0]!r} may have the year first: read so, the rows follow each other, "
                f"with the {'day' if day_first else 'month'} first they do not. Say it: data.time_format: '{form}' "
                f"or '{forms_of(str(texts.iloc[0]).strip())[0 if day_first else 1]}'",
                code="ambiguous_dates",
            )
    either = _in_order_if_turned(times)
    if not either.any():
        return
    if not texts.str.extract(_NUMBERS).isna().to_numpy().any():  # months by their names are not turned
        row = int(np.flatnonzero(either)[0])
        raise DataError(
            f"{origin}, column {time}: some dates have the day first and others the month, it seems: with the "
            f"{'day' if day_first else 'month'} first everywhere the rows are in no order, and they follow each other where days "
            f"up to 12, such as {texts.iloc[row]!r} in row {row + 1}, are read the other way. A workbook that was opened with "
            "another language does that. Write all dates year first, 2024-01-31",
            code="ambiguous_dates",
        )


def refuse_other_century(
    column: pd.Series, times: pd.Series, form: str | None, day_first: bool | None, time: str, origin: str
) -> None:
    """Raises `DataError` where years of two digits are read as ones that are long to come: of 60 strptime makes 2060."""
    last = date.today().year + _AHEAD
    late = (times.dt.year > last).to_numpy(dtype=bool)
    if not late.any():
        return
    row = int(np.flatnonzero(late)[0])
    if "%y" not in form if form else str(times.iloc[row].year) in str(column.iloc[row]):
        return
    guessed = forms_of(str(column.iloc[row]).strip())[0 if day_first else 1]
    read_as = form or (
        guessed if "%y" in guessed else "mixed"
    )  # mixed: a month by its name, which leaves no order open
    raise DataError(
        f"{origin}, row {row + 1}, column {time}: the year of {column.iloc[row]!r} has two digits, and is read as "
        f"{times.iloc[row].year}; expected no year behind {last}. If they are of the century before, write them with four: "
        f"times = pandas.to_datetime(frame[{time!r}], format={read_as!r}); frame[{time!r}] = "
        f"times.where(times.dt.year <= {last}, times - pandas.DateOffset(years=100))",
        code="ambiguous_dates",
    )


def refuse_turned_days(column: pd.Series, times: pd.Series, time: str, origin: str) -> None:
    """Raises `DataError` where times that leave no order open come in none, and in a strict one with day and month turned."""
    if len(times) < _ENOUGH or _goes_on(times):
        return
    either = _in_order_if_turned(times)
    if either.all() or not either.any():
        return
    row = int(np.flatnonzero(either)[0])
    raise DataError(
        f"{origin}, row {row + 1}, column {time}: day and month are turned where both are at most 12, it seems: as they stand, "
        f"such as {column.iloc[row]}, the rows are in no order, and read the other way they follow each other. A workbook that "
        "was opened with another language does that. Get the file from its source anew, or turn those dates",
        code="ambiguous_dates",
    )


def refuse_turned(column: pd.Series, time: str, origin: str) -> None:
    """Raises `DataError` where a workbook has read dates of another language: those up to the 12th are dates, and turned.

    The others it left as texts, `13/01/2022`, so each of them has a number above 12 and no date a day above 12.
    """
    if column.dtype != object or pd.api.types.infer_dtype(column, skipna=True) in ("string", "datetime", "date"):
        return
    is_date = column.map(lambda cell: isinstance(cell, date)).to_numpy(dtype=bool)
    numbers = column[~is_date].dropna().astype("str").str.extract(_NUMBERS)[[0, 2]].dropna().astype(int)
    days = [cell.day for cell in column[is_date] if not pd.isna(cell)]
    if not days or not len(numbers) or max(days) > _MONTHS or not (numbers.max(axis=1) > _MONTHS).all():
        return
    row = int(np.flatnonzero(~is_date & column.notna().to_numpy())[0])
    raise DataError(
        f"{origin}, row {row + 1}, column {time}: {len(numbers):,} dates are texts such as {column.iloc[row]!r}, and "
        f"{len(days):,} are dates whose day is at most 12: a workbook that was opened with another language has read "
        "those up to the 12th, with day and month turned. Get the file from its source anew and import the column as text; or "
        "turn those that are dates",
        code="ambiguous_dates",
    )


def _in_order_if_turned(times: pd.Series) -> np.ndarray:
    """Which times may have day and month turned, where all follow each other with these turned; else none."""
    either = ((times.dt.day <= _MONTHS) & (times.dt.day != times.dt.month)).to_numpy()
    return either & _goes_on(times.where(~either, _turned(times.where(either))))


def _turned(times: pd.Series) -> pd.Series:
    """Times with the number of the day for that of the month and the reverse."""
    days = pd.to_datetime({"year": times.dt.year, "month": times.dt.day, "day": times.dt.month}, errors="coerce")
    return days.dt.tz_localize(times.dt.tz) + (times - times.dt.normalize())


def _goes_on(times: pd.Series) -> bool:
    """Whether all times are known and each is behind the one before it, or before it."""
    return bool(times.notna().all()) and (times.is_monotonic_increasing or times.is_monotonic_decreasing)
