"""What intervals are calibrated on: how many windows, which errors, and the scale that they are divided by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.splits import CALIBRATION
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.data.windows.ranges import Windows
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.intervals.conformal import needed, refuse_few
from seq2seq_kit.intervals.prediction import Prediction, as_prediction

Predicts = Callable[[Prepared, str, np.ndarray], np.ndarray | Prediction]

# In a bundle's info: the newest row of training and validation, and of training alone, by series.
LEARNED_UNTIL, TRAINED_UNTIL = "learned_until", "trained_until"
POINT = -1.0  # in the place of a level: the errors of a forecast without quantiles of its own


def require_calibration(prepared: Prepared, levels: Sequence[float], part: str = CALIBRATION) -> None:
    """Raises `DataError` unless a part has windows enough for intervals of these levels."""
    these = prepared.windows[part]
    refuse_few(
        these.count,
        levels,
        output_steps=these.shape.output_steps,
        stride=these.stride,
        origin=f"{prepared.table.origin}, the {'rows' if part == 'test' else f'{part} part'}",
    )


def errors_of(truth: np.ndarray, predicted: np.ndarray | Prediction) -> dict[float, np.ndarray]:
    """By how much actual values are off: from the forecast, or of one with quantiles from each level's interval."""
    predicted = as_prediction(predicted)
    if predicted.quantiles is None:
        return {POINT: np.abs(truth - predicted.point)}
    bands = {level: predicted.band(level) for level in predicted.levels}
    return {level: np.maximum(lower - truth, truth - upper) for level, (lower, upper) in bands.items()}


def independent_windows(these: Windows) -> np.ndarray:
    """Windows of each run whose targets share no row, shape `(runs,)`: what overlapping windows are worth at least."""
    apart = -(-these.shape.output_steps // these.stride)
    return np.where(these.counts > 0, (these.counts - 1) // apart + 1, 0)


def long_enough(these: Windows, names: Sequence[str], level: float) -> list[str]:
    """Series whose windows that share no target row are enough for a level by themselves; none where there is one series."""
    if len(names) < 2:
        return []
    counts = np.zeros(len(names), dtype=np.int64)
    np.add.at(counts, these.series, independent_windows(these))
    return [name for name, count in zip(names, counts, strict=True) if count >= needed(level)]


def scales_of(prepared: Prepared, naive: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A scale for each series and target: of its own, and known from the training rows."""
    found = {}
    for place, name in enumerate(prepared.table.series):
        own = naive.get(name, np.full(len(prepared.columns.targets), np.nan))
        usable = np.isfinite(own) & (own > 0)
        found[name] = np.where(usable, own, np.abs(prepared.target_scale[place]))
    return found


def learned_of(prepared: Prepared) -> dict[str, dict[str, str]]:
    """For a bundle's info: the newest row of each series that a model has learned from; empty of rows without a clock."""
    return {
        LEARNED_UNTIL: _newest_of(prepared, ("train", "val")),  # validation has chosen its epoch
        TRAINED_UNTIL: _newest_of(prepared, ("train",)),
    }


def learned_windows(prepared: Prepared, until: Mapping[str, str] | None) -> int:
    """How many of the windows have targets that begin in rows which a model has learned from, as far as times tell."""
    return len(_learned_targets(prepared, until)[0])


def refuse_learned(prepared: Prepared, until: Mapping[str, str] | None) -> None:
    """Raises `ArgumentError` where targets of these rows lie in the rows that a model has learned from, as far as times tell."""
    table, (rows, series) = prepared.table, _learned_targets(prepared, until)
    if not len(rows):
        return
    assert table.times is not None
    assert until is not None
    name = table.series[int(series[0])]
    raise ArgumentError(
        f"{table.origin}: the first target, {table.times[int(rows[0])]}{f' of series {name}' if name else ''}, is a row that "
        f"the model has learned from, up to {until[name]}. Intervals by such rows are too narrow. Give later ones",
        code="trained_rows",
    )


def _newest_of(prepared: Prepared, parts: Sequence[str]) -> dict[str, str]:
    table, ends = prepared.table, np.maximum.reduce([prepared.split.rows(part)[:, 1] for part in parts])
    if table.times is None:
        return {}
    begun = ends > table.bounds[:-1]
    return {
        name: table.times[int(end) - 1].isoformat()
        for name, end, some in zip(table.series, ends, begun, strict=True)
        if some
    }


def _learned_targets(prepared: Prepared, until: Mapping[str, str] | None) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the first targets that a model has learned from, and the series of each."""
    table, these = prepared.table, prepared.windows["test"]
    if not until or table.times is None or not these.count:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    learned = table.bounds[:-1].copy()
    for place, name in enumerate(table.series):
        if name in until:
            own = table.times[table.bounds[place] : table.bounds[place + 1]]
            learned[place] += int((own <= pd.Timestamp(until[name])).sum())
    first, series = these.starts() + these.shape.target_offset, prepared.series_of("test")
    seen = first < learned[series]
    return first[seen], series[seen]
