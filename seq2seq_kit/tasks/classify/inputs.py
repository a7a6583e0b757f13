"""What is read of each sequence: texts as numbers of tokens, whole series and windows as ranges of scaled rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.frames import require_some
from seq2seq_kit.data.sequences.ragged import Field, Ragged, value_fields
from seq2seq_kit.data.sequences.series import prepare_new_series, prepare_series, whole_series, with_val_in_train
from seq2seq_kit.data.sequences.texts import all_test, read_texts, refuse_long, split_by_hash
from seq2seq_kit.data.sequences.vocabulary import PADDING, Vocabulary
from seq2seq_kit.data.tables.names import answer_frame
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.splits import PARTS, joined_parts
from seq2seq_kit.data.windows.prepare import Prepared, prepare, prepare_new
from seq2seq_kit.tasks.classify.recipe import ClassifyData, SeriesData, TextsData, WindowsData

Encoding = Vocabulary | Scaler


@dataclass(frozen=True)
class Inputs:
    """Sequences before their ground truth is known; attributes as in `data.Classified`."""

    inputs: list[Field]
    rows: Ragged
    parts: dict[str, np.ndarray]
    about: pd.DataFrame
    encoding: Encoding
    notes: list[str] = field(default_factory=list)


def read_inputs(
    data: ClassifyData,
    frame: pd.DataFrame,
    encoding: Encoding | None,
    *,
    new: bool = False,
    joined: bool = False,
    every_window: bool = False,
    origin: str,
) -> Inputs:
    """Checks, splits, encodes.

    Args:
        data: The recipe's section.
        frame: The rows.
        encoding: Vocabulary or scaler of a trained model; None: one is fitted on the training sequences.
        new: Whether all sequences belong to the test part.
        joined: Whether those of val are in train, too.
        every_window: Whether a window ends in every row that has enough rows before it, whatever `window_stride` is.
        origin: Name of the rows for messages.
    """
    if isinstance(data, TextsData):
        assert not isinstance(encoding, Scaler)
        return _read_texts(data, frame, encoding, new=new, joined=joined, origin=origin)
    assert not isinstance(encoding, Vocabulary)
    if isinstance(data, WindowsData):
        stride = 1 if every_window else data.window_stride
        cut = data.model_copy(update={"window_stride": stride})
        if new and encoding:
            prepared = prepare_new(cut, frame, encoding, origin=origin)
            require_some(prepared)
        else:
            prepared = prepare(cut, frame, origin=origin)
            prepared = prepared.joined() if joined else prepared
            prepared = prepared.with_scaler(encoding) if encoding else prepared
        starts = {part: prepared.windows[part].starts() for part in PARTS}
        ends = np.cumsum([len(starts[part]) for part in PARTS])
        parts = {part: np.arange(end - len(starts[part]), end) for part, end in zip(PARTS, ends, strict=True)}
        firsts = np.concatenate(list(starts.values()))
        return _of_rows(data, prepared, firsts, np.full_like(firsts, data.input_steps), parts)
    if new and encoding:
        prepared, parts = prepare_new_series(data, frame, encoding, origin=origin)
    else:
        prepared, parts = prepare_series(data, frame, data.split, origin=origin)
        prepared, parts = with_val_in_train(prepared, parts) if joined else (prepared, parts)
        prepared = prepared.with_scaler(encoding) if encoding else prepared
    return _of_rows(data, prepared, *whole_series(prepared), parts)


def _read_texts(
    data: TextsData, frame: pd.DataFrame, vocabulary: Vocabulary | None, *, new: bool, joined: bool, origin: str
) -> Inputs:
    texts = read_texts(frame, data.text, origin)
    every = np.arange(len(texts))
    parts = all_test(len(texts)) if new else split_by_hash(texts, data.split)
    parts = joined_parts(parts) if joined else parts
    train = (texts[row] for row in parts["train"])
    vocabulary = vocabulary or Vocabulary.fit(train, level=data.level, min_count=data.min_count)
    refuse_long(texts, vocabulary, data.input_steps, data.text, "data.input_steps", origin)
    inputs = [Field(Ragged.of([vocabulary.numbers(vocabulary.split(text)) for text in texts]), PADDING)]
    notes = vocabulary.unknown_note(texts) if new else []
    about = pd.DataFrame({data.text: texts})
    return Inputs(inputs, Ragged(every, every, np.ones_like(every)), parts, about, vocabulary, notes)


def _of_rows(
    data: SeriesData | WindowsData,
    prepared: Prepared,
    starts: np.ndarray,
    lengths: np.ndarray,
    parts: Mapping[str, np.ndarray],
) -> Inputs:
    """Ranges of prepared rows; windows may overlap, nothing is cut out."""
    table = prepared.table
    inputs = value_fields(prepared.matrix[:, : prepared.layout.inputs], starts, lengths)
    numbers = table.row_numbers - 1
    last = starts + lengths - 1
    own: dict[str, object] = {}
    kits: dict[str, object] = {}
    if data.series:
        names = np.array(table.series, dtype=object)
        own[data.series] = names[np.searchsorted(table.bounds, last, side="right") - 1]
    if isinstance(data, SeriesData):
        kits["steps"] = lengths
    elif table.times is not None:
        own[str(data.time_name)] = table.times[last]
    else:
        kits["row"] = numbers[last] + 1
    about = answer_frame(own, kits)
    rows = Ragged(numbers, starts, lengths)
    return Inputs(inputs, rows, dict(parts), about, prepared.scaler, [*prepared.notes, *about.attrs.pop("renamed")])
