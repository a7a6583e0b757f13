"""A clock in several columns: year, month, day, hour; or dates and times of day."""

import re

import pandas as pd

from seq2seq_kit.data.tables.month_names import in_english
from seq2seq_kit.data.tables.time_orders import forms_of
from seq2seq_kit.data.tables.weeks import kind_of_weeks
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.time_fields import ISO_WEEK, QUARTER

_PARTS = (
    (r"year|jahr|yr|yyyy|yy|a\u00f1o|ano|anio|anno|ann\u00e9e|annee|jaar|\u0433\u043e\u0434|\u5e74", 1000, 2999),
    (r"month|monat|mo|mon|mm|mes|m\u00eas|mese|mois|maand|\u043c\u0435\u0441\u044f\u0446|\u6708", 1, 12),
    (r"day|tag|dd|dy|dia|d\u00eda|giorno|jour|dag|day[_ ]?of[_ ]?month|dom|\u0434\u0435\u043d\u044c|\u65e5", 1, 31),
    (r"hour|stunde|hr|hh|hora|ora|heure|uur|std|hour_?of_?day", 0, 24),
    (r"minute|minutes|min|minuto|mi|mm", 0, 59),
)
_YEAR_OF_WEEKS = re.compile(r"(?i)(?:iso|mmwr|epi)[-_ ]?year")
_OF_YEAR = {
    "day": (r"doy|day_?of_?(the_?)?year|julian(_?day)?|yday|jday", 1, 366),
    "week": (
        r"(?:(?:iso|mmwr|epi|epidemiological)[-_ ]?)?week|wk|kw|week_?(no|nr|number)?|weeknum|woche|kalenderwoche|semaine|semana"
        "|settimana",
        1,
        53,
    ),
    "quarter": (r"q|qtr|quarter|quartal|trimestre|trim", 1, 4),
}
_OF_DAY = re.compile(r"(?i)(?:time|hh:?mm|hour|uhrzeit|zeit|hora|heure|h|time[_ ]?of[_ ]?day)")
_NAMES_HOURS = re.compile(r"(?i)(?<![^\W_])(?:hours?|stunde|heure|hora|hr|he|hour_?(?:end|begin)\w*)(?![^\W_])")
_HOURS = 24
_LASTS = re.compile(r"(?i)duration|dauer|elapsed|moving|pace|response|laufzeit|dur[eé]e|duraci|lap\b|split")
_TURNED_BACK = 0.2  # of the steps within a date, at most: where series or days change
_PERIOD = re.compile(r"(?i)period|interval|slot|mtu|block|trading_?period")
_PERIODS = (24, 48, 96, 144, 288)  # of a day
_MOSTLY = 0.9
_NOON = 120_000  # as a time of day with seconds; durations seldom are so long
_DAY = 2  # its place among the parts
_DAYS = (28, 31)


def find_parts(frame: pd.DataFrame) -> tuple[list[str], str | None]:
    """Columns of a year and what follows, as far as they go, and the format that reads them; no columns where there are none."""
    if unnamed := _unnamed_parts(frame):
        return unnamed, None
    found: list[str] = []
    for form, low, high in _PARTS:
        free = (name for name in map(str, frame.columns) if name not in found)  # MM are the months and mm the minutes
        name = next((name for name in free if _is_part(frame[name], name, form, low, high)), None)
        name = name or (_days_of(frame, found) if len(found) == _DAY else None)
        if name is None:
            break
        found.append(name)
    of_weeks = [name for name in map(str, frame.columns) if not found and _YEAR_OF_WEEKS.fullmatch(name)]
    found = found or of_weeks[:1]
    if len(found) != 1:
        return found, None
    for name in map(str, frame.columns):
        if _is_part(frame[name], name, *_OF_YEAR["day"]):
            return [*found, name], "%Y %j"
        if months := _month_names(frame[name], name):
            return [*found, name], f"%Y {months}"
        if _is_part(frame[name], name, *_OF_YEAR["week"]):
            weeks = frame[found[0]].astype("str") + " " + frame[name].astype("str")
            return [*found, name], kind_of_weeks(weeks, name) or ISO_WEEK
        if _is_part(frame[name], name, *_OF_YEAR["quarter"]):
            return [*found, name], QUARTER
    return [], None


