"""Sequences with a label for each step, padded into batches: the common form of tagged tokens and tagged values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.data.sequences.ragged import NO_LABEL, Field, Ragged, make_padded_batches
from seq2seq_kit.data.tables.splits import PARTS
from seq2seq_kit.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class Tagged:
    """Sequences ready for a model.

    Attributes:
        inputs: The model's inputs.
        truth: Number of each step's label, -1 where there is none.
        parts: Numbers of the sequences by part.
        labels: Names of the labels, the most frequent of the training steps first.
        rows: Row of the frame, counted from 0, that each step comes from.
        tokens: The token of each row of `truth.values`; None where the steps are values.
        notes: What was done to the data.
    """

    inputs: list[Field]
    truth: Ragged
    parts: dict[str, np.ndarray]
    labels: list[str]
    rows: Ragged
    tokens: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)

    def count(self, part: str) -> int:
        """Sequences of a part."""
        return len(self.parts[part])

    @cached_property
    def target(self) -> Field:
        """What the model learns."""
        return Field(self.truth, NO_LABEL)

    def batches(self, part: str, batch_size: int, *, shuffle_seed: int | None = None) -> tf.data.Dataset:
        """See `make_padded_batches`."""
        numbers = self.parts[part]
        return make_padded_batches(self.inputs, self.target, numbers, batch_size=batch_size, shuffle_seed=shuffle_seed)

    def arrays(self, part: str, numbers: np.ndarray) -> list[np.ndarray]:
        """The model's inputs for some sequences of a part."""
        return [each.padded(self.parts[part][numbers]) for each in self.inputs]

    def with_values(self, matrix: np.ndarray) -> Tagged:
        """The same sequences over other values: the first columns of a matrix with the same rows."""
        first, *others = self.inputs
        columns = first.sequences.values.shape[1]
        values = replace(first.sequences, values=matrix[:, :columns])
        return replace(self, inputs=[replace(first, sequences=values), *others])

    def tokens_of(self, numbers: np.ndarray) -> np.ndarray:
        """The tokens of some sequences, one after the other."""
        assert self.tokens is not None
        return steps_of(Ragged(self.tokens, self.truth.starts, self.truth.lengths), numbers)

    def truth_of(self, part: str) -> np.ndarray:
        """Numbers of the labels of all labelled steps of a part, sequence by sequence."""
        truth = steps_of(self.truth, self.parts[part])
        return truth[truth != NO_LABEL]


def steps_of(sequences: Ragged, numbers: np.ndarray) -> np.ndarray:
    """The rows of some sequences, one sequence after the other."""
    chosen = sequences.take(numbers)
    if not len(chosen):
        return sequences.values[:0]
    within = np.arange(chosen.lengths.sum()) - np.repeat(np.cumsum(chosen.lengths) - chosen.lengths, chosen.lengths)
    return sequences.values[np.repeat(chosen.starts, chosen.lengths) + within]


def read_labels(frame: pd.DataFrame, column: str, join: Mapping[str, str], origin: str) -> np.ndarray:
    """Label of each row as text, None where there is none; `join` names labels that count as another one.

    Whole numbers are the same label whether or not missing cells beside them made the column one of floats.

    Raises:
        DataError: There is no such column.
    """
    if column not in frame.columns:
        raise DataError(
            f"{origin} lacks the column {column} of the labels. It has {', '.join(map(str, frame.columns))}; rename the "
            "column in the file, or name the right one in data.labels",
            code="missing_column",
        )
    cells = frame[column]
    if pd.api.types.is_float_dtype(cells) and (cells.dropna() % 1 == 0).all():
        cells = cells.astype("Int64")
    texts = cells.astype(str).replace(dict(join)).to_numpy(dtype=object)
    texts[cells.isna().to_numpy() | (texts == "")] = None
    return texts


def refuse_absent_joins(frames: Sequence[pd.DataFrame], column: str, join: Mapping[str, str]) -> None:
    """Raises `DataError` for a label of `join_labels` that no row has: it is misspelt, or does nothing."""
    found = {str(label) for frame in frames if column in frame for label in frame[column].dropna().unique()}
    absent = [label for label in join if label not in found]
    if absent:
        near = get_close_matches(absent[0], found, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; the labels are {', '.join(sorted(found)[:20])}"
        raise DataError(f"data.join_labels: no row has the label {absent[0]!r}{hint}", code="unknown_label")


def learn_labels(texts: Sequence[str | None]) -> list[str]:
    """The labels of the training steps, the most frequent first.

    Raises:
        DataError: There are fewer than two.
    """
    counts = Counter(text for text in texts if text is not None)
    if len(counts) < 2:
        raise DataError(
            f"the training rows have {len(counts)} label; expected at least two to tell apart. Received: "
            f"{', '.join(counts) or 'none'}. Check data.labels and data.split",
            code="too_few_labels",
        )
    return [text for text, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def number_labels(texts: Sequence[str | None] | np.ndarray, labels: Sequence[str], origin: str) -> np.ndarray:
    """Number of each label, -1 where there is none.

    Raises:
        DataError: A label that the training rows do not have, which no model could give.
    """
    known: dict[str | None, int] = {label: number for number, label in enumerate(labels)}
    known[None] = NO_LABEL
    for row, text in enumerate(texts):
        if text not in known:
            raise DataError(
                f"{origin}, row {row + 1}: the label {text!r} is in no training row, so no model can give it; the training "
                f"rows have {', '.join(labels[:20])}. Correct the label, join it with another one by data.join_labels, leave its "
                "cell empty, or choose another data.split",
                code="unknown_label",
            )
    return np.array([known[text] for text in texts], dtype=np.int32)


def require_parts(parts: dict[str, np.ndarray], origin: str) -> None:
    """Raises `DataError` where a part has no sequence."""
    total = sum(len(numbers) for numbers in parts.values())
    for part in PARTS:
        if not len(parts[part]):
            raise DataError(
                f"{origin}: none of its {total} sequences falls into the {part} part. Give more sequences, or larger shares in "
                "data.split",
                code="empty_part",
            )


def require_labels(tagged: Tagged, parts: Sequence[str], origin: str) -> None:
    """Raises `DataError` where no step of a part has a label, so that nothing could be measured on it."""
    for part in parts:
        if not len(tagged.truth_of(part)):
            steps = int(tagged.truth.lengths[tagged.parts[part]].sum())
            raise DataError(
                f"{origin}: none of the {steps} steps of the {part} part has a label. Fill in labels there, or choose another "
                "data.split",
                code="no_labels",
            )
