"""Tagging: a label for each token, or for each row of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.data.sequences.vocabulary import UNKNOWN
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.evaluation.diagnostics import against_baseline, still_improving
from seq2seq_kit.findings import Finding
from seq2seq_kit.reports import plots
from seq2seq_kit.reports import sequences as plots_tokens
from seq2seq_kit.reports.model_diagram import plot_model
from seq2seq_kit.tasks.job import Job, no_epoch, no_folds, rows_of, source_of
from seq2seq_kit.tasks.tag.bundle import TagBundle
from seq2seq_kit.tasks.tag.data import Tagged, steps_of
from seq2seq_kit.tasks.tag.evaluation import TagEvaluation, fit_tag_baselines
from seq2seq_kit.tasks.tag.recipe import TagTokensRecipe, TagValuesRecipe
from seq2seq_kit.tasks.tag.tokens import CHARACTERS, SEQUENCE, TokenCoding, joined_tokens, prepare_tokens, read_tokens
from seq2seq_kit.tasks.tag.values import joined_values, prepare_values
from seq2seq_kit.training.fit import Fit, Observer, fit

if TYPE_CHECKING:
    import keras

_SERVED = 3  # sequences in the example that MLflow keeps
_RARE = 20  # training steps of a label that are too few to learn it from


@dataclass(frozen=True)
class TagJob:
    """See `Job`."""

    unit: ClassVar[str] = "sequences"

    recipe: TagTokensRecipe | TagValuesRecipe
    source: pd.DataFrame
    examples: Tagged
    coding: TokenCoding | None
    prepared: Prepared | None

    @classmethod
    def open(cls, recipe: TagTokensRecipe | TagValuesRecipe, frame: pd.DataFrame | None) -> TagJob:
        """Reads where need be, checks and prepares the rows."""
        if isinstance(recipe, TagValuesRecipe):
            rows, origin = rows_of(recipe, frame, texts=[recipe.data.labels])
            tagged, prepared = prepare_values(recipe.data, rows, origin=origin)
            return cls(recipe, rows, tagged, None, prepared)
        data = recipe.data
        origin = source_of(recipe) if frame is None else "the DataFrame"
        rows = read_tokens(data, origin) if frame is None else frame
        test = read_tokens(data, data.test_source) if data.test_source else None
        characters = recipe.model.character_units > 0
        tagged, coding = prepare_tokens(data, rows, test=test, characters=characters, origin=origin)
        return cls(recipe, rows, tagged, coding, None)

    @property
    def columns(self) -> list[str]:
        data = self.recipe.data
        if isinstance(self.recipe, TagTokensRecipe):
            named = [SEQUENCE if self.recipe.data.lines else data.series, self.recipe.data.tokens, data.labels]
        else:
            named = [data.series, self.recipe.data.time, *self.recipe.data.inputs, data.labels]
        return [name for name in named if name]

    @property
    def series(self) -> list[str]:
        return [""]

    def check(self) -> list[Finding]:
        tagged = self.examples
        train = tagged.truth_of("train")
        counts = np.bincount(train, minlength=len(tagged.labels))
        longest = int(tagged.truth.lengths.max())
        said = f"{len(tagged.labels)} labels, the commonest is {tagged.labels[0]} ({counts[0] / counts.sum():.0%} of the steps)"
        if self.coding is not None:
            val = steps_of(tagged.inputs[0].sequences, tagged.parts["val"])
            unknown = np.mean(val == UNKNOWN)
            said += f"; {len(self.coding.tokens.tokens):,} tokens, {unknown:.1%} of the validation tokens are unknown"
        findings = [Finding("labels", "note", f"{said}; the longest sequence has {longest} steps", "")]
        findings += [Finding("data_prepared", "note", note, "") for note in tagged.notes]
        rare = [label for label, count in zip(tagged.labels, counts, strict=True) if count < _RARE]
        if rare:
            text = f"labels with fewer than {_RARE} training steps: {', '.join(rare)}"
            findings.append(Finding("rare_labels", "warning", text, "Give more rows of them, or join them with others"))
        return findings

    def build(self) -> keras.Model:
        from seq2seq_kit.models.tagger import build_tagger

        layers = self.recipe.model.model_dump()
        if self.coding is None:
            return build_tagger(
                labels=len(self.examples.labels),
                input_features=self.examples.inputs[0].sequences.values.shape[1],
                **layers,
            )
        letters = self.coding.characters
        return build_tagger(
            labels=len(self.examples.labels),
            tokens=self.coding.tokens.size,
            characters=letters.size if letters else 0,
            character_steps=CHARACTERS,
            **layers,
        )

    def folds(self, count: int) -> Sequence[Job]:
        divided = "whose sequences are divided by their tokens, not by time"
        raise no_folds(self.recipe, divided if self.coding else "whose labels a block of time need not all have")

    def joined(self) -> TagJob:
        if isinstance(self.recipe, TagTokensRecipe):
            assert self.coding is not None
            tagged, coding = joined_tokens(self.recipe.data, self.examples, self.coding)
            return replace(self, examples=tagged, coding=coding)
        assert self.prepared is not None
        tagged, prepared = joined_values(self.examples, self.prepared)
        return replace(self, examples=tagged, prepared=prepared)

    def fit(self, model: keras.Model, observers: Sequence[Observer], *, stop_after: int | None = None) -> Fit:
        from seq2seq_kit.models.labels import LabelAccuracy, label_loss

        training, seed = self.recipe.training, self.recipe.seed
        return fit(
            model,
            self.examples,
            training,
            seed=seed,
            loss=label_loss,
            metrics=[LabelAccuracy()],
            stop_after=stop_after,
            observers=observers,
        )

    def bundle(self, model: keras.Model, info: dict[str, Any], *, peers: bool = True) -> TagBundle:
        baselines = fit_tag_baselines(self.examples) if peers else []
        scaler = self.prepared.scaler if self.prepared else None
        return TagBundle(self.recipe, model, self.examples.labels, self.coding, scaler, baselines, info)

    def report(self, bundle: TagBundle, part: str) -> TagEvaluation:
        tagged = self.examples
        if self.prepared is not None and bundle.scaler is not None and bundle.scaler is not self.prepared.scaler:
            tagged = tagged.with_values(self.prepared.with_scaler(bundle.scaler).matrix[:])
        return bundle.evaluate_part(bundle.recoded(tagged), part)

    def examine(self, fitted: Fit, val: TagEvaluation, test: TagEvaluation) -> list[Finding]:
        if not fitted.best_epoch:
            return no_epoch(fitted)
        findings = still_improving([epoch.val_loss for epoch in fitted.history], all_epochs=fitted.ended == "epochs")
        own, peer = (test.figures(name)["accuracy"] for name in (MODEL, test.best_baseline))
        findings += against_baseline(test, f"accuracy {own:.4f} against {peer:.4f}", perfect=peer == 1 > own)
        table = test.by_label()
        never = table.loc[(table["steps"] > 0) & (table["recall"] == 0), "label"].tolist()
        if never:
            text = f"labels of the test part that the model never gave rightly: {', '.join(never)}"
            findings.append(
                Finding("labels_never_given", "note", text, "Give more rows of them, or join them with others")
            )
        return findings

    def draw(self, bundle: TagBundle, fitted: Fit, test: TagEvaluation, folder: Path) -> None:
        figures = {
            "loss_curves": plots.plot_losses(fitted),
            "accuracy": plots_tokens.plot_accuracy(fitted),
            "confusion": plots_tokens.plot_confusion(test.confusion[MODEL], test.labels),
            "model": plot_model(bundle.model),
        }
        plots.save(figures, folder)

    def served(self, bundle: TagBundle) -> Mapping[str, tuple[Any, Any]]:
        numbers = self.examples.parts["val"][:_SERVED]
        arrays = [each.padded(numbers) for each in self.examples.inputs]
        names = [tensor.name for tensor in bundle.model.inputs]
        tensors = dict(zip(names, arrays, strict=True)) if len(names) > 1 else arrays[0]
        columns = [name for name in self.columns if name != self.recipe.data.labels]
        frame = self.source.iloc[steps_of(self.examples.rows, numbers)][columns].reset_index(drop=True)
        return {"frames": (frame, bundle.answer(frame)), "tensors": (tensors, bundle.forward(arrays))}
