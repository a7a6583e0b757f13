"""What to do about cells of a column that are no numbers: a key of `data.format` where the column shows that it is written so.

A key is for a way of writing, and one cell is none: advice that rests on a slip would have the slip read as a number.
"""

import re

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.dialect import spelled
from seq2seq_kit.data.tables.dialect_cells import read_cells_of
from seq2seq_kit.data.tables.dialect_lines import Lines
from seq2seq_kit.data.tables.dialect_signs import is_few
from seq2seq_kit.data.tables.dialect_words import CELL, MISSING, is_unit
from seq2seq_kit.data.tables.written import PLAIN, TRUTH, read_texts
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.format import Format

_SHOWN = 5  # words that one message names
_TELLING = 3  # cells; of one or two, such as a row of a stream, nobody sees what the column is
_LOOKED_AT = 1_000  # cells that are no numbers
_SAMPLED = 100_000  # others of the column
_INFINITE = r"(?i:[-+]?inf(inity)?)"  # a number that is not finite, as NumPy writes it
_THOUSANDS = r"[-+]?\d{1,3}(,\d{3})+"
_TRUTH = rf"(?i:{'|'.join(TRUTH)})"


def cure_of_cells(
    column: pd.Series, wrong: np.ndarray, row: int, *, count: int, total: int, form: Format = PLAIN
) -> str:
    """A sentence for a message.

    Args:
        column: Cells of which some are wrong: a column, or the first piece of it that has such cells.
        wrong: Which of them are no numbers, or no finite ones.
        row: The first wrong row of the table, from 0 on.
        count: Wrong cells of the whole column.
        total: Cells of the whole column that are not missing.
        form: As which the cells were read.
    """
    texts = [str(cell).strip() for cell in column[wrong].iloc[:_LOOKED_AT]]
    if row == 0 and count == 1 < total and is_unit(texts[0]):
        return "If the row below the names has units, set data.format.first_row: 3 in the recipe, the line of the first values"
    keys, cured = _keys(column, wrong, form)
    other = [word for word in _units_of(keys.get("strip")) if word.lower() not in map(str.lower, form.strip)]
    if other and (own := _units_of(form.strip)):
        return (
            f"Numbers with {', '.join(other)} are of another unit than those with {', '.join(own)}, which the recipe has: "
            "convert them"
        )
    if keys.keys() - {"missing_words"} and not is_few(cured, total):
        more = ", and choose data.missing" if "missing_words" in keys else ""
        seen = f"{cured:,} of {int(column.notna().sum()):,} cells"
        return f"{seen} look like numbers as people write them. Set in the recipe: {spelled(keys)}{more}"
    if _all(_THOUSANDS, texts) and not is_few(count, total):
        return (
            f"{count:,} of {total:,} cells look like numbers with commas between thousands: set data.format.thousands: ',' in "
            "the recipe, or data.format.decimal: ',' where 1,234 is a little more than 1"
        )
    if _all(_TRUTH, texts) and count == total:
        return "These are truth values: set data.format.booleans: true in the recipe, which makes them 1 and 0"
    if _all(MISSING.pattern, texts) and not _is_one(count, total):
        words = sorted(set(texts))[:_SHOWN]
        return (
            f"{count:,} of {total:,} cells are like that. If it stands for a missing value, set data.format.missing_words: "
            f"{words} in the recipe, and choose data.missing"
        )
    if count > total / 2 and total >= _TELLING and not _all(_INFINITE, texts):
        return (
            "This is a column of texts: name it in data.categories (recipes on windows), leave it out, or write numbers"
        )
    cells, it, stands = ("the cell", "it", "stands") if count == 1 else ("these cells", "they", "stand")
    others = f": {total - count:,} others of the column are numbers" if total > count else ""
    if any(map(CELL.fullmatch, texts)):  # a number with something about it, and no word
        return f"Correct {cells}{others}; or leave {it if count == 1 else 'them'} empty, and choose data.missing in the recipe"
    return (
        f"Correct {cells}{others}; or, if {it} {stands} for a missing value, leave {it if count == 1 else 'them'} empty or name "
        f"{it if count == 1 else 'them'} in data.format.missing_words, and choose data.missing in the recipe"
    )


def _units_of(strip: object) -> list[str]:
    """The units among what is stripped; signs such as % are none."""
    return [word for word in strip if word.isalpha()] if isinstance(strip, list | tuple) else []


def _keys(column: pd.Series, wrong: np.ndarray, form: Format) -> tuple[dict[str, object], int]:
    """Keys of the format that the whole column speaks for, and how many of its wrong cells are numbers by them."""
    usual = column[~wrong].dropna()
    shown = pd.concat([column[wrong].iloc[:_LOOKED_AT], usual.iloc[:: 1 + len(usual) // _SAMPLED]])
    cells = [[str(cell)] for cell in shown]
    try:
        found, _ = read_cells_of(Lines("", "", ["these"], cells), "the cells")
    except DataError:
        return {}, 0
    for key in ("strip", "missing_words"):
        more, own = found.get(key), getattr(form, key)
        if isinstance(more, list):
            found[key] = [*own, *(each for each in more if each not in own)]
    new = {key: value for key, value in found.items() if form.given.get(key) != value}
    if not new:
        return {}, 0
    _, left = read_texts(column[wrong], form.model_copy(update=new))
    return new, int((~left).sum())


def _is_one(count: int, total: int) -> bool:
    return count <= 1 and is_few(count, total)


def _all(form: str, texts: list[str]) -> bool:
    return all(re.fullmatch(form, text) for text in texts)
