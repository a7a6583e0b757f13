"""Forecasts over a horizon: the steps after a window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from seq2seq_kit.bundles.base import Json
from seq2seq_kit.data.tables.categories import indicator_columns
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.errors import DataError
from seq2seq_kit.evaluation import Evaluation, Presentation
from seq2seq_kit.evaluation.diagnostics import chosen_at_the_edge, examine_errors, repeats_last_value
from seq2seq_kit.evaluation.ridge import Ridge, fit_ridge
from seq2seq_kit.findings import Finding
from seq2seq_kit.intervals.diagnostics import examine_intervals
from seq2seq_kit.intervals.prediction import probabilities_of
from seq2seq_kit.recipe.ensemble_fields import lengths_of, steps_of
from seq2seq_kit.recipe.fields import AUTOREGRESSIVE
from seq2seq_kit.reports.sequences import plot_attention
from seq2seq_kit.tasks.forecast.bundle import ForecastBundle
from seq2seq_kit.tasks.forecast.linear_start import line_alone, shrink_correction, start_from_ridge
from seq2seq_kit.tasks.forecast.quantiles import quantile_levels, quantile_loss, quantile_validation
from seq2seq_kit.tasks.forecast.recipe import REPEAT_ONLY, ForecastRecipe
from seq2seq_kit.tasks.job import Loss
from seq2seq_kit.tasks.windows import WindowJob
from seq2seq_kit.training.checkpoint import Checkpoint
from seq2seq_kit.training.fit import Fit, Observer
from seq2seq_kit.training.objective import value_loss
from seq2seq_kit.training.own import own_loss
from seq2seq_kit.training.own_scale import own_ratio

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure


_CHUNK = 4_096
_MAPS = 4


@dataclass(frozen=True)
class ForecastJob(WindowJob[ForecastRecipe, ForecastBundle]):
    """See `Job`."""

    takes_own: ClassVar[bool] = True

    def of_member(self, place: int) -> Self:
        steps = steps_of(self.recipe.ensemble, place)
        return self if steps in (None, self.recipe.data.input_steps) else self._by_steps[steps]

    @cached_property
    def _by_steps(self) -> Mapping[int, Self]:
        """The job of each length that members read: the same rows, scaled likewise, in windows of their own."""
        return {steps: self._reading(steps) for steps in set(lengths_of(self.recipe.ensemble))}

    def _reading(self, steps: int) -> Self:
        data = self.recipe.data.model_copy(update={"input_steps": steps})
        own, chosen = (None if each is None else replace(each, data=data) for each in (self.prepared, self.chosen_on))
        assert own is not None
        return replace(self, recipe=self.recipe.model_copy(update={"data": data}), prepared=own, chosen_on=chosen)

    def made_of(self, prepared: Prepared) -> Prepared:
        return replace(prepared, answers=True) if self._feeds_back else prepared

    def build(self) -> keras.Model:
        """The recipe's model for the prepared columns."""
        from seq2seq_kit.models import build_encoder_decoder, build_feedback_forecaster

        columns, layout = self.prepared.columns, self.prepared.layout
        # What is known ahead is given to the decoder as it is, so the encoder sees it as it is too.
        given = self.recipe.model.model_dump(exclude={"own"}) | self.sizes
        levels = quantile_levels(self.recipe)
        given |= {"quantiles": len(probabilities_of(levels))} if levels else {}
        given |= {"categories": self.category_sizes, "future_categories": columns.ahead}
        if self._feeds_back:
            taken = {key: value for key, value in given.items() if key not in REPEAT_ONLY}
            # The encoder's own copy of each target: filled where the target is masked.
            return build_feedback_forecaster(
                target_positions=[columns.past.index(name) for name in columns.targets], **taken
            )
        among_inputs = all(position < layout.inputs for position in layout.targets)
        measured = [position for position, name in enumerate(columns.inputs) if name not in columns.known_future]
        return build_encoder_decoder(
            target_positions=layout.targets if among_inputs else None,
            measured_positions=measured or None,
            fixed_categories=columns.fixed,
            skip_categories=indicator_columns(self.category_sizes, columns.fixed),
            **given,
        )

    @property
    def sizes(self) -> dict[str, int]:
        data, layout = self.recipe.data, self.prepared.layout
        return {
            "input_steps": data.input_steps,
            "output_steps": data.output_steps,
            "input_features": layout.inputs,
            "output_features": len(layout.targets),
            "future_features": len(layout.future),
        }

    @property
    def shapes(self) -> tuple[dict[str, tuple[int, ...]], tuple[int, ...]]:
        read, written, inputs, targets, future = self.sizes.values()
        shapes: dict[str, tuple[int, ...]] = {"inputs": (read, inputs)}
        return shapes | ({"future": (written, future)} if future else {}), (written, targets)

    @property
    def _feeds_back(self) -> bool:
        return self.recipe.model.bridge in AUTOREGRESSIVE

    @property
    def view(self) -> Presentation:
        if self._feeds_back:
            return super().view
        return Presentation(self.recipe.model.normalise, self.recipe.model.channels == "independent")

    def fit_one(
        self,
        model: keras.Model,
        observers: Sequence[Observer],
        *,
        seed: int,
        stop_after: int | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Fit:
        from seq2seq_kit.models.linear_skip import keep_linear_skip

        skips = self.recipe.model.linear_skip and not self._feeds_back
        if skips and self.start is None:
            start_from_ridge(model, self._start, self.prepared, self.view)
        elif skips:  # the line is that of the run that it starts from
            keep_linear_skip(model)
        fitted = super().fit_one(model, observers, seed=seed, stop_after=stop_after, checkpoint=checkpoint)
        if skips and stop_after is None:  # else val was trained on
            return replace(fitted, correction=shrink_correction(model, self.prepared))
        return fitted

    def settle(self, model: keras.Model, fitted: Fit) -> None:
        from seq2seq_kit.models.linear_skip import scale_correction

        if fitted.correction is not None:
            scale_correction(model, fitted.correction)

    @cached_property
    def _start(self) -> Ridge:
        """The line that the linear skip can hold: of windows as the model sees them."""
        if self.view.normalise != "mean_std":
            return self.ridge
        return fit_ridge(self.prepared, [self.view], chosen_on=self.chosen_on)

    def objective(self) -> tuple[Loss | None, list[keras.Metric]]:
        if not quantile_levels(self.recipe):
            return super().objective()
        return quantile_loss(self.recipe, self.own, weighted=self.prepared.columns.weight is not None), []

    @property
    def teacher_forcing(self) -> Sequence[float]:
        return self.recipe.training.teacher_forcing if self._feeds_back else super().teacher_forcing

    def validation(self, model: keras.Model) -> Callable[[], float] | None:
        """The loss of autoregressive forecasts: after true outputs every copy of them looks good."""
        ratio = own_ratio(self.prepared)
        if quantile_levels(self.recipe):
            return None if ratio is None else quantile_validation(model, self.recipe, self.prepared, ratio)
        if not self._feeds_back or ratio is not None:
            return super().validation(model)
        from seq2seq_kit.models.inference import compile_forward

        forward, loss = compile_forward(model), self._loss_of_cells
        prepared = self.prepared

        def validate() -> float:
            total = cells = 0.0
            for first in range(0, prepared.count("val"), _CHUNK):
                chunk = np.arange(first, min(first + _CHUNK, prepared.count("val")))
                truth = prepared.scaled_targets("val", chunk)
                known = float(np.count_nonzero(~np.isnan(truth)))
                total += known * float(loss(truth, forward(prepared.arrays("val", chunk))))
                cells += known
            if not cells:
                raise DataError(
                    "no target of the validation windows was observed, so no epoch can be chosen. Choose another data.split",
                    code="no_observed_target",
                )
            return total / cells

        return validate

    @property
    def _loss_of_cells(self) -> Callable[[np.ndarray, np.ndarray], float]:
        """The loss over the observed cells of some windows, of scaled truth and forecasts."""
        if self.own is None or self.own.loss is None:
            return value_loss(self.recipe.training.loss, masked=True)
        data = self.recipe.data
        shape = (data.output_steps, len(data.targets))
        own = own_loss(self.own.loss, masked=True, weighted=False, shape=shape)
        assert callable(own)
        return own

    def bundle(self, model: keras.Model, info: Json, *, peers: bool = True) -> ForecastBundle:
        baselines, naive = self.baselines() if peers else ([], {})
        return ForecastBundle(self.recipe, model, self.prepared.scaler, baselines, naive, info | self.learned)

    @staticmethod
    def diagnose(val: Evaluation, test: Evaluation, val_losses: Sequence[float], *, all_epochs: bool) -> list[Finding]:
        shared = examine_errors(val, test, val_losses, all_epochs=all_epochs)
        intervals = examine_intervals(test.intervals)
        return [*repeats_last_value(test), *shared, *chosen_at_the_edge(test, test.edges), *intervals]

    def examine(self, fitted: Fit, val: Evaluation, test: Evaluation) -> list[Finding]:
        found = super().examine(fitted, val, test)
        return [*found, *line_alone(fitted.correction)] if fitted.best_epoch else found

    def plots(self, bundle: ForecastBundle, fitted: Fit, test: Evaluation, folder: Path) -> dict[str, Figure]:
        own = {"attention": self._attention(bundle)} if self.recipe.model.bridge == "attention" else {}
        return super().plots(bundle, fitted, test, folder) | own

    def _attention(self, bundle: ForecastBundle) -> Figure:
        from seq2seq_kit.models.decoding import attention_weights
        from seq2seq_kit.models.ensemble import members_of

        windows = self.prepared.windows[self.evaluated].evenly(_MAPS)
        arrays = self.prepared.arrays(self.evaluated, windows)
        weights = attention_weights(members_of(bundle.model)[0], [*arrays, bundle.forward(arrays)])
        read = self.recipe.data.input_steps
        joined = -(-read // weights.shape[2])
        ages = [str(step - read) if step % 12 == 0 else "" for step in range(0, read, joined)]
        steps = [str(step) for step in range(1, weights.shape[1] + 1)]
        return plot_attention(list(weights), [ages] * len(weights), [steps] * len(weights))
