"""Columns of labels: read as text, collected from the training rows, numbered."""

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd

from seq2seq_kit.data.sequences.ragged import NO_LABEL
from seq2seq_kit.data.tables.cells import plain, require_columns
from seq2seq_kit.data.tables.names import refuse_ambiguous
from seq2seq_kit.data.tables.splits import PARTS
from seq2seq_kit.errors import DataError


def read_labels(
    frame: pd.DataFrame, column: str, join: Mapping[str, str], origin: str, *, key: str = "data.labels"
) -> np.ndarray:
    """Label of each row as text, None where there is none.

    Whole numbers are the same label whether or not missing cells beside them made the column one of floats.

    Args:
        frame: The rows.
        column: Its column of labels.
        join: Labels that count as another one.
        origin: Name of the rows for messages.
        key: The recipe's key that names the column.

    Raises:
        DataError: There is no such column.
    """
    require_columns(frame.columns, [column], origin, key=key)
    cells = plain(frame[column])
    refuse_ambiguous(cells, column, origin)
    if pd.api.types.is_float_dtype(cells) and (cells.dropna() % 1 == 0).all():
        cells = cells.astype("Int64")
    texts = cells.astype(str).replace(dict(join)).to_numpy(dtype=object)
    texts[cells.isna().to_numpy() | (texts == "")] = None
    return texts


def refuse_absent_joins(frames: Sequence[pd.DataFrame], column: str, join: Mapping[str, str]) -> None:
    """Raises `DataError` for a label of `join_labels` that no row has: it is misspelt, or has no effect."""
    found = {str(label) for frame in frames if column in frame for label in frame[column].dropna().unique()}
    absent = [label for label in join if label not in found]
    if absent:
        near = get_close_matches(absent[0], found, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; the labels are {', '.join(sorted(found)[:20])}"
        raise DataError(f"data.join_labels: no row has the label {absent[0]!r}{hint}", code="unknown_label")


def learn_labels(texts: Sequence[str | None] | np.ndarray, *, key: str = "data.labels") -> list[str]:
    """The labels of the training rows, the most frequent first.

    Raises:
        DataError: There are fewer than two.
    """
    counts = Counter(text for text in texts if text is not None)
    if len(counts) < 2:
        raise DataError(
            f"the training rows have {len(counts)} label; expected at least two to tell apart. Received: "
            f"{', '.join(counts) or 'none'}. Check {key} and data.split",
            code="too_few_labels",
        )
    return [text for text, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


_MOST_TOLD = 5  # groups of labels


def alike(labels: Sequence[str], column: str) -> list[str]:
    """Notes on labels of a column that differ in case or blanks alone, which are different ones to a model."""
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault(label.strip().lower(), []).append(label)
    found = [" and ".join(map(repr, group)) for group in groups.values() if len(group) > 1]
    if not found:
        return []
    more = f", and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
    return [
        f"the labels {', '.join(found[:_MOST_TOLD])}{more} differ in case or blanks alone and count as different ones; if they "
        f"are one, write them alike: frame[{column!r}] = frame[{column!r}].str.strip().str.lower()"
    ]


def number_labels(texts: Sequence[str | None] | np.ndarray, labels: Sequence[str], origin: str) -> np.ndarray:
    """Number of each label, -1 where there is none.

    Raises:
        DataError: A label that the training rows do not have, which no model could give.
    """
    known: dict[str | None, int] = {label: number for number, label in enumerate(labels)}
    known[None] = NO_LABEL
    for row, text in enumerate(texts):
        if text not in known:
            raise DataError(
                f"{origin}, row {row + 1}: the label {text!r} is in no training row, so no model can give it; the training "
                f"rows have {', '.join(labels[:20])}. Correct the label, join it with another one by data.join_labels, leave its "
                "cell empty, or choose another data.split",
                code="unknown_label",
            )
    return np.array([known[text] for text in texts], dtype=np.int32)


def restore_labels(stored: Sequence[object], outputs: int) -> list[str]:
    """Labels out of a file, for a model with so many outputs; no labels where it predicts a number.

    Raises:
        ValueError: They are not those of the model.
    """
    labels = [str(label) for label in stored]
    if len(set(labels)) != len(labels) or (len(labels) or 1) != outputs:
        raise ValueError(f"it has {len(set(labels))} labels, its model predicts {outputs}")
    return labels


def require_parts(
    parts: Mapping[str, np.ndarray], origin: str, needed: Sequence[str] = PARTS, *, unit: str = "sequences"
) -> None:
    """Raises `DataError` where a needed part is empty; `unit` is what it has none of."""
    total = sum(len(numbers) for numbers in parts.values())
    for part in needed:
        if not len(parts[part]):
            raise DataError(
                f"{origin}: none of its {total} {unit} falls into the {part} part. Give more {unit}, or larger "
                "shares in data.split",
                code="empty_part",
            )
