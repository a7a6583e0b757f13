"""Errors of a backtest's forecasters over any selection of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.intervals.prediction import named

FROZEN = f"{MODEL}_frozen"  # the model of the first fit, at the origins after a refit
LABELS = ("unique_id", "ds", "cutoff", "y", "origin", "age", "series", "target", "step")
Metric = str  # rmse or mae


def forecasters_of(rows: pd.DataFrame) -> list[str]:
    """The forecasters' columns, without those of intervals."""
    return [name for name in rows.columns if name not in LABELS and "-lo-" not in name and "-hi-" not in name]


def levels_of(rows: pd.DataFrame) -> list[float]:
    """Levels of the model's intervals."""
    return [float(name.rpartition("-")[2]) for name in rows.columns if name.startswith(f"{MODEL}-lo-")]


@dataclass(frozen=True)
class Scores:
    """How errors of several series and targets become one figure.

    Attributes:
        rows: Of a backtest, see `assemble`.
        scale: Of each `unique_id`: its seasonal naive error in the training rows of the first fit, MASE's denominator.
    """

    rows: pd.DataFrame
    scale: Mapping[str, float]

    @property
    def scaled(self) -> bool:
        """Whether errors are divided by the scale of their series and target: where there are several."""
        return len(self.scale) > 1

    def name(self, metric: Metric = "rmse") -> str:
        """What the errors are called."""
        return f"scaled {metric.upper()}" if self.scaled else metric.upper()

    def errors(self, by: Sequence[str], metric: Metric = "rmse") -> pd.DataFrame:
        """The error of each forecaster for each value of some columns; of several series the mean of each one's on its scale.

        Columns: those of `by` as the index, `cells` that are counted, then the forecasters.
        """
        rows, names = self.rows, forecasters_of(self.rows)
        off = rows[names].sub(rows["y"], axis=0).abs()
        if metric == "rmse":
            off = off**2
        groups = [rows[key] for key in dict.fromkeys([*by, "unique_id"])]
        each = off.groupby(groups, observed=True).mean()
        if metric == "rmse":
            each = each**0.5
        if self.scaled:
            scale = pd.Series(self.scale)[each.index.get_level_values("unique_id")].to_numpy()
            each = each.div(scale, axis=0)
        if not by:
            found = each.mean().to_frame().T
            return found.assign(cells=len(rows))[["cells", *names]]
        found = each.groupby(level=list(by), observed=True).mean()
        found.insert(0, "cells", rows.groupby(list(by), observed=True).size())
        return found

    def overall(self) -> pd.DataFrame:
        """RMSE and MAE of each forecaster over all rows; where it has intervals, what they hold and how wide they are."""
        names = forecasters_of(self.rows)
        found = pd.DataFrame({metric: self.errors([], metric)[names].iloc[0] for metric in ("rmse", "mae")})
        for level in levels_of(self.rows):
            for name in names:
                if (held := held_by(self.rows, name, level)) is not None:
                    found.loc[name, f"coverage_{named(level)}"] = held.mean()
        found.index.name = "forecaster"
        return found


def held_by(rows: pd.DataFrame, name: str, level: float) -> pd.Series | None:
    """Whether each actual value lies in a forecaster's interval; None where it has none, NaN where an end is not known."""
    lower, upper = f"{name}-lo-{named(level)}", f"{name}-hi-{named(level)}"
    if lower not in rows:
        return None
    inside = (rows["y"] >= rows[lower]) & (rows["y"] <= rows[upper])
    return inside.astype(float).where(rows[lower].notna() & rows[upper].notna())
