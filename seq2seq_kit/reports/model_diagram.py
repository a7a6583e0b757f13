"""The layers of a model as boxes and arrows, inputs on top, each layer right above the first one that takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from seq2seq_kit.reports.colours import PAST_COLOUR, TRUTH_COLOUR

if TYPE_CHECKING:
    import keras
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LANE = 5.4  # from the middle of one column of boxes to the next
_HALF_BOX, _HALF_HEIGHT = 1.6, 0.3
_STEP_ASIDE = 0.18  # between the lines that go past a column


def plot_model(model: keras.Model) -> Figure:
    """Every layer with its output shape and parameter count, and every tensor from the layer that gives it to those that take it.

    A line that skips layers passes them: on the left within a column, between the columns otherwise. Layers that only concatenate
    the states of a bidirectional encoder are drawn as part of the line to the decoder.
    """
    from matplotlib.figure import Figure

    givers = _givers(model)
    rows = _rows(givers)
    lanes = _lanes(givers, rows)
    wide, high = max(lanes.values()) + 1, max(rows.values()) + 1
    figure = Figure(figsize=(1.2 + 3.9 * wide, 0.72 * high + 0.8), layout="constrained")
    axes = figure.subplots()
    axes.set(
        xlim=(-3.2, _LANE * (wide - 1) + 2.4),
        ylim=(-0.6, high - 0.4),
        title=f"{model.name}: {model.count_params():,} parameters",
    )
    axes.axis("off")
    past = 0
    for name, own in givers.items():
        layer, x, y = model.get_layer(name), lanes[name] * _LANE, rows[name]
        _draw_layer(axes, layer, x, y)
        for giver in own:
            start, above = lanes[giver] * _LANE, rows[giver]
            if above == y + 1:
                _draw_arrow(axes, (start, above - _HALF_HEIGHT), (x, y + _HALF_HEIGHT))
                continue
            past += 1
            aside = _STEP_ASIDE * (past % 4)
            if start == x:
                _draw_past(axes, (x - _HALF_BOX, above), (x - _HALF_BOX, y), x - _HALF_BOX - 0.2 - aside)
            else:
                side = 1 if start > x else -1
                _draw_past(
                    axes,
                    (start - side * _HALF_BOX, above),
                    (x + side * _HALF_BOX, y),
                    x + side * (_HALF_BOX + 0.2 + aside),
                )
    return figure


def _givers(model: keras.Model) -> dict[str, list[str]]:
    """The layers whose outputs a layer takes, the first of them first; from the inputs to the output."""
    # By identity of the tensors; masks come from operations that are not layers.
    known = {id(tensor): layer.name for layer in model.layers for tensor in _listed(layer.output)}
    taken = {
        layer.name: [
            known[id(tensor)] for tensor in _listed(layer.input) if known.get(id(tensor), layer.name) != layer.name
        ]
        for layer in model.layers
    }
    joined = {name: own for name, own in taken.items() if "_state_" in name}
    return {
        name: list(dict.fromkeys(giver for each in own for giver in joined.get(each, [each])))
        for name, own in taken.items()
        if name not in joined
    }


def _listed(tensors: object) -> Sequence[keras.KerasTensor]:
    return tensors if isinstance(tensors, list | tuple) else [tensors]


def _rows(givers: Mapping[str, list[str]]) -> dict[str, int]:
    """Height of each layer: above everything that takes it, as low as that allows; the output is at 0."""
    rows = dict.fromkeys(givers, 0)
    for _ in givers:  # as many rounds as the longest path can have layers
        before = dict(rows)
        for name, own in givers.items():
            for giver in own:
                rows[giver] = max(rows[giver], rows[name] + 1)
        if rows == before:
            break
    return rows


def _lanes(givers: Mapping[str, list[str]], rows: Mapping[str, int]) -> dict[str, int]:
    """Column of each layer: a layer's first input is drawn above it where there is room, the others further to the right."""
    lanes: dict[str, int] = {}
    taken: set[tuple[int, int]] = set()
    for name in sorted(givers, key=lambda name: rows[name]):
        wanted = next((lanes[taker] for taker in lanes if name in givers[taker][:1]), None)
        if wanted is None:
            wanted = min((lanes[taker] + 1 for taker in lanes if name in givers[taker]), default=0)
        while (rows[name], wanted) in taken:
            wanted += 1
        taken.add((rows[name], wanted))
        lanes[name] = wanted
    return lanes


def _draw_layer(axes: Axes, layer: keras.Layer, x: float, y: float) -> None:
    box = {"boxstyle": "round,pad=0.35", "fc": "#f3f5f7", "ec": PAST_COLOUR}
    parameters = layer.count_params()
    count = f"   {parameters:,} parameters" if parameters else ""
    output = _listed(layer.output)[0]
    shape = ", ".join(
        "batch" if place == 0 else "any" if size is None else str(size) for place, size in enumerate(output.shape)
    )
    text = f"{layer.name}   {type(layer).__name__}\n({shape}){count}"
    axes.text(x, y, text, ha="center", va="center", fontsize=9, bbox=box)


def _draw_past(axes: Axes, start: tuple[float, float], end: tuple[float, float], x: float) -> None:
    """From one box sideways to a free line, down it, and to the other box."""
    axes.plot([start[0], x, x, end[0]], [start[1], start[1], end[1], end[1]], color=TRUTH_COLOUR, lw=0.8, zorder=0)
    inwards = 0.2 if end[0] > x else -0.2
    _draw_arrow(axes, (end[0] - inwards, end[1]), (end[0] + inwards, end[1]))


def _draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "->", "color": TRUTH_COLOUR, "lw": 0.8})
