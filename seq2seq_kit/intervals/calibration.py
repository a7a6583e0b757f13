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

LEARNED_UNTIL = "learned_until"  # in a bundle's info: the newest row of training and validation, by series
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


def learned_until(prepared: Prepared) -> dict[str, str]:
    """The time of the newest row of each series that weights, epoch or baselines have seen; empty of rows without a clock."""
    table, ends = prepared.table, np.maximum(*(prepared.split.rows(part)[:, 1] for part in ("train", "val")))
    if table.times is None:
        return {}
    return {
        name: table.times[int(end) - 1].isoformat() for name, end in zip(table.series, ends, strict=True) if end > 0
    }


def learned_windows(prepared: Prepared, until: Mapping[str, str] | None) -> int:
    """How many of the windows have targets that begin in rows which a model has learned from, as far as times tell."""
    table, these = prepared.table, prepared.windows["test"]
    if not until or table.times is None or not these.count:
        return 0
    learned = table.bounds[:-1].copy()
    for series, name in enumerate(table.series):
        if name in until:
            own = table.times[table.bounds[series] : table.bounds[series + 1]]
            learned[series] += int((own <= pd.Timestamp(until[name])).sum())
    first = these.starts() + these.shape.target_offset
    return int((first < learned[prepared.series_of("test")]).sum())


def refuse_learned(prepared: Prepared, until: Mapping[str, str] | None) -> None:
    """Raises `DataError` where targets of these rows lie in the rows that a model has learned from, as far as times tell."""
    table, these = prepared.table, prepared.windows["test"]
    if not until or table.times is None or not these.count:
        return
    first = these.first + these.shape.target_offset
    for row, series in zip(first.tolist(), these.series.tolist(), strict=True):
        name = table.series[series]
        if name in until and table.times[row] <= pd.Timestamp(until[name]):
            raise ArgumentError(
                f"{table.origin}: the first target, {table.times[row]}{f' of series {name}' if name else ''}, is a row that "
                f"the model has learned from, up to {until[name]}. Intervals by such rows are too narrow. Give later ones",
                code="trained_rows",
            )
