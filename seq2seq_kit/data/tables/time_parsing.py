"""Texts of times as pandas reads them: all of a column in one go, in ISO 8601 or as far as it recognises how they are written."""

import re

import pandas as pd
from pandas.tseries.api import guess_datetime_format

from seq2seq_kit.data.tables.time_orders import forms_of
from seq2seq_kit.errors import DataError

_DATE = re.compile(r"\d{1,2}(?P<sign>[./-])\d{1,2}(?P=sign)\d{4}(?P<clock> \d{1,2}:\d{2}(?P<seconds>:\d{2})?)?")
_MONTHS = 12
_OFFSET = r":\d{2}(?:[.,]\d+)?\s*(?:[AaPp][Mm]\s*)?(?:Z|UTC|[+-]\d{2}(?::?\d{2})?)$"
# The name of the day in front of a date, and the ending of a number.
_NAMED_DAY = r"^\s*(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+|(?<=\d)(?:st|nd|rd|th)\b"


def in_iso(column: pd.Series) -> "pd.Series[pd.Timestamp] | None":
    """The times of texts that are all in ISO 8601, where nothing else has to be looked at; None for others."""
    if pd.api.types.infer_dtype(column, skipna=True) != "string":
        return None
    try:
        times = pd.to_datetime(column, format="ISO8601", errors="coerce")
    except (ValueError, TypeError, OverflowError):  # several offsets
        return None
    return None if times.isna().any() else times


def in_numbers(column: pd.Series) -> "tuple[pd.Series[pd.Timestamp], bool] | None":
    """The times of texts that are all like 31.01.2024 13:00 or 1/31/2024, and whether the day is first, told by a day above 12.

    None for others, and where no day is above 12.
    """
    if pd.api.types.infer_dtype(column, skipna=False) != "string" or not (
        found := _DATE.fullmatch(str(column.iloc[0]))
    ):
        return None
    sign, clock = found["sign"], (" %H:%M:%S" if found["seconds"] else " %H:%M") if found["clock"] else ""
    for first, second in (("%d", "%m"), ("%m", "%d")):
        form = f"{first}{sign}{second}{sign}%Y{clock}"
        times = pd.to_datetime(column, format=form, errors="coerce")
        if times.notna().all():
            return (times, first == "%d") if bool((times.dt.day > _MONTHS).any()) else None
    return None


def parse(
    column: pd.Series, form: str | None, day_first: bool | None, zone: str, time: str, origin: str
) -> "pd.Series[pd.Timestamp]":
    """The times of texts, see `_parsed`; texts with several offsets in UTC where `zone` says whose clock they follow.

    Raises:
        DataError: They have several offsets and no zone, or only some have one.
    """
    for utc in (False, True):
        try:
            return _parsed(column, form, day_first, utc=utc)
        except (ValueError, TypeError, OverflowError):
            if utc or not zone or not all_with_offset(column):
                break
    cells = column.dropna()
    if form is None and not all_with_offset(column):
        told = with_offset(column)
        some, none = (next(iter(cells[of]), "(none)") for of in (told, ~told))
        said = f"some timestamps have an offset from UTC and others none, such as {some} and {none}"
        advice = "write all of them in UTC, or all without a zone"
    else:
        said = f"the timestamps have different offsets from UTC, such as {cells.iloc[0]} and {cells.iloc[-1]}"
        advice = "name the zone whose clock they follow in data.time_zone (Europe/Berlin), or write all of them in UTC"
    raise DataError(f"{origin}, column {time}: {said}; {advice}", code="mixed_utc_offsets")


def _parsed(column: pd.Series, form: str | None, day_first: bool | None, *, utc: bool) -> pd.Series:
    if form is not None:
        times = pd.to_datetime(column, format=form, errors="coerce", utc=utc)
        # Year first is never ambiguous; times that another program wrote anew have it.
        return times if times.notna().any() else pd.to_datetime(column, format="ISO8601", errors="coerce", utc=utc)
    times = pd.to_datetime(column, format="ISO8601", errors="coerce", utc=utc)
    if bool(times.notna().any()) or not len(column):
        return times
    ordered, first = bool(day_first), str(next(iter(column.dropna()), ""))
    short = forms_of(first.strip())[0 if ordered else 1]
    # Of directives and signs alone: a zone's word or 0930 would be passed over as what stands in every row.
    if "%y" in short and not re.search(
        r"[^\W_]", re.sub(r"%\w", "", short)
    ):  # pandas guesses the century by today's date: 70 would be 2070; strptime's is fixed
        times = pd.to_datetime(
            column.astype("str").str.strip().where(column.notna()), format=short, errors="coerce", utc=utc
        )
        if times.notna().all():
            return times
    form = None if guess_datetime_format(first, dayfirst=ordered) else "mixed"
    times = pd.to_datetime(column, format=form, errors="coerce", dayfirst=ordered, utc=utc)
    if form is None and times.isna().any() and column.astype("str").str.contains(_NAMED_DAY, regex=True).all():
        # The name of the first cell's day, or the ending of its number (1st), is no part of the format.
        plain_days = column.astype("str").str.replace(_NAMED_DAY, "", regex=True).where(column.notna())
        return pd.to_datetime(plain_days, format="mixed", errors="coerce", dayfirst=ordered, utc=utc)
    return times


def with_offset(column: pd.Series) -> pd.Series:
    """Whether each of the times that are there says how far it is from UTC."""
    cells = column.dropna()
    if pd.api.types.infer_dtype(cells) != "string":
        return cells.map(lambda cell: getattr(cell, "tzinfo", None) is not None).astype("bool")
    return cells.astype("str").str.strip().str.contains(_OFFSET, regex=True)


def all_with_offset(column: pd.Series) -> bool:
    """Whether each time says how far it is from UTC."""
    return bool(with_offset(column).all())
