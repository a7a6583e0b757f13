"""A series that is longer than what is held of it: pieces that overlap, so that every answer is that of the whole series.

A piece begins where a window begins, with the rows before it that differences and filled cells need, and counts up to the last
window that lies in it. Windows are kept in multiples of `CHUNK`, as a bundle computes them, so that a series without gaps is
computed in the batches of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.data.tables.columns import Columns, window_shape
from seq2seq_kit.data.tables.time_formats import column_of_times
from seq2seq_kit.data.tables.timestamps import read_times
from seq2seq_kit.data.windows.ahead import style_of
from seq2seq_kit.data.windows.stages import rows_lost
from seq2seq_kit.errors import DataError, SeriesTooShortError
from seq2seq_kit.recipe.fields import Data
from seq2seq_kit.scoring.stretches import Feed, Stretch

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 4_096  # windows that a bundle computes together
Ask = Callable[[pd.DataFrame, np.ndarray], pd.DataFrame]
_NOT_YET = ("series_too_short", "missing_inputs")  # of rows that go on


@dataclass(frozen=True)
class Series:
    """A bundle and the columns of the one series that is cut.

    Attributes:
        bundle: The model.
        data: The section of its windows, with the stride of the verb.
        most: Rows that are held, where that is enough.
        origin: Name of the file.
        rows_of: Rows as the bundle reads them, and their numbers in the file, counted from 0.
    """

    bundle: WindowBundle
    data: Data
    most: int
    origin: str
    rows_of: Callable[[pa.Table], tuple[pd.DataFrame, np.ndarray]]

    @property
    def lost(self) -> int:
        """Rows before a window that differences need."""
        return rows_lost(self.data, self.bundle.scaler)

    @property
    def span(self) -> int:
        """Rows of a window with its targets."""
        return window_shape(self.data).span

    def complete(self, frame: pd.DataFrame) -> np.ndarray:
        """Where a piece may begin or end: rows without a missing cell, so that none is filled from beyond, `(rows,)` bool."""
        if self.data.missing == "mask":
            return np.ones(len(frame), dtype=bool)
        columns = Columns.of(self.data)
        names = [name for name in (*columns.numbers, *columns.words) if name in frame]
        found = frame[names].notna().all(axis=1).to_numpy(copy=True)
        for name, (low, high) in self.data.limits.items():
            if name in frame:
                cells = pd.to_numeric(frame[name], errors="coerce")
                found &= ((cells >= low) & (cells <= high)).to_numpy()
        return np.asarray(found)

    def until_complete(self, frame: pd.DataFrame, ended: bool) -> pd.DataFrame:
        """The rows up to the last complete one, as long as more will come."""
        whole = np.flatnonzero(self.complete(frame))
        return frame if ended or not len(whole) else frame.iloc[: int(whole[-1]) + 1]

    def place(self, frame: pd.DataFrame, numbers: np.ndarray, labels: pd.Series) -> np.ndarray:
        """The row of the frame that each label of an answer is of; behind its end where it is later.

        Raises:
            DataError: The rows are not in time order.
        """
        data = self.data
        if data.time_name is None:
            return labels.to_numpy(dtype=np.int64) - 1
        column = column_of_times(frame, data.time_columns, data.time_format, self.origin)
        times, _ = read_times(
            column, str(column.name), self.origin, style=style_of(data), trained=self.bundle.scaler.times
        )
        found = pd.DatetimeIndex(labels)
        # Answers are at least as fine as the rows; nanoseconds for all would end in the year 2262.
        ticks = times.as_unit(found.unit).asi8 if len(found) else times.asi8
        back = np.flatnonzero(np.diff(ticks) < 0)
        if back.size:
            row = int(back[0]) + 1
            raise DataError(
                f"{self.origin}, row {int(numbers[row]) + 1} ({times[row]}): its time lies before that of the row above it "
                f"({times[row - 1]}). A series of more than {self.most:,} rows is read in the order of the file; sort it by time",
                code="unsorted_rows",
            )
        return np.searchsorted(ticks, found.asi8)

    def number(self, answer: pd.DataFrame, first: int) -> pd.DataFrame:
        """An answer whose rows are counted from the beginning of the series, where they have no time."""
        if self.data.time_name is None and first:
            at = len(self.data.series_columns)
            for name in answer.columns[at : at + 2]:
                if str(name).rstrip("_") in ("row", "first_row", "last_row"):
                    answer[name] += first
        return answer


def cut_windows(
    series: Series, stretch: Stretch, ask: Ask, *, each: int, offset: int, ahead: bool
) -> Iterator[pd.DataFrame]:
    """The answers of a verb that answers for every window.

    Args:
        series: Model and data.
        stretch: Rows of a single series.
        ask: The verb.
        each: Rows of the answer for a window.
        offset: From a window's first input to the row that its first answer is labelled with.
        ahead: Whether the verb forecasts from the newest rows, too, and so needs enough of them behind the last gap.

    Raises:
        DataError: Rows do not fit, are not in time order, or hold no window.
    """
    feed, size, told, why = Feed(stretch.tables()), series.most, False, None
    while True:
        feed.fill(size)
        frame, numbers = series.rows_of(feed.table())
        frame = series.until_complete(frame, feed.ended)
        answer = None
        try:
            answer = ask(frame, numbers)
        except SeriesTooShortError as error:
            why = error
            if ahead and not feed.ended:
                size += max(
                    series.most // 4, 1
                )  # it ends too soon after a gap to be forecast from, which says nothing of its windows
                continue
        if feed.ended:
            if answer is not None:
                yield series.number(answer, feed.first)
            elif why is not None and (ahead or not told):
                raise why
            return
        keep, following = 0, len(frame) - series.span - series.lost + 1
        whole = series.complete(frame)
        if answer is not None:
            starts = series.place(frame, numbers, answer.iloc[::each, len(series.data.series_columns)]) - offset
            keep = _kept(starts, starts - series.lost, whole, len(frame) - series.span)
            following = int(starts[keep]) - series.lost if keep else 0
        if following <= 0 or not whole[following]:
            size += series.most  # no place to cut at: more rows are held
            continue
        if answer is not None:
            told = True
            yield series.number(answer.iloc[: keep * each], feed.first)
        feed.drop(following)
        size = series.most


def _kept(starts: np.ndarray, rows: np.ndarray, whole: np.ndarray, last: int) -> int:
    """How many windows are kept, so that the next piece may begin with the one behind them; 0 for nowhere."""
    fits = np.flatnonzero((starts <= last) & (rows > 0) & whole[np.clip(rows, 0, len(whole) - 1)])
    fits = fits[fits > 0]
    even = fits[fits % CHUNK == 0]
    return int((even if len(even) else fits).max(initial=0))


def cut_newest(series: Series, stretch: Stretch, ask: Ask, *, back: int = 0) -> Iterator[pd.DataFrame]:
    """The answer of a verb that answers for the newest window, or from `back` rows; all are looked at, as they are in memory.

    Raises:
        DataError: As of `cut_windows`.
    """
    feed, size = Feed(stretch.tables()), series.most
    while True:
        feed.fill(size)
        frame, numbers = series.rows_of(feed.table())
        series.place(frame, numbers, pd.Series(dtype="datetime64[ns]"))
        try:
            answer = ask(frame, numbers)
        except DataError as error:
            if feed.ended or error.code not in _NOT_YET:
                raise
        if feed.ended:
            yield series.number(answer, feed.first)
            return
        latest = len(frame) - max(series.data.input_steps + series.lost, back, series.most // 4)
        whole = np.flatnonzero(series.complete(frame)[: max(latest, 0)])
        if len(whole) and whole[-1] > 0:
            feed.drop(int(whole[-1]))
            size = series.most
        else:
            size += series.most
