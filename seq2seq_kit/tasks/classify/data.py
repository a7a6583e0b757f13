"""Sequences with one label or number each: the common form of texts, whole series and windows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from seq2seq_kit.data.sequences.labels import (
    alike,
    learn_labels,
    number_labels,
    read_labels,
    refuse_absent_joins,
    require_parts,
)
from seq2seq_kit.data.sequences.ragged import NO_LABEL, Field, Ragged, SequenceExamples
from seq2seq_kit.data.tables.cells import read_numbers, require_columns
from seq2seq_kit.data.tables.columns import parts_of
from seq2seq_kit.data.tables.splits import PARTS
from seq2seq_kit.errors import DataError
from seq2seq_kit.tasks.classify.inputs import Encoding, Inputs, read_inputs
from seq2seq_kit.tasks.classify.recipe import ClassifyData, SeriesData, WindowsData


@dataclass(frozen=True)
class Preprocessing:
    """What is fitted on the training rows beside the model, and stored with it.

    Attributes:
        encoding: Vocabulary or scaler: from tokens to numbers, or from values to scaled ones.
        labels: Their names, the most frequent of the training sequences first; empty where numbers are predicted.
        center: Mean of the training targets; 0 for labels.
        scale: Their standard deviation; 1 for labels.
    """

    encoding: Encoding
    labels: list[str]
    center: float = 0.0
    scale: float = 1.0

    @property
    def outputs(self) -> int:
        """Outputs of the model."""
        return len(self.labels) or 1


@dataclass(frozen=True)
class Classified(SequenceExamples):
    """Sequences ready for a model.

    Attributes:
        inputs: The model's inputs.
        truth: Number of each sequence's label, -1 where there is none; or its target in original units, NaN likewise.
        parts: Numbers of the sequences by part, only those with a label or target where these were asked for.
        rows: Row of the frame, counted from 0, that each step comes from.
        about: What names each sequence in an output: its text, or series and time.
        preprocessing: What goes into the bundle.
        notes: What was done to the data.
    """

    inputs: list[Field]
    truth: np.ndarray
    parts: dict[str, np.ndarray]
    rows: Ragged
    about: pd.DataFrame
    preprocessing: Preprocessing
    notes: list[str]

    @cached_property
    def target(self) -> Field:
        """What the model learns, `(batch, 1)`."""
        every, fitted = np.arange(len(self.truth)), self.preprocessing
        scaled = (self.truth - fitted.center) / fitted.scale
        values = self.truth if fitted.labels else scaled.astype(np.float32)
        return Field(Ragged(values, every, np.ones_like(every)), NO_LABEL, steps=1)

    def truth_of(self, part: str) -> np.ndarray:
        """Ground truth of a part."""
        return self.truth[self.parts[part]]


def prepare_examples(
    data: ClassifyData,
    frame: pd.DataFrame,
    *,
    known: Preprocessing | None = None,
    joined: bool = False,
    origin: str = "the data",
) -> Classified:
    """Checks, splits, encodes; vocabulary, scaler and labels are those of the training sequences.

    Args:
        data: The recipe's section.
        frame: The rows.
        known: What a trained model was given, to be used instead.
        joined: Whether the val sequences are in train, too.
        origin: Name of the rows for messages.

    Raises:
        DataError: The rows do not fit; a label of val or test that no training sequence has; a part without a sequence.
    """
    read = read_inputs(data, frame, known.encoding if known else None, joined=joined, origin=origin)
    refuse_absent_joins([frame], str(data.label), data.join_labels)
    return _with_truth(data, frame, read, known, origin)


def new_examples(
    data: ClassifyData, frame: pd.DataFrame, known: Preprocessing, *, labelled: bool, origin: str = "the data"
) -> Classified:
    """The same for rows that a trained model has not seen, all in the test part.

    Args:
        data: The recipe's section.
        frame: The rows.
        known: What was fitted beside the model.
        labelled: Whether the rows hold labels or targets. Without them a window ends in each row, whatever `window_stride` is.
        origin: Name of the rows for messages.
    """
    read = read_inputs(data, frame, known.encoding, new=True, every_window=not labelled, origin=origin)
    if labelled:
        return _with_truth(data, frame, read, known, origin)
    count = len(read.rows)
    truth = np.full(count, NO_LABEL, np.int32) if known.labels else np.full(count, np.nan)
    return Classified(read.inputs, truth, read.parts, read.rows, read.about, known, read.notes)


def _with_truth(
    data: ClassifyData, frame: pd.DataFrame, read: Inputs, known: Preprocessing | None, origin: str
) -> Classified:
    last = read.rows.values[read.rows.starts + read.rows.lengths - 1]
    parts, center, scale = read.parts, 0.0, 1.0
    if data.label is not None:
        texts = read_labels(frame, data.label, data.join_labels, origin, key="data.label")
        _refuse_changing_truth(data, frame, texts, origin)
        own = texts[last[parts["train"]]][last[parts["train"]] >= 0]
        labels = known.labels if known else learn_labels(own, key="data.label")
        texts = np.append(texts, [None])  # what rows have that were added (-1)
        used = np.full(len(texts), None, dtype=object)  # the message counts rows as the file does
        used[last] = texts[last]
        truth = number_labels(used, labels, origin)[last]
        known_truth = truth != NO_LABEL
    else:
        require_columns(frame.columns, [str(data.target)], origin, key="data.target")
        values, labels = read_numbers(frame, str(data.target), origin, form=data.format), []
        _refuse_changing_truth(data, frame, values, origin)
        truth = np.append(values, np.nan)[last]
        known_truth = ~np.isnan(truth)
        center, scale = (known.center, known.scale) if known else _scale_of(truth[parts["train"]])
    parts = {part: numbers[known_truth[numbers]] for part, numbers in parts.items()}
    notes, left_out = [*read.notes, *([] if known else alike(labels, str(data.label)))], int((~known_truth).sum())
    if left_out:
        notes.append(f"{left_out} sequences have an empty cell in {data.label or data.target} and were left out")
    if known is None or len(read.parts["train"]):
        require_parts(parts, origin, parts_of(data) if isinstance(data, WindowsData) else PARTS)
    elif not len(parts["test"]):
        text = f"{origin}: the cells of {data.label or data.target} are empty for all {len(truth)} sequences"
        raise DataError(f"{text}; expected at least one that is not. Fill the column in", code="no_answers")
    fitted = Preprocessing(read.encoding, labels, center, scale)
    return Classified(read.inputs, truth, parts, read.rows, read.about, fitted, notes)


def _scale_of(targets: np.ndarray) -> tuple[float, float]:
    found = targets[~np.isnan(targets)]
    return (float(found.mean()), float(found.std()) or 1.0) if found.size else (0.0, 1.0)


def _refuse_changing_truth(data: ClassifyData, frame: pd.DataFrame, truth: np.ndarray, origin: str) -> None:
    """Raises `DataError` where the rows of a whole series do not repeat one label or target."""
    if not isinstance(data, SeriesData):
        return
    codes, names = pd.factorize(frame[data.series])
    kinds = pd.factorize(truth)[0]
    firsts = kinds[np.unique(codes, return_index=True)[1]]
    changing = np.flatnonzero(kinds != firsts[codes])
    if not len(changing):
        return
    row = int(changing[0])
    first = truth[int(np.argmax(codes == codes[row]))]
    raise DataError(
        f"{origin}, row {row + 1}: the series {names[codes[row]]} has {truth[row]} in {data.label or data.target}, its first row "
        f"has {first}; expected the same in all rows of a series. Correct the column; or give data.input_steps, and each "
        "window has what its last row has",
        code="answer_changes",
    )
