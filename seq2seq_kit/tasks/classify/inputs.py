"""What is read of each sequence: texts as numbers of tokens, whole series and windows as stretches of scaled rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.frames import require_some
from seq2seq_kit.data.sequences.ragged import Field, Ragged
from seq2seq_kit.data.sequences.series import whole_series
from seq2seq_kit.data.sequences.texts import read_texts, refuse_long, split_by_hash
from seq2seq_kit.data.sequences.vocabulary import PADDING, Vocabulary
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.splits import PARTS, joined_parts
from seq2seq_kit.data.windows.prepare import Prepared, prepare, prepare_by_series, prepare_new
from seq2seq_kit.recipe.fields import Data
from seq2seq_kit.tasks.classify.recipe import ClassifyData, SeriesData, TextsData, WindowsData

Coding = Vocabulary | Scaler


@dataclass(frozen=True)
class Inputs:
    """Sequences before their answers are known; attributes as in `data.Classified`."""

    inputs: list[Field]
    rows: Ragged
    parts: dict[str, np.ndarray]
    about: pd.DataFrame
    coding: Coding
    notes: list[str] = field(default_factory=list)


def read_inputs(
    data: ClassifyData,
    frame: pd.DataFrame,
    coding: Coding | None,
    *,
    new: bool = False,
    joined: bool = False,
    every_window: bool = False,
    origin: str,
) -> Inputs:
    """Checks, divides, encodes.

    Args:
        data: The recipe's section.
        frame: The rows.
        coding: Vocabulary or scaler of a trained model; None: one is learned on the training sequences.
        new: Whether all sequences belong to the test part.
        joined: Whether those of val are in train, too.
        every_window: Whether a window ends in every row that has enough rows before it, whatever `window_stride` is.
        origin: Name of the rows for messages.
    """
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
    keys = data.model_dump(exclude={"label", "target", "join_labels", "split"})
    section = Data.model_validate(keys | {"input_steps": 1})  # the parts of preparing that do not look at windows
    if new and coding:
        prepared = prepare_new(section, frame, coding, origin=origin)
        parts = _all_new(len(prepared.table.series))
    else:
        prepared, parts = prepare_by_series(section, frame, partial(split_by_hash, split=data.split), origin=origin)
        parts = joined_parts(parts) if joined else parts
        bounds = np.column_stack([prepared.table.bounds[:-1], prepared.table.bounds[1:]])
        prepared = prepared.scaled_on(bounds[parts["train"]]) if joined else prepared
        prepared = prepared.with_scaler(coding) if coding else prepared
    return _of_rows(data, prepared, *whole_series(prepared), parts)


def _all_new(count: int) -> dict[str, np.ndarray]:
    return {"train": np.arange(0), "val": np.arange(0), "test": np.arange(count)}


def _read_texts(
    data: TextsData, frame: pd.DataFrame, coding: Vocabulary | None, *, new: bool, joined: bool, origin: str
) -> Inputs:
    texts = read_texts(frame, data.text, origin)
    every = np.arange(len(texts))
    parts = _all_new(len(texts)) if new else split_by_hash(texts, data.split)
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
    return Inputs(inputs, Ragged(every, every, np.ones_like(every)), parts, about, vocabulary, notes)


def _of_rows(
    data: SeriesData | WindowsData,
    prepared: Prepared,
    starts: np.ndarray,
    lengths: np.ndarray,
    parts: Mapping[str, np.ndarray],
) -> Inputs:
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
    return Inputs(inputs, rows, dict(parts), pd.DataFrame(about), prepared.scaler, list(prepared.notes))
