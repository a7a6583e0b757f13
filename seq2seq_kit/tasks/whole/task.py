"""Autoencoders of whole sequences, each of its own length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.base import Json
from seq2seq_kit.evaluation.diagnostics import examine_errors, returns_the_mean
from seq2seq_kit.findings import Finding
from seq2seq_kit.tasks.job import Job, Loss, Served, rows_of, served_example
from seq2seq_kit.tasks.whole import plots
from seq2seq_kit.tasks.whole.bundle import WholeBundle
from seq2seq_kit.tasks.whole.data import Sequences, prepare_sequences
from seq2seq_kit.tasks.whole.evaluation import SequenceEvaluation, fit_sequence_baselines
from seq2seq_kit.tasks.whole.recipe import WholeRecipe
from seq2seq_kit.training.fit import Fit
from seq2seq_kit.training.objective import value_loss

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

_SHOWN = 6
_FEW = {"train": 50, "val": 10, "test": 10}


@dataclass(frozen=True)
class WholeJob(Job[WholeRecipe, WholeBundle, SequenceEvaluation]):
    """See `Job`."""

    no_folds: ClassVar[str] = "whose sequences are divided by their names, not by time"

    source: pd.DataFrame
    examples: Sequences

    @classmethod
    def open(cls, recipe: WholeRecipe, data: pd.DataFrame | None) -> Self:
        """Checks and prepares the rows."""
        frame, origin = rows_of(recipe, data)
        return cls(recipe, frame, prepare_sequences(recipe.data, frame, origin=origin))

    @property
    def columns(self) -> list[str]:
        data = self.recipe.data
        return [name for name in (data.series, data.time) if name] + data.inputs

    @property
    def series(self) -> list[str]:
        return self.examples.names

    def check(self) -> list[Finding]:
        sequences = self.examples
        findings = [Finding("data_note", "note", note, "") for note in sequences.notes]
        lengths = sequences.lengths
        said = f"sequences of {lengths.min()} to {lengths.max()} steps, the median is {np.median(lengths):.0f}"
        findings.append(Finding("lengths", "note", said, ""))
        rows = np.concatenate([sequences.truth(number) for number in sequences.parts["train"]])
        for name, column in zip(self.recipe.data.inputs, rows.T, strict=True):
            known = column[~np.isnan(column)]
            if not known.size or known.min() == known.max():
                text = f"column {name} is {'constant' if known.size else 'empty'} in all training sequences"
                findings.append(Finding("constant_column", "warning", text, "Leave it out of data.inputs"))
        for part, least in _FEW.items():
            if sequences.count(part) < least:
                text = f"only {sequences.count(part)} {part} sequences; figures from fewer than {least} are unreliable"
                findings.append(Finding("few_sequences", "warning", text, "Give more sequences, or change data.split"))
        return findings

    def build(self) -> keras.Model:
        from seq2seq_kit.models.whole import build_whole_autoencoder

        layout = self.examples.prepared.layout
        return build_whole_autoencoder(
            input_features=layout.inputs, output_features=len(layout.targets), **self.recipe.model.model_dump()
        )

    def joined(self) -> Self:
        return replace(self, examples=self.examples.joined())

    def seen_by(self, bundle: WholeBundle) -> Self:
        # After a training the scaler is this very one; a run that is evaluated later may find other rows in its source.
        prepared = self.examples.prepared
        if bundle.scaler is prepared.scaler:
            return self
        return replace(self, examples=replace(self.examples, prepared=prepared.with_scaler(bundle.scaler)))

    def objective(self) -> tuple[Loss, list[keras.Metric]]:
        return value_loss(self.recipe.training.loss, masked=True), []

    def bundle(self, model: keras.Model, info: Json, *, peers: bool = True) -> WholeBundle:
        width = int(model.get_layer("bridge").input[0].shape[-1])
        baselines = fit_sequence_baselines(self.examples, latent_dim=width) if peers else []
        return WholeBundle(self.recipe, model, self.examples.prepared.scaler, baselines, info)

    def report(self, bundle: WholeBundle, part: str) -> SequenceEvaluation:
        return bundle.evaluate_part(self.seen_by(bundle).examples, part)

    @staticmethod
    def diagnose(
        val: SequenceEvaluation, test: SequenceEvaluation, val_losses: Sequence[float], *, all_epochs: bool
    ) -> list[Finding]:
        return [*returns_the_mean(test), *examine_errors(val, test, val_losses, all_epochs=all_epochs)]

    def plots(self, bundle: WholeBundle, fitted: Fit, test: SequenceEvaluation, folder: Path) -> dict[str, Figure]:
        numbers = self.examples.parts["test"]
        # Spread over the part by place, never by how well they turned out.
        picked = numbers[np.unique(np.linspace(0, len(numbers) - 1, min(_SHOWN, len(numbers))).astype(int))]
        return {
            "reconstructions": plots.plot_sequences(
                [self.examples.names[number] for number in picked],
                [self.examples.truth(number) for number in picked],
                bundle.rebuild(self.examples, picked),
                self.recipe.data.inputs,
            ),
            "error_by_length": plots.plot_error_by_length(test),
        }

    def served(self, bundle: WholeBundle) -> Mapping[str, tuple[Served, Served]]:
        number = self.examples.parts["test"][0]
        first, length = self.examples.starts[number], self.examples.lengths[number]
        rows = self.examples.prepared.table.row_numbers[first : first + length] - 1
        frame = self.source.iloc[rows][self.columns].reset_index(drop=True)
        frame = frame.astype(dict.fromkeys(self.recipe.data.inputs, "float64"))
        frame[self.recipe.data.series] = frame[self.recipe.data.series].astype(str)
        if self.recipe.data.time:
            frame[self.recipe.data.time] = frame[self.recipe.data.time].astype(str)
        return served_example(bundle, frame, self.examples.arrays("test", np.array([0])))
