"""The history of a sweep and the importance of its hyperparameters: as interactive pages, and as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.reports.colours import MODEL_COLOUR, PAST_COLOUR, TRUTH_COLOUR
from seq2seq_kit.reports.notes import count_of, figure
from seq2seq_kit.sweeps.report.importance import Importances
from seq2seq_kit.sweeps.trials import Direction, Trial, best_of, best_so_far, epoch_of, finished_of, ranked, text_of
from seq2seq_kit.text import for_figure, for_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as Page

_FEW = 12  # trials; a tick for each
_REACH = 4
# How an outlier is drawn, in plotly and in matplotlib: an arrow towards its score.
_ARROWS = {"min": ("triangle-up", "^"), "max": ("triangle-down", "v")}


def plot_overview(trials: Sequence[Trial], *, metric: str, direction: Direction, importances: Importances) -> Figure:
    """Every trial with the best so far and, where there are shares, what mattered beside it."""
    from matplotlib.figure import Figure

    shown = bool(importances.shares)
    drawing = Figure(figsize=(11 if shown else 7, 4), layout="constrained")
    panels = drawing.subplots(1, 2 if shown else 1, width_ratios=[3, 2] if shown else [1], squeeze=False)[0]
    _draw_history(panels[0], trials, metric, direction)
    if shown:
        _draw_bars(panels[1], importances)
    handles, labels = panels[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower left", ncols=4, frameon=False, fontsize=8)
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, lw=0.6)
        axes.set_axisbelow(True)
    return drawing


def history_page(trials: Sequence[Trial], metric: str, direction: Direction) -> Page:
    """Every finished trial, the best so far, the recipe's own level, and where trials failed."""
    import plotly.graph_objects as go

    page = go.Figure()
    done = finished_of(trials)
    limit = _limit(trials, direction)
    outliers = [trial.number for trial, score in done if _is_beyond(score, limit, direction)]
    page.add_scatter(
        x=[trial.number for trial, _ in done],
        y=[limit if trial.number in outliers else score for trial, score in done],
        mode="markers",
        name=_named_trials(outliers),
        marker={
            "color": PAST_COLOUR,
            "size": 9,
            "symbol": [_ARROWS[direction][0] if trial.number in outliers else "circle" for trial, _ in done],
        },
        text=[hover_text(trial, metric) for trial, _ in done],
        hoverinfo="text",
    )
    numbers, bests = zip(*best_so_far(trials, direction), strict=True)
    page.add_scatter(
        x=numbers,
        y=bests,
        mode="lines",
        name="best so far",
        line={"color": MODEL_COLOUR, "shape": "hv", "width": 2.5},
        hoverinfo="skip",
    )
    own = _own_score(trials)
    if own is not None:
        page.add_scatter(
            x=[numbers[0], max(numbers[-1], numbers[0] + 1)],
            y=[own, own],
            mode="lines",
            name=f"the recipe as it stands: {figure(own)}",
            line={"color": TRUTH_COLOUR, "dash": "dash", "width": 1},
            hoverinfo="skip",
        )
    failed = [trial for trial in trials if trial.state == "failed"]
    if failed:
        # On an axis of its own from 0 to 1: right above the frame, whatever the scores are.
        page.add_scatter(
            x=[trial.number for trial in failed],
            y=[0.015] * len(failed),
            yaxis="y2",
            mode="markers",
            name="failed",
            cliponaxis=False,
            marker={"symbol": "x", "size": 10, "color": TRUTH_COLOUR},
            text=[hover_text(trial, metric) for trial in failed],
            hoverinfo="text",
        )
    best = best_of(trials, direction)
    page.update_layout(
        title=f"Best so far: {metric} {figure(bests[-1])}, trial {best.number if best else ''}",
        template="plotly_white",
        hovermode="closest",
        xaxis={"title": "trial", "zeroline": False, "dtick": 1 if numbers[-1] <= _FEW else None},
        yaxis={"title": metric},
        yaxis2={"overlaying": "y", "range": [0, 1], "visible": False},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    return page


def importance_page(importances: Importances) -> Page:
    """The share of each key, the largest on top, with its spread."""
    import plotly.graph_objects as go

    keys, shares, less, more = _bar_lengths(importances)
    page = go.Figure(
        go.Bar(
            x=shares,
            y=[for_page(key) for key in keys],
            orientation="h",
            marker_color=MODEL_COLOUR,
            error_x={"array": more, "arrayminus": less, "symmetric": False, "color": TRUTH_COLOUR, "thickness": 1},
            hovertemplate="%{y}: %{x:.0f} %<extra></extra>",
        )
    )
    page.update_layout(
        title=f"What mattered<br><sup>{_trust(importances)}</sup>",
        template="plotly_white",
        xaxis={"title": "share of what a forest knows about the objective, %", "rangemode": "tozero"},
        yaxis={"automargin": True, "ticksuffix": "  "},
        height=max(360, 46 * len(keys) + 200),
    )
    return page


def hover_text(trial: Trial, metric: str) -> str:
    """The text at the pointer: the trial with all its values."""
    spread = f" ± {figure(trial.spread)}" if trial.spread is not None else ""
    score = f"{metric} {figure(trial.score)}{spread}" if trial.score is not None else trial.reason or trial.state
    epoch = [f"best epoch {epoch_of(trial)}"] if trial.best_epoch else []
    values = [f"{key}: {text_of(value)}" for key, value in trial.values.items()]
    own = ", the recipe as it stands" if trial.number == 1 else ""
    return "<br>".join([f"<b>trial {trial.number}</b>{own}", for_page(score), *epoch, *map(for_page, values)])


def _draw_history(axes: Axes, trials: Sequence[Trial], metric: str, direction: Direction) -> None:
    from matplotlib.ticker import MaxNLocator

    limit = _limit(trials, direction)
    outliers = [trial.number for trial, score in finished_of(trials) if _is_beyond(score, limit, direction)]
    done = [(trial.number, score) for trial, score in finished_of(trials) if trial.number not in outliers]
    axes.plot(*zip(*done, strict=True), "o", color=PAST_COLOUR, ms=4, label=_named_trials(outliers))
    if limit is not None:
        axes.plot(outliers, [limit] * len(outliers), _ARROWS[direction][1], color=PAST_COLOUR, ms=5)
    numbers, bests = zip(*best_so_far(trials, direction), strict=True)
    axes.step(numbers, bests, where="post", color=MODEL_COLOUR, lw=2, label="best so far")
    own = _own_score(trials)
    if own is not None:
        axes.axhline(own, color=TRUTH_COLOUR, lw=0.8, ls="--", label=f"the recipe as it stands: {figure(own)}")
    failed = [trial.number for trial in trials if trial.state == "failed"]
    if failed:
        bottom = axes.get_xaxis_transform()
        axes.plot(
            failed, [0] * len(failed), "x", color=TRUTH_COLOUR, ms=6, transform=bottom, clip_on=False, label="failed"
        )
    best = best_of(trials, direction)
    axes.set(title=f"Best: {metric} {figure(bests[-1])}, trial {best.number if best else ''}", xlabel="trial")
    axes.set_ylabel(metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_bars(axes: Axes, importances: Importances) -> None:
    keys, *lengths = _bar_lengths(importances)
    shares, less, more = (column[-8:] for column in lengths)
    axes.barh(
        [for_figure(key) for key in keys[-8:]],
        shares,
        xerr=[less, more],
        color=MODEL_COLOUR,
        error_kw={"lw": 1, "capsize": 2},
    )
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xlim(left=0)
    axes.set(title=f"What mattered, %\n{_trust(importances)}")
    axes.title.set_fontsize(8)


def _limit(trials: Sequence[Trial], direction: Direction) -> float | None:
    """The worst score that is drawn at its own height; None if all are.

    Four times as far from the best one as the median is: outliers would press all other trials into a line.
    """
    scores = [trial.score for trial in ranked(trials, direction) if trial.score is not None]
    limit = scores[0] + _REACH * (float(np.median(scores)) - scores[0])
    own = _own_score(trials)
    worst = scores[-1]
    if own is not None and _is_beyond(own, limit, direction):
        limit = own
    return limit if limit != scores[0] and _is_beyond(worst, limit, direction) else None


def _is_beyond(score: float, limit: float | None, direction: Direction) -> bool:
    return limit is not None and (score > limit if direction == "min" else score < limit)


def _named_trials(outliers: Sequence[int]) -> str:
    return f"trials ({len(outliers)} far beyond, at the edge)" if outliers else "trials"


def _bar_lengths(importances: Importances) -> tuple[list[str], list[float], list[float], list[float]]:
    """Keys from the bottom to the top, their shares in per cent, and the length of the error bars to both sides."""
    keys = [*importances.shares][::-1]
    shares = [100 * importances.shares[key] for key in keys]
    more = [100 * importances.spreads[key] for key in keys]
    # A share is at least 0.
    less = [min(pair) for pair in zip(shares, more, strict=True)]
    return keys, shares, less, more


def _trust(importances: Importances) -> str:
    assert importances.r2 is not None
    return f"a forest on {count_of(importances.finished, 'finished trial')}; R2 {importances.r2:.2f} on unseen ones"


def _own_score(trials: Sequence[Trial]) -> float | None:
    """The score of the recipe as it stands."""
    return next((trial.score for trial in trials if trial.number == 1), None)
