"""Sequences with a label for each step, padded into batches: the common form of tagged tokens and tagged values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.data.sequences.ragged import NO_LABEL, Field, Ragged, make_padded_batches
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

    def batches(
        self, part: str, batch_size: int, *, shuffle_seed: int | None = None, first_epoch: int = 0
    ) -> tf.data.Dataset:
        """See `make_padded_batches`."""
        return make_padded_batches(
            self.inputs,
            self.target,
            self.parts[part],
            batch_size=batch_size,
            shuffle_seed=shuffle_seed,
            first_epoch=first_epoch,
        )

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
