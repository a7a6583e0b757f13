"""The latent space of a trained autoencoder: its map, and the windows nearest to one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.frames import window_labels
from seq2seq_kit.data.tables.names import answer_frame, joined_name
from seq2seq_kit.data.tables.time_style import TimeStyle
from seq2seq_kit.data.tables.timestamps import read_times
from seq2seq_kit.data.windows.ahead import style_of
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation.latent import MapMethod, map_latent, nearest
from seq2seq_kit.reports.latent_page import Points, latent_page
from seq2seq_kit.reports.page import write_page

_NAMED = 10  # series in a message


@dataclass(frozen=True)
class LatentMap:
    """Windows, or whole sequences, by their latent vectors on a map.

    Attributes:
        frame: A row for each: what names it, `x`, `y`, `reconstruction_error`.
        method: `pca` or `umap`.
        explained: Share of the variance that both axes show; None of UMAP.
        points: The same with their rows, for the page.
    """

    frame: pd.DataFrame
    method: MapMethod
    explained: float | None
    points: Points

    def page(self, *, title: str = "Latent space") -> str:
        """A page that shows each of them where it is pointed at; it needs nothing else."""
        return latent_page(self.points, title=title)

    def save(self, out: str | Path, *, title: str = "Latent space") -> Path:
        """Writes the page.

        Raises:
            ArgumentError: The file cannot be written.
        """
        return write_page(self.page(title=title), out)

    def __repr__(self) -> str:
        return f"<LatentMap: {len(self.frame):,} {self.points.named} by {self.method}>"


def latent_map(labels: pd.DataFrame, latent: np.ndarray, points: Points, method: MapMethod, *, seed: int) -> LatentMap:
    """The map of latent vectors, `(windows, latent)`; `points` without places on it."""
    places, explained = map_latent(latent, method, seed=seed)
    about = (
        "By UMAP: who lies near whom is like in the latent space, but distances and axes mean nothing."
        if explained is None
        else f"By PCA: the two axes show {explained:.0%} of the variance of the latent vectors."
    )
    frame = answer_frame(labels, {"x": places[:, 0], "y": places[:, 1], "reconstruction_error": points.scores})
    shown = Points(**(vars(points) | {"places": places, "about": about}))
    return LatentMap(frame, method, explained, shown)


def points_of(prepared: Prepared, windows: np.ndarray, scores: np.ndarray) -> Points:
    """Windows of the test part, each with its reconstruction error, for a map."""
    these = prepared.windows["test"]
    starts, steps = these.starts(windows), these.shape.input_steps
    table = prepared.table
    first, last = (_places(prepared, rows) for rows in (starts, starts + steps - 1))
    # Only the rows that a window has, which lie together.
    low, high = int(starts.min()), int(starts.max()) + steps
    targets = [table.columns.index(name) for name in prepared.columns.targets]
    return Points(
        places=np.zeros((len(windows), 2)),
        scores=scores,
        series=table.series,
        of=prepared.series_of("test", windows),
        first=first,
        last=last,
        starts=starts - low,
        lengths=np.full(len(windows), steps),
        values=table.values[low:high][:, targets],
        columns=prepared.columns.targets,
        units=prepared.data.units,
    )


def nearest_windows(
    prepared: Prepared,
    latent: np.ndarray,
    *,
    at: str | int | pd.Timestamp,
    series: str | Sequence[str] | None,
    k: int,
    overlapping: bool,
) -> pd.DataFrame:
    """The windows of the test part most like the one that holds a time; see `AutoencodeBundle.neighbours`."""
    require_count(k)
    windows = prepared.windows["test"]
    starts, of, steps = windows.starts(), prepared.series_of("test"), windows.shape.input_steps
    number = series_named(prepared.table.series, series)
    row = _row_at(prepared, number, at)
    holding = np.flatnonzero((of == number) & (starts <= row) & (row < starts + steps))
    if not holding.size:
        said = "lies in no window: too close to a gap or an end of the rows, or between two windows of this stride"
        raise ArgumentError(f"at={at} {said}. Take another time, or stride=1 (--stride 1)", code="no_such_window")
    given = int(holding[np.abs(starts[holding] + (steps - 1) / 2 - row).argmin()])
    spans = None if overlapping else np.column_stack([starts, starts + steps])
    found, distance = nearest(latent, given, k, rows=spans, series=of)
    labels, own = window_labels(prepared, found), window_labels(prepared, np.array([given])).iloc[0]
    held = " to ".join(str(cell) for cell in own.iloc[-2:])
    return neighbours_frame(labels, distance, k, f"the window that holds {at} is {held}", prepared.notes)


def neighbours_frame(
    labels: pd.DataFrame, distance: np.ndarray, k: int, given: str, notes: Sequence[str]
) -> pd.DataFrame:
    """The answer: `neighbour` (from 1, the nearest), what names it, `distance`."""
    rank = {"neighbour": np.arange(1, len(distance) + 1)}
    frame = answer_frame(labels, rank, {"distance": distance}, order=(1, 0, 2))
    renamed = frame.attrs.pop("renamed")
    fewer = [f"only {len(distance)} of {k} neighbours are there"] if len(distance) < k else []
    frame.attrs = {"notes": [*notes, given, *fewer, *renamed]}
    return frame


def require_count(k: int) -> None:
    """Raises `ArgumentError` for a number of neighbours that is none."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ArgumentError(f"k must be a whole number of at least 1. Received: k={k!r}", code="invalid_argument")


