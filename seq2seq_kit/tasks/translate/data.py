"""Pairs of texts, from a frame to padded batches: checked, split by a hash of the source, turned into numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from seq2seq_kit.data.sequences.labels import require_parts
from seq2seq_kit.data.sequences.ragged import NO_LABEL, Field, Ragged, SequenceExamples
from seq2seq_kit.data.sequences.texts import read_texts, refuse_long, split_by_hash
from seq2seq_kit.data.sequences.vocabulary import PADDING, UNKNOWN, Vocabulary
from seq2seq_kit.data.tables.sources import read_source
from seq2seq_kit.data.tables.splits import joined_parts
from seq2seq_kit.errors import DataError
from seq2seq_kit.tasks.translate.recipe import TranslateData

# A reference token that the training rows never had is no token that a model could give, nor equal to "unknown".
FOREIGN = -2


@dataclass(frozen=True)
class Texts(SequenceExamples):
    """Pairs ready for a model.

    Attributes:
        data: The recipe's section.
        sources, targets: The texts.
        parts: Row numbers by part.
        source_vocabulary, target_vocabulary: Learned on the training rows.
        output_steps: Most tokens of an output, the end included.
        feedback: Whether the decoder reads the target before each step, as a second input.
        notes: What was done to the data.
    """

    data: TranslateData
    sources: list[str]
    targets: list[str]
    parts: dict[str, np.ndarray]
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    output_steps: int
    feedback: bool
    notes: list[str] = field(default_factory=list)

    @cached_property
    def encoded(self) -> Ragged:
        """Numbers of the sources, in the order that the encoder reads them."""
        return encode_sources(self.sources, self.source_vocabulary, reverse=self.data.reverse_source)

    @cached_property
    def answers(self) -> Ragged:
        """Numbers of the targets and an end, as far as `output_steps` reaches."""
        vocabulary = self.target_vocabulary
        ended = [[*vocabulary.numbers(vocabulary.split(text)), PADDING] for text in self.targets]
        return Ragged.of([numbers[: self.output_steps] for numbers in ended])

    @cached_property
    def inputs(self) -> list[Field]:
        """The model's inputs."""
        read = [Field(self.encoded, PADDING)]
        return [*read, Field(self.answers, PADDING, lag=1)] if self.feedback else read

    @cached_property
    def target(self) -> Field:
        """What the model learns; with a repeating bridge the output always has its full length."""
        return Field(self.answers, NO_LABEL, steps=None if self.feedback else self.output_steps)

    def joined(self) -> Texts:
        """The same with the val pairs in train, too; the vocabularies are learned anew, so a model for it may be larger."""
        parts = joined_parts(self.parts)
        own, other, steps = _learn(self.data, self.sources, self.targets, parts["train"])
        return replace(self, parts=parts, source_vocabulary=own, target_vocabulary=other, output_steps=steps)

    def references(self, part: str) -> dict[str, list[list[int]]]:
        """Every reference answer to each source of a part, as numbers; `FOREIGN` for tokens that no training target had."""
        found: dict[str, list[list[int]]] = {}
        vocabulary = self.target_vocabulary
        for row in self.parts[part]:
            numbers = vocabulary.numbers(vocabulary.split(self.targets[row]))
            found.setdefault(self.sources[row], []).append([FOREIGN if n == UNKNOWN else n for n in numbers])
        return found


def encode_sources(texts: Sequence[str], vocabulary: Vocabulary, *, reverse: bool) -> Ragged:
    """Numbers of source texts in the order that the encoder reads them."""
    numbers = [vocabulary.numbers(vocabulary.split(text)) for text in texts]
    return Ragged.of([each[::-1] for each in numbers] if reverse else numbers)


def prepare_texts(data: TranslateData, frame: pd.DataFrame, *, feedback: bool, origin: str = "the data") -> Texts:
    """Checks and splits a frame of pairs; vocabularies are learned on the training pairs.

    Raises:
        DataError: A column is missing, a text is missing or empty, longer than the recipe allows, or a part is empty.
    """
    sources, targets = read_pairs(frame, data, origin)
    parts = split_by_hash(sources, data.split)
    require_parts(parts, origin, unit="pairs")
    own, other, steps = _learn(data, sources, targets, parts["train"])
    refuse_long(sources, own, data.input_steps, data.source_column, "data.input_steps", origin)
    refuse_long(targets, other, data.output_steps, data.target_column, "data.output_steps", origin)
    notes = []
    twice = len(sources) - len(set(sources))
    if twice:
        notes.append(
            f"{twice} rows repeat a source; all answers to one source are in the same part, and any of them counts as correct"
        )
    return Texts(data, sources, targets, parts, own, other, steps, feedback, notes)


def _learn(
    data: TranslateData, sources: Sequence[str], targets: Sequence[str], train: np.ndarray
) -> tuple[Vocabulary, Vocabulary, int]:
    """The vocabularies of both sides, and the most tokens of an output."""
    levels = data.level, data.target_level or data.level
    own = Vocabulary.fit((sources[row] for row in train), level=levels[0], min_count=data.min_count)
    other = Vocabulary.fit((targets[row] for row in train), level=levels[1], min_count=data.min_count)
    longest = max(len(other.split(targets[row])) for row in train)
    return own, other, data.output_steps or longest + 1


def read_table_of_texts(data: TranslateData, path: str) -> pd.DataFrame:
    """A file of texts, which stay as they are written there."""
    return read_source(path, texts=(data.source_column, data.target_column), form=data.format)


def read_pairs(frame: pd.DataFrame, data: TranslateData, origin: str) -> tuple[list[str], list[str]]:
    """Sources and targets.

    Raises:
        DataError: See `read_texts`; one column ends before the other.
    """
    columns = data.source_column, data.target_column
    if set(columns) <= set(frame.columns):
        counts = [_filled_rows(frame[column]) for column in columns]
        if counts[0] != counts[1]:
            raise DataError(
                f"{origin}: {counts[0]} source texts in {columns[0]} and {counts[1]} target texts in {columns[1]}; expected a "
                f"target beside each source. Row {min(counts) + 1} is the first with one of them only: fill it in or drop the "
                "rows from there on",
                code="unpaired_texts",
            )
    sources, targets = (read_texts(frame, column, origin) for column in columns)
    return sources, targets


def _filled_rows(cells: pd.Series) -> int:
    """Rows up to the last one that is not empty."""
    filled = np.flatnonzero((cells.notna() & (cells.astype(str) != "")).to_numpy())
    return int(filled[-1]) + 1 if filled.size else 0
