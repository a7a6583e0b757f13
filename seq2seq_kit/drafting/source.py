"""The table to draft for, as it is read: a file, a named data set or a frame."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from seq2seq_kit.data.tables.named import NAMED
from seq2seq_kit.data.tables.sources import read_source
from seq2seq_kit.drafting.lines import read_lines
from seq2seq_kit.drafting.notes import Notes
from seq2seq_kit.errors import ArgumentError, DataError

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


def open_source(given: str | Path | pd.DataFrame, notes: Notes) -> Source:
    """Reads what a draft is made for.

    Raises:
        DataError: There is no such file or data set, or it cannot be read as a table.
        ArgumentError: A recipe was given where a table belongs.
    """
    if isinstance(given, pd.DataFrame):
        frame = given.reset_index() if given.index.names != [None] else given
        return Source(_named(frame), "the frame")
    text = str(given)
    if text.lower().endswith(_RECIPES):
        said = f"init reads a table and writes a recipe. Received: {text}, which is a recipe. Train it: seq2seq-kit train {text}"
        raise ArgumentError(said, code="recipe_for_table")
    if text not in NAMED and (cells := read_lines(Path(text))) is not None:
        return Source(cells, text, {"source": text}, Path(text).name.split(".")[0], list(cells.columns))
    frame = read_source(text)
    if not len(frame):
        raise DataError(f"{text} has a header and no rows; expected rows below the header", code="empty_table")
    named = text in NAMED
    stem = text if named else Path(text).name.split(".")[0]
    notes.say("source", f"{len(frame):,} rows, {len(frame.columns)} columns")
    return Source(_named(frame), text, {"source": text}, stem or "drafted")


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with names that are texts, rows counted from 0."""
    return frame.set_axis([str(name) for name in frame.columns], axis=1).reset_index(drop=True)
