"""Tagged rows of numbers: a table with a label in each row, cut into sequences that cover every row once."""

from __future__ import annotations

from dataclasses import replace

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
from seq2seq_kit.data.sequences.ragged import Ragged, value_fields
from seq2seq_kit.data.tables.columns import parts_of
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.splits import PARTS, joined_parts
from seq2seq_kit.data.windows.prepare import Prepared, prepare, prepare_new
from seq2seq_kit.tasks.tag.data import Tagged, require_labels
from seq2seq_kit.tasks.tag.recipe import TagValuesData


def prepare_values(data: TagValuesData, frame: pd.DataFrame, *, origin: str = "the data") -> tuple[Tagged, Prepared]:
    """Checks, splits by time, fills and scales; labels are learned on the training rows.

    Raises:
        DataError: See `data.prepare.prepare`; a label of val or test that is in no training row.
    """
    texts = read_labels(frame, data.labels, data.join_labels, origin)
    refuse_absent_joins([frame], data.labels, data.join_labels)
    prepared = prepare(data, frame, windows=False, origin=origin)
    ordered = _by_row(texts, prepared)
    starts, lengths, parts = _cut(prepared, data.input_steps)
    require_parts(parts, origin, parts_of(data))
    train = prepared.split.rows("train")
    labels = learn_labels([text for first, end in train for text in ordered[first:end]])
    used = np.zeros(
        len(texts) + 1, dtype=bool
    )  # the last one is of rows that were added; a split by numbers of rows leaves later ones unused
    for first, end in zip(prepared.split.edges[:, 0], prepared.split.edges[:, -1], strict=True):
        used[prepared.table.row_numbers[first:end] - 1] = True
    texts[~used[:-1]] = None
    number_labels(texts, labels, origin)  # the message counts rows as the file does
    ordered = _by_row(texts, prepared)
    tagged = _tagged(prepared, number_labels(ordered, labels, origin), labels, starts, lengths, parts)
    tagged.notes.extend(alike(labels, data.labels))
    require_labels(tagged, parts_of(data), origin)
    return tagged, prepared


def prepare_new_values(
    data: TagValuesData,
    frame: pd.DataFrame,
    scaler: Scaler,
    labels: list[str],
    *,
    labelled: bool,
    origin: str = "the data",
) -> tuple[Tagged, Prepared]:
    """The same for rows that a trained model has not seen, all in the test part; without labels where there are none yet."""
    prepared = prepare_new(data, frame, scaler, origin=origin)
    texts = read_labels(frame, data.labels, data.join_labels, origin) if labelled else np.full(len(frame), None)
    number_labels(texts, labels, origin)
    numbers = number_labels(_by_row(texts, prepared), labels, origin)
    starts, lengths, parts = _cut(prepared, data.input_steps)
    return _tagged(prepared, numbers, labels, starts, lengths, parts), prepared


def _by_row(texts: np.ndarray, prepared: Prepared) -> np.ndarray:
    """The label of each row of the table; joined rows have that of their last one, added rows have none."""
    return np.append(texts, [None])[prepared.table.row_numbers - 1]


def joined_values(tagged: Tagged, prepared: Prepared) -> tuple[Tagged, Prepared]:
    """The same with the val sequences in train, too; the scaler is fitted on them all."""
    joined = prepared.joined()
    return replace(tagged.with_values(joined.matrix[:]), parts=joined_parts(tagged.parts)), joined


def _tagged(
    prepared: Prepared,
    numbers: np.ndarray,
    labels: list[str],
    starts: np.ndarray,
    lengths: np.ndarray,
    parts: dict[str, np.ndarray],
) -> Tagged:
    inputs = value_fields(prepared.matrix[:, : prepared.layout.inputs], starts, lengths)
    rows = Ragged(prepared.table.row_numbers - 1, starts, lengths)
    return Tagged(inputs, Ragged(numbers, starts, lengths), parts, labels, rows, None, list(prepared.notes))


def _cut(prepared: Prepared, most: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Every range of a part's rows without a gap, in pieces of at most `most` rows, so that each row is tagged once."""
    starts: list[int] = []
    lengths: list[int] = []
    parts: dict[str, np.ndarray] = {}
    for part in PARTS:
        begun = len(starts)
        bounds = prepared.rows[part]
        for first, end, series in prepared.segments:
            begin, stop = max(first, bounds[series, 0]), min(end, bounds[series, 1])
            pieces = range(begin, stop, most)
            starts += pieces
            lengths += [min(most, stop - piece) for piece in pieces]
        parts[part] = np.arange(begun, len(starts))
    return np.array(starts, dtype=np.int64), np.array(lengths, dtype=np.int64), parts
