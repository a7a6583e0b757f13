"""Texts that look like times: read by a format of their own, or by none."""

import re

import pandas as pd

_MONTH = (
    "jan|feb|f\u00e9v|fev|m\u00e4r|mar|apr|avr|abr|mai|may|mag|maj|jun|juin|giu|jul|juil|lug|aug|ao\u00fb|ago|sep|set|okt|oct|out|ott"
    "|nov|dez|dec|d\u00e9c|dic"
)
_NUMBERS = r"\D*\d{1,4}(?:\D{1,3}\d{1,4}){1,12}\D*"
_ALMOST = rf"(?i).*\b(?:(?:{_MONTH})\w*|kw|week|woche|wk|semaine|semana|q[1-4]|fy\d*)\b.*\d.*|{_NUMBERS}"
_CALLED = re.compile(
    r"aika|p\u00e4iv|\u65e5\u671f|\u65f6\u95f4|\u6642\u9593|\ub0a0\uc9dc|\u0434\u0430\u0442\u0430|date|time|datum|zeit|fecha|hora|jour|\bdata\b|\btag\b|month|mon[ae]t|mois|\bmes\b|week|woche|quarter|quartal|period|fiscal|year|jahr|ann[e\u00e9]e|season",
    re.I,
)
_OF_DATES = re.compile(r"date|datum|fecha|timestamp|datetime|decimal_?year|^(ts|year|month|period)$", re.I)
_OWN_FORMS = (
    "%YM%m",
    "%Y-M%m",
    "%m.%Y",
    "%Y-%d-%m",
    "%Y-%m-%d %H:%M:%S:%f",
    "%d/%b/%Y:%H:%M:%S %z",
    "%d.%m.%Y %H.%M",
    "%d.%m.%Y %H.%M.%S",
    "%d/%m/%Y %H.%M",
    "%Y-%m-%d %H:%M:%S %Z",
    "%Y-%m-%d %H:%M %Z",
)
_MOSTLY = 0.9


def own_form(column: pd.Series) -> str | None:
    """The format of texts that only one reads, day and month told apart by a number above 12; None for others."""
    cells = column.astype("str").str.strip()
    if pd.api.types.is_numeric_dtype(column) or column.isna().any():
        return None
    for form in _OWN_FORMS:
        if pd.to_datetime(cells, format=form, errors="coerce").notna().all():
            turned = form.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")
            sure = "%d" not in form or "%b" in form or form.startswith("%Y-%m")
            settled = sure or pd.to_datetime(cells, format=turned, errors="coerce").isna().any()
            return form if settled else None
    return None


def unread_times(frame: pd.DataFrame) -> str | None:
    """A column that is called like one of times, or holds names of months, and is not read as such; None without one."""
    for name in map(str, frame.columns):
        column = frame[name].dropna()
        if not len(column):
            continue
        if pd.api.types.is_numeric_dtype(column):
            if _OF_DATES.search(name) and column.is_monotonic_increasing and column.iloc[0] < column.iloc[-1]:
                return name
            continue
        cells = column.head(200).astype("str")
        if cells.str.fullmatch(_ALMOST).mean() > _MOSTLY and (_CALLED.search(name) or cells.is_unique):
            return name
    return None
