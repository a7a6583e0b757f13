"""A trained tagger: tokens or rows in, a label with its probability for each out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.base import Arrays, Bundle, Json
from seq2seq_kit.bundles.golden import golden_sequences
from seq2seq_kit.data.sequences.labels import number_labels, read_labels, restore_labels
from seq2seq_kit.data.sequences.ragged import NO_LABEL, Ragged, by_length
from seq2seq_kit.data.sequences.texts import all_test
from seq2seq_kit.data.sequences.vocabulary import Vocabulary
from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.tables.names import answer_frame
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.sources import read_source
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.evaluation.labels import count_labels
from seq2seq_kit.evaluation.stored import baseline_named
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.tasks.tag.data import Tagged, require_labels
from seq2seq_kit.tasks.tag.evaluation import (
    TagBaseline,
    TagEvaluation,
    dump_tag_baselines,
    restore_tag_baselines,
)
from seq2seq_kit.tasks.tag.recipe import TagTokensRecipe, TagValuesRecipe
from seq2seq_kit.tasks.tag.tokens import SEQUENCE, TokenVocabularies, read_sequences, read_table_of_tokens, read_tokens
from seq2seq_kit.tasks.tag.values import prepare_new_values

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.exports.program import Program

Texts = Sequence[str] | Sequence[Sequence[str]] | str

_CHUNK = 256
_TABLES = (".csv", ".csv.gz", ".csv.zip", ".parquet", ".pq")  # whatever form the training file had


@dataclass(frozen=True)
class TagBundle(Bundle):
    """A trained tagger; the two classes below hold what differs between tokens and rows of values.

    Attributes:
        model: The Keras model, from numbers or scaled values to logits.
        labels: Names of the labels.
        baselines: Its fitted baselines, for `evaluate`.
    """

    what: ClassVar[str] = "a tagger"
    batch_size: ClassVar[int | None] = _CHUNK
    takes_texts: ClassVar[bool] = True

    recipe: TagTokensRecipe | TagValuesRecipe
    model: keras.Model
    labels: list[str]
    baselines: list[TagBaseline]
    info: Json

    def predict(
        self, rows: pd.DataFrame | Texts, *, baseline: str | None = None, origin: str = "the data"
    ) -> pd.DataFrame:
        """Labels rows.

        Args:
            rows: A frame with the recipe's columns, labels not needed; for a tagger of tokens also sequences of tokens, or texts
                whose tokens stand between white space.
            baseline: Name of a baseline that labels instead of the model, without probabilities: `most frequent label`.
            origin: Name of the file for messages.

        Returns:
            A row for each token or row, in the order of the input: the series and time or the sequence and token, the label, and
            its `probability`.

        Raises:
            ArgumentError: There is no such baseline.
            DataError: The rows do not fit; the message names column, row or sequence.
        """
        peer = None if baseline is None else baseline_named(self.baselines, baseline)
        frame = rows if isinstance(rows, pd.DataFrame) else self.frame_of(rows)
        tagged = self.tagged(frame, origin, labelled=False)
        everything = np.arange(len(tagged.truth))
        at = tagged.rows.rows_of(everything)
        # Rows are labelled in the order of the table, even if it was sorted or its series are mixed; rows that were added (-1)
        # are none of the table.
        order = np.argsort(at, kind="stable")[int((at < 0).sum()) :]
        names, labels = np.array(self.labels, dtype=object), self.recipe.data.labels
        if peer is not None:
            found = answer_frame(self.names_of(frame, at[order]), {labels: names[peer.give(tagged, everything)[order]]})
        else:
            probabilities = self._probabilities(tagged, everything)[order]
            given = {labels: names[probabilities.argmax(axis=1)]}
            found = answer_frame(self.names_of(frame, at[order]), given, {"probability": probabilities.max(axis=1)})
        found.attrs["notes"] = [*tagged.notes, *found.attrs.pop("renamed")]
        return found

    def evaluate(self, frame: pd.DataFrame, *, origin: str = "the data") -> TagEvaluation:
        """The result table on other labelled rows."""
        tagged = self.tagged(frame, origin, labelled=True)
        require_labels(tagged, ["test"], origin)
        return self.evaluate_part(tagged, "test")

    def evaluate_part(self, tagged: Tagged, part: str) -> TagEvaluation:
        """The model and its baselines on a part of prepared sequences."""
        numbers = tagged.parts[part]
        truth = tagged.truth.rows_of(numbers)
        probabilities, known = self._probabilities(tagged, numbers), truth != NO_LABEL
        given = {MODEL: probabilities.argmax(axis=1)} | {
            peer.name: peer.give(tagged, numbers) for peer in self.baselines
        }
        counts = {name: count_labels(truth, labels, len(self.labels)) for name, labels in given.items()}
        right = np.take_along_axis(probabilities, np.maximum(truth, 0)[:, None], axis=1)[:, 0]
        loss = float(-np.log(np.maximum(right[known], np.finfo(np.float64).tiny)).mean())
        about = {peer.name: peer.about for peer in self.baselines}
        return TagEvaluation(part, counts, self.labels, about, {MODEL: loss})

    def recoded(self, tagged: Tagged) -> Tagged:
        """Sequences that were prepared for a training, in the numbers of this bundle: their source may have changed since."""
        names = np.array([*tagged.labels, None], dtype=object)
        truth = number_labels(names[tagged.truth.values], self.labels, "the data")
        return replace(tagged, truth=replace(tagged.truth, values=truth), labels=self.labels)

    @abstractmethod
    def frame_of(self, rows: Texts) -> pd.DataFrame:
        """Texts as a frame that the recipe reads."""

    @abstractmethod
    def tagged(self, frame: pd.DataFrame, origin: str, *, labelled: bool) -> Tagged:
        """Rows that the model has not seen, prepared, all in the test part; `labelled`: with their labels."""

    @abstractmethod
    def names_of(self, frame: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
        """The columns that tell which step a label belongs to, for some rows of the frame."""

    def programs(self, frame: pd.DataFrame | None) -> list[Program]:
        from seq2seq_kit.tasks.tag.exported import tag_programs

        return tag_programs(self, None if frame is None else self.tagged(frame, "the data", labelled=False))

    def facts(self) -> Json:
        from seq2seq_kit.tasks.tag.exported import tag_facts

        return tag_facts(self)

    def state(self) -> tuple[Json, Arrays]:
        return {"labels": self.labels, "baselines": dump_tag_baselines(self.baselines)}, {}

    def _probabilities(self, tagged: Tagged, numbers: np.ndarray) -> np.ndarray:
        """Probability of each label for all steps of some sequences, one after the other, `(steps, labels)`."""
        lengths = tagged.truth.lengths[numbers]
        probabilities = np.empty((int(lengths.sum()), len(self.labels)))
        firsts = np.cumsum(lengths) - lengths
        for chunk in by_length(lengths, _CHUNK):
            logits = self.forward(tagged.padded(numbers[chunk])).astype(np.float64)
            shares = np.exp(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))
            for own, place in zip(shares, chunk, strict=True):
                probabilities[firsts[place] : firsts[place] + lengths[place]] = own[: lengths[place]]
        return probabilities


@dataclass(frozen=True)
class TagTokensBundle(TagBundle):
    """A trained tagger of tokens.

    Attributes:
        vocabularies: How tokens become numbers.
    """

    recipe: TagTokensRecipe
    vocabularies: TokenVocabularies

    def frame_of(self, rows: Texts) -> pd.DataFrame:
        data = self.recipe.data
        texts = [rows] if isinstance(rows, str) else list(rows)
        sequences = [text.split() if isinstance(text, str) else list(text) for text in texts]
        for number, sequence in enumerate(sequences, start=1):
            if not sequence:
                raise ArgumentError(
                    f"sequence {number} has no tokens; expected at least one. Drop it", code="empty_sequence"
                )
        series = SEQUENCE if data.lines or not data.series else data.series
        numbers = np.repeat(np.arange(1, len(sequences) + 1), [len(sequence) for sequence in sequences])
        return pd.DataFrame({series: numbers, data.tokens: [token for sequence in sequences for token in sequence]})

    def tagged(self, frame: pd.DataFrame, origin: str, *, labelled: bool) -> Tagged:
        data = self.recipe.data
        tokens, starts, lengths = read_sequences(data, frame, origin)
        texts = read_labels(frame, data.labels, data.join_labels, origin) if labelled else np.full(len(tokens), None)
        truth = Ragged(number_labels(texts, self.labels, origin), starts, lengths)
        rows = Ragged(np.arange(len(tokens)), starts, lengths)
        inputs = self.vocabularies.inputs(tokens, starts, lengths)
        return Tagged(inputs, truth, all_test(len(starts)), self.labels, rows, np.array(tokens, dtype=object))

    def recoded(self, tagged: Tagged) -> Tagged:
        found = super().recoded(tagged)
        assert found.tokens is not None
        return replace(
            found, inputs=self.vocabularies.inputs(found.tokens.tolist(), found.truth.starts, found.truth.lengths)
        )

    def names_of(self, frame: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
        data = self.recipe.data
        names = [SEQUENCE if data.lines else data.series, data.tokens]
        return frame.iloc[rows][[name for name in names if name]].reset_index(drop=True)

    def read(self, path: str) -> pd.DataFrame:
        """A file in the form that the recipe gives it: a table, or lines with blank ones between sequences."""
        table = path.lower().endswith(_TABLES)
        return read_table_of_tokens(self.recipe.data, path) if table else read_tokens(self.recipe.data, path)

    def ignored_columns(self, frame: pd.DataFrame) -> list[str]:
        data = self.recipe.data
        return [str(name) for name in frame.columns if name not in {data.series, data.labels, SEQUENCE, data.tokens}]

    def state(self) -> tuple[Json, Arrays]:
        letters = self.vocabularies.characters
        tokens = {"tokens": self.vocabularies.tokens.tokens, "characters": letters.tokens if letters else None}
        return super().state()[0] | tokens, {}

    @classmethod
    def restore(cls, recipe: Recipe, model: keras.Model, state: Json, arrays: Arrays, info: Json) -> Self:
        assert isinstance(recipe, TagTokensRecipe)
        labels, letters = restore_labels(state["labels"], model.output_shape[-1]), state["characters"]
        characters = None if letters is None else Vocabulary.restore("char", letters)
        vocabularies = TokenVocabularies(Vocabulary.restore("token", state["tokens"]), characters)
        return cls(recipe, model, labels, restore_tag_baselines(state["baselines"], len(labels)), info, vocabularies)

    def golden(self) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        shapes = [(3, 8, *tensor.shape[2:]) for tensor in self.model.inputs]
        sizes = [
            self.vocabularies.tokens.size,
            self.vocabularies.characters.size if self.vocabularies.characters else 0,
        ]
        return [rng.integers(1, size, size=shape).astype(np.int32) for size, shape in zip(sizes, shapes, strict=False)]


@dataclass(frozen=True)
class TagValuesBundle(TagBundle):
    """A trained tagger of rows of values.

    Attributes:
        scaler: Fitted on the training rows.
    """

    recipe: TagValuesRecipe
    scaler: Scaler

    def frame_of(self, rows: Texts) -> pd.DataFrame:
        raise ArgumentError(
            f"this tagger reads values: give a frame with {', '.join(self.recipe.data.inputs)}. Received: {type(rows).__name__}",
            code="not_supported",
        )

    def tagged(self, frame: pd.DataFrame, origin: str, *, labelled: bool) -> Tagged:
        data = self.recipe.data
        return prepare_new_values(data, frame, self.scaler, self.labels, labelled=labelled, origin=origin)[0]

    def names_of(self, frame: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
        data = self.recipe.data
        found = frame.iloc[rows][[name for name in (data.series, *data.time_columns) if name]].reset_index(drop=True)
        return found if data.time else answer_frame(found, {"row": rows + 1})

    def read(self, path: str) -> pd.DataFrame:
        """A file of rows; labels and names of series stay as they are written there."""
        return read_source(path, texts=self.as_written, section=self.recipe.data)

    @property
    def as_written(self) -> list[str]:
        return [*super().as_written, self.recipe.data.labels]

    def ignored_columns(self, frame: pd.DataFrame) -> list[str]:
        data = self.recipe.data
        used = {data.series, data.labels, SEQUENCE, *data.time_columns, *Columns.of(data).table}
        return [str(name) for name in frame.columns if name not in used]

    def state(self) -> tuple[Json, Arrays]:
        return super().state()[0] | {"scaler": self.scaler.to_json()}, {}

    @classmethod
    def restore(cls, recipe: Recipe, model: keras.Model, state: Json, arrays: Arrays, info: Json) -> Self:
        assert isinstance(recipe, TagValuesRecipe)
        labels, baselines = (
            restore_labels(state["labels"], model.output_shape[-1]),
            restore_tag_baselines(state["baselines"], model.output_shape[-1], columns=len(recipe.data.inputs)),
        )
        return cls(recipe, model, labels, baselines, info, Scaler.from_json(state["scaler"], recipe.data.inputs))

    def golden(self) -> list[np.ndarray]:
        return golden_sequences(int(self.model.inputs[0].shape[-1]))
