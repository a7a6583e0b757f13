"""Columns of texts, and splits by a hash of each text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from seq2seq_kit.data.sequences.vocabulary import Vocabulary
from seq2seq_kit.data.tables.cells import require_columns
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.fields import SequenceSplit


def read_texts(frame: pd.DataFrame, column: str, origin: str) -> list[str]:
    """A column of texts.

    Raises:
        DataError: The column is missing, or a cell is missing, empty or no text.
    """
    require_columns(frame.columns, [column], origin, rows=len(frame))
    cells = frame[column]
    texts = cells.astype(str).tolist()
    missing = cells.isna().to_numpy()
    kinds = {type(cell).__name__ for cell in cells[~missing]}
    if len(kinds) > 1:
        raise DataError(
            f"{origin}, column {column}: expected texts. Received a mixture of {', '.join(sorted(kinds))}. Read the "
            f"column as text, for example frame[{column!r}].astype(str)",
            code="not_text",
        )
    for row, text in enumerate(texts):
        if missing[row] or not text.strip():
            raise DataError(
                f"{origin}, row {row + 1}, column {column}: the text is empty; expected at least one character. Fill it in or "
                "drop the row",
                code="empty_text",
            )
    return texts


def split_by_hash(names: Sequence[str], split: SequenceSplit) -> dict[str, np.ndarray]:
    """Numbers by part, from a hash of each name: equal names share a part, and new rows move none of the old ones."""
    place = {name: int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64 for name in set(names)}
    shares = np.array([place[name] for name in names])
    test, val = shares < split.test, (shares >= split.test) & (shares < split.test + split.val)
    return {"train": np.flatnonzero(~test & ~val), "val": np.flatnonzero(val), "test": np.flatnonzero(test)}


def all_test(count: int) -> dict[str, np.ndarray]:
    """The parts of sequences that a trained model has not seen."""
    return {"train": np.arange(0), "val": np.arange(0), "test": np.arange(count)}


def refuse_long(
    texts: Sequence[str], vocabulary: Vocabulary, limit: int | None, column: str, key: str, origin: str
) -> None:
    """Raises `DataError` for a text of more tokens than the recipe allows."""
    if limit is None:
        return
    lengths = [len(vocabulary.split(text)) for text in texts]
    over = [row for row, length in enumerate(lengths) if length > limit]
    if over:
        row = over[0]
        raise DataError(
            f"{origin}, row {row + 1}, column {column}: {lengths[row]} tokens, expected at most {limit}. Received: "
            f"{texts[row][:60]!r} ({len(over)} such rows, the longest has {max(lengths)} tokens). "
            f"Raise {key}, or shorten the text",
            code="text_too_long",
        )
