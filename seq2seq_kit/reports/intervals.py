"""The figure of intervals: what they hold at each step, and where the actual values fall among the quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.intervals.board import IntervalScores
from seq2seq_kit.reports.colours import MODEL_COLOUR, TRUTH_COLOUR, colours_of
from seq2seq_kit.text import for_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_intervals(scores: IntervalScores) -> Figure:
    """Coverage by step of the model and of the best baseline for each level, and the model's PIT histogram."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure = Figure(figsize=(11, 4), layout="constrained")
    coverage, pit = figure.subplots(1, 2, width_ratios=(3, 2))
    names = [name for name in (next(iter(scores.sums)), scores.best_baseline) if name is not None]
    colours, steps = colours_of(names), np.arange(1, next(iter(scores.sums.values())).shape[1] + 1)
    for level in scores.levels:
        coverage.axhline(level / 100, color=TRUTH_COLOUR, lw=0.8, ls=":")
        for place, name in enumerate(names):
            held = scores.coverage_by_step(name, level)
            style = {"color": colours[name], "lw": 1.2 if place else 2, "marker": "o", "ms": 3}
            coverage.plot(steps, held, **style, label=for_figure(name) if level == scores.levels[0] else None)
        at = coverage.get_yaxis_transform()
        coverage.text(1.01, level / 100, f"{level:g} %", transform=at, fontsize=8, va="center")
    coverage.set(title=f"Actual values inside the intervals, {scores.part} windows", xlabel="output step")
    coverage.xaxis.set_major_locator(MaxNLocator(integer=True))
    coverage.yaxis.set_major_formatter(PercentFormatter(1.0))
    coverage.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
    model = scores.sums[names[0]]
    edges = np.array([0.0, *model.probabilities, 1.0])
    pit.bar(edges[:-1], model.pit(), np.diff(edges), align="edge", color=MODEL_COLOUR, alpha=0.5, edgecolor="white")
    pit.axhline(1, color=TRUTH_COLOUR, lw=0.8, ls=":")
    pit.set(
        title="Where the actual values fall (PIT)", xlabel="probability", ylabel="share / expected share", xlim=(0, 1)
    )
    for axes in (coverage, pit):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, lw=0.6)
    return figure
