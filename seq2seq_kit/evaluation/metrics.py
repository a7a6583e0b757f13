"""Errors of predictions, summed so that memory is flat and every table is a sum over the same cells.

A cell is one target at one output step of one window. Cells whose truth is missing are not counted.
"""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

_ROUNDING = 1e-12  # a sum of squares that is smaller than this share of its terms is none

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
