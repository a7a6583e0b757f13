"""Forecasts over a horizon: the steps after a window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.errors import DataError
from seq2seq_kit.evaluation.baselines import fit_forecast_baselines, naive_error
from seq2seq_kit.evaluation.diagnostics import examine_forecast
from seq2seq_kit.evaluation.windows import Evaluation
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.reports.sequences import plot_attention
from seq2seq_kit.tasks.forecast.bundle import ForecastBundle
from seq2seq_kit.tasks.forecast.recipe import REPEAT_ONLY, ForecastRecipe
from seq2seq_kit.tasks.job import no_epoch
from seq2seq_kit.tasks.windows import WindowJob
from seq2seq_kit.training.fit import Fit, Observer, fit, teach
from seq2seq_kit.training.objective import value_loss

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure


_CHUNK = 4_096
_MAPS = 4


@dataclass(frozen=True)
class ForecastJob(WindowJob):
    """See `Job`."""

    noun: ClassVar[str] = "forecasts"

    recipe: ForecastRecipe

    @staticmethod
    def _prepared(recipe: Recipe, prepared: Prepared) -> Prepared:
        assert isinstance(recipe, ForecastRecipe)
        return replace(prepared, answers=_feeds_back(recipe))

    def build(self) -> keras.Model:
        """The recipe's model for the prepared columns."""
        from seq2seq_kit.models import build_encoder_decoder, build_feedback_forecaster

        data, columns, layout = self.recipe.data, self.examples.columns, self.examples.layout
        layers = self.recipe.model.model_dump()
        steps: dict[str, Any] = {"input_steps": data.input_steps, "output_steps": data.output_steps}
        # What is known ahead is given to the decoder as it is, so the encoder sees it as it is too.
        features: dict[str, Any] = {
            "input_features": layout.inputs,
            "output_features": len(layout.targets),
            "future_features": len(layout.future),
        }
        if _feeds_back(self.recipe):
            taken = {key: value for key, value in layers.items() if key not in REPEAT_ONLY}
            # The encoder's own copy of each target: filled where the target is masked.
            positions = [columns.past.index(name) for name in columns.targets]
            return build_feedback_forecaster(**steps, **features, target_positions=positions, **taken)
        del layers["bridge"]
        among_inputs = all(position < layout.inputs for position in layout.targets)
        measured = [position for position, name in enumerate(columns.inputs) if name not in columns.known_future]
        return build_encoder_decoder(
            **steps,
            **features,
            target_positions=layout.targets if among_inputs else None,
            measured_positions=measured or None,
            **layers,
        )

    def fit(self, model: keras.Model, observers: Sequence[Observer], *, stop_after: int | None = None) -> Fit:
        recipe = self.recipe
        if not _feeds_back(recipe):
            return super().fit(model, observers, stop_after=stop_after)
        training = recipe.training
        trained, begin_epoch = teach(model, training.teacher_forcing, epochs=training.epochs, seed=recipe.seed)
        return fit(
            trained,
            self.examples,
            training,
            seed=recipe.seed,
            begin_epoch=begin_epoch,
            validate=self._own_loss(model),
            stop_after=stop_after,
            observers=observers,
        )

    def _own_loss(self, model: keras.Model) -> Callable[[], float]:
        """The validation loss of forecasts from the model's own outputs: after the true ones every copy of them looks good."""
        from seq2seq_kit.models.inference import compile_forward

        forward, loss = compile_forward(model), value_loss(self.recipe.training.loss, masked=True)

        def validate() -> float:
            total = cells = 0.0
            for first in range(0, self.examples.count("val"), _CHUNK):
                chunk = np.arange(first, min(first + _CHUNK, self.examples.count("val")))
                truth = self.examples.scaled_targets("val", chunk)
                known = float(np.count_nonzero(~np.isnan(truth)))
                total += known * float(loss(truth, forward(self.examples.arrays("val", chunk))))
                cells += known
            if not cells:
                raise DataError(
                    "no target of the validation windows was observed, so no epoch can be chosen. Choose another data.split"
                )
            return total / cells

        return validate

    def bundle(self, model: keras.Model, info: dict[str, Any], *, peers: bool = True) -> ForecastBundle:
        prepared = self.examples
        if not peers:
            return ForecastBundle(self.recipe, model, prepared.scaler, [], {}, info)
        baselines = fit_forecast_baselines(prepared, chosen_on=self.chosen_on)
        naive = dict(zip(prepared.table.series, naive_error(prepared), strict=True))
        return ForecastBundle(self.recipe, model, prepared.scaler, baselines, naive, info)

    def examine(self, fitted: Fit, val: Evaluation, test: Evaluation) -> list[Finding]:
        losses = [epoch.val_loss for epoch in fitted.history]
        return no_epoch(fitted) or examine_forecast(val, test, losses, all_epochs=fitted.ended == "epochs")

    def more_figures(self, bundle: WindowBundle) -> dict[str, Figure]:
        return {"attention": self._attention(bundle)} if self.recipe.model.bridge == "attention" else {}

    def _attention(self, bundle: WindowBundle) -> Figure:
        from seq2seq_kit.models.decoding import attention_weights

        windows = self.examples.windows["test"].evenly(_MAPS)
        arrays = self.examples.arrays("test", windows)
        weights = attention_weights(bundle.model, [*arrays, bundle.forward(arrays)])
        read = self.recipe.data.input_steps
        joined = -(-read // weights.shape[2])
        ages = [str(step - read) if step % 12 == 0 else "" for step in range(0, read, joined)]
        steps = [str(step) for step in range(1, weights.shape[1] + 1)]
        return plot_attention(list(weights), [ages] * len(weights), [steps] * len(weights))


def _feeds_back(recipe: ForecastRecipe) -> bool:
    return recipe.model.bridge != "repeat"
