"""The table to draft for, as it is read: a file, a named data set or a frame."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from seq2seq_kit.data.sources.files import is_folder, is_glob, places_of
from seq2seq_kit.data.sources.formats import excel_format
from seq2seq_kit.data.tables.cells import refuse_duplicates
from seq2seq_kit.data.tables.dialect import detect
from seq2seq_kit.data.tables.dialect_cells import sentinels_of
from seq2seq_kit.data.tables.dialect_signs import is_few
from seq2seq_kit.data.tables.named import NAMED
from seq2seq_kit.data.tables.sources import ENDINGS, is_file, read_source
from seq2seq_kit.data.tables.written import is_text, read_texts
from seq2seq_kit.drafting.lines import read_lines
from seq2seq_kit.drafting.notes import Notes
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.recipe.format import Format
from seq2seq_kit.recipe.source_rules import EXCEL, is_database, scheme_of
from seq2seq_kit.recipe.sourced import Sourced

_TEXT = re.compile(r"\.(csv|tsv|tab|txt|dat)(\.\w+)?$", re.IGNORECASE)
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
    if isinstance(given, pd.DataFrame):
        refuse_duplicates(map(str, given.columns), "the frame")
        frame = _with_index(given, notes)
        return Source(_named(frame), "the frame")
    text, settled = str(given), settled or {}
    form = {key.removeprefix("format."): value for key, value in settled.items() if key.startswith("format.")}
    place = {key: value for key, value in settled.items() if key in ("table", "query", "sheet")}
    if text.lower().endswith(_RECIPES):
        said = f"init reads a table and writes a recipe. Received: {text}, which is a recipe. Train it: seq2seq-kit train {text}"
        raise ArgumentError(said, code="recipe_for_table")
    if text not in NAMED and (cells := read_lines(Path(text))) is not None:
        return Source(cells, text, {"source": text}, Path(text).name.split(".")[0], list(cells.columns))
    frame, written = _read(text, notes, form, place)
    if not len(frame):
        raise DataError(f"{text} has a header and no rows; expected rows below the header", code="empty_table")
    stem = text if text in NAMED else Path(text).name.split(".")[0]
    notes.say("source", f"{len(frame):,} rows, {len(frame.columns)} columns")
    return Source(
        _named(frame), text, {"source": text} | place | ({"format": written} if written else {}), stem or "drafted"
    )


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
        return read_source(text, section=_section(place)), {}
    found = detect(first, given)
    for reason in found.reasons:
        if not reason.endswith("data.format.missing_words"):  # of which all rows tell
            notes.say("format", reason.rstrip("."))
    frame, form = _without_sentinels(read_source(text, form=found.format), found.format, notes)
    truths = form.model_copy(update={"booleans": True})
    for name in frame.columns:
        column = frame[name]
        if not is_text(column) or not column.notna().any():
            continue
        values, unread = read_texts(column, form)
        if not unread.any() and not pd.isna(values).all():
            frame[name] = values
        elif is_few(int(unread.sum()), int(column.notna().sum())):  # the slips stay as they are, for whoever names them
            frame[name] = pd.Series(values, index=frame.index, dtype=object).where(~unread, column)
        elif not form.booleans and not read_texts(column, truths)[1].any():
            frame[name] = pd.Series(read_texts(column, truths)[0], index=frame.index).astype("boolean")
    return frame, form.given


def _read_workbook(
    text: str, notes: Notes, given: Mapping[str, object], place: Mapping[str, object]
) -> tuple[pd.DataFrame, dict[str, object]]:
    section = _section(place)
    form: dict[str, object] = {**excel_format(Path(text), section.sheet if section else None), **given}
    if "header_row" in form:
        notes.say("format", f"line {form['header_row']} names the columns; what stands above it is about the file")
    if "footer_rows" in form:
        notes.say("format", f"rows below the table that are no data: {form['footer_rows']}")
    return read_source(text, section=section, form=Format.model_validate(form)), form


def _first_file(text: str) -> Path | None:
    """The file of text that shows how those of a source are written: itself, or the first of a glob or folder."""
    if text in NAMED or is_database(text) or scheme_of(text):
        return None
    if not is_file(Path(text)) and not is_glob(text) and not is_folder(Path(text)):
        return None
    path = Path(places_of(text, ENDINGS)[0].path)
    return path if _TEXT.search(path.name) else None


def _section(place: Mapping[str, object]) -> Sourced | None:
    """How a database or a workbook is read, as far as that is said."""
    return Sourced.model_validate(dict(place)) if place else None


def _without_sentinels(frame: pd.DataFrame, form: Format, notes: Notes) -> tuple[pd.DataFrame, Format]:
    """The frame with numbers such as -999, far off all others, as missing cells; and the format that says so."""
    texts = {name: read_texts(frame[name], form)[0] if is_text(frame[name]) else frame[name] for name in frame.columns}
    columns = {
        name: np.asarray(cells, dtype=np.float64)
        for name, cells in texts.items()
        if pd.api.types.is_numeric_dtype(cells) and not pd.api.types.is_bool_dtype(cells)
    }
    shown = {name: sentinels_of(values) for name, values in columns.items()}
    words: list[str | float] = []
    for sentinel in dict.fromkeys(word for found in shown.values() for word in found):
        holding = [name for name, values in columns.items() if (values == sentinel).any()]
        told = "; ".join(f"{name} {shown[name][sentinel]}" for name in holding if sentinel in shown[name])
        if not all(sentinel in shown[name] for name in holding):  # elsewhere it is a number like others
            notes.say(
                "format",
                f"{told}: if that stands for a missing value, correct it in the file; elsewhere it is measured",
            )
        else:
            words.append(int(sentinel) if sentinel == int(sentinel) else sentinel)
            notes.say("format", f"{told}: it counts as missing; if it is measured, take it out of missing_words")
            frame[holding] = frame[holding].mask(pd.DataFrame({name: columns[name] == sentinel for name in holding}))
    if not words:
        return frame, form
    return frame, form.model_copy(update={"missing_words": [*form.missing_words, *words]})


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with names that are texts, rows counted from 0."""
    return frame.set_axis([str(name) for name in frame.columns], axis=1).reset_index(drop=True)
