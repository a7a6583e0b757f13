"""A run of the baselines alone, and its bundle: what forecasts is the baseline that did best on validation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from seq2seq_kit.bundles.base import Json
from seq2seq_kit.data.tables.categories import indicator_columns
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.evaluation import Evaluation
from seq2seq_kit.evaluation.baselines import best_on_validation
from seq2seq_kit.evaluation.diagnostics import chosen_at_the_edge
from seq2seq_kit.evaluation.stored import baseline_named
from seq2seq_kit.findings import Finding
from seq2seq_kit.intervals.diagnostics import examine_intervals
from seq2seq_kit.tasks.forecast.bundle import ForecastBundle
from seq2seq_kit.tasks.forecast.linear_start import start_from_ridge
from seq2seq_kit.tasks.forecast.no_model import NoModelRecipe
from seq2seq_kit.tasks.windows import WindowJob
from seq2seq_kit.training.checkpoint import Checkpoint
from seq2seq_kit.training.fit import Fit, Observer

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class NoModelBundle(ForecastBundle):
    """Fitted baselines of a forecast; see `ForecastBundle`. Its Keras model is ridge, whichever of them was chosen."""

    what: ClassVar[str] = "a forecast by baselines"

    recipe: NoModelRecipe

    @property
    def chosen(self) -> str:
        """Name of the baseline that forecasts where none is asked for: the best one on validation."""
        return str(self.info.get("baseline"))

    def predicted(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        """`chosen` as a predictor of windows, in original units, shape `(windows, output_steps, targets)`."""
        return baseline_named(self.baselines, self.chosen)(prepared, part, windows)


@dataclass(frozen=True)
class NoModelJob(WindowJob[NoModelRecipe, NoModelBundle]):
    """See `Job`; nothing is trained, and the row `model` of its tables is the baseline that was chosen."""

    def build(self) -> keras.Model:
        """Ridge as a Keras model, for those who are served tensors."""
        from seq2seq_kit.models.linear_skip import build_line

        data, layout, columns = self.recipe.data, self.prepared.layout, self.prepared.columns
        return build_line(
            input_steps=data.input_steps,
            output_steps=data.output_steps,
            input_features=layout.inputs,
            output_features=len(layout.targets),
            future_features=len(layout.future),
            categories=self.category_sizes,
            future_categories=columns.ahead,
            fixed_categories=columns.fixed,
            skip_categories=indicator_columns(self.category_sizes, columns.fixed),
        )

    def fit(
        self,
        model: keras.Model,
        observers: Sequence[Observer],
        *,
        stop_after: int | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Fit:
        began = time.perf_counter()
        start_from_ridge(model, self.ridge, self.prepared, self.view)
        return Fit([], 0, "epochs", time.perf_counter() - began)

    def estimate(self, model: keras.Model) -> Finding:
        counts = ", ".join(f"{self.examples.count(part):,} {part}" for part in ("train", "val", "test"))
        said = "model: none, so nothing is trained and the row `model` is the baseline that does best on validation"
        return Finding("no_model", "note", f"{said}; windows: {counts}", "")

    def bundle(self, model: keras.Model, info: Json, *, peers: bool = True) -> NoModelBundle:
        baselines, naive = self.baselines()
        chosen = best_on_validation(self.prepared, baselines).name
        return NoModelBundle(
            self.recipe, model, self.prepared.scaler, baselines, naive, info | {"baseline": chosen} | self.learned
        )

    def examine(self, fitted: Fit, val: Evaluation, test: Evaluation) -> list[Finding]:
        return self.diagnose(val, test, [], all_epochs=True)

    @staticmethod
    def diagnose(val: Evaluation, test: Evaluation, val_losses: Sequence[float], *, all_epochs: bool) -> list[Finding]:
        return [*chosen_at_the_edge(test, test.edges), *examine_intervals(test.intervals)]
