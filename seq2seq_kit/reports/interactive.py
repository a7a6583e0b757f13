"""Forecasts as an interactive page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.reports.colours import MODEL_COLOUR, PAST_COLOUR, TRUTH_COLOUR, colours_of
from seq2seq_kit.reports.plots import ACTUAL, Examples
from seq2seq_kit.text import for_page

if TYPE_CHECKING:
    import plotly.graph_objects as go

_BAND = "rgba({}, {}, {}, 0.18)".format(*bytes.fromhex(MODEL_COLOUR.removeprefix("#")))


def write_interactive(examples: Examples, path: Path, *, title: str) -> None:
    """An interactive page that needs no network: the slider chooses a window, the legend forecasters."""
    import plotly.graph_objects as go

    series = [(ACTUAL, TRUTH_COLOUR), *colours_of(examples.predictions).items()]
    figure = go.Figure()
    levels = examples.banded.levels if examples.banded else ()
    per_window = (len(series) + 1 + 2 * len(levels)) * len(examples.targets)
    for window in range(len(examples.labels)):
        for k, target in enumerate(examples.targets):
            suffix = f" {for_page(examples.titled(target))}" if len(examples.targets) > 1 else ""
            past = {"x": examples.past_x[window], "y": examples.past[window, :, k]}
            figure.add_scatter(**past, name=f"inputs{suffix}", line={"color": PAST_COLOUR}, visible=window == 0)
            for level in reversed(levels):
                _add_band(figure, examples, (window, k), level, suffix)
            for name, colour in series:
                values = examples.truth if name == ACTUAL else examples.predictions[name]
                dash = "solid" if name in (ACTUAL, MODEL) else "dot"
                figure.add_scatter(
                    x=examples.ahead_x[window],
                    y=values[window, :, k],
                    name=f"{name}{suffix}",
                    mode="lines+markers",
                    line={"color": colour, "dash": dash},
                    visible=window == 0,
                )
    total = per_window * len(examples.labels)
    steps: list[dict[str, object]] = []
    for window, label in enumerate(examples.labels):
        visible = [position // per_window == window for position in range(total)]
        steps.append({"method": "update", "label": for_page(label), "args": [{"visible": visible}]})
    figure.update_layout(
        title=for_page(title),
        template="plotly_white",
        hovermode="x unified",
        sliders=[{"steps": steps, "currentvalue": {"prefix": "window from "}, "pad": {"t": 50}}],
        yaxis_title=for_page(examples.titled(examples.targets[0])) if len(examples.targets) == 1 else None,
    )
    figure.write_html(path, include_plotlyjs=True)


def _add_band(figure: go.Figure, examples: Examples, place: tuple[int, int], level: float, suffix: str) -> None:
    """The interval of a level of one window and target: its lower end, and its upper one with the area between."""
    assert examples.banded is not None
    window, k = place
    shared = {"x": examples.ahead_x[window], "mode": "lines", "line": {"width": 0}, "visible": window == 0}
    shared |= {"legendgroup": f"{level:g}{suffix}", "name": f"{level:g} %{suffix}"}
    lower, upper = (end[window, :, k] for end in examples.banded.band(level))
    figure.add_scatter(**shared, y=lower, showlegend=False)
    figure.add_scatter(**shared, y=upper, fill="tonexty", fillcolor=_BAND)
