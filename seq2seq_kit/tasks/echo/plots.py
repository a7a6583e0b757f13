"""Pictures that teach: recurrent layers unrolled over their steps, and the echo of a sequence.

A picture is told as data, `Unrolled`: what each step reads and writes, and where the state is passed on. docs/shapes.md shows
what `write_pictures` draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _ECHO, _PALE = "#1b1b1b", "#d1495b", "#9aa5b1"
_FILL = {"input": "#dceefb", "cell": "#f3f5f7", "head": "#fdf1d3", "output": "#f9dfe3"}
_ROWS = {"input": 0.0, "cell": 1.0, "head": 2.0, "output": 3.0}
_HALF = 0.3  # of a box's height, where its arrows end
_VALUES = ("0.0", "0.2", "0.4", "0.6", "0.8")
_VECTOR = "  ".join(_VALUES)
_DPI = 80


@dataclass(frozen=True)
class Unrolled:
    """A recurrent layer, a column for each step.

    Attributes:
        title: What it shows.
        inputs: What each step reads; None for nothing of its own.
        outputs: What each step writes; None for nothing.
        head: Json of the layer on top of each output.
        passed: Whether the state is passed on after each step but the last.
        shared: Json of one input that all steps read.
        fed_back: Each output is the next step's input.
        wide_head: One head over all steps at once.
        caption: A sentence below.
    """

    title: str
    inputs: tuple[str | None, ...]
    outputs: tuple[str | None, ...]
    head: str
    passed: tuple[bool, ...] = (True,) * 4
    shared: str = ""
    fed_back: bool = False
    wide_head: bool = False
    caption: str = ""


_LAST_ONLY = (None, None, None, None, _VECTOR)
_SHAPES: dict[str, Unrolled] = {
    "one_to_one": Unrolled(
        "one to one: (5, 1, 1) -> (5, 1)", _VALUES, _VALUES, "Dense(1)", (False,) * 4,
        caption="five sequences of one step: no state is passed on",
    ),
    "many_to_one": Unrolled(
        "many to one, vector out: (1, 5, 1) -> (1, 5)", _VALUES, _LAST_ONLY, "Dense(5)",
        caption="only the last output is used; each number of the vector has seen all steps",
    ),
    "many_to_many": Unrolled(
        "many to many, aligned: (1, 5, 1) -> (1, 5, 1)", _VALUES, _VALUES, "Dense(1)",
        caption="return_sequences=True; step t has seen the steps up to t",
    ),
    "one_to_many": Unrolled(
        "one to many by repetition: (1, 1) -> (1, 5, 1)", (None,) * 5, _VALUES, "Dense(1)", shared="0.0  RepeatVector(5)",
        caption="the same vector at every step; the state tells the steps apart",
    ),
    "feedback": Unrolled(
        "one to many by feeding back: (1, 1, 1) -> (1, n, 1)", ("0.0", None, None, None, None), _VALUES, "Dense(1)",
        fed_back=True, caption="each output is the next input; n is free; states begin at zero",
    ),
    "one_step": Unrolled(
        "one step of five features: (1, 1, 5) -> (1, 5)", (_VECTOR,), (_VECTOR,), "Dense(5)", (),
        caption="nothing recurs: one step, so the state is never read",
    ),
}  # fmt: skip

_PAIRS: dict[str, tuple[Unrolled, Unrolled]] = {
    "time_distributed": (
        Unrolled("TimeDistributed(Dense(1))", _VALUES, _VALUES, "Dense(1)", caption="the same Dense, step by step"),
        Unrolled("Dense(1)", _VALUES, _VALUES, "Dense(1) over the last axis", wide_head=True,
                 caption="one product over the last axis: same weights, same numbers"),
    ),
    "vector_output": (
        Unrolled("a value for each step", _VALUES, _VALUES, "Dense(1)", caption="output 1 has seen input 1 and nothing else"),
        Unrolled("a vector at the end", _VALUES, _LAST_ONLY, "Dense(5)", caption="every number has seen inputs 1 to 5"),
    ),
    "stateful": (
        Unrolled("stateful=False: two batches, 2 + 3 steps", _VALUES, _VALUES, "Dense(1)", (True, False, True, True),
                 caption="the third step begins from zero: the layer sees two sequences"),
        Unrolled("stateful=True: two batches, 2 + 3 steps", _VALUES, _VALUES, "Dense(1)",
                 caption="the third step begins where the second one ended: one sequence of 5"),
    ),
}  # fmt: skip


def draw_shape(shape: str) -> Figure:
    """One of `build_echo`'s shapes, unrolled.

    Raises:
        ArgumentError: There is no such shape.
    """
    if shape not in _SHAPES:
        raise ArgumentError(
            f"shape must be one of {', '.join(_SHAPES)}. Received: shape={shape!r}", code="invalid_argument"
        )
    return _draw([_SHAPES[shape]], columns=1)


def draw_family() -> Figure:
    """All six shapes."""
    return _draw(list(_SHAPES.values()), columns=2)


def plot_echo(truth: np.ndarray, echoes: Mapping[str, np.ndarray], *, title: str) -> Figure:
    """A sequence and what is made of it by step: the model's echo first, then its baseline."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    steps = np.arange(1, len(truth) + 1)
    axes.plot(steps, truth, color=_INK, marker="o", ms=8, mfc="none", label="the sequence")
    for position, (name, echo) in enumerate(echoes.items()):
        colour, style = (_PALE, "--") if position else (_ECHO, "-")
        axes.plot(steps, echo, color=colour, ls=style, marker=".", label=name)
    axes.set(title=title, xlabel="step", ylabel="value")
    axes.locator_params(axis="x", integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, lw=0.6)
    axes.legend(frameon=False)
    return figure


