"""Names of series and of answer columns: text as it is written, and never one for two things."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.cells import plain
from seq2seq_kit.errors import DataError


def read_names(column: pd.Series, name: str, origin: str) -> tuple[np.ndarray, list[str]]:
    """The series of each row, as a position among the names, which are texts in the order of their first rows.

    Raises:
        DataError: A row has no name, or two names are the same text, such as the number 1 and the text '1'.
    """
    cells = plain(column)
    missing = np.flatnonzero((cells.isna() | (cells.astype("str") == "")).to_numpy())
    if missing.size:
        raise DataError(
            f"{origin}, row {missing[0] + 1}, column {name}: the series has no name; give it one or drop the row. "
            "(pandas.read_csv "
            "takes NA, null and None for missing: keep_default_na=False leaves them as they stand)",
            code="missing_series_name",
        )
    refuse_ambiguous(cells, name, origin)
    codes, names = pd.factorize(cells if cells.dtype != object else cells.map(str))
    return codes, [str(each) for each in names]


def read_series(frame: pd.DataFrame, columns: Sequence[str], origin: str) -> tuple[np.ndarray, list[str]]:
    """The series of each row and their names, as `read_names`; of several columns each name is theirs, joined.

    Raises:
        DataError: See `read_names`.
    """
    read = [read_names(frame[column], column, origin) for column in columns]
    if len(read) == 1:
        return read[0]
    together = np.zeros(len(frame), dtype=np.int64)
    for codes, names in read:  # few columns of int64 hold every combination that a table can have
        together, _ = pd.factorize(together * len(names) + codes)
    codes, _ = pd.factorize(together)
    firsts = np.flatnonzero(~pd.Series(codes).duplicated())
    return codes, [joined_name([names[own[row]] for own, names in read]) for row in firsts]


def joined_name(parts: Sequence[str]) -> str:
    """One name of several; `parts_of_name` takes it apart again.

    Example:
        >>> joined_name(["north", "S/1"])
        'north/S\\\\/1'
    """
    return "/".join(part.replace("\\", "\\\\").replace("/", "\\/") for part in parts)


def parts_of_name(name: str, count: int) -> list[str]:
    """The names that a series of `count` columns was joined of."""
    if count == 1:
        return [name]
    return [re.sub(r"\\(.)", r"\1", part) for part in re.findall(r"((?:[^/\\]|\\.)*)(?:/|$)", name)[:count]]


def refuse_ambiguous(cells: pd.Series, name: str, origin: str) -> None:
    """Raises `DataError` where cells of different types are the same text; cells are told apart by their text."""
    if cells.dtype != object or pd.api.types.infer_dtype(cells, skipna=True) in ("string", "empty"):
        return
    kinds = pd.DataFrame({"text": cells.map(str), "kind": cells.map(lambda cell: type(cell).__name__)})[
        cells.notna().to_numpy()
    ].drop_duplicates()
    twice = kinds[kinds.text.duplicated(keep=False)]
    if len(twice):
        text = twice.text.iloc[0]
        raise DataError(
            f"{origin}, column {name}: {text} stands there as {' and as '.join(twice.kind[twice.text == text])}, "
            "so it may be one "
            f"name or two. Write all of them in one way, for example frame[{name!r}].astype(str)",
            code="ambiguous_name",
        )


def distinct(names: Sequence[str]) -> list[str]:
    """The names, a later one with `_` behind it where another has it already.

    Example:
        >>> distinct(["time", "step", "step"])
        ['time', 'step', 'step_']
    """
    found: list[str] = []
    for position, name in enumerate(names):
        while name in found or (name != names[position] and name in names):
            name += "_"
        found.append(name)
    return found


def answer_frame(*columns: Mapping[str, object] | pd.DataFrame, order: Sequence[int] = ()) -> pd.DataFrame:
    """A frame of answers in which no column takes the place of another: columns that come first keep their names.

    What was called otherwise stands in `attrs["renamed"]`, for the notes.

    Args:
        columns: Groups of columns; a name may stand in several of them. Those of the data come before the kit's own.
        order: Groups as they stand in the frame; by default as they are given.
    """
    given = [(group, str(name), values) for group, named in enumerate(columns) for name, values in named.items()]
    names = distinct([name for _, name, _ in given])
    placed = sorted(range(len(given)), key=lambda at: list(order or range(len(columns))).index(given[at][0]))
    frame = pd.DataFrame({names[at]: given[at][2] for at in placed})
    before = [note for named in columns if isinstance(named, pd.DataFrame) for note in named.attrs.get("renamed", [])]
    frame.attrs["renamed"] = before + [
        f"the answer has two columns called {was}; one of them is called {name}"
        for (_, was, _), name in zip(given, names, strict=True)
        if was != name
    ]
    return frame
