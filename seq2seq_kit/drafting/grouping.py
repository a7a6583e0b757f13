"""Whether a table holds several series below each other, and which column tells them apart."""

import re
from collections.abc import Collection
from itertools import combinations

import numpy as np
import pandas as pd

from seq2seq_kit.drafting.steps import find_step

_MOST_DOUBLES = 0.02  # of the rows, that a series may hold twice: they are doubles and no further series
_LEAST_ROWS = 3  # of a series, on average: fewer are rows with an id
_LOOKED_AT = 12
_LEAST_COUNTED = 12  # rows of each series that a column counts
_APART = 0.9  # share of a measurement's spread that lies between series, where their columns hold other things
_MOST_STEPS = 0.9  # of the rows, that follow another one of their series
_UNEVEN, _EVEN = 10.0, 2.0  # times the short steps of a series that the long ones are
_MOST_SERIES = 3  # times the rows of the fullest time, that numbers may tell apart
_NAMED = re.compile(
    r"(^|[_ ])(id|nr|no|num|number|code|key|sku|store|shop|item|product|sensor|station|site|meter|device|entity|tag|channel"
    r"|variable|parameter|metric|point|location)s?$",
    re.I,
)

# Things that report each by itself, and what they report; a number may as well be a place within each burst of rows.
_OF_DEVICES = re.compile(
    r"(^|[_ ])(device|sensor|meter|station|site|machine|node|metric|variable|parameter|channel|measure|measurement)"
    r"([_ ]?(id|name|no|nr))?s?$",
    re.I,
)


def find_series(
    frame: pd.DataFrame, times: pd.DatetimeIndex | None, taken: list[str], *, counted: Collection[str] = ()
) -> list[str]:
    """The columns that tell the series of a long table apart; none where the table is one series.

    Args:
        frame: The table.
        times: Of its rows; None without a clock.
        taken: Columns that have another role.
        counted: Columns of numbers whose cells are texts here.
    """
    candidates = [str(name) for name in frame.columns if str(name) not in taken and _may_name(frame[name])]
    if times is None:
        return next(([name] for name in candidates if _in_blocks(frame[name]) or _counted_by_itself(frame, name)), [])
    instants = pd.Series(times.asi8)
    doubles = int(instants.duplicated().sum())
    if doubles <= _MOST_DOUBLES * len(frame):
        apart = next(([name] for name in candidates if _runs_apart(frame[name], times)), [])
        apart = apart or _with_even_times(frame, times, [], candidates)
        return apart or next(([name] for name in candidates if _measures_other_things(frame, name, taken)), [])
    # As many series as rows share a time are needed; far more of them, told by numbers, are values that happen to differ.
    most = _MOST_SERIES * int(instants.value_counts().iloc[0])
    candidates = [name for name in candidates if _is_a_name(frame[name], name, most, counted)]
    found: list[tuple[int, list[str]]] = []
    for many in (1, 2):
        for names in combinations(candidates[:_LOOKED_AT], many):
            if not any(set(fewer) <= set(names) for _, fewer in found) and _tells_apart(frame, instants, list(names)):
                found.append((len(frame[list(names)].drop_duplicates()), list(names)))
    # Of several that do, those of the fewest series; the first of those that name the same.
    return _with_even_times(frame, times, min(found, key=lambda each: each[0])[1], candidates) if found else []


def _with_even_times(
    frame: pd.DataFrame, times: pd.DatetimeIndex, found: list[str], candidates: list[str]
) -> list[str]:
    """The columns with another one of names, where the rows come at uneven times without it and at about even ones with it.

    Devices that report once a minute, each some milliseconds after another, share no time and are no single series.
    """
    if _unevenness(frame, times, found) < _UNEVEN:
        return found
    named = [name for name in candidates if _OF_DEVICES.search(name) and name not in found][:_LOOKED_AT]
    for many in (1, 2):
        for names in combinations(named, many):
            if _unevenness(frame, times, [*found, *names]) < _EVEN:
                return [*found, *names]
    return found


