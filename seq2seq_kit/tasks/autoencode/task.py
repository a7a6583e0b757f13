"""Autoencoders of windows: a window through a latent vector and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from seq2seq_kit.evaluation.baselines import fit_autoencode_baselines
from seq2seq_kit.evaluation.diagnostics import examine_autoencoder
from seq2seq_kit.evaluation.windows import Evaluation
from seq2seq_kit.findings import Finding
from seq2seq_kit.tasks.autoencode.bundle import AutoencodeBundle
from seq2seq_kit.tasks.autoencode.recipe import AutoencodeRecipe
from seq2seq_kit.tasks.job import no_epoch
from seq2seq_kit.tasks.windows import WindowJob
from seq2seq_kit.training.fit import Fit

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class AutoencodeJob(WindowJob):
    """See `Job`."""

    noun: ClassVar[str] = "reconstructions"

    recipe: AutoencodeRecipe

    def build(self) -> keras.Model:
        """The recipe's model for the prepared columns."""
        from seq2seq_kit.models import build_autoencoder

        return build_autoencoder(
            input_steps=self.recipe.data.input_steps,
            input_features=self.examples.layout.inputs,
            output_features=len(self.examples.layout.targets),
            **self.recipe.model.model_dump(),
        )

    def bundle(self, model: keras.Model, info: dict[str, Any], *, peers: bool = True) -> AutoencodeBundle:
        prepared = self.examples
        latent = int(model.get_layer("bridge").input.shape[-1])
        baselines = fit_autoencode_baselines(prepared, latent_dim=latent) if peers else []
        return AutoencodeBundle(self.recipe, model, prepared.scaler, baselines, {}, info)

    def examine(self, fitted: Fit, val: Evaluation, test: Evaluation) -> list[Finding]:
        losses = [epoch.val_loss for epoch in fitted.history]
        return no_epoch(fitted) or examine_autoencoder(val, test, losses, all_epochs=fitted.ended == "epochs")
