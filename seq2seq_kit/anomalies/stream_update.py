"""What has become known by feeding a stream; frames are made only where somebody looks at them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.detector import Detector
from seq2seq_kit.anomalies.stream_events import OpenEvent
from seq2seq_kit.anomalies.stream_rows import RowReader
from seq2seq_kit.data.tables.names import answer_frame, parts_of_name

_NAMED = 3


class StreamUpdate:
    """Scores and events since the rows before.

    Attributes:
        late: Rows that came too late, by series; they were left out. Likewise `duplicates` and `missing` rows.
        without_value: Cells that had no value, by column: nothing is said of them, and the others are scored.
        unreached: Rows that no window reaches.
    """

    def __init__(
        self, columns: list[str], series: list[str], time: str | None, detector: Detector, reader: RowReader
    ) -> None:
        self.late: dict[str, int] = {}
        self.duplicates: dict[str, int] = {}
        self.missing: dict[str, int] = {}
        self.without_value: dict[str, int] = {}
        self.unreached = 0
        self._columns, self._series, self._time = columns, series, time
        self._detector, self._reader = detector, reader
        self._scored: list[tuple[str, np.ndarray, tuple[np.ndarray, ...]]] = []
        self._told: dict[str, list[tuple[str, dict[str, Any]]]] = {"opened": [], "closed": []}

    def __repr__(self) -> str:
        opened, closed = len(self._told["opened"]), len(self._told["closed"])
        return f"<StreamUpdate: {self.rows:,} rows scored, {opened} events opened, {closed} closed>"

    @property
    def rows(self) -> int:
        """Rows that got their score."""
        return sum(len(labels) for _, labels, _ in self._scored)

    @property
    def highest(self) -> float:
        """The highest score; 0 where there is none."""
        known = [float(np.nanmax(arrays[0])) for _, _, arrays in self._scored if np.isfinite(arrays[0]).any()]
        return max(known, default=0.0)

    @property
    def scores(self) -> pd.DataFrame:
        """The rows that got their score: as `Detection.scores`, without the number of an event that may not be known yet."""
        names = [name for name, labels, _ in self._scored for _ in range(len(labels))]
        labels = np.concatenate([np.zeros(0, np.int64), *(labels for _, labels, _ in self._scored)])
        empty = [np.zeros(0), *(np.zeros((0, len(self._columns))) for _ in range(4))]
        score, shares, usual, actual, expected = (
            np.concatenate([blank, *(arrays[place] for _, _, arrays in self._scored)])
            for place, blank in enumerate(empty)
        )
        strongest = np.argmax(shares, axis=1)[:, None]
        sign = np.sign(np.nan_to_num(np.take_along_axis(usual, strongest, axis=1)[:, 0]))
        each: dict[str, object] = {}
        for place, name in enumerate(self._columns):
            each |= {f"{name}_expected": expected[:, place], f"{name}_score": usual[:, place]}
        frame = answer_frame(
            self._names(names),
            {self._when: self._label(labels)},
            {"score": score, "signed_score": np.where(sign < 0, -score, score)},
            {name: actual[:, place] for place, name in enumerate(self._columns)},
            each,
        )
        frame.attrs.clear()
        return frame

    @property
    def opened(self) -> pd.DataFrame:
        """Events that have begun, as far as they are known: columns as in `Detection.events`, numbered through the stream."""
        return self._events("opened")

    @property
    def closed(self) -> pd.DataFrame:
        """Events that have ended; an event has the number under which it was opened."""
        return self._events("closed")

    @property
    def notes(self) -> list[str]:
        """What happened to the rows, in words."""
        said = {
            "late": "came late and were left out",
            "duplicates": "have the time of another row, or lie between two steps",
        }
        said["missing"] = "are missing; a new stretch begins after them"
        told = [
            f"{sum(counts.values())} rows {words}: {', '.join(name or 'the series' for name in counts)}"
            for kind, words in said.items()
            if (counts := getattr(self, kind))
        ]
        columns = ", ".join(f"{column} in {count} rows" for column, count in self.without_value.items())
        return [*told, f"no value of {columns}; nothing is said of it there"] if columns else told

    def lacking(self, values: np.ndarray, columns: list[str]) -> None:
        """Counts the cells of rows, `(rows, columns)`, that have no value."""
        lacking = np.isnan(values)
        if not lacking.any():
            return
        missing = lacking.sum(axis=0).tolist()
        self.without_value |= {name: count for name, count in zip(columns, missing, strict=True) if count}

    def count(self, name: str, *, late: int, twice: int, missing: int) -> None:
        """Counts rows of a series that were left out or are missing."""
        for counts, number in ((self.late, late), (self.duplicates, twice), (self.missing, missing)):
            if number:
                counts[name] = counts.get(name, 0) + number

    def add(self, name: str, labels: np.ndarray, *arrays: np.ndarray) -> None:
        """Scores, shares, robust errors, observed and expected values of rows of a series."""
        self._scored.append((name, labels, arrays))

    def tell(self, kind: str, name: str, event: OpenEvent) -> None:
        """An event that was opened or closed."""
        self._told[kind].append((name, event.to_json() | {"steps": event.steps}))

    @property
    def _when(self) -> str:
        return self._time or "row"

    def _label(self, labels: np.ndarray) -> np.ndarray | pd.DatetimeIndex:
        return self._reader.index(labels) if self._time else labels

    def _names(self, names: list[str]) -> dict[str, np.ndarray]:
        parts = [parts_of_name(name, len(self._series)) for name in names] if self._series else []
        return {column: np.array([part[at] for part in parts], dtype=object) for at, column in enumerate(self._series)}

    def _events(self, kind: str) -> pd.DataFrame:
        told = self._told[kind]
        scores = np.array([event["score"] for _, event in told], dtype=np.float64)
        kit: dict[str, object] = {
            when: self._label(np.array([event[when] for _, event in told], dtype=np.int64))
            for when in ("start", "end", "peak")
        }
        kit |= {
            "steps": np.array([event["steps"] for _, event in told], dtype=np.int64),
            "severity": scores / self._detector.threshold,
            "score": scores,
            "alarms_per_week": np.full(len(told), self._detector.alarms_per_week),
            "peak_per_week": self._detector.alarms_at(scores),
        }
        shares, actual, expected = (
            np.array([event[name] for _, event in told], dtype=np.float64).reshape(len(told), len(self._columns))
            for name in ("shares", "actual", "expected")
        )
        ranked, at = np.argsort(-shares, axis=1, kind="stable"), np.arange(len(told))
        for place in range(min(_NAMED, len(self._columns))):
            column = ranked[:, place]
            kit |= {
                f"column_{place + 1}": np.array(self._columns, dtype=object)[column],
                f"share_{place + 1}": shares[at, column],
                f"actual_{place + 1}": actual[at, column],
                f"expected_{place + 1}": expected[at, column],
            }
        number = {"event": np.array([event["number"] for _, event in told], dtype=np.int64)}
        frame = answer_frame(self._names([name for name, _ in told]), number, kit, order=(1, 0, 2))
        frame.attrs.clear()
        return frame
