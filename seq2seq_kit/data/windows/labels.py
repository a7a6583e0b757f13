"""What names a row in an answer: its series, its time or number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.names import answer_frame, parts_of_name
from seq2seq_kit.data.windows.prepared import Prepared

Labels = dict[str, np.ndarray | pd.DatetimeIndex]


def series_labels(columns: Sequence[str], names: Sequence[str], numbers: np.ndarray) -> dict[str, np.ndarray]:
    """The columns that name a series, by position in `names`, shape `(len(numbers),)` each; none for a single series."""
    parts = [parts_of_name(name, len(columns)) for name in names] if columns else []
    return {
        column: np.array([part[place] for part in parts], dtype=object)[numbers] for place, column in enumerate(columns)
    }


def when(prepared: Prepared, rows: np.ndarray, prefix: str = "") -> Labels:
    """The time of each row, or its number in its series, counted from 1."""
    if prepared.table.times is not None:
        return {f"{prefix}{prepared.data.time_name}": prepared.table.times[rows]}
    series = series_of_rows(prepared, rows)
    pads = 0 if prepared.table.pads is None else prepared.table.pads[series]
    return {f"{prefix}row": rows - prepared.table.bounds[series] - pads + 1}


def series_of_rows(prepared: Prepared, rows: np.ndarray) -> np.ndarray:
    """The series of each row, as a position in `table.series`."""
    return np.searchsorted(prepared.table.bounds, rows, side="right") - 1


def row_labels(prepared: Prepared, rows: np.ndarray) -> pd.DataFrame:
    """A row for each row: the series' columns if there are any, then the time or `row`."""
    series = series_labels(prepared.data.series_columns, prepared.table.series, series_of_rows(prepared, rows))
    return answer_frame(series, when(prepared, rows))
