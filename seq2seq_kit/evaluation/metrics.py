"""Errors of predictions, summed so that memory is flat and every table is a sum over the same cells.

A cell is one target at one output step of one window. Cells whose truth is missing are not counted.
"""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

_ROUNDING = 1e-12  # a sum of squares that is smaller than this share of its terms is none
# An error below this share of the truth's spread is rounding: a model reads and writes float32, which has seven digits.
_EXACT = 1e-6

Axis = slice | list[int]
Pick = tuple[Axis, Axis, Axis]


@dataclass(frozen=True)
class Scores:
    """MAE and RMSE in the units of the data, MASE and R2 without unit; NaN where a figure has no meaning."""

    mae: float
    rmse: float
    mase: float
    r2: float
    cells: int


@dataclass
class ErrorSums:
    """Sums over cells, by series, output step and target; each array has the shape `(series, steps, targets)`.

    Args:
        shape: Series, output steps, targets.
        center: A value near the truth's mean for each series and target, shape `(series, targets)`; sums of squares are
            taken about it, so that R2 does not drown in rounding.
    """

    shape: tuple[int, int, int]
    center: np.ndarray
    cells: np.ndarray = field(init=False)
    absolute: np.ndarray = field(init=False)
    squared: np.ndarray = field(init=False)
    truth: np.ndarray = field(init=False)
    truth_squared: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        for name in ("cells", "absolute", "squared", "truth", "truth_squared"):
            setattr(self, name, np.zeros(self.shape))

    def add(self, truth: np.ndarray, prediction: np.ndarray, series: np.ndarray) -> Self:
        """Adds windows: `truth` and `prediction` of shape `(windows, steps, targets)`, `series` of each window."""
        known = ~np.isnan(truth)
        error = np.where(known, prediction - truth, 0.0)
        shifted = np.where(known, truth - self.center[series][:, None, :], 0.0)
        for total, part in (
            (self.cells, known),
            (self.absolute, np.abs(error)),
            (self.squared, error**2),
            (self.truth, shifted),
            (self.truth_squared, shifted**2),
        ):
            np.add.at(total, series, part)
        return self

    def scores(self, scale: np.ndarray, naive: np.ndarray | None, pick: Pick | None = None) -> Scores:
        """The scores of a selection of series, steps and targets.

        Args:
            scale: What errors are divided by first, shape `(series, targets)`; ones for original units.
            naive: In-sample MAE of the seasonal naive forecast, shape `(series, targets)`: MASE's denominator;
                None where there is no MASE.
            pick: Series, steps and targets to sum over; all by default.
        """
        chosen = pick or (slice(None), slice(None), slice(None))
        by = scale[:, None, :]
        cells = self.cells[chosen]
        count = float(cells.sum())
        if not count:
            return Scores(np.nan, np.nan, np.nan, np.nan, 0)
        squared = float((self.squared / by**2)[chosen].sum())
        return Scores(
            mae=float((self.absolute / by)[chosen].sum()) / count,
            rmse=float(np.sqrt(squared / count)),
            mase=np.nan if naive is None else self._mase(chosen, naive),
            r2=self._r2(chosen, by, squared),
            cells=int(count),
        )

    def scaled_rmse(self, naive: np.ndarray | None) -> float:
        """RMSE on a scale that is each series' own: of each series and target over its denominator, then their mean.

        The denominator is MASE's; where no series has one, as for what is no forecast, it is the standard deviation of the
        truth; and where no truth varies, 1. A series and target without a denominator that others have is left out.

        Args:
            naive: As for `scores`.
        """
        there = self.cells.sum(axis=1) > 0
        rmse, own = self._by_series()
        if naive is not None and (there & (naive > 0)).any():
            own = naive
        usable = there & (own > 0)
        if not usable.any():
            own, usable = np.ones_like(rmse), there
        return float(np.mean(rmse[usable] / own[usable])) if usable.any() else np.nan

    def exact(self) -> bool:
        """Whether the errors are nothing but rounding beside the truth's own spread."""
        there = self.cells.sum(axis=1) > 0
        rmse, spread = self._by_series()
        level = np.abs(self.center + self.truth.sum(axis=1) / np.maximum(self.cells.sum(axis=1), 1))
        return bool((rmse <= _EXACT * (spread + _EXACT * level))[there].all())

    def _by_series(self) -> tuple[np.ndarray, np.ndarray]:
        """RMSE, and the truth's standard deviation (0 where that is rounding), shape `(series, targets)` each."""
        cells = np.maximum(self.cells.sum(axis=1), 1)
        squares, mean = self.truth_squared.sum(axis=1) / cells, self.truth.sum(axis=1) / cells
        variance = squares - mean**2
        variance = np.where(variance > _ROUNDING * np.maximum(squares, self.center**2 * _ROUNDING), variance, 0.0)
        return np.sqrt(self.squared.sum(axis=1) / cells), np.sqrt(variance)

    def _mase(self, chosen: Pick, naive: np.ndarray) -> float:
        """Over the cells whose series and target have a denominator: a constant series has none and blanks no other."""
        usable = np.isfinite(naive) & (naive > 0)
        weight = np.where(usable, 1 / np.where(usable, naive, 1.0), 0.0)[:, None, :]
        errors, cells = self.absolute * weight, float((self.cells * (weight > 0))[chosen].sum())
        return float(errors[chosen].sum()) / cells if cells else np.nan

    def _r2(self, chosen: Pick, by: np.ndarray, squared: float) -> float:
        """1 - SSE / SST; SST is about each target's own mean over the chosen cells, so levels do not count as skill."""
        picked = np.zeros(self.shape)
        picked[chosen] = 1
        cells, first, second = self.cells * picked, self.truth / by * picked, self.truth_squared / by**2 * picked
        origin = self.center[:, None, :] / by
        mean = (first + cells * origin).sum((0, 1)) / np.maximum(cells.sum((0, 1)), 1)
        # A truth is origin + d with the sums of d and d^2 at hand; this is the sum of (origin + d - mean)^2.
        off = origin - mean
        spread = float((second + 2 * off * first + cells * off**2).sum())
        rounding = _ROUNDING * float((second + cells * off**2).sum())
        return 1 - squared / spread if spread > rounding else np.nan
