"""Numbers as people write them: what `data.format` says of cells. Digits in other groups than theirs are no number."""

import re
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache

import numpy as np
import pandas as pd

from seq2seq_kit.recipe.format import APOSTROPHES, BLANKS, Format

_NO = ("false", "no", "off", "n", "f", "nein", "falsch", "non", "faux", "falso", "nee", "nej")
_YES = ("true", "yes", "on", "y", "t", "ja", "wahr", "oui", "vrai", "si", "s\u00ed", "verdadero", "vero")
TRUTH = {word: value for words, value in ((_NO, 0.0), (_YES, 1.0)) for word in words}
_MINUS = "-\u2212\u2013"  # hyphen, minus, en dash
PLAIN = Format()
_LARGEST = int(np.finfo(np.float64).max)


def is_text(column: pd.Series) -> bool:
    """Whether cells may be texts."""
    return column.dtype == object or isinstance(column.dtype, pd.StringDtype)


def read_texts(column: pd.Series, form: Format) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of a column of texts and other cells, and which of its cells are none; NaN for these and missing ones."""
    if form.booleans and is_truth(column.dropna().unique()):
        return column.map(lambda cell: TRUTH[cell.strip().lower()], na_action="ignore").to_numpy(np.float64), np.zeros(
            len(column), bool
        )
    if pd.api.types.infer_dtype(column, skipna=True) != "string":
        return _read_each(column, form)
    values = _read_plain(column, form)
    unread = np.isnan(values) & column.notna().to_numpy()
    if unread.any():
        values[unread], unread[unread] = _read_each(column[unread], form)
    return values, unread


def _read_plain(column: pd.Series, form: Format) -> np.ndarray:
    """The numbers of cells in which nothing but the decimal sign has to be looked at, all at once; NaN for all others."""
    texts = column.astype("str").where(column.notna())
    # Powers of ten are left to Python, which is exact.
    cells = texts.mask(texts.str.contains("[eE.]" if form.decimal == "," else "[eE]", na=False))
    if form.decimal == ",":
        cells = cells.str.replace(",", ".", regex=False)
    values = np.array(pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))
    values[~np.isfinite(values)] = np.nan
    if words := [str(word).strip() for word in (*form.missing_words, *form.zero_words)]:
        values[texts.str.strip().isin(words).to_numpy(dtype=bool)] = np.nan
    return values


def _read_each(column: pd.Series, form: Format) -> tuple[np.ndarray, np.ndarray]:
    read = _reader(form.model_dump_json())
    cells = [read(cell) if isinstance(cell, str) else cell for cell in column.to_numpy(dtype=object)]
    left = np.fromiter((isinstance(cell, str) for cell in cells), bool, len(cells))
    others = finite_ones(pd.Series(cells, dtype=object).mask(pd.Series(left)))
    values = pd.to_numeric(others, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return values, left | (np.isnan(values) & others.notna().to_numpy())


def finite_ones(column: pd.Series) -> pd.Series:
    """Cells with infinity for whole numbers that no float holds, which pandas does not convert; most columns are as they are."""
    if column.dtype != object:
        return column
    large = column.map(lambda cell: isinstance(cell, int) and abs(cell) > _LARGEST)
    return column.mask(large.to_numpy(dtype=bool), np.inf).infer_objects() if large.any() else column


def is_truth(words: Collection[object]) -> bool:
    """Whether all of some words are those for true and false."""
    return bool(len(words)) and all(isinstance(word, str) and word.strip().lower() in TRUTH for word in words)


def without_missing(values: np.ndarray, form: Format) -> np.ndarray:
    """Numbers with NaN where one stands for a missing value, such as -999; the same array where none does."""
    numbers = [number for word in form.missing_words if (number := _number(str(word))) is not None]
    there = np.isin(values, numbers) if numbers else np.zeros(0, bool)
    return np.where(there, np.nan, values) if there.any() else values


def number_pattern(decimal: str, thousands: str | None, strip: Iterable[str] = ()) -> str:
    """A regular expression of a whole cell that is a number; the groups `sign`, `body`, `open` and `after`.

    Groups of digits have three, the first one to three; between commas also two, as in India.
    """
    group = ""
    if thousands:
        same = next((kind for kind in (BLANKS, APOSTROPHES) if thousands in kind), thousands)
        one = f"[{re.escape(same)}]"
        group = rf"\d{{1,3}}(?:{one}\d{{{'2,3' if thousands == ',' else '3'}}})*{one}\d{{3}}(?!\d)|"
    point = re.escape(decimal)
    body = rf"(?P<body>(?:{group}\d+)(?:{point}\d*)?(?:[eE][-+]?\d+)?|{point}\d+(?:[eE][-+]?\d+)?)"
    signs = "|".join(map(re.escape, sorted(strip, key=len, reverse=True)))
    symbol = rf"(?:(?:{signs})\s*)?" if signs else ""
    return (
        rf"{symbol}(?P<open>\(\s*)?{symbol}(?P<sign>[{_MINUS}+]?)\s*{symbol}{body}\s*{symbol}"
        rf"(?P<after>[{_MINUS}])?(?(open)\s*\))\s*{symbol}"
    )


@lru_cache(maxsize=16)
def _reader(written: str) -> Callable[[str], float | str]:
    form = Format.model_validate_json(written)
    match = re.compile(number_pattern(form.decimal, form.thousands, form.strip)).fullmatch
    missing = {"", *(str(word).strip() for word in form.missing_words)}
    zeros = {word.strip() for word in form.zero_words}
    unwanted = dict.fromkeys(map(ord, _grouping(form.thousands)))

    def read(cell: str) -> float | str:
        text = cell.strip()
        if text in missing:
            return float("nan")
        if text in zeros:
            return 0.0
        found = match(text)
        if found is None:
            return cell
        below = [bool(found["sign"]) and found["sign"] != "+", bool(found["open"]), bool(found["after"])]
        allowed = [True, form.negatives == "parentheses", form.negatives == "trailing_minus"]
        if sum(below) > 1 or (any(below) and not any(a and b for a, b in zip(below, allowed, strict=True))):
            return cell
        number = float(found["body"].translate(unwanted).replace(form.decimal, "."))
        return -number if any(below) else number

    return read


def _grouping(thousands: str | None) -> str:
    return next((kind for kind in (BLANKS, APOSTROPHES) if thousands and thousands in kind), thousands or "")


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
