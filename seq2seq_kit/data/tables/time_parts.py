"""Texts of times that lack what makes them one: a year, or a date. pandas fills in the year 1, or the day of today."""

import re

import numpy as np
import pandas as pd

from seq2seq_kit.errors import DataError

# The name of a month and one number of two digits: a day or a year.
_NO_YEAR = r"\s*(?:[A-Za-z]{3,9}\.?[-/. ,']*\d{1,2}|\d{1,2}[-/. ]*[A-Za-z]{3,9}\.?)\s*"
_OF_DAY = r"'?\s*\d{1,3}(?::\d{1,2}){1,2}(?:[.,]\d+)?\s*(?:[AaPp]\.?[Mm]\.?)?\s*'?"
_FIRST_YEAR = 1000
# Days of a year that is none of the Gregorian calendar's, as it seems.
_YEARS = r"1[34]\d\d|2[4-6]\d\d"
_DAY_OF_YEAR = rf"\s*(?:(?P<y>{_YEARS})(?:[-/.]\d{{1,2}}){{2}}|\d{{1,2}}[-/. ]\w{{1,12}}[-/. ](?P<z>{_YEARS}))(?!\d).*"
_BUDDHIST = 543


def refuse_without_date(column: pd.Series, time: str, origin: str) -> None:
    """Raises `DataError` where a text is a time of day or minutes and seconds, or a month with one number."""
    if pd.api.types.infer_dtype(column, skipna=True) != "string":
        return
    cells = column.astype("str").where(column.notna(), "")
    of_day = cells.str.fullmatch(_OF_DAY)
    if of_day.any():
        row = int(np.flatnonzero(of_day.to_numpy(dtype=bool))[0])
        raise DataError(
            f"{origin}, row {row + 1}, column {time}: expected timestamps. Received: {cells.iloc[row]!r}, which is a time "
            f"without a date. Name the column of the dates before it: data.time: [<dates>, {time}]; or, where it counts "
            "from the beginning of the rows, leave the column out and have each row count as a step",
            code="invalid_timestamp",
        )
    _refuse_without_year(column, time, origin)


def refuse_other_calendar(column: pd.Series, time: str, origin: str) -> None:
    """Raises `DataError` where all days are of years such as 2567 or 1402, which are 2024 in Thailand and 2023 in Iran.

    Read as they stand they would have other weekdays, and lengths of months. Years alone, as of tree rings, are no days.
    """
    known = column.dropna()
    if not len(known) or not isinstance(known.iloc[0], str) or not re.fullmatch(_DAY_OF_YEAR, known.iloc[0]):
        return
    found = known.astype("str").str.extract(_DAY_OF_YEAR)
    years = found["y"].fillna(found["z"])
    if years.isna().any():
        return
    name = time.split(" + ")[0]  # of a date and a time of day
    thai = years.astype(int).min() > 2000
    cure = (
        f"years of the Buddhist era, {_BUDDHIST} ahead. Make them: frame[{name!r}] = frame[{name!r}].str.replace("
        f"'[0-9]{{4}}', lambda year: str(int(year[0]) - {_BUDDHIST}), n=1, regex=True)"
        if thai
        else "days of the Persian or the Islamic calendar. Convert them with a package such as jdatetime or hijridate"
    )
    raise DataError(
        f"{origin}, column {time}: expected dates of the Gregorian calendar. Received: {known.iloc[0]!r} to "
        f"{known.iloc[-1]!r}, which seem to be {cure}",
        code="invalid_timestamp",
    )


def refuse_year_one(column: pd.Series, times: pd.Series, time: str, origin: str) -> None:
    """Raises `DataError` where times are of the year 1, which is what `01/01 05:00` is read as."""
    early = (times.dt.year < _FIRST_YEAR).to_numpy(dtype=bool)
    if early.any():
        row = int(np.flatnonzero(early)[0])
        raise DataError(
            f"{origin}, row {row + 1}, column {time}: expected times with a year. Received: {column.iloc[row]!r}. Write the "
            f"year of each: frame[{time!r}] = '2024/' + frame[{time!r}].str.strip(), with the one that they are of",
            code="invalid_timestamp",
        )


def _refuse_without_year(column: pd.Series, time: str, origin: str) -> None:
    """Of `Jan-05` pandas makes the 5th of January of the year 1."""
    if pd.api.types.infer_dtype(column, skipna=True) != "string":
        return
    cells = column.dropna().astype("str")
    found = cells[cells.str.fullmatch(_NO_YEAR)]
    if not len(found):
        return
    # Names and numbers in the other order, and what is between them.
    cell = str(found.iloc[0]).strip()
    first, sign, second = re.fullmatch(r"([A-Za-z]+|\d+)(.*?)([A-Za-z]+|\d+)\.?", cell).groups()  # type: ignore[union-attr]
    month = "%B" if any(len(part) > 3 and part.isalpha() for part in (first, second)) else "%b"
    form = f"%y{sign}{month}" if first.isdigit() else f"{month}{sign}%y"
    row = int(np.flatnonzero(column.eq(found.iloc[0]).to_numpy(dtype=bool))[0])
    raise DataError(
        f"{origin}, row {row + 1}, column {time}: {cell!r} may be a "
        f"month with its year or a day without one. Expected times with a year. Say it in the recipe: data.time_format: '{form}' "
        "(month and year), or write the year of each day",
        code="ambiguous_dates",
    )
