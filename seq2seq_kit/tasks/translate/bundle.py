"""A trained translator: raw texts in, texts with a score out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.base import Arrays, Bundle, Json
from seq2seq_kit.data.sequences.ragged import Field, by_length
from seq2seq_kit.data.sequences.texts import read_texts, refuse_long
from seq2seq_kit.data.sequences.vocabulary import PADDING, Vocabulary
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.exports.session import SEARCH, Network
from seq2seq_kit.recipe.fields import AUTOREGRESSIVE, Recipe
from seq2seq_kit.tasks.translate.data import Texts, encode_sources, read_pairs, read_table_of_texts
from seq2seq_kit.tasks.translate.evaluation import (
    TextBaseline,
    TextEvaluation,
    TextScores,
    dump_text_baselines,
    restore_text_baselines,
    score_outputs,
)
from seq2seq_kit.tasks.translate.exported_search import refuse_other_search, search_of
from seq2seq_kit.tasks.translate.recipe import TranslateRecipe

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.exports.program import Program

_CHUNK = 512
BEAM_WIDTH = 1  # where none is asked for; 1 is greedy, and all that a repeating bridge takes (see `write`)
_MOST_BEAMS = 100
_MOST_STEPS = 10_000  # of an output; a bundle from a stranger must not write for ever


@dataclass(frozen=True)
class TranslateBundle(Bundle):
    """A trained translator.

    Attributes:
        model: The Keras model, from numbers to logits.
        source_vocabulary, target_vocabulary: Learned on the training rows.
        output_steps: Tokens after which an output is cut off.
        baselines: Its fitted baselines, for `evaluate`.
        beams: Beam width where `predict` is given none, by default `BEAM_WIDTH`.
    """

    what: ClassVar[str] = "a translator"
    batch_size: ClassVar[int | None] = _CHUNK
    takes_texts: ClassVar[bool] = True

    recipe: TranslateRecipe
    model: keras.Model
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    output_steps: int
    baselines: list[TextBaseline]
    info: Json = field(default_factory=dict)
    beams: int = BEAM_WIDTH

    def predict(
        self, texts: pd.DataFrame | Sequence[str] | str, *, beams: int | None = None, origin: str = "the data"
    ) -> pd.DataFrame:
        """Translates texts.

        Args:
            texts: Raw texts, or a frame with the recipe's source column.
            beams: Beam width; 1 is greedy, and the default. More need an autoregressive decoder (`bridge: state` or `attention`).
            origin: Name of the file for messages.

        Returns:
            A row for each text: the source column, the target column with the output, and `score`, the natural logarithm of
            the output's probability.

        Raises:
            ArgumentError: Beams that the model cannot have.
            BundleError: The graph of an exported model writes what it cannot.
            DataError: A text is empty or longer than the recipe allows.
        """
        data = self.recipe.data
        if not isinstance(texts, pd.DataFrame):
            texts = pd.DataFrame({data.source_column: [texts] if isinstance(texts, str) else list(texts)})
        sources = read_texts(texts, data.source_column, origin)
        outputs, scores = self.write(sources, beams=beams, origin=origin)
        written = [self.target_vocabulary.text(tokens) for tokens in outputs]
        frame = pd.DataFrame({data.source_column: sources, data.target_column: written, "score": scores})
        notes = self.source_vocabulary.unknown_note(sources)
        if notes:
            frame.attrs["notes"] = notes
        return frame

    def write(
        self, sources: Sequence[str], *, beams: int | None = None, origin: str = "the data"
    ) -> tuple[list[list[int]], np.ndarray]:
        """Tokens of the output for each text, without the end, and the logarithm of its probability."""
        beams = self.beams if beams is None else beams
        if isinstance(beams, bool) or not isinstance(beams, int) or not 1 <= beams <= _MOST_BEAMS:
            raise ArgumentError(
                f"beams must be a whole number from 1 to {_MOST_BEAMS}. Received: beams={beams}",
                code="invalid_argument",
            )
        if beams > 1 and self.recipe.model.bridge not in AUTOREGRESSIVE:
            raise ArgumentError(
                "a repeating bridge writes all steps at once, so there is nothing to search. Leave beams at 1, or train with "
                f"model.bridge: state or attention. Received: beams={beams}",
                code="not_supported",
            )
        data = self.recipe.data
        refuse_long(sources, self.source_vocabulary, data.input_steps, data.source_column, "data.input_steps", origin)
        numbers = Field(encode_sources(sources, self.source_vocabulary, reverse=data.reverse_source), PADDING)
        outputs: list[list[int]] = [[]] * len(sources)
        scores = np.empty(len(sources))
        decode = self._decoder(beams)
        for chunk in by_length(numbers.sequences.lengths, _CHUNK):
            tokens, probabilities = decode(numbers.padded(chunk))
            for row, own in zip(chunk, tokens, strict=True):
                end = np.flatnonzero(own == PADDING)
                outputs[row] = own[: end[0] if end.size else len(own)].tolist()
            scores[chunk] = probabilities
        return outputs, scores

    def _decoder(self, beams: int) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """From padded sources to the best tokens `(batch, steps)` and their log probability."""
        made: dict[int, Any] = self.__dict__.setdefault("_decoders", {})
        if beams not in made:
            made[beams] = self._repeated if self.recipe.model.bridge not in AUTOREGRESSIVE else self._searched(beams)
        return made[beams]

    @classmethod
    def exported_parts(cls, recipe: Recipe) -> tuple[str, ...]:
        assert isinstance(recipe, TranslateRecipe)
        return (SEARCH,) if recipe.model.bridge in AUTOREGRESSIVE else ()

    def _searched(self, beams: int) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """Searches with a beam of this width, by Keras or by the graph of an export, whose answers are looked at."""
        search: Callable[[np.ndarray], Sequence[np.ndarray]]
        if isinstance(self.model, Network):
            search = search_of(self.model.part(SEARCH), beams, self.output_steps, self.target_vocabulary.size)
        else:
            from seq2seq_kit.models.decoding import compile_beam_search

            search = compile_beam_search(self.model, beams=beams, most_steps=self.output_steps)

        def best(padded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            tokens, scores = search(padded)
            return tokens[:, 0], scores[:, 0]

        return best

    def _repeated(self, padded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits = self.forward([padded]).astype(np.float64)
        tokens = logits.argmax(axis=-1)
        probabilities = logits.max(axis=-1) - np.logaddexp.reduce(logits, axis=-1)
        before_end = (
            np.cumsum(np.cumsum(tokens == PADDING, axis=1), axis=1) <= 1
        )  # the end counts, what follows does not
        return tokens, (probabilities * before_end).sum(axis=1)

    def with_beams(self, beams: int) -> TranslateBundle:
        """The same model, searching with a beam of this width."""
        return replace(self, beams=beams)

    def evaluate(self, frame: pd.DataFrame, *, origin: str = "the data") -> TextEvaluation:
        """The result table on other pairs."""
        sources, targets = read_pairs(frame, self.recipe.data, origin)
        everything = np.arange(len(sources))
        return self.evaluate_part(
            self.texts(sources, targets, {"train": everything, "val": everything, "test": everything})
        )

    def texts(self, sources: list[str], targets: list[str], parts: dict[str, np.ndarray]) -> Texts:
        """Pairs prepared as in training."""
        feedback = self.recipe.model.bridge in AUTOREGRESSIVE
        own, other = self.source_vocabulary, self.target_vocabulary
        return Texts(self.recipe.data, sources, targets, parts, own, other, self.output_steps, feedback)

    def evaluate_part(self, texts: Texts, part: str = "test") -> TextEvaluation:
        """The model and its baselines on a part of prepared pairs."""
        references = texts.references(part)
        sources, answers = list(references), list(references.values())
        outputs, _ = self.write(sources)
        loss, accuracy = self._by_token(texts, part)
        scores: dict[str, TextScores] = {MODEL: score_outputs(outputs, answers, loss=loss, accuracy=accuracy)}
        numbers = encode_sources(sources, self.source_vocabulary, reverse=self.recipe.data.reverse_source)
        encoded = [numbers[row] for row in range(len(numbers))]
        forward = [each[::-1].tolist() if self.recipe.data.reverse_source else each.tolist() for each in encoded]
        for peer in self.baselines:
            scores[peer.name] = score_outputs(peer.write(forward), answers)
        return TextEvaluation(part, scores, {peer.name: peer.about for peer in self.baselines})

    def _by_token(self, texts: Texts, part: str) -> tuple[float, float]:
        """Mean cross-entropy and token accuracy, after the true tokens before each."""
        total = right = count = 0.0
        rows = texts.parts[part]
        for chunk in by_length(texts.answers.lengths[rows], _CHUNK):
            truth = texts.target.padded(rows[chunk])
            logits = self.forward(texts.padded(rows[chunk])).astype(np.float64)
            known = truth >= 0
            chosen = np.take_along_axis(logits, np.maximum(truth, 0)[..., None], axis=-1)[..., 0]
            total += float((np.logaddexp.reduce(logits, axis=-1) - chosen)[known].sum())
            right += float((logits.argmax(axis=-1) == truth)[known].sum())
            count += float(known.sum())
        return total / count, right / count

    def read(self, path: str) -> pd.DataFrame:
        """A file of texts."""
        return read_table_of_texts(self.recipe.data, path)

    def ignored_columns(self, frame: pd.DataFrame) -> list[str]:
        data = self.recipe.data
        return [str(name) for name in frame.columns if name not in (data.source_column, data.target_column)]

    def programs(self, frame: pd.DataFrame | None) -> list[Program]:
        from seq2seq_kit.tasks.translate.exported import translate_programs

        return translate_programs(self)

    def facts(self) -> Json:
        own, other = self.source_vocabulary, self.target_vocabulary
        return {
            "source_tokens": own.tokens,
            "target_tokens": other.tokens,
            "reverse_source": self.recipe.data.reverse_source,
        }

    def state(self) -> tuple[Json, Arrays]:
        words = {
            "source_vocabulary": [self.source_vocabulary.level, self.source_vocabulary.tokens],
            "target_vocabulary": [self.target_vocabulary.level, self.target_vocabulary.tokens],
            "output_steps": self.output_steps,
            "baselines": dump_text_baselines(self.baselines),
        }
        return words, {}

    @classmethod
    def restore(cls, recipe: Recipe, model: keras.Model, state: Json, arrays: Arrays, info: Json) -> TranslateBundle:
        assert isinstance(recipe, TranslateRecipe)
        own, other = (Vocabulary.restore(*state[f"{side}_vocabulary"]) for side in ("source", "target"))
        steps = int(state["output_steps"])
        _refuse_other_vocabularies(model, own.size, other.size)
        if isinstance(model, Network) and recipe.model.bridge in AUTOREGRESSIVE:
            refuse_other_search(model.part(SEARCH), steps)
        if not 1 <= steps <= _MOST_STEPS:
            raise ValueError(f"output_steps must be from 1 to {_MOST_STEPS}. Received: {steps}")
        if model.output_shape[1] not in (None, steps):
            raise ValueError(f"output_steps must be the model's {model.output_shape[1]}. Received: {steps}")
        peers = restore_text_baselines(state["baselines"], other.size)
        return cls(recipe, model, own, other, steps, peers, info)

    def golden(self) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        sizes = [self.source_vocabulary.size, self.target_vocabulary.size]
        steps = [self.recipe.data.input_steps or 8, min(self.output_steps, 8)]
        return [
            rng.integers(1, sizes[position], size=(3, steps[position])).astype(np.int32)
            for position in range(len(self.model.inputs))
        ]


def _refuse_other_vocabularies(model: keras.Model, source: int, target: int) -> None:
    """Raises `ValueError` for a model that reads or gives other numbers of tokens."""
    if isinstance(model, Network):  # how many it reads is a constant of its graph
        if model.output_shape[-1] != target:
            raise ValueError(f"its vocabulary has {target} numbers, its model gives {model.output_shape[-1]}")
        return
    from seq2seq_kit.models.ensemble import members_of

    for member in members_of(model):
        names = [layer.name for layer in member.layers]
        first = "source_embedding" if "source_embedding" in names else "source_one_hot"
        layer = member.get_layer(first)
        read = layer.input_dim if first == "source_embedding" else layer.depth + 1
        if (read, member.output_shape[-1]) != (source, target):
            raise ValueError(
                f"its vocabularies have {source} and {target} numbers, its model takes {read} and gives {member.output_shape[-1]}"
            )
