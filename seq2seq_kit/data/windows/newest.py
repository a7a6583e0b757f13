"""The fast path to the newest window: for rows that need no sorting, filling or warning.

A forecast of one window takes less time than `prepare_ahead`, which checks for unsorted and duplicate rows, gaps and several
series. Rows of one series on the grid of `every`, complete and numeric, are recognised by a few comparisons; for all others
`read` returns None, and the caller takes `prepare_ahead`.

Both give the same arrays and labels. Scaling (`Scaler.transform`), calendar (`write_calendar`) and the places of columns and
steps (`Columns.layout`, `window_shape`) are the same code. The checks and the timestamps ahead are written anew, because
pandas' take most of a millisecond; tests/data/test_newest.py compares them with `prepare_ahead`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.calendar import Clock
from seq2seq_kit.data.tables.columns import Columns, window_shape
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.data.windows.matrix import write_calendar
from seq2seq_kit.data.windows.unusual import is_far
from seq2seq_kit.recipe.fields import HorizonData


@dataclass(frozen=True)
class Newest:
    """One window, ready for the model.

    Attributes:
        arrays: The model's inputs, `(1, input_steps, inputs)` and, if any, `(1, output_steps, future)`.
        labels: Time or row, and `step`, of each step ahead, by column name.
    """

    arrays: list[np.ndarray]
    labels: dict[str, np.ndarray]


class NewestReader:
    """Reads the newest window of a frame by a recipe's data section.

    Args:
        data: The section; `of` says whether it has a fast path.
        scaler: Fitted on the training rows, one fit for all series.
    """

    def __init__(self, data: HorizonData, scaler: Scaler) -> None:
        self._data, self._columns = data, Columns.of(data)
        self._layout, self._shape = self._columns.layout(), window_shape(data)
        self._scaler, self._series = scaler.only(self._columns.past), np.zeros(data.input_steps, np.int64)
        # A larger value might be beyond the range of float32 once it is scaled. Infinity and NaN are not below it either.
        scale, center = self._scaler.scale[0], self._scaler.center[0]
        self._most = np.finfo(np.float32).max / 4 * np.minimum(scale, 1.0) - np.abs(center)
        self._judged = scale != 1
        self._every = Every.of(data.every)

    @classmethod
    def of(cls, data: HorizonData, scaler: Scaler) -> NewestReader | None:
        """A reader, or None where the recipe asks for more than one plain series."""
        step = Every.of(data.every)
        by_calendar = data.time is not None and (step is None or not step.seconds)
        # Rows one step apart are neither duplicates nor gaps, but they may lie beside the grid that `resample` puts them on.
        written = data.resample is not None or not isinstance(data.time, str | None)
        zoned = data.time_zone or data.time_format or (scaler.times is not None and scaler.times.zone)
        asks = (
            zoned
            or written
            or data.series
            or data.known_future
            or data.limits
            or Columns.of(data).masked
            or Columns.of(data).categories
            or data.static
            or data.transform
            or data.window_scaling != "none"
            or by_calendar
        )
        return None if asks or len(scaler.center) > 1 else cls(data, scaler)

    def read(self, frame: pd.DataFrame) -> Newest | None:
        """The newest window, or None where the rows need `prepare_ahead`."""
        if not frame.columns.is_unique or frame.columns.nlevels > 1:
            return None
        names = (*self._columns.past, *self._data.time_columns)
        if any(name not in frame.columns for name in names):
            return None
        columns = {name: frame[name] for name in names}
        if not all(isinstance(columns[name].dtype, np.dtype) for name in self._data.time_columns):
            return None
        return self.read_columns({name: column.to_numpy() for name, column in columns.items()})

    def read_columns(self, columns: Mapping[str, np.ndarray]) -> Newest | None:
        """As `read`, of rows as an array by column, all of one length."""
        data, shape, steps = self._data, self._shape, self._data.input_steps
        ahead, name_of_time = shape.span - steps, data.time_name
        if name_of_time == "step" or {*data.targets} & {"row", "step", name_of_time}:
            return None
        if any(name not in columns for name in (*self._columns.past, *data.time_columns)):
            return None
        rows = len(columns[self._columns.past[0]])
        if rows < steps:
            return None
        past = np.empty((steps, len(self._columns.past)))
        for position, name in enumerate(self._columns.past):
            values = columns[name]
            if values.dtype.kind not in "fiu" or not np.abs(values, dtype=np.float64).max() < self._most[position]:
                return None
            past[:, position] = values[-steps:]
        matrix = np.zeros((shape.span, self._layout.inputs), np.float32)
        matrix[:steps, : past.shape[1]] = self._scaler.transform(past, self._series, out=past)
        if (is_far(past.min(axis=0), past.max(axis=0)) & self._judged).any():  # which `prepare_ahead` tells
            return None
        labels: dict[str, np.ndarray] = {}
        if name_of_time:
            times = self._times(columns[name_of_time], ahead)
            if times is None:
                return None
            labels[name_of_time] = times[-data.output_steps :]
            if self._columns.calendar:
                write_calendar(matrix, Clock(times[-shape.span :]), self._columns)
        else:
            labels["row"] = rows + np.arange(data.gap_steps + 1, ahead + 1)
        labels["step"] = np.arange(1, data.output_steps + 1)
        arrays = [matrix[None, :steps]]
        if self._layout.future:
            arrays.append(matrix[None, shape.target_offset :, self._layout.future])
        return Newest(arrays, labels)

    def _times(self, times: np.ndarray, ahead: int) -> np.ndarray | None:
        """The timestamps with those ahead, if each is one step after the other."""
        if times.dtype.kind != "M":
            return None
        assert self._every is not None
        # What pandas adds a step of less than days to has microseconds.
        if np.datetime_data(times.dtype)[0] in ("s", "ms") and self._every.seconds % 86400:
            times = times.astype("M8[us]")
        step = np.timedelta64(self._every.seconds, "s").astype(f"m8[{np.datetime_data(times.dtype)[0]}]")
        if np.isnat(times[-1]) or not (np.diff(times) == step).all():  # also where one is missing
            return None
        later = times[-1] + step * np.arange(1, ahead + 1)
        return np.concatenate([times, later]) if later[-1] > times[-1] else None  # an end of time that was passed
