"""The result of a backtest: its forecasts, tables, figures and recommendation."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Literal

import pandas as pd

from seq2seq_kit.backtests.frame import forecast_columns
from seq2seq_kit.backtests.schedule import Schedule
from seq2seq_kit.backtests.scores import Scores
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.recipe.fields import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Metric = Literal["rmse", "mae"]


@dataclass(frozen=True)
class BacktestResult:
    """What a recipe would have done at past moments.

    Attributes:
        recipe: As it was given.
        schedule: The origins.
        rows: A row for each origin, series, target and step whose actual value is known: `unique_id`, `ds`, `cutoff`, `y`,
            `origin`, `age` (origins since the fit), `series`, `target`, `step`, then the forecasters' columns.
        scores: Errors over any selection of them.
        fits: A row for each fit that has ended: origin, seconds, best epoch, epochs, validation loss.
        advice: The recommendation, a text for each question.
        notes: What could not be forecast, and why.
        ended: `done`, or `interrupted`; then the finished origins are here.
        run_id: Id of the MLflow run.
        tracking_uri: The store that holds it.
        seconds: Wall time of everything.
        figures: By name: `by_origin`, `by_step`, `forecasts`.
    """

    recipe: Recipe
    schedule: Schedule
    rows: pd.DataFrame
    scores: Scores
    fits: pd.DataFrame
    advice: list[str]
    notes: list[str]
    ended: Literal["done", "interrupted"]
    run_id: str
    tracking_uri: str
    seconds: float
    figures: dict[str, Figure] = field(default_factory=dict, compare=False)

    @property
    def frame(self) -> pd.DataFrame:
        """The forecasts as utilsforecast's evaluation functions take them: `unique_id`, `ds`, `cutoff`, `y`, forecasters.

        `unique_id` is the series' name, of a single series the target's, of several targets `series/target`. Intervals are
        `model-lo-80`, `model-hi-80`. Rows without an actual value are not there.
        """
        return forecast_columns(self.rows)

    def overall(self) -> pd.DataFrame:
        """RMSE and MAE of each forecaster over everything; with intervals, the share that they hold."""
        return self.scores.overall()

    def by_origin(self, metric: Metric = "rmse") -> pd.DataFrame:
        """The error of each forecaster at each origin, with its cutoff and the age of its fit."""
        found = self.scores.errors(["origin"], metric)
        of = self.rows.groupby("origin")
        found.insert(0, "age", of["age"].first())
        found.insert(0, "cutoff", of["cutoff"].max())
        return found

    def by_step(self, metric: Metric = "rmse") -> pd.DataFrame:
        """The error of each forecaster at each step, over all origins."""
        return self.scores.errors(["step"], metric)

    def by_series(self, metric: Metric = "rmse") -> pd.DataFrame:
        """The error of each forecaster for each series and target, over all origins; where there are several, on its scale."""
        return self.scores.errors(["unique_id"], metric)

    def by_age(self, metric: Metric = "rmse") -> pd.DataFrame:
        """The error of each forecaster by the origins since the fit; each age is of other origins."""
        return self.scores.errors(["age"], metric)

    def plot(self, name: str = "by_origin") -> Figure:
        """A figure.

        Args:
            name: One of `figures`.

        Raises:
            ArgumentError: There is no such figure.
        """
        if name not in self.figures:
            known = ", ".join(self.figures) or "none"
            said = f"the backtest has the figures {known}. Received: {name!r}"
            raise ArgumentError(said, code="invalid_argument")
        return self.figures[name]

    def __repr__(self) -> str:
        count = self.rows["origin"].nunique()
        return f"<BacktestResult: run {self.run_id[:8]}, {self.ended}, {count} of {self.schedule.windows} origins>"

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{escape(each)}</p>" for each in self.advice)
        return f"{said}{self.overall().to_html(float_format='{:.4g}'.format)}"
