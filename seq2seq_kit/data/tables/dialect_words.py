"""What a cell looks like by itself: a time, a number with or without a sign of its unit, a word for missing."""

import re

import pandas as pd

from seq2seq_kit.recipe.format import APOSTROPHES, BLANKS

_TIME = (
    r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s*[AaPp]\.?[Mm]\.?)?"
    r"(?:\s*(?:Z|[A-Z]{2,5}|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?))?"
)
_DATE = re.compile(
    rf"""(?:\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}(?:(?:T|\s+|\s*,\s*|:){_TIME})?)|{_TIME}|\d{{4}}-?W\d{{1,2}}(?:-?\d)?|\d{{4}}[-/]\d{{1,2}}|\d{{1,2}}/\d{{4}}
    |[\w\s.,:'-]*\b(?:jan|feb|mar|m\u00e4r|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-z]{{0,6}}\b[\w\s.,:'+-]*\d[\w\s.,:'+-]*
    |\d{{4}}\s?Q[1-4]|Q[1-4]\s?\d{{4}}|\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}T\d{{4,6}}Z?""",
    re.IGNORECASE | re.VERBOSE,
)
DOCUMENT = "-DOCSTART-"  # of CoNLL-2003: in the first cell of a line that begins a document and is no token
MISSING = re.compile(
    r"\W+|_+|#(?!\d{2})\w+[/!?]*\w*[!?]?|(?i:n\.?/?a\.?|none|null|nil|nan|missing|unknown|undefined|no ?data|not available|empty"
    r"|void|k\.? ?a\.?|n\.? ?v\.?|n\.? ?d\.?|n\.? ?b\.?|s\.? ?o\.?|keine angabe|fehlt|inconnu|sin datos)"
)
_CURRENCY = "$\u20ac\u00a3\u00a5\u20b9\u20bd\u20a9\u20ba\u20aa\u0e3f\u20ab\u20b4\u20a6\u00a2"
_CODES = (
    "EUR|USD|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|HUF|RUB|TRY|BRL|AUD|CAD|NZD|ZAR|MXN|KRW|SGD|HKD"
    "|Fr\\.|kr\\.?|Rs\\.?|z\u0142|K\u010d|Ft"
)
_PREFIX = rf"(?:[A-Z]{{0,3}}[{_CURRENCY}]|{_CODES})"
_SUFFIX = rf"(?:{_PREFIX}|%|\u2030|\u00b0[CFK]?|(?!(?i:am|pm)\b)[^\W\d_][\w/\u00b2\u00b3\u00b7\u00b0%]{{0,7}})"
_SIGN = "[-+\u2212\u2013]"
CELL = re.compile(
    rf"(?P<first>{_PREFIX})?\s*(?P<open>\(\s*)?(?P<before>{_SIGN}?)\s*(?P<prefix>{_PREFIX})?\s*{_SIGN}?\s*(?P<body>\d[\d.,{BLANKS}{APOSTROPHES}_]*?|[.,]\d+)"
    rf"(?P<power>[eE][-+]?\d+)?\s*(?P<suffix>{_SUFFIX})?\s*(?P<after>[-\u2212])?(?(open)\s*\))\s*(?P<last>{_PREFIX}|%)?"
)
SURE = re.compile(rf"{_PREFIX}|%|\u2030|\u00b0[CFK]?")  # of a unit or a currency wherever it stands
ZERO = re.compile(rf"(?:{_PREFIX})\s*[-\u2013\u2212]|[-\u2013\u2212]\s*(?:{_PREFIX})")  # as Excel's accounting writes 0
MONTH_AND_YEAR = re.compile(r"(?:0[1-9]|1[0-2])\.(?:19|20)\d{2}")  # no number where a whole column is like that
_FOOTERS = 20  # most rows below a table

_UNIT = re.compile(
    r"""[\[(<{].*[\])>}]|-+|=+|.{0,4}[%\u00b0\u20ac$\u00b2\u00b3/].{0,6}|[kMGmTu\u00b5]?(W|Wh|V|VA|A|Hz|J|N|Pa|g|l|L|m|s|bar|B)|[KCF]
    |min|h|d|t|MWh|kWp|EUR|USD|GBP|CHF|hPa|cm|deg\.?|rad|lx|lux|dB|ppm|ppb|psi|rpm|mph|kts?|kn|Nm|pcs|Stk\.?|count|unit\w*|Einheit|date(time)?
    |\d{1,3}[snd]|num(ber|eric)?|float|double|int(eger)?|string|text|n\.?a\.?""",
    re.VERBOSE,
)


def is_unit(text: str) -> bool:
    """Whether a cell names a unit."""
    return _UNIT.fullmatch(text.strip()) is not None


def is_date(text: str) -> bool:
    """Whether a cell may be a time; a number such as 20240131 is told by who knows its column."""
    return _DATE.fullmatch(text.strip()) is not None


def is_number(text: str) -> bool:
    """Whether a cell looks like a number, however it is written."""
    return CELL.fullmatch(text.strip()) is not None and not is_date(text)


def shape_of(cell: str) -> str:
    """What a cell is made of: runs of digits and of letters count as one each."""
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", cell.strip()))


def footers_told(column: pd.Series) -> str:
    """What to say of a column of times whose last cells are none, such as a total; empty where that is not so."""
    last = ["" if pd.api.types.is_scalar(cell) and pd.isna(cell) else str(cell) for cell in column.iloc[-_FOOTERS:]]
    count = next((at for at, cell in enumerate(reversed(last)) if is_date(cell)), 0)
    if not count:
        return ""
    rows = f"The last row ({last[-1]!r}) is no data" if count == 1 else f"The last {count} rows are no data"
    return f". {rows} of the table, it seems: set data.format.footer_rows: {count} in the recipe"
