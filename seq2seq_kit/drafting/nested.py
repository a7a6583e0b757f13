"""Cells that hold lists or mappings: columns left out, or a sequence in each row, refused with the line that turns it."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from seq2seq_kit.data.sources.files import PACKED
from seq2seq_kit.data.sources.formats import FEATHER
from seq2seq_kit.data.sources.json_lines import JSON_LINES
from seq2seq_kit.drafting.notes import Notes, listed
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.source_rules import PARQUET

_LISTS = (list, tuple, np.ndarray)
_NESTED = (*_LISTS, dict, set)
_START = "start"  # of the time of a list's first value, where each row is a series
_NAMES = re.compile(r"(?i)(?:.*[-_ ])?(?:id|uid|uuid|key|index|item|series|name|start|freq)")
_TIMES = re.compile(r"(?i)(?:.*[-_ ])?(?:time|timestamp|date|datetime|ts|at)")
_LOOKED_AT = 20  # rows
_READERS = {".csv": "csv", **dict.fromkeys(PARQUET, "parquet"), **dict.fromkeys(FEATHER, "feather")}


def without_nested(frame: pd.DataFrame, origin: str, notes: Notes) -> pd.DataFrame:
    """The frame without columns whose cells are lists, mappings or arrays.

    Raises:
        DataError: Each row is a sequence, such as a list of tokens and one of their tags, or a start and a list of values; or
            what tells something stands in mappings.
    """
    objects = [str(name) for name in frame.columns if frame[name].dtype == object]
    nested = [name for name in objects if frame[name].map(lambda cell: isinstance(cell, _NESTED)).any()]
    rest = [str(name) for name in frame.columns if str(name) not in nested]
    only_named = bool(nested) and all(_NAMES.fullmatch(name) for name in rest)
    if only_named:
        _refuse_sequences(frame, nested, rest, origin)
    mapped = [name for name in nested if frame[name].map(lambda cell: isinstance(cell, dict)).all()]
    timed = [name for name in mapped if _TIMES.fullmatch(name)]
    if timed or only_named:
        raise DataError(
            f"{origin}: what tells something stands in lists or mappings ({listed(timed or nested)}). Expected a column for each "
            f"of their parts. Turn it: pandas.json_normalize({reading(origin)}.to_dict('records')).to_csv('flat.csv', "
            "index=False), then draft for flat.csv",
            code="series_in_rows",
        )
    for name in nested:
        notes.say("", f"{name} holds lists or mappings and is left out; a column for each of their parts can be read")
    return frame[rest]


def _refuse_sequences(frame: pd.DataFrame, nested: Sequence[str], rest: Sequence[str], origin: str) -> None:
    lists = [name for name in nested if frame[name].map(lambda cell: isinstance(cell, _LISTS)).all()]
    lengths = {name: tuple(frame[name].map(len)) for name in lists}
    lists = [name for name in lists if np.mean(lengths[name]) > 1]
    together = max(([name for name in lists if lengths[name] == lengths[one]] for one in lists), key=len, default=[])
    if not together:
        return
    starts = [name for name in rest if name == _START]
    worded = any(isinstance(cell, str) for name in together for cells in frame[name].head(_LOOKED_AT) for cell in cells)
    name = next(name for name in ("sequence", "sequence_number", "_sequence") if name not in frame.columns)
    raise DataError(
        f"{origin}: each row is a sequence, its steps are the lists in {listed(together)}. Expected a row for each step. "
        f"Turn it: {reading(origin)}{f'.drop(columns={starts})' if starts else ''}.rename_axis({name!r}).reset_index()"
        f".explode({together}).dropna(subset={together[0]!r}).to_csv('long.csv', index=False), then draft for long.csv"
        + ("" if worded else f" with --series {name}")
        + (f" (a step has no time then; one is {_START} and its number of steps)" if starts else ""),
        code="series_in_rows",
    )


def reading(origin: str) -> str:
    """An expression that gives the frame of a single file; of what pandas does not read so, `frame`."""
    path = Path(origin)
    ending = next((each.lower() for each in path.suffixes[::-1] if each.lower() not in PACKED), "")
    if not path.is_file():
        return "frame"
    if ending in JSON_LINES:
        return f"pandas.read_json({origin!r}, lines=True)"
    return f"pandas.read_{_READERS[ending]}({origin!r})" if ending in _READERS else "frame"
