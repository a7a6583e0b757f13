"""Events as they open and close: the rule of `cut_events`, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np

from seq2seq_kit.anomalies.threshold import Cut

_LARGEST = 1e100  # of a number that may be squared


@dataclass
class OpenEvent:
    """An event that may go on. Rows are counted as in `SeriesState`.

    Attributes:
        number: Of the stream, from 1; 0 until it has `min_steps` rows.
        first: Its first row; `last` the last one above the exit threshold.
        start, end, peak: Times in nanoseconds, or row numbers, of the first, the last and the highest row.
        score: The highest.
        above: Whether the newest row belongs to it.
        shares, actual, expected: Of each column at the peak.
    """

    first: int
    last: int
    start: int
    end: int
    peak: int
    score: float
    shares: list[float]
    actual: list[float]
    expected: list[float]
    number: int = 0
    above: bool = True

    @property
    def steps(self) -> int:
        """Rows from the first to the last."""
        return self.last - self.first + 1

    def to_json(self) -> dict[str, Any]:
        """As plain numbers; None for a missing one."""
        return {
            name: [None if each != each else each for each in value] if isinstance(value, list) else value
            for name, value in asdict(self).items()
        }

    def fits(self, columns: int, newest: int, events: int) -> bool:
        """Whether it can be an event of so many columns, at this newest row of a series, in a stream of so many events."""
        places = (self.first, self.last, self.start, self.end, self.peak, self.number)
        cells = (*self.shares, *self.actual, *self.expected)
        return (
            all(type(each) is int for each in places)
            and all(type(each) in (int, float) and not abs(each) > _LARGEST for each in (self.score, *cells))
            and all(len(each) == columns for each in (self.shares, self.actual, self.expected))
            and isinstance(self.above, bool)
            and 0 <= self.first <= self.last <= newest
            and -(2**63) <= self.start <= self.peak <= self.end < 2**63
            and 0 <= self.number <= events
            and self.score > 0
        )

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """The reverse of `to_json`."""
        read: dict[str, Any] = dict(stored)
        for name in ("shares", "actual", "expected"):
            read[name] = [float("nan") if each is None else each for each in read[name]]
        return cls(**read)


@dataclass(frozen=True)
class Scored:
    """Rows of one series with scores, which follow each other.

    Attributes:
        row: Number of the first in its stretch.
        labels: Time in nanoseconds, or row number, of each.
        scores: NaN where every cell was missing.
        shares, actual, expected: Shape `(rows, columns)`.
    """

    row: int
    labels: np.ndarray
    scores: np.ndarray
    shares: np.ndarray
    actual: np.ndarray
    expected: np.ndarray


Step = tuple[Literal["opened", "closed"], OpenEvent]


def follow(
    event: OpenEvent | None, rows: Scored, cut: Cut, threshold: float
) -> Iterator[Step | tuple[Literal["state"], OpenEvent | None]]:
    """What becomes of an event in more rows: those that opened and closed, and at the end the one that is open.

    An event is opened once it has `min_steps` rows, and closed once no later row can belong to it.
    """
    exit_threshold = cut.exit * threshold
    quiet = event is None and not (rows.scores > threshold).any()
    for place in range(0 if not quiet else len(rows.scores), len(rows.scores)):
        score, row = float(rows.scores[place]), rows.row + place
        high = score > threshold
        if event is not None and ((event.above and score > exit_threshold) or high):
            event.above, event.last, event.end = True, row, int(rows.labels[place])
            if score > event.score:
                _peak(event, rows, place)
        elif high:
            at = int(rows.labels[place])
            event = OpenEvent(row, row, at, at, at, score, [], [], [])
            _peak(event, rows, place)
        elif event is not None:
            event.above = False
            if row - event.last > cut.merge_gap:
                yield from close(event, cut)
                event = None
        if event is not None and event.number == 0 and event.above and event.steps >= cut.min_steps:
            event.number = -1  # is given one by the stream
            yield "opened", event
    yield "state", event


def close(event: OpenEvent | None, cut: Cut) -> Iterator[Step]:
    """The end of an event, if it is long enough to be one."""
    if event is not None and event.steps >= cut.min_steps:
        yield "closed", event


def _peak(event: OpenEvent, rows: Scored, place: int) -> None:
    event.peak, event.score = int(rows.labels[place]), float(rows.scores[place])
    event.shares = rows.shares[place].tolist()
    event.actual, event.expected = rows.actual[place].tolist(), rows.expected[place].tolist()
