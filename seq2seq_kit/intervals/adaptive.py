"""Intervals that follow what happens: a level that has held too little is asked for more, and less where it has held too much.

Adaptive conformal inference (Gibbs and Candes 2021): after each forecast whose actual value is known the level that is used
moves by `rate` times by how much the share of misses was off. Over many forecasts the intervals then hold what they promise,
however the errors change.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from seq2seq_kit.intervals.prediction import Prediction

RATE = 0.02


def ends_at(predicted: Prediction, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ends of levels between those that a prediction has.

    Args:
        predicted: With quantiles of shape `(windows, steps, targets, probabilities)`.
        used: Levels in percent, shape `(levels, windows, steps, targets)`; at 0 and below the ends meet at the median, beyond the
            highest level of the prediction they go on, in proportion to its width.

    Returns:
        Lower and upper ends, of the shape of `used`.
    """
    assert predicted.quantiles is not None
    count = len(predicted.levels)
    known = np.array([0.0, *predicted.levels])
    lower, upper = predicted.quantiles[..., count::-1], predicted.quantiles[..., count:]
    top = known[-1]
    inside = np.clip(used, 0.0, top)
    place = np.clip(np.searchsorted(known, inside, side="right") - 1, 0, count - 1)
    share = (inside - known[place]) / (known[place + 1] - known[place])
    beyond = np.maximum(used - top, 0.0) / (100.0 - top)
    found = []
    for ends in (lower, upper):
        every = np.broadcast_to(ends, (len(used), *ends.shape))
        near, far = (np.take_along_axis(every, (place + more)[..., None], axis=-1)[..., 0] for more in (0, 1))
        found.append(near + share * (far - near) + beyond * (ends[..., -1] - ends[..., 0]))
    return found[0], found[1]


def at_levels(predicted: Prediction, levels: Sequence[float], used: np.ndarray) -> Prediction:
    """A prediction of some levels, ascending, with the ends of others in their place; `used` as of `ends_at`."""
    assert predicted.quantiles is not None
    lower, upper = ends_at(predicted, used)
    quantiles = np.empty((*predicted.point.shape, 2 * len(levels) + 1))
    before = after = quantiles[..., len(levels)] = predicted.quantiles[..., len(predicted.levels)]
    for place in range(len(levels)):
        before, after = np.fmin(lower[place], before), np.fmax(upper[place], after)
        quantiles[..., len(levels) - 1 - place], quantiles[..., len(levels) + 1 + place] = before, after
    return Prediction(predicted.point, tuple(levels), quantiles)


def moved(used: np.ndarray, levels: Sequence[float], missed: np.ndarray, rate: float | np.ndarray = RATE) -> np.ndarray:
    """The levels that are used next.

    Args:
        used: In percent, first axis by level.
        levels: Asked for, in percent.
        missed: Whether the actual value lay outside, of the shape of `used`; NaN where it is not known.
        rate: How far one miss counts, a number or one for each cell.
    """
    allowed = (1 - np.asarray(levels, dtype=np.float64) / 100).reshape(-1, *[1] * (used.ndim - 1))
    return np.where(np.isnan(missed), used, used + 100 * rate * (np.nan_to_num(missed) - allowed))


def misses(truth: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """1 where the truth lies outside, 0 inside, NaN where it, or an end, is unknown."""
    known = ~(np.isnan(truth) | np.isnan(lower) | np.isnan(upper))
    return np.where(known, (truth < lower) | (truth > upper), np.nan)


def slowed(rate: float, delay: np.ndarray | float) -> np.ndarray:
    """The rate for values that become known `delay` forecasts later, 1 at the soonest.

    What is missed in the meantime tells much the same and finds no answer, so that the full rate would overshoot.
    """
    return np.asarray(rate / np.sqrt(delay))


class Follower:
    """Neighbouring windows of one series in time order: the levels of each were moved by all actual values known at its origin.

    Args:
        levels: Asked for, in percent, ascending.
        delays: After how many windows the actual value of each step is known, at least 1, shape `(steps,)`.
        targets: How many.
        rate: See `moved`.
    """

    def __init__(self, levels: Sequence[float], delays: np.ndarray, targets: int, rate: float = RATE) -> None:
        self._levels, self._delays = tuple(levels), delays
        self._rate = slowed(rate, delays)[:, None]
        start = np.array(self._levels)[:, None, None]
        self.used = np.broadcast_to(start, (len(self._levels), len(delays), targets)).copy()
        self._missed: deque[np.ndarray] = deque(maxlen=int(delays.max()))

    def next(self, predicted: Prediction, truth: np.ndarray) -> Prediction:
        """The next window with its ends moved.

        Args:
            predicted: Of one window, with the quantiles of levels to move between.
            truth: Its actual values, shape `(steps, targets)`; they count from when they are known.
        """
        known = np.full(self.used.shape, np.nan)
        for step, delay in enumerate(self._delays):
            if delay <= len(self._missed):
                known[:, step] = self._missed[-delay][:, step]
        self.used = moved(self.used, self._levels, known, self._rate)
        found = at_levels(predicted, self._levels, self.used[:, None])
        ends = [found.band(level) for level in self._levels]
        self._missed.append(np.stack([misses(truth, lower[0], upper[0]) for lower, upper in ends]))
        return found

    def interrupt(self) -> None:
        """Rows are missing before the next window: what is not known yet is told at once."""
        waiting = list(self._missed)
        for back, missed in enumerate(reversed(waiting), start=1):
            known = np.full(self.used.shape, np.nan)
            late = self._delays > back
            known[:, late] = missed[:, late]
            self.used = moved(self.used, self._levels, known, self._rate)
        self._missed.clear()
