"""Windows as ranges of row numbers: nothing is cut out of the series until a batch is gathered.

A window is known by its first row. All first rows of one stretch are a range, so ten million windows are a handful of
numbers. The rule for a part (train, val, test): the targets lie wholly inside the part; the inputs may begin before it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class WindowShape:
    """How a window lies over the rows.

    Attributes:
        input_steps: Rows that the encoder reads.
        output_steps: Rows that are predicted.
        target_offset: First target row, counted from the window's first row: `input_steps + gap_steps` for a forecast,
            0 for an autoencoder, or less by as many rows as it says of the time before.
    """

    input_steps: int
    output_steps: int
    target_offset: int

    @classmethod
    def forecast(cls, *, input_steps: int, output_steps: int, gap_steps: int = 0) -> "WindowShape":
        """Targets after the inputs and the gap."""
        return cls(input_steps, output_steps, input_steps + gap_steps)

    @classmethod
    def autoencode(cls, *, input_steps: int, before: int = 0, after: int = 0) -> "WindowShape":
        """Targets are the inputs, with so many rows before and after them."""
        return cls(input_steps, before + input_steps + after, -before)

    @property
    def before(self) -> int:
        """Target rows before the first input."""
        return max(0, -self.target_offset)

    @property
    def span(self) -> int:
        """Rows from the first input or target to the last one."""
        return self.before + max(self.input_steps, self.target_offset + self.output_steps)

    @property
    def inside(self) -> slice:
        """The output steps that are inputs, too."""
        return slice(self.before, max(self.before, min(self.output_steps, self.input_steps - self.target_offset)))

    @property
    def beyond(self) -> list[int]:
        """The other output steps, where there are some of both; none of a forecast."""
        steps = range(self.output_steps)
        return [] if self.target_offset > 0 else [step for step in steps if step not in steps[self.inside]]


@dataclass(frozen=True)
class Windows:
    """Windows of one part, in order of series and time.

    Attributes:
        shape: How each lies over the rows.
        stride: Rows between the first rows of neighbours.
        first: First row of the first window of each run, shape `(runs,)`.
        counts: Windows of each run, shape `(runs,)`.
        series: Series of each run, shape `(runs,)`.
    """

    shape: WindowShape
    stride: int
    first: np.ndarray
    counts: np.ndarray
    series: np.ndarray

    @property
    def count(self) -> int:
        """Windows in all."""
        return int(self.counts.sum())

    @cached_property
    def ends(self) -> np.ndarray:
        """Number of windows up to and with each run, shape `(runs,)`."""
        return np.cumsum(self.counts)

    def run_of(self, windows: np.ndarray) -> np.ndarray:
        """The run that each window belongs to."""
        return np.searchsorted(self.ends, windows, side="right")

    def starts(self, windows: np.ndarray | None = None) -> np.ndarray:
        """First row of each window, shape `(len(windows),)`; of all by default."""
        windows = np.arange(self.count) if windows is None else np.asarray(windows)
        run = self.run_of(windows)
        before = self.ends - self.counts
        return self.first[run] + (windows - before[run]) * self.stride

    def input_rows(self, windows: np.ndarray | None = None) -> np.ndarray:
        """Rows that the encoder reads, shape `(windows, input_steps)`."""
        return self.starts(windows)[:, None] + np.arange(self.shape.input_steps)

    def target_rows(self, windows: np.ndarray | None = None) -> np.ndarray:
        """Rows that are predicted, shape `(windows, output_steps)`."""
        return self.starts(windows)[:, None] + self.shape.target_offset + np.arange(self.shape.output_steps)

    def evenly(self, most: int) -> np.ndarray:
        """At most `most` window numbers, spread evenly, without repetition."""
        return np.unique(np.linspace(0, self.count - 1, min(most, self.count)).astype(np.int64))


def make_windows(
    segments: np.ndarray, part: np.ndarray, shape: WindowShape, *, stride: int = 1, barred: np.ndarray | None = None
) -> Windows:
    """Finds the windows of a part.

    Args:
        segments: Rows without a gap, `(first, end, series)` each, shape `(segments, 3)`.
        part: `(first, end)` of the part's rows for each series, shape `(series, 2)`.
        shape: How a window lies over the rows.
        stride: Rows between the first rows of neighbouring windows.
        barred: Rows that may not be the newest input of a window, shape `(rows,)` bool.

    Returns:
        The windows; `count` is 0 where none fits.

    Example:
        >>> shape = WindowShape.forecast(input_steps=100, output_steps=10)
        >>> make_windows(np.array([[0, 120, 0]]), np.array([[0, 120]]), shape).count
        11
    """
    of = segments[:, 2]
    begin = np.maximum(segments[:, 0] + shape.before, part[of, 0] - shape.target_offset)
    last = np.minimum(segments[:, 1], part[of, 1]) - (shape.span - shape.before)
    fit = begin <= last
    begin, last, of = begin[fit], last[fit], of[fit]
    if barred is None:
        return Windows(shape, stride, begin, (last - begin) // stride + 1, of)
    runs = []
    for start, stop, series in zip(begin.tolist(), last.tolist(), of.tolist(), strict=True):
        allowed = ~barred[start + shape.input_steps - 1 : stop + shape.input_steps : stride]
        runs += [(start + low * stride, high - low, series) for low, high in stretches(allowed)]
    table = np.array(runs, dtype=np.int64).reshape(-1, 3)
    return Windows(shape, stride, table[:, 0], table[:, 1], table[:, 2])


def longest_reach(segments: np.ndarray, part: np.ndarray, shape: WindowShape) -> int:
    """Most rows without a gap that windows of a part may lie in; arguments as in `make_windows`."""
    first, end, of = segments.T
    stop = np.minimum(end, part[of, 1])
    held = stop > np.maximum(first, part[of, 0])
    return int((stop - np.maximum(first, part[of, 0] - max(0, shape.target_offset)))[held].max(initial=0))


def stretches(allowed: np.ndarray) -> list[tuple[int, int]]:
    """`(first, end)` of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], allowed.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
