"""What intervals are calibrated on: how many windows, which errors, and the scale that they are divided by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from seq2seq_kit.data.tables.splits import CALIBRATION
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.data.windows.ranges import Windows
from seq2seq_kit.intervals.conformal import needed, refuse_few
from seq2seq_kit.intervals.prediction import Prediction, as_prediction

Predicts = Callable[[Prepared, str, np.ndarray], np.ndarray | Prediction]

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