def _unnamed_parts(frame: pd.DataFrame) -> list[str]:
    """The first columns of a file without names, where they are year, month, day, hour and minute, as far as they go."""
    names = [str(name) for name in frame.columns[: len(_PARTS)]]
    if names != [f"column_{number}" for number in range(1, len(names) + 1)]:
        return []
    for place in range(len(names)):
        column, (_, low, high) = frame[names[place]], _PARTS[place]
        if not pd.api.types.is_integer_dtype(column) or not column.between(low, high).all():
            break
        parts = dict(zip(("year", "month", "day", "hour", "minute"), names[: place + 1], strict=False))
        dates = {part: frame[name] for part, name in parts.items()} | ({"day": 1} if place < _DAY else {})
        times = pd.to_datetime(pd.DataFrame({"month": 1} | dates), errors="coerce")
        if times.isna().any():
            break
        if place and times.is_monotonic_increasing and times.is_unique:
            return names[: place + 1]
    return []


def _days_of(frame: pd.DataFrame, taken: list[str]) -> str | None:
    """The column that counts the days of each month of a year, whatever it is called; None without one."""
    for name in map(str, frame.columns):
        column = frame[name]
        if name in taken or not pd.api.types.is_integer_dtype(column) or not _DAYS[0] <= column.max() <= _DAYS[1]:
            continue
        dates = pd.DataFrame({"year": frame[taken[0]], "month": frame[taken[1]], "day": column})
        times = pd.to_datetime(dates, errors="coerce")
        if times.notna().all() and times.is_monotonic_increasing and column.nunique() == column.max():
            return name
    return None


def _month_names(column: pd.Series, name: str) -> str | None:
    if not re.fullmatch(_PARTS[1][0], name.strip(), re.IGNORECASE) or pd.api.types.is_numeric_dtype(column):
        return None
    cells = in_english(column.astype("str").str.strip())
    return next(
        (form for form in ("%B", "%b") if pd.to_datetime(cells, format=form, errors="coerce").notna().all()), None
    )


def find_hours(frame: pd.DataFrame, taken: str) -> list[str]:
    """The columns of the hours of a day, 0 to 23 or 1 to 24, and of their minutes, beside a column of dates."""
    found: list[str] = []
    for form, low, high in _PARTS[3:]:
        for name in map(str, frame.columns):
            if name == taken:
                continue
            called = _is_part(frame[name], name, form, low, high) and frame[name].nunique() > (not found)
            if called or (not found and _fills_days(frame, name, taken)):
                found.append(name)
                break
        else:
            break
    return found


def _fills_days(frame: pd.DataFrame, name: str, dates: str) -> bool:
    """Whether a column such as `Hour Ending` or `HE` has all the hours of its dates."""
    column = frame[name]
    if not _NAMES_HOURS.search(name) or not pd.api.types.is_numeric_dtype(column) or column.isna().any():
        return False
    whole = column.between(0, _HOURS) & (column % 1 == 0)
    return bool(whole.all()) and bool(column.groupby(frame[dates]).nunique().median() == _HOURS)


def find_minutes(frame: pd.DataFrame, taken: str) -> tuple[str, str] | None:
    """The column of times of day such as 930 and 2345, or 93000, beside a column of dates, and its format; None without one."""
    for name in map(str, frame.columns):
        column = frame[name]
        if name == taken or not _OF_DAY.fullmatch(name.strip("<> ")) or not pd.api.types.is_integer_dtype(column):
            continue
        for form, digits, least in (("%H%M", 4, 100), ("%H%M%S", 6, _NOON)):
            cells = column.astype("str").str.zfill(digits)
            read = pd.to_datetime(cells, format=form, errors="coerce")
            if column.max() <= least or read.isna().any():
                continue
            if form == "%H%M" or tells_the_time(frame[taken], read.dt.strftime("%H:%M:%S"), name):
                return name, form
    return None


