"""What a stream keeps of a series between two rows, as plain numbers if asked."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np

from seq2seq_kit.anomalies.stream_events import OpenEvent

_LARGEST, _TIMES = 2**62, ("time", "times", "start", "end", "peak")


@dataclass
class SeriesState:
    """One series: its newest stretch without a gap. Rows are counted from 0 at the stretch's first one.

    Attributes:
        time: Nanoseconds of the newest row; None without a clock or before the first row.
        row: Rows read before this stretch, in all; names rows where there is no time.
        rows: Rows of the stretch.
        kept: Row of the first of those below.
        values: Kept rows in original units, NaN where missing, shape `(kept rows, columns)`.
        matrix: The same as the model reads them, shape `(kept rows, width)` float32.
        times: Nanoseconds of the kept rows; empty without a clock.
        filled: The newest known value of each column of the stretch, in original units; NaN for none.
        silent: How many rows ago that was, shape `(columns,)`; 0 for the newest row.
        window: First row of the next window.
        starts: First predicted row of each window that reaches a row without a score, ascending.
        stack: Their predictions in original units, shape `(windows, steps, columns)`.
        scored: Rows that are scored, or that no window reaches.
        newest: The newest row that is scored; -1 for none.
        tail: Errors of the newest scored rows, as many as smoothing looks back.
        event: That is open.
    """

    time: int | None
    row: int
    values: np.ndarray
    matrix: np.ndarray
    stack: np.ndarray
    tail: np.ndarray
    filled: np.ndarray
    silent: np.ndarray
    rows: int = 0
    kept: int = 0
    window: int = 0
    scored: int = 0
    newest: int = -1
    times: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    starts: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    event: OpenEvent | None = None

    @classmethod
    def empty(cls, columns: int, width: int, steps: int, targets: int, window: int) -> Self:
        """A series of which nothing is known."""
        return cls(
            time=None,
            row=0,
            values=np.zeros((0, columns)),
            matrix=np.zeros((0, width), dtype=np.float32),
            stack=np.zeros((0, steps, targets)),
            tail=np.zeros((0, targets)),
            filled=np.full(columns, np.nan),
            silent=np.zeros(columns, dtype=np.int64),
            window=window,
        )

    def begin_stretch(self, window: int) -> None:
        """After a gap nothing of before is read any more; `window` is the first row of the first window."""
        self.row += self.rows
        self.rows = self.kept = self.scored = 0
        self.window = window
        self.newest = -1
        for name in ("values", "matrix", "stack", "tail", "times", "starts"):
            setattr(self, name, getattr(self, name)[:0])
        self.filled, self.silent = np.full_like(self.filled, np.nan), np.zeros_like(self.silent)

    def forget(self, first: int) -> None:
        """Drops the rows before `first`, which nothing needs any more."""
        if first > self.kept:
            drop = first - self.kept
            self.values, self.matrix, self.times = self.values[drop:], self.matrix[drop:], self.times[drop:]
            self.kept = first

    def to_json(self) -> dict[str, Any]:
        """As plain numbers; None for a missing one."""
        stored: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, value in stored.items():
            if isinstance(value, np.ndarray):
                stored[name] = _plain(value)
        stored["event"] = None if self.event is None else self.event.to_json()
        return stored

    @classmethod
    def from_json(cls, stored: dict[str, Any], like: SeriesState) -> Self:
        """The reverse of `to_json`, with the shapes of `like`.

        Raises:
            ValueError: The numbers have other shapes, or are none that there can be.
        """
        read = {"silent": [0] * len(like.filled)} | dict(stored)  # a state of before does not tell
        if missing := [each.name for each in fields(cls) if each.name not in read]:
            raise KeyError(missing[0])
        for each in fields(cls):
            value = getattr(like, each.name)
            if isinstance(value, np.ndarray):
                read[each.name] = _array(read[each.name], value, each.name)
            elif each.name != "event" and not (each.name == "time" and read["time"] is None):
                whole_number(read[each.name], each.name, -1 if each.name == "newest" else None)
        if read["event"] is not None:
            read["event"] = OpenEvent.from_json(dict(read["event"]))
        return cls(**read)


def whole_number(value: object, name: str, least: int | None = None) -> int:
    """The value, if it is a whole number that 64 bits hold, and not below `least`, by default 0 but for a time.

    Raises:
        ValueError: It is not.
    """
    least = (-_LARGEST if name in _TIMES else 0) if least is None else least
    if type(value) is not int or not least <= value <= _LARGEST:
        raise ValueError(f"{name} must be a whole number from {least} on. Received: {str(value)[:50]!r}")
    return value


def _array(given: Any, like: np.ndarray, name: str) -> np.ndarray:
    if not isinstance(given, list):
        raise ValueError(f"{name} must be a list. Received: {str(given)[:50]!r}")
    found = np.array(given, dtype=object)
    numbers = found.ravel().tolist()
    if like.dtype.kind == "i":
        read = np.array([whole_number(each, name) for each in numbers], dtype=like.dtype)
    elif all(each is None or type(each) in (int, float) for each in numbers):
        with np.errstate(over="ignore"):
            read = np.array(numbers, dtype=np.float64).astype(like.dtype)
    else:
        raise ValueError(f"{name} has what is no number")
    if np.isinf(read).any():
        raise ValueError(f"{name} has a number that is too large")
    if (len(found) and found.shape[1:] != like.shape[1:]) or (like.ndim == 1 and len(like) not in (0, len(found))):
        raise ValueError(f"{name} has the shape {found.shape}, of another model")
    return read.reshape(len(found), *like.shape[1:])


def _plain(values: np.ndarray) -> list[Any]:
    if values.dtype.kind != "f" or not np.isnan(values).any():
        return list(values.tolist())
    cells = values.astype(object)
    cells[np.isnan(values)] = None
    return list(cells.tolist())
