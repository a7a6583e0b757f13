"""Classification: one label or one number for each text, series or window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.base import Json
from seq2seq_kit.data.sequences.vocabulary import UNKNOWN, Vocabulary
from seq2seq_kit.evaluation.diagnostics import chosen_at_the_edge
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.memory_fields import remembered
from seq2seq_kit.reports.sequences import plot_accuracy, plot_confusion
from seq2seq_kit.tasks.classify.baselines import fit_baselines
from seq2seq_kit.tasks.classify.bundle import ClassifyBundle, as_written, columns_of
from seq2seq_kit.tasks.classify.data import Classified, prepare_examples
from seq2seq_kit.tasks.classify.evaluation import ClassifyEvaluation, NumberEvaluation
from seq2seq_kit.tasks.classify.plots import plot_calibration, plot_predicted
from seq2seq_kit.tasks.classify.recipe import ClassifyRecipe, TextsData
from seq2seq_kit.tasks.job import Loss, Served
from seq2seq_kit.tasks.rows import rows_of
from seq2seq_kit.tasks.sequences import SequenceJob, example_rows, rare_labels, served_example
from seq2seq_kit.training.fit import Fit

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

_SERVED = 3  # texts in the example that MLflow keeps


@dataclass(frozen=True)
class ClassifyJob(SequenceJob[ClassifyRecipe, ClassifyBundle, ClassifyEvaluation]):
    """See `Job`."""

    no_folds: ClassVar[str] = "whose labels a block of time need not all have"
    few: ClassVar[Mapping[str, int]] = {"train": 100, "val": 30, "test": 30}

    examples: Classified

    @classmethod
    def open(cls, recipe: ClassifyRecipe, data: pd.DataFrame | None) -> Self:
        """Reads where need be, checks and prepares the rows."""
        frame, origin = rows_of(recipe, data, texts=as_written(recipe))
        return cls(recipe, frame, prepare_examples(recipe.data, frame, origin=origin))

    @property
    def columns(self) -> list[str]:
        return columns_of(self.recipe)

    def check(self) -> list[Finding]:
        examples, data = self.examples, self.recipe.data
        findings = [Finding("data_note", "note", note, "") for note in examples.notes]
        truth, lengths = examples.truth_of("train"), examples.inputs[0].sequences.lengths
        said = f"sequences of {lengths.min()} to {lengths.max()} steps"
        labels, encoding = examples.preprocessing.labels, examples.preprocessing.encoding
        if labels:
            counts = np.bincount(truth, minlength=len(labels))
            said += f"; {len(labels)} labels, the most frequent is {labels[0]} ({counts[0] / counts.sum():.0%} of the sequences)"
            findings += rare_labels(labels, counts, of="sequences")
        else:
            said += f"; {data.target} of {truth.min():.4g} to {truth.max():.4g}, mean {truth.mean():.4g}"
            if truth.min() == truth.max():
                text = f"the target {data.target} is constant in all training sequences"
                findings.append(Finding("constant_column", "warning", text, "There is nothing to learn"))
        if isinstance(encoding, Vocabulary):
            read = examples.inputs[0].sequences
            unknown = np.mean(read.rows_of(examples.parts["val"]) == UNKNOWN)
            said += f"; {len(encoding.tokens):,} tokens, {unknown:.1%} of the validation tokens are unknown"
        findings.append(Finding("sequences", "note", said, ""))
        return findings + self.few_sequences()

    def build(self) -> keras.Model:
        from seq2seq_kit.models.classifier import build_classifier

        fitted, read = self.examples.preprocessing, self.examples.inputs[0].sequences
        tokens = fitted.encoding.size if isinstance(fitted.encoding, Vocabulary) else None
        features = read.values.shape[1] if tokens is None else None
        layers = self.recipe.model.model_dump() | remembered(self.recipe.model, self.recipe.data)
        return build_classifier(outputs=fitted.outputs, tokens=tokens, input_features=features, **layers)

    @property
    def gives_logits(self) -> bool:
        return bool(self.examples.preprocessing.labels)

    def joined(self) -> Self:
        return replace(self, examples=prepare_examples(self.recipe.data, self.source, joined=True))

    def objective(self) -> tuple[Loss | None, list[keras.Metric]]:
        fitted = self.examples.preprocessing
        if not fitted.labels:
            return None, []
        import keras

        from seq2seq_kit.models.classifier import class_loss

        counts = np.bincount(self.examples.truth_of("train"), minlength=fitted.outputs)
        balanced = self.recipe.training.class_weights == "balanced"
        weights = counts.sum() / (len(counts) * counts) if balanced else np.ones(len(counts))
        return class_loss(weights), [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def bundle(self, model: keras.Model, info: Json, *, peers: bool = True) -> ClassifyBundle:
        baselines = fit_baselines(self.examples, self.recipe.training.class_weights) if peers else []
        return ClassifyBundle(self.recipe, model, self.examples.preprocessing, baselines, info)

    def report(self, bundle: ClassifyBundle, part: str) -> ClassifyEvaluation:
        examples = self.examples
        # After a training it is this very one; a run that is evaluated later may find other rows in its source.
        if bundle.preprocessing is not examples.preprocessing:
            examples = prepare_examples(self.recipe.data, self.source, known=bundle.preprocessing)
        return bundle.evaluate_part(examples, part)

    @staticmethod
    def diagnose(
        val: ClassifyEvaluation, test: ClassifyEvaluation, val_losses: Sequence[float], *, all_epochs: bool
    ) -> list[Finding]:
        found = SequenceJob.diagnose(val, test, val_losses, all_epochs=all_epochs)
        return found + chosen_at_the_edge(test, test.edges)

    def plots(self, bundle: ClassifyBundle, fitted: Fit, test: ClassifyEvaluation, folder: Path) -> dict[str, Figure]:
        if isinstance(test, NumberEvaluation):
            return {"predicted": plot_predicted(test)}
        return {
            "accuracy": plot_accuracy(fitted),
            "confusion": plot_confusion(test.confusion_of(), test.labels),
            "calibration": plot_calibration(test),
        }

    def served(self, bundle: ClassifyBundle) -> Mapping[str, tuple[Served, Served]]:
        examples, data = self.examples, self.recipe.data
        numbers = examples.parts[self.evaluated][: _SERVED if isinstance(data, TextsData) else 1]
        of_values = None if isinstance(data, TextsData) else data
        frame = example_rows(
            self.source,
            examples.rows.rows_of(numbers),
            self.columns[:-1],
            numbers=of_values.inputs if of_values else (),
            texts=(of_values.series, *of_values.time_columns) if of_values else (),
        )
        return served_example(bundle, frame, examples.padded(numbers))
