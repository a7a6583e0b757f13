"""Figures of scores and events beside labels. Nothing here is point-adjusted: a random score gets 0.71 by that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seq2seq_kit.anomalies.surface import runs, volumes

_LEVELS = 200  # thresholds that are tried for the best possible F1
_MOST_ALARMED = 0.1  # share of the rows; one alarm over all rows finds every event

Cutter = Callable[[np.ndarray, float], np.ndarray]


@dataclass(frozen=True)
class EventCounts:
    """Events by overlapping segments: a labelled event is found if any predicted one overlaps it, a predicted one that
    overlaps none is false. Counts of several tables are added.

    Attributes:
        found: Labelled events that a predicted one overlaps.
        missed: Labelled events that none does.
        false: Predicted events that overlap no labelled one.
    """

    found: int
    missed: int
    false: int

    def __add__(self, other: EventCounts) -> EventCounts:
        return EventCounts(self.found + other.found, self.missed + other.missed, self.false + other.false)

    @property
    def precision(self) -> float:
        """0 where nothing is predicted."""
        return self.found / max(self.found + self.false, 1)

    @property
    def recall(self) -> float:
        """0 where nothing is labelled."""
        return self.found / max(self.found + self.missed, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return 2 * self.found / max(2 * self.found + self.missed + self.false, 1)


@dataclass(frozen=True)
class Judgement:
    """What labels say of scores and events.

    Attributes:
        vus_pr: Volume under the precision-recall surface, see `surface`; likewise `vus_roc`.
        auc_pr: Area under the precision-recall curve of rows (average precision).
        counts: Events at the threshold that was chosen without labels.
        delay_steps: Median number of rows from the beginning of a found event to its first alarm; NaN where none is found.
        false_alarms_per_week: None where rows have no clock.
        oracle_f1: The best F1 of events that any threshold gives; nobody can choose it without labels.
        labelled: Share of the rows that is labelled.
    """

    vus_pr: float
    vus_roc: float
    auc_pr: float
    counts: EventCounts
    delay_steps: float
    false_alarms_per_week: float | None
    oracle_f1: float
    labelled: float

    def figures(self) -> dict[str, float]:
        """By the names that tables and metrics have; what is unknown is absent."""
        given = {
            "vus_pr": self.vus_pr,
            "vus_roc": self.vus_roc,
            "auc_pr": self.auc_pr,
            "event_precision": self.counts.precision,
            "event_recall": self.counts.recall,
            "event_f1": self.counts.f1,
            "delay_steps": self.delay_steps,
            "false_alarms_per_week": self.false_alarms_per_week,
            "oracle_f1": self.oracle_f1,
        }
        return {name: value for name, value in given.items() if value is not None and np.isfinite(value)}


def count_events(predicted: np.ndarray, labelled: np.ndarray) -> EventCounts:
    """Counts by overlapping segments.

    Args:
        predicted: First and last row of each event, in order and apart, shape `(events, 2)`; likewise `labelled`.
    """
    found = int(_overlaps(labelled, predicted).sum())
    false = int((~_overlaps(predicted, labelled)).sum())
    return EventCounts(found, len(labelled) - found, false)


def judge(
    flags: np.ndarray,
    scores: np.ndarray,
    segment: np.ndarray,
    *,
    threshold: float,
    cut: Cutter,
    buffer: int,
    rows_per_week: float | None,
) -> Judgement | None:
    """The figures of scores; None where no row, or every one, is labelled.

    Args:
        flags: Whether each row is labelled, shape `(rows,)`.
        scores: At least 0, NaN where unknown, shape `(rows,)`; such rows are not judged as single rows.
        segment: Changes where rows do not follow each other; no event crosses that.
        threshold: Chosen without labels.
        cut: Events of scores at a threshold, shape `(events, 2)`.
        buffer: The largest buffer of the volumes, in rows.
        rows_per_week: None where rows have no clock.
    """
    known = np.isfinite(scores)
    seen, share = flags[known], float(flags[known].mean()) if known.any() else 0.0
    if not 0 < share < 1:
        return None
    from sklearn.metrics import average_precision_score  # whoever only detects needs none

    labelled = runs(flags, segment)
    predicted = cut(scores, threshold)
    counts = count_events(predicted, labelled)
    volume = volumes(seen, scores[known], segment[known], buffer=buffer)
    return Judgement(
        vus_pr=volume.pr,
        vus_roc=volume.roc,
        auc_pr=float(average_precision_score(seen, scores[known])),
        counts=counts,
        delay_steps=_delay(predicted, labelled),
        false_alarms_per_week=None if rows_per_week is None else counts.false / len(scores) * rows_per_week,
        oracle_f1=max(oracle_f1(scores, labelled, cut), counts.f1),
        labelled=share,
    )


def oracle_f1(scores: np.ndarray, labelled: np.ndarray, cut: Cutter) -> float:
    """The best F1 of events at any of 200 thresholds.

    A tenth of the rows may be in alarms, or as many as are labelled: one alarm over all rows would find every event.
    """
    levels = np.unique(np.quantile(scores[np.isfinite(scores)], 1 - np.geomspace(0.5, 1 / len(scores), _LEVELS)))
    most = max(_MOST_ALARMED * len(scores), _steps(labelled))
    found = [events for level in levels if _steps(events := cut(scores, level)) <= most]
    return max((count_events(events, labelled).f1 for events in found), default=0.0)


def _steps(events: np.ndarray) -> int:
    return int((events[:, 1] - events[:, 0] + 1).sum())


def _overlaps(events: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether each event shares a row with any of the others."""
    if not len(events) or not len(others):
        return np.zeros(len(events), dtype=bool)
    after = np.searchsorted(others[:, 1], events[:, 0], side="left")  # the first that ends no earlier
    there = after < len(others)
    return there & (others[np.minimum(after, len(others) - 1), 0] <= events[:, 1])


def _delay(predicted: np.ndarray, labelled: np.ndarray) -> float:
    """An alarm that was there before the event is one without delay."""
    hit = labelled[_overlaps(labelled, predicted)]
    if not len(hit):
        return float("nan")
    first = predicted[np.searchsorted(predicted[:, 1], hit[:, 0], side="left"), 0]
    return float(np.median(np.maximum(first - hit[:, 0], 0)))
