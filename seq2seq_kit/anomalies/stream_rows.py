"""Rows of a stream as they come: read, put in order by series, held against what was read before."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from seq2seq_kit.data.sources.given import Given, frame_of
from seq2seq_kit.data.tables.cells import read_columns, require_columns
from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.tables.names import joined_name, read_series
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.data.tables.time_formats import column_of_times
from seq2seq_kit.data.tables.timestamps import read_times
from seq2seq_kit.data.windows.ahead import style_of
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.recipe.fields import Data, WindowData

Row = Mapping[str, object] | Mapping[Hashable, object]
_ORIGIN = "the stream"
_NONE, _ONE = np.zeros(0, np.int64), np.zeros(1, np.int64)
_OFF_GRID = 1e-6  # steps that a row on the grid may be off by rounding


@dataclass(frozen=True)
class Rows:
    """Rows of some series, those of a series one after the other in order of time.

    Attributes:
        names: The series.
        bounds: First row of each series and the end, shape `(series + 1,)`.
        times: Nanoseconds, shape `(rows,)`; None without a clock.
        values: Original units, NaN where missing, shape `(rows, columns)`.
        back: Series whose clock jumps back within these rows by so many steps.
    """

    names: list[str]
    bounds: np.ndarray
    times: np.ndarray | None
    values: np.ndarray
    back: dict[str, float]


class RowReader:
    """Reads rows by a recipe's data section.

    Args:
        data: The section.
        scaler: Fitted on the training rows; knows their clock.
    """

    def __init__(self, data: Data, scaler: Scaler) -> None:
        self.columns = Columns.of(data).numbers
        self.zone = scaler.times.zone if scaler.times is not None else ""
        self._data, self._scaler, self._every = data, scaler, Every.of(data.every, data.holidays)
        self._weight = data.weight if isinstance(data, WindowData) else None
        self._limits = [(self.columns.index(name), pair) for name, pair in data.limits.items() if name in self.columns]
        step = self._every
        self._nanoseconds = int(step.seconds * 1e9) if step and step.seconds and (step.fixed or not self.zone) else 0
        # What a single row may be read by without a frame, many times faster.
        self._plain = not (self.zone or data.time_format or data.time_zone or data.format.given) and isinstance(
            data.time, str | None
        )

    def read(self, rows: Given | Row | Sequence[Row]) -> Rows:
        """Reads a table of rows, one row by column name, or a list of such rows; nothing at all is no row.

        Raises:
            ArgumentError: It is none of these.
            DataError: A column is missing, a cell is no number, a timestamp is none.
        """
        found = self._one(rows) if isinstance(rows, Mapping) else None
        if found is None:
            frame = self._frame(rows)
            if not len(frame):
                return Rows([], np.zeros(1, np.int64), None, np.zeros((0, len(self.columns))), {})
            found = self._many(frame)
        for place, (low, high) in self._limits:
            column = found.values[:, place]
            column[(column < low) | (column > high)] = np.nan
        return found

    def steps(self, times: np.ndarray) -> np.ndarray:
        """Steps of the recipe between neighbours of some times; all 1 where rows are steps."""
        if self._every is None:
            return np.ones(len(times) - 1)
        if self._nanoseconds:
            return np.asarray(np.diff(times) / self._nanoseconds)
        return np.diff(self._every.ticks(self.index(times)))

    def index(self, times: np.ndarray) -> pd.DatetimeIndex:
        """Nanoseconds as timestamps on the clock of training."""
        found = pd.DatetimeIndex(times.astype("M8[ns]"))
        return found.tz_localize("UTC").tz_convert(self.zone) if self.zone else found

    def _frame(self, rows: Given | Row | Sequence[Row]) -> pd.DataFrame:
        if isinstance(rows, pd.Series) and set(self.columns) <= set(
            rows.index
        ):  # a row of a frame, as `iterrows` gives it
            rows = dict(rows)
        if isinstance(rows, Mapping):
            return pd.DataFrame([dict(rows)])
        if isinstance(rows, Sequence) and not isinstance(rows, str) and all(isinstance(row, Mapping) for row in rows):
            return pd.DataFrame([dict(row) for row in rows])
        try:
            return frame_of(rows, time=self._data.time_columns, series=self._data.series_columns)  # type: ignore[arg-type]
        except ArgumentError as error:
            names = [*self._data.series_columns, *self._data.time_columns, *self.columns]
            said = f"{error}. One row is a dict by column name ({', '.join(names)}), several are a list of such dicts or a table"
            raise ArgumentError(said, code=error.code) from None

    def _one(self, row: Row) -> Rows | None:
        if not self._plain:
            return None
        data = self._data
        try:
            values = np.array([[row[name] for name in self.columns]])
            parts = [row[name] for name in data.series_columns]
            when = row[data.time] if isinstance(data.time, str) else None
        except KeyError:
            return None  # the frame's way has the message
        if values.dtype.kind not in "fiu" or not all(isinstance(part, str | int) and part != "" for part in parts):
            return None
        names = [str(part) for part in parts]
        times = None
        if data.time is not None:
            if not isinstance(when, datetime) or when.tzinfo is not None or when != when:
                return None
            times = np.array([pd.Timestamp(when).as_unit("ns").value])
        name = joined_name(names) if len(names) > 1 else "".join(names)
        return Rows([name], np.array([0, 1]), times, values.astype(np.float64), {})

    def _many(self, frame: pd.DataFrame) -> Rows:
        data = self._data
        if self._weight and self._weight not in frame:
            frame = frame.assign(**{self._weight: 1.0})
        clocks = data.time_columns
        require_columns(
            frame.columns,
            [*data.series_columns, *clocks, *self.columns],
            _ORIGIN,
            rows=len(frame),
            index=frame.index.names,
        )
        values = np.column_stack(read_columns(frame, self.columns, _ORIGIN, form=data.format))
        codes, names = np.zeros(len(frame), dtype=np.int64), [""]
        if data.series_columns:
            codes, names = read_series(frame, data.series_columns, _ORIGIN)
        order, times, back = np.argsort(codes, kind="stable"), None, {}
        if clocks:
            style = style_of(data)
            column = column_of_times(frame, clocks, style.format if style else None, _ORIGIN)
            read, _ = read_times(column, str(column.name), _ORIGIN, style=style, trained=self._scaler.times)
            times = read.as_unit("ns").asi8[order]
        bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
        if times is not None:
            for place, name in enumerate(names):
                own = slice(int(bounds[place]), int(bounds[place + 1]))
                steps = self.steps(times[own]) if self._every is not None and own.stop - own.start > 1 else _NONE
                if len(steps) and steps.min() < 0:
                    back[name] = float(-steps.min())
                    within = np.argsort(times[own], kind="stable")
                    times[own], order[own] = times[own][within], order[own][within]
        return Rows(names, bounds, times, values[order], back)

    def placed(
        self, name: str, last: int | None, times: np.ndarray, most: int
    ) -> tuple[np.ndarray, np.ndarray, int, int]:
        """Which rows of a series go on after its newest one.

        Args:
            name: Of the series, for messages.
            last: Time of its newest row.
            times: Of the rows, in order.
            most: Steps that a row may be late.

        Returns:
            The rows that are taken; for each of these, how many rows are missing before it; how many are late; and how many
            have the time of another, or lie beside the grid.

        Raises:
            DataError: The clock jumps back.
        """
        if not len(times):
            return _NONE, _NONE, 0, 0
        if len(times) == 1 and last is not None and self._nanoseconds and int(times[0]) - last == self._nanoseconds:
            return _ONE, _ONE, 0, 0  # as nearly every row of a stream
        if self._every is None:  # rows are steps whatever the clock says
            taken = np.flatnonzero(times >= (times[0] if last is None else last))
            return taken, np.zeros(len(taken), np.int64), len(times) - len(taken), 0
        since = np.concatenate([[times[0] if last is None else last], times])
        apart = np.concatenate([[0.0], np.cumsum(self.steps(since))])
        if apart.min() < -most - _OFF_GRID:
            self.refuse_jump(name, -float(apart.min()), most)
        whole = np.round(apart[1:])
        new = np.maximum.accumulate(np.concatenate([[-1.0 if last is None else 0.0], whole]))[:-1]
        on_grid = np.abs(apart[1:] - whole) <= _OFF_GRID
        taken = np.flatnonzero((whole > new) & on_grid)
        if len(taken) == len(times):
            return (
                taken,
                np.diff(np.concatenate([[whole[0] - 1 if last is None else 0.0], whole])).astype(np.int64) - 1,
                0,
                0,
            )
        late = int((whole < 0).sum()) if last is not None else 0
        before = (
            np.concatenate([[whole[taken[0]] - 1 if last is None else 0.0], whole[taken]])
            if len(taken)
            else np.zeros(1)
        )
        return taken, np.diff(before).astype(np.int64) - 1, late, len(times) - len(taken) - late

    def require_cells(self, name: str, values: np.ndarray, most: float) -> None:
        """Raises `DataError` where cells of a series are beyond `most`."""
        if (np.abs(values) > most).any():
            row, column = np.argwhere(np.abs(values) > most)[0]
            raise DataError(
                f"the stream: {values[row, column]:g} in column {self.columns[column]} is beyond the range of "
                "float32. Nothing of these rows was read. Correct the cell, or set data.limits for the column",
                code="value_too_large",
            )

    @staticmethod
    def refuse_jump(name: str, steps: float, most: int, *, within: bool = False) -> None:
        """Raises `DataError`: a clock has jumped back, or the rows of one chunk (`within`) are not in order of time."""
        which = f" of series {name}" if name else ""
        if within:
            raise DataError(
                f"the rows of this chunk are not in order of time: the clock{which} jumps back by {steps:g} steps from one row "
                f"to the next, and rows may be out of order by up to {most}. Nothing of these rows was read. Sort them by time "
                "(`frame.sort_values(...)`), or correct the row whose time is wrong, and feed them again",
                code="clock_jumped_back",
            )
        raise DataError(
            f"the clock{which} jumps back by {steps:g} steps; rows may be late by up to {most}, which are left out and told. "
            "Nothing of these rows was read. Correct their times and feed them again; if the newest row before had a wrong time, "
            f"begin that series anew: stream.forget({name!r})",
            code="clock_jumped_back",
        )


def require_streamable(data: Data, scaler: Scaler) -> None:
    """Raises `ArgumentError` where what the model reads of a row depends on rows that come later, or on words."""
    columns, why = Columns.of(data), []
    if data.resample is not None or data.gaps == "fill" or data.duplicates not in ("refuse", "first"):
        why.append("puts rows onto a grid (data.resample, data.gaps, data.duplicates)")
    if columns.categories or columns.static:
        why.append("has categories or static columns")
    if scaler.transforms is not None:
        why.append("has a data.transform")
    if why:
        raise ArgumentError(
            f"no stream for this model: its recipe {' and '.join(why)}. Use `detect` on the newest rows, or train without",
            code="stream_not_supported",
        )
