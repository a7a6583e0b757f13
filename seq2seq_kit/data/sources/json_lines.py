"""Files of JSON Lines: an object in each line, whose keys name the columns."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.cells import refuse_duplicates
from seq2seq_kit.data.tables.text_bytes import read_bytes
from seq2seq_kit.errors import DataError

JSON_LINES = (".jsonl", ".ndjson")
_SHOWN = 60
_HALF = "\\ud"  # of a character beyond the first plane; the other half may be absent, and the text no text then


def read_json_lines(path: Path, *, texts: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of a file of JSON Lines; a key that an object lacks is an empty cell, and empty lines are none.

    A column that holds texts beside numbers is one of texts, as in a CSV file. Lists and objects stay as they are.

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
    lines = text.split("\n" if "\n" in text else "\r")
    columns: dict[str, list[object]] = {}
    rows = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        for name, cell in _object(line, path, number).items():
            cells = columns.setdefault(name, [])
            cells.extend([None] * (rows - len(cells)))
            cells.append(cell)
        rows += 1
    if not columns:
        raise DataError(f"{path} is empty; expected an object in each line", code="empty_table")
    for cells in columns.values():
        cells.extend([None] * (rows - len(cells)))
    return pd.DataFrame({name: _column(cells, as_text=name in texts) for name, cells in columns.items()})


def _object(line: str, path: Path, number: int) -> dict[str, object]:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        refuse_duplicates((name for name, _ in pairs), f"{path}, line {number},")
        return dict(pairs)

    try:
        found = json.loads(line, object_pairs_hook=unique)
        if _HALF in line.lower():
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        said = f"{error.msg} at letter {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise DataError(
            f"{path}, line {number}: not readable as JSON ({said}). Expected an object in each line, such as "
            f'{{"time": "2024-01-31", "sold": 7}}. Received: {_shown(line)}',
            code="unreadable_file",
        ) from None
    if not isinstance(found, dict):
        raise DataError(
            f'{path}, line {number}: expected an object, such as {{"time": "2024-01-31", "sold": 7}}. Received: {_shown(line)}. '
            f"If the file is a single list of objects, write it anew: pandas.read_json({str(path)!r})"
            ".to_csv('rows.csv', index=False)",
            code="unreadable_file",
        )
    return found


def _column(cells: list[object], *, as_text: bool) -> pd.Series:
    there = [cell for cell in cells if cell is not None]
    if not there:
        return pd.Series(np.full(len(cells), np.nan))
    if not any(isinstance(cell, list | dict) for cell in there) and (
        as_text or any(isinstance(cell, str) for cell in there)
    ):
        return pd.Series([_text(cell) for cell in cells], dtype="str")
    return pd.Series(cells)


def _text(cell: object) -> str | None:
    return cell if cell is None or isinstance(cell, str) else json.dumps(cell)


def _shown(line: str) -> str:
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
