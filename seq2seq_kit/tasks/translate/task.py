"""Translating: a text to another text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.base import Json
from seq2seq_kit.data.sequences.ragged import Field
from seq2seq_kit.data.sequences.vocabulary import PADDING, UNKNOWN
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.fields import AUTOREGRESSIVE
from seq2seq_kit.recipe.memory_fields import remembered
from seq2seq_kit.reports import sequences as plots
from seq2seq_kit.tasks.job import Loss, Served
from seq2seq_kit.tasks.rows import rows_of
from seq2seq_kit.tasks.sequences import SequenceJob, served_example
from seq2seq_kit.tasks.translate.bundle import TranslateBundle
from seq2seq_kit.tasks.translate.data import Texts, encode_sources, prepare_texts
from seq2seq_kit.tasks.translate.evaluation import TextEvaluation, edit_distances, fit_text_baselines
from seq2seq_kit.tasks.translate.recipe import TranslateRecipe
from seq2seq_kit.training.fit import Fit

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

_SHOWN = 2_000  # test sources in the table of examples
_MAPS = 4
_MANY_UNKNOWN = 0.01


@dataclass(frozen=True)
class TranslateJob(SequenceJob[TranslateRecipe, TranslateBundle, TextEvaluation]):
    """See `Job`."""

    unit: ClassVar[str] = "pairs"
    no_folds: ClassVar[str] = "whose pairs are divided by their sources, not by time"

    examples: Texts

    @classmethod
    def open(cls, recipe: TranslateRecipe, data: pd.DataFrame | None) -> Self:
        """Checks and prepares the pairs."""
        texts = [recipe.data.source_column, recipe.data.target_column]
        frame, origin = rows_of(recipe, data, texts=texts)
        feedback = recipe.model.bridge in AUTOREGRESSIVE
        return cls(recipe, frame, prepare_texts(recipe.data, frame, feedback=feedback, origin=origin))

    @property
    def columns(self) -> list[str]:
        return [self.recipe.data.source_column, self.recipe.data.target_column]

    def check(self) -> list[Finding]:
        texts = self.examples
        own, other = texts.source_vocabulary, texts.target_vocabulary
        longest = int(texts.encoded.lengths.max())
        sizes = (
            f"vocabulary: {len(own.tokens)} source and {len(other.tokens)} target tokens; "
            f"the longest source has {longest}, an output at most {texts.output_steps}"
        )
        findings = [Finding("vocabulary", "note", sizes, "")]
        findings += [Finding("data_prepared", "note", note, "") for note in texts.notes]
        unknown = np.mean(texts.encoded.rows_of(texts.parts["val"]) == UNKNOWN)
        if unknown > _MANY_UNKNOWN:
            said = f"{unknown:.1%} of the validation tokens are unknown to the training rows"
            advice = "Choose data.level: char, lower data.min_count, or give more rows"
            findings.append(Finding("unknown_tokens", "warning", said, advice))
        return findings

    def build(self) -> keras.Model:
        from seq2seq_kit.models.translator import build_translator

        return build_translator(
            source_tokens=self.examples.source_vocabulary.size,
            target_tokens=self.examples.target_vocabulary.size,
            output_steps=self.examples.output_steps,
            **self.recipe.model.model_dump() | remembered(self.recipe.model, self.recipe.data),
        )

    @property
    def gives_logits(self) -> bool:
        return True

    def joined(self) -> Self:
        return replace(self, examples=self.examples.joined())

    @property
    def teacher_forcing(self) -> Sequence[float]:
        return self.recipe.training.teacher_forcing

    def objective(self) -> tuple[Loss, list[keras.Metric]]:
        from seq2seq_kit.models.labels import LabelAccuracy, label_loss

        return label_loss, [LabelAccuracy()]

    def bundle(self, model: keras.Model, info: Json, *, peers: bool = True) -> TranslateBundle:
        texts = self.examples
        baselines = fit_text_baselines(texts) if peers else []
        own, other = texts.source_vocabulary, texts.target_vocabulary
        return TranslateBundle(self.recipe, model, own, other, texts.output_steps, baselines, info)

    def report(self, bundle: TranslateBundle, part: str) -> TextEvaluation:
        texts = self.examples
        # By the bundle's vocabularies: a run that is evaluated later may find other rows in its source.
        return bundle.evaluate_part(bundle.texts(texts.sources, texts.targets, texts.parts), part)

    def plots(self, bundle: TranslateBundle, fitted: Fit, test: TextEvaluation, folder: Path) -> dict[str, Figure]:
        references = self.examples.references("test")
        picked = np.unique(np.linspace(0, len(references) - 1, min(_SHOWN, len(references))).astype(int))
        sources = [list(references)[place] for place in picked]
        answers = [references[source] for source in sources]
        outputs, scores = bundle.write(sources)
        pairs, text = list(zip(outputs, answers, strict=True)), bundle.target_vocabulary.text
        frame = pd.DataFrame(
            {
                "source": sources,
                "written": [text(output) for output in outputs],
                "right": [" | ".join(map(text, own)) for own in answers],
                "edits": [edit_distances([output] * len(own), own).min() for output, own in pairs],
                "score": scores,
            }
        )
        frame.to_csv(folder / "examples.csv", index=False)
        lengths = [len(bundle.source_vocabulary.split(source)) for source in sources]
        exact = [any(output == answer for answer in own) for output, own in pairs]
        figures = {
            "accuracy": plots.plot_accuracy(fitted),
            "exact_match_by_length": plots.plot_by_length(lengths, exact, what="Exact match"),
        }
        if self.recipe.model.bridge == "attention":
            apart = max(len(sources) // _MAPS, 1)
            figures["attention"] = self._attention(bundle, sources[::apart][:_MAPS], outputs[::apart][:_MAPS])
        return figures

    def served(self, bundle: TranslateBundle) -> Mapping[str, tuple[Served, Served]]:
        rows = self.examples.parts["test"][:3]
        frame = pd.DataFrame({self.recipe.data.source_column: [self.examples.sources[row] for row in rows]})
        return served_example(bundle, frame, self.examples.padded(rows))

    def _attention(self, bundle: TranslateBundle, sources: Sequence[str], outputs: Sequence[list[int]]) -> Figure:
        from seq2seq_kit.models.decoding import attention_weights
        from seq2seq_kit.models.ensemble import members_of

        model = members_of(bundle.model)[0]  # a map is one model's
        vocabulary, target = bundle.source_vocabulary, bundle.target_vocabulary
        encoded = encode_sources(sources, vocabulary, reverse=self.recipe.data.reverse_source)
        weights, read, written = [], [], []
        for row, output in enumerate(outputs):
            ended = [*output, PADDING][: bundle.output_steps]
            previous = np.array([[PADDING, *ended[:-1]]], dtype=np.int32)
            own = attention_weights(model, [Field(encoded, PADDING).padded(np.array([row])), previous])[0]
            tokens = vocabulary.split(sources[row])
            tokens = tokens[::-1] if self.recipe.data.reverse_source else tokens
            # A pyramid looks at several tokens at once.
            joined = self.recipe.model.pyramid ** (len(self.recipe.model.encoder_units) - 1)
            weights.append(own)
            read.append(["".join(tokens[first : first + joined]) for first in range(0, len(tokens), joined)])
            written.append([target.text([token]) or "end" for token in ended])
        return plots.plot_attention(weights, read, written)
