"""Tables with a series, or a year, in each row: refused with the line that turns them."""

import re
import shlex
import warnings

import pandas as pd

from seq2seq_kit.data.tables.dialect_words import is_date
from seq2seq_kit.data.tables.month_names import month_of
from seq2seq_kit.data.tables.written import is_text
from seq2seq_kit.drafting.parts import are_years
from seq2seq_kit.errors import DataError

_LEAST_DATES = 10  # columns that are named for times
_LEAST_STEPS = 24  # columns that may be the steps of series in rows
_MONTHS = 12


def refuse_series_in_rows(frame: pd.DataFrame, origin: str) -> None:
    """Refuses a table that has a series in each row: names first, then a column for each step, empty where a series ends."""
    numbers = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    if months := _months_in_columns(frame):
        year, names = str(frame.columns[0]), list(months)
        raise DataError(
            f"{origin}: each row is a year, its months are the columns {names[0]} to {names[-1]}. Expected a row for each "
            f"month. Turn it: long = frame.melt({year!r}, {names}, 'month', 'value'); long['month'] = "
            f"pandas.to_datetime(long.pop({year!r}).astype(str) + ' ' + long['month'].map({months}).astype(str), "
            "format='%Y %m'); long.sort_values('month').to_csv('long.csv', index=False), then draft for long.csv",
            code="series_in_rows",
        )
    dated = [name for name in numbers if is_date(name.strip())]
    if len(dated) >= _LEAST_DATES and len(dated) > len(numbers) / 2 and _go_on(dated):
        names = [str(name) for name in frame.columns if name not in dated]
        raise DataError(
            f"{origin}: each row is a series, its times are the names of {len(dated):,} columns, {dated[0]} to {dated[-1]}. "
            f"Expected a row for each series and time. Turn it: frame.melt({names}, var_name='time', value_name='value')"
            ".to_csv('long.csv', index=False), then draft for long.csv",
            code="series_in_rows",
        )
    texts = [str(name) for name in frame.columns if is_text(frame[name])]
    steps = [name for name in numbers if re.search(r"\d+$", name) and frame[name].notna().any()]
    if len(steps) >= _LEAST_STEPS and texts and _count_up(steps) and _name_each_row(frame, texts):
        others = [str(name) for name in frame.columns if name not in steps]
        ids = next(texts[:most] for most in range(1, len(texts) + 1) if not frame.duplicated(texts[:most]).any())
        options = f" with --series {' '.join(map(shlex.quote, ids))}" if len(ids) > 1 else ""
        raise DataError(
            f"{origin}: each row is a series, its steps are {len(steps):,} columns, {steps[0]} to {steps[-1]}. Expected a row "
            f"for each series and step. Turn it: frame.melt({others}, var_name='step').dropna(subset='value')"
            f".sort_values({ids if len(ids) > 1 else ids[0]!r}, kind='stable').to_csv('long.csv', index=False), then draft for "
            f"long.csv{options}",
            code="series_in_rows",
        )
    if len(numbers) < _LEAST_STEPS or len(numbers) < len(frame.columns) - 3:
        return
    counts = {re.sub(r"\D", "", name) for name in numbers}
    known = frame[numbers].notna().to_numpy()
    # What is known of a row stands in front, without a hole.
    padded = bool((known[:, 1:] <= known[:, :-1]).all()) and not known.all()
    if len(counts) == len(numbers) and (padded or len(numbers) > len(frame)):
        names = [name for name in frame.columns if name not in numbers]
        first = f"frame.set_index({names[0]!r})" if names else "frame"
        raise DataError(
            f"{origin}: each row is a series, its steps are {len(numbers):,} columns. Expected a row for each series "
            f"and step. Turn it: {first}.stack().rename_axis(['series', 'step']).reset_index(name='value').to_csv('long.csv', "
            "index=False), then draft for long.csv",
            code="series_in_rows",
        )


def _months_in_columns(frame: pd.DataFrame) -> dict[str, int]:
    """The columns that are the twelve months of a row's year, with their numbers; empty where there are not all of them."""
    first, *others = [str(name) for name in frame.columns]
    of_year = are_years(frame[first], first)
    found = {
        name: month_of(name) or (int(name) if of_year and re.fullmatch("0?[1-9]|1[0-2]", name) else 0)
        for name in others
    }
    months = {name: number for name, number in found.items() if number}
    return months if sorted(months.values()) == [*range(1, _MONTHS + 1)] and month_of(first) is None else {}


def _count_up(names: list[str]) -> bool:
    """Whether names are one word with a number that counts up by one: `d_1` to `d_200`, 1960 to 2023."""
    found = [re.fullmatch(r"(.*?)(\d+)", name) for name in names]
    numbers = [int(each[2]) for each in found if each]
    return len({each[1] for each in found if each}) == 1 and numbers == [*range(numbers[0], numbers[0] + len(names))]


def _name_each_row(frame: pd.DataFrame, texts: list[str]) -> bool:
    """Whether texts that are no times name each row, as those of stores and countries do."""
    dated = any(frame[name].dropna().astype("str").head(_LEAST_DATES).map(is_date).any() for name in texts)
    return not dated and not frame[texts].duplicated().any()


def _go_on(names: list[str]) -> bool:
    """Whether names are dates that follow each other; `Market 1` only looks like one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of days and months that may be turned, which matters nothing here
        times = pd.to_datetime(pd.Series(names).str.strip(), errors="coerce", format="mixed")
    return bool(times.notna().all() and (times.is_monotonic_increasing or times.is_monotonic_decreasing))
