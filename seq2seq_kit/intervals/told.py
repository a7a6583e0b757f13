"""Forecasts that were written down, a frame or file of `predict`: intervals are moved by what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.names import joined_name
from seq2seq_kit.errors import DataError
from seq2seq_kit.intervals.adaptive import misses, slowed
from seq2seq_kit.intervals.calibrated import Intervals
from seq2seq_kit.intervals.pending import Values
from seq2seq_kit.intervals.prediction import named
from seq2seq_kit.recipe.fields import Data


def settle_frame(
    intervals: Intervals,
    data: Data,
    targets: Sequence[str],
    forecasts: pd.DataFrame,
    values: Values,
    rate: float,
) -> tuple[Intervals, int]:
    """The intervals moved by forecasts whose actual values are known, and how many steps that were.

    Args:
        intervals: Before.
        data: The recipe's section.
        targets: Their names.
        forecasts: As `predict` gave them: series, time or `row`, `step`, and the ends of every level of the intervals. Those
            of one series stand in the order in which they were made.
        values: By series and time or row.
        rate: How far one miss moves a level.

    Raises:
        DataError: A column is missing, or a cell is no time, step or number.
    """
    at_column = data.time_name or "row"
    ends = [
        [[f"{target}_{end}_{named(level)}" for target in targets] for end in ("lo", "hi")] for level in intervals.levels
    ]
    wanted = [*data.series_columns, at_column, "step", *(name for level in ends for names in level for name in names)]
    absent = [name for name in wanted if name not in forecasts.columns]
    if absent:
        raise DataError(
            f"the forecasts lack the columns {', '.join(absent)}. Expected: what `predict` gave, with the levels "
            f"{', '.join(map(named, intervals.levels))}. Received: {', '.join(map(str, forecasts.columns))}",
            code="missing_column",
        )
    step = _steps(forecasts["step"])
    # Those behind the steps that were calibrated have no intervals.
    forecasts, step = forecasts[step <= intervals.steps].reset_index(drop=True), step[step <= intervals.steps]
    if data.series_columns:
        parts = zip(*(forecasts[name].astype(str) for name in data.series_columns), strict=True)
        series = np.array([joined_name(each) if len(each) > 1 else each[0] for each in parts], dtype=object)
    else:
        series = np.full(len(forecasts), "", dtype=object)
    keys = _keys(forecasts[at_column], clock=data.time_name is not None)
    # The k-th forecast of a series has the k-th of its rows at each step.
    which = pd.DataFrame({"series": series, "step": step}).groupby(["series", "step"]).cumcount().to_numpy()
    lower, upper = (
        np.stack([np.stack([_numbers(forecasts[name]) for name in level[end]], axis=1) for level in ends])
        for end in (0, 1)
    )
    truth: np.ndarray = np.full((len(forecasts), len(targets)), np.nan)
    for row, (name, key) in enumerate(zip(series.tolist(), keys.tolist(), strict=True)):
        truth[row] = values.get(name, {}).get(key, np.nan)
    missed = misses(truth, lower, upper)
    counted = 0
    for name in dict.fromkeys(series.tolist()):
        own = np.flatnonzero(series == name)
        last = int(which[own].max())
        for number in range(last + 1):
            rows = own[which[own] == number]
            if np.isnan(missed[:, rows]).all():
                continue
            padded = np.full((len(intervals.levels), intervals.steps, len(targets)), np.nan)
            padded[:, step[rows] - 1] = missed[:, rows]
            counted += int((~np.isnan(missed[:, rows])).any(axis=(0, 2)).sum())
            # Those that were made since then tell much the same.
            intervals = intervals.follow(name, padded, float(slowed(rate, last + 1 - number)))
    return intervals, counted


def _steps(column: pd.Series) -> np.ndarray:
    numbers = _numbers(column)
    wrong = np.flatnonzero(~((numbers >= 1) & (numbers == np.floor(numbers))))
    if wrong.size:
        _refuse(column, int(wrong[0]), "a whole number from 1", "not_a_number")
    return numbers.astype(np.int64)


def _keys(column: pd.Series, *, clock: bool) -> np.ndarray:
    """Times as nanoseconds since 1970 in UTC, rows counted from 0."""
    if not clock:
        return _numbers(column).astype(np.int64) - 1
    times = pd.to_datetime(column, utc=True, errors="coerce", format="ISO8601")
    if times.isna().any():
        _refuse(column, int(np.argmax(times.isna().to_numpy())), "a time", "invalid_timestamp")
    return np.asarray(pd.DatetimeIndex(times).as_unit("ns").asi8)


def _numbers(column: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.isna().any():
        _refuse(column, int(np.argmax(numbers.isna().to_numpy())), "a number", "not_a_number")
    return numbers.to_numpy(dtype=np.float64)


def _refuse(column: pd.Series, row: int, wanted: str, code: str) -> NoReturn:
    raise DataError(
        f"the forecasts, row {row + 1}, column {column.name}: expected {wanted}. Received: {column.iloc[row]!r}. Give them as "
        "`predict` wrote them",
        code=code,
    )
