"""Next-step forecasts: whole sequences, one step at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.serving import served_examples
from seq2seq_kit.data import Prepared
from seq2seq_kit.data.windows.checks import check_data
from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.evaluation import MODEL, Evaluation, fit_forecast_baselines, naive_error
from seq2seq_kit.evaluation.diagnostics import examine_next_step
from seq2seq_kit.findings import Finding
from seq2seq_kit.reports import plots
from seq2seq_kit.reports.model_diagram import plot_model
from seq2seq_kit.tasks.job import Job, no_epoch, rows_of
from seq2seq_kit.tasks.next_step.bundle import NextStepBundle
from seq2seq_kit.tasks.next_step.data import NextSteps, as_forecast
from seq2seq_kit.tasks.next_step.recipe import NextStepRecipe
from seq2seq_kit.training.fit import Fit, Observer, fit
from seq2seq_kit.training.objective import value_loss

if TYPE_CHECKING:
    import keras

_EXAMPLES = 24


@dataclass(frozen=True)
class NextStepJob:
    """See `Job`."""

    unit: ClassVar[str] = "chunks"

    recipe: NextStepRecipe
    source: pd.DataFrame
    prepared: Prepared
    examples: NextSteps
    # Where the baselines choose, if not on `prepared`.
    chosen_on: Prepared | None = None

    @classmethod
    def open(cls, recipe: NextStepRecipe, data: pd.DataFrame | None) -> NextStepJob:
        """Checks and prepares the rows."""
        frame, origin = rows_of(recipe, data)
        prepared = prepare(as_forecast(recipe.data), frame, origin=origin)
        return cls(recipe, frame, prepared, NextSteps(prepared, recipe.data.input_steps))

    @property
    def columns(self) -> list[str]:
        data = self.recipe.data
        return [name for name in (data.series, data.time) if name] + data.inputs

    @property
    def series(self) -> list[str]:
        return self.prepared.table.series

    def check(self) -> list[Finding]:
        return check_data(self.prepared)

    def build(self) -> keras.Model:
        from seq2seq_kit.models.next_step import build_next_step

        return build_next_step(
            input_features=self.prepared.layout.inputs,
            output_features=len(self.recipe.data.inputs),
            **self.recipe.model.model_dump(),
        )

    def folds(self, count: int) -> Sequence[Job]:
        return [self._on(fold) for fold in self.prepared.folds(count)]

    def joined(self) -> NextStepJob:
        return replace(self._on(self.prepared.joined()), chosen_on=self.prepared)

    def _on(self, prepared: Prepared) -> NextStepJob:
        return replace(self, prepared=prepared, examples=NextSteps(prepared, self.examples.longest))

    def fit(self, model: keras.Model, observers: Sequence[Observer], *, stop_after: int | None = None) -> Fit:
        training = self.recipe.training
        loss = value_loss(training.loss, masked=True)
        seed = self.recipe.seed
        return fit(model, self.examples, training, seed=seed, loss=loss, stop_after=stop_after, observers=observers)

    def bundle(self, model: keras.Model, info: dict[str, Any], *, peers: bool = True) -> NextStepBundle:
        prepared = self.prepared
        if not peers:
            return NextStepBundle(self.recipe, model, prepared.scaler, [], {}, info)
        naive: dict[str, np.ndarray] = dict(zip(prepared.table.series, naive_error(prepared), strict=True))
        baselines = fit_forecast_baselines(prepared, chosen_on=self.chosen_on)
        return NextStepBundle(self.recipe, model, prepared.scaler, baselines, naive, info)

    def seen_by(self, bundle: NextStepBundle) -> NextStepJob:
        # After a training the scaler is this very one; a run that is evaluated later may find other rows in its source.
        same = bundle.scaler is self.prepared.scaler
        return self if same else self._on(self.prepared.with_scaler(bundle.scaler))

    def report(self, bundle: NextStepBundle, part: str) -> Evaluation:
        return bundle.evaluate_part(self.seen_by(bundle).prepared, part)

    def examine(self, fitted: Fit, val: Evaluation, test: Evaluation) -> list[Finding]:
        losses = [epoch.val_loss for epoch in fitted.history]
        return no_epoch(fitted) or examine_next_step(val, test, losses, all_epochs=fitted.ended == "epochs")

    def draw(self, bundle: NextStepBundle, fitted: Fit, test: Evaluation, folder: Path) -> None:
        predictors = {MODEL: bundle.forecast} | {peer.name: peer for peer in bundle.baselines}
        title = f"Forecasts of the test windows: {self.recipe.name or self.recipe.task}"
        figures = {
            "loss_curves": plots.plot_losses(fitted),
            "forecasts": plots.plot_examples(
                plots.pick_examples(self.prepared, "test", predictors, count=6), title=title
            ),
            "error_by_step": plots.plot_error_by_step(test),
            "model": plot_model(bundle.model),
        }
        plots.save(figures, folder)
        many = plots.pick_examples(self.prepared, "test", predictors, count=_EXAMPLES)
        plots.write_interactive(many, folder / "forecasts.html", title=title)

    def served(self, bundle: NextStepBundle) -> Mapping[str, tuple[Any, Any]]:
        arrays = self.examples.arrays("test", np.array([0]))
        return served_examples(bundle, self.prepared, self.source, arrays=arrays)
