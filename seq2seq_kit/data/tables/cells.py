"""Checks of a frame's columns and cells: numbers and timestamps. Messages name file, row, column and value."""

import numbers
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.dialect import spelled
from seq2seq_kit.data.tables.dialect_cells import read_cells_of
from seq2seq_kit.data.tables.dialect_lines import Lines
from seq2seq_kit.data.tables.dialect_words import MISSING, is_unit
from seq2seq_kit.data.tables.written import PLAIN, TRUTH, is_text, read_texts, without_missing
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.format import Format

_SHOWN = 5  # columns that one message names
_TELLING = 3  # cells; of one or two, such as a row of a stream, nobody sees what the column is
_LOOKED_AT = 1_000
# By pandas' word for a kind of cells: what it is called, and what to do.
_NO_NUMBERS = (
    (
        ("datetime64", "datetime", "date"),
        "timestamps",
        "Name the column in data.time, or take features of it with data.calendar",
    ),
    (("timedelta64", "timedelta"), "durations", "Choose a unit: frame[{name}].dt.total_seconds()"),
    (("period",), "periods", "Name a column of timestamps in data.time, or give numbers: frame[{name}].dt.month"),
    (("complex",), "complex numbers", "Give two columns: numpy.real and numpy.imag of it"),
    (("interval",), "intervals", "Choose a number of each: frame[{name}].array.mid"),
    (("bytes",), "bytes", "Decode them to numbers: frame[{name}].str.decode('utf-8').astype(float)"),
    (("time",), "times of day", "Name them behind the column of the dates in data.time: [<dates>, {name}]"),
    (("mixed",), "cells of another kind", "Give one number in each cell"),
)
# Cells that tell nothing of their column by themselves, and how to read them; all cells that are looked at are like that.
_WRITTEN = (
    (
        r"[-+]?\d{1,3}(,\d{3})+",
        "These look like numbers with commas between thousands: set data.format.thousands: ',' in the recipe, or "
        "data.format.decimal: ',' where 1,234 is a little more than 1",
    ),
    (
        rf"(?i:{'|'.join(TRUTH)})",
        "These are truth values: set data.format.booleans: true in the recipe, which makes them 1 and 0",
    ),
    (
        MISSING.pattern,
        "If it stands for a missing value, set data.format.missing_words: {words} in the recipe, and choose data.missing",
    ),
)


def refuse_duplicates(names: Iterable[object], origin: str) -> None:
    """Raises `DataError` where a column has the name of another."""
    duplicate = sorted(str(name) for name, count in Counter(names).items() if count > 1)
    if duplicate:
        said = f"{origin} names the column {', '.join(duplicate)} more than once; rename or remove one of them"
        raise DataError(said, code="duplicate_column")


def require_columns(
    names: Iterable[object],
    wanted: Sequence[str],
    origin: str,
    *,
    rows: int | None = None,
    key: str | None = "the recipe",
    index: Sequence[object] = (),
) -> None:
    """Refuses a table without `wanted` columns or without rows; what is said of a missing column is said here only.

    Args:
        names: Columns that it has.
        wanted: Columns that are needed.
        origin: Name of the table for messages.
        rows: How many rows it has; None: they are not checked.
        key: Where another column can be named; None: nowhere.
        index: Names of its index, where it is a frame.

    Raises:
        DataError: A wanted column is missing or duplicate, or there are no rows.
    """
    names, needed = list(names), set(wanted)
    refuse_duplicates((name for name in names if name in needed), origin)
    present = set(names)
    missing = [name for name in wanted if name not in present]
    if missing:
        if all(name in index for name in missing):
            raise DataError(
                f"{origin} has {', '.join(missing)} as the name of its index and not as a column. Make it one: "
                "frame.reset_index()",
                code="missing_column",
            )
        others = ", ".join(str(name) for name in names if name not in needed) or "no other columns"
        rename = f", or name the right one in {key}" if key else ""
        raise DataError(
            f"{origin} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}. It also has {others}; "
            f"rename the column in the file{rename}",
            code="missing_column",
        )
    if rows == 0:
        raise DataError(f"{origin} has a header and no rows; expected rows below the header", code="empty_table")


def plain(column: pd.Series) -> pd.Series:
    """A column as pandas holds it by itself: what Arrow holds as an array of pandas, a category as its values."""
    if isinstance(column.dtype, pd.ArrowDtype):
        import pyarrow as pa  # at the top it would slow down every command

        return pd.Series(pa.chunked_array(pa.array(column.array)).to_pandas(), index=column.index, name=column.name)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(column.cat.categories.dtype if column.notna().all() else object)
    return column


def shown(column: pd.Series) -> str:
    """The first cell that is there, for messages; a text in quotes."""
    cell = next(iter(column.dropna()), None)
    return repr(cell) if isinstance(cell, str | bytes) else str(cell)


