"""Figures of a table before anything is trained: each column with its parts, gaps and odd cells; seasons; lagged correlation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.reports.colours import MODEL_COLOUR, PAST_COLOUR, TRUTH_COLOUR, colours_of
from seq2seq_kit.reports.plots import new_figure
from seq2seq_kit.text import for_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHADES = {"train": "#e8f1ec", "val": "#fdf0d2", "test": "#f8dfe2"}
_MOST_POINTS = 3_000  # of a line; of more, the smallest and the largest of neighbours
_MOST_MARKS = 2_000


@dataclass(frozen=True)
class Stretch:
    """One column of one series.

    Attributes:
        title: What it is called.
        column: With its unit, for the axis.
        places: Time or number of each row, `(rows,)`.
        values: In original units, NaN where missing, `(rows,)`.
        parts: First row and end of train, val and test.
        gaps: Rows before which time has a gap.
        far: Rows whose value lies far off.
    """

    title: str
    column: str
    places: np.ndarray
    values: np.ndarray
    parts: Mapping[str, tuple[int, int]]
    gaps: np.ndarray
    far: np.ndarray


def plot_stretch(shown: Stretch) -> Figure:
    """A column over time: parts shaded, gaps as lines, missing cells as ticks below, far values ringed."""
    figure, axes = new_figure(11, 3)
    places, values = shown.places, shown.values
    last = len(places) - 1
    for part, (first, end) in shown.parts.items():
        if end > first:
            axes.axvspan(places[first], places[min(end, last)], color=_SHADES[part], lw=0, label=part, zorder=0)
    for number, (first, end) in enumerate(_pieces(shown.gaps, len(values))):
        kept = first + _thinned(values[first:end])
        axes.plot(places[kept], values[kept], color=TRUTH_COLOUR, lw=0.8, label="" if number else "values")
    for number, row in enumerate(shown.gaps[:_MOST_MARKS]):
        axes.axvline(
            places[row], color=MODEL_COLOUR, lw=0.8, ls=":", label="" if number else f"{len(shown.gaps):,} gaps"
        )
    missing = np.flatnonzero(np.isnan(values))
    below = axes.get_xaxis_transform()
    if missing.size:
        some = missing[:: -(-len(missing) // _MOST_MARKS)]
        label = f"{len(missing):,} missing"
        axes.plot(places[some], np.full(len(some), 0.02), "|", color=MODEL_COLOUR, ms=8, transform=below, label=label)
    if shown.far.size:
        some, calm = shown.far[:_MOST_MARKS], np.delete(values, shown.far)
        low, high = float(np.nanmin(calm)), float(np.nanmax(calm))
        room = 0.15 * (high - low)
        # On an axis that held them nothing else could be seen; they stand at its edge.
        axes.set_ylim(low - room, high + room)
        label = f"{len(shown.far):,} far off, {values[some].min():.4g} to {values[some].max():.4g}"
        edge = np.clip(values[some], low - 0.8 * room, high + 0.8 * room)
        axes.plot(places[some], edge, "o", mfc="none", mec=MODEL_COLOUR, ms=7, label=label)
    axes.set_title(for_figure(shown.title), fontsize=10)
    axes.set_ylabel(for_figure(shown.column), fontsize=9)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def plot_seasons(values: np.ndarray, seasons: Mapping[str, int], *, title: str, most: int) -> Figure:
    """Autocorrelation of a column by lag and its spectrum by period, the seasons that were found marked.

    Args:
        values: Training rows, `(rows,)`; missing cells are interpolated here.
        seasons: Length of each in rows, by its name.
        title: What it is of.
        most: Largest lag.
    """
    from matplotlib.figure import Figure

    rows = filled(values)
    figure = Figure(figsize=(11, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(range(most + 1), lagged(rows, rows, most), color=TRUTH_COLOUR, lw=1)
    left.axhline(0, color=PAST_COLOUR, lw=0.6)
    left.set(title="Correlation with its own past", xlabel="rows back", ylim=(-1.05, 1.05))
    at = np.arange(len(rows))
    rest = rows - np.polyval(np.polyfit(at, rows, 1), at)
    power = np.abs(np.fft.rfft(rest * np.hanning(len(rows))))[2:] ** 2
    periods = len(rows) / np.arange(2, len(power) + 2)
    right.plot(periods, power / max(float(power.sum()), np.finfo(float).tiny), color=TRUTH_COLOUR, lw=0.8)
    right.set(title="Spectrum, the line taken out", xlabel="rows of a cycle", ylabel="share of the variance")
    right.set_xscale("log")
    for (name, steps), colour in zip(seasons.items(), colours_of(seasons).values(), strict=True):
        for axes in (left, right):
            axes.axvline(steps, color=colour, lw=1.2, ls="--", label=for_figure(f"{name or 'season'}: {steps} rows"))
    if seasons:
        right.legend(frameon=False, fontsize=8)
    figure.suptitle(for_figure(title), fontsize=10)
    return figure


def plot_lagged(curves: Mapping[str, np.ndarray], *, title: str) -> Figure:
    """Correlation of a target with each input so many rows before it; `curves` by the input's name, from 0 rows on."""
    figure, axes = new_figure(9, 3.4)
    for (name, curve), colour in zip(curves.items(), colours_of(curves).values(), strict=True):
        axes.plot(range(len(curve)), curve, color=colour, lw=1.2, label=for_figure(name, most=40))
    axes.axhline(0, color=PAST_COLOUR, lw=0.6)
    axes.set(title=for_figure(title), xlabel="rows before the target", ylabel="correlation", ylim=(-1.05, 1.05))
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def lagged(inputs: np.ndarray, target: np.ndarray, most: int) -> np.ndarray:
    """Correlation of a target with inputs 0 to `most` rows before it, `(most + 1,)`; 0 where one of them does not move."""
    found = np.zeros(most + 1)
    for lag in range(most + 1):
        early, late = inputs[: len(inputs) - lag], target[lag:]
        if len(early) > 2 and np.std(early) > 0 and np.std(late) > 0:
            found[lag] = np.corrcoef(early, late)[0, 1]
    return found


def filled(values: np.ndarray) -> np.ndarray:
    """A column with its missing cells interpolated; zeros where none is known."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    return np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])


def _pieces(gaps: Sequence[int] | np.ndarray, rows: int) -> list[tuple[int, int]]:
    edges = [0, *(int(row) for row in gaps), rows]
    return [(first, end) for first, end in pairwise(edges) if end > first]


def _thinned(values: np.ndarray) -> np.ndarray:
    """Rows that draw the same line: of each bin the smallest and the largest value."""
    if len(values) <= _MOST_POINTS:
        return np.arange(len(values))
    width = -(-len(values) // (_MOST_POINTS // 2))
    kept = []
    for first in range(0, len(values), width):
        piece = values[first : first + width]
        if np.isfinite(piece).any():
            kept += sorted({first + int(np.nanargmin(piece)), first + int(np.nanargmax(piece))})
        else:
            kept.append(first)
    return np.array(kept)
