"""What a series does: level, trend, growth, zeros, outliers. Only training rows are looked at."""

from dataclasses import dataclass

import numpy as np

_MOSTLY = 0.5  # share of zeros from which a series is intermittent
_FAR = 8.0  # interquartile ranges from the middle half
_PIECES = 8
_TRAIN = 0.7  # of the rows that are looked at: the training rows of the default split


def training_rows(series: list[np.ndarray]) -> np.ndarray:
    """The oldest rows of the longest series, from its first known value."""
    longest = max(series, key=lambda rows: int(np.isfinite(rows).sum()))
    known = np.flatnonzero(np.isfinite(longest))
    longest = longest[known[0] :] if len(known) else longest
    return longest[: int(len(longest) * _TRAIN)]


@dataclass(frozen=True)
class Signal:
    """What the training rows of a target show.

    Attributes:
        moves: Share of the variance that lies between stretches of a window's length, in [0, 1]: how far the level wanders.
        trend: Change from the first to the last quarter, in standard deviations of the rows around it.
        grows: Whether the swing of a stretch grows with its level, as that of sales by the percent.
        zeros: Share of zeros.
        far: Share of values further than eight interquartile ranges from the middle half.
        shift: Largest change of the level between neighbouring eighths of the rows, in standard deviations inside them.
    """

    moves: float
    trend: float
    grows: bool
    zeros: float
    far: float
    shift: float

    @property
    def intermittent(self) -> bool:
        """Whether most values are zero."""
        return self.zeros > _MOSTLY


def look_at(values: np.ndarray, window: int) -> Signal:
    """What a series does, values that are far off left out of all but their own share.

    Args:
        values: Training rows in time order, NaN where unknown, shape `(rows,)`.
        window: Steps of an input window.
    """
    far = far_off(values)
    rows = values[np.isfinite(values) & ~far]
    if len(rows) < 4:
        return Signal(0.0, 0.0, False, 0.0, 0.0, 0.0)
    window = max(2, min(window, len(rows) // 4))
    stretches = rows[len(rows) % window :].reshape(-1, window)
    between, spread = float(np.var(stretches.mean(axis=1))), float(np.var(rows))
    quarter = max(1, len(rows) // 4)
    inside = float(np.sqrt(np.mean(np.var(stretches, axis=1)))) or 1.0
    eighths = np.array([piece.mean() for piece in np.array_split(rows, _PIECES)])
    return Signal(
        moves=between / spread if spread else 0.0,
        trend=float(rows[-quarter:].mean() - rows[:quarter].mean()) / inside,
        grows=_grows(stretches),
        zeros=float(np.mean(rows == 0)),
        far=float(far.sum() / (far.sum() + len(rows))),
        shift=float(np.abs(np.diff(eighths)).max()) / inside,
    )


def far_off(values: np.ndarray) -> np.ndarray:
    """Which values lie further than eight interquartile ranges from the middle half, shape `(rows,)` bool; NaN never does."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [25, 75]) if len(known) else (0.0, 0.0)
    if not high > low:
        return np.zeros(len(values), dtype=bool)
    return (values < low - _FAR * (high - low)) | (values > high + _FAR * (high - low))


def _grows(stretches: np.ndarray) -> bool:
    """Whether swing follows level over at least a doubling of positive values."""
    if len(stretches) < 3 or stretches.min() <= 0:
        return False
    level, swing = stretches.mean(axis=1), stretches.std(axis=1)
    if level.max() < 1.7 * level.min() or np.std(swing) == 0:
        return False
    return float(np.corrcoef(level, swing)[0, 1]) > 0.7
