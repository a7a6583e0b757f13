"""Seasons of a series: those of the calendar and those that its spectrum shows, each tested by autocorrelation."""

from dataclasses import dataclass

import numpy as np

from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.drafting.signal import far_off

_CYCLES = 3  # that the rows must hold before a season can be told from chance
_CYCLES_OF_SPECTRUM = 7  # a walk has a few slow swings, too
_OF_CALENDAR = 0.2  # least autocorrelation of a season of the calendar, which is expected anyway
_OF_SPECTRUM = 0.35  # of a peak of the spectrum, which is the highest of many
_BETTER = 0.05  # by how much a season repeats better than what is in it of a shorter one
_LONGEST = 200_000  # rows that are looked at, the newest ones


@dataclass(frozen=True)
class Season:
    """A period after which a series resembles itself.

    Attributes:
        name: `day`, `week`, ..., or empty for one without a place in the calendar.
        steps: Its length.
        correlation: Of values a season apart, less their moving mean over a season.
    """

    name: str
    steps: int
    correlation: float

    @property
    def told(self) -> str:
        """In words."""
        article = "an" if self.name == "hour" else "a"
        named = f"{article} {self.name} of " if self.name else ""
        return f"{named}{self.steps} steps (correlation {self.correlation:.2f})"


def find_seasons(values: np.ndarray, every: Every | None) -> list[Season]:
    """The seasons of a series, shortest first.

    Args:
        values: Training rows in time order, NaN where unknown, shape `(rows,)`. Values that are far off do not count: a single
            one would hide every season.
        every: Step between rows.
    """
    rows = _filled(values[-_LONGEST:])
    if len(rows) < 2 * _CYCLES or np.std(rows) == 0:
        return []
    chance = 3 / np.sqrt(len(rows))
    found: list[Season] = []
    for name, steps in (every.seasons() if every else {}).items():
        if steps < 3 or steps * _CYCLES > len(rows):
            continue
        correlation = _repeats(rows, steps)
        inside = max((_repeats_at(rows, steps, other) for other in _others(found, steps)), default=0.0)
        # The fewer the cycles, the more of a likeness is chance.
        least = max(_OF_CALENDAR + 0.5 / np.sqrt(len(rows) / steps), chance)
        if correlation > least and correlation > inside + _BETTER * bool(found):
            found.append(Season(name, steps, correlation))
    peak = _peak(rows)
    known = any(
        abs(peak / season.steps - max(1, round(peak / season.steps))) < 0.1 or season.steps % max(peak, 1) == 0
        for season in found
    )
    if peak >= 3 and not known and not found and _repeats(rows, peak) > max(_OF_SPECTRUM, chance):
        found.append(Season("", peak, _repeats(rows, peak)))
    return sorted(found, key=lambda season: season.steps)


def _others(found: list[Season], steps: int) -> list[int]:
    """Lags that hold whole shorter seasons and no whole one of `steps`: half-way, where the longer season disagrees."""
    if not found:
        return []
    shorter = found[-1].steps
    middle = round(steps / 2 / shorter) * shorter
    return [lag for lag in (middle, middle + shorter) if 0 < lag < steps]


def _repeats(rows: np.ndarray, steps: int) -> float:
    return _repeats_at(rows, steps, steps)


def _repeats_at(rows: np.ndarray, window: int, lag: int) -> float:
    """Autocorrelation at `lag` of the rows less their moving mean over `window`: a trend or a walk has none there."""
    sums = np.cumsum(np.concatenate([[0.0], rows]))
    level = (sums[window:] - sums[:-window]) / window
    half = window // 2
    rest = rows[half : half + len(level)] - level
    early, late = rest[:-lag], rest[lag:]
    if len(early) < 3 or np.std(early) == 0 or np.std(late) == 0:
        return 0.0
    return float(np.corrcoef(early, late)[0, 1])


def _peak(rows: np.ndarray) -> int:
    """Length of the strongest cycle of the spectrum that the rows hold often enough, refined by autocorrelation."""
    at = np.arange(len(rows))
    rest = rows - np.polyval(np.polyfit(at, rows, 1), at)
    power = np.abs(np.fft.rfft(rest * np.hanning(len(rows)))) ** 2
    power[:_CYCLES_OF_SPECTRUM] = 0
    if not power.any():
        return 0
    rough = len(rows) / int(np.argmax(power))
    low, high = max(3, int(rough * 0.85)), int(rough * 1.15) + 1
    lags = [lag for lag in range(low, high + 1) if lag * _CYCLES <= len(rows)]
    return max(lags, key=lambda lag: _repeats(rows, lag), default=0)


def _filled(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values) & ~far_off(values)
    if known.all() or not known.any():
        return values if known.all() else np.zeros(0)
    return np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])
