"""Sequences with one answer each, a label or a number: the common form of texts, whole series and windows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.frames import require_some
from seq2seq_kit.data.sequences.ragged import NO_LABEL, Field, Ragged, make_padded_batches
from seq2seq_kit.data.sequences.texts import divide, read_texts, refuse_long
from seq2seq_kit.data.sequences.vocabulary import PADDING, Vocabulary
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.splits import PARTS, joined_parts
from seq2seq_kit.data.tables.table import read_cells, require_columns
from seq2seq_kit.data.windows.prepare import Prepared, prepare, prepare_new
from seq2seq_kit.errors import DataError
from seq2seq_kit.tasks.classify.recipe import ClassifyData, SeriesData, TextsData, WindowsData
from seq2seq_kit.tasks.tag.data import learn_labels, number_labels, read_labels, refuse_absent_joins, require_parts
from seq2seq_kit.tasks.whole.data import new_sequences, prepare_sequences
from seq2seq_kit.tasks.whole.recipe import WholeData

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

    coding: Vocabulary | Scaler
    labels: list[str]
    center: float = 0.0
    scale: float = 1.0

    @property
    def outputs(self) -> int:
        """Outputs of the model."""
        return len(self.labels) or 1


@dataclass(frozen=True)
class _Inputs:
    """Sequences before their answers are known; attributes as in `Classified`."""

    inputs: list[Field]
    rows: Ragged
    parts: dict[str, np.ndarray]
    about: pd.DataFrame
    coding: Vocabulary | Scaler
    notes: list[str] = field(default_factory=list)


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

    def batches(self, part: str, batch_size: int, *, shuffle_seed: int | None = None) -> tf.data.Dataset:
        """See `make_padded_batches`."""
        numbers = self.parts[part]
        return make_padded_batches(self.inputs, self.target, numbers, batch_size=batch_size, shuffle_seed=shuffle_seed)

    def arrays(self, part: str, numbers: np.ndarray) -> list[np.ndarray]:
        """The model's inputs for some sequences of a part."""
        return [each.padded(self.parts[part][numbers]) for each in self.inputs]

    def truth_of(self, part: str) -> np.ndarray:
        """Answers of a part."""
        return self.truth[self.parts[part]]


