"""Autoencoders of whole sequences, each of its own length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.comparison import Comparison, Rows, compare
from seq2seq_kit.anomalies.labels import flags_of
from seq2seq_kit.bundles.base import Json
from seq2seq_kit.data.sequences.ragged import Ragged, by_length
from seq2seq_kit.data.tables.splits import PARTS
from seq2seq_kit.data.windows.labels import row_labels
from seq2seq_kit.evaluation.diagnostics import examine_errors, returns_the_mean
from seq2seq_kit.findings import Finding
from seq2seq_kit.reports.anomaly_page import write_anomaly_page
from seq2seq_kit.tasks.job import Loss, Served
from seq2seq_kit.tasks.judged import check_labels, labelled_detection, labels_of
from seq2seq_kit.tasks.leaving_out import Leavable, rms_by_example
from seq2seq_kit.tasks.rows import rows_of
from seq2seq_kit.tasks.sequences import SequenceJob, example_rows, served_example
from seq2seq_kit.tasks.whole import plots
from seq2seq_kit.tasks.whole.bundle import WholeBundle
from seq2seq_kit.tasks.whole.data import Sequences, prepare_sequences
from seq2seq_kit.tasks.whole.evaluation import SequenceEvaluation, fit_sequence_baselines
from seq2seq_kit.tasks.whole.recipe import WholeRecipe
from seq2seq_kit.training.fit import Examples, Fit
from seq2seq_kit.training.objective import value_loss

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

_SHOWN = 6
_CHUNK = 512
_LONGEST_PEER = 64  # rows of a window of the baselines of a detector


@dataclass(frozen=True)
class WholeJob(SequenceJob[WholeRecipe, WholeBundle, SequenceEvaluation]):
    """See `Job`."""

    no_folds: ClassVar[str] = "whose sequences are divided by their names, not by time"
    few: ClassVar[Mapping[str, int]] = {"train": 50, "val": 10, "test": 10}

    examples: Sequences

    @classmethod
    def open(cls, recipe: WholeRecipe, data: pd.DataFrame | None) -> Self:
        """Checks and prepares the rows."""
        frame, origin = rows_of(recipe, data)
        return cls(recipe, frame, prepare_sequences(recipe.data, frame, origin=origin))

    @property
    def columns(self) -> list[str]:
        data = self.recipe.data
        return [name for name in (data.series, *data.time_columns) if name] + data.inputs

    @property
    def series(self) -> list[str]:
        return self.examples.names

    def check(self) -> list[Finding]:
        sequences = self.examples
        findings = [Finding("data_note", "note", note, "") for note in sequences.notes]
        lengths = sequences.lengths
        said = f"sequences of {lengths.min()} to {lengths.max()} steps, the median is {np.median(lengths):.0f}"
        findings.append(Finding("lengths", "note", said, ""))
        for name, column in zip(self.recipe.data.inputs, sequences.truth_of("train").T, strict=True):
            known = column[~np.isnan(column)]
            if not known.size or known.min() == known.max():
                text = f"column {name} is {'constant' if known.size else 'empty'} in all training sequences"
                findings.append(Finding("constant_column", "warning", text, "Leave it out of data.inputs"))
        starts, test = sequences.starts, sequences.parts["test"]
        rows = np.column_stack([starts[test], starts[test] + sequences.lengths[test]])
        labels = check_labels(self.recipe, self.source, sequences.prepared, detects=True, test=rows)
        return [*findings, *self.few_sequences(), *labels]

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

    @property
    def leavable(self) -> Leavable:
        sequences = self.examples
        train = sequences.parts["train"]

        def errors(model: keras.Model) -> np.ndarray:
            from seq2seq_kit.models.inference import compile_forward

            forward, found = compile_forward(model), np.zeros(len(train))
            for chunk in by_length(sequences.lengths[train], _CHUNK):
                truth = sequences.target.padded(train[chunk])
                found[chunk] = rms_by_example(forward(sequences.padded(train[chunk])) - truth)
            return found

        def without(numbers: np.ndarray) -> Examples:
            return replace(sequences, parts=sequences.parts | {"train": np.delete(train, numbers)})

        def told(numbers: Sequence[int]) -> list[str]:
            return [sequences.names[number] for number in train[numbers]]

        return Leavable(errors, without, told, lambda numbers: pd.DataFrame({self.recipe.data.series: told(numbers)}))

    def bundle(self, model: keras.Model, info: Json, *, peers: bool = True) -> WholeBundle:
        from seq2seq_kit.models.ensemble import members_of

        width = int(members_of(model)[0].get_layer("bridge").input[0].shape[-1])
        baselines = fit_sequence_baselines(self.examples, latent_dim=width) if peers else []
        return WholeBundle(self.recipe, model, self.examples.prepared.scaler, baselines, info)

    def detecting(self, bundle: WholeBundle) -> tuple[WholeBundle, list[Finding]]:
        return bundle.fit_detector(self.examples)

    def judged(self, bundle: WholeBundle) -> Comparison | None:
        sequences = self.seen_by(bundle).examples
        judges = bundle.detector is not None and self.evaluated == "test"
        flags = labels_of(self.recipe, self.source, sequences.prepared) if judges else None
        if flags is None:
            return None
        errors = {part: bundle.row_errors(sequences, part) for part in PARTS}
        detector, test = bundle.require_detector(), errors["test"]
        return compare(
            flags_of(test.labels, row_labels(sequences.prepared, np.flatnonzero(flags))),
            detector.score(test.errors, test.segment)[0],
            detector,
            **{part: Rows(each.actual / bundle.scaler.scale[0], each.segment) for part, each in errors.items()},
            # A window of the baselines fits into every training sequence.
            steps=int(np.clip(sequences.lengths[sequences.parts["train"]].min(), 2, _LONGEST_PEER)),
            seed=self.recipe.seed,
        )

    def report(self, bundle: WholeBundle, part: str) -> SequenceEvaluation:
        return bundle.evaluate_part(self.seen_by(bundle).examples, part)

    @staticmethod
    def diagnose(
        val: SequenceEvaluation, test: SequenceEvaluation, val_losses: Sequence[float], *, all_epochs: bool
    ) -> list[Finding]:
        return [*returns_the_mean(test), *examine_errors(val, test, val_losses, all_epochs=all_epochs)]

    def plots(self, bundle: WholeBundle, fitted: Fit, test: SequenceEvaluation, folder: Path) -> dict[str, Figure]:
        numbers = self.examples.parts["test"]
        name = self.recipe.name or self.recipe.task
        if self.recipe.ensemble is None:
            title = f"Latent space of the test sequences: {name}"
            bundle.map_sequences(self.examples, numbers).save(folder / "latent_space.html", title=title)
        if bundle.detector is not None:
            found, title = bundle.detection(self.examples, "test"), f"Anomalies of the test sequences: {name}"
            found = labelled_detection(found, self.recipe, self.source, self.examples.prepared)
            write_anomaly_page(found, folder / "anomalies.html", title=title, units=self.recipe.data.units)
        # Spread over the part by place, never by how well they turned out.
        picked = numbers[np.unique(np.linspace(0, len(numbers) - 1, min(_SHOWN, len(numbers))).astype(int))]
        return {
            "reconstructions": plots.plot_sequences(
                [self.examples.names[number] for number in picked],
                [self.examples.truth(number) for number in picked],
                bundle.rebuild(self.examples, picked),
                self.recipe.data.inputs,
                units=self.recipe.data.units,
            ),
            "error_by_length": plots.plot_error_by_length(test),
        }

    def served(self, bundle: WholeBundle) -> Mapping[str, tuple[Served, Served]]:
        numbers, data = self.examples.parts["test"][:1], self.recipe.data
        table = self.examples.prepared.table
        rows = Ragged(table.row_numbers - 1, self.examples.starts, self.examples.lengths).rows_of(numbers)
        names = (data.series, *data.time_columns)
        frame = example_rows(self.source, rows, self.columns, numbers=data.inputs, texts=names)
        return served_example(bundle, frame, self.examples.padded(numbers))
