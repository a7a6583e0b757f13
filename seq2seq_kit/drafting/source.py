"""The table to draft for, as it is read: a file, a named data set or a frame."""

import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from seq2seq_kit.data.sources.files import is_folder, is_glob, places_of
from seq2seq_kit.data.sources.formats import excel_format
from seq2seq_kit.data.sources.given import plain_frame
from seq2seq_kit.data.tables.cells import refuse_duplicates
from seq2seq_kit.data.tables.dialect import detect
from seq2seq_kit.data.tables.dialect_cells import read_cells_of, sentinels_of
from seq2seq_kit.data.tables.dialect_lines import Lines
from seq2seq_kit.data.tables.dialect_signs import is_few
from seq2seq_kit.data.tables.named import NAMED
from seq2seq_kit.data.tables.sources import ENDINGS, TOLD_ENDINGS, is_file, read_source
from seq2seq_kit.data.tables.text_bytes import read_bytes
from seq2seq_kit.data.tables.written import is_text, is_truth, read_texts
from seq2seq_kit.drafting.lines import read_lines
from seq2seq_kit.drafting.nested import without_nested
from seq2seq_kit.drafting.notes import Notes
from seq2seq_kit.drafting.parallel import refuse_parallel
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.recipe.format import Format
from seq2seq_kit.recipe.source_rules import EXCEL, is_database, scheme_of
from seq2seq_kit.recipe.sourced import Sourced

_TEXT = re.compile(r"\.(csv|tsv|tab|txt|dat)(\.\w+)?$", re.IGNORECASE)
_LOOKED_AT = 4096  # bytes
_WHOLE = 1e15  # below which whole numbers are written as such
_MOST_ROWS = 50_000  # that show how texts are written
_SAMPLE = 1_000  # cells that show whether a column of texts may be one of numbers
_DISTINCT = 0.2  # share of the rows below which whole numbers written as texts may be names
_RECIPES = (".yaml", ".yml")


@dataclass(frozen=True)
class Source:
    """A table and what a recipe says of where it comes from.

    Attributes:
        frame: All rows.
        origin: What messages call it.
        keys: Of `data`: `source`, `format`; empty for a frame that a program has.
        name: For the recipe and its file.
        lines: What the cells of its lines are called, where they are tokens with labels.
    """

    frame: pd.DataFrame
    origin: str
    keys: dict[str, object] = field(default_factory=dict)
    name: str = "drafted"
    lines: list[str] = field(default_factory=list)


def open_source(given: str | Path | pd.DataFrame, notes: Notes, settled: Mapping[str, object] | None = None) -> Source:
    """Reads what a draft is made for; `settled` has keys of `data` that are known already: `format.decimal`, `table`, ...

    Raises:
        DataError: There is no such file or data set, or it cannot be read as a table.
        ArgumentError: A recipe was given where a table belongs.
    """
    if not isinstance(given, str | PathLike):
        given = plain_frame(given)
        refuse_duplicates(map(str, given.columns), "the frame")
        if given.empty:
            said = f"the frame has {given.shape[1]} columns and {len(given)} rows; expected columns and rows"
            raise DataError(said, code="empty_table")
        frame = without_nested(_with_index(given, notes), "the frame", notes)
        return Source(_named(frame), "the frame")
    text, settled = str(given), settled or {}
    form = {key.removeprefix("format."): value for key, value in settled.items() if key.startswith("format.")}
    place = {key: value for key, value in settled.items() if key in ("table", "query", "sheet")}
    if text.lower().endswith(_RECIPES):
        said = f"init reads a table and writes a recipe. Received: {text}, which is a recipe. Train it: seq2seq-kit train {text}"
        raise ArgumentError(said, code="recipe_for_table")
    if text not in NAMED and (found := read_lines(Path(text))) is not None:
        cells, written = found
        return Source(cells, text, {"source": text} | written, Path(text).name.split(".")[0], list(cells.columns))
    refuse_parallel(Path(text))
    frame, written = _read(text, notes, form, place)
    if not len(frame):
        raise DataError(f"{text} has a header and no rows; expected rows below the header", code="empty_table")
    stem = text if text in NAMED else Path(text).name.split(".")[0]
    notes.say("source", f"{len(frame):,} rows, {len(frame.columns)} columns")
    return Source(
        _named(frame), text, {"source": text} | place | ({"format": written} if written else {}), stem or "drafted"
    )


