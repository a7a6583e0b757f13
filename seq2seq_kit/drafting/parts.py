"""A clock in several columns of numbers (year, month, day, hour), and texts that only look like times."""

import re

import pandas as pd

_PARTS = (
    (r"year|jahr|yr|yyyy|a\u00f1o|ano|anno|ann\u00e9e|annee|jaar", 1000, 2999),
    (r"month|monat|mo|mm|mes|m\u00eas|mese|mois|maand", 1, 12),
    (r"day|tag|dd|dia|d\u00eda|giorno|jour|dag|day_?of_?month|dom", 1, 31),
    (r"hour|stunde|hr|hh|hora|ora|heure|uur|std|hour_?of_?day", 0, 24),
    (r"minute|min|minuto", 0, 59),
)
_MONTH = (
    "jan|feb|f\u00e9v|fev|m\u00e4r|mar|apr|avr|abr|mai|may|mag|maj|jun|juin|giu|jul|juil|lug|aug|ao\u00fb|ago|sep|set|okt|oct|out|ott"
    "|nov|dez|dec|d\u00e9c|dic"
)
_NUMBERS = r"\D*\d{1,4}(?:\D{1,3}\d{1,4}){1,5}\D*"
_ALMOST = rf"(?i).*\b(?:(?:{_MONTH})\w*|kw|week|woche|wk|semaine|semana|q[1-4]|fy\d*)\b.*\d.*|{_NUMBERS}"
_CALLED = re.compile(
    r"date|time|datum|zeit|fecha|hora|jour|\bdata\b|\btag\b|month|mon[ae]t|mois|\bmes\b|week|woche|quarter|quartal|period",
    re.I,
)
_MOSTLY = 0.9
_MONTHS = 12


def find_parts(frame: pd.DataFrame) -> list[str]:
    """Columns of year, month and what follows, as far as they go; none where there are not at least a year and a month."""
    found: list[str] = []
    for form, low, high in _PARTS:
        name = next((name for name in map(str, frame.columns) if _is_part(frame[name], name, form, low, high)), None)
        if name is None:
            break
        found.append(name)
    return found if len(found) > 1 else []


def find_hours(frame: pd.DataFrame, taken: str) -> str | None:
    """The column of the hours of a day, 0 to 23 or 1 to 24, beside a column of dates; None without one."""
    form, low, high = _PARTS[3]
    for name in map(str, frame.columns):
        if name != taken and _is_part(frame[name], name, form, low, high) and frame[name].nunique() > 2:
            return name
    return None


def _is_part(column: pd.Series, name: str, form: str, low: int, high: int) -> bool:
    if not re.fullmatch(form, name.strip(), re.IGNORECASE) or not pd.api.types.is_numeric_dtype(column):
        return False
    known = column.dropna()
    return bool(len(known)) and bool(((known % 1 == 0) & known.between(low, high)).all()) and len(known) == len(column)


def of_months(column: pd.Series) -> str | None:
    """The format of texts such as `Jan-05` and `05-Jan` whose months, read with a year of two digits, follow each other."""
    cells = pd.Series(column.dropna().astype("str").str.strip().unique())
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


def months_in_columns(frame: pd.DataFrame) -> list[str]:
    """The columns that are the twelve months of a row's year; none where there are not all of them."""
    names = [str(name) for name in frame.columns]
    months = [name for name in names if re.fullmatch(rf"(?i)(?:{_MONTH})[a-z\u00e9\u00fb\u00e4]*\.?", name.strip())]
    return months if len(months) == _MONTHS and names[0] not in months else []


def unread_times(frame: pd.DataFrame) -> str | None:
    """A column that is called like one of times, or holds names of months, and is not read as such; None without one."""
    for name in map(str, frame.columns):
        column = frame[name].dropna()
        if pd.api.types.infer_dtype(column, skipna=True) != "string" or not len(column):
            continue
        cells = column.head(200).astype("str")
        if cells.str.fullmatch(_ALMOST).mean() > _MOSTLY and (_CALLED.search(name) or cells.is_unique):
            return name
    return None
