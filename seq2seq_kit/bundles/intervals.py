"""Bundles whose forecasts have intervals: calibrated, in answers, and moved when the actual values are known."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Self

import numpy as np
import pandas as pd

from seq2seq_kit.arguments import require, require_count, require_levels
from seq2seq_kit.bundles.detecting import DetectingBundle
from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.splits import CALIBRATION
from seq2seq_kit.data.windows.ahead import split_ahead
from seq2seq_kit.data.windows.prepare import Prepared, prepare_new
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation import MODEL, Baseline
from seq2seq_kit.intervals.adaptive import RATE
from seq2seq_kit.intervals.calibrated import Intervals
from seq2seq_kit.intervals.calibration import LEARNED_UNTIL, Predicts, refuse_learned
from seq2seq_kit.intervals.paths import draw, most_templates, templates_of
from seq2seq_kit.intervals.pending import Forecasts, actual_values, require_counted, require_values
from seq2seq_kit.intervals.prediction import Prediction, as_prediction
from seq2seq_kit.intervals.told import settle_frame
from seq2seq_kit.recipe.fields import Data, HorizonData


class IntervalBundle(DetectingBundle):
    """A bundle whose forecasts may have intervals.

    Attributes:
        intervals: Of its model and its baselines; None of a bundle without.
        forecasts: What it has forecast since it was loaded and nobody has told it of, see `update`.
        follows: Whether `evaluate` moves the intervals as `update` would.
    """

    scaler: Scaler
    baselines: list[Baseline]
    naive: dict[str, np.ndarray]
    intervals: Intervals | None
    forecasts: Forecasts
    follows: bool

    @property
    @abstractmethod
    def window_data(self) -> Data:
        """The recipe's data section, as one of windows."""

    @abstractmethod
    def forecast(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        """The model as a predictor of windows, in original units, shape `(windows, output_steps, targets)`."""

    def fit_intervals(self, prepared: Prepared, levels: Sequence[float], part: str = CALIBRATION) -> Self:
        """The bundle with intervals of its model and each baseline, by their errors on one part of prepared rows.

        Raises:
            DataError: The part has too few windows.
        """
        kind = getattr(self.recipe, "intervals", None) or "conformal"
        predictors: dict[str, Predicts] = {MODEL: self.predicted, **{peer.name: peer for peer in self.baselines}}
        fitted = Intervals.fit(prepared, predictors, levels=levels, naive=self.naive, kind=kind, part=part)
        targets = prepared.columns.targets
        picked = prepared.windows[part].evenly(most_templates(fitted.steps * len(targets)))
        names = [prepared.table.series[each] for each in prepared.series_of(part, picked)]
        predicted = self.predicted(prepared, part, picked)
        around = fitted.around(MODEL, predicted, names, fitted.offered(MODEL), targets)
        fitted = replace(fitted, templates=templates_of(prepared.truth(part, picked), around))
        return replace(self, intervals=fitted)  # type: ignore[type-var]  # every bundle is a dataclass

    def predicted(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray | Prediction:
        """As `forecast`, with the quantiles of a model that writes such."""
        return self.forecast(prepared, part, windows)

    def with_intervals(self, prepared: Prepared, part: str, windows: np.ndarray) -> Prediction:
        """The model as a predictor of windows with the quantiles of the levels that it was calibrated for."""
        names = [prepared.table.series[each] for each in prepared.series_of(part, windows)]
        return self.around(MODEL, self.predicted(prepared, part, windows), names)[0]

    def around(
        self,
        name: str,
        predicted: np.ndarray | Prediction,
        series: Sequence[str],
        levels: Sequence[float] | None = None,
        *,
        quantiles: bool = False,
    ) -> tuple[Prediction, dict[str, np.ndarray]]:
        """A forecast with its intervals, and its columns for an answer; without them where the bundle has none.

        Args:
            name: Of the forecaster: `model`, or a baseline's.
            predicted: What it says, shape `(windows, steps, targets)`.
            series: Name of the series of each window.
            levels: In percent; None: those that the bundle was calibrated for; empty: none.
            quantiles: Columns by probability instead of by level.

        Raises:
            ArgumentError: The bundle has no intervals, or none of a level that is asked for.
        """
        targets = Columns.of(self.window_data).targets
        asked = self.interval_levels(name, levels, quantiles=quantiles)
        if self.intervals is None or not asked:
            point = as_prediction(predicted)
            return point, point.columns(targets, (), quantiles=False)
        found = self.intervals.adapted(name, predicted, series, tuple(sorted(asked)), targets)
        return found, found.columns(targets, asked, quantiles=quantiles)

    def paths(
        self, name: str, predicted: np.ndarray | Prediction, series: Sequence[str], count: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Sample paths around a forecast of the model, shape `(windows * count, steps, targets)`; arguments as of `around`."""
        intervals, targets = self.intervals, Columns.of(self.window_data).targets
        assert intervals is not None
        assert intervals.templates is not None
        found = intervals.adapted(name, predicted, series, intervals.offered(name), targets)
        drawn = draw(found, intervals.templates, count, rng)
        for target, (low, high) in intervals.limits.items():
            drawn[..., targets.index(target)] = drawn[..., targets.index(target)].clip(low, high)
        return drawn.reshape(-1, *drawn.shape[2:])

    def require_paths(
        self, name: str, samples: int, steps: int, *, levels: Sequence[float] | None, quantiles: bool, seed: int
    ) -> None:
        """Refuses sample paths that there are not.

        Raises:
            ArgumentError: `samples` is no whole number of at least 1, `seed` none of at least 0, or `samples` stands beside
                levels or quantiles, the forecaster is a baseline, the bundle has no intervals, or was calibrated without
                templates, or for fewer steps.
        """
        require_count("samples", samples, 1, 100_000)  # which tell a quantile of 1 in 10,000
        require_count("seed", seed, 0)
        if levels is not None or quantiles:
            said = (
                "samples gives paths, which have no intervals. Leave out samples (--samples), or levels and quantiles"
            )
            raise ArgumentError(said, code="invalid_argument")
        self.interval_levels(name, None, quantiles=self.intervals is None)
        assert self.intervals is not None
        if name != self.intervals.followed:
            said = f"sample paths are those of the model. Received: baseline {name!r}. Leave one of the two out"
            raise ArgumentError(said, code="not_supported")
        if steps > self.intervals.steps:
            raise ArgumentError(
                f"sample paths end with the {self.intervals.steps} steps that the intervals were calibrated for. Received: "
                f"{steps} steps. Ask for fewer, or train with a larger output_steps",
                code="not_supported",
            )
        if self.intervals.templates is None:
            raise ArgumentError(
                "this bundle was calibrated without sample paths: by an older version, or by windows of which fewer than two "
                "have all their actual values. Calibrate it again: seq2seq-kit calibrate RUN",
                code="no_intervals",
            )

    def answer_to(
        self, frame: pd.DataFrame, *, verb: str | None = None, samples: int = 0, seed: int = 0
    ) -> pd.DataFrame:
        """As of every bundle; with `samples` so many sample paths of `predict`.

        Raises:
            ArgumentError: Likewise; sample paths of another verb are asked for, or there are none.
        """
        if not samples:
            return super().answer_to(frame, verb=verb)
        if verb not in (None, self.verbs[0]):
            said = f"sample paths are those of {self.verbs[0]}. Received: verb={verb}, samples={samples}. Leave one out"
            raise ArgumentError(said, code="not_supported")
        assert isinstance(self.window_data, HorizonData)
        rows, future = split_ahead(frame, self.window_data)
        answer: pd.DataFrame = getattr(self, self.verbs[0])(rows, future=future, samples=samples, seed=seed)
        return answer

    @property
    def served_params(self) -> dict[str, str | int]:
        paths = self.intervals is not None and self.intervals.templates is not None
        return super().served_params | ({"samples": 0, "seed": 0} if paths else {})

    def interval_levels(
        self, name: str, levels: Sequence[float] | None, *, quantiles: bool = False
    ) -> tuple[float, ...]:
        """The levels of an answer, as they are asked for; none of a bundle without intervals that is asked for none.

        Raises:
            ArgumentError: As `around`.
        """
        if self.intervals is None:
            if levels or quantiles:
                raise ArgumentError(
                    "this model has no intervals: its recipe has no `levels`. Calibrate it on rows that it was not trained on: "
                    "seq2seq-kit calibrate RUN --levels 80 95; or train it again with `levels: [80, 95]` in its recipe",
                    code="no_intervals",
                )
            return ()
        if levels is None:
            return self.intervals.levels
        self.intervals.require(name, levels)
        return tuple(map(float, levels))

    def remember(self, predicted: np.ndarray | Prediction, series: Sequence[str], at: np.ndarray) -> None:
        """Keeps a forecast of the model until `update` is told what became of it.

        Args:
            predicted: As for `around`.
            series: Likewise.
            at: Time (nanoseconds since 1970 in UTC) or row of each step, shape `(windows, steps)`.
        """
        if self.intervals is not None:
            targets, clock = Columns.of(self.window_data).targets, self.window_data.time_name is not None
            self.forecasts.add(self.intervals, predicted, series, at, targets, clock=clock)

    def calibrate(
        self, frame: pd.DataFrame, *, levels: Sequence[float] | None = None, origin: str = "the data"
    ) -> Self:
        """The bundle with intervals, or with a detector, fitted on these rows, which it was not trained on.

        Args:
            frame: Rows with the recipe's columns.
            levels: Of the intervals of its forecasts, in percent; None: a detector of usual rows is fitted.
            origin: Name of the file for messages.

        Raises:
            ArgumentError: A level lies outside (0, 100) or is named twice, or the model makes no forecasts.
            DataError: The rows do not fit, are too few, or were trained on as far as their times tell.
        """
        if levels is None:
            return super().calibrate(frame, origin=origin)
        require_levels(levels)
        self.refuse_levels(levels)
        prepared = prepare_new(self.window_data, frame, self.scaler, origin=origin)
        refuse_learned(prepared, self.info.get(LEARNED_UNTIL))
        return self.fit_intervals(prepared, levels, "test")

    def refuse_levels(self, levels: Sequence[float]) -> None:
        """Raises `ArgumentError` for levels outside (0, 100) or named twice, and for a model that makes no forecasts."""
        if not isinstance(self.window_data, HorizonData):
            raise ArgumentError(f"this bundle is {self.what}; intervals are those of forecasts", code="not_supported")
        if not all(0 < level < 100 for level in levels) or len({*levels}) < max(len(levels), 1):
            said = f"levels are numbers in (0, 100), each named once. Received: levels={list(levels)}"
            raise ArgumentError(said, code="invalid_argument")

    def update(
        self,
        actuals: pd.DataFrame,
        *,
        forecasts: pd.DataFrame | None = None,
        rate: float = RATE,
        origin: str = "the data",
    ) -> Self:
        """The bundle with intervals that were moved by what became of its forecasts: adaptive conformal inference.

        Each actual value outside an interval makes the next ones wider, each inside a little narrower, for each series, step,
        target and level by itself, until they hold what they promise (Gibbs and Candes 2021).

        Args:
            actuals: Rows with time, series and targets. Those that `predict` has forecast since this bundle was loaded count,
                each once; others are left alone. Without a time column they are the rows forecast from, and those after.
            forecasts: What `predict` gave, also in another process, in the order in which it was made, with the levels of the
                intervals; None: what this bundle has forecast. Each counts as often as it is given. Names of series are
                texts, as `predict` gives them: 007 is not 7.
            rate: How far one miss moves a level, in (0, 1).
            origin: Name of the file for messages.

        Raises:
            ArgumentError: The bundle has no intervals, `rate` lies outside its range, or no row was ever forecast.
            DataError: The rows do not fit, or hold no value of a target.
        """
        require("rate", rate, Real, "a number in (0, 1)")
        if not 0 < rate < 1:
            raise ArgumentError(f"rate must lie in (0, 1). Received: rate={rate!r}", code="invalid_argument")
        self.interval_levels(MODEL, None, quantiles=self.intervals is None)
        assert self.intervals is not None
        values = actual_values(self.window_data, actuals, self.scaler.times, origin)
        require_values(values, Columns.of(self.window_data).targets, origin)
        if forecasts is not None:
            intervals, counted = settle_frame(
                self.intervals, self.window_data, forecasts, values, rate, self.scaler.times
            )
        else:
            intervals, counted = self.forecasts.settle(self.intervals, values, rate)
        require_counted(counted, self.forecasts if forecasts is None else None, origin)
        return replace(self, intervals=intervals)  # type: ignore[type-var]  # every bundle is a dataclass

    def with_updates(self) -> Self:
        """The same model, whose `evaluate` moves the intervals by each actual value from when it is known, as `update` would.

        Raises:
            ArgumentError: It has no intervals.
        """
        self.interval_levels(MODEL, None, quantiles=self.intervals is None)
        return replace(self, follows=True)  # type: ignore[type-var]
