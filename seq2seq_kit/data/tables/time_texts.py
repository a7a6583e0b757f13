"""Texts of times that pandas does not read as they stand: 24:00, and intervals, which are read by their start."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

_MIDNIGHT = re.compile(r"(?<=[\sT])24(?P<sign>[:.h])00(?P<rest>(?:[:.]00(?:[.,]0+)?)?)(?!\d)")
_HOUR_24 = re.compile(r"(?<=\d )24$")
_SPAN = re.compile(
    r"\s*(?P<first>\d[^\u2013\u2014]*?\d)(?:\s+(?:-|\u2013|\u2014|to|bis)\s+|\s*[\u2013\u2014]\s*)(?P<second>\d.*?\d)\s*"
)
_OF_DAY = re.compile(r"(?P<first>(?:.*\s)?(?P<begin>\d{1,2}:\d{2}))\s*-\s*(?P<end>\d{1,2}:\d{2})")
_WORD_AND_OFFSET = re.compile(
    r"(?<=\d)\s*\(?(?:UTC|GMT)\s*(?:(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?)?\)?"
    r"(?:\s*\([^()\d]+\))?\s*$",  # JavaScript's dates have the zone's name behind
    re.IGNORECASE,
)
# The words of a clock that is set in summer, and how far it is from UTC in winter; by summer an hour more.
_CLOCKS = {
    ("EST", "EDT"): -5.0, ("CST", "CDT"): -6.0, ("MST", "MDT"): -7.0, ("PST", "PDT"): -8.0, ("AKST", "AKDT"): -9.0,
    ("WET", "WEST"): 0.0, ("GMT", "BST"): 0.0, ("CET", "CEST"): 1.0, ("MEZ", "MESZ"): 1.0, ("EET", "EEST"): 2.0,
    ("ACST", "ACDT"): 9.5, ("AEST", "AEDT"): 10.0, ("NZST", "NZDT"): 12.0,
}  # fmt: skip
_ELSEWHERE = {"CST", "BST"}  # also the words of China and Bangladesh, so that one alone tells nothing
_ZONE_WORD = re.compile(r"(?<=\d)(?P<before>\s*(?:[AaPp][Mm])?\s*)\(?(?P<word>[A-Z]{3,4})\)?\s*$")
_JANUARY, _JULY = pd.Timestamp("2024-01-15"), pd.Timestamp("2024-07-15")
_DAY = pd.Timedelta(days=1)
_DAY_MINUTES = 24 * 60
_PARTS_OF_A_DATE = 3
_LOOKED_AT = 100  # cells


def interval_starts(column: pd.Series, form: str | None = None) -> pd.Series:
    """The start of intervals that are written as texts, `01.01.2024 00:00 - 01.01.2024 01:00`; other columns as they are.

    `form`: the format that they should have; what it reads as it stands is no interval: `20240131 - 0100` by `%Y%m%d - %H%M`.
    """
    if not _are_texts(column) or (form is not None and _reads(column, form)):
        return column
    cells = column.dropna()
    for span in (_OF_DAY, _SPAN):
        if not span.fullmatch(str(cells.iloc[0])):
            continue
        found = [span.fullmatch(str(cell)) for cell in cells]
        spans = [each for each in found if each]
        if len(spans) == len(cells) and (_are_of_a_length(spans) if span is _OF_DAY else all(map(_are_alike, spans))):
            read = pd.Series([each["first"] for each in spans], index=cells.index, dtype=object)
            return read.reindex(column.index)
    return column


def _reads(column: pd.Series, form: str) -> bool:
    """Whether a format, or ISO, reads any of the first cells."""
    column = column.dropna().head(_LOOKED_AT)
    read = (pd.to_datetime(column, format=each, errors="coerce", utc=True) for each in (form, "ISO8601"))
    return any(times.notna().any() for times in read)


def _are_of_a_length(spans: Sequence[re.Match[str]]) -> bool:
    """Whether times of day such as 10:00-11:00 are intervals: `10:00-05:00` is a time and how far it is from UTC."""
    begins, ends = ([_minutes(each[name]) for each in spans] for name in ("begin", "end"))
    lengths = {(end - begin) % _DAY_MINUTES for begin, end in zip(begins, ends, strict=True)}
    return len(lengths) == 1 and 0 not in lengths and len(set(ends)) > 1


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


def _are_alike(found: re.Match[str]) -> bool:
    """Whether both ends of an interval are whole dates that are written alike: as many digits where digits are."""
    first, second = (re.sub(r"\d{1,2}(?!\d)", "0", found[end]) for end in ("first", "second"))
    first, second = (re.sub(r"\d", "0", end) for end in (first, second))
    return first == second and len(re.findall(r"\d+", found["first"])) >= _PARTS_OF_A_DATE


def without_24(column: pd.Series, *, digits: bool = False) -> tuple[pd.Series, np.ndarray | None]:
    """Texts whose 24:00 is written as 00:00, and which of them are of the day after; None where there is none.

    `digits`: whether a last number 24 is an hour, too: `2024-01-31 24`.
    """
    if not _are_texts(column):
        return column, None
    form = _HOUR_24 if digits else _MIDNIGHT
    cells = column.astype("str").where(column.notna())
    zeros = "00" if digits else r"00\g<sign>00\g<rest>"
    turned = cells.str.replace(form, zeros, regex=True)
    there = (turned != cells).to_numpy(dtype=bool) & column.notna().to_numpy()
    return (turned, there) if there.any() else (column, None)


def a_day_later(times: pd.Series, there: np.ndarray | None) -> pd.Series:
    """Times of which some, see `without_24`, are those of the next day."""
    return times if there is None else times.where(~there, times + _DAY)


def with_offsets(column: pd.Series, zone: str = "", *, alone: bool = False) -> pd.Series:
    """Texts whose offset follows the word UTC or GMT as ISO writes it; pandas takes `GMT+1` as POSIX does, west for east.

    The words of a clock's winter and summer, `EST` and `EDT`, are offsets, too, where a column has both; one alone is where
    it is a word of `zone`, or where `alone` says so.
    """
    if not _are_texts(column):
        return column
    first = column.dropna().head(_LOOKED_AT).astype("str")
    if not any(_ZONE_WORD.search(cell) or _WORD_AND_OFFSET.search(cell) for cell in first):
        return column
    column = _with_offsets_of_words(column, zone, alone)
    cells = column.astype("str")
    turned = cells.str.replace(_WORD_AND_OFFSET, _iso_offset, regex=True)
    return column if (turned == cells).all() else turned.where(column.notna())


def _with_offsets_of_words(column: pd.Series, zone: str, alone: bool) -> pd.Series:
    cells = column.astype("str")
    words = set(cells.str.extract(_ZONE_WORD)["word"].where(column.notna()).dropna().unique())
    offsets = next(
        (
            {winter: at, summer: at + 1}
            for (winter, summer), at in _CLOCKS.items()
            if words == {winter, summer} or (alone and words < {winter, summer} and not words & _ELSEWHERE)
        ),
        {},
    )
    if not offsets and words and zone:
        named = (time.tz_localize(zone) for time in (_JANUARY, _JULY))
        offsets = {str(time.tzname()): _hours_from_utc(time) for time in named}
    if not words or not words <= offsets.keys():
        return column

    def offset(found: re.Match[str]) -> str:
        minutes = round(offsets[found["word"]] * 60)
        return (
            f"{found['before'].rstrip()}{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
        )

    return cells.str.replace(_ZONE_WORD, offset, regex=True).where(column.notna())


def _hours_from_utc(time: pd.Timestamp) -> float:
    offset = time.utcoffset()
    return 0.0 if offset is None else offset.total_seconds() / 3600


def _iso_offset(found: re.Match[str]) -> str:
    return f"{found['sign'] or '+'}{int(found['hours'] or 0):02d}:{found['minutes'] or '00'}"


def _are_texts(column: pd.Series) -> bool:
    return bool(column.notna().any()) and pd.api.types.infer_dtype(column, skipna=True) == "string"
