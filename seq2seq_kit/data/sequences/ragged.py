"""Sequences of different lengths in one array, and batches of them: padded on the right, neighbours in length together.

As with windows nothing is cut out beforehand: a sequence is a first row and a length, and a batch is gathered when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import DTypeLike

from seq2seq_kit.data.tables.splits import all_parts
from seq2seq_kit.data.windows.batches import untuned

if TYPE_CHECKING:
    import tensorflow as tf

    from seq2seq_kit.data.windows.batches import Batch

# The target where there is nothing to predict: labels are never negative, and integers have no NaN.
NO_LABEL = -1


@dataclass(frozen=True)
class Ragged:
    """Sequences as ranges of rows of one array.

    Attributes:
        values: The rows of all sequences, shape `(rows, ...)`.
        starts: First row of each sequence, shape `(sequences,)`.
        lengths: Rows of each sequence, shape `(sequences,)`.
    """

    values: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int] | np.ndarray], *, dtype: DTypeLike = np.int32) -> Ragged:
        """From one array or list for each sequence."""
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        parts = [np.asarray(sequence, dtype=dtype) for sequence in sequences if len(sequence)]
        values = np.concatenate(parts) if parts else np.zeros(0, dtype=dtype)
        return cls(values, np.cumsum(lengths) - lengths, lengths)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, number: int) -> np.ndarray:
        return self.values[self.starts[number] : self.starts[number] + self.lengths[number]]

    def take(self, numbers: np.ndarray) -> Ragged:
        """Some of the sequences, over the same rows."""
        return Ragged(self.values, self.starts[numbers], self.lengths[numbers])

    def rows_of(self, numbers: np.ndarray) -> np.ndarray:
        """The rows of some sequences, one sequence after the other."""
        chosen = self.take(numbers)
        firsts = np.cumsum(chosen.lengths) - chosen.lengths
        return self.values[np.repeat(chosen.starts - firsts, chosen.lengths) + np.arange(chosen.lengths.sum())]


@dataclass(frozen=True)
class Field:
    """One array of a batch.

    Attributes:
        sequences: What is put into it.
        fill: Value after the end of a sequence.
        steps: Length of every row; None: that of the longest sequence of the batch.
        lag: Steps by which the sequence is shifted to the right; `fill` comes before it.
    """

    sequences: Ragged
    fill: float
    steps: int | None = None
    lag: int = 0

    def padded(self, numbers: np.ndarray) -> np.ndarray:
        """Some sequences side by side, shape `(len(numbers), steps, ...)`."""
        chosen = self.sequences.take(np.asarray(numbers))
        steps = self.steps if self.steps is not None else int(chosen.lengths.max(initial=1))
        place = np.arange(steps) - self.lag
        valid = (place >= 0) & (place < chosen.lengths[:, None])
        values = chosen.values
        if not len(values):
            return np.full((len(chosen), steps, *values.shape[1:]), self.fill, dtype=values.dtype)
        rows = np.where(valid, chosen.starts[:, None] + place, 0)
        return np.where(
            valid.reshape(*valid.shape, *[1] * (values.ndim - 1)), values[rows], values.dtype.type(self.fill)
        )


class SequenceExamples:
    """Sequences that a model is fitted on, see `training.fit.Examples`; what else a task knows of them is in its `data.py`.

    Attributes:
        inputs: The model's inputs.
        target: What it learns.
        parts: Numbers of the sequences by part.
    """

    parts: dict[str, np.ndarray]

    if TYPE_CHECKING:  # a dataclass would take a property of its base for the default of a field

        @property
        def inputs(self) -> list[Field]: ...
        @property
        def target(self) -> Field: ...

    def count(self, part: str) -> int:
        """Sequences of a part."""
        return len(self.parts[part])

    def on_all_rows(self) -> Self:
        """The same with the sequences of all parts in train."""
        return replace(self, parts=all_parts(self.parts))  # type: ignore[type-var]  # all of them are dataclasses

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
        return self.padded(self.parts[part][numbers])

    def padded(self, numbers: np.ndarray) -> list[np.ndarray]:
        """The model's inputs for some sequences of any part."""
        return [each.padded(numbers) for each in self.inputs]


