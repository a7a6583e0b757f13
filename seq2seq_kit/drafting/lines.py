"""Files of lines: a token and its label in each, a blank line between sequences."""

from itertools import islice
from pathlib import Path

import pandas as pd

from seq2seq_kit.data.tables.dialect_words import is_date, is_number

_MOST_WITHOUT_A_BLANK = 20_000  # lines
_LOOKED_AT = 200  # lines that show whether the cells are tokens or measured


def read_lines(path: Path) -> pd.DataFrame | None:
    """The cells of a file of tokens and labels, a blank line between sequences; None where it is none."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = [line.rstrip("\r\n") for line in islice(file, _MOST_WITHOUT_A_BLANK)]
            first = next((line for line in lines if line.strip()), "")
            if "\t" not in first or (len(lines) == _MOST_WITHOUT_A_BLANK and all(line.strip() for line in lines)):
                return None
            lines += [line.rstrip("\r\n") for line in file]
    except (OSError, UnicodeDecodeError):
        return None
    cells = [line.split("\t") for line in lines if line.strip()]
    blank = sum(1 for line in lines[:-1] if not line.strip())
    if not cells or len(cells[0]) < 2 or blank < len(cells) / 200 or {len(row) for row in cells} != {len(cells[0])}:
        return None
    if sum(is_number(row[-1]) or is_date(row[0]) for row in cells[:_LOOKED_AT]) > len(cells[:_LOOKED_AT]) / 2:
        return None  # a table with blank lines between its rows
    names = ["token", *(f"column_{number}" for number in range(2, len(cells[0]))), "label"]
    return pd.DataFrame(cells, columns=names, dtype="str")
