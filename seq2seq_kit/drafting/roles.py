"""What each column of a table is: a measured number, a truth value, a category, an id, a constant, empty."""

import json
import re
import shlex
from dataclasses import dataclass

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.dialect_signs import is_few

_ID = re.compile(r"^(id|index|idx|row|nr|no|number|unnamed.*|key|uuid)$|(^|[_ ])id$", re.I)
_TRUTHS = {
    "true",
    "false",
    "yes",
    "no",
    "ja",
    "nein",
    "wahr",
    "falsch",
    "vrai",
    "faux",
    "oui",
    "non",
    "y",
    "n",
    "t",
    "f",
}
_MOST_CATEGORIES = 50
_MOSTLY = 0.95
_PARTS = {
    "year": 10_000,
    "month": 12,
    "day": 31,
    "hour": 24,
    "minute": 60,
    "quarter": 4,
    "day_of_year": 366,
    "day_of_week": 7,
}


@dataclass(frozen=True)
class Roles:
    """Names of columns by what they are, each list in the table's order.

    Attributes:
        numbers: Measured ones.
        truths: True and false, as pandas has read them or as texts.
        categories: Few different texts.
        static: Those of `categories` and of the numbers that never change inside a series.
        texts: Other texts.
        left_out: Sentences on columns that no model can use: ids, constants, empty ones.
        truths_are_texts: Whether one of `truths` is written out.
    """

    numbers: list[str]
    truths: list[str]
    categories: list[str]
    static: list[str]
    texts: list[str]
    left_out: list[str]
    truths_are_texts: bool = False


def find_roles(
    frame: pd.DataFrame, taken: list[str], codes: np.ndarray, times: pd.DatetimeIndex | None = None
) -> Roles:
    """What the columns are.

    Args:
        frame: The table.
        taken: Columns of time and series.
        codes: Number of each row's series.
        times: Of the rows; None without a clock.
    """
    several = len(codes) > 0 and codes.max() > 0
    roles = Roles([], [], [], [], [], [])
    as_texts = False
    for name in (str(each) for each in frame.columns if str(each) not in taken):
        column = frame[name]
        known = column.dropna()
        if not len(known):
            roles.left_out.append(f"{name} is empty and left out")
        elif known.nunique() == 1:
            where = "in every row" if len(known) == len(column) else f"in {len(known):,} rows, empty in the others,"
            roles.left_out.append(f"{name} is {str(known.iloc[0])[:30]} {where} and left out")
        elif pd.api.types.is_datetime64_any_dtype(column):
            roles.left_out.append(f"{name} holds times and is left out")
        elif several and not pd.api.types.is_float_dtype(column) and _is_static(column, codes):
            roles.static.append(name)
        elif pd.api.types.is_bool_dtype(known) or _are_truths(known):
            roles.truths.append(name)
            as_texts = as_texts or not pd.api.types.is_bool_dtype(known)
        elif pd.api.types.is_numeric_dtype(column):
            if times is not None and _tells_time(column, times):
                roles.left_out.append(f"{name} is a part of the timestamps and left out")
            elif _is_id(known, name):
                roles.left_out.append(f"{name} counts or names the rows and is left out")
            else:
                roles.numbers.append(name)
        elif slips := broken_numbers(column):
            roles.left_out.append(f"{name} is left out: {slips}")
        elif known.nunique() <= min(_MOST_CATEGORIES, len(known) / 2):
            roles.categories.append(name)
        else:
            roles.texts.append(name)
    return Roles(roles.numbers, roles.truths, roles.categories, roles.static, roles.texts, roles.left_out, as_texts)


def _are_truths(known: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(known):
        return False
    return {str(word).lower() for word in known.unique()} <= _TRUTHS


def _are_codes(known: pd.Series) -> bool:
    """Whether few values stand again and again, those that are no numbers, too: `A12` among 101 to 112 is no slip."""
    counts = known.astype(str).value_counts()
    odd = pd.to_numeric(pd.Series(counts.index, dtype=object), errors="coerce").isna().to_numpy()
    return len(counts) <= min(_MOST_CATEGORIES, len(known) / 2) and bool((counts.to_numpy()[odd] > 1).all())


def broken_numbers(column: pd.Series) -> str:
    """As `told_slips`, of columns that measure: not of codes, some of which are no numbers."""
    return "" if _are_codes(column.dropna()) else told_slips(column)


def told_slips(column: pd.Series) -> str:
    """What to do about the few cells of a column that are no numbers, where the others are; empty where that is not so."""
    known = column.dropna()
    wrong = pd.to_numeric(known, errors="coerce").isna()
    count = int(wrong.sum())
    if not count or not is_few(count, len(known)):
        return ""
    there = np.flatnonzero(column.notna().to_numpy())
    row, cell = int(there[wrong.to_numpy()][0]) + 1, str(known[wrong].iloc[0])[:40]
    more = f" (and {count - 1:,} more such cells)" if count > 1 else ""
    named = shlex.quote(f"data.format.missing_words={json.dumps([cell], ensure_ascii=False)}")
    return (
        f"{len(known) - count:,} of its {len(known):,} cells are numbers, and {cell!r} in row {row:,}{more} is none. Correct "
        f"{'it' if count == 1 else 'them'}; or, where that stands for a missing value, name it: --set {named}"
    )


def _is_id(known: pd.Series, name: str) -> bool:
    if not pd.api.types.is_integer_dtype(known) or not known.is_unique or len(known) < 3:
        return False
    # A count of the rows is one whatever it is called; other unique numbers only where they are called ids.
    steps = np.diff(np.sort(known.to_numpy(dtype=np.float64)))
    return bool((steps == 1).all()) or bool(_ID.search(name))


def _tells_time(column: pd.Series, times: pd.DatetimeIndex) -> bool:
    """Whether a column is the year, the month, the day, the hour, ... of the rows' times, by this clock or another zone's."""
    cells = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(cells).any() or (cells != np.round(cells)).any():
        return False
    for part, turn in _PARTS.items():
        told = np.asarray(getattr(times, part), dtype=np.float64)
        if abs(cells.min() - told.min()) > 1 or abs(cells.max() - told.max()) > 1 or len(np.unique(cells)) < 2:
            continue
        # Clocks of other zones are off by a few hours, another number in summer; days are counted from 0 or 1.
        _, counts = np.unique((cells - told) % turn, return_counts=True)
        most = (
            2 if len(np.unique(cells)) > 2 else 1
        )  # two values are as much as two numbers of hours explain, whatever they are
        if np.sort(counts)[-most:].sum() > _MOSTLY * len(cells) and len(counts) <= len(np.unique(told)):
            return True
    return False


def _is_static(column: pd.Series, codes: np.ndarray) -> bool:
    return bool((column.groupby(codes).nunique(dropna=False) == 1).all())
