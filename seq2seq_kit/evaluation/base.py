"""What every evaluation shows, whatever was predicted: the model and its baselines, metric by metric, on one part of the data."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.evaluation.metrics import ErrorSums, Pick, Scores

MODEL = "model"
EXACT = "which is exact up to rounding"
_SCALED = "scaled_rmse"
_WORST = -99.0


def signed(skill: float) -> str:
    """A skill with its sign; words where the baseline is exact up to rounding, or so good that the number would say nothing."""
    if math.isnan(skill):
        return "baseline is exact"
    if skill < _WORST:
        return f"below {_WORST:.0f}"
    return "0.000" if abs(skill) < 0.0005 else f"{skill:+.3f}"


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

    def __init_subclass__(cls, **given: object) -> None:
        super().__init_subclass__(**given)
        # A dataclass would otherwise show every array of it.
        cls.__repr__ = cls.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        said = f", {self.said(self.best_baseline)}" if self.baselines else ""
        return f"<{type(self).__name__}: {self.title}; {self.compares} {self.error_of():.4g}{said}>"

    def _repr_html_(self) -> str:
        rows = {name: self.metrics(name) for name in self.names}
        shown = pd.DataFrame.from_dict(rows, orient="index").rename(columns=dict(self.columns))
        return f"<p>{escape(self.title)}. {escape(self.units)}</p>{shown.to_html(float_format='{:.4g}'.format)}"

    @property
    def wild(self) -> Sequence[str]:
        """Single cells far off all others, in words; empty where nobody has looked for them."""
        return ()

    def calm_error(self) -> float:
        """The model's error without what such cells touch."""
        return self.error_of()

    @property
    @abstractmethod
    def title(self) -> str:
        """What was evaluated: `1,234 test windows, 10 steps`."""

    @property
    @abstractmethod
    def units(self) -> str:
        """The units of the metrics, as a sentence."""

    @property
    def measured_in(self) -> str:
        """The unit of the headline where the recipe names one: `kW`; else empty."""
        return ""

    @property
    def excluded(self) -> str:
        """What of the part was left out, behind its name: ` without labelled rows`; else empty."""
        return ""

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """The model first, then the baselines."""

    @property
    def columns(self) -> Mapping[str, str]:
        """Title of each metric of this very board by its key, in the order of the table: `titles`, and what it adds to them."""
        return self.titles

    @abstractmethod
    def metrics(self, name: str = MODEL) -> dict[str, float]:
        """The metrics of the model or of one baseline, keys as in `columns`; NaN where one has no meaning."""

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

    def exact(self, name: str = MODEL) -> bool:
        """Whether one forecaster's error is nothing but rounding."""
        return not self.error_of(name) > 0

    def skill_against(self, name: str) -> float:
        """1 - the model's error / a baseline's: 0 is no better, 1 is perfect; NaN beside an exact baseline."""
        return float("nan") if self.exact(name) else 1 - self.error_of() / self.error_of(name)

    @property
    def skill(self) -> float:
        """`skill_against` the best baseline."""
        return self.skill_against(self.best_baseline)

    @property
    def compares(self) -> str:
        """Name of the error that skill compares here, as it stands in tables: `RMSE`."""
        return self.error

    def said(self, name: str) -> str:
        """`skill +0.056 against ridge`."""
        if self.exact(name):
            return f"skill is undefined against {name}, {EXACT}"
        return f"skill {signed(self.skill_against(name))} against {name}"

    def compared(self, name: str) -> str:
        """The errors of the model and of a baseline in words: `RMSE 1.2 against 1.5`."""
        said = f"{self.compares} {self.error_of():.4g} against {self.error_of(name):.4g}"
        return f"{said}, {EXACT}" if self.exact(name) else said


class ErrorBoard(Board):
    """Errors of predicted values.

    Metrics over several targets are in units of each target's training scale, because their own units do not add up;
    metrics of one target, and over a single target, are in its original units. Skill compares RMSE; with several series or
    targets it compares `scaled_rmse`, in which each of them counts alike whatever its size.

    Attributes:
        targets: Names of the targets.
        sums: Error sums by forecaster; the model is `model`, the others are the baselines in their order.
        scale: Training scale, shape `(series, targets)`.
        naive: MASE's denominators, shape `(series, targets)`; None where nothing is forecast.
        column_units: Units of the targets that have one, by name.
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
    column_units: Mapping[str, str] = MappingProxyType({})

    @property
    def units(self) -> str:
        """The units of `overall`."""
        if self.measured_in:
            said = f"Errors are in {self.measured_in}, the unit of {self.targets[0]}."
        elif len(self.targets) == 1:
            said = f"Errors are in the units of {self.targets[0]}."
        else:
            said = (
                "Errors over several targets are in units of each one's training scale (data.scaling); "
                f"{self.part}_scores.csv has each in its own."
            )
        return f"{said} {self._of_scaled}" if self.many else said

    @property
    def _of_scaled(self) -> str:
        by = "its seasonal naive MAE in training" if self._forecast else "the standard deviation of its truth"
        return f"Scaled RMSE: mean over {self._over} of RMSE / {by}."

    @property
    def _over(self) -> str:
        return "targets" if len(self.scale) == 1 else "series" if len(self.targets) == 1 else "series and targets"

    @property
    def _forecast(self) -> bool:
        return self.naive is not None and bool((self.naive > 0).any())

    @property
    def many(self) -> bool:
        """Whether there are several series or targets, so that errors in one unit do not add up."""
        return self.scale.size > 1

    @property
    def compares(self) -> str:
        return "scaled RMSE" if self.many else self.error

    @property
    def names(self) -> list[str]:
        """The model first, then the baselines."""
        return list(self.sums)

    @property
    def columns(self) -> Mapping[str, str]:
        return {**self.titles, _SCALED: self.compares} if self.many else self.titles

    def metrics(self, name: str = MODEL) -> dict[str, float]:
        """The scores over all cells by key of `columns`."""
        scores = self.overall(name)
        found = {key: getattr(scores, key) for key in self.titles}
        return found | {_SCALED: self.sums[name].scaled_rmse(self.naive)} if self.many else found

    def error_of(self, name: str = MODEL) -> float:
        return self.error_in(self.sums[name])

    def error_in(self, sums: ErrorSums) -> float:
        """The error that skill compares, of any sums over this board's series, steps and targets."""
        return sums.scaled_rmse(self.naive) if self.many else sums.scores(np.ones_like(self.scale), None).rmse

    @property
    def measured_in(self) -> str:
        return self.column_units.get(self.targets[0], "") if len(self.targets) == 1 else ""

    def exact(self, name: str = MODEL) -> bool:
        return self.sums[name].exact()

    def overall(self, name: str = MODEL) -> Scores:
        """Scores over all cells."""
        return self.scores(name, scaled=len(self.targets) > 1)

    def scores(self, name: str, *, scaled: bool = False, pick: Pick | None = None) -> Scores:
        """Scores over a selection of series, steps and targets; `scaled`: in units of each target's training scale."""
        return self.sums[name].scores(self.scale if scaled else np.ones_like(self.scale), self.naive, pick)

    def compared(self, name: str) -> str:
        """`RMSE 1.2 against 1.5, skill +0.200`."""
        said = super().compared(name)
        return said if self.exact(name) else f"{said}, skill {signed(self.skill_against(name))}"
