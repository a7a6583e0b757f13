"""Forecasts and autoencoders on windows of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit import plots, plots_tokens
from seq2seq_kit.bundle import Bundle
from seq2seq_kit.data import Prepared, prepare
from seq2seq_kit.data.checks import check_data
from seq2seq_kit.data.prepare import prepare_on_disk
from seq2seq_kit.data.row_groups import FrameOnDisk
from seq2seq_kit.errors import DataError, RecipeError
from seq2seq_kit.evaluation import (
    MODEL,
    Evaluation,
    examine_autoencoder,
    examine_forecast,
    fit_autoencode_baselines,
    fit_forecast_baselines,
    naive_error,
)
from seq2seq_kit.findings import Finding
from seq2seq_kit.memory import require_room, require_room_for_groups
from seq2seq_kit.objective import value_loss
from seq2seq_kit.plot_model import plot_model
from seq2seq_kit.recipe import AutoencodeRecipe, ForecastRecipe, WindowRecipe
from seq2seq_kit.serving import served_examples
from seq2seq_kit.tasks.job import Job, no_epoch, rows_of, source_of
from seq2seq_kit.training import Fit, Observer, fit, teach

if TYPE_CHECKING:
    import keras

_CHUNK = 4_096
_MAPS = 4
_EXAMPLES = 24  # windows in the interactive page; the picture shows the first of a spread of six


@dataclass(frozen=True)
class WindowJob:
    """See `Job`."""

    unit: ClassVar[str] = "windows"

    recipe: WindowRecipe
    source: pd.DataFrame | FrameOnDisk
    examples: Prepared
    # Where the baselines choose, if not on `examples`.
    chosen_on: Prepared | None = None

    @classmethod
    def open(cls, recipe: WindowRecipe, data: pd.DataFrame | None) -> WindowJob:
        """Checks and prepares the rows."""
        frame: pd.DataFrame | FrameOnDisk
        if recipe.data.read == "row_groups":
            if data is not None:
                raise RecipeError(
                    "data.read: row_groups reads the file that data.source names. Received: a DataFrame as `data`. Leave `data` "
                    "out, or set data.read: memory"
                )
            require_room_for_groups(source_of(recipe))
            prepared, frame = prepare_on_disk(recipe.data, source_of(recipe))
        else:
            if data is None:
                require_room(source_of(recipe))
            frame, origin = rows_of(recipe, data)
            prepared = prepare(recipe.data, frame, origin=origin)
        return cls(recipe, frame, replace(prepared, answers=_reads_own_output(recipe)))

    @property
    def columns(self) -> list[str]:
        data = self.recipe.data
        return [name for name in (data.series, data.time) if name] + self.examples.table.columns

    @property
    def series(self) -> list[str]:
        return self.examples.table.series

    def check(self) -> list[Finding]:
        return check_data(self.examples)

    def build(self) -> keras.Model:
        return build_model(self.recipe, self.examples)

    def folds(self, count: int) -> list[Job]:
        return [replace(self, examples=fold) for fold in self.examples.folds(count)]

    def joined(self) -> WindowJob:
        return replace(self, examples=self.examples.joined(), chosen_on=self.examples)

    def fit(self, model: keras.Model, observers: Sequence[Observer], *, stop_after: int | None = None) -> Fit:
        recipe = self.recipe
        if not isinstance(recipe, ForecastRecipe) or not _reads_own_output(recipe):
            return fit(
                model, self.examples, recipe.training, seed=recipe.seed, stop_after=stop_after, observers=observers
            )
        trained, begin_epoch = teach(model, recipe.training, seed=recipe.seed)
        return fit(
            trained,
            self.examples,
            recipe.training,
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

    def bundle(self, model: keras.Model, info: dict[str, Any], *, peers: bool = True) -> Bundle:
        prepared = self.examples
        if not peers:
            return Bundle(self.recipe, model, prepared.scaler, [], {}, info)
        naive: dict[str, np.ndarray] = {}
        if isinstance(self.recipe, ForecastRecipe):
            baselines = fit_forecast_baselines(prepared, chosen_on=self.chosen_on)
            naive = dict(zip(prepared.table.series, naive_error(prepared), strict=True))
        else:
            latent = int(model.get_layer("bridge").input.shape[-1])
            baselines = fit_autoencode_baselines(prepared, latent_dim=latent)
        return Bundle(self.recipe, model, prepared.scaler, list(baselines), naive, info)

    def seen_by(self, bundle: Bundle) -> WindowJob:
        # After a training the scaler is this very one; a run that is evaluated later may find other rows in its source.
        same = bundle.scaler is self.examples.scaler
        return self if same else replace(self, examples=self.examples.with_scaler(bundle.scaler))

    def report(self, bundle: Bundle, part: str) -> Evaluation:
        return bundle.evaluate_part(self.seen_by(bundle).examples, part)

    def examine(self, fitted: Fit, val: Evaluation, test: Evaluation) -> list[Finding]:
        losses = [epoch.val_loss for epoch in fitted.history]
        examine = examine_forecast if isinstance(self.recipe, ForecastRecipe) else examine_autoencoder
        return no_epoch(fitted) or examine(val, test, losses, all_epochs=fitted.ended == "epochs")

    def draw(self, bundle: Bundle, fitted: Fit, test: Evaluation, folder: Path) -> None:
        forecast = isinstance(self.recipe, ForecastRecipe)
        predictors = {MODEL: bundle.forecast} | {peer.name: peer for peer in bundle.baselines}
        word = "Forecasts" if forecast else "Reconstructions"
        title = f"{word} of the test windows: {self.recipe.name or self.recipe.task}"
        shown = plots.pick_examples(self.examples, "test", predictors, count=6)
        figures = {
            "loss_curves": plots.plot_losses(fitted),
            word.lower(): plots.plot_examples(shown, title=title),
            "error_by_step": plots.plot_error_by_step(test),
            "model": plot_model(bundle.model),
        }
        if isinstance(self.recipe, ForecastRecipe) and self.recipe.model.bridge == "attention":
            figures["attention"] = self._attention(bundle)
        plots.save(figures, folder)
        many = plots.pick_examples(self.examples, "test", predictors, count=_EXAMPLES)
        plots.write_interactive(many, folder / f"{word.lower()}.html", title=title)

    def _attention(self, bundle: Bundle) -> Any:
        from seq2seq_kit.models.decoding import attention_weights

        windows = self.examples.windows["test"].evenly(_MAPS)
        arrays = self.examples.arrays("test", windows)
        weights = attention_weights(bundle.model, [*arrays, bundle.forward(arrays)])
        read = self.recipe.data.input_steps
        joined = -(-read // weights.shape[2])
        ages = [str(step - read) if step % 12 == 0 else "" for step in range(0, read, joined)]
        steps = [str(step) for step in range(1, weights.shape[1] + 1)]
        return plots_tokens.plot_attention(list(weights), [ages] * len(weights), [steps] * len(weights))

    def served(self, bundle: Bundle) -> Mapping[str, tuple[Any, Any]]:
        return served_examples(bundle, self.examples, self.source)


def build_model(recipe: WindowRecipe, prepared: Prepared) -> keras.Model:
    """The recipe's model for the prepared columns."""
    from seq2seq_kit.models import build_autoencoder, build_encoder_decoder, build_feedback_forecaster

    layers: dict[str, Any] = recipe.model.model_dump()
    if isinstance(recipe, AutoencodeRecipe):
        return build_autoencoder(
            input_steps=recipe.data.input_steps,
            input_features=prepared.layout.inputs,
            output_features=len(prepared.layout.targets),
            **layers,
        )
    assert isinstance(recipe, ForecastRecipe)
    columns, layout = prepared.columns, prepared.layout
    among_inputs = all(position < layout.inputs for position in layout.targets)
    # What is known ahead is given to the decoder as it is, so the encoder sees it as it is too.
    if recipe.model.bridge != "repeat":
        unused = ("segment_steps", "channels", "normalise", "position_embedding", "decoder_state", "output_dropout")
        return build_feedback_forecaster(
            input_steps=recipe.data.input_steps,
            output_steps=recipe.data.output_steps,
            input_features=layout.inputs,
            output_features=len(layout.targets),
            future_features=len(layout.future),
            # The encoder's own copy of each target: filled where the target is masked.
            target_positions=[columns.past.index(name) for name in columns.targets],
            **{key: value for key, value in layers.items() if key not in unused},
        )
    del layers["bridge"]
    measured = [position for position, name in enumerate(columns.inputs) if name not in columns.known_future]
    return build_encoder_decoder(
        input_steps=recipe.data.input_steps,
        output_steps=recipe.data.output_steps,
        input_features=layout.inputs,
        output_features=len(layout.targets),
        future_features=len(layout.future),
        target_positions=layout.targets if among_inputs else None,
        measured_positions=measured or None,
        **layers,
    )


def _reads_own_output(recipe: WindowRecipe) -> bool:
    return isinstance(recipe, ForecastRecipe) and recipe.model.bridge != "repeat"
