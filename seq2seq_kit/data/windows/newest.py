"""The newest window of rows that need no care, read without the detours that rows from anywhere need.

A forecast of one window takes less time than the checks of a table that may be unsorted, doubled, full of gaps and of several
series. Rows of one series on the grid of `every`, complete and numeric, are recognised by a few comparisons; for all others
`read` gives None, and they take the long way, which sorts, fills, warns or refuses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.calendar import Clock, calendar_columns
from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.tables.time import Every
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
        data: The section; `of` says whether it can be read this way.
        scaler: Fitted on the training rows, one fit for all series.
    """

    def __init__(self, data: HorizonData, scaler: Scaler) -> None:
        self._data, self._columns = data, Columns.of(data)
        self._layout = self._columns.layout()
        picked = [scaler.columns.index(name) for name in self._columns.past]
        self._center, self._scale = scaler.center[0, picked], scaler.scale[0, picked]
        # What is larger might be beyond the range of float32 once it is scaled; nor is infinity smaller, or what is no number.
        self._most = np.finfo(np.float32).max / 4 * np.minimum(self._scale, 1.0) - np.abs(self._center)
        self._every = Every.parse(data.every) if data.every else None

    @classmethod
    def of(cls, data: HorizonData, scaler: Scaler) -> NewestReader | None:
        """A reader, or None where the recipe asks for more than one plain series."""
        months = data.every is not None and Every.parse(data.every).months
        asks = data.series or data.known_future or data.limits or data.missing == "mask" or months
        return None if asks or (data.time and not data.every) or len(scaler.center) > 1 else cls(data, scaler)

    def read(self, frame: pd.DataFrame) -> Newest | None:
        """The newest window, or None where the rows need the long way."""
        data, steps = self._data, self._data.input_steps
        ahead = data.gap_steps + data.output_steps
        if len(frame) < steps or not frame.columns.is_unique or frame.columns.nlevels > 1:
            return None
        if any(name not in frame.columns for name in (*self._columns.past, *([data.time] if data.time else []))):
            return None
        past = np.empty((steps, len(self._columns.past)))
        for position, name in enumerate(self._columns.past):
            values = frame[name].to_numpy()
            if values.dtype.kind not in "fiu" or not np.abs(values, dtype=np.float64).max() < self._most[position]:
                return None
            past[:, position] = values[-steps:]
        scaled = (past - self._center) / self._scale
        labels: dict[str, np.ndarray] = {}
        features = np.zeros((steps + ahead, 0))
        if data.time:
            times = self._times(frame[data.time], ahead)
            if times is None:
                return None
            labels[data.time] = times[-data.output_steps :]
            if self._columns.calendar:
                features = calendar_columns(Clock(times[-steps - ahead :]), self._columns.calendar)
        else:
            labels["row"] = len(frame) + np.arange(data.gap_steps + 1, ahead + 1)
        labels["step"] = np.arange(1, data.output_steps + 1)
        arrays = [np.concatenate([scaled, features[:steps]], axis=1, dtype=np.float32, casting="same_kind")[None]]
        if self._layout.future:
            arrays.append(features[-data.output_steps :].astype(np.float32)[None])
        return Newest(arrays, labels)

    def _times(self, column: pd.Series, ahead: int) -> np.ndarray | None:
        """The timestamps with those ahead, if each is one step after the other."""
        if not isinstance(column.dtype, np.dtype) or column.dtype.kind != "M":
            return None
        assert self._every is not None
        times = column.to_numpy()
        # What pandas adds a step of less than days to has microseconds.
        if np.datetime_data(times.dtype)[0] in ("s", "ms") and self._every.seconds % 86400:
            times = times.astype("M8[us]")
        step = np.timedelta64(self._every.seconds, "s").astype(f"m8[{np.datetime_data(times.dtype)[0]}]")
        if np.isnat(times[-1]) or not (np.diff(times) == step).all():  # also where one is missing
            return None
        later = times[-1] + step * np.arange(1, ahead + 1)
        return np.concatenate([times, later]) if later[-1] > times[-1] else None  # an end of time that was passed
