"""Figures of a backtest: the errors by origin and by step, and the forecasts themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

_FAR_ABOVE = 3  # times the error of the model and of the best baseline: what would flatten both
_MOST_SERIES = 4  # in the figure of forecasts
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
    """The forecasts of every origin beside the actual values, for up to four series, spread evenly."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(rows["unique_id"]))
    picked = [names[round(place)] for place in _evenly(len(names), _MOST_SERIES)]
    figure = Figure(figsize=(11, 2.6 * len(picked) + 0.8), layout="constrained")
    for axes, own in zip(figure.subplots(len(picked), 1, squeeze=False)[:, 0], picked, strict=True):
        these = rows[rows["unique_id"] == own]
        timed = pd.api.types.is_datetime64_any_dtype(these["ds"])
        at = pd.Series(pd.DatetimeIndex(these["ds"]).tz_localize(None), index=these.index) if timed else these["ds"]
        actual = these["y"].groupby(at).first()
        axes.plot(actual.index, actual.to_numpy(), color=TRUTH_COLOUR, lw=1, label="actual")
        for place, (_, one) in enumerate(these.groupby("origin")):
            label = MODEL if not place else None
            axes.plot(at[one.index], one[MODEL], color=MODEL_COLOUR, lw=1.4, marker=".", ms=3, label=label)
            bands = [column for column in map(str, one.columns) if column.startswith(f"{MODEL}-lo-")]
            for column in bands:
                upper = one[column.replace("-lo-", "-hi-")]
                axes.fill_between(at[one.index], one[column], upper, color=MODEL_COLOUR, alpha=0.15, lw=0)
        axes.set_title(for_figure(str(own)), fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, lw=0.6)
        if timed:
            _label_times(axes)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    more = f"; {len(picked)} of {len(names)} series" if len(picked) < len(names) else ""
    figure.suptitle(for_figure(f"Forecasts of every origin: {name}{more}", most=160))
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


def _label_times(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _evenly(count: int, most: int) -> list[float]:
    shown = min(count, most)
    return [place * (count - 1) / max(shown - 1, 1) for place in range(shown)]
