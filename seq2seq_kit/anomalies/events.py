"""Events from scores: hysteresis, gaps that are bridged, a least length. The page of a run repeats exactly this in JavaScript."""

from __future__ import annotations

import numpy as np


def cut_events(
    scores: np.ndarray,
    segment: np.ndarray,
    threshold: float,
    exit_threshold: float,
    min_steps: int = 1,
    merge_gap: int = 0,
) -> np.ndarray:
    """The first and the last row of each event.

    An event begins at a row whose score is above `threshold` and goes on while scores are above `exit_threshold`. Events of
    the same segment with at most `merge_gap` rows between them are one; then those of fewer than `min_steps` rows are dropped.
    A score of NaN is above nothing.

    Args:
        scores: Shape `(rows,)`.
        segment: Changes where rows do not follow each other, shape `(rows,)`; no event crosses that.
        threshold: At which an event begins.
        exit_threshold: At most `threshold`.
        min_steps: Rows of the shortest event.
        merge_gap: Rows.

    Returns:
        Shape `(events, 2)`, int64, in order.

    Example:
        >>> cut_events(np.array([0.0, 5.0, 3.0, 0.0, 6.0]), np.zeros(5), 4.0, 2.0, merge_gap=1).tolist()
        [[1, 4]]
    """
    above, high = scores > exit_threshold, scores > threshold
    breaks = np.flatnonzero(segment[1:] != segment[:-1]) + 1
    begins = above.copy()
    begins[1:] &= ~above[:-1]
    begins[breaks] = above[breaks]
    run = np.cumsum(begins)  # of each row above the exit threshold, from 1
    rows = np.flatnonzero(high)
    hit, first = np.unique(run[rows], return_index=True)
    lasts = np.zeros(int(run[-1]) + 1 if len(run) else 1, dtype=np.int64)
    inside = np.flatnonzero(above)
    lasts[run[inside]] = inside  # the last row of each run stays
    events = np.column_stack([rows[first], lasts[hit]]).astype(np.int64)
    if len(events) > 1:
        apart = events[1:, 0] - events[:-1, 1] - 1 > merge_gap
        apart |= segment[events[1:, 0]] != segment[events[:-1, 1]]
        starts = np.flatnonzero(np.concatenate([[True], apart]))
        events = np.column_stack([events[starts, 0], events[np.append(starts[1:], len(events)) - 1, 1]])
    return events[events[:, 1] - events[:, 0] + 1 >= min_steps]
