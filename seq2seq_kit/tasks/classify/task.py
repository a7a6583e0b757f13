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
from seq2seq_kit.evaluation.diagnostics import against_baseline, still_improving
from seq2seq_kit.findings import Finding
from seq2seq_kit.reports.sequences import plot_accuracy, plot_confusion
from seq2seq_kit.tasks.classify.baselines import fit_baselines
from seq2seq_kit.tasks.classify.bundle import ClassifyBundle, as_written, columns_of
from seq2seq_kit.tasks.classify.data import Classified, prepare_examples
from seq2seq_kit.tasks.classify.evaluation import ClassifyEvaluation, LabelEvaluation, NumberEvaluation
from seq2seq_kit.tasks.classify.plots import plot_calibration, plot_predicted
from seq2seq_kit.tasks.classify.recipe import ClassifyRecipe, TextsData
from seq2seq_kit.tasks.job import Job, Loss, Served, rows_of, served_example
from seq2seq_kit.training.fit import Fit

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

_SERVED = 3  # texts in the example that MLflow keeps
_RARE = 20  # training sequences of a label that are too few to learn it from
_FEW = {"train": 100, "val": 30, "test": 30}


@dataclass(frozen=True)
class ClassifyJob(Job[ClassifyRecipe, ClassifyBundle, ClassifyEvaluation]):
    """See `Job`."""

    no_folds: ClassVar[str] = "whose labels a block of time need not all have"

    source: pd.DataFrame
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
        labels, coding = examples.learned.labels, examples.learned.coding
        if labels:
            counts = np.bincount(truth, minlength=len(labels))
            said += f"; {len(labels)} labels, the most frequent is {labels[0]} ({counts[0] / counts.sum():.0%} of the sequences)"
            rare = [label for label, count in zip(labels, counts, strict=True) if count < _RARE]
            if rare:
                text = f"labels with fewer than {_RARE} training sequences: {', '.join(rare)}"
                findings.append(Finding("rare_labels", "warning", text, "Give more of them, or join them with others"))
        else:
            said += f"; {data.target} of {truth.min():.4g} to {truth.max():.4g}, mean {truth.mean():.4g}"
            if truth.min() == truth.max():
                text = f"the target {data.target} is constant in all training sequences"
                findings.append(Finding("constant_column", "warning", text, "There is nothing to learn"))
        if isinstance(coding, Vocabulary):
            read = examples.inputs[0].sequences
            val = np.concatenate([read[number] for number in examples.parts["val"]])
            said += (
                f"; {len(coding.tokens):,} tokens, {np.mean(val == UNKNOWN):.1%} of the validation tokens are unknown"
            )
        findings.append(Finding("sequences", "note", said, ""))
        for part, least in _FEW.items():
            if examples.count(part) < least:
                text = f"only {examples.count(part)} {part} sequences; figures from fewer than {least} are unreliable"
                findings.append(Finding("few_sequences", "warning", text, "Give more rows, or change data.split"))
        return findings

    def build(self) -> keras.Model:
        from seq2seq_kit.models.classifier import build_classifier

        layers, learned = self.recipe.model.model_dump(), self.examples.learned
        if isinstance(learned.coding, Vocabulary):
            return build_classifier(outputs=learned.outputs, tokens=learned.coding.size, **layers)
        columns = self.examples.inputs[0].sequences.values.shape[1]
        return build_classifier(outputs=learned.outputs, input_features=columns, **layers)

    def joined(self) -> Self:
        return replace(self, examples=prepare_examples(self.recipe.data, self.source, joined=True))

    def objective(self) -> tuple[Loss | None, list[keras.Metric]]:
        learned = self.examples.learned
        if not learned.labels:
            return None, []
        import keras

        from seq2seq_kit.models.classifier import class_loss

        counts = np.bincount(self.examples.truth_of("train"), minlength=learned.outputs)
        balanced = self.recipe.training.class_weights == "balanced"
        weights = counts.sum() / (len(counts) * counts) if balanced else np.ones(len(counts))
        return class_loss(weights), [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def bundle(self, model: keras.Model, info: Json, *, peers: bool = True) -> ClassifyBundle:
        baselines = fit_baselines(self.examples, self.recipe.training.class_weights) if peers else []
        return ClassifyBundle(self.recipe, model, self.examples.learned, baselines, info)

    def report(self, bundle: ClassifyBundle, part: str) -> ClassifyEvaluation:
        examples = self.examples
        # After a training it is this very one; a run that is evaluated later may find other rows in its source.
        if bundle.learned is not examples.learned:
            examples = prepare_examples(self.recipe.data, self.source, known=bundle.learned)
        return bundle.evaluate_part(examples, part)

    @staticmethod
    def diagnose(
        val: ClassifyEvaluation, test: ClassifyEvaluation, val_losses: Sequence[float], *, all_epochs: bool
    ) -> list[Finding]:
        findings = [*still_improving(val_losses, all_epochs=all_epochs), *against_baseline(test)]
        if isinstance(test, LabelEvaluation):
            counts = test.confusion()
            pairs = zip(test.labels, counts.sum(axis=1), counts.sum(axis=0), strict=True)
            never = [name for name, true, given in pairs if true > given == 0]
            if never:
                text = f"labels of the test part that the model never gives: {', '.join(never)}"
                advice = "Give more of them, join them with others, or set training.class_weights: balanced"
                findings.append(Finding("labels_never_given", "note", text, advice))
        return findings

    def plots(self, bundle: ClassifyBundle, fitted: Fit, test: ClassifyEvaluation, folder: Path) -> dict[str, Figure]:
        if isinstance(test, NumberEvaluation):
            return {"predicted": plot_predicted(test)}
        return {
            "accuracy": plot_accuracy(fitted),
            "confusion": plot_confusion(test.confusion(), test.labels),
            "calibration": plot_calibration(test),
        }

    def served(self, bundle: ClassifyBundle) -> Mapping[str, tuple[Served, Served]]:
        examples, data = self.examples, self.recipe.data
        numbers = examples.parts["test"][: _SERVED if isinstance(data, TextsData) else 1]
        arrays = [each.padded(numbers) for each in examples.inputs]
        rows = np.concatenate([examples.rows[number] for number in numbers])
        frame = self.source.iloc[rows][self.columns[:-1]].reset_index(drop=True)
        if not isinstance(data, TextsData):
            frame = frame.astype(dict.fromkeys(data.inputs, "float64"))
            texts = [name for name in (data.series, data.time) if name]
            frame = frame.astype(dict.fromkeys(texts, "str"))
        return served_example(bundle, frame, arrays)