def as_written(source: Source, names: Sequence[str]) -> pd.DataFrame:
    """Columns as a recipe takes the names of series: 007 is no 7 there, and `NA` is not missing."""
    if not names or "source" not in source.keys:
        return source.frame[list(names)]
    place = {key: value for key, value in source.keys.items() if key in ("table", "query", "sheet")}
    form = Format.model_validate(source.keys["format"]) if "format" in source.keys else None
    written = _named(read_source(str(source.keys["source"]), texts=names, section=_section(place), form=form))
    return written[list(names)]


def _with_index(frame: pd.DataFrame, notes: Notes) -> pd.DataFrame:
    """The frame with its index as columns, where that holds times or has names."""
    names = list(frame.index.names)
    if names == [None] and not isinstance(frame.index, pd.DatetimeIndex):
        return frame
    if None in names:
        frame = frame.rename_axis([name or "time" for name in names])
    notes.say(
        "",
        f"the index holds {' and '.join(map(str, frame.index.names))}; give `train` frame.reset_index() with these names",
    )
    return frame.reset_index()


def _read(
    text: str, notes: Notes, given: Mapping[str, object], place: Mapping[str, object]
) -> tuple[pd.DataFrame, dict[str, object]]:
    """A table as its file is written, numbers as numbers, and what `data.format` has to say."""
    first = _first_file(text)
    if first is None and is_file(Path(text)) and text.lower().endswith(EXCEL):
        return _read_workbook(text, notes, given, place)
    if first is None:
        frame = without_nested(read_source(text, section=_section(place)), text, notes)
        if text in NAMED or is_database(text) or scheme_of(text):
            return frame, {}
        told = _form_of_cells(frame, text, notes)
        keys = {**(told or {}), **given}
        return frame if told is None else _with_numbers(frame, Format.model_validate(keys), texts=True), keys
    found = detect(first, given)
    if not _TEXT.search(first.name) and found.format.delimiter is None:  # which makes a file of any ending one of text
        found = replace(found, format=found.format.model_copy(update={"delimiter": ","}))
    for reason in found.reasons:
        if not reason.endswith("data.format.missing_words"):  # of which all rows tell
            notes.say("format", reason.rstrip("."))
    frame, form = _without_sentinels(read_source(text, form=found.format), found.format, notes)
    return _with_numbers(frame, form), form.given


def _form_of_cells(frame: pd.DataFrame, text: str, notes: Notes) -> dict[str, object] | None:
    """How numbers are written that a workbook or a file of columns holds as texts; None where it cannot be told, nor need be."""
    texts = [name for name in frame.columns if pd.api.types.infer_dtype(frame[name], skipna=True) == "string"]
    if not texts:
        return {}
    cells = frame[texts].head(_MOST_ROWS).astype("str").where(frame[texts].notna(), "")
    try:
        keys, reasons = read_cells_of(Lines("\t", "", [str(name) for name in texts], cells.to_numpy().tolist()), text)
    except DataError:
        if any(pd.api.types.is_numeric_dtype(frame[name]) for name in frame.columns):
            return None  # the texts are not needed
        raise
    for reason in reasons:
        notes.say("format", reason.rstrip("."))
    return keys


def _with_numbers(frame: pd.DataFrame, form: Format, *, texts: bool = False) -> pd.DataFrame:
    """The frame with numbers and truth values instead of their texts, slips as they stand.

    `texts`: whether the file itself says that they are texts; then `007` and few names again and again stay so.
    """
    truths = form.model_copy(update={"booleans": True})
    for name in frame.columns:
        column = frame[name]
        if not is_text(column) or not _may_be_numbers(column, form):
            continue
        if texts and _may_be_names(column):
            continue
        values, unread = read_texts(column, form)
        if not unread.any() and not pd.isna(values).all():
            frame[name] = values
        elif is_few(int(unread.sum()), int(column.notna().sum())):  # the slips stay as they are, for whoever names them
            frame[name] = pd.Series(values, index=frame.index, dtype=object).where(~unread, column)
        elif not form.booleans and not read_texts(column, truths)[1].any():
            frame[name] = pd.Series(read_texts(column, truths)[0], index=frame.index).astype("boolean")
    return frame


