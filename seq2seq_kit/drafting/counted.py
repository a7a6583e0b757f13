"""Columns of numbers that say when: counts since 1970, dates without signs between, days as workbooks count them."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.time_formats import COUNTS, are_dates
from seq2seq_kit.data.tables.weeks import kind_of_weeks
from seq2seq_kit.data.tables.written import is_text
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.time_fields import EXCEL_DAYS, ISO_WEEK, MMWR_WEEK

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
_MOST_KINDS = 3  # columns of few texts that are tried as names of series
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
    MMWR_WEEK: "numbers of a year and its week as the CDC counts them, such as 202405",
}


def refuse_unordered(
    frame: pd.DataFrame, taken: Sequence[str], codes: np.ndarray, targets: Sequence[str], origin: str
) -> str:
    """Refuses rows that a column counts and that stand in no order of it, where no clock tells theirs.

    Args:
        frame: The table.
        taken: Columns that tell series apart.
        codes: Number of each row's series.
        targets: Columns that are asked for, which count nothing.
        origin: What messages call the table.

    Returns:
        What to say of a column that counts backwards, which may be a countdown or rows with the newest first; else nothing.

    Raises:
        DataError: There is such a column and no other that counts the rows as they stand; the message has the line that sorts.
    """
    kinds: list[tuple[list[str], object, int]] = [([*taken], codes, int(codes.max()) + 1 if len(codes) else 1)]
    if not taken:  # series are not told apart where their rows are mixed
        named = [str(each) for each in frame.columns if is_text(frame[each])]
        counts = {each: frame[each].nunique() for each in named}
        few = [each for each in named if 1 < counts[each] <= len(frame) / _LEAST_COUNTED]
        kinds += [([each], frame[each], counts[each]) for each in few[:_MOST_KINDS]]
    turned = backwards = ""
    for name in (str(each) for each in frame.columns if str(each) not in (*taken, *targets)):
        column = frame[name]
        if not pd.api.types.is_integer_dtype(column) or column.isna().any() or _RANKED.search(name):
            continue
        for by, keys, groups in kinds:
            steps = _steps_of_count(column, keys, groups)
            if steps is None:
                continue
            if (steps == 1).all():
                return ""
            said = f"{name} counts the rows{f' of each {by[0]}' if by else ''}"
            if (steps == -1).all():
                backwards = (
                    f"{said} backwards: if it tells time, the newest stand first; turn the rows then: frame[::-1]"
                )
            else:
                sort = repr([*by, name] if by else name)
                turned = (
                    f"{said}, which are not in its order. Without timestamps each row is a step after the one before. Sort them: "
                    f"frame = frame.sort_values({sort}); or, if {name} tells no order, drop it: frame.drop(columns={name!r})"
                )
    if turned:
        raise DataError(f"{origin}: {turned}", code="unsorted_rows")
    return backwards


def _steps_of_count(column: pd.Series, keys: object, groups: int) -> "pd.Series[float] | None":
    """From each row of a group to its next one, where numbers count the rows of each group; else None."""
    rows, reach = len(column), int(column.max()) - int(column.min()) + 1
    if rows < _LEAST_COUNTED or not rows / groups <= reach <= rows:  # no group of others can be counted by them
        return None
    parts = column.groupby(keys)  # type: ignore[call-overload]
    distinct = parts.nunique()
    if distinct.sum() != rows or (parts.max() - parts.min() + 1 != distinct).any():
        return None
    return parts.diff().dropna()


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
        if _WEEK.search(name) and (kind := kind_of_weeks(weeks, name)):
            return kind
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
