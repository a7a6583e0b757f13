"""The rows of a backtest on their grid, and those of them that were known at an origin.

A table is read once. What a fit or a forecast at an origin is given is a frame of the rows before it, which goes through the same
reading, filling and scaling as any other frame: whatever these learn, they learn from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from seq2seq_kit.backtests.schedule import Schedule
from seq2seq_kit.data.tables.categories import FIRST
from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.tables.names import joined_name, parts_of_name
from seq2seq_kit.data.tables.series import without_padding
from seq2seq_kit.data.tables.splits import CALIBRATION
from seq2seq_kit.data.tables.table import Table
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.recipe.fields import HorizonData


@dataclass(frozen=True)
class Rows:
    """Rows by series and time.

    Attributes:
        frame: With the recipe's columns.
        bounds: First row of each series and the end, shape `(series + 1,)`.
        series: Names of the series; `[""]` for a single one.
        named: Columns of the frame that name them.
        time: Column of timestamps; None: there is none.
        counted: Whether rows are told by their number in their series, because nobody knows the times of steps ahead.
        targets: Columns to forecast.
        known: Columns known ahead of time.
        weight: Column of weights, if any: a row of weight 0 does not count.
        edges: For each origin, numbered from 1: first known row of each series and the end, counted in the series, shape
            `(origins, series, 2)`.
        ahead: Rows from an origin to the last that is forecast.
    """

    frame: pd.DataFrame
    bounds: np.ndarray
    series: list[str]
    named: list[str]
    time: str | None
    counted: bool
    targets: list[str]
    known: list[str]
    weight: str | None
    edges: np.ndarray
    ahead: int

    @classmethod
    def of(cls, prepared: Prepared, schedule: Schedule, *, before_test: bool = False) -> Rows:
        """Rows as they were read for a forecast, with the origins of a schedule: the last one's forecast ends with its series.

        With `before_test` the rows end where the calibration part begins, or else the test part: of these nothing is kept.
        """
        data, table, columns = prepared.data, without_padding(prepared.table), prepared.columns
        assert isinstance(data, HorizonData)
        ahead = data.gap_steps + schedule.gap + data.output_steps
        known = [name for name in data.known_future if name not in data.static]
        frame, bounds = _frame_of(data, table, columns), table.bounds
        if before_test:
            behind = (
                prepared.table.bounds[1:] - prepared.split.rows(CALIBRATION)[:, 0]
            )  # padding stands before the rows
            kept = np.diff(bounds) - behind
            frame = _between(frame, bounds, np.zeros_like(kept), kept)
            bounds = np.concatenate([[0], np.cumsum(kept)])
        lengths = np.diff(bounds)
        back = np.arange(schedule.windows)[::-1, None] * schedule.stride
        ends = np.maximum(lengths - ahead - back, 0)
        first = np.zeros_like(ends) if schedule.rolling is None else np.maximum(ends - schedule.rolling, 0)
        edges = np.stack([first, ends], axis=-1)
        return cls(
            frame=frame,
            bounds=bounds,
            series=table.series,
            named=data.series_columns,
            time=data.time_name,
            counted=table.times is None or table.every is None,
            targets=columns.targets,
            known=known,
            weight=columns.weight,
            edges=edges,
            ahead=ahead,
        )

    def before(self, origin: int) -> pd.DataFrame:
        """The rows that were known at an origin."""
        first, end = self.edges[origin - 1].T
        return self._between(first, end)

    def future(self, origin: int) -> pd.DataFrame | None:
        """The columns known ahead in the rows after an origin; None without any."""
        if not self.known:
            return None
        end = self.edges[origin - 1][:, 1]
        names = [*self.named, *([self.time] if self.time else []), *self.known]
        return self._between(end, np.where(end > 0, end + self.ahead, 0))[list(dict.fromkeys(names))]

    def until(self, origins: Sequence[int]) -> Rows:
        """The same without the rows that none of these origins knows, but for what is known ahead of them."""
        last = max(origins)
        end = np.minimum(self.edges[last - 1][:, 1] + self.ahead, np.diff(self.bounds))
        frame = self._between(np.zeros_like(end), end)
        bounds = np.concatenate([[0], np.cumsum(end)])
        later = np.arange(len(frame)) - np.repeat(bounds[:-1], end) >= np.repeat(self.edges[last - 1][:, 1], end)
        hidden = [name for name in frame if name not in (*self.named, self.time, *self.known)]
        for name in hidden:
            frame[name] = frame[name].mask(later)
        return replace(self, frame=frame, bounds=bounds)

    def cutoffs(self, origin: int) -> dict[str, object]:
        """The newest known row of each series at an origin: its time, or its number counted from 1; not of one without rows."""
        ends = self.edges[origin - 1][:, 1]
        times = None if self.time is None else pd.DatetimeIndex(self.frame[self.time])
        return {
            name: int(end) if times is None else times[first + end - 1]
            for name, first, end in zip(self.series, self.bounds[:-1], ends, strict=True)
            if end > 0
        }

    def truth(self) -> pd.DataFrame:
        """The observed cells that count: series, target, `key`, which tells a row in its series, `ds` and `y`.

        `ds` is the row's time, or its number where it has none; `key` the same, but for rows that are `counted`.
        """
        numbers = np.concatenate([np.arange(count) + 1 for count in np.diff(self.bounds)])
        at = numbers if self.time is None else pd.DatetimeIndex(self.frame[self.time])
        keys = {"series": np.repeat(np.array(self.series, dtype=object), np.diff(self.bounds))}
        rows = pd.DataFrame(keys | {"key": numbers if self.counted else at, "ds": at})
        counts = self.frame[self.weight].to_numpy() != 0 if self.weight else np.ones(len(self.frame), dtype=bool)
        found = [rows.assign(target=name, y=self.frame[name].to_numpy())[counts] for name in self.targets]
        return pd.concat(found, ignore_index=True).dropna(subset=["y"])

    def names_in(self, answer: pd.DataFrame) -> list[str]:
        """The series of each row of an answer, whose first columns name it."""
        parts = answer.iloc[:, : len(self.named)].astype(str).to_numpy()
        if len(self.named) < 2:
            return [*parts[:, 0]] if self.named else [""] * len(answer)
        return [joined_name([*own]) for own in parts]

    def _between(self, first: np.ndarray, end: np.ndarray) -> pd.DataFrame:
        return _between(self.frame, self.bounds, first, end)


def _between(frame: pd.DataFrame, bounds: np.ndarray, first: np.ndarray, end: np.ndarray) -> pd.DataFrame:
    """Rows of each series by their places in it."""
    lengths = np.diff(bounds)
    place = np.arange(len(frame)) - np.repeat(bounds[:-1], lengths)
    kept = (place >= np.repeat(first, lengths)) & (place < np.repeat(end, lengths))
    return frame[kept].reset_index(drop=True)


def _frame_of(data: HorizonData, table: Table, columns: Columns) -> pd.DataFrame:
    lengths, named = np.diff(table.bounds), data.series_columns
    parts = [parts_of_name(name, len(named)) for name in table.series] if named else []
    found: dict[str, object] = {
        name: np.repeat(np.array([part[place] for part in parts], dtype=object), lengths)
        for place, name in enumerate(named)
    }
    if data.time_name is not None:
        found[data.time_name] = table.times[:] if table.times is not None else None
    for name in columns.numbers:
        found[name] = table.values[:, table.columns.index(name)]
    for name in columns.words:
        words = np.array([None] * FIRST + table.words[name], dtype=object)
        found[name] = words[np.nan_to_num(table.values[:, table.columns.index(name)]).astype(np.int64)]
    return pd.DataFrame(found)
