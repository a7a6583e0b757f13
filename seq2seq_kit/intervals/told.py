"""Forecasts that were written down, a frame or file of `predict`: intervals are moved by what became of them."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pandas as pd

from seq2seq_kit.arguments import require
from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.tables.names import distinct, joined_name
from seq2seq_kit.data.tables.time_parsing import with_offset
from seq2seq_kit.data.tables.time_style import TimeStyle
from seq2seq_kit.errors import DataError
from seq2seq_kit.intervals.adaptive import misses, slowed
from seq2seq_kit.intervals.calibrated import Intervals
from seq2seq_kit.intervals.pending import Values
from seq2seq_kit.intervals.prediction import named
from seq2seq_kit.recipe.fields import Data


def settle_frame(
    intervals: Intervals,
    data: Data,
    forecasts: pd.DataFrame,
    values: Values,
    rate: float,
    trained: TimeStyle | None = None,
) -> tuple[Intervals, int]:
    """The intervals moved by forecasts whose actual values are known, and how many steps that were.

    Args:
        intervals: Before.
        data: The recipe's section.
        forecasts: As `predict` gave them: series, time or `row`, `step`, and the ends of every level of the intervals. Those
            of one series stand in the order in which they were made.
        values: By series and time or row.
        rate: How far one miss moves a level.
        trained: How the times of the training rows were written.

    Raises:
        DataError: A column is missing, or a cell is no time, step or number.
    """
    require("forecasts", forecasts, pd.DataFrame, "what `predict` gave, a table")
    zone, targets = trained.zone if trained else "", Columns.of(data).targets
    # As the answer calls them, in which no column takes the place of another.
    theirs = [*data.series_columns, *targets]
    at_column, step_column = distinct([*theirs, data.time_name or "row", "step"])[len(theirs) :]
    ends = [
        [[f"{target}_{end}_{named(level)}" for target in targets] for end in ("lo", "hi")] for level in intervals.levels
    ]
    wanted = [
        *data.series_columns,
        at_column,
        step_column,
        *(name for level in ends for names in level for name in names),
    ]
    absent = [name for name in wanted if name not in forecasts.columns]
    if absent:
        raise DataError(
            f"the forecasts lack the columns {', '.join(absent)}. Expected: what `predict` gave, with the levels "
            f"{', '.join(map(named, intervals.levels))}. Received: {', '.join(map(str, forecasts.columns))}",
            code="missing_column",
        )
    step = _steps(forecasts[step_column])
    # Those behind the steps that were calibrated have no intervals.
    forecasts, step = forecasts[step <= intervals.steps].reset_index(drop=True), step[step <= intervals.steps]
    if data.series_columns:
        parts = zip(*(forecasts[name].astype(str) for name in data.series_columns), strict=True)
        series = np.array([joined_name(each) if len(each) > 1 else each[0] for each in parts], dtype=object)
    else:
        series = np.full(len(forecasts), "", dtype=object)
    keys = _keys(forecasts[at_column], zone, clock=data.time_name is not None)
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


def _keys(column: pd.Series, zone: str, *, clock: bool) -> np.ndarray:
    """Times as nanoseconds since 1970 in UTC, rows counted from 0."""
    if not clock:
        return _numbers(column).astype(np.int64) - 1
    times = pd.to_datetime(column, utc=True, errors="coerce", format="ISO8601")
    if times.isna().any():
        _refuse(column, int(np.argmax(times.isna().to_numpy())), "a time", "invalid_timestamp")
    other = with_offset(column).to_numpy() != bool(zone)
    if other.any():
        wanted = (
            f"a time with its offset from UTC, as the training rows are in {zone}" if zone else "a time without a zone"
        )
        _refuse(column, int(np.argmax(other)), wanted, "time_zone_differs")
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
