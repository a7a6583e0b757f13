"""Autoencoders of windows: a window through a latent vector and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from seq2seq_kit.bundles.base import Json
from seq2seq_kit.data.tables.columns import window_shape
from seq2seq_kit.data.windows.kept import loss_flags
from seq2seq_kit.data.windows.shown import as_test
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation import Evaluation
from seq2seq_kit.evaluation.diagnostics import examine_errors, returns_the_mean
from seq2seq_kit.findings import Finding
from seq2seq_kit.reports.latent_page import MOST_POINTS
from seq2seq_kit.tasks.autoencode.baselines import fit_autoencode_baselines
from seq2seq_kit.tasks.autoencode.bundle import AutoencodeBundle
from seq2seq_kit.tasks.autoencode.recipe import AutoencodeRecipe
from seq2seq_kit.tasks.windows import WindowJob
from seq2seq_kit.training.beyond import part_losses, shared_loss, step_weights
from seq2seq_kit.training.fit import Fit
from seq2seq_kit.training.own import OwnLoss

if TYPE_CHECKING:
    import keras
    import numpy as np
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class AutoencodeJob(WindowJob[AutoencodeRecipe, AutoencodeBundle]):
    """See `Job`."""

    noun: ClassVar[str] = "reconstructions"
    takes_own: ClassVar[bool] = True
    detects: ClassVar[bool] = True

    def build(self) -> keras.Model:
        """The recipe's model for the prepared columns."""
        from seq2seq_kit.models import build_autoencoder

        given = self.recipe.model.model_dump(exclude={"own"}) | self.sizes
        return build_autoencoder(categories=self.category_sizes, **given)

    @property
    def sizes(self) -> dict[str, int]:
        layout = self.prepared.layout
        return {
            "input_steps": self.recipe.data.input_steps,
            "input_features": layout.inputs,
            "output_features": len(layout.targets),
            "forecast_steps": self.recipe.data.forecast_steps,
            "backcast_steps": self.recipe.data.backcast_steps,
        }

    @property
    def shapes(self) -> tuple[dict[str, tuple[int, ...]], tuple[int, ...]]:
        steps, read, rebuilt, after, before = self.sizes.values()
        return {"inputs": (steps, read)}, (before + steps + after, rebuilt)

    @property
    def step_weights(self) -> np.ndarray | None:
        shape = window_shape(self.recipe.data)
        return step_weights(shape, self.recipe.training.forecast_weight) if shape.beyond else None

    def objective(self) -> tuple[OwnLoss | None, list[keras.Metric]]:
        loss, metrics = super().objective()
        shape, training = window_shape(self.recipe.data), self.recipe.training
        if loss is not None or not shape.beyond:
            return loss, metrics
        cells = loss_flags(self.prepared)
        metrics += part_losses(training.loss, shape, masked=cells["masked"])
        return shared_loss(training.loss, shape, training.forecast_weight, cells), metrics

    def bundle(self, model: keras.Model, info: Json, *, peers: bool = True) -> AutoencodeBundle:
        from seq2seq_kit.models.ensemble import members_of

        first = members_of(model)[0]
        there = any(layer.name == "bridge" for layer in first.layers)  # a program's own model may have none
        latent = int(first.get_layer("bridge").input.shape[-1]) if there else None
        baselines = fit_autoencode_baselines(self.prepared, latent_dim=latent) if peers else []
        return AutoencodeBundle(self.recipe, model, self.prepared.scaler, baselines, {}, info | self.learned)

    def plots(self, bundle: AutoencodeBundle, fitted: Fit, test: Evaluation, folder: Path) -> dict[str, Figure]:
        figures = super().plots(bundle, fitted, test, folder)
        try:
            bundle.halves  # noqa: B018
        except ArgumentError:  # a program's own model may have no latent vector, an ensemble has none
            return figures
        shown = as_test(self.prepared, self.evaluated)
        windows = shown.windows["test"].evenly(MOST_POINTS)
        title = f"Latent space of the {self.evaluated} windows: {self.recipe.name or self.recipe.task}"
        bundle.map_windows(shown, windows).save(folder / "latent_space.html", title=title)
        return figures

    @staticmethod
    def diagnose(val: Evaluation, test: Evaluation, val_losses: Sequence[float], *, all_epochs: bool) -> list[Finding]:
        return [*returns_the_mean(test), *examine_errors(val, test, val_losses, all_epochs=all_epochs)]
