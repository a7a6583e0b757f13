"""The page of a latent space: a map of windows, and the window that is pointed at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from seq2seq_kit.reports.page import packed, program_page
from seq2seq_kit.reports.plots import with_unit
from seq2seq_kit.text import printable

MOST_POINTS = 3_000  # what a browser draws at once
_MOST_CELLS = 1_500_000
_MOST_COLUMNS = 8  # of a window, one below the other


@dataclass(frozen=True)
class Points:
    """Windows, or whole sequences, on a map.

    Attributes:
        places: On the map, `(windows, 2)`.
        scores: Their reconstruction errors, `(windows,)`.
        series: Names of the series; `[""]` for a single one.
        of: Series of each window, `(windows,)`.
        first, last: Times without a zone, or numbers of rows, of its first and last row, `(windows,)`.
        starts, lengths: Its rows in `values`, `(windows,)` each.
        values: Rows in original units, `(rows, columns)`.
        columns: Their names.
        units: By column.
        about: What the two axes are.
        named: What is mapped: `windows`.
    """

    places: np.ndarray
    scores: np.ndarray
    series: Sequence[str]
    of: np.ndarray
    first: np.ndarray
    last: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    values: np.ndarray
    columns: Sequence[str]
    units: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    named: str = "windows"


def latent_page(points: Points, *, title: str) -> str:
    """The page, which needs nothing else; of more than 3,000 windows it shows so many, spread evenly, and says so."""
    count, shown = len(points.places), _thinned(points)
    facts = [points.about]
    if len(shown.places) < count:
        facts.append(f"{len(shown.places):,} of {count:,} {points.named} are shown, spread evenly.")
    if len(points.columns) > _MOST_COLUMNS:
        facts.append(f"Of {len(points.columns)} columns the first {_MOST_COLUMNS} are drawn.")
    clock = np.issubdtype(points.first.dtype, np.datetime64)
    columns = list(points.columns)[:_MOST_COLUMNS]
    used = np.unique(shown.of)
    data = {
        "clock": bool(clock),
        "named": points.named,
        "facts": [printable(fact) for fact in facts if fact],
        "series": [printable(points.series[int(each)]) for each in used],
        "titled": [printable(with_unit(name, points.units)) for name in columns],
        "x": packed(shown.places[:, 0].astype(np.float64)),
        "y": packed(shown.places[:, 1].astype(np.float64)),
        "scores": packed(shown.scores.astype(np.float64)),
        "of": packed(np.searchsorted(used, shown.of).astype(np.int32)),
        "first": packed(_numbers(shown.first)),
        "last": packed(_numbers(shown.last)),
        "starts": packed(shown.starts.astype(np.int32)),
        "lengths": packed(shown.lengths.astype(np.int32)),
        "values": [packed(shown.values[:, place].astype(np.float32)) for place in range(len(columns))],
    }
    return program_page(title, "latent", data)


def _thinned(points: Points) -> Points:
    """Evenly spread windows, with their own rows only."""
    columns = min(max(len(points.columns), 1), _MOST_COLUMNS)
    cells = max(int(points.lengths.max(initial=1)), 1) * columns
    most = max(2, min(MOST_POINTS, _MOST_CELLS // cells))
    kept = np.unique(np.linspace(0, len(points.places) - 1, min(most, len(points.places))).astype(np.int64))
    starts, lengths = points.starts[kept], points.lengths[kept]
    needed = np.zeros(len(points.values) + 1, dtype=np.int64)
    np.add.at(needed, starts, 1)
    np.add.at(needed, starts + lengths, -1)
    rows = np.flatnonzero(np.cumsum(needed[:-1]) > 0)
    return replace(
        points,
        places=points.places[kept],
        scores=points.scores[kept],
        of=points.of[kept],
        first=points.first[kept],
        last=points.last[kept],
        starts=np.searchsorted(rows, starts),
        lengths=lengths,
        values=points.values[rows],
    )


def _numbers(places: np.ndarray) -> np.ndarray:
    """Milliseconds, or numbers of rows."""
    if np.issubdtype(places.dtype, np.datetime64):
        return np.asarray(places.astype("datetime64[us]").astype(np.int64) / 1000)
    return places.astype(np.float64)
