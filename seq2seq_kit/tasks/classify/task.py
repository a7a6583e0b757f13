"""Classification: one label or one number for each text, series or window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.data.sequences.vocabulary import UNKNOWN, Vocabulary
from seq2seq_kit.evaluation.base import MODEL
from seq2seq_kit.evaluation.diagnostics import against_baseline, still_improving
from seq2seq_kit.findings import Finding
from seq2seq_kit.reports import plots
from seq2seq_kit.reports.model_diagram import plot_model
from seq2seq_kit.reports.sequences import plot_accuracy, plot_confusion
from seq2seq_kit.tasks.classify.baselines import fit_baselines
from seq2seq_kit.tasks.classify.bundle import ClassifyBundle, as_written, columns_of
from seq2seq_kit.tasks.classify.data import Classified, prepare_examples
from seq2seq_kit.tasks.classify.evaluation import ClassifyEvaluation, LabelEvaluation, NumberEvaluation
from seq2seq_kit.tasks.classify.plots import plot_calibration, plot_predicted
from seq2seq_kit.tasks.classify.recipe import ClassifyRecipe, TextsData, WindowsData
from seq2seq_kit.tasks.job import Job, no_epoch, no_folds, rows_of
from seq2seq_kit.training.fit import Fit, Observer, fit

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

_SERVED = 3  # texts in the example that MLflow keeps
_RARE = 20  # training sequences of a label that are too few to learn it from
_FEW = {"train": 100, "val": 30, "test": 30}


@dataclass(frozen=True)
class ClassifyJob:
    """See `Job`."""

    recipe: ClassifyRecipe
    source: pd.DataFrame
    examples: Classified

    unit: ClassVar[str] = "sequences"

    @classmethod
    def open(cls, recipe: ClassifyRecipe, data: pd.DataFrame | None) -> ClassifyJob:
        """Reads where need be, checks and prepares the rows."""
        frame, origin = rows_of(recipe, data, texts=as_written(recipe))
        return cls(recipe, frame, prepare_examples(recipe.data, frame, origin=origin))

    @property
    def columns(self) -> list[str]:
        return columns_of(self.recipe)

    @property
    def series(self) -> list[str]:
        return [""]

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

    def folds(self, count: int) -> Sequence[Job]:
        windows = isinstance(self.recipe.data, WindowsData)
        divided = (
            "whose labels a block of time need not all have" if windows else "whose sequences are divided by a hash"
        )
        raise no_folds(self.recipe, divided)

    def joined(self) -> ClassifyJob:
        return replace(self, examples=prepare_examples(self.recipe.data, self.source, joined=True))

    def fit(self, model: keras.Model, observers: Sequence[Observer], *, stop_after: int | None = None) -> Fit:
        from seq2seq_kit.models.classifier import class_loss

        training, learned = self.recipe.training, self.examples.learned
        loss: object = None
        metrics: list[object] = []
        if learned.labels:
            import keras

            counts = np.bincount(self.examples.truth_of("train"), minlength=learned.outputs)
            balanced = training.class_weights == "balanced"
            loss = class_loss(counts.sum() / (len(counts) * counts) if balanced else np.ones(len(counts)))
            metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        seed = self.recipe.seed
        return fit(
            model,
            self.examples,
            training,
            seed=seed,
            loss=loss,
            metrics=metrics,
            stop_after=stop_after,
            observers=observers,
        )

    def bundle(self, model: keras.Model, info: dict[str, Any], *, peers: bool = True) -> ClassifyBundle:
        baselines = fit_baselines(self.examples, self.recipe.training.class_weights) if peers else []
        return ClassifyBundle(self.recipe, model, self.examples.learned, baselines, info)

    def report(self, bundle: ClassifyBundle, part: str) -> ClassifyEvaluation:
        examples = self.examples
        # After a training it is this very one; a run that is evaluated later may find other rows in its source.
        if bundle.learned is not examples.learned:
            examples = prepare_examples(self.recipe.data, self.source, known=bundle.learned)
        return bundle.evaluate_part(examples, part)

    def examine(self, fitted: Fit, val: ClassifyEvaluation, test: ClassifyEvaluation) -> list[Finding]:
        if not fitted.best_epoch:
            return no_epoch(fitted)
        findings = still_improving([epoch.val_loss for epoch in fitted.history], all_epochs=fitted.ended == "epochs")
        own, peer = (test.figures(name)[test.headline] for name in (MODEL, test.best_baseline))
        perfect = test.error_of(test.best_baseline) == 0 < test.error_of(MODEL)
        findings += against_baseline(
            test, f"{test.titles[test.headline]} {own:.4g} against {peer:.4g}", perfect=perfect
        )
        if isinstance(test, LabelEvaluation):
            counts = test.confusion()
            never = [
                name
                for name, true, given in zip(test.labels, counts.sum(1), counts.sum(0), strict=True)
                if true > given == 0
            ]
            if never:
                text = f"labels of the test part that the model never gives: {', '.join(never)}"
                advice = "Give more of them, join them with others, or set training.class_weights: balanced"
                findings.append(Finding("labels_never_given", "note", text, advice))
        return findings

    def draw(self, bundle: ClassifyBundle, fitted: Fit, test: ClassifyEvaluation, folder: Path) -> None:
        figures: dict[str, Figure] = {"loss_curves": plots.plot_losses(fitted), "model": plot_model(bundle.model)}
        if isinstance(test, NumberEvaluation):
            figures["predicted"] = plot_predicted(test)
        else:
            figures["accuracy"] = plot_accuracy(fitted)
            figures["confusion"] = plot_confusion(test.confusion(), test.labels)
            figures["calibration"] = plot_calibration(test)
        plots.save(figures, folder)

    def served(self, bundle: ClassifyBundle) -> Mapping[str, tuple[object, object]]:
        examples, data = self.examples, self.recipe.data
        numbers = examples.parts["test"][: _SERVED if isinstance(data, TextsData) else 1]
        arrays = [each.padded(numbers) for each in examples.inputs]
        names = [tensor.name for tensor in bundle.model.inputs]
        tensors = dict(zip(names, arrays, strict=True)) if len(names) > 1 else arrays[0]
        rows = np.concatenate([examples.rows[number] for number in numbers])
        frame = self.source.iloc[rows][self.columns[:-1]].reset_index(drop=True)
        if not isinstance(data, TextsData):
            frame = frame.astype(dict.fromkeys(data.inputs, "float64"))
            texts = [name for name in (data.series, data.time) if name]
            frame = frame.astype(dict.fromkeys(texts, "str"))
        return {"frames": (frame, bundle.answer(frame)), "tensors": (tensors, bundle.forward(arrays))}
