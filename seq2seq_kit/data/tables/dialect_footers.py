"""The rows below a table that are none of its own."""

import re
from collections.abc import Sequence

from seq2seq_kit.data.tables.dialect_words import MISSING, is_date, is_number

_MOST_FOOTERS = 20  # beside those that are blank
TOTAL = re.compile(
    r"\W*(grand\s|sub-?)?(total|sum(me)?$|gesamt|zwischensumme|somme|suma$|totaa?l|average|avg|mean$|mittel|durchschnitt|moyenne"
    r"|media$|promedio|\u0438\u0442\u043e\u0433\u043e|\u0432\u0441\u0435\u0433\u043e|\u5408\u8a08)",
    re.IGNORECASE,
)


def count_footers(rows: Sequence[Sequence[str]], kinds: Sequence[str], width: int) -> int:
    """How many of the last rows are none of the table: totals, notes, cells without a time.

    Args:
        rows: All rows below the names.
        kinds: Of their columns: number, date or text.
        width: Cells of a whole row.
    """
    found = told = 0
    for row in reversed(rows):
        if any(cell.strip() for cell in row):
            told += 1
            if told > _MOST_FOOTERS or not _is_a_footer(row, rows, kinds, width):
                break
        found += 1
    return found if found < len(rows) else 0


def _is_a_footer(row: Sequence[str], rows: Sequence[Sequence[str]], kinds: Sequence[str], width: int) -> bool:
    there = [cell.strip() for cell in row if cell.strip()]
    if not there or (width > 2 and len(row) < width - 1 and len(there) <= 2):
        return True
    dates = [row[at].strip() if at < len(row) else "" for at, kind in enumerate(kinds) if kind == "date"]
    if dates and width > 1 and not any(map(is_date, dates)):
        return True
    numbers = [row[at].strip() if at < len(row) else "" for at, kind in enumerate(kinds) if kind == "number"]
    if numbers and not dates and width > 1 and not any(is_number(each) or MISSING.fullmatch(each) for each in numbers):
        return True
    first = there[0]
    alone = sum(first in each for each in rows[-1_000:]) == 1
    return TOTAL.match(first) is not None and not is_number(first) and alone
