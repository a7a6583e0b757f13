"""Whole series as sequences, each of its own length: the split is by a hash of their names."""

from functools import partial

import numpy as np
import pandas as pd

from seq2seq_kit.data.sequences.texts import all_test, split_by_hash
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.splits import joined_parts
from seq2seq_kit.data.windows.prepare import Prepared, prepare_by_series, prepare_new
from seq2seq_kit.data.windows.silence import prepare_watched
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.fields import Data, SequenceSplit, Table
from seq2seq_kit.recipe.section import Section

Parts = dict[str, np.ndarray]


def prepare_series(data: Section, frame: pd.DataFrame, split: SequenceSplit, *, origin: str) -> tuple[Prepared, Parts]:
    """Checks, splits, fills and scales; the scaler is fitted on the training series.

    Args:
        data: A recipe's section with the keys of `Table`, or some of them.
        frame: The rows.
        split: Shares of the parts.
        origin: Name of the rows for messages.

    Returns:
        The rows, and numbers of the series by part.

    Raises:
        DataError: See `prepare_by_series`.
    """
    return prepare_by_series(_as_windows(data), frame, partial(split_by_hash, split=split), origin=origin)


def prepare_new_series(data: Section, frame: pd.DataFrame, scaler: Scaler, *, origin: str) -> tuple[Prepared, Parts]:
    """The same for series that a trained model has not seen: all of them in the test part, nothing is fitted."""
    prepared = prepare_new(_as_windows(data), frame, scaler, origin=origin)
    return prepared, all_test(len(prepared.table.series))


def prepare_watched_series(
    data: Section, frame: pd.DataFrame, scaler: Scaler, *, origin: str
) -> tuple[Prepared, Parts]:
    """The same, of series in which cells of any column may be missing; the matrix holds NaN where nothing can be carried on."""
    windows = _as_windows(data)
    limit = 0 if windows.missing == "refuse" else None
    prepared = prepare_watched(windows, frame, scaler, limit=limit, rebuilds=True, origin=origin)
    return prepared, all_test(len(prepared.table.series))


def with_val_in_train(prepared: Prepared, parts: Parts) -> tuple[Prepared, Parts]:
    """The same with the val series in train, too; the scaler is fitted on them all."""
    bounds, joined = prepared.table.bounds, joined_parts(parts)
    return prepared.scaled_on(np.column_stack([bounds[:-1], bounds[1:]])[joined["train"]]), joined


def _as_windows(data: Section) -> Data:
    """The section as one of windows, for the parts of preparing that do not look at them."""
    keys = {key: value for key, value in data.model_dump().items() if key in Table.model_fields}
    return Data.model_validate(keys | {"input_steps": 1})


def whole_series(prepared: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """First row and length of each series, in the order of `prepared.table.series`.

    Raises:
        DataError: A series has a gap in time, or no value at all in a column.
    """
    table, segments = prepared.table, prepared.segments
    counts = np.bincount(segments[:, 2], minlength=len(table.series))
    torn = np.flatnonzero(counts > 1)
    if len(torn):
        gap = int(segments[segments[:, 2] == torn[0]][1, 0])
        raise DataError(
            f"{table.origin}: {len(torn)} sequences have a gap in time; the first is {table.series[torn[0]]}, before "
            f"{table.where(gap)}. A sequence must be whole: fill the gap, give its halves names of their own, or leave out "
            "data.time and data.every",
            code="gap_in_sequence",
        )
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        raise DataError(
            f"{table.origin}: {len(empty)} sequences have a column without any value, such as {table.series[empty[0]]}; nothing "
            "can be filled in there. Leave them out, or choose data.missing: mask",
            code="empty_column",
        )
    order = np.argsort(segments[:, 2], kind="stable")
    first, end = segments[order, 0], segments[order, 1]
    return first, end - first
