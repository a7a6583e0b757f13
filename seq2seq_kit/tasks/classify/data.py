"""Sequences with one answer each, a label or a number: the common form of texts, whole series and windows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.data.sequences.labels import (
    learn_labels,
    number_labels,
    read_labels,
    refuse_absent_joins,
    require_parts,
)
from seq2seq_kit.data.sequences.ragged import NO_LABEL, Field, Ragged, make_padded_batches
from seq2seq_kit.data.tables.cells import read_numbers, require_columns
from seq2seq_kit.errors import DataError
from seq2seq_kit.tasks.classify.inputs import Coding, Inputs, read_inputs
from seq2seq_kit.tasks.classify.recipe import ClassifyData, SeriesData

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class Learned:
    """What is learned on the training rows beside the model, and stored with it.

    Attributes:
        coding: From tokens to numbers, or from values to scaled ones.
        labels: Their names, the most frequent of the training sequences first; empty where numbers are predicted.
        center: Mean of the training targets; 0 for labels.
        scale: Their standard deviation; 1 for labels.
    """

    coding: Coding
    labels: list[str]
    center: float = 0.0
    scale: float = 1.0

    @property
    def outputs(self) -> int:
        """Outputs of the model."""
        return len(self.labels) or 1


@dataclass(frozen=True)
class Classified:
    """Sequences ready for a model.

    Attributes:
        inputs: The model's inputs.
        truth: Number of each sequence's label, -1 where there is none; or its target in original units, NaN likewise.
        parts: Numbers of the sequences by part, those with an answer only where answers were asked for.
        rows: Row of the frame, counted from 0, that each step comes from.
        about: What names each sequence in an output: its text, or series and time.
        learned: What goes into the bundle.
        notes: What was done to the data.
    """

    inputs: list[Field]
    truth: np.ndarray
    parts: dict[str, np.ndarray]
    rows: Ragged
    about: pd.DataFrame
    learned: Learned
    notes: list[str]

    def count(self, part: str) -> int:
        """Sequences of a part."""
        return len(self.parts[part])

    @cached_property
    def target(self) -> Field:
        """What the model learns, `(batch, 1)`."""
        every = np.arange(len(self.truth))
        scaled = (self.truth - self.learned.center) / self.learned.scale
        values = self.truth if self.learned.labels else scaled.astype(np.float32)
        return Field(Ragged(values, every, np.ones_like(every)), NO_LABEL, steps=1)

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

    def truth_of(self, part: str) -> np.ndarray:
        """Answers of a part."""
        return self.truth[self.parts[part]]


def prepare_examples(
    data: ClassifyData,
    frame: pd.DataFrame,
    *,
    known: Learned | None = None,
    joined: bool = False,
    origin: str = "the data",
) -> Classified:
    """Checks, divides, encodes; vocabulary, scaler and labels are learned on the training sequences.

    Args:
        data: The recipe's section.
        frame: The rows.
        known: What a trained model learned on others, to be used instead.
        joined: Whether the val sequences are learned from, too.
        origin: Name of the rows for messages.

    Raises:
        DataError: The rows do not fit; a label of val or test that no training sequence has; a part without a sequence.
    """
    read = read_inputs(data, frame, known.coding if known else None, joined=joined, origin=origin)
    refuse_absent_joins([frame], str(data.label), data.join_labels)
    return _with_answers(data, frame, read, known, origin)


def new_examples(
    data: ClassifyData, frame: pd.DataFrame, known: Learned, *, answers: bool, origin: str = "the data"
) -> Classified:
    """The same for rows that a trained model has not seen, all in the test part.

    Args:
        data: The recipe's section.
        frame: The rows.
        known: What the model learned beside its weights.
        answers: Whether the rows hold them. Without them a window ends in each row, whatever `window_stride` is.
        origin: Name of the rows for messages.
    """
    read = read_inputs(data, frame, known.coding, new=True, every_window=not answers, origin=origin)
    if answers:
        return _with_answers(data, frame, read, known, origin)
    count = len(read.rows)
    truth = np.full(count, NO_LABEL, np.int32) if known.labels else np.full(count, np.nan)
    return Classified(read.inputs, truth, read.parts, read.rows, read.about, known, read.notes)


def _with_answers(
    data: ClassifyData, frame: pd.DataFrame, read: Inputs, known: Learned | None, origin: str
) -> Classified:
    last = read.rows.values[read.rows.starts + read.rows.lengths - 1]
    parts, center, scale = read.parts, 0.0, 1.0
    if data.label is not None:
        texts = read_labels(frame, data.label, data.join_labels, origin, key="data.label")
        _refuse_changing_answers(data, frame, texts, origin)
        labels = known.labels if known else learn_labels(texts[last[parts["train"]]], key="data.label")
        used = np.full(len(texts), None, dtype=object)  # the message counts rows as the file does
        used[last] = texts[last]
        truth = number_labels(used, labels, origin)[last]
        answered = truth != NO_LABEL
    else:
        values, labels = _read_targets(data, frame, origin), []
        truth = values[last]
        answered = ~np.isnan(truth)
        center, scale = (known.center, known.scale) if known else _scale_of(truth[parts["train"]])
    parts = {part: numbers[answered[numbers]] for part, numbers in parts.items()}
    notes, left_out = list(read.notes), int((~answered).sum())
    if left_out:
        notes.append(f"{left_out} sequences have no answer in {data.label or data.target} and were left out")
    if known is None or len(read.parts["train"]):
        require_parts(parts, origin)
    elif not len(parts["test"]):
        text = f"{origin}: none of the {len(truth)} sequences has an answer in {data.label or data.target}"
        raise DataError(f"{text}; expected at least one. Fill the column in", code="no_answers")
    learned = Learned(read.coding, labels, center, scale)
    return Classified(read.inputs, truth, parts, read.rows, read.about, learned, notes)


def _scale_of(targets: np.ndarray) -> tuple[float, float]:
    found = targets[~np.isnan(targets)]
    return (float(found.mean()), float(found.std()) or 1.0) if found.size else (0.0, 1.0)


def _read_targets(data: ClassifyData, frame: pd.DataFrame, origin: str) -> np.ndarray:
    """The column of numbers, NaN where a cell is missing."""
    name = str(data.target)
    require_columns(frame.columns, [name], origin, rows=len(frame))
    values = read_numbers(frame, name, origin)
    _refuse_changing_answers(data, frame, values, origin)
    return values


def _refuse_changing_answers(data: ClassifyData, frame: pd.DataFrame, answers: np.ndarray, origin: str) -> None:
    """Raises `DataError` where the rows of a whole series do not repeat one answer."""
    if not isinstance(data, SeriesData):
        return
    codes, names = pd.factorize(frame[data.series])
    kinds = pd.factorize(answers)[0]
    firsts = kinds[np.unique(codes, return_index=True)[1]]
    changing = np.flatnonzero(kinds != firsts[codes])
    if not len(changing):
        return
    row = int(changing[0])
    first = answers[int(np.argmax(codes == codes[row]))]
    raise DataError(
        f"{origin}, row {row + 1}: the series {names[codes[row]]} has the answer {answers[row]} in {data.label or data.target}, "
        f"its first row has {first}; expected one answer in all rows of a series. Correct the column; or give data.input_steps, "
        "and each window has the answer of its last row",
        code="answer_changes",
    )
