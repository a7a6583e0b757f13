"""A trained tagger: tokens or rows in, a label with its probability for each out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.base import Arrays, Bundle, Words
from seq2seq_kit.data.sequences.ragged import NO_LABEL, Ragged
from seq2seq_kit.data.sequences.vocabulary import Vocabulary
from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.sources import read_source
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.tasks.tag.data import Tagged, number_labels, read_labels, require_labels, steps_of
from seq2seq_kit.tasks.tag.evaluation import (
    TagBaseline,
    TagEvaluation,
    count_labels,
    dump_tag_baselines,
    restore_tag_baselines,
)
from seq2seq_kit.tasks.tag.recipe import TagTokensData, TagTokensRecipe, TagValuesRecipe
from seq2seq_kit.tasks.tag.tokens import SEQUENCE, TokenCoding, read_sequences, read_table_of_tokens, read_tokens
from seq2seq_kit.tasks.tag.values import prepare_new_values

if TYPE_CHECKING:
    import keras

_CHUNK = 256
_TABLES = (".csv", ".csv.gz", ".csv.zip", ".parquet", ".pq")  # whatever form the training file had


@dataclass(frozen=True)
class TagBundle(Bundle):
    """A trained tagger.

    Attributes:
        recipe: What it was trained by, resolved.
        model: The Keras model, from numbers or scaled values to logits.
        labels: Names of the labels.
        coding: How tokens become numbers; None where the model reads values.
        scaler: Fitted on the training rows; None where the model reads tokens.
        baselines: Its fitted peers, for `evaluate`.
        info: Where it comes from: versions, run, digest of the data.
    """

    what: ClassVar[str] = "a tagger"
    batch_size: ClassVar[int | None] = _CHUNK
    takes_texts: ClassVar[bool] = True

    recipe: TagTokensRecipe | TagValuesRecipe
    model: keras.Model
    labels: list[str]
    coding: TokenCoding | None
    scaler: Scaler | None
    baselines: list[TagBaseline]
    info: dict[str, Any] = field(default_factory=dict)

    def predict(
        self,
        rows: pd.DataFrame | Sequence[str] | Sequence[Sequence[str]] | str,
        *,
        origin: str = "the data",
    ) -> pd.DataFrame:
        """Labels rows.

        Args:
            rows: A frame with the recipe's columns, labels not needed; for a tagger of tokens also sequences of tokens, or texts
                whose tokens stand between white space.
            origin: Name of the file for messages.

        Returns:
            A row for each token or row, in the order of the input: the series and time or the sequence and token, the label, and
            its `probability`.

        Raises:
            DataError: The rows do not fit; the message names column, row or sequence.
        """
        frame = rows if isinstance(rows, pd.DataFrame) else self._frame_of(rows)
        tagged = self._tagged(frame, origin, labelled=False)
        everything = np.arange(len(tagged.truth))
        at = steps_of(tagged.rows, everything)
        order = np.argsort(at)  # a table that was sorted or whose series are mixed is answered as it came
        at, chances = at[order], self._chances(tagged, everything)[order]
        data = self.recipe.data
        names = [SEQUENCE] if isinstance(data, TagTokensData) and data.lines else [data.series] if data.series else []
        names += [data.tokens] if isinstance(data, TagTokensData) else [data.time] if data.time else []
        found = frame.iloc[at][names].reset_index(drop=True)
        if not isinstance(data, TagTokensData) and not data.time:
            found["row"] = at + 1
        found[data.labels] = np.array(self.labels, dtype=object)[chances.argmax(axis=1)]
        found["probability"] = chances.max(axis=1)
        found.attrs["notes"] = list(tagged.notes)
        return found

    def evaluate(self, frame: pd.DataFrame, *, origin: str = "the data") -> TagEvaluation:
        """The result table on other labelled rows."""
        tagged = self._tagged(frame, origin, labelled=True)
        require_labels(tagged, ["test"], origin)
        return self.evaluate_part(tagged, "test")

    def evaluate_part(self, tagged: Tagged, part: str) -> TagEvaluation:
        """The model and its baselines on a part of prepared sequences."""
        numbers = tagged.parts[part]
        truth = steps_of(tagged.truth, numbers)
        chances, known = self._chances(tagged, numbers), truth != NO_LABEL
        given = {MODEL: chances.argmax(axis=1)} | {peer.name: peer.give(tagged, numbers) for peer in self.baselines}
        counts = {name: count_labels(truth, labels, len(self.labels)) for name, labels in given.items()}
        right = np.take_along_axis(chances, np.maximum(truth, 0)[:, None], axis=1)[:, 0]
        loss = float(-np.log(np.maximum(right[known], np.finfo(np.float64).tiny)).mean())
        return TagEvaluation(
            part, counts, self.labels, {peer.name: peer.about for peer in self.baselines}, {MODEL: loss}
        )

    def recoded(self, tagged: Tagged) -> Tagged:
        """Sequences that were prepared for a training, in the numbers of this bundle: their source may have changed since."""
        names = np.array([*tagged.labels, None], dtype=object)
        truth = number_labels(names[tagged.truth.values], self.labels, "the data")
        starts, lengths = tagged.truth.starts, tagged.truth.lengths
        inputs = tagged.inputs
        if self.coding is not None and tagged.tokens is not None:
            inputs = self.coding.inputs(tagged.tokens.tolist(), starts, lengths)
        return replace(tagged, inputs=inputs, truth=Ragged(truth, starts, lengths), labels=self.labels)

    def read(self, path: str) -> pd.DataFrame:
        """A file in the form that the recipe gives it: a table, or lines with blank ones between sequences."""
        data = self.recipe.data
        if not isinstance(data, TagTokensData):
            return read_source(path, texts=[data.labels])
        return read_table_of_tokens(data, path) if path.lower().endswith(_TABLES) else read_tokens(data, path)

    def ignored_columns(self, frame: pd.DataFrame) -> list[str]:
        """Columns of a frame that the model does not use."""
        data = self.recipe.data
        used = {data.series, data.labels, SEQUENCE}
        used |= {data.tokens} if isinstance(data, TagTokensData) else {data.time, *Columns.of(data).table}
        return [str(name) for name in frame.columns if name not in used]

    def state(self) -> tuple[Words, Arrays]:
        """What stands beside the model on disk."""
        words: dict[str, Any] = {"labels": self.labels, "baselines": dump_tag_baselines(self.baselines)}
        if self.coding is not None:
            words["tokens"] = self.coding.tokens.tokens
            words["characters"] = self.coding.characters.tokens if self.coding.characters else None
        if self.scaler is not None:
            words["scaler"] = self.scaler.to_json()
        return words, {}

    @classmethod
    def restore(
        cls, recipe: Any, model: keras.Model, state: Mapping[str, Any], arrays: Arrays, info: Words
    ) -> TagBundle:
        """The reverse of `state`."""
        coding = scaler = None
        labels = [str(label) for label in state["labels"]]
        if len(set(labels)) != model.output_shape[-1]:
            raise ValueError(f"it has {len(set(labels))} labels, its model gives {model.output_shape[-1]}")
        if isinstance(recipe, TagTokensRecipe):
            letters = state["characters"]
            coding = TokenCoding(
                Vocabulary.restore("token", state["tokens"]),
                None if letters is None else Vocabulary.restore("char", letters),
            )
        else:
            scaler = Scaler.from_json(state["scaler"])
        return cls(
            recipe, model, list(state["labels"]), coding, scaler, restore_tag_baselines(state["baselines"]), info
        )

    def golden(self) -> list[np.ndarray]:
        """Inputs of the model whose output is stored beside it."""
        rng = np.random.default_rng(0)
        shapes = [(3, 8, *tensor.shape[2:]) for tensor in self.model.inputs]
        if self.coding is None:
            return [rng.standard_normal(shapes[0]).astype(np.float32), np.ones(shapes[1], dtype=np.float32)]
        sizes = [self.coding.tokens.size, self.coding.characters.size if self.coding.characters else 0]
        return [rng.integers(1, size, size=shape).astype(np.int32) for size, shape in zip(sizes, shapes, strict=False)]

    def _frame_of(self, rows: Sequence[str] | Sequence[Sequence[str]] | str) -> pd.DataFrame:
        data = self.recipe.data
        if not isinstance(data, TagTokensData):
            raise ArgumentError(
                f"this tagger reads values: give a frame with {', '.join(data.inputs)}. Received: {type(rows).__name__}"
            )
        texts = [rows] if isinstance(rows, str) else list(rows)
        sequences = [text.split() if isinstance(text, str) else list(text) for text in texts]
        for number, sequence in enumerate(sequences, start=1):
            if not sequence:
                raise ArgumentError(f"sequence {number} has no tokens; expected at least one. Drop it")
        counts = [len(sequence) for sequence in sequences]
        return pd.DataFrame(
            {
                SEQUENCE if data.lines or not data.series else data.series: np.repeat(
                    np.arange(1, len(counts) + 1), counts
                ),
                data.tokens: [token for sequence in sequences for token in sequence],
            }
        )

    def _tagged(self, frame: pd.DataFrame, origin: str, *, labelled: bool) -> Tagged:
        data = self.recipe.data
        if not isinstance(data, TagTokensData):
            assert self.scaler is not None
            return prepare_new_values(data, frame, self.scaler, self.labels, labelled=labelled, origin=origin)[0]
        assert self.coding is not None
        words, starts, lengths = read_sequences(data, frame, origin)
        texts = read_labels(frame, data.labels, data.join_labels, origin) if labelled else np.full(len(words), None)
        truth = Ragged(number_labels(texts, self.labels, origin), starts, lengths)
        parts = {"train": np.arange(0), "val": np.arange(0), "test": np.arange(len(starts))}
        rows = Ragged(np.arange(len(words)), starts, lengths)
        inputs = self.coding.inputs(words, starts, lengths)
        return Tagged(inputs, truth, parts, self.labels, rows, np.array(words, dtype=object))

    def _chances(self, tagged: Tagged, numbers: np.ndarray) -> np.ndarray:
        """Probability of each label for all steps of some sequences, one after the other, `(steps, labels)`."""
        lengths = tagged.truth.lengths[numbers]
        chances = np.empty((int(lengths.sum()), len(self.labels)))
        firsts = np.cumsum(lengths) - lengths
        order = np.argsort(lengths, kind="stable")  # sequences of like length share a batch
        for begin in range(0, len(order), _CHUNK):
            chunk = order[begin : begin + _CHUNK]
            logits = self.forward([each.padded(numbers[chunk]) for each in tagged.inputs]).astype(np.float64)
            shares = np.exp(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))
            for own, place in zip(shares, chunk, strict=True):
                chances[firsts[place] : firsts[place] + lengths[place]] = own[: lengths[place]]
        return chances
