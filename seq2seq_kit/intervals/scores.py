"""How good quantiles are: coverage, width, pinball loss and what is made of it, and where the actual values fall among them.

WQL (weighted quantile loss) is twice the pinball loss over the sum of |actual|, averaged over the deciles; CRPS is twice the
pinball loss integrated over all probabilities; the interval score of a level is its width plus a penalty for what lies outside,
which is the pinball losses of its two ends over their probability (Gneiting and Raftery 2007). The smaller the better, all three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from seq2seq_kit.intervals.prediction import DECILES, Prediction, probabilities_of

Axis = slice | list[int]
Pick = tuple[Axis, Axis, Axis]

_EVERY: Pick = (slice(None), slice(None), slice(None))


def pinball(truth: np.ndarray, quantile: np.ndarray, probability: float) -> np.ndarray:
    """The pinball loss of a quantile at each cell; NaN where the truth is."""
    off = truth - quantile
    return np.asarray(np.maximum(probability * off, (probability - 1) * off))


@dataclass
class QuantileSums:
    """Sums over cells of one forecaster, by series, step and target.

    Args:
        shape: Series, output steps, targets.
        levels: Of its quantiles, ascending.

    Attributes:
        cells, magnitude: Known cells and the sum of |actual|, of `shape`.
        pinball, below: Pinball loss, and actual values below the quantile, of `(probabilities, *shape)`.
        width, inside: Width, and actual values inside, of `(levels, *shape)`.
    """

    shape: tuple[int, int, int]
    levels: tuple[float, ...]
    cells: np.ndarray = field(init=False)
    magnitude: np.ndarray = field(init=False)
    pinball: np.ndarray = field(init=False)
    below: np.ndarray = field(init=False)
    width: np.ndarray = field(init=False)
    inside: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.cells, self.magnitude = np.zeros(self.shape), np.zeros(self.shape)
        self.pinball, self.below = (np.zeros((len(self.probabilities), *self.shape)) for _ in range(2))
        self.width, self.inside = (np.zeros((len(self.levels), *self.shape)) for _ in range(2))

    @property
    def probabilities(self) -> tuple[float, ...]:
        return probabilities_of(self.levels)

    def add(self, truth: np.ndarray, predicted: Prediction, series: np.ndarray) -> None:
        """Adds windows: `truth` of shape `(windows, steps, targets)`, `series` of each window."""
        assert predicted.quantiles is not None
        known = ~np.isnan(truth)

        def add(total: np.ndarray, part: np.ndarray) -> None:
            np.add.at(total, series, np.where(known, part, 0.0))

        add(self.cells, known)
        add(self.magnitude, np.abs(truth))
        for place, probability in enumerate(self.probabilities):
            quantile = predicted.quantiles[..., place]
            add(self.pinball[place], pinball(truth, quantile, probability))
            add(self.below[place], truth < quantile)
        for place, level in enumerate(self.levels):
            lower, upper = predicted.band(level)
            add(self.width[place], upper - lower)
            add(self.inside[place], (lower <= truth) & (truth <= upper))

    def coverage(self, level: float, pick: Pick = _EVERY) -> float:
        """Share of the actual values inside the intervals of a level, over a selection of series, steps and targets."""
        return _over(self.inside[self.levels.index(level)][pick].sum(), self.cells[pick].sum())

    def mean_width(self, level: float, scale: np.ndarray, pick: Pick = _EVERY) -> float:
        """Mean width of a level in units of `scale`, shape `(series, targets)`."""
        return _over((self.width[self.levels.index(level)] / scale[:, None])[pick].sum(), self.cells[pick].sum())

    def interval_score(self, level: float, scale: np.ndarray, pick: Pick = _EVERY) -> float:
        """Mean interval score of a level; `scale` as above."""
        lower = len(self.levels) - 1 - self.levels.index(level)
        losses = (self.pinball[lower] + self.pinball[-1 - lower]) / scale[:, None]
        return 2 / (1 - level / 100) * _over(losses[pick].sum(), self.cells[pick].sum())

    def mean_pinball(self, scale: np.ndarray, pick: Pick = _EVERY) -> float:
        """Mean pinball loss over all quantiles; `scale` as above."""
        losses = [_over((each / scale[:, None])[pick].sum(), self.cells[pick].sum()) for each in self.pinball]
        return float(np.mean(losses))

    def crps(self, scale: np.ndarray, pick: Pick = _EVERY) -> float:
        """CRPS by the quantiles that there are, each for the probabilities nearest to it; `scale` as above."""
        between = np.convolve(self.probabilities, [0.5, 0.5], mode="valid")
        weights = np.diff([0.0, *between, 1.0])
        losses = [_over((each / scale[:, None])[pick].sum(), self.cells[pick].sum()) for each in self.pinball]
        return float(2 * np.dot(weights, losses))

    def wql(self, pick: Pick = _EVERY) -> float:
        """WQL over the deciles, the mean of that of each target; NaN without them, or where every actual value is 0."""
        deciles = [place for place, each in enumerate(self.probabilities) if each in probabilities_of(DECILES)]
        if len(deciles) < 2 * len(DECILES) + 1:
            return float("nan")
        series, steps, targets = pick
        loss = 2 * self.pinball[deciles].mean(axis=0)[:, :, targets][series][:, steps].sum(axis=(0, 1))
        magnitude = self.magnitude[:, :, targets][series][:, steps].sum(axis=(0, 1))
        there = magnitude > 0
        return float(np.mean(loss[there] / magnitude[there])) if there.any() else float("nan")

    def pit(self, pick: Pick = _EVERY) -> np.ndarray:
        """PIT histogram: the share of the actual values between neighbouring quantiles over that which belongs there.

        Shape `(probabilities + 1,)`, at best 1 everywhere; the bins end at `probabilities`.
        """
        count = max(float(self.cells[pick].sum()), 1.0)
        below = [float(each[pick].sum()) / count for each in self.below]
        return np.diff([0.0, *below, 1.0]) / np.diff([0.0, *self.probabilities, 1.0])


def rows_of(
    name: str,
    sums: QuantileSums,
    *,
    scale: np.ndarray,
    targets: Sequence[str],
    series: Sequence[str],
) -> list[dict[str, object]]:
    """Every figure of one forecaster, long: overall, by target, and each of those by step and by series; see `Evaluation.table`.

    `scale` is for figures over several targets, shape `(series, targets)`; those of one target are in its own units.
    """
    every, own = slice(None), np.ones_like(scale)
    found: list[dict[str, object]] = []

    def add(by: np.ndarray, pick: Pick, target: str = "", one: str = "", step: int = 0) -> None:
        row: dict[str, object] = {"forecaster": name, "target": target, "series": one, "step": step}
        shared = {"pinball": sums.mean_pinball(by, pick), "wql": sums.wql(pick), "crps": sums.crps(by, pick)}
        found.extend(
            row
            | {"level": level, "coverage": sums.coverage(level, pick), "width": sums.mean_width(level, by, pick)}
            | {"interval_score": sums.interval_score(level, by, pick)}
            | shared
            for level in sums.levels
        )

    add(scale if len(targets) > 1 else own, _EVERY)
    for k, target in enumerate(targets):
        add(own, (every, every, [k]), target)
        for t in range(sums.shape[1]):
            add(own, (every, slice(t, t + 1), [k]), target, step=t + 1)
        for s, one in enumerate(series if len(series) > 1 else []):
            add(own, (slice(s, s + 1), every, [k]), target, one)
    return found


def _over(total: float, count: float) -> float:
    return float(total / count) if count else float("nan")