def tells_the_time(dates: pd.Series, cells: pd.Series, name: str) -> bool:
    """Whether times of day go on within a date, as no durations do: `1:10:52` may be how long a run took."""
    if _LASTS.search(name):
        return False
    seconds = pd.to_timedelta(cells.astype("str").str.strip().str.replace(r"[.h]", ":", regex=True), errors="coerce")
    steps = seconds.diff().dt.total_seconds()[dates.eq(dates.shift()).to_numpy(dtype=bool)].dropna()
    up, down = int((steps > 0).sum()), int((steps < 0).sum())
    return min(up, down) <= _TURNED_BACK * (up + down)


def refuse_periods(frame: pd.DataFrame, dates: str, origin: str) -> None:
    """Refuses a day's periods 1 to 24, 48 or 96 beside its date, which no `time_format` reads.

    Raises:
        DataError: There is such a column.
    """
    for name in map(str, frame.columns):
        column = frame[name]
        if name == dates or not _PERIOD.search(name) or not pd.api.types.is_integer_dtype(column):
            continue
        usual = column.groupby(frame[dates]).max().median()
        if (
            usual in _PERIODS
            and column.min() == 1
            and not pd.DataFrame({"at": frame[dates], "of": column}).duplicated().any()
        ):
            minutes = int(24 * 60 / usual)
            raise DataError(
                f"{origin}, column {name}: numbers 1 to {usual:.0f} count the {minutes} minutes of a day. Expected one column of "
                f"timestamps. Make it: frame['time'] = pandas.to_datetime(frame[{dates!r}]) + "
                f"pandas.to_timedelta((frame[{name!r}] - 1) * {minutes}, unit='min'); or "
                f"forecast each period as a series of days: --series {name}",
                code="invalid_timestamp",
            )


def _is_part(column: pd.Series, name: str, form: str, low: int, high: int) -> bool:
    if not re.fullmatch(form, name.strip(), re.IGNORECASE) or not pd.api.types.is_numeric_dtype(column):
        return False
    known = column.dropna()
    return bool(len(known)) and bool(((known % 1 == 0) & known.between(low, high)).all()) and len(known) == len(column)


def of_months(column: pd.Series) -> str | None:
    """The format of texts such as `Jan-05` and `05-Jan` whose months, read with a year of two digits, follow each other."""
    cells = in_english(pd.Series(column.dropna().astype("str").str.strip().unique()))
    for form in (
        f"{first}{sign}{second}"
        for month in ("%b", "%B")
        for first, second in ((month, "%y"), ("%y", month))
        for sign in "- /.'"
    ):
        times = pd.to_datetime(cells, format=form, errors="coerce")
        if len(times) > 2 and times.notna().all():
            months = (times.dt.year * 12 + times.dt.month).sort_values().diff().dropna()
            return form if months.nunique() == 1 and months.iloc[0] in (1, 3) else None
    return None


def of_short_years(column: pd.Series) -> str | None:
    """The format of dates such as 11/05/31 whose year stands first, where the rows follow each other so; None for others."""
    cells = column.dropna().astype("str").str.strip()
    found = cells.str.extract(r"^\d{2}([./-])\d{2}\1\d{2}(.*)$")
    if not len(cells) or found[0].nunique() != 1 or found[0].isna().any():
        return None
    sign = str(found[0].iloc[0])
    times = pd.to_datetime(cells.str[:8], format=f"%y{sign}%m{sign}%d", errors="coerce")
    others = [
        pd.to_datetime(cells.str[:8], format=form.replace("/", sign), errors="coerce")
        for form in ("%d/%m/%y", "%m/%d/%y")
    ]
    follow = times.notna().all() and (times.is_monotonic_increasing or times.is_monotonic_decreasing)
    if (
        not follow
        or times.nunique() <= 2
        or any(each.notna().all() and (each.is_monotonic_increasing or each.is_monotonic_decreasing) for each in others)
    ):
        return None
    _, timed = forms_of(f"01{sign}02{sign}03{found[1].iloc[0]}")
    return f"%y{sign}%m{sign}%d{timed[8:]}"


def are_years(column: pd.Series, name: str) -> bool:
    """Whether a column is one of years, by its name and its numbers."""
    return _is_part(column, name, *_PARTS[0])


def dates_alone(column: pd.Series) -> bool:
    """Whether times have no time of day, and stand more than once each."""
    cells = column.dropna().astype("str")
    return not cells.str.contains(r"\d{1,2}:\d{2}").any() and cells.nunique() < len(cells)
