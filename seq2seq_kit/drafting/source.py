"""The table to draft for, as it is read: a file, a named data set or a frame."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from seq2seq_kit.data.tables.cells import refuse_duplicates
from seq2seq_kit.data.tables.dialect import detect
from seq2seq_kit.data.tables.named import NAMED
from seq2seq_kit.data.tables.sources import is_file, read_source
from seq2seq_kit.data.tables.written import is_text, read_texts
from seq2seq_kit.drafting.lines import read_lines
from seq2seq_kit.drafting.notes import Notes
from seq2seq_kit.errors import ArgumentError, DataError

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


def open_source(given: str | Path | pd.DataFrame, notes: Notes, form: Mapping[str, object] | None = None) -> Source:
    """Reads what a draft is made for; `form` has keys of its format that are settled already.

    Raises:
        DataError: There is no such file or data set, or it cannot be read as a table.
        ArgumentError: A recipe was given where a table belongs.
    """
    if isinstance(given, pd.DataFrame):
        refuse_duplicates(map(str, given.columns), "the frame")
        frame = _with_index(given, notes)
        return Source(_named(frame), "the frame")
    text = str(given)
    if text.lower().endswith(_RECIPES):
        said = f"init reads a table and writes a recipe. Received: {text}, which is a recipe. Train it: seq2seq-kit train {text}"
        raise ArgumentError(said, code="recipe_for_table")
    if text not in NAMED and (cells := read_lines(Path(text))) is not None:
        return Source(cells, text, {"source": text}, Path(text).name.split(".")[0], list(cells.columns))
    frame, written = _read(text, notes, form or {})
    if not len(frame):
        raise DataError(f"{text} has a header and no rows; expected rows below the header", code="empty_table")
    stem = text if text in NAMED else Path(text).name.split(".")[0]
    notes.say("source", f"{len(frame):,} rows, {len(frame.columns)} columns")
    return Source(_named(frame), text, {"source": text} | ({"format": written} if written else {}), stem or "drafted")


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


def _read(text: str, notes: Notes, given: Mapping[str, object]) -> tuple[pd.DataFrame, dict[str, object]]:
    """A table as its file is written, numbers as numbers, and what `data.format` has to say."""
    path = Path(text)
    if text in NAMED or not is_file(path) or not _TEXT.search(path.name):
        return read_source(text), {}
    found = detect(path, given)
    for reason in found.reasons:
        notes.say("format", reason.rstrip("."))
    form = found.format
    frame = read_source(text, form=form)
    truths = form.model_copy(update={"booleans": True})
    for name in frame.columns:
        column = frame[name]
        if not is_text(column) or not column.notna().any():
            continue
        values, unread = read_texts(column, form)
        if not unread.any() and not pd.isna(values).all():
            frame[name] = values
        elif not form.booleans and not read_texts(column, truths)[1].any():
            frame[name] = pd.Series(read_texts(column, truths)[0], index=frame.index).astype("boolean")
    return frame, form.given


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with names that are texts, rows counted from 0."""
    return frame.set_axis([str(name) for name in frame.columns], axis=1).reset_index(drop=True)
