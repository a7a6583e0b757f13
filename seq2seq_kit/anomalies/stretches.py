"""Windows of rows that come one by one: what is kept of a stretch, which windows are complete, which rows are settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq_kit.anomalies.row_errors import Predicts
from seq2seq_kit.anomalies.stream_rows import RowReader
from seq2seq_kit.anomalies.stream_state import SeriesState
from seq2seq_kit.anomalies.stream_update import StreamUpdate
from seq2seq_kit.data.tables.columns import Columns, window_shape
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.splits import whole
from seq2seq_kit.data.tables.table import Table
from seq2seq_kit.data.windows.matrix import make_matrix
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.data.windows.ranges import Windows
from seq2seq_kit.data.windows.silence import carried_rows, without_holes
from seq2seq_kit.recipe.fields import Data


@dataclass(frozen=True)
class Piece:
    """Rows of one series without a gap.

    Attributes:
        name: Of the series.
        values: Original units, shape `(rows, columns)`.
        times: Nanoseconds; None without a clock.
        gap: Whether rows are missing before it.
    """

    name: str
    values: np.ndarray
    times: np.ndarray | None
    gap: bool


class Stretches:
    """How a model's windows lie over rows that come one by one.

    Args:
        predict: Predicts windows in original units.
        data: The recipe's section, with the windows that `detect` looks at.
        scaler: Fitted on the training rows.
        reader: Knows the clock.
        rebuilds: As in `carried_rows`.
    """

    def __init__(
        self, predict: Predicts, data: Data, scaler: Scaler, reader: RowReader, *, rebuilds: bool = False
    ) -> None:
        self._rebuilds, self._limit = rebuilds, carried_rows(data, rebuilds=rebuilds)
        self._predict, self._data, self._scaler, self._reader = predict, data, scaler, reader
        self._columns = Columns.of(data)
        self._names = self._columns.table
        self._layout, self.shape, self._stride = self._columns.layout(), window_shape(data), data.window_stride
        self.targets = self._columns.targets
        self.places = [self._names.index(name) for name in self.targets]
        self.scale = scaler.scale[:, [scaler.columns.index(name) for name in self.targets]]
        # A larger value might be beyond the range of float32 once it is scaled.
        picked = [scaler.columns.index(name) for name in self._names]
        scale, center = scaler.scale[:, picked], scaler.center[:, picked]
        self.most = (np.finfo(np.float32).max / 4 * np.minimum(scale, 1.0) - np.abs(center)).min(axis=0)
        self._codes: dict[str, int] = {}

    @property
    def span(self) -> int:
        """Rows of a window, its targets included."""
        return self.shape.span

    @property
    def steps(self) -> int:
        """Rows that a window predicts."""
        return self.shape.output_steps

    @property
    def sizes(self) -> list[int]:
        """What a stored state must fit."""
        return [self.shape.input_steps, self.shape.output_steps, self.shape.target_offset, self._stride]

    def empty(self) -> SeriesState:
        """A series of which nothing is known."""
        sizes = len(self._names), len(self._layout.columns), self.steps, len(self.targets)
        return SeriesState.empty(*sizes, self.shape.before)

    def codes(self, names: Sequence[str]) -> np.ndarray:
        """Row of the scaler for each series.

        Raises:
            DataError: Each series has a scale of its own, and one of these was not in the training rows.
        """
        new = [name for name in names if name not in self._codes]
        if new:
            self._codes |= dict(zip(new, self._scaler.codes_of(new).tolist(), strict=True))
        return np.array([self._codes[name] for name in names], dtype=np.int64)

    def take(self, wave: Sequence[Piece], states: Sequence[SeriesState]) -> None:
        """Puts rows behind those of their series."""
        counts = [len(piece.values) for piece in wave]
        if not sum(counts):
            return
        filled = [self._filled(piece.values, state) for piece, state in zip(wave, states, strict=True)]
        matrix = self._scaled(wave, filled, counts)
        ends = np.cumsum(counts)
        for state, piece, end, count in zip(states, wave, ends, counts, strict=True):
            state.values = np.concatenate([state.values, piece.values])
            state.matrix = np.concatenate([state.matrix, matrix[end - count : end]])
            if piece.times is not None and count:
                state.time = int(piece.times[-1])
                state.times = np.concatenate([state.times, piece.times])
            state.rows += count

    def _filled(self, values: np.ndarray, state: SeriesState) -> np.ndarray:
        """Missing cells carried on from the row before: no stream knows the next one; NaN where there is nothing to carry on."""
        if self._data.missing == "mask" or not len(values):
            return values
        if not np.isnan(values).any():
            state.filled, state.silent = values[-1].copy(), np.zeros_like(state.silent)
            return values
        rows = np.concatenate(
            [state.filled[None], values]
        )  # the last known value of each column stands before the others
        at = np.arange(len(rows))[:, None]
        known = ~np.isnan(rows)
        newest = np.maximum.accumulate(np.where(known, at, -1), axis=0)
        since = at - newest + np.where(newest == 0, state.silent, 0)
        carried = np.take_along_axis(rows, np.maximum(newest, 0), axis=0)
        reached = (newest >= 0) & (True if self._limit is None else since <= self._limit)
        state.filled, state.silent = carried[-1], np.where(newest[-1] >= 0, since[-1], 0)
        return np.where(known | reached, carried, np.nan)[1:]

    def _scaled(
        self,
        wave: Sequence[Piece],
        filled: Sequence[np.ndarray],
        counts: Sequence[int],
    ) -> np.ndarray:
        bounds = np.concatenate([[0], np.cumsum(counts)])
        clock = None
        if self._columns.calendar:
            clock = self._reader.index(np.concatenate([each.times for each in wave if each.times is not None]))
        table = self._table([piece.name for piece in wave], np.concatenate(list(filled)), bounds, times=clock)
        matrix = np.asarray(make_matrix(self._columns, table, self._scaler, self.codes(table.series), self._layout))
        if not self._rebuilds:
            without_holes(matrix, self._layout.inputs)
        return matrix

    def _table(
        self,
        names: list[str],
        values: np.ndarray,
        bounds: np.ndarray,
        segments: np.ndarray | None = None,
        times: object = None,
    ) -> Table:
        if segments is None:
            segments = np.column_stack([bounds[:-1], bounds[1:], np.arange(len(names))])
        return Table(self._names, values, times, names, bounds, segments, origin="the stream")  # type: ignore[arg-type]

    def predict(self, wave: Sequence[Piece], states: Sequence[SeriesState]) -> None:
        """Predicts the windows that have become complete."""
        complete = [(piece.name, state, self._complete(state)) for piece, state in zip(wave, states, strict=True)]
        complete = [each for each in complete if each[2]]
        if not complete:
            return
        counts = np.array([count for _, _, count in complete])
        begins = np.array([state.window - state.kept for _, state, _ in complete])
        bounds = np.concatenate([[0], np.cumsum([len(state.matrix) for _, state, _ in complete])])
        names = [name for name, _, _ in complete]
        segments = np.column_stack([bounds[:-1] + begins, bounds[1:], np.arange(len(names))])
        table = self._table(names, np.concatenate([state.values for _, state, _ in complete]), bounds, segments)
        prepared = Prepared(
            data=self._data,
            table=table,
            split=whole(table),
            segments=segments,
            scaler=self._scaler,
            codes=self.codes(names),
            matrix=np.concatenate([state.matrix for _, state, _ in complete]),
            layout=self._layout,
            rows={"test": segments[:, :2]},
        )
        # What these properties would find, in a fraction of the time.
        windows = Windows(self.shape, self._stride, segments[:, 0], counts, np.arange(len(names)))
        vars(prepared).update(windows={"test": windows}, columns=self._columns)
        predicted = self._predict(prepared, "test", np.arange(int(counts.sum())))
        for (_, state, count), end in zip(complete, np.cumsum(counts), strict=True):
            first = state.window + self.shape.target_offset
            state.starts = np.concatenate([state.starts, first + self._stride * np.arange(count)])
            state.stack = np.concatenate([state.stack, predicted[end - count : end]])
            state.window += count * self._stride

    def _complete(self, state: SeriesState) -> int:
        """Windows that have all of their rows and are not predicted yet."""
        reach = self.span - self.shape.before  # rows from the first input on
        return max((state.rows - reach - state.window) // self._stride + 1, 0)

    def final(self, state: SeriesState, update: StreamUpdate, *, ended: bool) -> np.ndarray:
        """Rows whose windows are all complete; those that no window reaches are counted."""
        until = state.rows if ended else min(state.window + self.shape.target_offset, state.rows)
        rows = np.arange(state.scored, until)
        newest = np.searchsorted(state.starts, rows, side="right") - 1
        reached = newest >= 0
        if reached.any():
            reached &= rows < state.starts[np.maximum(newest, 0)] + self.steps
        update.unreached += int((~reached).sum())
        state.scored = max(int(until), state.scored)
        if not reached.any():
            self.settle(state)
        return rows[reached]

    def require_consistent(self, name: str, state: SeriesState, looks_back: int, events: int) -> None:
        """Raises `ValueError` where a state is none that any rows can have left: what is kept follows from how many they were.

        Args:
            name: Of the series.
            state: Read from JSON.
            looks_back: Rows that smoothing looks back.
            events: Of the stream so far.
        """
        count = max((state.rows - (self.span - self.shape.before) - self.shape.before) // self._stride + 1, 0)
        window = self.shape.before + count * self._stride
        scored = min(window + self.shape.target_offset, state.rows)
        starts = self.shape.before + self.shape.target_offset + self._stride * np.arange(count)
        newest = min(int(starts[-1]) + self.steps, scored) - 1 if count else -1
        kept, event = min(window, scored), state.event
        clock = self._data.time is not None
        right = {
            "series": bool(name) == bool(self._data.series_columns),
            "window": state.window == window,
            "scored": state.scored == scored,
            "kept": state.kept == kept,
            "newest": state.newest == newest,
            "starts": np.array_equal(state.starts, starts[starts > scored - self.steps]),
            "stack": len(state.stack) == len(state.starts),
            "values": len(state.values) == state.rows - kept and not (np.abs(state.values) > self.most).any(),
            "filled": not (np.abs(state.filled) > self.most).any(),
            "matrix": len(state.matrix) == state.rows - kept,
            "times": len(state.times) == (state.rows - kept if clock else 0)
            and bool((np.diff(state.times) >= 0).all()),
            "time": (state.time is not None) == (clock and state.row + state.rows > 0)
            and (not len(state.times) or state.time == int(state.times[-1])),
            "tail": len(state.tail) <= looks_back,
            "event": event is None or event.fits(len(self.targets), newest, events),
        }
        if wrong := [what for what, holds in right.items() if not holds]:
            raise ValueError(f"{wrong[0]} of series {name!r} does not go with the other numbers; it is damaged")

    def settle(self, state: SeriesState) -> None:
        """Drops rows and windows that nothing needs any more."""
        kept = int(np.searchsorted(state.starts, state.scored - self.steps, side="right"))
        if kept:
            state.starts, state.stack = state.starts[kept:], state.stack[kept:]
        state.forget(min(state.window, state.scored))
