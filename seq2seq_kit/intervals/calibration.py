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

_CHUNK = 4_096  # windows
# In a bundle's info: the newest row of training and validation, and of training alone, by series.
LEARNED_UNTIL, TRAINED_UNTIL = "learned_until", "trained_until"
_LEAST_SCALE = 1e-9  # of the general scale
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


def idle_series(prepared: Prepared, naive: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which series have no MASE denominator, constant in training or not there, shape `(series, targets)` bool."""
    unknown = np.full(len(prepared.columns.targets), np.nan)
    own = np.stack([naive.get(name, unknown) for name in prepared.table.series])
    return ~(np.isfinite(own) & (own > 0))


def scales_of(
    prepared: Prepared, naive: Mapping[str, np.ndarray], idle: np.ndarray, errors: Mapping[int, np.ndarray]
) -> dict[str, np.ndarray]:
    """A scale for each series and target: its own, known from the training rows; of an idle one its mean error.

    Args:
        prepared: The rows.
        naive: MASE's denominators by series.
        idle: See `idle_series`.
        errors: Of idle series, by their positions: absolute errors on calibration windows, NaN where the truth is missing, shape
            `(windows, steps, targets)`.
    """
    found = {}
    for place, name in enumerate(prepared.table.series):
        general = np.abs(prepared.target_scale[place])
        if not idle[place].any():
            found[name] = naive[name]
            continue
        these = errors.get(place, np.zeros((0, 1, len(general)))).reshape(-1, len(general))
        known = np.isfinite(these)
        mean = np.where(known, these, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        of_errors = np.where(known.any(axis=0), np.maximum(mean, _LEAST_SCALE * general), general)
        found[name] = np.where(idle[place], of_errors, naive.get(name, general))
    return found


def point_errors(prepared: Prepared, part: str, predict: Predicts, windows: np.ndarray) -> np.ndarray:
    """Absolute errors of a forecaster on some windows, shape `(windows, steps, targets)`."""
    chunks = np.split(windows, range(_CHUNK, len(windows), _CHUNK))
    return np.concatenate(
        [np.abs(prepared.truth(part, each) - as_prediction(predict(prepared, part, each)).point) for each in chunks]
    )


def without_idle(scores: np.ndarray, idle: np.ndarray, least: int) -> np.ndarray:
    """Scores of what series share: NaN for the idle ones, whose errors say nothing of the others, where enough are left.

    Args:
        scores: Shape `(windows, steps, targets)`.
        idle: Of the series of each window, shape `(windows, targets)` bool.
        least: Scores that each step and target must have.
    """
    found = np.where(idle[:, None, :], np.nan, scores)
    enough = np.isfinite(found).sum(axis=0).min(axis=0) >= least
    return np.where(enough, found, scores)


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
