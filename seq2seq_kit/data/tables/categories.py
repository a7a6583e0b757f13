"""Columns of words: cells as codes, which values training knew, and columns that do not change within a series.

A code is 0 for a missing cell, 1 for a value that no training row has, and from 2 on a value. A table has codes of its own, in
the order in which its values are met; `recoded` brings them to those of the training rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.cells import plain
from seq2seq_kit.data.tables.pieces import pieces_of
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.format import Format

if TYPE_CHECKING:
    from seq2seq_kit.data.tables.table import Table

MISSING, UNKNOWN, FIRST = 0, 1, 2
MOST_VALUES = 10_000  # of one column; more are names, not categories
MOST_LETTERS = 1_000  # of one value
# Of the values of a category that a linear map has a column of its own for, the most frequent ones: once, and at every step.
MOST_ONCE, MOST_BY_STEP = 500, 32
_NOTED = 5
_NESTED = (list, dict, tuple, set, np.ndarray, bytes)
_TRUTH = ("true", "false")
_NONE = frozenset(("", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "NULL", "null", "None", "<NA>", "NaT", "#N/A", "#NA"))
_WHOLE = re.compile(r"([-+]?\d+)\.0+")

Words = Mapping[str, Sequence[str]]


def read_category(
    column: pd.Series, name: str, origin: str, form: Format, known: Sequence[str] = (), *, first: int = 0
) -> tuple[np.ndarray, list[str]]:
    """The codes of a column of texts, truth values or whole numbers, float64 `(rows,)`, and its values in their order.

    A value is its text, however a table holds it: 1, 1.0 and '1' are one, so are True and 'TRUE'.

    Args:
        column: The cells.
        name: Of the column.
        origin: For messages.
        form: Which words of a file stand for missing.
        known: Values that have their codes already; others follow.
        first: Row of the first cell, for messages.

    Raises:
        DataError: There are too many values or too long ones, or numbers with fractions.
    """
    numbers, cells = pd.factorize(_told_apart(plain(column), name, origin, first))
    missing = _NONE | {str(word).strip() for word in form.missing_words}
    places = {word: FIRST + at for at, word in enumerate(known)}
    codes = np.empty(len(cells) + 1)
    codes[-1] = MISSING  # where `factorize` says -1
    for at, cell in enumerate(cells):
        text = _text(cell)
        if text in missing:
            codes[at] = MISSING
            continue
        if isinstance(cell, float | np.floating) and text != str(int(cell) if np.isfinite(cell) else cell):
            row = first + int(np.flatnonzero(numbers == at)[0]) + 1
            raise DataError(
                f"{origin}, row {row}, column {name}: {text} is a number with a fraction, and data.categories are texts, truth "
                f"values or whole numbers. Leave {name} out of data.categories, or round it",
                code="invalid_category",
            )
        codes[at] = places.setdefault(text, FIRST + len(places))
    if len(places) > MOST_VALUES or any(len(word) > MOST_LETTERS for word in places):
        raise DataError(
            f"{origin}, column {name}: {len(places)} different values; a category has at most {MOST_VALUES}, of "
            f"{MOST_LETTERS} letters. Leave {name} out of data.categories, or join rare values into one",
            code="too_many_categories",
        )
    return codes[numbers], list(places)


def _told_apart(column: pd.Series, name: str, origin: str, first: int) -> pd.Series:
    """Cells that Python takes for equal and that are written differently, True and 1, as different ones."""
    if column.dtype != object:
        return column
    nested = column.map(lambda cell: isinstance(cell, _NESTED)).to_numpy(dtype=bool)
    if nested.any():
        row = int(np.flatnonzero(nested)[0])
        raise DataError(
            f"{origin}, row {first + row + 1}, column {name}: expected a text, a truth value or a whole number. Received: "
            f"{column.iloc[row]!r}. Give one value in each cell, or leave {name} out of data.categories",
            code="invalid_category",
        )
    return column.map(lambda cell: str(cell) if isinstance(cell, bool | np.bool_) else cell)


def _text(cell: object) -> str:
    text = str(cell).strip()
    if text.lower() in _TRUTH:
        return text.capitalize()
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def vocabularies_of(table: Table, rows: np.ndarray) -> dict[str, list[str]]:
    """The values of each category in some rows, the most frequent first; `rows`: `(first, end)` of each series."""
    found = {}
    for name, words in table.words.items():
        position, counts = table.columns.index(name), np.zeros(len(words) + FIRST, np.int64)
        for piece in (piece for first, end in rows for piece in pieces_of(int(first), int(end))):
            codes = np.nan_to_num(table.values[piece, position]).astype(np.int64)
            counts += np.bincount(codes, minlength=len(counts))
        often = counts[FIRST:]
        seen = [at for at in range(len(words)) if often[at]]
        found[name] = [words[at] for at in sorted(seen, key=lambda at: (-often[at], words[at]))]
    return found


def recoded(table: Table, trained: Words) -> dict[int, np.ndarray]:
    """For each category, by its position in the table: the code of training for each code of the table."""
    found = {}
    for name, words in table.words.items():
        places = {word: FIRST + at for at, word in enumerate(trained[name])}
        codes = [MISSING, UNKNOWN, *(places.get(word, UNKNOWN) for word in words)]
        found[table.columns.index(name)] = np.array(codes, dtype=np.float64)
    return found


def unknown_values(table: Table, trained: Words) -> list[str]:
    """A sentence for each category that has values which no training row has."""
    notes = []
    for name, words in table.words.items():
        known, position, there = set(trained[name]), table.columns.index(name), set[int]()
        for piece in pieces_of(0, len(table.values)):
            cells = table.values[piece, position]
            there.update(np.unique(cells[~np.isnan(cells)]).astype(np.int64).tolist())
        unknown = [words[code - FIRST] for code in sorted(there) if code >= FIRST and words[code - FIRST] not in known]
        if unknown:
            said = (
                "1 value is in no training row and stands"
                if len(unknown) == 1
                else f"{len(unknown)} values are in no training row and stand"
            )
            shown = ", ".join(word[:40] for word in unknown[:_NOTED]) + (", ..." if len(unknown) > _NOTED else "")
            notes.append(f"category {name}: {said} for an unknown one: {shown}")
    return notes


def settle(table: Table, static: Iterable[str]) -> Table:
    """Missing categories as a category of their own, static columns the same in all rows of a series.

    Raises:
        DataError: A static column changes within a series; the message names the row.
    """
    names, values = [name for name in static if name in table.columns], table.values[:]
    if not table.words and not names:
        return table
    values = values.copy()
    for name in names:
        column = values[:, table.columns.index(name)]
        gone = np.isnan(column) if name not in table.words else ~(column >= UNKNOWN)
        for first, end in zip(table.bounds[:-1], table.bounds[1:], strict=True):
            there = first + np.flatnonzero(~gone[first:end])
            if not there.size:
                continue
            other = there[column[there] != column[there[0]]]
            if other.size:
                raise DataError(
                    f"{table.origin}, {table.where(int(other[0]))}, column {name}: {_shown(table, name, column[other[0]])} where "
                    f"{table.where(int(there[0]))} has {_shown(table, name, column[there[0]])}, and a column of data.static is "
                    f"the same in all rows of a series. Correct the cell, or name {name} in data.inputs instead",
                    code="not_static",
                )
            column[first:end] = column[there[0]]
    for name in table.words:
        position = table.columns.index(name)
        values[:, position] = np.nan_to_num(values[:, position], nan=MISSING)
    return replace(table, values=values)


def _shown(table: Table, name: str, cell: float) -> str:
    return f"{cell:g}" if name not in table.words else str(table.words[name][int(cell) - FIRST])


def checked_vocabularies(stored: object) -> dict[str, list[str]]:
    """Vocabularies as a bundle stores them.

    Raises:
        ValueError: They are no lists of different texts, or larger than any that training makes.
    """
    if not isinstance(stored, dict):
        raise ValueError(f"vocabularies must be a mapping. Received: {str(stored)[:100]}")
    for name, words in stored.items():
        if (
            not isinstance(words, list)
            or len(words) > MOST_VALUES
            or not all(isinstance(word, str) and len(word) <= MOST_LETTERS for word in words)
            or len(set(words)) < len(words)
        ):
            raise ValueError(
                f"the values of the category {str(name)[:100]} must be at most {MOST_VALUES} texts, each once. "
                f"Received: {str(words)[:100]}"
            )
    return stored


def category_sizes(trained: Words, names: Iterable[str]) -> list[int]:
    """How many codes each category has, those of missing and unknown ones included."""
    return [FIRST + len(trained[name]) for name in names]


def indicator_columns(sizes: Sequence[int], fixed: int) -> list[int]:
    """Columns of 0 and 1 that a linear map gets for each category; rarer values share the last one.

    The `fixed` first categories are seen once, the others at every step.
    """
    return [min(size, FIRST + (MOST_ONCE if at < fixed else MOST_BY_STEP)) for at, size in enumerate(sizes)]


def read_categories(
    frame: pd.DataFrame, names: Sequence[str], origin: str, form: Format, known: Words
) -> tuple[list[np.ndarray], dict[str, list[str]]]:
    """The codes of several columns, and their values by name; see `read_category`."""
    read = {name: read_category(frame[name], name, origin, form, known.get(name, ())) for name in names}
    return [codes for codes, _ in read.values()], {name: words for name, (_, words) in read.items()}
