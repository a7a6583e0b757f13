"""Thresholds without labels: how many alarms validation scores would give, and in their tail extreme value theory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seq2seq_kit.anomalies.events import cut_events

_LEVELS = 200
_TAIL = 0.98  # share of the scores below the tail, as in SPOT (Siffer et al. 2017)
_ENOUGH_PEAKS = 20  # to fit two parameters
_HEAVIEST = 0.5  # from there on a tail has no variance
_FAR = 0.01  # alarms in a unit at the highest level


@dataclass(frozen=True)
class Cut:
    """How scores are cut into events; see `cut_events`.

    Attributes:
        exit: Share of the threshold at which an event ends.
        min_steps: Rows of the shortest event.
        merge_gap: Rows between two events that are one.
    """

    exit: float
    min_steps: int
    merge_gap: int

    def events(self, scores: np.ndarray, segment: np.ndarray, threshold: float) -> np.ndarray:
        """The first and the last row of each event at a threshold, shape `(events, 2)`."""
        return cut_events(scores, segment, threshold, self.exit * threshold, self.min_steps, self.merge_gap)


@dataclass(frozen=True)
class Tail:
    """Peaks over a level, as a generalised Pareto distribution (POT).

    Attributes:
        level: Where the tail begins.
        rate: Events above it in a unit of time.
        shape: 0 for an exponential tail, larger for a heavier one.
        scale: In units of the score.
    """

    level: float
    rate: float
    shape: float
    scale: float

    def at(self, thresholds: np.ndarray) -> np.ndarray:
        """Expected events in a unit of time above thresholds that are not below `level`."""
        from scipy.stats import genpareto  # takes a second, and whoever only loads a bundle needs none

        return np.asarray(self.rate * genpareto.sf(thresholds - self.level, self.shape, scale=self.scale))

    def threshold(self, rate: float) -> float:
        """Above which `rate` events are expected in a unit of time; `level` where that many are never met."""
        from scipy.stats import genpareto

        if rate >= self.rate:
            return self.level
        return float(self.level + genpareto.isf(rate / self.rate, self.shape, scale=self.scale))


def fit_tail(scores: np.ndarray, segment: np.ndarray, cut: Cut, units: float) -> Tail:
    """The tail of validation scores.

    Events are fitted, not rows: neighbouring rows share their cause, so a row tells nothing new. A shape below 0 would promise
    that a score beyond the largest one is impossible, which no validation part can show; it becomes 0.

    Args:
        scores: Not all NaN, shape `(rows,)`.
        segment: As in `cut_events`, likewise `cut`.
        units: Weeks (or whatever alarms are counted in) that the rows span.
    """
    from scipy.stats import genpareto

    known = scores[np.isfinite(scores)]
    level = float(np.quantile(known, _TAIL))
    events = cut.events(scores, segment, level)
    peaks = np.array([np.nanmax(scores[first : last + 1]) for first, last in events])
    over = peaks - level
    # An exponential tail through the median and the level, for whom no peak says more.
    scale = max((level - float(np.median(known))) / np.log(0.5 / (1 - _TAIL)), np.finfo(float).tiny)
    shape = 0.0
    if len(over) > 1:
        scale = float(over.mean())
    if len(over) >= _ENOUGH_PEAKS:
        shape = float(np.clip(genpareto.fit(over, floc=0)[0], 0.0, _HEAVIEST))
        scale = float(over.mean()) * (1 - shape)  # the mean of the distribution stays that of the peaks
    return Tail(level, max(len(events), 1) / units, shape, scale)


def alarm_rates(
    scores: np.ndarray, segment: np.ndarray, cut: Cut, units: float, tail: Tail
) -> tuple[np.ndarray, np.ndarray]:
    """Expected alarms in a unit of time by threshold: counted below the tail, by its distribution inside.

    Returns:
        Thresholds, ascending, and the rates at them, which never rise; at most 200 of each.
    """
    known = scores[np.isfinite(scores)]
    far = max(tail.threshold(_FAR / max(units, 1.0)), float(known.max()))
    counted = np.quantile(known, np.linspace(0.5, _TAIL, _LEVELS // 4, endpoint=False))
    beyond = tail.level + (far - tail.level) * np.linspace(0, 1, _LEVELS - _LEVELS // 4) ** 2
    levels = np.unique(np.concatenate([counted, beyond]))
    rates = np.where(levels >= tail.level, tail.at(np.maximum(levels, tail.level)), 0.0)
    for place in np.flatnonzero(levels < tail.level):
        rates[place] = len(cut.events(scores, segment, levels[place])) / units
    # At a low threshold all events become one; whoever lowers it is told the largest number on the way.
    return levels, np.maximum.accumulate(rates[::-1])[::-1]
