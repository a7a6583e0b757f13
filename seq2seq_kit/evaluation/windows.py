"""The evaluation of one part: the model and its baselines on the same windows, in one table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.evaluation.base import MODEL
from seq2seq_kit.evaluation.baselines import Baseline, LastValue, Predictor
from seq2seq_kit.evaluation.metrics import ErrorSums, Pick, Scores

_CHUNK = 4_096


@dataclass(frozen=True)
class Evaluation:
    """Errors of the model and of each baseline over one part.

    Figures over several targets are in units of each target's training scale, because their own units do not add up;
    figures of one target, and over a single target, are in its original units.

    Attributes:
        part: `val` or `test`.
        windows: Number of windows.
        steps: Output steps.
        targets: Names of the targets.
        series: Names of the series.
        sums: Error sums by forecaster; the model is `model`, the others are the baselines in their order.
        scale: Training scale, shape `(series, targets)`.
        naive: MASE's denominators, shape `(series, targets)`; NaN for an autoencoder.
        from_last_value: RMSE between the model's predictions and the newest input (a forecast only).
        about: What each baseline does.
    """

    titles: ClassVar[Mapping[str, str]] = {"mae": "MAE", "rmse": "RMSE", "mase": "MASE", "r2": "R2"}
    headline: ClassVar[str] = "rmse"
    error: ClassVar[str] = "RMSE"
    unit: ClassVar[str] = "windows"

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

    def overall(self, name: str = MODEL) -> Scores:
        """Scores over all cells."""
        return self._scores(name, scaled=len(self.targets) > 1)

    def figures(self, name: str = MODEL) -> dict[str, float]:
        """The scores over all cells by key of `titles`."""
        scores = self.overall(name)
        return {key: getattr(scores, key) for key in self.titles}

    @property
    def title(self) -> str:
        """Part, windows and steps."""
        return f"{self.windows:,} {self.part} windows, {self.steps} steps"

    @property
    def units(self) -> str:
        """What the figures of `overall` are measured in."""
        if len(self.targets) == 1:
            return f"Errors are in the units of {self.targets[0]}."
        return (
            "Errors over several targets are in units of each one's training scale (data.scaling); "
            f"{self.part}_scores.csv has each in its own."
        )

    @property
    def names(self) -> list[str]:
        """The forecasters, the model first."""
        return list(self.sums)

    @property
    def baselines(self) -> list[str]:
        """Names of the baselines."""
        return [name for name in self.sums if name != MODEL]

    @property
    def best_baseline(self) -> str:
        """The baseline with the smallest RMSE on these very windows: the hardest one to beat, so skill never flatters."""
        return min(self.baselines, key=lambda name: self.overall(name).rmse)

    def skill_against(self, name: str) -> float:
        """1 - RMSE / a baseline's RMSE: 0 is no better, 1 is perfect."""
        peer = self.overall(name).rmse
        return 1 - self.overall().rmse / peer if peer > 0 else float("nan")

    @property
    def skill(self) -> float:
        """`skill_against` the best baseline."""
        return self.skill_against(self.best_baseline)

    def curves(self) -> dict[str, np.ndarray]:
        """RMSE of each forecaster by output step."""
        return {name: self.by_step(name) for name in self.names}

    def table(self) -> pd.DataFrame:
        """Every figure, long: forecaster, what it is over (`all`, target, series, step), scores, cells.

        `step` counts from 1; an empty `series` or `target` and step 0 mean all of them.
        """
        rows: list[dict[str, Any]] = []
        every = slice(None)
        for name in self.sums:
            rows.append(self._row(name, scaled=len(self.targets) > 1))
            for k, target in enumerate(self.targets):
                rows.append(self._row(name, target=target, pick=(every, every, [k])))
                rows += [
                    self._row(name, target=target, step=t + 1, pick=(every, slice(t, t + 1), [k]))
                    for t in range(self.steps)
                ]
                if len(self.series) > 1:
                    rows += [
                        self._row(name, target=target, series=series, pick=(slice(s, s + 1), every, [k]))
                        for s, series in enumerate(self.series)
                    ]
        return pd.DataFrame(rows)

    def by_step(self, name: str) -> np.ndarray:
        """RMSE at each output step, over all targets, shape `(steps,)`; units as in `overall`."""
        every = slice(None)
        many = len(self.targets) > 1
        return np.array(
            [self._scores(name, scaled=many, pick=(every, slice(t, t + 1), every)).rmse for t in range(self.steps)]
        )

    def _scores(self, name: str, *, scaled: bool = False, pick: Pick | None = None) -> Scores:
        scale = self.scale if scaled else np.ones_like(self.scale)
        return self.sums[name].scores(scale, self.naive, pick)

    def _row(
        self,
        name: str,
        *,
        target: str = "",
        series: str = "",
        step: int = 0,
        scaled: bool = False,
        pick: Pick | None = None,
    ) -> dict[str, Any]:
        scores = self._scores(name, scaled=scaled, pick=pick)
        return {"forecaster": name, "target": target, "series": series, "step": step} | asdict(scores)


def evaluate_part(
    prepared: Prepared,
    part: str,
    model: Predictor,
    baselines: Sequence[Baseline],
    *,
    naive: np.ndarray | None = None,
) -> Evaluation:
    """Runs the model and the baselines over every window of a part, in chunks.

    Args:
        prepared: The data.
        part: `val` or `test`.
        model: The model as a predictor, in original units.
        baselines: Its peers.
        naive: MASE's denominators, shape `(series, targets)`; absent for autoencoders, which forecast nothing.
    """
    windows = prepared.windows[part]
    shape = (len(prepared.table.series), windows.shape.output_steps, len(prepared.layout.targets))
    predictors: dict[str, Predictor] = {MODEL: model} | {peer.name: peer for peer in baselines}
    sums = {name: ErrorSums(shape, prepared.target_center) for name in predictors}
    copies = ErrorSums(shape, prepared.target_center)
    forecast = windows.shape.target_offset > 0
    for first in range(0, windows.count, _CHUNK):
        chunk = np.arange(first, min(first + _CHUNK, windows.count))
        truth, series = prepared.truth(part, chunk), prepared.series_of(part, chunk)
        for name, predict in predictors.items():
            prediction = predict(prepared, part, chunk)
            sums[name].add(truth, prediction, series)
            if name == MODEL and forecast:
                copies.add(LastValue()(prepared, part, chunk), prediction, series)
    unit = prepared.target_scale if shape[2] > 1 else np.ones_like(prepared.target_scale)
    unknown = np.full((shape[0], shape[2]), np.nan)
    return Evaluation(
        part=part,
        windows=windows.count,
        steps=shape[1],
        targets=list(prepared.columns.targets),
        series=prepared.table.series,
        sums=sums,
        scale=prepared.target_scale,
        naive=unknown if naive is None else naive,
        from_last_value=copies.scores(unit, unknown).rmse if forecast else None,
        about={peer.name: peer.about for peer in baselines},
    )