def plot_copying(*, steps: int = 60, seed: int = 0) -> Figure:
    """A random walk and the best next-step line for it, which trails one step behind.

    The line is fitted by least squares on a longer stretch of the same walk and reads five values; what it has learnt is
    the last value.
    """
    walk = np.cumsum(np.random.default_rng(seed).normal(size=2_000))
    past = np.lib.stride_tricks.sliding_window_view(walk, 5)[:-1]
    matrix = np.column_stack([past, np.ones(len(past))])
    fitted = len(past) - steps
    weights = np.linalg.lstsq(matrix[:fitted], walk[5 : 5 + fitted], rcond=None)[0]
    forecasts = {"next-step forecast": matrix[fitted:] @ weights}
    title = "A next-step forecast of a random walk trails it by one step"
    return plot_echo(walk[-steps:], forecasts, title=title)


def write_pictures(folder: str | Path) -> list[Path]:
    """Draws every picture of docs/shapes.md: `shapes_family.png`, `shapes_stateful.png` and the others.

    Args:
        folder: Where to; made if need be.

    Returns:
        The files.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"family": draw_family()} | {name: _draw(list(pair), columns=2) for name, pair in _PAIRS.items()}
    figures["copying"] = plot_copying()
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"shapes_{name}.png")
        # Without matplotlib's version in the file, drawing again changes nothing.
        figure.savefig(paths[-1], dpi=_DPI, metadata={"Software": None})
    return paths


def _draw(pictures: Sequence[Unrolled], *, columns: int) -> Figure:
    from matplotlib.figure import Figure

    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(6.2 * columns, 3.5 * rows), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.12)  # type: ignore[call-arg, union-attr]
    for axes, picture in zip(np.atleast_1d(figure.subplots(rows, columns)).ravel(), pictures, strict=True):
        _draw_unrolled(axes, picture)
    return figure


def _draw_unrolled(axes: Axes, picture: Unrolled) -> None:
    steps = len(picture.inputs)
    centre = (steps - 1) / 2
    axes.set(xlim=(centre - 2.9, centre + 2.9), ylim=(-0.85, 3.45))
    axes.axis("off")
    axes.set_title(picture.title, fontsize=11)
    axes.text(centre, -0.7, picture.caption, ha="center", va="center", fontsize=9, color=_INK)
    if picture.shared:
        _box(axes, centre, "input", picture.shared)
    if picture.wide_head:
        _box(axes, centre, "head", f"{'':44}{picture.head}{'':44}")
    for step, (read, written) in enumerate(zip(picture.inputs, picture.outputs, strict=True)):
        _box(axes, step, "cell", "LSTM")
        if read is not None:
            _box(axes, step, "input", read)
            _up(axes, step, "input", "cell")
        elif picture.shared:
            _arrow(axes, (centre, _ROWS["input"] + _HALF), (step, _ROWS["cell"] - _HALF))
        if written is not None:
            # A vector at the end of a row of steps is wider than its column.
            at = min(step, centre + 1.2) if len(written) > len(_VALUES[0]) else step
            _arrow(axes, (step, _ROWS["cell"] + _HALF), (step if picture.wide_head else at, _ROWS["head"] - _HALF))
            if not picture.wide_head:
                _box(axes, at, "head", picture.head)
            _up(axes, at, "head", "output")
            _box(axes, at, "output", written)
        if step and picture.passed[step - 1]:
            _arrow(axes, (step - 0.66, _ROWS["cell"]), (step - 0.34, _ROWS["cell"]))
        if step and picture.fed_back:
            _feed_back(axes, step)


def _box(axes: Axes, x: float, row: str, words: str) -> None:
    box = {"boxstyle": "round,pad=0.35", "fc": _FILL[row], "ec": _PALE}
    axes.text(x, _ROWS[row], words, ha="center", va="center", fontsize=8, bbox=box, zorder=3)


def _up(axes: Axes, x: float, below: str, above: str) -> None:
    _arrow(axes, (x, _ROWS[below] + _HALF), (x, _ROWS[above] - _HALF))


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "", xy=end, xytext=start, arrowprops={"arrowstyle": "->", "color": _INK, "lw": 0.8, "shrinkA": 0, "shrinkB": 0}
    )


def _feed_back(axes: Axes, step: int) -> None:
    """From the output of the step before, down between the columns, to the input side of the cell."""
    low = _ROWS["input"] + 0.3
    corners = [(step - 0.73, _ROWS["output"]), (step - 0.5, _ROWS["output"]), (step - 0.5, low), (step, low)]
    axes.plot(*zip(*corners, strict=True), color=_ECHO, lw=0.9, ls="--")
    _arrow(axes, (step, low), (step, _ROWS["cell"] - _HALF))
