"""Tagging: a label for each token, or for each row of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeVar

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.base import Json, rows_given
from seq2seq_kit.data.sequences.vocabulary import UNKNOWN
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.findings import Finding
from seq2seq_kit.reports import sequences as plots
from seq2seq_kit.tasks.digest import BESIDE, digest_of
from seq2seq_kit.tasks.job import Loss, Served
from seq2seq_kit.tasks.rows import rows_of, source_of
from seq2seq_kit.tasks.sequences import SequenceJob, example_rows, rare_labels, served_example
from seq2seq_kit.tasks.tag.bundle import TagBundle, TagTokensBundle, TagValuesBundle
from seq2seq_kit.tasks.tag.data import Tagged
from seq2seq_kit.tasks.tag.evaluation import TagEvaluation, fit_tag_baselines
from seq2seq_kit.tasks.tag.recipe import TagTokensRecipe, TagValuesRecipe
from seq2seq_kit.tasks.tag.tokens import (
    CHARACTERS,
    SEQUENCE,
    TokenVocabularies,
    joined_tokens,
    prepare_tokens,
    read_tokens,
)
from seq2seq_kit.tasks.tag.values import joined_values, prepare_values
from seq2seq_kit.training.fit import Fit

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

R = TypeVar("R", TagTokensRecipe, TagValuesRecipe)
B = TypeVar("B", bound=TagBundle)

_SERVED = 3  # sequences in the example that MLflow keeps


@dataclass(frozen=True)
class TagJob(SequenceJob[R, B, TagEvaluation], Generic[R, B]):
    """See `Job`; the two classes below hold what differs between tokens and rows of values."""

    examples: Tagged

    @property
    def gives_logits(self) -> bool:
        return True

    def check(self) -> list[Finding]:
        tagged = self.examples
        counts = np.bincount(tagged.truth_of("train"), minlength=len(tagged.labels))
        share = f"{counts[0] / counts.sum():.0%} of the steps"
        said = f"{len(tagged.labels)} labels, the most frequent is {tagged.labels[0]} ({share}){self.about_tokens()}"
        longest = int(tagged.truth.lengths.max())
        findings = [Finding("labels", "note", f"{said}; the longest sequence has {longest} steps", "")]
        findings += [Finding("data_prepared", "note", note, "") for note in tagged.notes]
        return findings + rare_labels(tagged.labels, counts, of="steps")

    def about_tokens(self) -> str:
        """What is to be said of the tokens, if the model reads any."""
        return ""

    def objective(self) -> tuple[Loss, list[keras.Metric]]:
        from seq2seq_kit.models.labels import LabelAccuracy, label_loss, weighted_label_loss

        if self.recipe.training.class_weights == "none":
            return label_loss, [LabelAccuracy()]
        counts = np.bincount(self.examples.truth_of("train"), minlength=len(self.examples.labels))
        # A label that is absent from the training rows has nothing to weigh.
        weights = counts.sum() / ((counts > 0).sum() * np.maximum(counts, 1))
        return weighted_label_loss(weights), [LabelAccuracy()]

    def report(self, bundle: B, part: str) -> TagEvaluation:
        return bundle.evaluate_part(bundle.recoded(self.seen_by(bundle).examples), part)

    def plots(self, bundle: B, fitted: Fit, test: TagEvaluation, folder: Path) -> dict[str, Figure]:
        confusion = plots.plot_confusion(test.confusion[MODEL], test.labels)
        return {"accuracy": plots.plot_accuracy(fitted), "confusion": confusion}

    def served(self, bundle: B) -> Mapping[str, tuple[Served, Served]]:
        # Rows of a file of their own are not in `source`.
        numbers = self.examples.parts["train" if getattr(self.recipe.data, "val_source", None) else "val"][:_SERVED]
        columns = [name for name in self.columns if name != self.recipe.data.labels]
        frame = example_rows(self.source, self.examples.rows.rows_of(numbers), columns)
        return served_example(bundle, frame, self.examples.padded(numbers))


@dataclass(frozen=True)
class TagTokensJob(TagJob[TagTokensRecipe, TagTokensBundle]):
    """Tagging of tokens.

    Attributes:
        vocabularies: How tokens become numbers.
    """

    no_folds: ClassVar[str] = "whose sequences are divided by their tokens, not by time"

    vocabularies: TokenVocabularies

    @classmethod
    def open(cls, recipe: TagTokensRecipe, data: pd.DataFrame | None) -> Self:
        section = recipe.data
        origin = str(recipe.source) if data is None else "the DataFrame"
        rows = rows_given(recipe, read_tokens(section, source_of(recipe))) if data is None else data
        named = {"val": section.val_source, "test": section.test_source}
        own = {part: read_tokens(section, place) for part, place in named.items() if place}
        if own:
            beside = " ".join(digest_of(frame, list(frame.columns)) for frame in own.values())
            rows = rows.copy(deep=False)  # a program's own frame stays as it is
            rows.attrs = rows.attrs | {BESIDE: beside}
        characters = recipe.model.character_units > 0
        return cls(recipe, rows, *prepare_tokens(section, rows, own=own, characters=characters, origin=origin))

    @property
    def columns(self) -> list[str]:
        data = self.recipe.data
        return [name for name in (SEQUENCE if data.lines else data.series, data.tokens, data.labels) if name]

    def about_tokens(self) -> str:
        unknown = np.mean(self.examples.inputs[0].sequences.rows_of(self.examples.parts["val"]) == UNKNOWN)
        return f"; {len(self.vocabularies.tokens.tokens):,} tokens, {unknown:.1%} of the validation tokens are unknown"

    def build(self) -> keras.Model:
        from seq2seq_kit.models.tagger import build_tagger

        letters = self.vocabularies.characters
        return build_tagger(
            labels=len(self.examples.labels),
            tokens=self.vocabularies.tokens.size,
            characters=letters.size if letters else 0,
            character_steps=CHARACTERS,
            **self.recipe.model.model_dump(),
        )

    def joined(self) -> Self:
        tagged, vocabularies = joined_tokens(self.recipe.data, self.examples, self.vocabularies)
        return replace(self, examples=tagged, vocabularies=vocabularies)

    def bundle(self, model: keras.Model, info: Json, *, peers: bool = True) -> TagTokensBundle:
        baselines = fit_tag_baselines(self.examples) if peers else []
        return TagTokensBundle(self.recipe, model, self.examples.labels, baselines, info, self.vocabularies)


@dataclass(frozen=True)
class TagValuesJob(TagJob[TagValuesRecipe, TagValuesBundle]):
    """Tagging of rows of values.

    Attributes:
        prepared: The rows, in original units and scaled.
    """

    no_folds: ClassVar[str] = "whose labels a block of time need not all have"

    prepared: Prepared

    @classmethod
    def open(cls, recipe: TagValuesRecipe, data: pd.DataFrame | None) -> Self:
        rows, origin = rows_of(recipe, data, texts=[recipe.data.labels])
        return cls(recipe, rows, *prepare_values(recipe.data, rows, origin=origin))

    @property
    def columns(self) -> list[str]:
        data = self.recipe.data
        return [name for name in (data.series, *data.time_columns, *data.inputs, data.labels) if name]

    def build(self) -> keras.Model:
        from seq2seq_kit.models.tagger import build_tagger

        width = self.examples.inputs[0].sequences.values.shape[1]
        return build_tagger(labels=len(self.examples.labels), input_features=width, **self.recipe.model.model_dump())

    def joined(self) -> Self:
        tagged, prepared = joined_values(self.examples, self.prepared)
        return replace(self, examples=tagged, prepared=prepared)

    def seen_by(self, bundle: TagValuesBundle) -> Self:
        if bundle.scaler is self.prepared.scaler:
            return self
        prepared = self.prepared.with_scaler(bundle.scaler)
        return replace(self, prepared=prepared, examples=self.examples.with_values(prepared.matrix[:]))

    def bundle(self, model: keras.Model, info: Json, *, peers: bool = True) -> TagValuesBundle:
        baselines = fit_tag_baselines(self.examples) if peers else []
        return TagValuesBundle(self.recipe, model, self.examples.labels, baselines, info, self.prepared.scaler)
