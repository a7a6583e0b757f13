"""A detector that is fed row by row: scores and events as `detect` gives them of the whole table, as soon as they are known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from seq2seq_kit.anomalies.detector import Detector
from seq2seq_kit.anomalies.row_errors import Predicts, expected_rows
from seq2seq_kit.anomalies.stream_events import OpenEvent, Scored, close, follow
from seq2seq_kit.anomalies.stream_rows import Row, RowReader, Rows, require_streamable
from seq2seq_kit.anomalies.stream_state import SeriesState, whole_number
from seq2seq_kit.anomalies.stream_update import StreamUpdate
from seq2seq_kit.anomalies.stretches import Piece, Stretches
from seq2seq_kit.data.sources.given import Given
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.recipe.fields import Data

_FORMAT = 1
_AT_ONCE = 20_000  # rows; a larger chunk is read in pieces, so that memory stays flat


class EventStream:
    """Scores and events of rows as they come, of any number of series; `stream` of a bundle makes it.

    A row's score is final once every window that reaches it is complete: at once for forecasts of the next row, `input_steps - 1`
    rows later for an autoencoder. Until then nothing is said of it, so any chunking gives the same.

    Args:
        predict: Whose errors are looked at.
        data: The recipe's section, with the windows that `detect` looks at.
        scaler: Fitted on the training rows.
        detector: With the threshold that is used.
        beyond: As in `row_errors`.
        rebuilds: As in `carried_rows`.
    """

    def __init__(
        self,
        predict: Predicts,
        data: Data,
        scaler: Scaler,
        detector: Detector,
        *,
        beyond: float = 0.5,
        rebuilds: bool = False,
    ) -> None:
        require_streamable(data, scaler)
        self.detector, self._beyond = detector, beyond
        self._reader = RowReader(data, scaler)
        self._stretches = Stretches(predict, data, scaler, self._reader, rebuilds=rebuilds)
        self._data, self._series, self._events = data, dict[str, SeriesState](), 0
        fitted = [scaler.to_json(), detector.to_json() | {"threshold": None}]
        self._identity = hashlib.sha256(json.dumps(fitted, sort_keys=True, default=str).encode()).hexdigest()[:16]

    @property
    def series(self) -> list[str]:
        """The series that have been fed."""
        return list(self._series)

    def feed(self, rows: Given | Row | Sequence[Row]) -> StreamUpdate:
        """Reads the next rows of some series.

        Args:
            rows: A table with the recipe's columns, any number of rows of any series; one row by column name; or a list of these.

        Returns:
            What has become known: scores of rows, events that opened and closed, and what was told of the rows: late ones and
            duplicates are left out, missing ones end a stretch.

        Raises:
            ArgumentError: These are no rows.
            DataError: The rows cannot be read, or a clock jumps back. Nothing of them has been taken then.
        """
        read = self._reader.read(rows)
        update = self._update()
        pieces = self._pieces(read, update)
        while pieces:
            wave, pieces = self._wave(pieces)
            for piece in wave:
                if piece.gap:
                    self._end_stretch(piece.name, update)
            self._advance(wave, update, ended=False)
        return update

    def forget(self, series: str = "") -> StreamUpdate:
        """The end of one series, whose next row may have any time: after a clock was set, say, or a row with a wrong time.

        Raises:
            ArgumentError: There is no such series.
        """
        if series not in self._series:
            known = ", ".join(map(repr, self.series[:5])) or "none"
            said = f"series must be one that has been fed ({known}). Received: {series!r}"
            raise ArgumentError(said, code="invalid_argument")
        update = self._update()
        self._end_stretch(series, update)
        del self._series[series]
        return update

    def finish(self) -> StreamUpdate:
        """The end of all series: scores of the rows that waited for more, and the events that were open."""
        update = self._update()
        for name in self.series:
            self._end_stretch(name, update)
        return update

    def to_json(self) -> dict[str, Any]:
        """What the stream keeps, as plain numbers for `json.dumps`; `bundle.stream(state=...)` goes on from it."""
        return {
            "format": _FORMAT,
            "columns": self._reader.columns,
            "windows": self._stretches.sizes,
            "model": self._identity,
            "threshold": self.detector.threshold,
            "events": self._events,
            "series": {name: state.to_json() for name, state in self._series.items()},
        }

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Goes on from where another stream of the same model was.

        Raises:
            ArgumentError: It is no such state, or that of another model.
        """
        try:
            if stored["format"] != _FORMAT or stored["columns"] != self._reader.columns:
                raise ValueError(f"it is of the columns {stored['columns']}, the model's are {self._reader.columns}")
            if list(stored["windows"]) != self._stretches.sizes:
                raise ValueError(f"its windows are {stored['windows']}, the model's {self._stretches.sizes}")
            if stored["model"] != self._identity:
                raise ValueError("it is of another model: scaler or detector were fitted on other rows")
            like = self._stretches.empty()
            series = {str(name): SeriesState.from_json(each, like) for name, each in stored["series"].items()}
            events = whole_number(stored["events"], "events")
            for name, state in series.items():
                self._stretches.require_consistent(name, state, self.detector.settings.smooth - 1, events)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            lacks = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            why = lacks if isinstance(stored, Mapping) else "it is no dict"
            said = f"state must be what `to_json` of a stream of this model gave, after `json.loads` if it was written: {why}"
            raise ArgumentError(said, code="invalid_stream_state") from None
        self._series, self._events = series, events

    def _update(self) -> StreamUpdate:
        columns = list(self._stretches.targets)
        return StreamUpdate(columns, self._data.series_columns, self._data.time_name, self.detector, self._reader)

    def _pieces(self, rows: Rows, update: StreamUpdate) -> list[Piece]:
        """The rows as stretches without a gap, in order; nothing is changed yet, so that an error leaves all as it was."""
        found, most = [], self._stretches.span
        for name, first, end in zip(rows.names, rows.bounds[:-1], rows.bounds[1:], strict=True):
            if rows.back.get(name, 0) > most:
                self._reader.refuse_jump(name, rows.back[name], most, within=True)
            state = self._series.get(name)
            taken, gaps = np.arange(end - first), np.zeros(end - first, dtype=np.int64)
            if rows.times is not None:
                last = None if state is None else state.time
                taken, gaps, late, twice = self._reader.placed(name, last, rows.times[first:end], most)
                update.count(name, late=late, twice=twice, missing=int(gaps.sum()))
            edges = [0, *(np.flatnonzero(gaps > 0).tolist() if gaps.any() else ()), len(taken)]
            for begin, stop in pairwise(edges):
                for at in range(begin, stop, _AT_ONCE):
                    own = first + taken[at : min(at + _AT_ONCE, stop)]
                    times = None if rows.times is None else rows.times[own]
                    gap = at == begin and begin < len(gaps) and bool(gaps[begin])
                    found.append(Piece(name, rows.values[own], times, gap))
        update.lacking(rows.values, self._reader.columns)
        if (np.abs(rows.values) > self._stretches.most).any():
            for piece in found:
                self._reader.require_cells(piece.name, piece.values, self._stretches.most)
        self._stretches.codes(rows.names)  # knows which series have no scale
        return found

    @staticmethod
    def _wave(pieces: list[Piece]) -> tuple[list[Piece], list[Piece]]:
        """The next piece of each series, as many as are computed together, and the others."""
        names: set[str] = set()
        wave: list[Piece] = []
        others: list[Piece] = []
        rows = 0
        for piece in pieces:
            if piece.name in names or (wave and rows + len(piece.values) > _AT_ONCE):
                names.add(piece.name)
                others.append(piece)
            else:
                names.add(piece.name)
                wave.append(piece)
                rows += len(piece.values)
        return wave, others

    def _end_stretch(self, name: str, update: StreamUpdate) -> None:
        state = self._series.get(name)
        if state is None:
            return
        self._advance(
            [Piece(name, state.values[:0], state.times[:0] if len(state.times) else None, False)], update, ended=True
        )
        self._close(state, name, update)
        state.begin_stretch(self._stretches.shape.before)

    def _close(self, state: SeriesState, name: str, update: StreamUpdate) -> None:
        for _, event in close(state.event, self.detector.cut):
            self._tell("closed", name, event, update)
        state.event = None

    def _advance(self, wave: list[Piece], update: StreamUpdate, *, ended: bool) -> None:
        """Takes rows, completes windows, scores rows that no later window reaches, follows events."""
        states = []
        for piece in wave:
            if piece.name not in self._series:
                self._series[piece.name] = self._stretches.empty()
            states.append(self._series[piece.name])
        self._stretches.take(wave, states)
        self._stretches.predict(wave, states)
        self._score(wave, states, update, ended=ended)

    def _score(self, wave: list[Piece], states: list[SeriesState], update: StreamUpdate, *, ended: bool) -> None:
        ready = [
            (piece.name, state, rows)
            for piece, state in zip(wave, states, strict=True)
            if len(rows := self._stretches.final(state, update, ended=ended))
        ]
        if not ready:
            return
        apart, starts, at_rows, actual = 0, [], [], []
        for _, state, own in ready:
            # Each series in a range of row numbers of its own, so that all are combined at once.
            shift = apart - int(min(own[0], state.starts[0]))
            starts.append(state.starts + shift)
            at_rows.append(own + shift)
            actual.append(state.values[own - state.kept][:, self._stretches.places])
            apart = int(max(at_rows[-1][-1], starts[-1][-1])) + 2 * self._stretches.steps + 1
        every, at = np.concatenate(actual), np.concatenate(at_rows)
        stack = np.concatenate([state.stack for _, state, _ in ready])
        combine, shape = self.detector.settings.combine, self._stretches.shape
        expected = expected_rows(stack, np.concatenate(starts), at, every, combine, shape, self._beyond)
        counts = [len(own) for _, _, own in ready]
        codes = self._stretches.codes([name for name, _, _ in ready])
        errors = (every - expected) / np.repeat(self._stretches.scale[codes], counts, axis=0)
        ends = np.cumsum(counts)
        scores, shares = self._scores(errors, ready, ends)
        usual = self.detector.robust(errors)
        for (name, state, own), end in zip(ready, ends, strict=True):
            part = slice(end - len(own), end)
            labels = own + state.row + 1 if not len(state.times) else state.times[own - state.kept]
            update.add(name, labels, scores[part], shares[part], usual[part], every[part], expected[part])
            every_row = np.arange(len(own))
            whole = own[-1] - own[0] == len(own) - 1
            for piece in [every_row] if whole else np.split(every_row, np.flatnonzero(np.diff(own) != 1) + 1):
                these = part.start + piece
                if state.event is not None and own[piece[0]] != state.newest + 1:
                    self._close(state, name, update)
                scored = Scored(
                    int(own[piece[0]]), labels[piece], scores[these], shares[these], every[these], expected[these]
                )
                for kind, event in follow(state.event, scored, self.detector.cut, self.detector.threshold):
                    if kind == "state":
                        state.event = event
                    else:
                        assert event is not None
                        self._tell(kind, name, event, update)
                state.newest = int(own[piece[-1]])
            self._stretches.settle(state)

    def _scores(
        self, errors: np.ndarray, ready: list[tuple[str, SeriesState, np.ndarray]], ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores and shares; smoothing looks back at the rows that were scored before."""
        back = self.detector.settings.smooth - 1
        if not back:
            return self.detector.score(errors, np.zeros(len(errors)))
        pieces, segment, new, number = [], [], [], 0
        for (_, state, own), end in zip(ready, ends, strict=True):
            tail = state.tail if own[0] == state.newest + 1 else state.tail[:0]
            mine = np.concatenate([tail, errors[end - len(own) : end]])
            jumps = np.cumsum(np.concatenate([np.zeros(len(tail) + 1, np.int64), np.diff(own) != 1]))
            pieces.append(mine)
            segment.append(number + jumps)
            new.append(np.arange(len(mine)) >= len(tail))
            number = int(segment[-1][-1]) + 1
            state.tail = mine[jumps == jumps[-1]][-back:]
        scores, shares = self.detector.score(np.concatenate(pieces), np.concatenate(segment))
        kept = np.concatenate(new)
        return scores[kept], shares[kept]

    def _tell(self, kind: str, name: str, event: OpenEvent, update: StreamUpdate) -> None:
        if event.number < 1:
            self._events += 1
            event.number = self._events
        update.tell(kind, name, event)
