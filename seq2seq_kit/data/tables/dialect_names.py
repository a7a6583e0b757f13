"""Which line of a file of text names the columns, and where the rows of values begin."""

import re
from collections.abc import Sequence

from seq2seq_kit.data.tables.dialect_words import MISSING, is_date, is_number, is_unit

_SENTENCE = re.compile(r"[.!?\u2026\u3002\uff01\uff1f]\W*$")
_SHORT = re.compile(r"(?i)ts|rn|smp|avg|std|min|max|tot|sum|mean|med|wvc|[a-z]?deg[ ._]?[a-z]?")
_MOSTLY = 0.8
_COUNTED = 4  # numbers of a line that follow each other, from which they are names: 1960, 1961, 1962, 1963
_FEW_LABELS, _OFTEN = 20, 0.05  # different values of a column of labels, and how often one stands that is no name


def names_and_first(rows: Sequence[Sequence[str]], told: Sequence[Sequence[str]], width: int) -> tuple[int, int]:
    """The positions of the line of names and of the first row of values."""
    full = [row for row in told if len(row) == width]
    surplus = width > 1 and not any(row[-1].strip() for row in full)
    widths = (width, width - 1) if surplus else (width,)
    below = full[len(full) // 2 :][:200]
    kinds = kinds_of_columns(below, width)
    first = next((at for at, row in enumerate(rows) if _is_of_kinds(row, kinds, width)), None)
    if first is None:  # there are texts only, or no row at all
        there = (at for at, row in enumerate(rows) if len(row) in widths and 2 * sum(map(bool, row)) > width)
        header = next((at for at in there if not rows[at][0].startswith("#")), 0)
        return header, header + 1
    above = [at for at in range(first) if len(rows[at]) in widths and 2 * sum(map(bool, rows[at])) > width]
    named = [at for at in above if not _has_units(rows[at], kinds)]
    # What loggers write below the names: TS, RN, Deg C and Smp, Avg.
    plain = [
        at
        for at in named
        if not all(is_unit(cell) or _SHORT.fullmatch(cell.strip()) for cell in rows[at] if cell.strip())
    ]
    if plain and len(set(rows[plain[-1]])) == len(rows[plain[-1]]):
        named = plain
    # Of two lines the names are the one in which none is there twice, as units may be.
    named = [at for at in named if len(set(rows[at])) == len(rows[at])] or named
    header = named[-1] if named else above[0] if above else first
    # A row with a time and a word that is unknown (`2024-01-01,M,61`) is a row, where a line of names stands above it.
    rowlike = [at for at in named if _has_a_value(rows[at], kinds)]
    names = [at for at in named if at not in rowlike]
    if names and header in rowlike:
        header = names[-1]
        first = next(at for at in rowlike if at > header)
    return header, max(first, header + 1)


def is_a_row(first: Sequence[str], rows: Sequence[Sequence[str]], kinds: Sequence[str]) -> bool:
    """Whether the line of names is none: numbers and times where the rows have them; of texts sentences or a label."""
    told = [(cell, kind) for cell, kind in zip(first, kinds, strict=False) if kind != "text"]
    if not told:
        places = range(len(first))
        return len(rows) > 1 and any(_is_a_sentence(at, first, rows) or _is_a_label(at, first, rows) for at in places)
    if not all(is_date(cell) if kind == "date" else is_number(cell) for cell, kind in told):
        return False
    digits = sum(cell.strip().isdecimal() for cell in first)
    counted = digits >= _COUNTED and all(cell.strip().isdecimal() for cell, _ in told if cell.strip())
    return not (digits >= len(first) - 1 or counted) or not count_up(first)


def _is_a_sentence(at: int, first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    ends = [_SENTENCE.search(row[at]) is not None for row in rows if at < len(row)]
    return _SENTENCE.search(first[at]) is not None and sum(ends) >= _MOSTLY * len(ends) > 0


def _is_a_label(at: int, first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a column has few values and that of the first line again and again, which no repeated line of names explains."""
    cells = [row[at] for row in rows if at < len(row)]
    few = 1 < len(set(cells)) <= _FEW_LABELS <= len(cells)
    return few and cells.count(first[at]) >= _OFTEN * len(cells) and list(first) not in map(list, rows)


def _has_a_value(row: Sequence[str], kinds: Sequence[str]) -> bool:
    """Whether a cell is a time, or a number, where the column has such."""
    told = [(cell.strip(), kind) for cell, kind in zip(row, kinds, strict=False) if kind != "text"]
    return any(is_date(cell) if kind == "date" else is_number(cell) for cell, kind in told)


def _is_of_kinds(row: Sequence[str], kinds: Sequence[str], width: int) -> bool:
    """Whether a row has numbers and times where the others have them."""
    if len(row) != width:
        return False
    told = [(cell.strip(), kind) for cell, kind in zip(row, kinds, strict=True) if kind != "text" and cell.strip()]
    right = [is_date(cell) if kind == "date" else is_number(cell) for cell, kind in told]
    return any(right) and all(good or MISSING.fullmatch(cell) for good, (cell, _) in zip(right, told, strict=True))


def _has_units(row: Sequence[str], kinds: Sequence[str]) -> bool:
    cells = [cell.strip() for cell, kind in zip(row, kinds, strict=False) if kind == "number" and cell.strip()]
    return bool(cells) and all(map(is_unit, cells))


def kinds_of_columns(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """What most cells of each column are."""
    return [kind_of_cells([row[at] for row in rows if at < len(row)]) for at in range(width)]


def kind_of_cells(cells: Sequence[str]) -> str:
    """What most cells of a column are: number, date or text."""
    there = [cell for cell in cells[:5_000] if cell.strip()]
    for kind, check in (("date", is_date), ("number", is_number)):
        if there and sum(map(check, there)) >= 0.8 * len(there):
            return kind
    return "text"


def count_up(cells: Sequence[str]) -> bool:
    """Whether the whole numbers among some cells count up: 0, 1, 2 or 2019, 2020, 2021 are names."""
    digits = [int(cell) for cell in map(str.strip, cells) if cell.isdecimal()]
    return len(digits) > 1 and digits == list(range(digits[0], digits[0] + len(digits)))
