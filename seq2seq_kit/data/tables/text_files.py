"""Reading files of text: CSV and its relatives, as `data.format` says. What cannot be read is told with the key that cures it."""

import csv
import io
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from seq2seq_kit.data.tables.cells import refuse_duplicates
from seq2seq_kit.data.tables.text_bytes import has_lines_to_cut, read_bytes, table_bytes
from seq2seq_kit.data.tables.written import PLAIN, is_text, read_texts
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.format import Format

TEXT_ENDINGS = {".csv", ".tsv", ".tab", ".txt", ".dat"}
_PREAMBLE = 50  # lines that may stand above a table

Readable = Callable[[], str | Path | io.BytesIO]


def read_text_file(path: Path, form: Format = PLAIN, texts: Sequence[str] = ()) -> pd.DataFrame:
    """A table of text, packed or not.

    Columns whose cells are all numbers as the format writes them are numbers; in others the cells are the texts as they stand.

    Args:
        path: The file.
        form: How it is written.
        texts: Columns whose cells are taken as they are written.

    Raises:
        DataError: It cannot be read as the format says, is empty, or names a column twice.
    """
    separator = form.separator(path.name)
    try:
        read = _opener(path, form)
        options = _options(form, separator)
        header = None if not form.header_row else _names(read, options)
        if header is not None:
            refuse_duplicates((name for name in header if name), str(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is wrong with a file is told here
            frame = _read(read, options, form, header)
        if header is None:
            header = list(frame.columns)
    except DataError:
        raise
    except pd.errors.EmptyDataError:
        raise DataError(f"{path} is empty; expected a header line and rows", code="empty_table") from None
    except pd.errors.ParserError as error:
        said = f"{path} is not a regular table: {_irregular(str(error), cure_of(path, form))}"
        raise DataError(said, code="unreadable_file") from None
    except UnicodeError as error:
        kind = "UTF-8" if form.encoding == "utf-8" else form.encoding
        cure = cure_of(path, form) or "Set data.format.encoding in the recipe, such as cp1252 (Windows) or utf-16"
        said = f"{path} is not {kind} text ({error}). {cure}"
        raise DataError(said, code="unreadable_file") from None
    except Exception as error:  # each way of packing has errors of its own: lzma's, zlib's, tarfile's, zstandard's
        said = f"cannot read {path}: {error}. Expected a readable table; copy or unpack the file again"
        raise DataError(said, code="unreadable_file") from None
    _refuse_other_separator(path, form, separator, header, frame)
    if not isinstance(frame.index, pd.RangeIndex):  # pandas took the surplus cells in front for row names
        cure = cure_of(path, form) or (
            "Name each column, or remove the separator at the end of the rows; where lines stand above the line of names, set "
            "data.format.header_row"
        )
        raise DataError(
            f"{path} names {len(frame.columns)} columns in its header and has {len(frame.columns) + frame.index.nlevels} "
            f"cells in its rows. {cure}",
            code="unreadable_file",
        )
    if texts:
        # Once more, because what pandas guesses for the other columns it cannot leave for these.
        plain = options | {"dtype": str, "keep_default_na": False, "na_values": None, "index_col": False}
        as_written = _read(read, plain, form, header, [name for name in frame.columns if name in texts])
        for name in as_written:
            frame[name] = as_written[name]
    return frame if form.plain_numbers else _with_numbers(frame, form, texts)


def _opener(path: Path, form: Format) -> Readable:
    if not has_lines_to_cut(form) and path.suffix.lower() not in (".zst", ".zip"):
        return lambda: path
    cut = has_lines_to_cut(form)
    data = table_bytes(path, form) if cut else read_bytes(path)
    return lambda: io.BytesIO(data)


def _options(form: Format, separator: str) -> dict[str, object]:
    # A table by tabs knows no quotes: a token of its own may be one.
    quoted = form.quote if form.quote is not None else ("" if separator == "\t" else '"')
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    options: dict[str, object] = {"sep": separator, "decimal": form.decimal, "quoting": quoting}
    options |= {"skipinitialspace": True} if form.skip_initial_space else {}
    options |= {"quotechar": quoted} if quoted else {}
    options |= {"encoding": "utf-8" if has_lines_to_cut(form) else form.encoding}
    return options | ({"na_values": [str(word) for word in form.missing_words]} if form.missing_words else {})


def _names(read: Readable, options: dict[str, object]) -> list[str]:
    as_texts = {"header": None, "nrows": 1, "dtype": str, "keep_default_na": False, "na_values": None}
    header = pd.read_csv(read(), **options | as_texts)  # type: ignore[call-overload]
    return [str(name) for name in header.iloc[0]]


def _read(
    read: Readable,
    options: dict[str, object],
    form: Format,
    header: list[str] | None,
    columns: list[str] | None = None,
) -> pd.DataFrame:
    options = options | ({} if form.header_row else {"header": None}) | {"low_memory": columns is not None}
    if columns is not None and form.header_row:
        options["usecols"] = lambda name: name in columns
    frame: pd.DataFrame = pd.read_csv(read(), **options)  # type: ignore[call-overload]
    if not form.header_row:
        frame.columns = pd.Index([f"column_{number}" for number in range(1, len(frame.columns) + 1)])
        return frame if columns is None else frame[columns]
    if frame.index.nlevels == 1 and not isinstance(frame.index, pd.RangeIndex) and frame.iloc[:, -1].isna().all():
        # A separator at the end of each row, and none at the end of the names.
        frame = pd.read_csv(read(), **options | {"index_col": False})  # type: ignore[call-overload]
    return frame


def _with_numbers(frame: pd.DataFrame, form: Format, texts: Sequence[str]) -> pd.DataFrame:
    for name in [name for name in frame.columns if name not in texts and is_text(frame[name])]:
        values, wrong = read_texts(frame[name], form)
        if not wrong.any():
            frame[name] = values
    return frame


def cure_of(path: Path, form: Format) -> str:
    """What to set in the recipe, by what the file looks like; empty where that says nothing new."""
    from seq2seq_kit.data.tables.dialect import detect, spelled  # it reads files

    try:
        found = detect(path).format
    except DataError:
        return ""
    new = {key: value for key, value in found.given.items() if form.given.get(key) != value}
    return f"Set in the recipe: {spelled(new)}" if new else ""


def _refuse_other_separator(path: Path, form: Format, separator: str, header: list[str], frame: pd.DataFrame) -> None:
    """Raises `DataError` where another separator stands more often in the header, and in the first row too."""
    if form.delimiter is not None:
        return
    line = separator.join(header)
    seen = {other: line.count(other) for other in (";", "\t", "|", ",") if other != separator}
    other = max(seen, key=lambda each: seen[each])
    row = separator.join(map(str, [*frame.index[:1], *frame.iloc[:1].to_numpy().ravel()]))
    if seen[other] <= line.count(separator) or (len(frame) and other not in row):
        return
    called = "a tab" if other == "\t" else repr(other)
    key = "tab" if other == "\t" else repr(other)
    cure = cure_of(path, form) or f"Set in the recipe: data.format.delimiter: {key}"
    raise DataError(
        f"{path} seems to be separated by {called}: its header is {line[:80]!r}. Expected "
        f"{'a tab' if separator == chr(9) else ','!r} between cells. {cure}",
        code="other_separator",
    )


def _irregular(said: str, cure: str) -> str:
    """pandas' message about a line of other length than those before it, in plain words."""
    match = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", said)
    if match is None:
        return f"{said}. Expected the same number of cells in each row. {cure}".strip()
    expected, line, saw = map(int, match.groups())
    known = f"Expected {expected} fields in line {line}, saw {saw}"
    if cure:
        return f"{known}. {cure}"
    if saw > expected and line <= _PREAMBLE:
        return (
            f"{known}. If lines about the file stand above its table, set data.format.header_row: {line} in the recipe, the line "
            "that names the columns. Else correct the line: a cell that holds a separator needs quotes"
        )
    return f"{known}. Correct the line: a cell that holds a separator needs quotes"