def prepare_sequences_with_answers(
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
    read = _read(data, frame, known.coding if known else None, joined=joined, origin=origin)
    refuse_absent_joins([frame], str(data.label), data.join_labels)
    return _with_answers(data, frame, read, known, origin)


def new_sequences_to_classify(
    data: ClassifyData, frame: pd.DataFrame, known: Learned, *, answers: bool, origin: str = "the data"
) -> Classified:
    """The same for rows that a trained model has not seen, all in the test part.

    Args:
        data: The recipe's section; of windows, one ends in each row where answers are to be found, not compared.
        frame: The rows.
        known: What the model learned beside its weights.
        answers: Whether the rows hold them.
        origin: Name of the rows for messages.
    """
    read = _read(data, frame, known.coding, new=True, every_window=not answers, origin=origin)
    if answers:
        return _with_answers(data, frame, read, known, origin)
    count = len(read.rows)
    truth = np.full(count, NO_LABEL, np.int32) if known.labels else np.full(count, np.nan)
    return Classified(read.inputs, truth, read.parts, read.rows, read.about, known, read.notes)


def _with_answers(
    data: ClassifyData, frame: pd.DataFrame, read: _Inputs, known: Learned | None, origin: str
) -> Classified:
    last = read.rows.values[read.rows.starts + read.rows.lengths - 1]
    parts, center, scale = read.parts, 0.0, 1.0
    if data.label is not None:
        texts = read_labels(frame, data.label, data.join_labels, origin)
        _refuse_changing_answers(data, frame, texts, origin)
        labels = known.labels if known else learn_labels(texts[last[parts["train"]]])
        used = np.full(len(texts), None, dtype=object)  # the message counts rows as the file does
        used[last[np.concatenate(list(parts.values()))]] = texts[last[np.concatenate(list(parts.values()))]]
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
    require_columns(frame, [name], origin)
    (values,) = read_cells([(0, frame[name])], name, origin)
    _refuse_changing_answers(data, frame, values, origin)
    return values


def _refuse_changing_answers(data: ClassifyData, frame: pd.DataFrame, answers: np.ndarray, origin: str) -> None:
    """Raises `DataError` where the rows of a whole series do not repeat one answer."""
    if not isinstance(data, SeriesData):
        return
    codes, names = pd.factorize(frame[data.series])
    found = pd.Series(answers).groupby(codes).nunique(dropna=False)
    changing = found.index[found > 1]
    if not len(changing):
        return
    own = np.flatnonzero(codes == changing[0])
    row = own[np.flatnonzero(answers[own] != answers[own[0]])[0]]
    raise DataError(
        f"{origin}, row {row + 1}: the series {names[changing[0]]} has the answers {answers[own[0]]!r} and {answers[row]!r} in "
        f"{data.label or data.target} ({len(changing)} such series); expected one for all rows of a series. Correct the column; "
        "or give data.input_steps, and each window has the answer of its last row",
        code="answer_changes",
    )


def _read(
    data: ClassifyData,
    frame: pd.DataFrame,
    coding: Vocabulary | Scaler | None,
    *,
    new: bool = False,
    joined: bool = False,
    every_window: bool = False,
    origin: str,
) -> _Inputs:
    if isinstance(data, TextsData):
        assert not isinstance(coding, Scaler)
        return _read_texts(data, frame, coding, new=new, joined=joined, origin=origin)
    assert not isinstance(coding, Vocabulary)
    if isinstance(data, WindowsData):
        stride = 1 if every_window else data.window_stride
        cut = data.model_copy(update={"window_stride": stride})
        prepared = (
            prepare_new(cut, frame, coding, origin=origin) if new and coding else prepare(cut, frame, origin=origin)
        )
        if new:
            require_some(prepared)
        prepared = prepared.joined() if joined else prepared
        prepared = prepared.with_scaler(coding) if coding and not new else prepared
        starts = {part: prepared.windows[part].starts() for part in PARTS}
        ends = np.cumsum([len(starts[part]) for part in PARTS])
        parts = {part: np.arange(end - len(starts[part]), end) for part, end in zip(PARTS, ends, strict=True)}
        firsts = np.concatenate(list(starts.values()))
        return _of_rows(data, prepared, firsts, np.full_like(firsts, data.input_steps), parts)
    keys = data.model_dump(exclude={"label", "target", "join_labels"}) | {"framing": "whole"}
    whole = WholeData.model_validate(keys)
    if new and coding:
        sequences = new_sequences(whole, frame, coding, origin=origin)
    else:
        sequences = prepare_sequences(whole, frame, origin=origin)
        sequences = sequences.joined() if joined else sequences
        if coding:
            sequences = replace(sequences, prepared=sequences.prepared.with_scaler(coding))
    return _of_rows(data, sequences.prepared, sequences.starts, sequences.lengths, sequences.parts)


def _read_texts(
    data: TextsData, frame: pd.DataFrame, coding: Vocabulary | None, *, new: bool, joined: bool, origin: str
) -> _Inputs:
    texts = read_texts(frame, data.text, origin)
    every = np.arange(len(texts))
    parts = {"train": every[:0], "val": every[:0], "test": every} if new else divide(texts, data.split)
    parts = joined_parts(parts) if joined else parts
    learned = (texts[row] for row in parts["train"])
    vocabulary = coding or Vocabulary.learn(learned, level=data.level, min_count=data.min_count)
    refuse_long(texts, vocabulary, data.input_steps, data.text, "data.input_steps", origin)
    split = [vocabulary.split(text) for text in texts]
    inputs = [Field(Ragged.of([vocabulary.numbers(tokens) for tokens in split]), PADDING)]
    notes = []
    strange = {token for tokens in split for token in tokens} - vocabulary.number.keys() if new else set()
    if strange:
        said = f"{len(strange)} tokens that the training rows did not have were read as unknown: "
        notes.append(said + ", ".join(sorted(strange)[:10]))
    about = pd.DataFrame({data.text: texts})
    return _Inputs(inputs, Ragged(every, every, np.ones_like(every)), parts, about, vocabulary, notes)


def _of_rows(
    data: SeriesData | WindowsData,
    prepared: Prepared,
    starts: np.ndarray,
    lengths: np.ndarray,
    parts: Mapping[str, np.ndarray],
) -> _Inputs:
    """Stretches of prepared rows; windows may overlap, nothing is cut out."""
    table = prepared.table
    values = prepared.matrix[:, : prepared.layout.inputs]
    valid = np.ones(len(values), dtype=np.float32)
    inputs = [Field(Ragged(each, starts, lengths), 0) for each in (values, valid)]
    numbers = table.row_numbers - 1
    last = starts + lengths - 1
    about: dict[str, object] = {}
    if data.series:
        names = np.array(table.series, dtype=object)
        about[data.series] = names[np.searchsorted(table.bounds, last, side="right") - 1]
    if isinstance(data, SeriesData):
        about["steps"] = lengths
    elif table.times is not None:
        about[str(data.time)] = table.times[last]
    else:
        about["row"] = numbers[last] + 1
    rows = Ragged(numbers, starts, lengths)
    return _Inputs(inputs, rows, dict(parts), pd.DataFrame(about), prepared.scaler, list(prepared.notes))
