"""Whole sequences of numbers: each series is one example, of any length, split by a hash of its name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from seq2seq_kit.data.sequences.ragged import Field, Ragged, SequenceExamples, value_fields
from seq2seq_kit.data.sequences.series import (
    prepare_new_series,
    prepare_series,
    prepare_watched_series,
    whole_series,
    with_val_in_train,
)
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.tasks.whole.recipe import WholeData


@dataclass(frozen=True)
class Sequences(SequenceExamples):
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
        return value_fields(np.ascontiguousarray(matrix[:, : layout.inputs]), self.starts, self.lengths)

    @cached_property
    def target(self) -> Field:
        """What the model learns: the same values, NaN after the end and where a cell is missing."""
        values = self.prepared.matrix[:, self.prepared.layout.targets]
        return Field(Ragged(values, self.starts, self.lengths), np.nan)

    def joined(self) -> Sequences:
        """The same with the val sequences in train, too; the scaler is fitted on them all."""
        prepared, parts = with_val_in_train(self.prepared, self.parts)
        return replace(self, prepared=prepared, parts=parts)

    def truth(self, number: int) -> np.ndarray:
        """A sequence in original units, `(steps, columns)`, NaN where a cell was missing."""
        table = self.prepared.table
        picked = [table.columns.index(name) for name in self.prepared.columns.targets]
        return table.values[self.starts[number] : self.starts[number] + self.lengths[number], picked]

    def truth_of(self, part: str) -> np.ndarray:
        """The sequences of a part, one after the other."""
        return np.concatenate([self.truth(number) for number in self.parts[part]])


def prepare_sequences(data: WholeData, frame: pd.DataFrame, *, origin: str = "the data") -> Sequences:
    """Checks, splits, fills and scales; the scaler is fitted on the training sequences.

    Raises:
        DataError: See `read_table`; missing cells where the recipe refuses them; a gap inside a sequence; a part without one.
    """
    return _sequences(*prepare_series(data, frame, data.split, origin=origin))


def new_sequences(data: WholeData, frame: pd.DataFrame, scaler: Scaler, *, origin: str = "the data") -> Sequences:
    """The same for sequences that a trained model has not seen: all of them in the test part, nothing is fitted."""
    return _sequences(*prepare_new_series(data, frame, scaler, origin=origin))


def watched_sequences(data: WholeData, frame: pd.DataFrame, scaler: Scaler, *, origin: str = "the data") -> Sequences:
    """As `new_sequences`, of sequences in which cells of any column may be missing; the matrix then holds NaN."""
    return _sequences(*prepare_watched_series(data, frame, scaler, origin=origin))


def _sequences(prepared: Prepared, parts: dict[str, np.ndarray]) -> Sequences:
    return Sequences(prepared, *whole_series(prepared), parts, list(prepared.notes))
