"""Each window on a scale of its own: that of its own inputs, taken column by column of the targets.

For series of very different size, and for series that training has not seen: a forecast is then one of shapes (Salinas et al.
2020 divide by the mean). The same few operations run in NumPy and, for batches, in TensorFlow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np

FLAT = 1e-6  # of the level: what varies less is constant but for float32's rounding
Values = Any  # an array or a tensor, `(windows, steps, columns)`


@dataclass(frozen=True)
class WindowScaling:
    """How windows of the scaled matrix are brought to a scale of their own.

    Attributes:
        method: `mean_abs` (mean of the absolute values) or `standard` (mean and standard deviation), of the known inputs.
        read: Position of each target among the columns that the encoder reads.
        observed: Position of the column that says where it is there, likewise; none where all of it is.
        width: Columns that the encoder reads.
    """

    method: Literal["mean_abs", "standard"]
    read: list[int]
    observed: list[int]
    width: int

    def level(self, past: Values, ops: ModuleType = np) -> tuple[Values, Values]:
        """Centre and scale of each window and target, `(windows, 1, targets)` each, of what the encoder reads.

        A window that does not vary, or is all 0, is left on the scale of its column: 1.
        """
        total: Callable[..., Values] = np.sum if ops is np else ops.reduce_sum

        def pick(at: list[int]) -> Values:
            return past[..., at] if ops is np else ops.gather(past, at, axis=-1)

        values = pick(self.read)
        there = pick(self.observed) if self.observed else ops.ones_like(values)
        if (
            ops is np and np.isnan(values).any()
        ):  # rows that are watched; those of a training have no holes but flagged ones
            there, values = there * ~np.isnan(values), np.nan_to_num(values)
        count = ops.maximum(total(there, axis=1, keepdims=True), 1.0)
        center = total(values * there, axis=1, keepdims=True) / count
        if self.method == "mean_abs":
            scale = total(ops.abs(values) * there, axis=1, keepdims=True) / count
            return ops.zeros_like(scale), ops.where(scale > 0, scale, ops.ones_like(scale))
        scale = ops.sqrt(total(ops.square(values - center) * there, axis=1, keepdims=True) / count)
        return center, ops.where(scale > FLAT * ops.abs(center), scale, ops.ones_like(scale))

    def inputs(self, past: Values, level: tuple[Values, Values]) -> Values:
        """What the encoder reads, on the window's scale; missing cells stay at 0."""
        place = np.zeros((len(self.read), self.width), np.float32)
        place[np.arange(len(self.read)), self.read] = 1.0
        center, scale = level
        there = 1.0
        if self.observed:  # 1 for all other columns
            other = np.zeros((self.width, self.width), np.float32)
            other[self.observed, self.read] = 1.0
            there = past @ other + (1.0 - place.sum(axis=0))
        # One product puts each target's centre and scale where its column is; the others get 0 and 1. A hole stays where it is.
        return (past - center @ place) / (scale @ place + (1.0 - place.sum(axis=0))) * there

    @staticmethod
    def targets(values: Values, level: tuple[Values, Values]) -> Values:
        """Targets on the window's scale."""
        return (values - level[0]) / level[1]

    @staticmethod
    def back(values: Values, level: tuple[Values, Values]) -> Values:
        """The inverse of `targets`."""
        return values * level[1] + level[0]
