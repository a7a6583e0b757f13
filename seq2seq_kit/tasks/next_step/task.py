"""Next-step forecasts: whole sequences, one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.base import Json
from seq2seq_kit.data.windows.prepare import Prepared, prepare
from seq2seq_kit.evaluation import MODEL, Evaluation
from seq2seq_kit.evaluation.baselines import LastValue
from seq2seq_kit.evaluation.diagnostics import TIE, chosen_at_the_edge, examine_errors, repeats_last_value
from seq2seq_kit.findings import Finding
from seq2seq_kit.intervals.diagnostics import examine_intervals
from seq2seq_kit.tasks.job import Loss
from seq2seq_kit.tasks.next_step.bundle import NextStepBundle
from seq2seq_kit.tasks.next_step.data import NextSteps, as_forecast
from seq2seq_kit.tasks.next_step.recipe import NextStepRecipe
from seq2seq_kit.tasks.rows import rows_of
from seq2seq_kit.tasks.windows import WindowJob
from seq2seq_kit.training.objective import value_loss
from seq2seq_kit.training.own_scale import loss_by_series, own_ratio

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class NextStepJob(WindowJob[NextStepRecipe, NextStepBundle]):
    """See `Job`; the model is fitted on chunks of the rows and evaluated on windows."""

    unit: ClassVar[str] = "chunks"

    def made_of(self, prepared: Prepared) -> NextSteps:
        return NextSteps(prepared, self.recipe.data.input_steps)

    @classmethod
    def open(cls, recipe: NextStepRecipe, data: pd.DataFrame | None) -> Self:
        """Checks and prepares the rows."""
        frame, origin = rows_of(recipe, data)
        return cls(recipe, frame, prepare(as_forecast(recipe.data), frame, origin=origin))

    def build(self) -> keras.Model:
        from seq2seq_kit.models.next_step import build_next_step

        return build_next_step(
            input_features=self.prepared.layout.inputs,
            output_features=len(self.recipe.data.inputs),
            **self.recipe.model.model_dump(),
        )

    def objective(self) -> tuple[Loss, list[keras.Metric]]:
        return value_loss(self.recipe.training.loss, masked=True), []

    def validation(self, model: keras.Model) -> Callable[[], float] | None:
        ratio = own_ratio(self.prepared)
        if ratio is None:
            return None
        from seq2seq_kit.models.inference import compile_forward

        forward, chunks = compile_forward(model), self.made_of(self.prepared)
        truth = chunks.fields("val")[1]
        return lambda: loss_by_series(
            lambda numbers: forward(chunks.arrays("val", numbers)),
            truth.padded,
            np.searchsorted(self.prepared.table.bounds, chunks.chunks["val"][0], side="right") - 1,
            ratio,
            self.recipe.training.loss,
        )

    def bundle(self, model: keras.Model, info: Json, *, peers: bool = True) -> NextStepBundle:
        baselines, naive = self.baselines() if peers else ([], {})
        return NextStepBundle(self.recipe, model, self.prepared.scaler, baselines, naive, info | self.learned)

    @staticmethod
    def diagnose(val: Evaluation, test: Evaluation, val_losses: Sequence[float], *, all_epochs: bool) -> list[Finding]:
        shared = [*repeats_last_value(test), *examine_errors(val, test, val_losses, all_epochs=all_epochs)]
        intervals = examine_intervals(test.intervals)
        return [*copies_last_step(val), *shared, *chosen_at_the_edge(test, test.edges), *intervals]


def copies_last_step(val: Evaluation) -> list[Finding]:
    """The finding on a model that hands its input through: of a slow series its loss is small, and its forecasts stand still."""
    own, peer = val.by_step(MODEL)[0], val.by_step(LastValue.name)[0]
    if not abs(own - peer) <= TIE * peer:
        return []
    said = (
        f"copies the last step: one step ahead it is no better than repeating the newest row (RMSE {own:.4g} against "
        f"{peer:.4g} on the validation windows)"
    )
    advice = (
        "Train with framing: horizon, which no copy can satisfy, or give the inputs as differences of neighbouring rows"
    )
    return [Finding("copies_last_step", "warning", said, advice)]