def _may_be_numbers(column: pd.Series, form: Format) -> bool:
    """Whether cells from all over a column of texts are numbers, or words for true and false, at least half of them."""
    known = column.dropna()
    some = known.iloc[:: max(1, len(known) // _SAMPLE)]
    return 2 * read_texts(some, form)[1].sum() <= len(some) > 0 or is_truth(some.unique())


def _read_workbook(
    text: str, notes: Notes, given: Mapping[str, object], place: Mapping[str, object]
) -> tuple[pd.DataFrame, dict[str, object]]:
    section = _section(place)
    form: dict[str, object] = {**excel_format(Path(text), section.sheet if section else None), **given}
    if "header_row" in form:
        notes.say("format", f"line {form['header_row']} names the columns; what stands above it is about the file")
    if "first_row" in form:
        notes.say(
            "format", f"the rows begin in line {form['first_row']}: what stands between them and the names are units"
        )
    if "footer_rows" in form:
        notes.say("format", f"rows below the table that are no data: {form['footer_rows']}")
    frame = read_source(text, section=section, form=Format.model_validate(form))
    told = _form_of_cells(frame, text, notes)
    form = {**(told or {}), **form}
    return frame if told is None else _with_numbers(frame, Format.model_validate(form), texts=True), form


def _may_be_names(column: pd.Series) -> bool:
    """Whether texts of digits may name something: a zero in front, or the same few whole numbers again and again."""
    cells = column.dropna().astype("str").str.strip()
    if not cells.str.fullmatch(r"\d+").all():
        return False
    return bool(cells.str.fullmatch(r"0\d+").any()) or cells.nunique() < _DISTINCT * len(cells)


def _first_file(text: str) -> Path | None:
    """The file of text that shows how those of a source are written: itself, or the first of a glob or folder."""
    if text in NAMED or is_database(text) or scheme_of(text):
        return None
    if not is_file(Path(text)) and not is_glob(text) and not is_folder(Path(text)):
        return None
    path = Path(places_of(text, ENDINGS)[0].path)
    return path if _TEXT.search(path.name) or _holds_text(path) else None


def _holds_text(path: Path) -> bool:
    """Whether a file whose ending says nothing (data.zip, readings.asc) is one of text."""
    if {ending.lower() for ending in path.suffixes} & {*ENDINGS, *TOLD_ENDINGS}:
        return False
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX/" not in name]
            return len(names) == 1 and _TEXT.search(names[0]) is not None
        data = read_bytes(path, _LOOKED_AT)
    except Exception:  # each way of packing has errors of its own
        return False
    return bool(data.strip()) and b"\0" not in data and not data.startswith(b"%PDF")


def _section(place: Mapping[str, object]) -> Sourced | None:
    """How a database or a workbook is read, as far as that is said."""
    return Sourced.model_validate(dict(place)) if place else None


def _without_sentinels(frame: pd.DataFrame, form: Format, notes: Notes) -> tuple[pd.DataFrame, Format]:
    """The frame with numbers such as -999, far off all others, as missing cells; and the format that says so."""
    columns: dict[str, np.ndarray] = {}
    for name, cells in ((str(name), frame[name]) for name in frame.columns):
        if is_text(cells):
            if _may_be_numbers(cells, form):
                columns[name] = read_texts(cells, form)[0]
        elif pd.api.types.is_numeric_dtype(cells) and not pd.api.types.is_bool_dtype(cells):
            columns[name] = np.asarray(cells, dtype=np.float64)
    shown = {name: sentinels_of(values) for name, values in columns.items()}
    words: list[str | float] = []
    for sentinel in dict.fromkeys(word for found in shown.values() for word in found):
        holding = [name for name, values in columns.items() if (values == sentinel).any()]
        # A column of nothing else measures nothing.
        holding = [name for name in holding if not (columns[name] == sentinel)[~np.isnan(columns[name])].all()]
        told = "; ".join(f"{name} {shown[name][sentinel]}" for name in holding if sentinel in shown[name])
        if not all(sentinel in shown[name] for name in holding):  # elsewhere it is a number like others
            notes.say(
                "format",
                f"{told}: if that stands for a missing value, leave the cells empty in the file, or say which values are "
                "possible with data.limits.COLUMN=[lowest, highest]; elsewhere it is measured",
            )
        else:
            words.append(int(sentinel) if abs(sentinel) < _WHOLE and sentinel == int(sentinel) else sentinel)
            notes.say("format", f"{told}: it counts as missing; if it is measured, take it out of missing_words")
            frame[holding] = frame[holding].mask(pd.DataFrame({name: columns[name] == sentinel for name in holding}))
    if not words:
        return frame, form
    return frame, form.model_copy(update={"missing_words": [*form.missing_words, *words]})


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with names that are texts, rows counted from 0."""
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1).reset_index(drop=True)
    decimals = [
        name for name in map(str, frame.columns) if pd.api.types.infer_dtype(frame[name], skipna=True) == "decimal"
    ]
    return frame.assign(**{name: pd.to_numeric(frame[name]).astype(np.float64) for name in decimals})
