"""Whole sequences of numbers: each series is one example, of any length, divided by a hash of its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.data.sequences.ragged import Field, Ragged, make_padded_batches
from seq2seq_kit.data.sequences.series import whole_series
from seq2seq_kit.data.sequences.texts import divide
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.splits import joined_parts
from seq2seq_kit.data.windows.prepare import Prepared, prepare_by_series, prepare_new
from seq2seq_kit.recipe.fields import Data
from seq2seq_kit.tasks.whole.recipe import WholeData

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class Sequences:
    """Sequences ready for a model.

    Attributes:
        prepared: The rows, in original units and scaled.
        starts: First row of each sequence, in the order of `prepared.table.series`.
        lengths: Rows of each.
        parts: Numbers of the sequences by part.
        notes: What was done to the data.
    """

    prepared: Prepared
    starts: np.ndarray
    lengths: np.ndarray
    parts: dict[str, np.ndarray]
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Names of the sequences."""
        return self.prepared.table.series

    @cached_property
    def inputs(self) -> list[Field]:
        """The model's inputs: `values` and `valid`."""
        matrix, layout = self.prepared.matrix, self.prepared.layout
        values = Ragged(np.ascontiguousarray(matrix[:, : layout.inputs]), self.starts, self.lengths)
        counted = np.ones(len(matrix), dtype=np.float32)
        return [Field(values, 0.0), Field(Ragged(counted, self.starts, self.lengths), 0.0)]

    @cached_property
    def target(self) -> Field:
        """What the model learns: the same values, NaN after the end and where a cell is missing."""
        values = self.prepared.matrix[:, self.prepared.layout.targets]
        return Field(Ragged(values, self.starts, self.lengths), np.nan)

    def count(self, part: str) -> int:
        """Sequences of a part."""
        return len(self.parts[part])

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

    def joined(self) -> Sequences:
        """The same with the val sequences in train, too; the scaler is fitted on them all."""
        parts = joined_parts(self.parts)
        bounds = self.prepared.table.bounds
        rows = np.column_stack([bounds[:-1], bounds[1:]])[parts["train"]]
        return replace(self, prepared=self.prepared.scaled_on(rows), parts=parts)

    def truth(self, number: int) -> np.ndarray:
        """A sequence in original units, `(steps, columns)`, NaN where a cell was missing."""
        table = self.prepared.table
        picked = [table.columns.index(name) for name in self.prepared.columns.targets]
        return table.values[self.starts[number] : self.starts[number] + self.lengths[number], picked]


def prepare_sequences(data: WholeData, frame: pd.DataFrame, *, origin: str = "the data") -> Sequences:
    """Checks, divides, fills and scales; the scaler is fitted on the training sequences.

    Raises:
        DataError: See `read_table`; missing cells where the recipe refuses them; a gap inside a sequence; a part without one.
    """

    def by_name(names: Sequence[str]) -> dict[str, np.ndarray]:
        return divide(names, data.split)

    prepared, parts = prepare_by_series(_as_windows(data), frame, by_name, origin=origin)
    return _sequences(prepared, parts)


def new_sequences(data: WholeData, frame: pd.DataFrame, scaler: Scaler, *, origin: str = "the data") -> Sequences:
    """The same for sequences that a trained model has not seen: all of them in the test part, nothing is fitted."""
    prepared = prepare_new(_as_windows(data), frame, scaler, origin=origin)
    nothing = np.zeros(0, dtype=np.int64)
    return _sequences(prepared, {"train": nothing, "val": nothing, "test": np.arange(len(prepared.table.series))})


def _as_windows(data: WholeData) -> Data:
    """The section as one of windows, for the parts of preparing that do not look at them."""
    return Data.model_validate(data.model_dump(exclude={"split", "framing"}) | {"input_steps": 1})


def _sequences(prepared: Prepared, parts: dict[str, np.ndarray]) -> Sequences:
    starts, lengths = whole_series(prepared)
    return Sequences(prepared, starts, lengths, parts, list(prepared.notes))