def _unevenness(frame: pd.DataFrame, times: pd.DatetimeIndex, names: list[str]) -> float:
    """How many times as long the long steps of series are as the short ones."""
    codes = frame.groupby(names, sort=False).ngroup().to_numpy() if names else np.zeros(len(frame), dtype=np.int64)
    order = np.lexsort((times.asi8, codes))
    steps = np.diff(times.asi8[order])[np.diff(codes[order]) == 0]
    if len(steps) < _MOST_STEPS * len(frame):
        return float("inf")  # of series with a few rows each there is nothing to tell
    short, long = np.quantile(steps, [0.1, 0.9])
    return float(long / max(short, 1.0))


def _runs_apart(column: pd.Series, times: pd.DatetimeIndex) -> bool:
    """Whether times go on only inside each name: the series stand below each other, at times of their own.

    Or in turns, where the rows of each name have a step and all together have none.
    """
    if pd.api.types.is_numeric_dtype(column):
        return False
    codes, _ = pd.factorize(column)
    order = np.argsort(codes, kind="stable")
    inside = np.diff(codes[order]) == 0
    goes_on = bool((np.diff(times.asi8[order])[inside] > 0).all())
    if not goes_on:
        return False
    if not times.is_monotonic_increasing:
        return True
    together = find_step(times, np.zeros(len(times), dtype=np.int64))
    return together.every is None and find_step(times[order], codes[order]).every is not None


def _measures_other_things(frame: pd.DataFrame, name: str, taken: list[str]) -> bool:
    """Whether a column is called like one of series, and the cells of another differ far more between its names than within."""
    if pd.api.types.is_numeric_dtype(frame[name]) or not _NAMED.search(name):
        return False
    for other in (str(each) for each in frame.columns if str(each) not in {*taken, name}):
        if not pd.api.types.is_float_dtype(frame[other]) and not pd.api.types.is_integer_dtype(frame[other]):
            continue
        cells = frame[other].astype(float)
        within = cells - cells.groupby(frame[name]).transform("mean")
        if float(cells.var()) > 0 and 1 - float(within.var()) / float(cells.var()) > _APART:
            return True
    return False


def _may_name(column: pd.Series) -> bool:
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return False
    if pd.api.types.is_float_dtype(column) and not (column.dropna() == column.dropna().round()).all():
        return False
    return 1 < column.nunique() <= len(column) / _LEAST_ROWS and not column.isna().any()


def _is_a_name(column: pd.Series, name: str, most: int, counted: Collection[str]) -> bool:
    """Whether a column may name series: texts, or numbers of which there are no more than there can be series."""
    numbers = pd.api.types.is_numeric_dtype(column) or name in counted
    return not numbers or bool(_NAMED.search(name)) or column.nunique() <= most


def _tells_apart(frame: pd.DataFrame, instants: pd.Series, names: list[str]) -> bool:
    keys = pd.concat(
        [instants.rename("at"), *(frame[name].reset_index(drop=True).rename(f"_{name}") for name in names)], axis=1
    )
    return int(keys.duplicated().sum()) <= _MOST_DOUBLES * len(frame)


def _in_blocks(column: pd.Series) -> bool:
    """Whether texts stand in blocks, each name in one: sequences without a clock."""
    if pd.api.types.is_numeric_dtype(column):
        return False
    cells = column.to_numpy(dtype=object)
    blocks = 1 + int((cells[1:] != cells[:-1]).sum())
    return blocks == column.nunique()


def _counted_by_itself(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column of whole numbers counts the rows of each name by itself, as the step of rows that take turns."""
    if pd.api.types.is_numeric_dtype(frame[name]) and not _NAMED.search(name):
        return False
    groups = frame.groupby(name, sort=False).ngroup()
    if groups.value_counts().min() < _LEAST_COUNTED:
        return False
    others = [each for each in frame.columns if str(each) != name and pd.api.types.is_integer_dtype(frame[each])]
    return any(
        bool((frame[each].groupby(groups).diff().dropna() == 1).all())
        and not bool((frame[each].diff().dropna() == 1).all())
        for each in others
    )


def codes_of(frame: pd.DataFrame, names: list[str]) -> tuple[np.ndarray, list[str]]:
    """Number of each row's series, shape `(rows,)`, and the series' names."""
    if not names:
        return np.zeros(len(frame), dtype=np.int64), [""]
    texts = frame[names[0]].astype("str")
    for name in names[1:]:
        texts = texts + " " + frame[name].astype("str")
    codes, found = pd.factorize(texts, sort=True)
    return np.asarray(codes, dtype=np.int64), [str(name) for name in found]
