"""Where a table comes from: a named data set, files of every kind that is read, or a database. Only the header is checked."""

import csv
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import pandas as pd

from seq2seq_kit.data.sources.addresses import local_files
from seq2seq_kit.data.sources.databases import read_database
from seq2seq_kit.data.sources.files import is_file, joined
from seq2seq_kit.data.sources.formats import FEATHER, read_excel, read_feather
from seq2seq_kit.data.sources.parquet import read_parquet
from seq2seq_kit.data.tables.cells import refuse_duplicates
from seq2seq_kit.data.tables.named import NAMED
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.fields import Sourced
from seq2seq_kit.recipe.source_rules import EXCEL, PARQUET, is_database, secret_in, why_secret

_CSV = {".csv", ".tsv", ".txt"}
ENDINGS = (".csv", ".tsv", ".txt", *PARQUET, *FEATHER, *EXCEL)
_PREAMBLE = 50  # lines that may stand above a table


def read_source(
    source: str | Sequence[str], *, texts: Sequence[str] = (), section: Sourced | None = None
) -> pd.DataFrame:
    """Reads a whole table.

    Args:
        source: A name of `NAMED`, a path that ends in one of `ENDINGS` (packed, too), a glob, a folder, a list of those, an
            address of a file, or of a database.
        texts: Columns of a CSV file whose cells are taken as they are written: 007 is no number there, and NA not missing.
        section: The recipe's `data`, which says how its source is read: the query of a database, the sheet of an Excel file.

    Returns:
        The rows; where they are of several files or of a database, `attrs["read"]` tells which.

    Raises:
        DataError: No such file or name, an unknown ending, an empty file, a duplicate column; other columns in another file; a
            database that cannot be reached or read.
    """
    if isinstance(source, str) and source in NAMED:
        return NAMED[source].read()
    named = [source] if isinstance(source, str) else list(source)
    for each in named:
        if found := secret_in(each):
            raise DataError(why_secret(each, found), code="password_in_source")
    if is_database(named[0]) and len(named) == 1:
        return read_database(named[0], section)
    with local_files(named, ENDINGS) as places:
        if len(places) == 1 and not places[0].partitions:
            return _read_file(places[0].path, texts, section)
        return joined(places, lambda path: _read_file(path, texts, section), texts=texts)


def rows_by_file(source: str | Sequence[str], section: Sourced | None) -> Iterator[tuple[str, int]]:
    """Each of several files of a source with its number of rows, in order; nothing for a single file or a database.

    The files are read once more, one at a time: it is for messages.
    """
    named = [source] if isinstance(source, str) else list(source)
    if named[0] in NAMED or is_database(named[0]):
        return
    with suppress(DataError), local_files(named, ENDINGS) as places:
        for place in places if len(places) > 1 else ():
            yield place.shown, len(_read_file(place.path, (), section))


def _read_file(path: str, texts: Sequence[str], section: Sourced | None) -> pd.DataFrame:
    """The rows of a single file."""
    place = Path(path)
    endings = {ending.lower() for ending in place.suffixes[-2:]}
    if not is_file(place):
        near = get_close_matches(path, NAMED, n=1)
        hint = f"; did you mean the data set {near[0]}?" if near else "."
        raise DataError(
            f"there is no file {path}{hint} A path is taken from the current folder, {Path.cwd().name}/; "
            f"named data sets: {', '.join(NAMED)}",
            code="file_not_found",
        )
    if endings & set(PARQUET):
        return read_parquet(place)
    if endings & set(FEATHER):
        return read_feather(place)
    if endings & set(EXCEL):
        return read_excel(place, sheet=section.sheet if section else None, texts=texts)
    if endings & _CSV:
        return _read_csv(place, "\t" if ".tsv" in endings else ",", texts)
    known = f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
    said = f"cannot tell what {path} is; expected an ending {known}. Received: {place.suffix!r}"
    raise DataError(said, code="unknown_file_type")


def _read_csv(path: Path, separator: str, texts: Sequence[str]) -> pd.DataFrame:
    # A table by tabs knows no quotes: a token of its own may be one.
    quoting: Literal[0, 3] = csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL
    try:
        header = pd.read_csv(
            path, sep=separator, header=None, nrows=1, dtype=str, keep_default_na=False, quoting=quoting
        )
        refuse_duplicates((name for name in header.iloc[0] if name), str(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is wrong with a file is told here
            frame = pd.read_csv(path, sep=separator, low_memory=False, quoting=quoting)
    except DataError:
        raise
    except pd.errors.EmptyDataError:
        raise DataError(f"{path} is empty; expected a header line and rows", code="empty_table") from None
    except pd.errors.ParserError as error:
        raise DataError(
            f"{path} is not a regular table: {_irregular(path, str(error))}", code="unreadable_file"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error}); save it as UTF-8", code="unreadable_file") from None
    except Exception as error:  # each way of packing has errors of its own: lzma's, zlib's, tarfile's, zstandard's
        said = f"cannot read {path}: {error}. Expected a readable table; copy or unpack the file again"
        raise DataError(said, code="unreadable_file") from None
    _refuse_other_separator(path, separator, [str(name) for name in header.iloc[0]], frame)
    if not isinstance(frame.index, pd.RangeIndex):  # pandas took the surplus cells in front for row names
        raise DataError(
            f"{path} names {len(header.columns)} columns in its header and has {len(header.columns) + frame.index.nlevels} "
            "cells in its rows; name each column, or remove the separator at the end of the rows, or the lines that stand above "
            "the line of names",
            code="unreadable_file",
        )
    if not texts:
        return frame
    # Once more, because what pandas guesses for the other columns it cannot leave for these.
    as_written = pd.read_csv(
        path, sep=separator, usecols=lambda name: name in texts, dtype=str, keep_default_na=False, quoting=quoting
    )
    for name in as_written:
        frame[name] = as_written[name]
    return frame


def _refuse_other_separator(path: Path, separator: str, header: list[str], frame: pd.DataFrame) -> None:
    """Raises `DataError` where another separator stands more often in the header, and in the first row too."""
    line = separator.join(header)
    seen = {other: line.count(other) for other in (";", "\t", "|", ",") if other != separator}
    other = max(seen, key=lambda each: seen[each])
    row = separator.join(map(str, [*frame.index[:1], *frame.iloc[:1].to_numpy().ravel()]))
    if seen[other] <= line.count(separator) or (len(frame) and other not in row):
        return
    called = "a tab" if other == "\t" else repr(other)
    decimal = ", decimal=','" if other == ";" else ""
    raise DataError(
        f"{path} seems to be separated by {called}: its header is {line[:80]!r}. Expected "
        f"{'a tab' if separator == chr(9) else ','!r} "
        f"between cells. Save it so{' (a file separated by tabs as .tsv)' if other == chr(9) else ''}, or read it by "
        f"pandas.read_csv(path, sep={other!r}{decimal}) and hand over the frame",
        code="other_separator",
    )


def _irregular(path: Path, said: str) -> str:
    """pandas' message about a line of other length than those before it, in plain words."""
    match = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", said)
    if match is None:
        return f"{said}. Expected the same number of cells in each row"
    expected, line, saw = map(int, match.groups())
    known = f"Expected {expected} fields in line {line}, saw {saw}"
    if saw > expected and line <= _PREAMBLE:
        return (
            f"{known}. If lines about the file stand above its table, remove them, so that the first line names the columns; "
            f"or read it by pandas.read_csv(path, skiprows={line - 1}) and hand over the frame. Else correct the line: a cell "
            "that holds a separator needs quotes"
        )
    return f"{known}. Correct the line: a cell that holds a separator needs quotes"
