"""Files of lines: a token and its label in each, a blank line between sequences."""

from itertools import islice
from pathlib import Path

import pandas as pd

from seq2seq_kit.data.tables.dialect_words import DOCUMENT, is_date, is_number

_MOST_WITHOUT_A_BLANK = 20_000  # lines
_LOOKED_AT = 200  # lines that show whether the cells are tokens or measured


def read_lines(path: Path) -> tuple[pd.DataFrame, dict[str, object]] | None:
    """The cells of a file of tokens and labels, a blank line between sequences, and its `format`; None where it is none."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = [line.rstrip("\r\n") for line in islice(file, _MOST_WITHOUT_A_BLANK)]
            first = next((line for line in lines if line.strip()), "")
            tabs = "\t" in first
            if len(_cells(first, tabs=tabs)) < 2 or (
                len(lines) == _MOST_WITHOUT_A_BLANK and all(map(str.strip, lines))
            ):
                return None
            lines += [line.rstrip("\r\n") for line in file]
    except (OSError, UnicodeDecodeError):
        return None
    cells = [_cells(line, tabs=tabs) for line in lines if line.strip()]
    cells = [row for row in cells if row[0] != DOCUMENT]
    blank = sum(1 for line in lines[:-1] if not line.strip())
    if not cells or len(cells[0]) < 2 or blank < len(cells) / 200 or {len(row) for row in cells} != {len(cells[0])}:
        return None
    if sum(is_number(row[-1]) or is_date(row[0]) for row in cells[:_LOOKED_AT]) > len(cells[:_LOOKED_AT]) / 2:
        return None  # a table with blank lines between its rows
    names = ["token", *(f"column_{number}" for number in range(2, len(cells[0]))), "label"]
    return pd.DataFrame(cells, columns=names, dtype="str"), {} if tabs else {"format": {"delimiter": "whitespace"}}


def _cells(line: str, *, tabs: bool) -> list[str]:
    """Of a line by tabs, or by blanks where no comma or the like separates them."""
    if tabs:
        return line.split("\t")
    return [line] if line.count(",") > 1 or ";" in line.strip(" ;") else line.split()
