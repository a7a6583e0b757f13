"""Events of a series that is longer than what is held of it: errors of overlapping pieces, cut where it is quiet long enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.detection import detect_events
from seq2seq_kit.anomalies.detector import Detector
from seq2seq_kit.anomalies.row_errors import RowErrors
from seq2seq_kit.bundles.watching import Watched
from seq2seq_kit.data.windows.silence import carried_rows
from seq2seq_kit.errors import SeriesTooShortError
from seq2seq_kit.scoring.cutting import Series
from seq2seq_kit.scoring.stretches import Feed, Stretch

Watch = Callable[[pd.DataFrame, np.ndarray], Watched]
_LONGEST = 16  # times the rows of a piece that an event may go on before it is told as several


@dataclass(frozen=True)
class _Piece:
    """Errors of rows that are final.

    Attributes:
        errors: Of those rows.
        follows: Whether the first of them goes on from the row before it.
    """

    errors: RowErrors
    follows: bool


def cut_detection(series: Series, stretch: Stretch, watch: Watch, detector: Detector) -> Iterator[pd.DataFrame]:
    """Frames of events, in the order of time; their numbers and order among each other are left to the caller.

    Args:
        series: Model and data.
        stretch: Rows of a single series.
        watch: Gives the errors of rows, whose numbers in the file it is told.
        detector: Tuned as asked for.

    Raises:
        DataError: Rows do not fit, are not in time order, or hold no window.
    """
    held: RowErrors | None = None
    context = 0  # rows at the front of it whose events were told before
    smooth = detector.settings.smooth
    quiet = 2 * max(smooth - 1, 0) + detector.merge_gap + 1
    for piece in _errors(series, stretch, watch):
        held = piece.errors if held is None else _joined(held, piece)
        cut = _quiet_row(held, detector, quiet)
        if cut is not None and cut >= context:
            yield _told(_rows(held, 0, cut + 1), detector, context)
            first = max(cut + 1 - quiet, 0)
            held, context = _rows(held, first, len(held.series)), cut + 1 - first
        elif len(held.series) > _LONGEST * series.most:
            yield _told(held, detector, context)
            held, context = None, 0  # what follows is an event of its own, though it is loud from its first row on
    if held is not None:
        yield _told(held, detector, context)


def _told(errors: RowErrors, detector: Detector, context: int) -> pd.DataFrame:
    """The events of rows, but for those that lie in the first ones, which are there for what comes behind them."""
    events = detect_events(errors, detector).events
    if not context or not len(events):
        return events
    series, when = errors.labels.shape[1] - 1, errors.labels.columns[-1]
    before = errors.labels[when].iloc[context - 1]
    return events[(events.iloc[:, 1 + series] > before).to_numpy()]


def _quiet_row(errors: RowErrors, detector: Detector, quiet: int) -> int | None:
    """The last row that ends so many rows which belong to no event."""
    score, _ = detector.score(errors.errors, errors.segment)
    above = score > detector.exit_threshold
    at = np.arange(len(above))
    loud = np.maximum.accumulate(np.where(above, at, -1))
    found = np.flatnonzero(at - loud >= quiet)
    return int(found[-1]) if len(found) else None


def _errors(series: Series, stretch: Stretch, watch: Watch) -> Iterator[_Piece]:
    bundle, data = series.bundle, series.data
    limit = carried_rows(data, rebuilds=bundle.rebuilds)
    # A value that is carried on for few rows needs no more than those before a piece; else it must begin with a whole row.
    free = data.missing == "mask" or (limit is not None and data.missing != "interpolate")
    # In whole strides, so that the windows of the next piece are those of the whole series.
    carried = -(-(limit or 0) // data.window_stride) * data.window_stride
    slack = carried + series.lost if free else series.lost
    feed, size, since, told = Feed(stretch.tables()), series.most, 0, False
    why: SeriesTooShortError | None = None
    while True:
        feed.fill(size)
        frame, numbers = series.rows_of(feed.table())
        frame = frame if free else series.until_complete(frame, feed.ended)
        series.place(frame, numbers, pd.Series(dtype="datetime64[ns]"))
        watched: Watched | None = None
        try:
            watched = watch(frame, numbers)
        except SeriesTooShortError as error:
            why = error
        end = len(frame) if feed.ended else len(frame) - series.span
        if watched is not None and end > since:
            told = True
            yield from _final(series, watched, feed.first, since, end)
        if feed.ended:
            if not told and why is not None:
                raise why
            return
        following = _following(series, watched, frame, min(end, len(frame)) - series.span - slack, slack, free=free)
        if following <= 0:
            # Nothing can be dropped: what was told is not told again, and more rows are held.
            since, size = max(since, end), size + series.most
            continue
        feed.drop(following)
        since, size = max(since, end) - following, series.most


def _following(
    series: Series, watched: Watched | None, frame: pd.DataFrame, latest: int, slack: int, *, free: bool
) -> int:
    """The row with which the next piece begins: a window of the whole series does so, `slack` rows later."""
    if latest <= 0:
        return 0
    if watched is None:
        starts = np.array([latest + slack])  # there is no window to keep in step with
    else:
        windows = watched.prepared.windows["test"]
        starts = windows.starts() - windows.shape.before
    rows = starts - slack
    rows = rows[(rows > 0) & (rows <= latest)]
    if not free:
        rows = rows[series.complete(frame)[rows]]
    return int(rows.max(initial=0))


def _final(series: Series, watched: Watched, first: int, since: int, end: int) -> Iterator[_Piece]:
    """The rows of a piece from `since` to before `end`."""
    errors, table = watched.errors, watched.prepared.table
    when = errors.labels.columns[-1]
    if table.times is None:
        rows = errors.labels[when].to_numpy(dtype=np.int64) - 1
        errors = replace(errors, labels=errors.labels.assign(**{when: errors.labels[when] + first}))
    else:
        rows = np.searchsorted(
            table.times[:].asi8, pd.DatetimeIndex(errors.labels[when]).as_unit(table.times[:].unit).asi8
        )
    low, high = np.searchsorted(rows, [since, end]).tolist()
    if low < high:
        follows = low > 0 and rows[low - 1] + 1 == rows[low] and errors.segment[low - 1] == errors.segment[low]
        yield _Piece(_rows(errors, low, high), bool(follows))


def _rows(errors: RowErrors, first: int, end: int) -> RowErrors:
    rows = slice(first, end)
    return replace(
        errors,
        labels=errors.labels.iloc[rows].reset_index(drop=True),
        series=errors.series[rows],
        segment=errors.segment[rows],
        actual=errors.actual[rows],
        expected=errors.expected[rows],
        errors=errors.errors[rows],
    )


def _joined(held: RowErrors, piece: _Piece) -> RowErrors:
    errors = piece.errors
    shift = held.segment[-1] - errors.segment[0] + (0 if piece.follows else 1)
    return replace(
        held,
        labels=pd.concat([held.labels, errors.labels], ignore_index=True),
        series=np.concatenate([held.series, errors.series]),
        segment=np.concatenate([held.segment, errors.segment + shift]),
        actual=np.concatenate([held.actual, errors.actual]),
        expected=np.concatenate([held.expected, errors.expected]),
        errors=np.concatenate([held.errors, errors.errors]),
    )
