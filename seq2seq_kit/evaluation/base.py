"""What every evaluation shows, whatever was predicted: the model and its baselines, metric by metric, on one part of the data."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.evaluation.metrics import ErrorSums, Pick, Scores

MODEL = "model"


class Board(ABC):
    """The metrics on one part of the data: each task has its own; how a model compares with its baselines is the same for all.

    Attributes:
        part: `val` or `test`.
        about: What each baseline does.
        titles: Title of each metric by its key, in the order of the table.
        headline: Key of the metric that comes first where there is room for one.
        error: Name of the error that skill compares.
        unit: What was evaluated, for messages: `windows`.
        advice: What to do about a finding, by its code, where it is not `diagnostics.ADVICE`.
    """

    titles: ClassVar[Mapping[str, str]]
    headline: ClassVar[str]
    error: ClassVar[str]
    unit: ClassVar[str] = "part"
    advice: ClassVar[Mapping[str, str]] = MappingProxyType({})

    part: str
    about: dict[str, str]

    @property
    @abstractmethod
    def title(self) -> str:
        """What was evaluated: `1,234 test windows, 10 steps`."""

    @property
    @abstractmethod
    def units(self) -> str:
        """The units of the metrics, as a sentence."""

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """The model first, then the baselines."""

    @abstractmethod
    def metrics(self, name: str = MODEL) -> dict[str, float]:
        """The metrics of the model or of one baseline, keys as in `titles`; NaN where one has no meaning."""

    def figures(self, name: str = MODEL) -> dict[str, float]:
        """Former name of `metrics`."""
        return self.metrics(name)

    @abstractmethod
    def table(self) -> pd.DataFrame:
        """Every metric, long."""

    def curves(self) -> dict[str, np.ndarray]:
        """Metrics by output step, by name; empty where there are none."""
        return {}

    def error_of(self, name: str = MODEL) -> float:
        """The error that skill compares, of one forecaster: the smaller the better."""
        return self.metrics(name)[self.headline]

    @property
    def baselines(self) -> list[str]:
        """Names of the baselines."""
        return [name for name in self.names if name != MODEL]

    @property
    def best_baseline(self) -> str:
        """The baseline with the smallest error on these very examples: the hardest one to beat, so skill never flatters."""
        return min(self.baselines, key=self.error_of)

    def skill_against(self, name: str) -> float:
        """1 - the model's error / a baseline's: 0 is no better, 1 is perfect; NaN beside a baseline without error."""
        peer = self.error_of(name)
        return 1 - self.error_of() / peer if peer > 0 else float("nan")

    @property
    def skill(self) -> float:
        """`skill_against` the best baseline."""
        return self.skill_against(self.best_baseline)

    def compared(self, name: str) -> str:
        """The errors of the model and of a baseline in words: `RMSE 1.2 against 1.5`."""
        return f"{self.error} {self.error_of():.4g} against {self.error_of(name):.4g}"


class ErrorBoard(Board):
    """Errors of predicted values.

    Metrics over several targets are in units of each target's training scale, because their own units do not add up;
    metrics of one target, and over a single target, are in its original units.

    Attributes:
        targets: Names of the targets.
        sums: Error sums by forecaster; the model is `model`, the others are the baselines in their order.
        scale: Training scale, shape `(series, targets)`.
        naive: MASE's denominators, shape `(series, targets)`; None where nothing is forecast.
    """

    titles: ClassVar[Mapping[str, str]] = {"mae": "MAE", "rmse": "RMSE", "mase": "MASE", "r2": "R2"}
    headline: ClassVar[str] = "rmse"
    error: ClassVar[str] = "RMSE"
    advice: ClassVar[Mapping[str, str]] = {
        "ties_with_baseline": "The simpler one does as well; use it, or add inputs",
        "loses_to_baseline": "Use the baseline, or try more epochs, other inputs, fewer units or dropout",
    }

    targets: list[str]
    sums: dict[str, ErrorSums]
    scale: np.ndarray
    naive: np.ndarray | None = None

    @property
    def units(self) -> str:
        """The units of `overall`."""
        if len(self.targets) == 1:
            return f"Errors are in the units of {self.targets[0]}."
        return (
            "Errors over several targets are in units of each one's training scale (data.scaling); "
            f"{self.part}_scores.csv has each in its own."
        )

    @property
    def names(self) -> list[str]:
        """The model first, then the baselines."""
        return list(self.sums)

    def metrics(self, name: str = MODEL) -> dict[str, float]:
        """The scores over all cells by key of `titles`."""
        scores = self.overall(name)
        return {key: getattr(scores, key) for key in self.titles}

    def overall(self, name: str = MODEL) -> Scores:
        """Scores over all cells."""
        return self.scores(name, scaled=len(self.targets) > 1)

    def scores(self, name: str, *, scaled: bool = False, pick: Pick | None = None) -> Scores:
        """Scores over a selection of series, steps and targets; `scaled`: in units of each target's training scale."""
        return self.sums[name].scores(self.scale if scaled else np.ones_like(self.scale), self.naive, pick)

    def compared(self, name: str) -> str:
        """`RMSE 1.2 against 1.5, skill +0.200`."""
        return super().compared(name) + (f", skill {self.skill_against(name):+.3f}" if self.error_of(name) else "")
