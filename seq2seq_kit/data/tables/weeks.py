"""Weeks of a year as days: those of ISO 8601, which begin on Mondays, and those of the CDC (MMWR), which begin on Sundays."""

import re

import pandas as pd

from seq2seq_kit.recipe.time_fields import ISO_WEEK, MMWR_WEEK

_WEEK = r"\s*(\d{4})(?:[- ]?[WwKk][Ww]?\s?| |(?=\d{2}\s*$))(\d{1,2})(?:-?([1-7]))?\s*"
_WEEK_AND_YEAR = r"\s*(?:[Kk]?[Ww]|[Ww][Kk])[-. ]?(\d{1,2})[-/. ]+(\d{4})\s*"
_OF_CDC = re.compile(r"(?i)mmwr")  # an epidemiological week is one of ISO 8601 in Europe
_DAYS = 7
_FIRST, _LAST = 1700, 2200  # years that a timestamp can hold, with room


def read_weeks(column: pd.Series, form: str = ISO_WEEK) -> "pd.Series[pd.Timestamp]":
    """The first day of weeks such as 2024-W05, 2024W05, 202405, 2024 5 and KW05/2024; NaT for other cells.

    Args:
        column: Texts or numbers.
        form: `iso_week`, whose first day is a Monday; also the day that is named (2024-W05-3). Or `mmwr_week`, whose first day
            is a Sunday: week 1 has at least four days of its year (CDC, MMWR Weeks).
    """
    cells = column.astype("str")
    parts, turned = cells.str.extract(rf"^{_WEEK}$"), cells.str.extract(rf"^{_WEEK_AND_YEAR}$")
    parts[0], parts[1] = parts[0].fillna(turned[1]), parts[1].fillna(turned[0])
    if form == MMWR_WEEK:
        return _of_cdc(pd.to_numeric(parts[0]), pd.to_numeric(parts[1])).where(parts[2].isna())
    weeks = parts[0] + "-W" + parts[1].str.zfill(2) + "-" + parts[2].fillna("1")
    found = pd.to_datetime(weeks, format="%G-W%V-%u", errors="coerce")
    # Some readers take week 53 of a year of 52 for the first week of the next one.
    return found.where(found.dt.isocalendar().week.eq(pd.to_numeric(parts[1])).fillna(False).to_numpy(dtype=bool))


def write_weeks(times: pd.DatetimeIndex, form: str) -> pd.Index:
    """Weeks as `read_weeks` reads them."""
    if form == ISO_WEEK:
        return times.strftime("%G-W%V-%u")
    years = pd.Series((times + pd.Timedelta(days=3)).year)  # that of the middle of the week
    weeks = (pd.Series(times).dt.tz_localize(None) - _begin_of_cdc(years)).dt.days // _DAYS + 1
    return pd.Index(years.map("{:04d}".format) + weeks.map("-W{:02d}".format))


def kind_of_weeks(column: pd.Series, name: str) -> str | None:
    """The `time_format` that reads all cells of a column of weeks; None where none does.

    Weeks are those of the CDC where the column is called so, or where a year has a week 53 that ISO 8601 does not know.
    """
    kinds = (MMWR_WEEK, ISO_WEEK) if _OF_CDC.search(name) else (ISO_WEEK, MMWR_WEEK)
    return next((kind for kind in kinds if bool(read_weeks(column, kind).notna().all())), None)


def _of_cdc(years: pd.Series, weeks: pd.Series) -> "pd.Series[pd.Timestamp]":
    known = years.between(_FIRST, _LAST) & weeks.ge(1)
    years = years.where(known)
    begin, end = _begin_of_cdc(years), _begin_of_cdc(years + 1)
    found = begin + pd.to_timedelta((weeks - 1) * _DAYS, unit="D")
    return found.where(known & (found < end))


def _begin_of_cdc(years: pd.Series) -> "pd.Series[pd.Timestamp]":
    """The Sunday on or before 4 January."""
    fourth = pd.to_datetime(years.map("{:.0f}-01-04".format, na_action="ignore"), format="%Y-%m-%d", errors="coerce")
    return fourth - pd.to_timedelta((fourth.dt.day_of_week + 1) % _DAYS, unit="D")
