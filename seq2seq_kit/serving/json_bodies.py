"""Bodies in JSON: rows as records or as columns, or texts; and answers of the same form."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NoReturn

import numpy as np
import pandas as pd

from seq2seq_kit.serving.refusing import RefusedError

Cell = str | int | float | bool | None
_SCALARS = {str, int, float, bool, type(None)}
_FORMS = 'a list of rows [{"a": 1}, ...], a list for each column {"a": [1, ...]}, or a list of texts where the model reads such'
_LENGTHS = (len("2024-01-01"), len("2024-01-01T00:00:00"))


def read_json(body: bytes) -> object:
    """A body's JSON, strictly: no NaN, no key twice.

    Raises:
        RefusedError: It is none.
    """
    try:
        text = body.decode()
        found: object = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
        if "\\ud" in text.lower():  # halves of a letter, which by themselves are no text
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except RecursionError:
        raise invalid("the body is nested too deeply") from None
    except ValueError as error:  # of JSON, of its encoding, and of numbers with thousands of digits
        raise invalid(f"the body is no JSON: {str(error)[:200]}") from None


def rows_of(found: object, *, time: str | None = None) -> tuple[pd.DataFrame | list[str], bool]:
    """The rows in a body's JSON, and whether they stand as columns.

    Args:
        found: As `read_json` gives it.
        time: A column whose texts are times if all are like `2024-01-01T00:00:00`; other texts are left to the kit.

    Raises:
        RefusedError: They have none of the forms; the message names row and column.
    """
    if isinstance(found, dict) and all(isinstance(column, list) for column in found.values()):
        return _frame(found, time), True
    if isinstance(found, list) and all(isinstance(row, str) for row in found) and found:
        return found, False
    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        names = list(dict.fromkeys(name for row in found for name in row))
        return _frame({name: [row.get(name) for row in found] for name in names}, time), False
    raise invalid(f"the body holds no rows. Expected {_FORMS}. Received: {_shown(found)}")


def records(frame: pd.DataFrame) -> list[dict[str, Cell]]:
    """Rows of an answer."""
    names, columns = list(map(str, frame.columns)), [cells(column) for _, column in frame.items()]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def columns_of(frame: pd.DataFrame) -> dict[str, list[Cell]]:
    """Columns of an answer."""
    return {str(name): cells(column) for name, column in frame.items()}


def cells(column: pd.Series) -> list[Cell]:
    """A column as JSON has it: times as ISO 8601, what is missing or not finite as null."""
    kind = column.dtype.kind if isinstance(column.dtype, np.dtype) else ""
    if kind in "iub" and kind:
        return list(column.to_numpy().tolist())
    if kind == "f":
        numbers = column.tolist()
        return numbers if np.isfinite(column.to_numpy()).all() else list(map(_finite, numbers))
    if kind == "M":
        times = column.to_numpy()
        whole = times.astype("M8[s]")
        unit = "s" if (whole == times).all() else np.datetime_data(times.dtype)[0]
        texts = np.datetime_as_string(times, unit=unit)  # type: ignore[call-overload]
        return [None if text == "NaT" else text for text in texts.tolist()]
    return [_cell(each) for each in column.tolist()]


def dumped(answer: object) -> bytes:
    """JSON of an answer."""
    return json.dumps(answer, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def invalid(message: str) -> RefusedError:
    """A body that cannot be read."""
    return RefusedError(message, code="invalid_body")


def _frame(columns: dict[str, list[object]], time: str | None) -> pd.DataFrame:
    for (before, first), (name, column) in pairwise(columns.items()):
        if len(first) != len(column):
            raise invalid(
                f"columns must have as many cells as each other. Received: {before!r} {len(first)}, {name!r} {len(column)}"
            )
    for name, column in columns.items():
        if not set(map(type, column)) <= _SCALARS:
            row = next(place for place, cell in enumerate(column) if type(cell) not in _SCALARS)
            said = f"row {row + 1}, column {name!r}: a cell must be a number, a text, true, false or null"
            raise invalid(f"{said}. Received: {_shown(column[row])}")
    times = None if time is None else _times(columns.get(time, []))
    return pd.DataFrame(columns if times is None else columns | {time: times})


def _times(column: list[object]) -> np.ndarray | None:
    """Texts like `2024-01-01T00:00:00` as what the kit reads them as, in a tenth of the time; None where one is not."""
    length = len(column[0]) if column and isinstance(column[0], str) else 0
    if length not in _LENGTHS:
        return None
    if not all(isinstance(text, str) and len(text) == length and text[4] == text[7] == "-" for text in column):
        return None
    try:
        return np.array(column, dtype="M8[us]")
    except ValueError:
        return None


def _cell(value: object) -> Cell:
    if isinstance(value, str):
        return value
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if pd.isna(value):  # type: ignore[call-overload]
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int):
        return value
    return _finite(value) if isinstance(value, float) else str(value)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:100]!r} is given twice in one object")
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON; write null for a missing value")


def _shown(found: object) -> str:
    return f"{json.dumps(found, default=str)[:100]}"
