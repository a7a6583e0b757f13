"""The columns that say when: timestamps, a date and a time of day, numbers that count time, weeks."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
import pandas as pd
from pandas.tseries.api import guess_datetime_format

from seq2seq_kit.data.tables.cells import shown
from seq2seq_kit.data.tables.month_names import in_english
from seq2seq_kit.data.tables.time_formats import column_of_times, read_quarters
from seq2seq_kit.data.tables.time_parsing import all_with_offset
from seq2seq_kit.data.tables.time_texts import interval_starts, with_offsets, without_24
from seq2seq_kit.data.tables.timestamps import TimeStyle, read_times
from seq2seq_kit.data.tables.weeks import kind_of_weeks, read_weeks
from seq2seq_kit.drafting.counted import HINT, TOLD, kind_of_numbers
from seq2seq_kit.drafting.notes import listed
from seq2seq_kit.drafting.parts import (
    dates_alone,
    find_hours,
    find_minutes,
    find_parts,
    of_months,
    of_short_years,
    refuse_periods,
    tells_the_time,
)
from seq2seq_kit.drafting.unread import own_form, unread_times
from seq2seq_kit.drafting.zones import zone_of_changes, zone_of_offsets, zone_of_word
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.time_fields import EPOCHS, EXCEL_DAYS, ISO_WEEK

_LOOKED_AT = 400
_MOSTLY = 0.9
_TIME_OF_DAY = r"\s*\d{1,2}[:.h]\d{2}(?:[:.]\d{2}(?:[.,]\d+)?)?\s*(?i:[ap]\.?m\.?)?\s*"
_QUARTER = r"(?i)\s*(?:\d{4}[-/. ]*[QT][-/. ]*[1-4]|(?:[QT][-/. ]*[1-4]|[1-4][-/. ]*[QT])[-/. ]*\d{4})\s*"
_ISO_WEEK = r"(?i)\s*(?:\d{4}[- ]?[WK]W?\s?\d{1,2}|(?:K?W|WK)[-. ]?\d{1,2}[-/. ]+\d{4})\s*"
_DATE_LIKE = r"(?=.*\d).*(?:\d[-/. :T]\d|[A-Za-z]{3,}|^\s*\d{8}\s*$|^\s*\d{14}\s*$).*"
_HOURS = 24
_OF_DAY = re.compile(r"uhr|zeit|time|hora|heure|ora\b|clock", re.I)


@dataclass(frozen=True)
class Clock:
    """When the rows are.

    Attributes:
        columns: One column, or a date and a time of day.
        times: Of each row, in the frame's order.
        keys: What the recipe has to say beside the column: `time_format`, `time_zone`.
        said: Decisions, as pairs of key and sentence.
        others: Further columns that hold times, which nothing needs.
    """

    columns: list[str]
    times: pd.DatetimeIndex
    keys: dict[str, str] = field(default_factory=dict)
    said: list[tuple[str, str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def find_clock(frame: pd.DataFrame, origin: str, given: Mapping[str, object] | None = None) -> Clock | None:
    """The clock of a table; None where no column says when.

    Args:
        frame: The table.
        origin: What messages call it.
        given: Keys of `data` that are settled already: `time`, `time_format`, `time_zone`.

    Raises:
        DataError: It cannot be told how the times are written; the message names the key that settles it.
    """
    named = (given or {}).get("time")
    names = [str(name) for name in ([named] if isinstance(named, str) else named if isinstance(named, list) else [])]
    if absent := [name for name in names if name not in frame.columns]:
        raise DataError(
            f"{origin} lacks the column {absent[0]}; it has {listed(list(frame.columns))}", code="missing_column"
        )
    kinds = {str(name): kind for name in frame.columns if (kind := _kind(frame[name], str(name)))}
    keys = {key: str(value) for key, value in (given or {}).items() if key in ("time_format", "time_zone") and value}
    if keys:
        unread = unread_times(frame)
        names = names or sorted(kinds, key=lambda name: not HINT.search(name))[:1] or ([unread] if unread else [])
    if len(names) > 1 or (names and keys):
        return _as_said(frame, names, keys, [name for name in kinds if name not in names], origin)
    kinds = {name: kind for name, kind in kinds.items() if not names or name in names}
    stamps = [name for name, kind in kinds.items() if kind != "of_day"]
    if all(kinds[name] == "%Y" for name in stamps):
        parts, form = find_parts(frame)
        if parts:
            said = f"{' and '.join(parts)} tell when, in parts"
            return _joined(frame, parts, said, [name for name in kinds if name not in parts], origin, form)
    if not stamps:
        unread = unread_times(frame)
        if unread is None:
            return None
        if form := own_form(frame[unread]):
            return _as_said(frame, [unread], {"time_format": form}, [], origin)
        zone = zone_of_word(frame[unread])
        return _as_said(frame, [unread], {"time_zone": zone}, [], origin) if zone else None
    chosen = min(
        stamps, key=lambda name: (not HINT.search(name), kinds[name] in (*EPOCHS, EXCEL_DAYS), list(kinds).index(name))
    )
    of_day = [name for name, kind in kinds.items() if kind == "of_day"]
    asked = (given or {}).get("series") or []
    # Numbers that may be days of a workbook are a clock or a measurement, nothing that is left aside.
    others = [name for name in kinds if name != chosen and kinds[name] != EXCEL_DAYS]
    of_day = [name for name in of_day if tells_the_time(frame[chosen], frame[name], name)]
    if of_day and kinds[chosen] in ("text", "stamp") and dates_alone(frame[chosen]):
        said = f"{chosen} has the dates and {of_day[0]} the times of day"
        return _joined(frame, [chosen, of_day[0]], said, [name for name in others if name != of_day[0]], origin)
    if kinds[chosen] in ("text", "stamp", "%Y%m%d") and dates_alone(frame[chosen]):
        if hours := find_hours(frame.drop(columns=asked, errors="ignore"), chosen):
            whole = [name for name in others if not dates_alone(frame[name])]
            if frame[hours[0]].max() == _HOURS and whole:
                return _one(frame, whole[0], kinds[whole[0]], [chosen, *others], origin)
            form = _form_of_dates(frame[chosen], kinds[chosen], chosen, origin)
            if frame[hours[0]].max() == _HOURS:
                _refuse_hour_24(chosen, hours[0], form, origin)
            named = len(hours) > 1 or kinds[chosen] == "%Y%m%d"
            form = f"{form} %H{' %M' * (len(hours) > 1)}" if form and named else None
        elif minutes := find_minutes(frame, chosen):
            of_minutes, written = minutes
            hours, form = [of_minutes], f"{_form_of_dates(frame[chosen], kinds[chosen], chosen, origin)} {written}"
        else:
            if "series" not in (given or {}):
                refuse_periods(frame, chosen, origin)
            return _one(frame, chosen, kinds[chosen], others, origin)
        said = f"{chosen} has the dates and {' and '.join(hours)} the time of day"
        return _joined(frame, [chosen, *hours], said, [name for name in others if name not in hours], origin, form)
    return _one(frame, chosen, kinds[chosen], others, origin)


def _refuse_hour_24(dates: str, hour: str, form: str | None, origin: str) -> NoReturn:
    read = f"frame[{dates!r}]{f'.astype(str), format={form!r}' if form else ''}"
    raise DataError(
        f"{origin}, column {hour}: hours 1 to 24 may be told by their beginning or their end. Expected one column of timestamps. "
        f"Make it: frame['time'] = pandas.to_datetime({read}) + pandas.to_timedelta(frame[{hour!r}] - 1, unit='h'), which names "
        f"each hour by its beginning, and drop {dates} and {hour}; or set, to name it by its end, data.time: [{dates}, {hour}] "
        f"and the data.time_format of both, such as '{form or '%Y-%m-%d'} %H'",
        code="invalid_timestamp",
    )


def _form_of_dates(column: pd.Series, kind: str, name: str, origin: str) -> str | None:
    """How dates are written, in the words of strftime; None where they are no texts."""
    if kind == "stamp":
        return "%Y-%m-%d"
    if kind != "text":
        return kind
    _, style = read_times(column, name, origin)
    return guess_datetime_format(str(in_english(column.dropna()).iloc[0]).strip(), dayfirst=bool(style.day_first))


def _as_said(frame: pd.DataFrame, names: list[str], keys: dict[str, str], others: list[str], origin: str) -> Clock:
    """A clock of which it is said how it is read."""
    form = keys.get("time_format")
    style = TimeStyle(format=form, reads_as=keys.get("time_zone"))
    times, _ = read_times(column_of_times(frame, names, form, origin), " + ".join(names), origin, style=style)
    return Clock(
        names,
        times,
        keys,
        [("time", f"{' and '.join(names)}: read as {', '.join(keys.values()) or 'asked for'}")],
        others,
    )


def _kind(column: pd.Series, name: str) -> str:
    """`stamp`, `text`, `of_day`, `week`, a word of `time_format` for numbers, or nothing."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return "stamp"
    if pd.api.types.is_bool_dtype(column):
        return ""
    if pd.api.types.is_numeric_dtype(column):
        return kind_of_numbers(column, name)
    cells = column.dropna().astype("str")
    cells = interval_starts(cells.iloc[:: max(1, len(cells) // _LOOKED_AT)].head(_LOOKED_AT))
    cells = with_offsets(without_24(in_english(cells))[0])
    if not len(cells):
        return ""
    if cells.str.fullmatch(_TIME_OF_DAY).mean() > _MOSTLY and not _are_days(cells, name):
        return "of_day"
    for kind, form in (("week", _ISO_WEEK), ("quarter", _QUARTER)):
        if cells.str.fullmatch(form).mean() > _MOSTLY:
            return kind
    if cells.str.fullmatch(_DATE_LIKE).mean() <= _MOSTLY:
        return ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = pd.to_datetime(cells, errors="coerce", format="mixed", utc=True)
    return "text" if read.notna().mean() > _MOSTLY else ""


def _are_days(cells: pd.Series, name: str) -> bool:
    """Whether three numbers with points between them, such as 11.02.21, are a date."""
    numbers = cells.str.extract(r"^\s*(\d{1,2})\.(\d{2})\.(\d{2})\s*$")
    if numbers.isna().to_numpy().any():
        return False
    return bool((numbers[0].astype(int) >= _HOURS).any()) or not _OF_DAY.search(name)


def _joined(
    frame: pd.DataFrame, names: list[str], said: str, others: list[str], origin: str, form: str | None = None
) -> Clock:
    """A clock of several columns, read as the recipe reads it."""
    texts, name = column_of_times(frame, names, form, origin), " + ".join(names)
    if form is None:
        found = _of_texts(texts, name, origin)
    else:
        found = Clock([], read_times(texts, name, origin, style=TimeStyle(format=form))[0], {"time_format": form})
    return Clock(names, found.times, found.keys, [("time", said), *found.said], others)


def _one(frame: pd.DataFrame, name: str, kind: str, others: list[str], origin: str) -> Clock:
    column = frame[name]
    if kind == "text":
        found = _of_texts(column, name, origin)
    elif kind == "week":
        form = kind_of_weeks(column, name) or ISO_WEEK
        said = f"weeks{'' if form == ISO_WEEK else ' as the CDC counts them'}, such as {column.iloc[0]}"
        found = Clock([], pd.DatetimeIndex(read_weeks(column, form)), {"time_format": form}, [("time_format", said)])
    elif kind == "quarter":
        said = f"quarters, such as {str(column.iloc[0]).strip()}"
        found = Clock([], pd.DatetimeIndex(read_quarters(column)), {"time_format": "quarter"}, [("time_format", said)])
    elif kind in TOLD:
        times, _ = read_times(column, name, origin, style=TimeStyle(format=kind))
        found = Clock([], times.tz_localize(None), {"time_format": kind}, [("time_format", TOLD[kind])])
    elif kind == "stamp":
        times = pd.DatetimeIndex(column)
        found = Clock([], times, {}, [])
    else:
        times, _ = read_times(column, name, origin, style=TimeStyle(format=kind))
        found = Clock([], times, {"time_format": kind}, [("time_format", f"numbers such as {shown(column)}")])
    missing = int(np.count_nonzero(found.times.isna()))
    if missing:
        raise DataError(
            f"{origin}, column {name}: {missing} of {len(found.times)} rows have no timestamp that can be read, the first is row "
            f"{int(np.flatnonzero(found.times.isna())[0]) + 1}. Correct or drop them",
            code="invalid_timestamp",
        )
    why = (
        "the only column of timestamps"
        if not others
        else f"the timestamps; {', '.join(others)} tell{'s' if len(others) == 1 else ''} no more"
    )
    return Clock([name], found.times, found.keys, [("time", f"{name}: {why}"), *found.said], others)


def _of_texts(column: pd.Series, name: str, origin: str) -> Clock:
    try:
        times, style = read_times(column, name, origin)
    except DataError as error:
        form = of_months(column) if error.code == "ambiguous_dates" else None
        if form is not None:
            times, _ = read_times(column, name, origin, style=TimeStyle(format=form))
            said = "the name of a month and its year: read so, the months follow each other"
            return Clock([], times, {"time_format": form}, [("time_format", said)])
        form = of_short_years(column) if error.code == "ambiguous_dates" else None
        if form is not None:
            times, _ = read_times(column, name, origin, style=TimeStyle(format=form))
            return Clock(
                [],
                times,
                {"time_format": form},
                [("time_format", "the year stands first: read so, the rows follow each other")],
            )
        told = with_offsets(in_english(column))
        zone = zone_of_offsets(told) if error.code == "mixed_utc_offsets" else None
        if zone is None and (error.code != "mixed_utc_offsets" or not all_with_offset(told)):
            raise
        said = (
            "the offsets from UTC change as in no usual zone, so the times are brought to UTC; name the zone whose days count"
            if zone is None
            else f"the offsets from UTC change as in {zone}; zones with the same changes give the same steps"
        )
        zone = zone or "UTC"
        times, _ = read_times(column, name, origin, style=TimeStyle(reads_as=zone))
        return Clock([], times, {"time_zone": zone}, [("time_zone", said)])
    order: list[tuple[str, str]] = []
    if style.day_first is not None:
        first, place = ("day", "first") if style.day_first else ("month", "second")
        order.append(("time", f"the {first} stands first: elsewhere in the column the {place} number is above 12"))
    changes = zone_of_changes(times) if times.tz is None else None
    if changes is not None:
        zone, seen = changes
        try:
            times, _ = read_times(column, name, origin, style=TimeStyle(reads_as=zone))
        except DataError:
            return Clock([], times, {}, order)
        text = f"clocks are set as in {zone}: {seen}"
        return Clock([], times, {"time_zone": zone}, [*order, ("time_zone", text)])
    return Clock([], times, {}, order)