def read_columns(frame: pd.DataFrame, names: Sequence[str], origin: str, *, form: Format = PLAIN) -> list[np.ndarray]:
    """The numbers of some columns.

    Raises:
        DataError: Cells are no numbers or infinite; all such columns are told at once.
    """
    found, wrong = [], []
    for name in names:
        try:
            found.append(read_numbers(frame, name, origin, form=form))
        except DataError as error:
            wrong.append(error)
    if wrong:
        more = [f"and {len(wrong) - _SHOWN} more columns"] if len(wrong) > _SHOWN else []
        raise DataError("\n".join([*map(str, wrong[:_SHOWN]), *more]), code=wrong[0].code)
    return found


def read_numbers(frame: pd.DataFrame, name: str, origin: str, *, form: Format = PLAIN) -> np.ndarray:
    """The numbers of a whole column, see `read_cells`."""
    (values,) = read_cells([(0, frame[name])], name, origin, form=form)
    return values


def read_cells(
    pieces: Iterable[tuple[int, pd.Series]], name: str, origin: str, *, form: Format = PLAIN
) -> Iterator[np.ndarray]:
    """The numbers of a column, piece by piece, NaN where a cell is missing; a piece is its first row and its cells.

    `form`: how numbers are written where a cell is a text, the recipe's `data.format`.

    Raises:
        DataError: The column is of another kind (times, durations, periods, complex numbers, bytes); after the last piece: a
            cell is no number or infinite.
    """
    wrong: dict[str, tuple[int, object, int]] = {}
    texts: list[str] = []
    total = 0
    for first, piece in pieces:
        column = plain(piece)
        _refuse_kind(column, name, origin)
        total += len(column)
        if is_text(column) and not form.plain_numbers:
            values, unread = read_texts(column, form)
        else:
            read = pd.to_numeric(column, errors="coerce")
            values = np.asarray(read.to_numpy(dtype=np.float64, na_value=np.nan))
            unread = np.isnan(values) & column.notna().to_numpy()
        values = without_missing(values, form)
        found = {"a number": unread, "a finite number": np.isinf(values)}
        for expected, cells in found.items():
            rows = np.flatnonzero(cells)
            if rows.size:
                row, received, count = wrong.get(expected, (first + int(rows[0]), column.iloc[int(rows[0])], 0))
                wrong[expected] = (row, received, count + rows.size)
                texts = texts or [str(cell) for cell in column.iloc[rows[:_LOOKED_AT]]]
        yield values
    for expected in ("a number", "a finite number"):
        if expected in wrong:
            row, received, count = wrong[expected]
            more = f" (and {count - 1} more such cells)" if count > 1 else ""
            raise DataError(
                f"{origin}, row {row + 1}, column {name}: expected {expected}. "
                f"Received: {repr(received) if isinstance(received, str) else received}{more}. {_cure(texts, row, count, total)}",
                code="not_a_number",
            )


def _refuse_kind(column: pd.Series, name: str, origin: str) -> None:
    """Raises `DataError` for what pandas would turn into numbers that nobody meant."""
    dtype = column.dtype
    if dtype.kind in "fiub" and isinstance(dtype, np.dtype):
        return
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "mixed" or kind == "mixed-integer":
        strange = [cell for cell in column.dropna() if not isinstance(cell, numbers.Real | Decimal | str | np.bool_)]
        kind = pd.api.types.infer_dtype(strange[:1], skipna=True) if strange else "string"
        column = pd.Series(strange[:1], dtype=object) if strange else column
    if isinstance(dtype, pd.IntervalDtype):
        kind = "interval"
    for kinds, received, cure in _NO_NUMBERS:
        if kind in kinds:
            cure = cure.format(name=repr(name))
            raise DataError(
                f"{origin}, column {name}: expected numbers. Received {received} such as {shown(column)}. {cure}",
                code="not_a_number",
            )


def _cure(texts: Sequence[str], row: int, count: int, total: int) -> str:
    """What to do about cells that are no numbers, by how they are written."""
    if row == 0 and count == 1 < total and is_unit(texts[0]):
        return "If the row below the names has units, set data.format.first_row: 3 in the recipe, the line of the first values"
    try:
        # Readable cells of the column are not among them, so what these leave open is not settled here.
        keys, _ = read_cells_of(Lines("", "", ["these"], [[text] for text in texts]), "the cells")
    except DataError:
        keys = {}
    if keys.keys() - {"missing_words"}:
        more = ", and choose data.missing" if "missing_words" in keys else ""
        return f"These look like numbers as people write them. Set in the recipe: {spelled(keys)}{more}"
    for form, said in _WRITTEN:
        if all(re.fullmatch(form, text.strip()) for text in texts):
            return said.format(words=sorted(set(texts))[:_SHOWN])
    if count > total / 2 and total >= _TELLING:
        return (
            "This is a column of texts: name it in data.categories (recipes on windows), leave it out, or write numbers"
        )
    return (
        "Correct the cell; or, if it stands for a missing value, leave it empty or name it in data.format.missing_words, and "
        "choose data.missing in the recipe"
    )
