"""The evaluation of one part: the model and its baselines on the same windows, in one table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.evaluation.base import MODEL, ErrorBoard
from seq2seq_kit.evaluation.baselines import Baseline, LastValue
from seq2seq_kit.evaluation.metrics import ErrorSums, Scores
from seq2seq_kit.evaluation.wild import wild_cells
from seq2seq_kit.intervals.board import IntervalScores
from seq2seq_kit.intervals.calibrated import Intervals
from seq2seq_kit.intervals.calibration import Predicts
from seq2seq_kit.intervals.prediction import as_prediction

_CHUNK = 4_096


@dataclass(frozen=True)
class Evaluation(ErrorBoard):
    """Errors of the model and of each baseline over the windows of one part; see `ErrorBoard`.

    Attributes:
        part: `val` or `test`.
        windows: Number of windows.
        steps: Output steps.
        series: Names of the series.
        naive: MASE's denominators, shape `(series, targets)`; NaN for an autoencoder.
        from_last_value: Error between the model's predictions and the newest input, on the scale of skill (a forecast only).
        about: What each baseline does.
        edges: In words, by baseline, a setting that was chosen at the edge of those tried.
        wild: Cells of this part that lie far off all others of their column, in words.
        calm: The model's error sums over the windows that touch none of them; None where there are none.
        intervals: How good the forecasters' intervals are; None where they have none.
        learned: How many of the windows begin in rows that the model has learned from.
        unlabelled: Whether it is of the windows alone that hold no row which labels call anomalous.
    """

    unit: ClassVar[str] = "windows"
    advice: ClassVar[Mapping[str, str]] = {
        **ErrorBoard.advice,
        "val_and_test_differ": "The two stretches of time differ; look at the forecasts of both, or choose another data.split",
        "returns_the_mean": "Train longer, raise learning_rate, encoder_units or latent_dim, or shorten input_steps",
    }

    part: str
    windows: int
    steps: int
    targets: list[str]
    series: list[str]
    sums: dict[str, ErrorSums]
    scale: np.ndarray
    naive: np.ndarray
    from_last_value: float | None = None
    about: dict[str, str] = field(default_factory=dict)
    edges: dict[str, str] = field(default_factory=dict)
    wild: Sequence[str] = ()
    calm: ErrorSums | None = None
    column_units: Mapping[str, str] = field(default_factory=dict)
    intervals: IntervalScores | None = None
    learned: int = 0
    unlabelled: bool = False

    @property
    def columns(self) -> Mapping[str, str]:
        return super().columns if self.intervals is None else {**super().columns, **self.intervals.titles}

    def metrics(self, name: str = MODEL) -> dict[str, float]:
        """The scores over all cells by key of `columns`."""
        return super().metrics(name) | ({} if self.intervals is None else self.intervals.metrics(name))

    @property
    def excluded(self) -> str:
        return " without labelled rows" if self.unlabelled else ""

    def calm_error(self) -> float:
        """The model's error without the windows that touch a cell of `wild`; NaN where no window is left."""
        return self.error_of() if self.calm is None else self.error_in(self.calm)

    @property
    def title(self) -> str:
        """Part, windows and steps."""
        if self.learned:
            told = f"{self.learned:,} of them are of rows that the model has learned from"
            return f"{self.windows:,} windows, {self.steps} steps; {told}"
        return f"{self.windows:,} {self.part} windows, {self.steps} steps"

    def curves(self) -> dict[str, np.ndarray]:
        """RMSE of each forecaster by output step."""
        return {name: self.by_step(name) for name in self.names}

    def table(self) -> pd.DataFrame:
        """Every figure, long: forecaster, what it is over (`all`, target, series, step), scores, cells.

        `step` counts from 1; an empty `series` or `target` and step 0 mean all of them.
        """
        rows: list[dict[str, object]] = []
        every = slice(None)

        def add(name: str, scores: Scores, *, target: str = "", series: str = "", step: int = 0) -> None:
            rows.append({"forecaster": name, "target": target, "series": series, "step": step} | asdict(scores))

        for name in self.names:
            add(name, self.overall(name))
            for k, target in enumerate(self.targets):
                add(name, self.scores(name, pick=(every, every, [k])), target=target)
                for t in range(self.steps):
                    add(name, self.scores(name, pick=(every, slice(t, t + 1), [k])), target=target, step=t + 1)
                for s, series in enumerate(self.series if len(self.series) > 1 else []):
                    add(name, self.scores(name, pick=(slice(s, s + 1), every, [k])), target=target, series=series)
        return pd.DataFrame(rows)

    def by_step(self, name: str) -> np.ndarray:
        """RMSE at each output step, over all targets, shape `(steps,)`; units as in `overall`."""
        every, many = slice(None), len(self.targets) > 1
        picks = [(every, slice(t, t + 1), every) for t in range(self.steps)]
        return np.array([self.scores(name, scaled=many, pick=pick).rmse for pick in picks])


