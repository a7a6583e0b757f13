"""The intervals of a model beside those of its baselines, on the windows of one part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.data.windows.ranges import Windows
from seq2seq_kit.intervals.adaptive import Follower
from seq2seq_kit.intervals.calibrated import Intervals
from seq2seq_kit.intervals.calibration import independent_windows
from seq2seq_kit.intervals.prediction import Prediction, as_prediction, named
from seq2seq_kit.intervals.scores import QuantileSums, rows_of

_CELLS = 2_000_000  # of quantiles that are made at once


@dataclass(frozen=True)
class IntervalScores:
    """Coverage and losses of each forecaster's quantiles.

    Attributes:
        part: `val` or `test`.
        levels: Those asked for, in percent.
        sums: By forecaster, the model first.
        scale: Training scale, shape `(series, targets)`, for figures over several targets.
        targets: Names of the targets.
        series: Names of the series.
        independent: Windows whose targets share no row, see `independent_windows`.
        windows: Those that are judged.
        followers: By forecaster and series, where the intervals follow what happens; None where they stay as calibrated.
    """

    part: str
    levels: tuple[float, ...]
    sums: Mapping[str, QuantileSums]
    scale: np.ndarray
    targets: Sequence[str]
    series: Sequence[str]
    independent: int
    windows: Windows
    followers: dict[tuple[str, int], Follower] | None = None

    @classmethod
    def empty(
        cls, prepared: Prepared, part: str, intervals: Intervals, names: Sequence[str], *, follow: bool = False
    ) -> IntervalScores:
        """Without a window yet; `names` are the forecasters, those of `intervals` that are judged."""
        these = prepared.windows[part]
        targets, series = list(prepared.columns.targets), prepared.table.series
        shape = (len(series), these.shape.output_steps, len(targets))
        sums = {name: QuantileSums(shape, intervals.judged(name)) for name in names if name in intervals.margins}
        independent = int(independent_windows(these).sum())
        followers: dict[tuple[str, int], Follower] | None = {} if follow else None
        scale = prepared.target_scale
        return cls(part, intervals.levels, sums, scale, targets, series, independent, these, followers)

    def add(
        self,
        intervals: Intervals,
        name: str,
        truth: np.ndarray,
        predicted: np.ndarray | Prediction,
        series: np.ndarray,
        windows: np.ndarray,
    ) -> None:
        """Adds windows of one forecaster, those that follow on the ones before.

        Args:
            intervals: Calibrated.
            name: Of the forecaster.
            truth: Shape `(windows, steps, targets)`.
            predicted: What it says.
            series: Of each window, by position.
            windows: Their numbers.
        """
        if name not in self.sums:
            return
        sums = self.sums[name]
        most = max(1, _CELLS // (truth[0].size * len(sums.probabilities))) if len(truth) else 1
        for first in range(0, len(truth), most):
            some = slice(first, first + most)
            names = [self.series[each] for each in series[some]]
            levels = sums.levels if self.followers is None else intervals.offered(name)
            around = intervals.around(name, _some(predicted, some), names, levels, self.targets)
            if self.followers is not None:
                around = self._followed(name, around, truth[some], series[some], windows[some])
            sums.add(truth[some], around, series[some])

    def _followed(
        self, name: str, predicted: Prediction, truth: np.ndarray, series: np.ndarray, windows: np.ndarray
    ) -> Prediction:
        assert self.followers is not None
        shape, run = self.windows.shape, self.windows.run_of(windows)
        begins = windows == self.windows.ends[run] - self.windows.counts[run]
        first = shape.target_offset - shape.input_steps + 1  # rows from the newest input to the first target
        delays = -(-(first + np.arange(shape.output_steps)) // self.windows.stride)
        levels, found = self.sums[name].levels, list[np.ndarray]()
        for window, one in enumerate(series.tolist()):
            key = (name, one)
            if key not in self.followers:
                self.followers[key] = Follower(levels, delays, truth.shape[2])
            elif begins[window]:
                self.followers[key].interrupt()
            one = self.followers[key].next(_some(predicted, slice(window, window + 1)), truth[window])
            assert one.quantiles is not None
            found.append(one.quantiles)
        return Prediction(predicted.point, levels, np.concatenate(found))

    @property
    def titles(self) -> dict[str, str]:
        """Titles of `metrics` by key, in the order of the table."""
        covered = {f"coverage_{named(level)}": f"in {named(level)} %" for level in self.levels}
        return {**covered, "wql": "WQL", "crps": "CRPS"}

    def metrics(self, name: str) -> dict[str, float]:
        """Share of the actual values in each level's intervals, WQL and CRPS of one forecaster."""
        sums = self.sums[name]
        covered = {f"coverage_{named(level)}": sums.coverage(level) for level in self.levels}
        return {**covered, "wql": sums.wql(), "crps": sums.crps(self._scale)}

    @property
    def _scale(self) -> np.ndarray:
        """For figures over all targets: each in its training scale where there are several."""
        return self.scale if len(self.targets) > 1 else np.ones_like(self.scale)

    def widths(self, name: str) -> dict[float, float]:
        """Mean width by level; in units of each target's training scale where there are several."""
        return {level: self.sums[name].mean_width(level, self._scale) for level in self.levels}

    def coverage_by_step(self, name: str, level: float) -> np.ndarray:
        """Coverage of a level at each step, shape `(steps,)`."""
        sums, every = self.sums[name], slice(None)
        return np.array([sums.coverage(level, (every, slice(t, t + 1), every)) for t in range(sums.shape[1])])

    def table(self) -> pd.DataFrame:
        """Every figure, long: forecaster, what it is over (`all`, target, series, step) and level, then the figures."""
        return pd.DataFrame(
            [
                row
                for name, sums in self.sums.items()
                for row in rows_of(name, sums, scale=self.scale, targets=self.targets, series=self.series)
            ]
        )

    @property
    def best_baseline(self) -> str | None:
        """The baseline with the smallest WQL, None where there is none."""
        peers = [name for name in list(self.sums)[1:] if np.isfinite(self.sums[name].wql())]
        return min(peers, key=lambda name: self.sums[name].wql(), default=None)


def _some(predicted: np.ndarray | Prediction, these: slice) -> Prediction:
    predicted = as_prediction(predicted)
    quantiles = None if predicted.quantiles is None else predicted.quantiles[these]
    return Prediction(predicted.point[these], predicted.levels, quantiles)
