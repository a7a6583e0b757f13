"""Figures of a backtest: the errors by origin and by step, and the forecasts themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import pandas as pd

from seq2seq_kit.backtests.schedule import Schedule
from seq2seq_kit.backtests.scores import FROZEN, Scores
from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.reports.colours import MODEL_COLOUR, PAST_COLOUR, TRUTH_COLOUR, colours_of
from seq2seq_kit.reports.plots import new_figure
from seq2seq_kit.text import for_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

T = TypeVar("T")

_FAR_ABOVE = 3  # times the error of the model and of the best baseline: what would flatten both
_MOST_SERIES, _ACROSS = 4, 3  # in the figure of forecasts: series, and panels side by side
_MOST_MARKS = 40  # points that get a mark each


def draw(scores: Scores, schedule: Schedule, name: str) -> dict[str, Figure]:
    """The figures by their file names."""
    return {
        "by_origin": plot_by_origin(scores, schedule, name),
        "by_step": plot_by_step(scores, name),
        "forecasts": plot_forecasts(scores.rows, name),
    }


def plot_by_origin(scores: Scores, schedule: Schedule, name: str) -> Figure:
    """The error of each forecaster at each origin; dotted lines where the model was fitted again."""
    errors = scores.errors(["origin"]).drop(columns="cells")
    figure, axes = new_figure(9, 4)
    cutoffs = scores.rows.groupby("origin")["cutoff"]
    timed = bool((cutoffs.nunique() == 1).all()) and pd.api.types.is_datetime64_any_dtype(scores.rows["cutoff"])
    at = cutoffs.first().reindex(errors.index) if timed else pd.Series(errors.index, index=errors.index)
    if timed:
        at = pd.Series(pd.DatetimeIndex(at).tz_localize(None), index=at.index)
    _draw_errors(axes, errors, at)
    for origins in schedule.fits[1:]:
        if origins[0] in at.index:
            axes.axvline(at[origins[0]], color=PAST_COLOUR, lw=0.8, ls=":", zorder=1)
    axes.set(
        title=for_figure(f"Error by origin: {name}", most=110),
        xlabel=("newest known row" if timed else "origin") + (", dotted: fitted again" if schedule.fits[1:] else ""),
        ylabel=_measured(scores),
    )
    if timed:
        _label_times(axes)
    else:
        _whole_numbers(axes)
    return figure


def plot_by_step(scores: Scores, name: str) -> Figure:
    """The error of each forecaster at each step of the forecasts, over all origins."""
    errors = scores.errors(["step"]).drop(columns="cells")
    figure, axes = new_figure(7, 4)
    _draw_errors(axes, errors, pd.Series(errors.index, index=errors.index))
    axes.set(title=for_figure(f"Error by output step: {name}", most=90), xlabel="output step", ylabel=_measured(scores))
    _whole_numbers(axes)
    return figure


def plot_forecasts(rows: pd.DataFrame, name: str) -> Figure:
    """The forecasts of a few origins, spread evenly, beside the actual values: six of one series, else three of up to four."""
    from matplotlib.figure import Figure

    names, origins = list(dict.fromkeys(rows["unique_id"])), sorted(rows["origin"].unique())
    picked = _evenly(names, _MOST_SERIES)
    shown = _evenly(origins, 6 if len(names) == 1 else _ACROSS)
    panels = [(own, origin) for own in picked for origin in shown]
    across = min(len(shown), _ACROSS)
    down = -(-len(panels) // across)
    figure = Figure(figsize=(11, 2.4 * down + 0.8), layout="constrained")
    for axes, (own, origin) in zip(figure.subplots(down, across, squeeze=False).ravel(), panels, strict=False):
        one = rows[(rows["unique_id"] == own) & (rows["origin"] == origin)]
        timed = pd.api.types.is_datetime64_any_dtype(one["ds"])
        at = pd.Series(pd.DatetimeIndex(one["ds"]).tz_localize(None), index=one.index) if timed else one["ds"]
        for column in [column for column in map(str, one.columns) if column.startswith(f"{MODEL}-lo-")]:
            upper = one[column.replace("-lo-", "-hi-")]
            axes.fill_between(at, one[column], upper, color=MODEL_COLOUR, alpha=0.15, lw=0)
        axes.plot(at, one["y"], color=TRUTH_COLOUR, lw=1.4, marker=".", label="actual")
        axes.plot(at, one[MODEL], color=MODEL_COLOUR, lw=2, label=MODEL)
        axes.set_title(for_figure(f"{own}, origin {origin}"), fontsize=9)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, lw=0.6)
        if timed:
            _label_times(axes, most=5)
        else:
            _whole_numbers(axes)
    for axes in figure.axes[len(panels) :]:
        axes.remove()
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    more = f"; {len(picked)} of {len(names)} series" if len(picked) < len(names) else ""
    some = f"{len(shown)} of {len(origins)} origins" if len(shown) < len(origins) else "Every origin"
    figure.suptitle(for_figure(f"{some}: {name}{more}", most=160))
    return figure


def _draw_errors(axes: Axes, errors: pd.DataFrame, at: pd.Series) -> None:
    """A line for each forecaster; one far above the model and the best baseline leaves the axis, and the legend says so."""
    names = [name for name in map(str, errors.columns) if errors[name].notna().any()]
    colours = colours_of([name.replace("_", " ") for name in names])
    peaks = {name: float(errors[name].max()) for name in names}
    peers = [name for name in names if name not in (MODEL, FROZEN)]
    means = dict(zip(names, errors[names].mean().to_numpy(), strict=True))
    best = min(peers, key=lambda name: means[name], default=MODEL)
    base = _FAR_ABOVE * max(peaks[name] for name in (MODEL, best))
    mark = "o" if len(errors) <= _MOST_MARKS else ""
    for name in names:
        shown = name.replace("_", " ")
        colour, style = (MODEL_COLOUR, "--") if name == FROZEN else (colours[shown], "-")
        label = shown if peaks[name] <= base else f"{shown}, up to {peaks[name]:.4g}"
        width = 2 if name == MODEL else 1.2
        axes.plot(at, errors[name], color=colour, ls=style, lw=width, marker=mark, ms=3, label=for_figure(label))
    if max(peaks.values()) > base:
        axes.set_ylim(0, 1.05 * max(peak for peak in peaks.values() if peak <= base))
    else:
        axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def _measured(scores: Scores) -> str:
    """`RMSE (load)`, or that errors are scaled."""
    return for_figure(scores.name() if scores.scaled else f"{scores.name()} ({scores.rows['target'].iloc[0]})")


def _label_times(axes: Axes, most: int = 8) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=2, maxticks=most)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _evenly(values: Sequence[T], most: int) -> list[T]:
    """At most so many of them, spread evenly."""
    shown = min(len(values), most)
    return [values[round(place * (len(values) - 1) / max(shown - 1, 1))] for place in range(shown)]
