"""Whether a stretch of new rows is one more of the reference's stretches, with a false-alarm rate that is known.

The reference is cut into stretches as long as the new one. Each is described by statistics of its columns (share of missing
cells, level, spread, distribution). A statistic's distance is the number of robust deviations between a stretch and the middle of
all stretches, the new one among them, and a stretch is judged by the largest of its distances. If the new stretch is one more of
them, each is equally likely to have the largest distance of all; so it lies above the quantile that is taken here in at most so
many cases of a hundred, whatever the rows inside a stretch have to do with each other, and however many columns are looked at.
That is conformal prediction (Vovk, Gammerman and Shafer 2005) with stretches as what is exchangeable, as subsampling has it for
dependent series (Politis, Romano and Wolf 1999).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq_kit.drift.blocks import COUNT, FIRST_BIN, MISSING, SQUARES, SUM

STATISTICS = ("missing", "unseen", "level", "spread", "distribution")
_ABOVE_ONLY = np.array([True, True, False, False, True])
_TOO_FEW = "the reference has too few stretches for this rate"
_MAD = 1.4826  # as in `anomalies.detector`
# A difference that is of no account however steady the reference is, in training scales or as a share.
_LEAST = np.array([0.0, 0.0, 0.01, 0.01, 0.01])


@dataclass(frozen=True)
class Alarms:
    """What is found of a new stretch.

    Attributes:
        stretches: Of the reference, which the new one is compared with.
        threshold: The distance above which a statistic is an alarm.
        rate: In how many cases one or more of them are, if nothing has changed: at most so many.
        past: The statistics of the reference's stretches, the oldest first, shape `(stretches, columns, statistics)`.
        now: Those of the new stretch, shape `(columns, statistics)`, NaN where there is none; likewise `usual`, the
            median of all stretches, `distance`, and `p`: the share of stretches with one that is as large or larger.
        p_value: Of the largest distance.
    """

    stretches: int
    threshold: float
    rate: float
    past: np.ndarray
    now: np.ndarray
    usual: np.ndarray
    distance: np.ndarray
    p: np.ndarray
    p_value: float

    @property
    def alarm(self) -> np.ndarray:
        """Which statistics are alarms, shape `(columns, statistics)`."""
        return np.nan_to_num(self.distance, nan=-1.0) > self.threshold


def needed(rate: float) -> int:
    """Stretches that a false-alarm rate takes."""
    return math.ceil(1 / rate - 1e-9) - 1


def blocks_of_a_stretch(reference: int, new: int, rate: float) -> int:
    """How many of the new blocks can be compared at once: as many stretches of the reference must be as long; 0: none can."""
    return min(new, reference // needed(rate))


def compare(
    reference: np.ndarray, new: np.ndarray, *, rate: float, looked_at: np.ndarray, words: Sequence[bool] = ()
) -> Alarms:
    """Compares the newest blocks of new rows with stretches of the reference.

    Args:
        reference: Sums of its blocks, shape `(series, blocks, columns, SUMS)`, the oldest first.
        new: Those of the new rows, at least one block.
        rate: False alarms, at most.
        looked_at: Which statistics of which columns, bool `(columns, statistics)`.
        words: Which columns are categories.

    Raises:
        ValueError: The reference has too few stretches that are as long.
    """
    length = blocks_of_a_stretch(reference.shape[1], new.shape[1], rate)
    if length < 1:
        raise ValueError(_TOO_FEW)
    count = reference.shape[1] // length
    kept = reference[:, reference.shape[1] - count * length :].sum(axis=0)
    old = kept.reshape(count, length, *kept.shape[1:]).sum(axis=1)
    old = old[(old[..., COUNT] > 0).any(axis=1)]  # of some rows nothing may be known
    if (count := len(old)) < needed(rate):
        raise ValueError(_TOO_FEW)
    every = np.concatenate([old, new[:, new.shape[1] - length :].sum(axis=(0, 1))[None]])
    found = statistics(every, words)
    found[:, ~looked_at] = np.nan
    distance = _distances(found, every)
    largest = np.nanmax(distance.reshape(count + 1, -1), axis=1, initial=0.0)
    past, own = np.sort(largest[:-1]), largest[-1]
    rank = math.ceil((1 - rate) * (count + 1) - 1e-9)
    threshold = float(past[rank - 1])
    at_least = (past[None, None, :] >= np.nan_to_num(distance[-1], nan=-1.0)[:, :, None]).sum(axis=2)
    p = np.where(np.isnan(distance[-1]), np.nan, (1 + at_least) / (count + 1))
    p_value = float((1 + (past >= own).sum()) / (count + 1))
    return Alarms(count, threshold, rate, found[:-1], found[-1], _nanmedian(found), distance[-1], p, p_value)


def statistics(sums: np.ndarray, words: Sequence[bool] = ()) -> np.ndarray:
    """The statistics of stretches, `(stretches, columns, statistics)`, from their sums `(stretches, columns, SUMS)`."""
    is_word = np.array(words, dtype=bool) if len(words) else np.zeros(sums.shape[1], dtype=bool)
    count, missing = sums[..., COUNT], sums[..., MISSING]
    there = np.where(count > 0, count, np.nan)
    mean = sums[..., SUM] / there
    spread = np.sqrt(np.maximum(sums[..., SQUARES] / there - mean**2, 0.0))
    bins = sums[..., FIRST_BIN:] / there[..., None]
    # Of all stretches alike, the new one among them, so that none of them is another than the others.
    known = count > 0
    usual = np.where(known[..., None], bins, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)[:, None]
    apart = bins - usual
    kolmogorov = np.abs(np.cumsum(apart, axis=-1)).max(axis=-1)
    far = np.where(is_word, np.abs(apart).sum(axis=-1) / 2, kolmogorov)
    nothing = np.full_like(mean, np.nan)
    return np.stack(
        [
            missing / np.maximum(count + missing, 1),
            np.where(is_word, mean, nothing),
            np.where(is_word, nothing, mean),
            np.where(is_word, nothing, spread),
            far,
        ],
        axis=-1,
    )


def _distances(found: np.ndarray, every: np.ndarray) -> np.ndarray:
    """Of each stretch from the middle of all, in robust deviations of all."""
    cells = np.maximum((every[..., COUNT] + every[..., MISSING]).max(axis=0), 1)
    least = np.maximum(_LEAST[None, :], np.where(_LEAST == 0, 1.0, 0.0)[None, :] / cells[:, None])
    with np.errstate(invalid="ignore"):
        middle = _nanmedian(found)
        off = found - middle
        scale = np.maximum(_MAD * _nanmedian(np.abs(off)), least)
        return np.where(_ABOVE_ONLY, np.maximum(off, 0.0), np.abs(off)) / scale


def _nanmedian(values: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values).all(axis=0)
    filled = np.where(known, values, 0.0)
    return np.where(known, np.nanmedian(filled, axis=0), np.nan)