def value_fields(values: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> list[Field]:
    """The inputs of a model of rows of numbers: the rows, and 1 for each step that is there."""
    valid = np.ones(len(values), dtype=np.float32)
    return [Field(Ragged(each, starts, lengths), 0) for each in (values, valid)]


def by_length(lengths: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Positions of all sequences in chunks of at most `size`, those of like length together, so that little is padded."""
    order = np.argsort(lengths, kind="stable")
    for first in range(0, len(order), size):
        yield order[first : first + size]


def make_padded_batches(
    inputs: Sequence[Field],
    targets: Field,
    numbers: np.ndarray,
    *,
    batch_size: int,
    shuffle_seed: int | None = None,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Batches of padded sequences; sequences of like length share a batch, so little of it is padding.

    Args:
        inputs: The model's inputs in their order.
        targets: What it learns.
        numbers: Which sequences.
        batch_size: Sequences of a batch; one batch of an epoch may be smaller.
        shuffle_seed: Shuffles, differently in each epoch, which sequences of a length meet and in which order the batches
            come, and repeats without end. None: once through, by length.
        first_epoch: Of the shuffled ones.

    Returns:
        `(inputs, targets)`, inputs as a tuple if there are several.
    """
    import tensorflow as tf

    count = len(numbers)
    steps = -(-count // batch_size)
    chosen = tf.constant(np.asarray(numbers), tf.int64)
    key = tf.constant(sum(field.sequences.lengths[numbers] for field in (*inputs, targets)), tf.int64)
    tensors = [_Tensors.of(field) for field in inputs], _Tensors.of(targets)

    def batch(rows: tf.Tensor) -> Batch:
        read = tuple(field.padded(rows) for field in tensors[0])
        return (read if len(read) > 1 else read[0]), tensors[1].padded(rows)

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        order = tf.range(count, dtype=tf.int64)
        batches = tf.range(steps, dtype=tf.int64)
        if shuffle_seed is not None:
            order = _shuffled(order, count, shuffle_seed, number)
            batches = _shuffled(batches, steps, shuffle_seed + 1, number)
        order = tf.gather(order, tf.argsort(tf.gather(key, order), stable=True))
        rows = tf.gather(chosen, order)
        return tf.data.Dataset.from_tensor_slices(batches).map(
            lambda step: rows[step * batch_size : (step + 1) * batch_size]
        )

    endless = shuffle_seed is not None
    epochs = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max) if endless else tf.data.Dataset.range(1)
    dataset = epochs.flat_map(epoch).map(batch)
    # A nested dataset does not know its length, and Keras takes the end of one that does not for an accident.
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY if endless else steps))
    return untuned(dataset.prefetch(4))


def _shuffled(values: tf.Tensor, count: int, seed: int, epoch: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    return tf.random.experimental.index_shuffle(
        values, seed=tf.stack([tf.constant(seed % 2**31, tf.int64), epoch]), max_index=tf.constant(count - 1, tf.int64)
    )


@dataclass(frozen=True)
class _Tensors:
    """A field in TensorFlow."""

    values: tf.Tensor
    starts: tf.Tensor
    lengths: tf.Tensor
    field: Field

    @classmethod
    def of(cls, field: Field) -> _Tensors:
        import tensorflow as tf

        sequences = field.sequences
        values = sequences.values
        if not len(values):  # nothing to gather from, and nothing will be
            values = np.zeros((1, *values.shape[1:]), dtype=values.dtype)
        return cls(tf.constant(values), tf.constant(sequences.starts), tf.constant(sequences.lengths), field)

    def padded(self, numbers: tf.Tensor) -> tf.Tensor:
        """As `Field.padded`."""
        import tensorflow as tf

        starts, lengths = tf.gather(self.starts, numbers)[:, None], tf.gather(self.lengths, numbers)[:, None]
        steps = self.field.steps
        longest = tf.constant(steps, tf.int64) if steps is not None else tf.maximum(tf.reduce_max(lengths), 1)
        place = tf.range(longest) - self.field.lag
        valid = (place >= 0) & (place < lengths)
        gathered = tf.gather(self.values, tf.where(valid, starts + place, 0))
        rank = len(self.values.shape)
        wide = tf.reshape(valid, tf.concat([tf.shape(valid), [1] * (rank - 1)], 0)) if rank > 1 else valid
        padded = tf.where(wide, gathered, tf.cast(self.field.fill, self.values.dtype))
        padded.set_shape((None, steps, *self.values.shape[1:]))
        return padded
