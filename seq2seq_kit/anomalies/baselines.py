"""Scores that need no network and are hard to beat, on the same rows as a model's: what a detector has to be better than."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

_EXPLAINED = 0.9  # share of the variance that the components of sub-PCA keep
_FIT_WINDOWS = 20_000
_MOST_PAIRS = 200_000_000
_CHUNK = 2_048  # windows at a time
_CONSTANT = 1e-9  # deviation of a window of scaled rows that is rounding
# Share of a column's standard deviation below which a moving one is no deviation but rounding.
_LEAST_SPREAD = 1e-3


def sub_pca(
    train: np.ndarray, train_segment: np.ndarray, rows: np.ndarray, segment: np.ndarray, *, steps: int
) -> np.ndarray:
    """Mean squared error of the windows that reach a row, rebuilt from the principal components of the training windows.

    Args:
        train: Training rows in scaled units, NaN where a cell is missing, shape `(rows, columns)`; likewise `rows`.
        train_segment: Changes where rows do not follow each other; likewise `segment`.
        rows: What is scored.
        steps: Rows of a window.

    Returns:
        Shape `(rows,)`, NaN where no window reaches.
    """
    starts = _starts(train_segment, steps)
    if not len(starts):
        return np.full(len(rows), np.nan)
    chosen = starts[:: max(len(starts) // _FIT_WINDOWS, 1)]
    windows = _windows(np.nan_to_num(train), chosen, steps)
    mean = windows.mean(axis=0)
    _, values, axes = np.linalg.svd(windows - mean, full_matrices=False)
    share = np.cumsum(values**2) / max(float(np.sum(values**2)), np.finfo(float).tiny)
    basis = axes[: int(np.searchsorted(share, _EXPLAINED)) + 1].T
    sums, counts = np.zeros(len(rows)), np.zeros(len(rows))
    for first in range(0, len(found := _starts(segment, steps)), _CHUNK):
        these = found[first : first + _CHUNK]
        flat = _windows(np.nan_to_num(rows), these, steps) - mean
        errors = (flat - flat @ basis @ basis.T).reshape(len(these), steps, -1)
        known = np.isfinite(rows)[these[:, None] + np.arange(steps)]
        squares = np.where(known, errors, 0.0) ** 2
        np.add.at(sums, these[:, None] + np.arange(steps), squares.sum(axis=2))
        np.add.at(counts, these[:, None] + np.arange(steps), known.sum(axis=2))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def moving_z(rows: np.ndarray, segment: np.ndarray, *, steps: int) -> np.ndarray:
    """Distance of each row to the mean of the `steps` rows before it in their standard deviations; the largest of the columns.

    The first row of a segment has none (NaN).
    """
    usual = np.nanstd(rows, axis=0) if len(rows) else np.ones(rows.shape[1])
    scores = np.full(rows.shape, np.nan)
    borders = np.flatnonzero(np.r_[True, segment[1:] != segment[:-1], True]) if len(rows) else np.zeros(1, int)
    for first, end in pairwise(borders):
        piece = rows[first:end]
        known = np.isfinite(piece)
        filled = np.where(known, piece, 0.0)
        count, total, squares = (
            np.vstack([np.zeros(rows.shape[1]), np.cumsum(each, axis=0)]) for each in (known, filled, filled**2)
        )
        at = np.arange(len(piece))
        back = np.maximum(at - steps, 0)
        seen = np.maximum(count[at] - count[back], 1)
        mean = (total[at] - total[back]) / seen
        spread = np.sqrt(np.maximum((squares[at] - squares[back]) / seen - mean**2, 0.0))
        enough = (count[at] - count[back]) > 1
        scores[first:end] = np.where(
            enough, np.abs(piece - mean) / np.maximum(spread, _LEAST_SPREAD * usual + 1e-12), np.nan
        )
    return _largest(scores)


def matrix_profile(
    train: np.ndarray, train_segment: np.ndarray, rows: np.ndarray, segment: np.ndarray, *, steps: int
) -> np.ndarray:
    """Distance of the windows that reach a row to the window most like them in the training rows, z-normalised; the largest of
    the columns, the mean of the windows.

    A product of all pairs, a piece at a time: stumpy needs a minute to compile before its first answer. Arguments and result as
    in `sub_pca`.
    """
    known = _starts(train_segment, steps)
    found = _starts(segment, steps)
    sums, counts = np.zeros(len(rows)), np.zeros(len(rows))
    known = known[:: max(len(known) * len(found) // _MOST_PAIRS, 1)]
    for first in range(0, len(found) if len(known) else 0, _CHUNK):
        these = found[first : first + _CHUNK]
        nearest = np.max(
            [
                _nearest(_column(rows, these, place, steps), _column(train, known, place, steps))
                for place in range(rows.shape[1])
            ],
            axis=0,
        )
        reached = these[:, None] + np.arange(steps)
        np.add.at(sums, reached, nearest[:, None])
        np.add.at(counts, reached, 1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def random_score(rows: int, *, seed: int) -> np.ndarray:
    """Uniform between 0 and 1: what a figure is worth shows in what this gets."""
    return np.random.default_rng(seed).random(rows)


def _starts(segment: np.ndarray, steps: int) -> np.ndarray:
    """First row of each window that lies in one segment."""
    if len(segment) < steps:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(segment[: len(segment) - steps + 1] == segment[steps - 1 :])


def _windows(rows: np.ndarray, starts: np.ndarray, steps: int) -> np.ndarray:
    return rows[starts[:, None] + np.arange(steps)].reshape(len(starts), -1)


def _column(rows: np.ndarray, starts: np.ndarray, place: int, steps: int) -> np.ndarray:
    """Windows of one column, each less its mean and divided by its deviation; a constant one is 0."""
    windows = _windows(np.nan_to_num(rows[:, place : place + 1]), starts, steps)
    windows = windows - windows.mean(axis=1, keepdims=True)
    spread = windows.std(axis=1, keepdims=True)
    return np.where(spread > _CONSTANT, windows / np.where(spread > _CONSTANT, spread, 1.0), 0.0)


def _nearest(windows: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Distance of each window to the nearest known one; a constant window is 0 from others and sqrt(steps) from the rest."""
    steps, flat = windows.shape[1], ~windows.any(axis=1)
    moving = known[known.any(axis=1)]
    squared = np.full(len(windows), np.inf if len(moving) else float(steps))
    for first in range(0, len(moving), _CHUNK):
        product = windows @ moving[first : first + _CHUNK].T
        squared = np.minimum(squared, 2 * (steps - product.max(axis=1)))
    if len(moving) < len(known):
        squared = np.minimum(squared, steps)
    squared[flat] = steps if len(moving) == len(known) else 0.0
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def _largest(scores: np.ndarray) -> np.ndarray:
    known = np.isfinite(scores)
    return np.where(known.any(axis=1), np.where(known, scores, -np.inf).max(axis=1), np.nan)