def evaluate_part(
    prepared: Prepared,
    part: str,
    model: Predicts,
    baselines: Sequence[Baseline],
    *,
    naive: np.ndarray | None = None,
    intervals: Intervals | None = None,
    follow: bool = False,
) -> Evaluation:
    """Runs the model and the baselines over every window of a part, in chunks.

    Args:
        prepared: The data.
        part: `val` or `test`.
        model: The model as a predictor, in original units; it may give quantiles, too.
        baselines: What it is compared with.
        naive: MASE's denominators, shape `(series, targets)`; absent for autoencoders, which forecast nothing.
        intervals: Of the model and the baselines, to be judged on the same windows.
        follow: Moves the intervals of each by the actual values that are known at a window's origin.
    """
    wild = wild_cells(prepared, part)
    windows = prepared.windows[part]
    shape = (len(prepared.table.series), windows.shape.output_steps, len(prepared.layout.targets))
    predictors: dict[str, Predicts] = {MODEL: model} | {peer.name: peer for peer in baselines}
    sums = {name: ErrorSums(shape, prepared.target_center) for name in predictors}
    copies, calm = ErrorSums(shape, prepared.target_center), ErrorSums(shape, prepared.target_center)
    forecast = windows.shape.target_offset > 0
    judged = (
        None if intervals is None else IntervalScores.empty(prepared, part, intervals, list(predictors), follow=follow)
    )
    for first in range(0, windows.count, _CHUNK):
        chunk = np.arange(first, min(first + _CHUNK, windows.count))
        truth, series = prepared.truth(part, chunk), prepared.series_of(part, chunk)
        for name, predict in predictors.items():
            predicted = predict(prepared, part, chunk)
            prediction = as_prediction(predicted).point
            if intervals is not None and judged is not None:
                judged.add(intervals, name, truth, predicted, series, chunk)
            sums[name].add(truth, prediction, series)
            if name == MODEL and forecast:
                copies.add(LastValue()(prepared, part, chunk), prediction, series)
            if name == MODEL and wild:
                first_row = windows.starts(chunk) - windows.shape.before
                rows = np.array(list(wild))[:, None]
                kept = ~((first_row <= rows) & (rows < first_row + windows.shape.span)).any(axis=0)
                calm.add(truth[kept], prediction[kept], series[kept])
    unknown = np.full((shape[0], shape[2]), np.nan)
    found = Evaluation(
        part=part,
        windows=windows.count,
        steps=shape[1],
        targets=list(prepared.columns.targets),
        series=prepared.table.series,
        sums=sums,
        scale=prepared.target_scale,
        naive=unknown if naive is None else naive,
        about={peer.name: peer.about for peer in baselines},
        edges={peer.name: edge for peer in baselines if (edge := getattr(peer, "edge", ""))},
        wild=list(wild.values()),
        calm=calm if wild else None,
        column_units=prepared.data.units,
        intervals=judged,
    )
    return replace(found, from_last_value=found.error_in(copies)) if forecast else found
