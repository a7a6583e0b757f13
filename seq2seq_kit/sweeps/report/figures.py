"""Figures of a sweep: history, parallel coordinates, pairs of keys, importance. Pages that need no network."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.reports.colours import PAST_COLOUR, TRUTH_COLOUR
from seq2seq_kit.reports.notes import count_of, figure
from seq2seq_kit.reports.plots import save
from seq2seq_kit.sweeps.report.axes import Axis, axis_of, score_axis
from seq2seq_kit.sweeps.report.importance import Importances
from seq2seq_kit.sweeps.report.overview import history_page, hover_text, importance_page, plot_overview
from seq2seq_kit.sweeps.trials import Direction, Trial, best_of, ranked, short_keys
from seq2seq_kit.text import for_page

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as Page

    from seq2seq_kit.recipe.sweep import Knob

_MANY = 150  # trials; smaller points for more
_MOST_PAIRED = 6  # keys; more panels than 15 are too small to read
# Dark is good, whatever the direction; the light end is still seen on white.
_SCALE = ((0.0, "#3b0f4d"), (0.25, "#a02c5a"), (0.5, "#e0644b"), (0.75, "#f2b56b"), (1.0, "#dfe3d0"))
_PAGE = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Sweep: {title}</title></head>\n'
    '<body style="margin: 0">{body}</body></html>\n'
)


def write_figures(
    trials: Sequence[Trial],
    knobs: Sequence[Knob],
    *,
    metric: str,
    direction: Direction,
    folder: Path,
    importances: Importances,
) -> None:
    """Writes the figures of a sweep: interactive pages and one picture.

    `parallel_coordinates.html`, `pairs.html`, `best_so_far.html`, `overview.png`, and `importance.html` if there are shares.
    Each page holds plotly itself (about 5 MB), so it opens without network and inside MLflow. Parallel coordinates are
    drawn by WebGL, which a browser may lack; the other pages are not.

    Args:
        trials: In any order. Without a finished one, nothing is written.
        knobs: The space.
        metric: Name of the objective, `val_loss`.
        direction: `min` or `max`.
        folder: Made if it is missing; files of an earlier call are replaced.
        importances: Of the same trials.
    """
    if best_of(trials, direction) is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    pages = {
        "parallel_coordinates": parallel_page(trials, knobs, metric, direction),
        "pairs": pairs_page(trials, knobs, metric, direction, importances),
        "best_so_far": history_page(trials, metric, direction),
    }
    if importances.shares:
        pages["importance"] = importance_page(importances)
    for name, page in pages.items():
        # As high as the window, without the margin that would give the page a scroll bar.
        body = page.to_html(
            full_html=False,
            include_plotlyjs=True,
            config={"displaylogo": False, "responsive": True},
            div_id=f"sweep_{name}",
            default_height=f"{page.layout.height}px" if page.layout.height else "100vh",
        )
        text = _PAGE.format(title=name.replace("_", " "), body=body)
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    save({"overview": plot_overview(trials, metric=metric, direction=direction, importances=importances)}, folder)


def parallel_page(trials: Sequence[Trial], knobs: Sequence[Knob], metric: str, direction: Direction) -> Page:
    """One line for each finished trial over one axis for each key and the objective."""
    import plotly.graph_objects as go

    # Lines are drawn in this order: the best one comes last, on top.
    rows = ranked(trials, direction)[::-1]
    score = score_axis([trial.score for trial in rows if trial.score is not None], metric)
    titles = short_keys([knob.key for knob in knobs])
    axes = [*(axis_of(knob, rows, titles[knob.key]) for knob in knobs), score]
    crowded = len(axes) > 8
    page = go.Figure(
        go.Parcoords(
            dimensions=[_dimension(axis, 0.618034 * (at + 1), crowded=crowded) for at, axis in enumerate(axes)],
            line=_colours(rows, metric),
            labelfont={"size": 13},
            tickfont={"size": 12},
            labelangle=-20 if crowded else 0,
            labelside="top",
        )
    )
    page.update_layout(
        title=f"{count_of(len(rows), 'finished trial')}, dark is better; drag along an axis to pick a range",
        template="plotly_white",
        margin={"l": 90, "r": 110, "t": 150 if crowded else 110, "b": 40},
    )
    return page


def _dimension(axis: Axis, phase: float, *, crowded: bool) -> dict[str, object]:
    labels = [_cut(label, 12) for label in axis.labels] if crowded else axis.labels
    return {
        "label": for_page(axis.title),
        "values": axis.jittered(phase),
        "range": axis.span,
        "tickvals": axis.ticks,
        "ticktext": [for_page(label) for label in labels],
    }


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _colours(rows: Sequence[Trial], metric: str, *, short: bool = False) -> dict[str, object]:
    """Colours of trials in order from the worst to the best one, evenly by rank, so that outliers change nothing.

    Equal scores have equal colours; the colour bar, which may be `short`, shows the scores.
    """
    scores = [trial.score for trial in rows[::-1] if trial.score is not None]
    marked = sorted({round(at) for at in np.linspace(0, len(scores) - 1, 5)})
    return {
        "color": np.array([scores.index(score) for score in scores[::-1]], float),
        "colorscale": [list(stop) for stop in _SCALE],
        "cmin": 0,
        "cmax": max(len(scores) - 1, 1),
        "showscale": True,
        "colorbar": {
            "title": metric,
            "tickvals": marked,
            "ticktext": [figure(scores[at]) for at in marked],
            "thickness": 14,
            **({"len": 0.5, "y": 1, "yanchor": "top"} if short else {}),
        },
    }


def pairs_page(
    trials: Sequence[Trial], knobs: Sequence[Knob], metric: str, direction: Direction, importances: Importances
) -> Page:
    """A panel for each pair of keys, each trial a point; with one key, its panel against the objective."""
    from plotly.subplots import make_subplots

    order = [*importances.shares, *(knob.key for knob in knobs if knob.key not in importances.shares)]
    shown = sorted(knobs, key=lambda knob: order.index(knob.key))[:_MOST_PAIRED]
    done = ranked(trials, direction)[::-1]  # the best ones come last, on top
    failed = sorted((trial for trial in trials if trial.state == "failed"), key=lambda trial: trial.number)
    titles = short_keys([knob.key for knob in knobs])
    axes = [axis_of(knob, [*done, *failed], titles[knob.key]) for knob in shown]
    if len(axes) == 1:
        score = score_axis([trial.score for trial in done if trial.score is not None], metric)
        failed, axes = [], [axis_of(shown[0], done, titles[shown[0].key]), score]
    size = len(axes) - 1
    page = make_subplots(
        rows=size, cols=size, shared_xaxes=True, shared_yaxes=True, horizontal_spacing=0.02, vertical_spacing=0.03
    )
    best = best_of(trials, direction)
    for (column, across), (row, up) in itertools.combinations(enumerate(axes), 2):
        place = {"row": row, "col": column + 1}
        x, y = across.jittered(0.618034), up.jittered(0.754878)
        colours = _colours(done, metric, short=True) | {"showscale": row == 1}
        wins = [trial is best for trial in done]
        marker = {
            "size": np.where(wins, 15, 9 if len(done) <= _MANY else 6),
            "symbol": np.where(wins, "star", "circle"),
            "line": {"width": 0.6, "color": TRUTH_COLOUR},
            "opacity": 0.9,
        }
        hover = {"hoverinfo": "text", "showlegend": False, "mode": "markers"}
        page.add_scatter(
            x=x[: len(done)],
            y=y[: len(done)],
            marker=marker | colours,
            text=[hover_text(trial, metric) for trial in done],
            **hover,
            **place,
        )
        if failed:
            page.add_scatter(
                x=x[len(done) :],
                y=y[len(done) :],
                marker={"symbol": "x-thin", "size": 8, "line": {"width": 1.5, "color": PAST_COLOUR}},
                text=[hover_text(trial, metric) for trial in failed],
                **hover,
                **place,
            )
        page.update_xaxes(**_ruler(across, written=row == size), **place)
        page.update_yaxes(**_ruler(up, written=column == 0), **place)
    for row, column in itertools.product(range(1, size + 1), repeat=2):
        if column > row:
            page.update_xaxes(visible=False, row=row, col=column)
            page.update_yaxes(visible=False, row=row, col=column)
    most = f"{_MOST_PAIRED} most important" if importances.shares else f"first {_MOST_PAIRED}"
    some = f"the {most} of " if len(knobs) > _MOST_PAIRED else ""
    title = f"Pairs of {some}{len(knobs)} keys" if len(knobs) > 1 else f"{for_page(axes[0].title)} and {metric}"
    note = f"star: trial {best.number}, the best" if best else ""
    note += "; crosses: failed trials" if failed else ""
    note += "; equal values stand a little apart" if any(axis.jitter.any() for axis in axes) else ""
    page.update_layout(
        title=f"{title}, dark is better<br><sup>{note}</sup>",
        template="plotly_white",
        height=max(560, 150 * size + 160),
        margin={"l": 90, "r": 60, "t": 90, "b": 80},
    )
    return page


def _ruler(axis: Axis, *, written: bool) -> dict[str, object]:
    """An axis of a panel; its title and ticks only at the outer edge."""
    return {
        "range": axis.span,
        "tickvals": axis.ticks,
        "ticktext": [for_page(_cut(label, 14)) for label in axis.labels],
        "showticklabels": written,
        "title": {"text": for_page(axis.title) if written else "", "standoff": 8},
        "zeroline": False,
        "showline": True,
        "linecolor": PAST_COLOUR,
    }
