"""Figures of runs on whole sequences: reconstructions beside the actual values, and the error by length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.evaluation.base import MODEL
from seq2seq_kit.reports.colours import MODEL_COLOUR, PAST_COLOUR, TRUTH_COLOUR, colours_of
from seq2seq_kit.reports.plots import new_figure, with_unit
from seq2seq_kit.tasks.whole.evaluation import SequenceEvaluation
from seq2seq_kit.text import for_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_COLUMNS = 40  # of a sequence in one picture
_FEW_COLUMNS = 4  # with more, fewer sequences are shown
_BINS = 8


def plot_sequences(
    names: Sequence[str],
    truth: Sequence[np.ndarray],
    rebuilt: Sequence[np.ndarray],
    columns: Sequence[str],
    *,
    units: Mapping[str, str] = MappingProxyType({}),
) -> Figure:
    """Sequences side by side: actual values (thin, dark) and the model's reconstruction, the columns one below the other.

    Args:
        names: Of the sequences.
        truth: `(steps, columns)` each.
        rebuilt: The same.
        columns: Their names; of more than 40 the first are shown, and the title says so.
        units: Their units, by name.
    """
    from matplotlib.figure import Figure

    shown = list(columns)[:_MOST_COLUMNS]
    names = names if len(shown) <= _FEW_COLUMNS else names[:3]
    across = min(len(names), 3)
    down = -(-len(names) // across)
    figure = Figure(figsize=(3.8 * across, 1.5 * down * len(shown) + 1.0), layout="constrained")
    grid = np.reshape(figure.subplots(down * len(shown), across, squeeze=False), (down, len(shown), across))
    for place in range(down * across):
        for k, column in enumerate(shown):
            axes = grid[place // across, k, place % across]
            if place >= len(names):
                axes.remove()
                continue
            steps = np.arange(1, len(truth[place]) + 1)
            axes.plot(steps, rebuilt[place][:, k], color=MODEL_COLOUR, lw=2, label="model")
            axes.plot(steps, truth[place][:, k], color=TRUTH_COLOUR, lw=1, marker=".", ms=2, label="actual")
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=7)
            axes.set_ylabel(for_figure(with_unit(column, units)), fontsize=8)
            if k == 0:
                axes.set_title(for_figure(f"{names[place]}, {len(steps)} steps"), fontsize=9)
    handles, labels = grid[0, 0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    left_out = f"; the first {len(shown)} of {len(columns)} columns" if len(shown) < len(columns) else ""
    figure.suptitle(f"Reconstructions of test sequences{left_out}")
    return figure


def plot_error_by_length(test: SequenceEvaluation) -> Figure:
    """Error of each test sequence against its length; lines are medians of neighbouring lengths, the best baseline's dashed."""
    figure, axes = new_figure(7, 4)
    axes.scatter(test.lengths, test.by_sequence[MODEL], s=8, color=PAST_COLOUR, label="one sequence")
    order = np.argsort(test.lengths, kind="stable")
    groups = [group for group in np.array_split(order, min(_BINS, len(order))) if group.size]
    middle = [float(np.median(test.lengths[group])) for group in groups]
    colours = colours_of(test.names)
    for name, style in ((MODEL, "-"), (test.best_baseline, "--")):
        medians = [float(np.nanmedian(test.by_sequence[name][group])) for group in groups]
        axes.plot(middle, medians, color=colours[name], ls=style, label=f"{name}, median")
    axes.set(title="Error by length, test sequences", xlabel="steps", ylabel="RMSE (scaled units)")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure
