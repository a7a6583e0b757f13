"""Sequences for next-step training: the rows of each stretch, in chunks, with the rows one later as targets.

The evaluation looks at the same rows as a forecast over a horizon does, so that its figures can be laid beside it; for that the
section is read as one of a forecast whose targets are its inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.data.sequences.ragged import Field, Ragged, make_padded_batches
from seq2seq_kit.data.tables.splits import PARTS
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.recipe.fields import HorizonData
from seq2seq_kit.tasks.next_step.recipe import NextStepData

if TYPE_CHECKING:
    import tensorflow as tf


def as_forecast(data: NextStepData) -> HorizonData:
    """The same table read as windows: `input_steps` rows, then `output_steps` rows of the same columns."""
    return HorizonData.model_validate(data.model_dump(exclude={"framing"}) | {"targets": data.inputs})


@dataclass(frozen=True)
class NextSteps:
    """Chunks of the prepared rows.

    Attributes:
        prepared: The rows, read as windows.
        longest: Most rows of a chunk.
    """

    prepared: Prepared
    longest: int

    @property
    def inputs(self) -> int:
        """Columns that are read and predicted; behind them comes what is known of the next row."""
        return len(self.prepared.columns.inputs)

    @cached_property
    def chunks(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """First row and number of rows of the chunks of each part."""
        return {part: self._chunks(self.prepared.rows[part]) for part in PARTS}

    @cached_property
    def read(self) -> np.ndarray:
        """What the model reads at each row: its inputs and the calendar of the row after it, `(rows, inputs + calendar)`."""
        read = self.prepared.matrix[:, : self.prepared.layout.inputs].copy()
        read[:-1, self.inputs :] = read[1:, self.inputs :]
        return read

    @cached_property
    def truth(self) -> np.ndarray:
        """The rows as targets; NaN where the row before was interpolated towards them, so that nothing is learned from it."""
        truth = self.prepared.matrix[:, : self.inputs].copy()
        if self.prepared.barred is not None:
            truth[1:][self.prepared.barred[:-1]] = np.nan
        return truth

    @cached_property
    def counted(self) -> np.ndarray:
        """1 for each row: what the padding has not."""
        return np.ones(len(self.read), dtype=np.float32)

    def fields(self, part: str) -> tuple[list[Field], Field]:
        """The model's inputs `inputs` and `valid`, and its targets."""
        starts, lengths = self.chunks[part]
        inputs = [Field(Ragged(self.read, starts, lengths), 0.0), Field(Ragged(self.counted, starts, lengths), 0.0)]
        return inputs, Field(Ragged(self.truth, starts + 1, lengths), np.nan)

    def count(self, part: str) -> int:
        """Chunks of a part."""
        return len(self.chunks[part][0])

    def batches(
        self, part: str, batch_size: int, *, shuffle_seed: int | None = None, first_epoch: int = 0
    ) -> tf.data.Dataset:
        """See `make_padded_batches`."""
        inputs, targets = self.fields(part)
        numbers = np.arange(self.count(part))
        return make_padded_batches(
            inputs, targets, numbers, batch_size=batch_size, shuffle_seed=shuffle_seed, first_epoch=first_epoch
        )

    def arrays(self, part: str, numbers: np.ndarray) -> list[np.ndarray]:
        """The model's inputs for some chunks of a part."""
        return [field.padded(numbers) for field in self.fields(part)[0]]

    def _chunks(self, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Targets lie inside the part and follow a row of the same stretch, which may lie before the part."""
        starts, lengths = [], []
        for first, end, series in self.prepared.segments:
            begin, stop = max(first + 1, part[series, 0]), min(end, part[series, 1])
            firsts = np.arange(begin, stop, self.longest)
            starts.append(firsts - 1)
            lengths.append(np.minimum(stop - firsts, self.longest))
        return np.concatenate(starts).astype(np.int64), np.concatenate(lengths).astype(np.int64)


def window_steps(prepared: Prepared, part: str, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Windows as a stepper reads them.

    Returns:
        What is read, `(windows, input_steps, inputs + calendar)`, and what is known of the steps that follow those fed back,
        `(windows, output_steps - 1, calendar)`.
    """
    past, *rest = prepared.arrays(part, windows)
    steps = prepared.windows[part].shape.output_steps
    future = rest[0] if rest else np.zeros((len(past), steps, 0), dtype=past.dtype)
    return read_steps(past, future, len(prepared.columns.inputs))


def read_steps(past: np.ndarray, future: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The same of arrays: a window's rows and what is known of those ahead; `count` columns are predicted."""
    known = np.concatenate([past[:, 1:, count:], future], axis=1)
    split = past.shape[1]
    return np.concatenate([past[:, :, :count], known[:, :split]], axis=-1), known[:, split:]


def whole_steps(steps: int) -> int:
    """`steps` of a forecast as an integer; raises `ArgumentError` unless it is a whole number of at least 1."""
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise ArgumentError(
            f"steps must be a whole number of at least 1. Received: steps={steps!r}", code="invalid_argument"
        )
    return int(steps)
