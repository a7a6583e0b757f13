"""Where a table comes from: a named data set, files of every kind that is read, or a database. Only the header is checked."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from seq2seq_kit.data.sources.addresses import local_files
from seq2seq_kit.data.sources.databases import read_database
from seq2seq_kit.data.sources.files import is_file, joined
from seq2seq_kit.data.sources.formats import FEATHER, read_excel, read_feather
from seq2seq_kit.data.sources.json_lines import JSON_LINES, read_json_lines
from seq2seq_kit.data.sources.parquet import read_parquet
from seq2seq_kit.data.tables.named import NAMED
from seq2seq_kit.data.tables.text_files import TEXT_ENDINGS, read_text_file
from seq2seq_kit.data.tables.written import PLAIN
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.format import Format
from seq2seq_kit.recipe.source_rules import EXCEL, PARQUET, is_database, secret_in, why_secret
from seq2seq_kit.recipe.sourced import Sourced

ENDINGS = (*sorted(TEXT_ENDINGS), *PARQUET, *FEATHER, *JSON_LINES, *EXCEL)

_FRAME = ". Read it in Python and hand the frame to draft_recipe and train: pandas.read_{kind}({{path!r}})"
_ADVICE = (
    dict.fromkeys(
        (".db", ".sqlite", ".sqlite3"), ". A database is named by its address: sqlite:///{path}, with data.table"
    )
    | {".duckdb": ". A database is named by its address: duckdb:///{path}, with data.table"}
    | {".json": _FRAME.format(kind="json"), ".html": _FRAME.format(kind="html"), ".xml": _FRAME.format(kind="xml")}
    | dict.fromkeys((".xls", ".ods", ".numbers"), ". Save it as .xlsx or .csv")
)
TOLD_ENDINGS = (
    *_ADVICE,
    ".pdf",
    ".png",
    ".jpg",
    ".doc",
    ".docx",
    ".pptx",
    ".pkl",
    ".h5",
    ".nc",
    ".mat",
    ".npy",
    ".npz",
)


def read_source(
    source: str | Sequence[str],
    *,
    texts: Sequence[str] = (),
    section: Sourced | None = None,
    form: Format | None = None,
) -> pd.DataFrame:
    """Reads a whole table.

    Args:
        source: A name of `NAMED`, a path that ends in one of `ENDINGS` (packed, too), a glob, a folder, a list of those, an
            address of a file, or of a database.
        texts: Columns of a CSV file whose cells are taken as they are written: 007 is no number there, and NA not missing.
        section: The recipe's `data`, which says how its source is read: the query of a database, the sheet of an Excel file.
        form: How a file of text is written; default: what the section says.

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
            return _read_file(places[0].path, texts, section, form)
        of_objects = all(set(Path(place.path.lower()).suffixes[-2:]) & set(JSON_LINES) for place in places)
        return joined(places, lambda path: _read_file(path, texts, section, form), texts=texts, may_lack=of_objects)


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


def _read_file(path: str, texts: Sequence[str], section: Sourced | None, form: Format | None = None) -> pd.DataFrame:
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
    if endings & set(JSON_LINES):
        return read_json_lines(place, texts=texts)
    if endings & set(EXCEL):
        return read_excel(
            place,
            sheet=section.sheet if section else None,
            texts=texts,
            form=form or (section.format if section else None),
        )
    form = form or (section.format if section else PLAIN)
    if endings & TEXT_ENDINGS or form.delimiter is not None:
        return read_text_file(place, form, texts)
    known = f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
    said = f"cannot tell what {path} is; expected an ending {known}. Received: {place.suffix!r}"
    said += _ADVICE.get(place.suffix.lower(), "").format(path=path)
    raise DataError(said, code="unknown_file_type")
