"""Forecasts and autoencoders on windows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit import plots
from seq2seq_kit.bundle import Bundle
from seq2seq_kit.data import Prepared, prepare
from seq2seq_kit.data.checks import check_data
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
from seq2seq_kit.recipe import ForecastRecipe, WindowRecipe
from seq2seq_kit.serving import served_examples
from seq2seq_kit.tasks.job import no_epoch
from seq2seq_kit.training import Fit, Observer, build_model, fit

if TYPE_CHECKING:
    import keras

_EXAMPLES = 24  # windows in the interactive page; the picture shows the first of a spread of six


@dataclass(frozen=True)
class WindowJob:
    """See `Job`."""

    unit: ClassVar[str] = "windows"

    recipe: WindowRecipe
    source: pd.DataFrame
    examples: Prepared

    @classmethod
    def open(cls, recipe: WindowRecipe, frame: pd.DataFrame, origin: str) -> WindowJob:
        """Checks and prepares the rows."""
        return cls(recipe, frame, prepare(recipe.data, frame, origin=origin))

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

    def fit(self, model: keras.Model, observers: Sequence[Observer]) -> Fit:
        return fit(model, self.examples, self.recipe.training, seed=self.recipe.seed, observers=observers)

    def bundle(self, model: keras.Model, info: dict[str, Any], *, peers: bool = True) -> Bundle:
        prepared = self.examples
        if not peers:
            return Bundle(self.recipe, model, prepared.scaler, [], {}, info)
        naive: dict[str, np.ndarray] = {}
        if isinstance(self.recipe, ForecastRecipe):
            baselines = fit_forecast_baselines(prepared)
            naive = dict(zip(prepared.table.series, naive_error(prepared), strict=True))
        else:
            latent = int(model.get_layer("bridge").input.shape[-1])
            baselines = fit_autoencode_baselines(prepared, latent_dim=latent)
        return Bundle(self.recipe, model, prepared.scaler, list(baselines), naive, info)

    def report(self, bundle: Bundle, part: str) -> Evaluation:
        return bundle.evaluate_part(self.examples, part)

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
            "model": plots.plot_model(bundle.model),
        }
        plots.save(figures, folder)
        many = plots.pick_examples(self.examples, "test", predictors, count=_EXAMPLES)
        plots.write_interactive(many, folder / f"{word.lower()}.html", title=title)

    def served(self, bundle: Bundle) -> Mapping[str, tuple[Any, Any]]:
        return served_examples(bundle, self.examples, self.source)
