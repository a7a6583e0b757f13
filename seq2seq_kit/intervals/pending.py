"""What was forecast and is not known yet: matched with the actual values by series and time."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.table import Table, read_table
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.data.tables.timestamps import TimeStyle
from seq2seq_kit.data.windows.ahead import style_of, treatment_of
from seq2seq_kit.intervals.adaptive import RATE, misses, slowed
from seq2seq_kit.intervals.calibrated import Intervals
from seq2seq_kit.intervals.prediction import Prediction, first_steps
from seq2seq_kit.recipe.fields import Data, HorizonData

_MOST = 1_000  # forecasts that are kept; older ones are forgotten

Values = Mapping[str, Mapping[int, np.ndarray]]  # by series and time or row, the targets


@dataclass
class Forecast:
    """One forecast of some series, and what is known of it.

    Attributes:
        intervals: Those that it was made with.
        predicted: Of `intervals.steps` steps at most.
        series: Of each window.
        at: Time or row of each step, shape `(windows, steps)`.
        targets: Their names.
        open: Steps whose actual value is not known, of the shape of `at`.
    """

    intervals: Intervals
    predicted: Prediction
    series: list[str]
    at: np.ndarray
    targets: Sequence[str]
    open: np.ndarray


@dataclass
class Forecasts:
    """Forecasts in the order in which they were made."""

    kept: deque[Forecast] = field(default_factory=lambda: deque(maxlen=_MOST))

    def add(
        self,
        intervals: Intervals,
        predicted: np.ndarray | Prediction,
        series: Sequence[str],
        at: np.ndarray,
        targets: Sequence[str],
    ) -> None:
        """Keeps a forecast; arguments as of `Forecast`."""
        steps = min(intervals.steps, at.shape[1])
        at = at[:, :steps]
        opened = np.ones(at.shape, dtype=bool)
        self.kept.append(Forecast(intervals, first_steps(predicted, steps), list(series), at, targets, opened))

    @property
    def told(self) -> str:
        """How many there are, in words."""
        count = sum(int(each.open.any()) for each in self.kept)
        return f"{count} forecasts that wait for their actual values" if count else "no forecast that waits for them"

    def settle(self, intervals: Intervals, values: Values, rate: float = RATE) -> tuple[Intervals, int]:
        """The intervals moved by what became known of the forecasts, and how many steps that were."""
        counted = 0
        for place, forecast in enumerate(self.kept):
            # Those that were made since then tell much the same.
            own = float(slowed(rate, len(self.kept) - place))
            counted_here, intervals = self._settle(forecast, intervals, values, own)
            counted += counted_here
        self.kept = deque((each for each in self.kept if each.open.any()), maxlen=_MOST)
        return intervals, counted

    def _settle(self, forecast: Forecast, intervals: Intervals, values: Values, rate: float) -> tuple[int, Intervals]:
        truth: np.ndarray = np.full(forecast.predicted.point.shape, np.nan)
        for window, name in enumerate(forecast.series):
            known = values.get(name, {})
            for step in np.flatnonzero(forecast.open[window]).tolist():
                if (found := known.get(int(forecast.at[window, step]))) is not None and np.isfinite(found).any():
                    truth[window, step] = found
        there = np.isfinite(truth).any(axis=2)
        if not there.any():
            return 0, intervals
        own, levels = forecast.intervals, tuple(sorted(forecast.intervals.levels))
        banded = own.adapted(own.followed, forecast.predicted, forecast.series, levels, forecast.targets)
        ends = [banded.band(level) for level in own.levels]
        missed = np.stack([misses(truth, lower, upper) for lower, upper in ends])
        if intervals.levels == own.levels:
            for window in np.flatnonzero(there.any(axis=1)).tolist():
                padded = np.full((len(own.levels), intervals.steps, truth.shape[2]), np.nan)
                padded[:, : truth.shape[1]] = missed[:, window]
                intervals = intervals.follow(forecast.series[window], padded, rate)
        forecast.open &= ~there
        return int(there.sum()), intervals


def keys_of(table: Table, rows: np.ndarray) -> np.ndarray:
    """Time of rows in nanoseconds since 1970 in UTC, or without a clock their place in their series; of the shape of `rows`."""
    if table.times is None:
        series = np.searchsorted(table.bounds, rows, side="right") - 1
        return np.asarray(rows - table.bounds[series])
    times = table.times[rows.ravel()]
    return nanoseconds(times).reshape(rows.shape)


def nanoseconds(times: pd.DatetimeIndex) -> np.ndarray:
    """Times as numbers."""
    return np.asarray(times.as_unit("ns").asi8)


def actual_values(data: Data, frame: pd.DataFrame, trained: TimeStyle | None, origin: str) -> Values:
    """The targets of rows by series and time, or row; other columns may be absent.

    Raises:
        DataError: A column is missing or no number, or times cannot be read.
    """
    assert isinstance(data, HorizonData)
    table = read_table(
        frame,
        columns=data.targets,
        time=data.time,
        every=Every.of(data.every, data.holidays),
        series=data.series_columns,
        origin=origin,
        style=style_of(data),
        trained=trained,
        form=data.format,
        treatment=treatment_of(data),
    )
    found: dict[str, dict[int, np.ndarray]] = {}
    for place, name in enumerate(table.series):
        rows = np.arange(table.bounds[place], table.bounds[place + 1])
        found[name] = dict(zip(keys_of(table, rows).tolist(), table.values[rows], strict=True))
    return found
