"""Cells that hold lists or mappings: columns left out, or a sequence in each row, refused with the line that turns it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from seq2seq_kit.data.sources.json_lines import JSON_LINES
from seq2seq_kit.drafting.notes import Notes
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.source_rules import PARQUET

_LISTS = (list, tuple, np.ndarray)
_NESTED = (*_LISTS, dict, set)
_START = "start"  # of the time of a list's first value, where each row is a series
_TOGETHER = 2  # columns of lists that are as long as each other in each row


def without_nested(frame: pd.DataFrame, origin: str, notes: Notes) -> pd.DataFrame:
    """The frame without columns whose cells are lists, mappings or arrays.

    Raises:
        DataError: Each row is a sequence, such as a list of tokens and one of their tags, or a start and a list of values.
    """
    objects = [str(name) for name in frame.columns if frame[name].dtype == object]
    nested = [name for name in objects if frame[name].map(lambda cell: isinstance(cell, _NESTED)).any()]
    rest = frame.drop(columns=nested)
    if nested:
        _refuse_sequences(frame, nested, list(map(str, rest.columns)), origin)
    for name in nested:
        notes.say("", f"{name} holds lists or mappings and is left out; a column for each of their parts can be read")
    return rest


def _refuse_sequences(frame: pd.DataFrame, nested: Sequence[str], rest: Sequence[str], origin: str) -> None:
    lists = [name for name in nested if frame[name].map(lambda cell: isinstance(cell, _LISTS)).all()]
    lengths = {name: tuple(frame[name].map(len)) for name in lists}
    together = max(
        ([name for name in lists if lengths[name] == lengths[first]] for first in lists), key=len, default=[]
    )
    read = _read(origin)
    starts = [name for name in rest if name == _START]
    if together and (len(together) >= _TOGETHER or len(rest) <= 1 or starts):
        name = next((name for name in ("sequence", "sequence_number") if name not in frame.columns), "_sequence")
        raise DataError(
            f"{origin}: each row is a sequence, its steps are the lists in {', '.join(together)}. Expected a row for each step. "
            f"Turn it: {read}{f'.drop(columns={starts})' if starts else ''}.rename_axis({name!r}).reset_index()"
            f".explode({together}).to_csv('long.csv', index=False), then draft for long.csv"
            + (f" (a step has no time then; one is {_START} and its number of steps)" if starts else ""),
            code="series_in_rows",
        )
    if not rest:
        raise DataError(
            f"{origin}: all cells are lists or mappings ({', '.join(nested)}). Expected a column for each of their parts. Turn "
            f"it: pandas.json_normalize({read}.to_dict('records')).to_csv('flat.csv', index=False), then draft for flat.csv",
            code="series_in_rows",
        )


def _read(origin: str) -> str:
    """An expression that gives the frame."""
    if origin.lower().endswith(PARQUET):
        return f"pandas.read_parquet({origin!r})"
    return f"pandas.read_json({origin!r}, lines=True)" if origin.lower().endswith(JSON_LINES) else "frame"