def series_named(names: Sequence[str], wanted: str | Sequence[str] | None) -> int:
    """Position of a series; several columns name it by a list, or as `a/b`.

    Raises:
        ArgumentError: There is none of that name, or none is named of several.
    """
    some = ", ".join(names[:_NAMED]) + ("" if len(names) <= _NAMED else f" and {len(names) - _NAMED} others")
    if wanted is None:
        if len(names) == 1:
            return 0
        said = f"the rows have {len(names)} series: {some}. Say which one: series=... (--series)"
        raise ArgumentError(said, code="series_not_named")
    name = str(wanted) if isinstance(wanted, str) or not isinstance(wanted, Sequence) else joined_name(list(wanted))
    if name not in names:
        told = f"Its series: {some}" if any(names) else "They have no series; leave it out"
        raise ArgumentError(
            f"the rows have no series of that name. {told}. Received: series={name}", code="no_such_series"
        )
    return list(names).index(name)


def _row_at(prepared: Prepared, series: int, at: str | int | pd.Timestamp) -> int:
    """The row of a series at a time, or the one that a time between two rows belongs to; or its number, counted from 1."""
    table = prepared.table
    first, end = int(table.bounds[series]), int(table.bounds[series + 1])
    first += 0 if table.pads is None else int(table.pads[series])
    if table.times is None:
        if not re.fullmatch(r"\d+", str(at)) or not 1 <= int(str(at)) <= end - first:
            said = f"these rows have no time: at is the number of a row, 1 to {end - first}. Received: at={at}"
            raise ArgumentError(said, code="no_such_time")
        return first + int(str(at)) - 1
    written, trained = style_of(prepared.data), prepared.scaler.times
    # A time as the answers have it is understood whatever the rows' own form; one without a zone is on the clock of the data.
    iso = not isinstance(at, str) or re.match(r"\d{4}-\d\d-\d\d", at)
    zone = written.reads_as or (trained.zone if trained else "") or None
    style = TimeStyle(format=None if iso else written.format, reads_as=zone)
    when = read_times(pd.Series([at]), "at", "at", style=style, trained=trained)[0][0]
    times = table.times[first:end]
    if not times[0] <= when <= times[-1]:
        said = f"the rows of the series are from {times[0]} to {times[-1]}. Received: at={when}"
        raise ArgumentError(said, code="no_such_time")
    row = first + int(times.searchsorted(when, side="right")) - 1
    if when != table.times[row] and row + 1 in prepared.segments[:, 0]:
        said = f"at lies in a gap of the rows, from {table.times[row]} to {table.times[row + 1]}. Received: at={when}"
        raise ArgumentError(said, code="no_such_time")
    return row


def _places(prepared: Prepared, rows: np.ndarray) -> np.ndarray:
    """Times on the clock of the data without a zone, or numbers of rows in their series."""
    times, table = prepared.table.times, prepared.table
    if times is not None:
        return np.asarray(times[rows].tz_localize(None).to_numpy())
    series = np.searchsorted(table.bounds, rows, side="right") - 1
    pads = 0 if table.pads is None else table.pads[series]
    return np.asarray(rows - table.bounds[series] - pads + 1)
