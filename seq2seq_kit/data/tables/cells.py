"""Checks of a frame's columns and cells: numbers and timestamps. Messages name file, row, column and value."""

import numbers
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.cures import cure_of_cells
from seq2seq_kit.data.tables.written import PLAIN, finite_ones, is_text, read_texts, without_missing
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.format import Format

if TYPE_CHECKING:
    import pyarrow as pa

_LONGEST = 200  # signs of a cell that a message shows
_SHOWN = 5  # columns that one message names
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
        others = ", ".join(str(name) for name in names if name not in needed)
        has = f"It also has {others}" if others else f"It has {', '.join(map(str, names)) or 'no columns'}"
        called = {str(name).strip().lower(): name for name in names}
        if all(name.strip().lower() in called for name in missing):
            has += f" ({', '.join(f'{called[name.strip().lower()]!r} for {name!r}' for name in missing)})"
        rename = f", or name the right one in {key}" if key else ""
        raise DataError(
            f"{origin} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}. {has}; "
            f"rename the column in the file{rename}",
            code="missing_column",
        )
    if rows == 0:
        raise DataError(f"{origin} has a header and no rows; expected rows below the header", code="empty_table")


def plain(column: pd.Series) -> pd.Series:
    """A column as pandas holds it by itself: what Arrow holds as an array of pandas, a category as its values."""
    if isinstance(column.dtype, pd.ArrowDtype):
        import pyarrow as pa  # at the top it would slow down every command

        cells = exact(pa.chunked_array(pa.array(column.array)))
        return pd.Series(cells.array, index=column.index, name=column.name)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(column.cat.categories.dtype if column.notna().all() else object)
    return column


def exact(cells: "pa.ChunkedArray") -> pd.Series:
    """What Arrow holds, as pandas does; whole numbers beside missing ones, too, which floats would round above 2 to the 53rd."""
    import pyarrow as pa

    if pa.types.is_integer(cells.type) and cells.null_count:
        cells = cells.cast(pa.uint64() if pa.types.is_unsigned_integer(cells.type) else pa.int64())
    nullable = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()} if cells.null_count else {}
    read: pd.Series = cells.to_pandas(date_as_object=False, types_mapper=nullable.get)
    return read


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
    total = 0
    told: dict[str, tuple[pd.Series, np.ndarray]] = {}  # the first piece with such cells, and which they are
    for first, piece in pieces:
        column = plain(piece)
        _refuse_kind(column, name, origin)
        total += int(column.notna().sum())
        if is_text(column) and not form.plain_numbers:
            values, unread = read_texts(column, form)
        else:
            read = pd.to_numeric(finite_ones(column), errors="coerce")
            values = np.asarray(read.to_numpy(dtype=np.float64, na_value=np.nan))
            unread = np.isnan(values) & column.notna().to_numpy()
            if unread.any() and is_text(column):  # a minus may be the typographic one
                again, still = read_texts(column[unread], form)
                values = values.copy()
                values[unread], unread[unread] = again, still
        values = without_missing(values, form)
        found = {"a number": unread, "a finite number": np.isinf(values)}
        for expected, cells in found.items():
            rows = np.flatnonzero(cells)
            if rows.size:
                row, received, count = wrong.get(expected, (first + int(rows[0]), column.iloc[int(rows[0])], 0))
                wrong[expected] = (row, received, count + rows.size)
                told.setdefault(expected, (column, cells))
        yield values
    for expected in ("a number", "a finite number"):
        if expected in wrong:
            row, received, count = wrong[expected]
            more = f" (and {count - 1} more such cells)" if count > 1 else ""
            cure = cure_of_cells(*told[expected], row, count=count, total=total, form=form)
            raise DataError(
                f"{origin}, row {row + 1}, column {name}: expected {expected}. Received: "
                f"{_short(received)}{more}. {cure}",
                code="not_a_number",
            )


def _short(cell: object) -> str:
    text = repr(cell) if isinstance(cell, str) else str(cell)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} signs)"


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
