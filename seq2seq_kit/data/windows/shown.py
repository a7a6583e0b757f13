"""Prepared rows in other parts or windows: of a last fit, of a run without test rows, of a judgement without anomalies."""

from dataclasses import replace

import numpy as np

from seq2seq_kit.data.windows.prepared import Prepared, fill_and_scale
from seq2seq_kit.data.windows.ranges import stretches


def on_all_rows(prepared: Prepared) -> Prepared:
    """The same with the rows of all parts in train, scaled as they are."""
    whole = fill_and_scale(prepared.data, prepared.table, prepared.split.whole(), prepared.scaler)
    return replace(whole, answers=prepared.answers)


def without_rows(prepared: Prepared, rows: np.ndarray) -> Prepared:
    """The same without the windows that hold one of some rows; `rows`: whether each row is one, shape `(rows,)` bool."""
    kept = [
        (first + begin, first + end, series)
        for first, last, series in prepared.segments.tolist()
        for begin, end in stretches(~rows[first:last])
    ]
    return replace(prepared, segments=np.array(kept, dtype=np.int64).reshape(-1, 3))


def as_test(prepared: Prepared, part: str) -> Prepared:
    """The same with the rows of a part as its test part, where bundles look for rows that are new to them."""
    return prepared if part == "test" else replace(prepared, rows={**prepared.rows, "test": prepared.rows[part]})
