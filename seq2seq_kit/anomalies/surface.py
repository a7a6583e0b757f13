"""The volume under the range-based ROC and precision-recall surfaces (Paparrizos et al., PVLDB 15(11), 2022).

A label has sharp borders where an anomaly has none, so each labelled event is given a slope of up to half a buffer on both
sides, and the areas under the curves are averaged over buffers from 0 to a largest one. The definition is that of the
published tables of TSB-AD: the slopes count as positives where they are predicted, 250 thresholds at even ranks.
"""

from dataclasses import dataclass

import numpy as np

_THRESHOLDS = 250
_LAGS, _LEAST_LAG, _DEFAULT_BUFFER = 400, 3, 125
_LONGEST_BUFFER = 300


@dataclass(frozen=True)
class Volumes:
    """Volumes under the precision-recall and the ROC surface, each between 0 and 1."""

    pr: float
    roc: float


def volumes(labels: np.ndarray, scores: np.ndarray, segment: np.ndarray, *, buffer: int) -> Volumes:
    """The volumes under both surfaces.

    Args:
        labels: 0 or 1 of each row, shape `(rows,)`; at least one row of each.
        scores: The higher, the more anomalous, shape `(rows,)`, finite.
        segment: Changes where rows do not follow each other; no slope crosses that.
        buffer: The largest buffer in rows.
    """
    events = runs(labels > 0, segment)
    low, high = _borders(segment, events)
    order = np.argsort(-scores, kind="stable")
    ranked, padded = scores[order], np.r_[scores, -np.inf]  # an event may end with the last row
    # `predicted[k]`: rows that are at or above threshold k.
    thresholds = ranked[np.linspace(0, len(scores) - 1, _THRESHOLDS).astype(int)]
    predicted = len(ranked) - np.searchsorted(ranked[::-1], thresholds, side="left")
    positive = float((labels > 0).sum())
    hits = np.cumsum((labels > 0)[order])[predicted - 1]
    areas = np.zeros((buffer + 1, 2))
    for width in range(buffer + 1):
        weights, wider = _with_slopes(labels, events, low, high, width)
        weighed = np.cumsum(weights[order])[predicted - 1]
        peaks = np.sort(np.maximum.reduceat(padded, wider.ravel())[::2])
        met = len(peaks) - np.searchsorted(peaks, thresholds, side="left")
        positives = (positive + positive + weighed - hits) / 2
        recall = np.minimum(weighed / positives, 1.0) * met / len(peaks)
        false = (predicted - weighed) / (len(labels) - positives)
        areas[width] = _areas(recall, weighed / predicted, false)
    pr, roc = areas.mean(axis=0)
    return Volumes(float(pr), float(roc))


def strongest_period(values: np.ndarray) -> int:
    """The lag of the highest local maximum of a series' autocorrelation, the buffer that TSB-AD takes.

    Args:
        values: One column in time order, shape `(rows,)`, finite.

    Returns:
        A lag from 6 to 303 rows, 125 where there is no such maximum.
    """
    values = values[:20_000] - values[:20_000].mean()
    size = 2 * len(values)
    power = np.abs(np.fft.rfft(values, size)) ** 2
    correlation = np.fft.irfft(power, size)[: min(_LAGS + 1, len(values))]
    inner = correlation[_LEAST_LAG:]
    maxima = np.flatnonzero((inner[1:-1] > inner[:-2]) & (inner[1:-1] > inner[2:])) + 1
    if not len(maxima):
        return _DEFAULT_BUFFER
    beyond = int(maxima[np.argmax(inner[maxima])])  # lags beyond the least one, as there
    return beyond + _LEAST_LAG if _LEAST_LAG <= beyond <= _LONGEST_BUFFER else _DEFAULT_BUFFER


def runs(flags: np.ndarray, segment: np.ndarray) -> np.ndarray:
    """First and last row of each run of true values that crosses no border of segments, shape `(runs, 2)`."""
    if not len(flags):
        return np.zeros((0, 2), int)
    begins = np.r_[True, segment[1:] != segment[:-1]]
    starts = flags & (begins | ~np.r_[False, flags[:-1]])
    ends = flags & (np.r_[begins[1:], True] | ~np.r_[flags[1:], False])
    return np.column_stack([np.flatnonzero(starts), np.flatnonzero(ends)])


def _borders(segment: np.ndarray, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last row of the segment that each event lies in."""
    firsts = np.flatnonzero(np.r_[True, segment[1:] != segment[:-1]])
    place = np.searchsorted(firsts, events[:, 0], side="right") - 1
    return firsts[place], np.r_[firsts[1:] - 1, len(segment) - 1][place]


def _with_slopes(
    labels: np.ndarray, events: np.ndarray, low: np.ndarray, high: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """The labels with slopes of `width // 2` rows, and the events so widened (first row, row behind the last), merged."""
    weights, half = labels.astype(float), width // 2
    for (first, last), lowest, highest in zip(events, low, high, strict=True):
        behind = np.arange(last + 1, min(last + half, highest) + 1)
        weights[behind] += np.sqrt(1 - (behind - last) / width)
        before = np.arange(max(first - half, lowest), first)
        weights[before] += np.sqrt(1 - (first - before) / width)
    starts, ends = np.maximum(events[:, 0] - half, low), np.minimum(events[:, 1] + half, high)
    apart = np.r_[True, (starts[1:] > ends[:-1])]
    merged = np.column_stack([starts[apart], np.r_[ends[:-1][apart[1:]], ends[-1]] + 1])
    return np.minimum(weights, 1.0), merged


def _areas(recall: np.ndarray, precision: np.ndarray, false: np.ndarray) -> tuple[float, float]:
    recall_roc, false_roc = np.r_[0.0, recall, 1.0], np.r_[0.0, false, 1.0]
    roc = np.sum(np.diff(false_roc) * (recall_roc[1:] + recall_roc[:-1]) / 2)
    return float(np.sum(np.diff(np.r_[0.0, recall]) * precision)), float(roc)
