"""What was forecast and is not known yet: matched with the actual values by series and time."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.table import Table, read_table
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.data.tables.timestamps import TimeStyle
from seq2seq_kit.data.windows.ahead import style_of, treatment_of
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.intervals.adaptive import RATE, misses, slowed
from seq2seq_kit.intervals.calibrated import Intervals
from seq2seq_kit.intervals.prediction import Prediction, first_steps, one_window
from seq2seq_kit.recipe.fields import Data, HorizonData

_MOST = 1_000  # forecasts of a series that are kept; older ones are forgotten
_MOST_IN_ALL = 100_000  # of all series; those of the series that was forecast longest ago are forgotten first

Values = Mapping[str, Mapping[int, np.ndarray]]  # by series and time or row, the targets


@dataclass(frozen=True)
class Forecast:
    """One forecast of one series, and what is known of it.

    Attributes:
        intervals: Those that it was made with.
        predicted: Of one window and at most `intervals.steps` steps.
        at: Time or row of each step, shape `(steps,)`.
        targets: Their names.
        open: Which actual values are not known, shape `(steps, targets)`.
    """

    intervals: Intervals
    predicted: Prediction
    at: np.ndarray
    targets: Sequence[str]
    open: np.ndarray


@dataclass
class Forecasts:
    """Forecasts that wait for their actual values, of each series in the order in which they were made.

    Attributes:
        kept: By series, the one that was forecast last at the end, and by what tells a forecast from others of its series.
        most: Of a series; 0: none is kept.
    """

    kept: dict[str, dict[Hashable, Forecast]] = field(default_factory=dict)
    most: int = _MOST

    def add(
        self,
        intervals: Intervals,
        predicted: np.ndarray | Prediction,
        series: Sequence[str],
        at: np.ndarray,
        targets: Sequence[str],
        *,
        clock: bool,
    ) -> None:
        """Keeps a forecast of some series; one that is made again takes the place of the former, so each step counts once.

        Args:
            intervals: Those that it was made with.
            predicted: Of a window of each series.
            series: Of each window.
            at: Time or row of each step, shape `(windows, steps)`; steps behind those predicted are left alone.
            targets: Their names.
            clock: Whether `at` are times. Rows are counted from the first one that was handed over, so forecasts of the same
                rows are the same forecast only where they say the same.
        """
        if not self.most:
            return
        predicted = first_steps(predicted, intervals.steps)
        steps = min(predicted.point.shape[1], at.shape[1])
        for window, name in enumerate(series):
            one, when = one_window(predicted, window), at[window, :steps].copy()
            own = self.kept[name] = self.kept.pop(name, {})
            key = (int(when[0]), "" if clock else hash(one.point.tobytes()))
            opened, before = np.ones((steps, len(targets)), dtype=bool), own.get(key)
            shared = 0 if before is None else min(steps, len(before.at))
            if before is not None and np.array_equal(before.at[:shared], when[:shared]):
                if len(before.at) > steps:
                    continue  # all of it waits already, and more
                opened[:shared] = before.open
            own[key] = Forecast(intervals, one, when, targets, opened)
            if len(own) > self.most:
                del own[next(iter(own))]
        self._forget(sum(map(len, self.kept.values())) - _MOST_IN_ALL)

    def _forget(self, count: int) -> None:
        while count > 0:
            name, own = next(iter(self.kept.items()))
            for key in list(own)[:count]:
                del own[key]
                count -= 1
            if not own:
                del self.kept[name]

    @property
    def told(self) -> str:
        """How many there are, in words."""
        count = sum(map(len, self.kept.values()))
        if not count:
            return "no forecast that waits for them"
        return (
            f"{count:,} forecasts that wait for their actual values"
            if count > 1
            else "a forecast that waits for its actual values"
        )

    def settle(self, intervals: Intervals, values: Values, rate: float = RATE) -> tuple[Intervals, int]:
        """The intervals moved by what became known of the forecasts, and how many steps that were."""
        counted = 0
        for name in [name for name in self.kept if name in values]:
            own = self.kept[name]
            for place, (key, forecast) in enumerate(list(own.items())):
                truth = _known(forecast, values[name])
                if not (there := np.isfinite(truth)).any():
                    continue
                counted += int(there.any(axis=1).sum())
                # Those that were made since then tell much the same.
                intervals = _follow(intervals, name, forecast, truth, float(slowed(rate, len(own) - place)))
                own[key] = replace(forecast, open=forecast.open & ~there)
            left = {key: each for key, each in own.items() if each.open.any()}
            if left:
                self.kept[name] = left
            else:
                del self.kept[name]
        return intervals, counted


def _known(forecast: Forecast, values: Mapping[int, np.ndarray]) -> np.ndarray:
    """The actual values that became known, shape `(steps, targets)`, NaN elsewhere."""
    absent = np.full(len(forecast.targets), np.nan)
    truth = np.stack([values.get(when, absent) for when in forecast.at.tolist()])
    return np.where(forecast.open & np.isfinite(truth), truth, np.nan)


def _follow(intervals: Intervals, series: str, forecast: Forecast, truth: np.ndarray, rate: float) -> Intervals:
    own = forecast.intervals
    if intervals.levels != own.levels:
        return intervals
    levels = tuple(sorted(own.levels))
    banded = own.adapted(own.followed, forecast.predicted, [series], levels, forecast.targets)
    ends = [banded.band(level) for level in own.levels]
    padded = np.full((len(own.levels), intervals.steps, truth.shape[1]), np.nan)
    padded[:, : len(truth)] = np.stack([misses(truth[None], lower, upper)[0] for lower, upper in ends])
    return intervals.follow(series, padded, rate)


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


def require_values(values: Values, targets: Sequence[str], origin: str) -> None:
    """Refuses actual values all of which are missing; arguments as of `actual_values` and what it gives.

    Raises:
        DataError: They are.
    """
    rows = sum(map(len, values.values()))
    if not any(np.isfinite(each).any() for own in values.values() for each in own.values()):
        raise DataError(
            f"{origin}: none of its {rows:,} rows has a value of {', '.join(targets)}. Expected: rows whose actual values are "
            "known. Give them once they are",
            code="no_observed_target",
        )


def require_counted(counted: int, own: Forecasts | None, origin: str) -> None:
    """Refuses actual values none of which was forecast.

    Args:
        counted: Steps that they tell of.
        own: The forecasts that the bundle had; None where they were given.
        origin: Name of the rows.

    Raises:
        ArgumentError: There are none.
    """
    if counted:
        return
    if own is None:
        said = f"{origin}: none of these rows is among the forecasts. Give the rows of the times that were forecast"
    else:
        said = (
            f"{origin}: none of these rows was forecast by this bundle since it was loaded, or they are known already. It has "
            f"{own.told}. Call `predict` first, and `update` with the rows of those times once they are known"
        )
    raise ArgumentError(said, code="never_forecast")
