"""Bodies in JSON: rows as records or as columns, or texts; and answers of the same form."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from seq2seq_kit.serving.refusing import RefusedError

Cell = str | int | float | bool | None
CELL_BYTES = 8
UNFOLDS = 20  # times the size of a body that its rows may have
Columns = dict[str, list[object] | np.ndarray]
_PLAIN = "iubfM"
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


def rows_of(found: object, most: int, *, time: str | None = None) -> tuple[Columns | list[str], bool]:
    """The rows in a body's JSON, by column or texts, and whether the body has them by column.

    Args:
        found: As `read_json` gives it.
        most: Bytes of a body, which says how far its rows may unfold.
        time: A column whose texts are times if all are like `2024-01-01T00:00:00`; other texts are left to the kit.

    Raises:
        RefusedError: They have none of the forms; the message names row and column.
    """
    if found in ([], {}):
        raise invalid(f"the body holds no rows. Expected {_FORMS}. Received: {_shown(found)}")
    if isinstance(found, dict) and all(isinstance(column, list) for column in found.values()):
        return _checked(found, time), True
    if isinstance(found, list) and all(isinstance(row, str) for row in found):
        return found, False
    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        names = list(dict.fromkeys(name for row in found for name in row))
        refuse_size(len(names) * len(found) * CELL_BYTES, most)  # rows with other keys each make a cell for every key
        return _checked({name: [row.get(name) for row in found] for name in names}, time), False
    raise invalid(f"the body holds no rows. Expected {_FORMS}. Received: {_shown(found)}")


def records(columns: Mapping[str, Sequence[Cell]]) -> list[dict[str, Cell]]:
    """Rows of an answer by column."""
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def columns_of(frame: pd.DataFrame) -> dict[str, list[Cell]]:
    """Columns of an answer."""
    return {str(name): cells(column) for name, column in frame.items()}


def cells(column: pd.Series | np.ndarray) -> list[Cell]:
    """A column as JSON has it: times as ISO 8601, what is missing or not finite as null."""
    if not isinstance(column, np.ndarray):
        if not isinstance(column.dtype, np.dtype) or column.dtype.kind not in _PLAIN:
            return [_cell(each) for each in column.tolist()]
        column = column.to_numpy()
    if column.dtype.kind == "f":
        return column.tolist() if np.isfinite(column).all() else list(map(_finite, column.tolist()))
    if column.dtype.kind == "M":
        whole = column.astype("M8[s]") == column
        unit = "s" if (whole | np.isnat(column)).all() else np.datetime_data(column.dtype)[0]
        texts = np.datetime_as_string(column, unit=unit).tolist()  # type: ignore[call-overload]
        return [None if text == "NaT" else text for text in texts]
    return list(column.tolist())


def dumped(answer: object) -> bytes:
    """JSON of an answer."""
    return json.dumps(answer, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def invalid(message: str) -> RefusedError:
    """A body that cannot be read."""
    return RefusedError(message, code="invalid_body")


def refuse_size(size: int, most: int) -> None:
    """Raises `RefusedError` where rows take too many bytes in memory for a body of at most `most`."""
    if size > UNFOLDS * most:
        raise invalid(
            f"the rows of a body may take {UNFOLDS * most:,} bytes in memory. Received: {size:,}. Send them in pieces"
        )


def _checked(columns: dict[str, list[object]], time: str | None) -> Columns:
    for (before, first), (name, column) in pairwise(columns.items()):
        if len(first) != len(column):
            said = f"Received: {before!r} {len(first)}, {name!r} {len(column)}"
            raise invalid(f"columns must have as many cells as each other. {said}")
    return {name: _column(name, column, time) for name, column in columns.items()}


def _column(name: str, column: list[object], time: str | None) -> list[object] | np.ndarray:
    """The cells; as an array where they are plain, because pandas would look at each once more."""
    kinds = set(map(type, column))
    if not kinds <= _SCALARS:
        row = next(place for place, cell in enumerate(column) if type(cell) not in _SCALARS)
        said = f"row {row + 1}, column {name!r}: a cell must be a number, a text, true, false or null"
        raise invalid(f"{said}. Received: {_shown(column[row])}")
    if kinds and kinds <= {int, float}:
        numbers = np.array(column)
        return numbers if numbers.dtype.kind == ("f" if float in kinds else "i") else column
    times = _times(column) if kinds == {str} and name == time else None
    return column if times is None else times


def _times(column: list[Any]) -> np.ndarray | None:
    """Texts like `2024-01-01T00:00:00` as what the kit reads them as, in a tenth of the time; None where one is not."""
    length = len(column[0])
    if length not in _LENGTHS or any(
        len(text) != length or text[4] != "-" or text[7] != "-" or text[0] == "0" for text in column
    ):
        return None
    # Of 19 letters a time may also end in an offset, which NumPy would add to it.
    if length == max(_LENGTHS) and any(text[13] != ":" or text[16] != ":" for text in column):
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
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:100]!r} is given twice in one object")
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON; write null for a missing value")


def _shown(found: object) -> str:
    if isinstance(found, list | dict):
        return f"{'a list' if isinstance(found, list) else 'an object'} of {len(found)}"
    return json.dumps(found, default=str)[:100]
