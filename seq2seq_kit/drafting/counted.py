"""Columns of numbers that say when: counts since 1970, dates without signs between, days as workbooks count them."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.time_formats import COUNTS, are_dates, read_weeks
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.time_fields import EXCEL_DAYS, ISO_WEEK

HINT = re.compile(
    r"date|time|stamp|datum|zeit|uhr|fecha|hora|heure|jour|\bdata\b|\btag\b|month|monat|mois|\bmes\b|week|woche|year|jahr"
    r"|\bday\b|epoch|unix|period|yyyy|^ts$|^t$|^ds$|^dt$|^d$|^at$|^when$",
    re.I,
)
_WEEK = re.compile(r"week|woche|\bkw\b|\bwk\b|semaine|semana|settimana", re.I)
_OF_PERIODS = re.compile(r"month|monat|mois|\bmes\b|week|woche|year|jahr|quarter|quartal|period", re.I)
_RECENT_DAYS = (36_500, 51_000)  # of a workbook: December 1999 to August 2039
_LONGEST_STEP = 31
_RANKED = re.compile(r"(?i)rank|rang|place|position")
_LEAST_COUNTED = 20  # rows, from which numbers that follow each other are a count
_OF_PLACES = re.compile(r"(?i)(?:.*[_ ])?(?:date|datum|fecha|datetime|timestamp|time|zeit|ts|ds|dt)")
_FIRST_MONTH = 195_001  # of those that are no days of two-digit years: 190612 is 12 June 2019
TOLD = {
    "epoch_s": "numbers that count seconds since 1970, in UTC",
    "epoch_ms": "numbers that count milliseconds since 1970, in UTC",
    "epoch_us": "numbers that count microseconds since 1970, in UTC",
    "epoch_ns": "numbers that count nanoseconds since 1970, in UTC",
    EXCEL_DAYS: "numbers that count days as a workbook does",
    ISO_WEEK: "numbers of a year and its week, such as 202405",
}


def refuse_unordered(frame: pd.DataFrame, taken: Sequence[str], codes: np.ndarray, origin: str) -> None:
    """Refuses rows that a column counts and that do not stand in its order, where no clock tells theirs.

    Args:
        frame: The table.
        taken: Columns that tell series apart.
        codes: Number of each row's series.
        origin: What messages call the table.

    Raises:
        DataError: There is such a column; the message has the line that sorts by it.
    """
    kinds: list[tuple[list[str], object]] = [([*taken], codes)]
    if not taken:  # series are not told apart where their rows are mixed
        few = [str(each) for each in frame.columns if 1 < frame[each].nunique() <= len(frame) / _LEAST_COUNTED]
        kinds += [([each], frame[each]) for each in few]
    for name in (str(each) for each in frame.columns if str(each) not in taken):
        column = frame[name]
        if not pd.api.types.is_integer_dtype(column) or column.isna().any() or _RANKED.search(name):
            continue
        for by, keys in kinds:
            row = None if name in by else _out_of_order(column, keys)
            if row is not None:
                sort = repr([*by, name] if by else name)
                raise DataError(
                    f"{origin}, row {row + 1}: {name} counts the rows{f' of each {by[0]}' if by else ''}, which are not in its "
                    "order. Without timestamps each row is a step after the one before. Sort them: "
                    f"frame = frame.sort_values({sort}); or, if {name} tells no order, drop it: frame.drop(columns={name!r})",
                    code="unsorted_rows",
                )


def _out_of_order(column: pd.Series, keys: object) -> int | None:
    """The first row that does not follow the one before it by one, where numbers count the rows of each group; else None."""
    groups = column.groupby(keys)  # type: ignore[call-overload]
    distinct = groups.nunique()
    if (
        len(column) < _LEAST_COUNTED
        or distinct.sum() != len(column)
        or (groups.max() - groups.min() + 1 != distinct).any()
    ):
        return None
    off = (groups.diff().fillna(1) != 1).to_numpy(dtype=bool)
    return int(off.argmax()) if off.any() else None


def kind_of_numbers(column: pd.Series, name: str) -> str:
    """The `time_format` of a column of numbers; empty where it tells no time."""
    cells = column.dropna().to_numpy(dtype=np.float64)
    if not len(cells) or np.isinf(cells).any():
        return ""
    low, high, ordered = cells.min(), cells.max(), bool((np.diff(cells) > 0).all())
    hinted, whole = bool(HINT.search(name)), bool((cells == np.round(cells)).all())
    if hinted and not whole and _are_years_and_months(np.round(cells * 100, 4)):
        return "%Y.%m"
    if hinted and not whole and _are_years_and_months(np.round(cells % 1 * 1e4 * 100 + cells // 1, 2)):
        return "%m.%Y"
    if _OF_PLACES.fullmatch(name) and _RECENT_DAYS[0] <= low and high <= _RECENT_DAYS[1] and _are_days(cells):
        return EXCEL_DAYS
    digits = are_dates(pd.Series(cells)) if low >= 1e7 and (hinted or ordered) else None
    if digits is not None and (hinted or low < 1e8) and _are_all_dates(cells, digits):
        return digits
    called = hinted and not _OF_PERIODS.search(name) and (whole or _run(cells))
    for word, (least, most) in COUNTS.items():
        if least <= low and high <= most and high > low and (called or (ordered and whole)):
            return word if called or (len(cells) > 2 and low >= 10 * least) else ""
    if not whole:
        return ""
    if hinted and low >= 190001 and high <= 210053 and (cells % 100 >= 1).all() and len(np.unique(cells % 100)) > 1:
        weeks = pd.Series(cells.astype(np.int64))
        if _WEEK.search(name) and read_weeks(weeks).notna().all():
            return ISO_WEEK
        if (cells % 100 <= 12).all() and low >= _FIRST_MONTH:  # of dates such as 050131 some day is larger
            return "%Y%m" if len(np.unique(cells // 100)) > 1 else ""  # 200501 to 200512 may be days of May 2020
    if hinted and (cells > 0).all() and high <= 991231 and low >= 10101:
        texts = pd.Series(cells.astype(np.int64).astype(str)).str.zfill(6)
        read = pd.to_datetime(texts, format="%y%m%d", errors="coerce")
        return "%y%m%d" if len(cells) > 2 and read.notna().all() and (ordered or high > 311299) else ""
    return (
        "%Y"
        if hinted and low >= 1500 and high <= 2200 and high > low and re.search(r"year|jahr|date|time|an", name, re.I)
        else ""
    )


def _are_years_and_months(numbers: np.ndarray) -> bool:
    """Whether numbers are consecutive months of more than a year: 202401 to 202412, and so on."""
    whole, months = np.round(numbers), np.round(numbers) % 100
    if (whole != numbers).any() or whole.min() < 150_000 or whole.max() > 220_012:
        return False
    apart = np.diff(np.unique((whole // 100) * 12 + months))
    return bool(((months >= 1) & (months <= 12)).all()) and len(apart) >= 12 and bool((apart == 1).all())


def _are_days(cells: np.ndarray) -> bool:
    """Whether numbers go on by whole days, or by an even part of one."""
    apart = np.unique(np.round(np.abs(np.diff(cells)), 9))
    apart = apart[apart > 0]
    if not len(apart) or not _run(cells):
        return False
    step = float(np.median(apart))
    parts = step if step >= 1 else 1 / step
    return bool(step <= _LONGEST_STEP and abs(parts - round(parts)) < 1e-3)


def _run(cells: np.ndarray) -> bool:
    """Whether numbers go on without turning back, as times do."""
    apart = np.diff(cells)
    return bool((apart >= 0).all() or (apart <= 0).all())


def _are_all_dates(cells: np.ndarray, form: str) -> bool:
    texts = pd.Series(cells.astype(np.int64).astype(str))
    return bool(pd.to_datetime(texts, format=form, errors="coerce").notna().all())
