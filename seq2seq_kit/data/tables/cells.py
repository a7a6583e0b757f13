"""Checks of a frame's columns and cells: numbers and timestamps. Messages name file, row, column and value."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from seq2seq_kit.errors import DataError


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
) -> None:
    """Refuses a table without `wanted` columns or without rows; what is said of a missing column is said here only.

    Args:
        names: Columns that it has.
        wanted: Columns that are needed.
        origin: Name of the table for messages.
        rows: How many rows it has; None: they are not checked.
        key: Where another column can be named; None: nowhere.

    Raises:
        DataError: A wanted column is missing or duplicate, or there are no rows.
    """
    names, needed = list(names), set(wanted)
    refuse_duplicates((name for name in names if name in needed), origin)
    present = set(names)
    missing = [name for name in wanted if name not in present]
    if missing:
        others = ", ".join(str(name) for name in names if name not in needed) or "no other columns"
        rename = f", or name the right one in {key}" if key else ""
        raise DataError(
            f"{origin} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}. It also has {others}; "
            f"rename the column in the file{rename}",
            code="missing_column",
        )
    if rows == 0:
        raise DataError(f"{origin} has a header and no rows; expected rows below the header", code="empty_table")


def read_numbers(frame: pd.DataFrame, name: str, origin: str) -> np.ndarray:
    """The numbers of a whole column, see `read_cells`."""
    (values,) = read_cells([(0, frame[name])], name, origin)
    return values


def read_cells(pieces: Iterable[tuple[int, pd.Series]], name: str, origin: str) -> Iterator[np.ndarray]:
    """The numbers of a column, piece by piece, NaN where a cell is missing; a piece is its first row and its cells.

    Raises:
        DataError: After the last piece: a cell is no number or infinite.
    """
    wrong: dict[str, tuple[int, object, int]] = {}
    for first, column in pieces:
        if pd.api.types.is_datetime64_any_dtype(column):
            raise DataError(
                f"{origin}, column {name}: expected numbers. Received timestamps such as {column.iloc[0]}. Name it in "
                "data.time, or take features of it with data.calendar",
                code="not_a_number",
            )
        numbers = pd.to_numeric(column, errors="coerce")
        values = np.asarray(numbers.to_numpy(dtype=np.float64, na_value=np.nan))
        found = {"a number": np.isnan(values) & column.notna().to_numpy(), "a finite number": np.isinf(values)}
        for expected, cells in found.items():
            rows = np.flatnonzero(cells)
            if rows.size:
                row, received, count = wrong.get(expected, (first + int(rows[0]), column.iloc[int(rows[0])], 0))
                wrong[expected] = (row, received, count + rows.size)
        yield values
    for expected in ("a number", "a finite number"):
        if expected in wrong:
            row, received, count = wrong[expected]
            more = f" (and {count - 1} more such cells)" if count > 1 else ""
            raise DataError(
                f"{origin}, row {row + 1}, column {name}: expected {expected}. "
                f"Received: {repr(received) if isinstance(received, str) else received}{more}. "
                "Correct the cell, or leave it empty and choose data.missing in the recipe",
                code="not_a_number",
            )


def read_times(
    column: pd.Series, time: str, origin: str, *, first: int = 0, example: pd.Timestamp | None = None
) -> pd.DatetimeIndex:
    """The timestamps of a column, or of a piece of it that begins in row `first`; `example` is one from before the piece.

    Raises:
        DataError: They are no timestamps, or one is missing.
    """
    if pd.api.types.is_numeric_dtype(column):
        raise DataError(
            f"{origin}, column {time}: expected timestamps such as 2024-01-31 13:00. Received: {column.iloc[0]}. "
            "A column of numbers is not read as dates; write the dates out, or drop `time` and `every`",
            code="invalid_timestamp",
        )
    try:
        # `to_datetime` would copy what is a column of timestamps already.
        read = pd.api.types.is_datetime64_any_dtype(column)
        times = column if read else pd.to_datetime(column, errors="coerce", format=None)
    except ValueError:  # offsets that change with the clocks; errors="coerce" does not cover them
        raise DataError(
            f"{origin}, column {time}: the timestamps have different offsets from UTC, such as {column.iloc[0]} and "
            f"{column.iloc[-1]}; write all of them in UTC",
            code="mixed_utc_offsets",
        ) from None
    bad = np.flatnonzero(times.isna().to_numpy())
    if bad.size:
        row = int(bad[0])
        like = example if example is not None else next(iter(column.dropna()), "2024-01-31 13:00")
        raise DataError(
            f"{origin}, row {first + row + 1}, column {time}: expected a timestamp like {str(like)!r}. "
            f"Received: {column.iloc[row]!r}. Correct it (dates year first, 2024-01-31) or drop the row",
            code="invalid_timestamp",
        )
    return pd.DatetimeIndex(times)
