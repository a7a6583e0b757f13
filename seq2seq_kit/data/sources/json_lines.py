"""Files of JSON Lines: an object in each line, whose keys name the columns."""

import json
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.cells import refuse_duplicates
from seq2seq_kit.data.tables.text_bytes import read_bytes
from seq2seq_kit.errors import DataError

JSON_LINES = (".jsonl", ".ndjson")
_SHOWN = 60
_TOGETHER = 10_000  # lines whose objects are held at a time
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character; without its other half a text is none
_EXAMPLE = '{"time": "2024-01-31", "sold": 7}'


class _TwiceError(Exception):
    """An object has a key twice; its keys."""


def read_json_lines(path: Path, *, texts: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of a file of JSON Lines; a key that an object lacks is an empty cell, and empty lines are none.

    A column that holds texts beside numbers is one of texts; `NaN` is an empty cell there. Lists and objects stay as they are.

    Args:
        path: Of the file, which may be packed (.gz, .bz2, .xz, .zst, .zip).
        texts: Columns whose cells are taken as texts.

    Raises:
        DataError: The file cannot be read, is not in UTF-8, or a line holds no object, or an object has a key twice.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except Exception as error:  # each way of packing has errors of its own
        raise DataError(
            f"{path} is not a readable file of JSON Lines in UTF-8: {error}. Write it anew", code="unreadable_file"
        ) from None
    halves = _HALF.search(text) is not None
    lines = enumerate(text.split("\n" if "\n" in text else "\r"), start=1)
    columns: dict[str, list[object]] = {}
    count = 0
    filled = (line for line in lines if line[1].strip())
    while rows := [_object(line, path, number, halves=halves) for number, line in islice(filled, _TOGETHER)]:
        for name in dict.fromkeys(name for row in rows for name in row):
            columns.setdefault(name, [None] * count)
        for name, cells in columns.items():
            cells.extend([row.get(name) for row in rows])
        count += len(rows)
    if not columns:
        raise DataError(f"{path} is empty; expected an object in each line", code="empty_table")
    return pd.DataFrame({name: _column(cells, as_text=name in texts) for name, cells in columns.items()})


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _TwiceError(*(name for name, _ in pairs))
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def _object(line: str, path: Path, number: int, *, halves: bool) -> dict[str, object]:
    try:
        found = _DECODER.decode(line)
        if halves:
            json.dumps(found, ensure_ascii=False).encode()
    except _TwiceError as twice:
        refuse_duplicates(twice.args, f"{path}, line {number},")
        raise
    except (ValueError, RecursionError) as error:
        said = f"{error.msg} at letter {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise DataError(
            f"{path}, line {number}: not readable as JSON ({said}). Expected an object in each line, such as {_EXAMPLE}. "
            f"Received: {_shown(line)}",
            code="unreadable_file",
        ) from None
    if not isinstance(found, dict):
        raise DataError(
            f"{path}, line {number}: expected an object, such as {_EXAMPLE}. Received: {_shown(line)}. If the file is a single "
            f"list of objects, write it anew: pandas.read_json({str(path)!r}).to_csv('rows.csv', index=False)",
            code="unreadable_file",
        )
    return found


def _column(cells: list[object], *, as_text: bool) -> pd.Series:
    kinds = {type(cell) for cell in cells}
    if kinds == {type(None)}:
        return pd.Series(np.full(len(cells), np.nan))
    if (as_text or str in kinds) and not kinds & {list, dict}:
        return pd.Series([_text(cell) for cell in cells], dtype="str")
    return pd.Series(cells)


def _text(cell: object) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    return None if isinstance(cell, float) and np.isnan(cell) else str(cell)


def _shown(line: str) -> str:
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
