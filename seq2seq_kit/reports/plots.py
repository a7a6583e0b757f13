"""Figures of a run: losses, predictions beside the ground truth and the baselines, errors by output step."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.data.tables.pieces import cells_of
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.evaluation import MODEL, Evaluation
from seq2seq_kit.evaluation.baselines import Predictor
from seq2seq_kit.intervals.prediction import Prediction
from seq2seq_kit.reports.colours import MODEL_COLOUR, PAST_COLOUR, TRUTH_COLOUR, colours_of
from seq2seq_kit.text import for_figure
from seq2seq_kit.training.fit import Epoch, Fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A model with its intervals, as a predictor of windows.
Bands = Callable[[Prepared, str, np.ndarray], Prediction]

ACTUAL = "actual"
_LEAST_CONTEXT, _CONTEXT_PER_STEP = 24, 3  # input rows in a picture; more would flatten the steps ahead
_MOST_COLUMNS = 40  # of windows, one below the other
_FAR_ABOVE = 3  # times the error of the model and of the best baseline: what would flatten both


@dataclass(frozen=True)
class Examples:
    """A few windows as they are drawn, in original units.

    Attributes:
        labels: Title of each window.
        past_x, past: Positions and values of the newest inputs, `(windows, context)` and `(windows, context, targets)`.
        ahead_x: Positions of the predicted steps, `(windows, output_steps)`; timestamps or row numbers.
        truth: Ground truth, `(windows, output_steps, targets)`.
        predictions: Of the shape of `truth`, by forecaster, the model first.
        targets: Names of the targets.
        units: Their units, by name.
        banded: The model's forecast with its intervals; None where it has none.
    """

    labels: list[str]
    past_x: np.ndarray
    past: np.ndarray
    ahead_x: np.ndarray
    truth: np.ndarray
    predictions: dict[str, np.ndarray]
    targets: list[str]
    units: Mapping[str, str] = field(default_factory=dict)
    banded: Prediction | None = None

    def titled(self, target: str) -> str:
        """A target with its unit: `load (kW)`."""
        return with_unit(target, self.units)


def with_unit(column: str, units: Mapping[str, str]) -> str:
    """A column's name with its unit, if it has one: `load (kW)`."""
    return f"{column} ({units[column]})" if column in units else column


def pick_examples(
    prepared: Prepared,
    part: str,
    predictors: Mapping[str, Predictor],
    *,
    count: int,
    of: np.ndarray | None = None,
    bands: Bands | None = None,
) -> Examples:
    """Windows spread evenly over a part: chosen by position, never by their error; or the first ones of `of`."""
    windows = prepared.windows[part]
    picked = windows.evenly(count) if of is None else of[:count]
    ahead = windows.target_rows(picked)
    shape = windows.shape
    context = min(shape.input_steps, max(_LEAST_CONTEXT, _CONTEXT_PER_STEP * shape.output_steps))
    before = windows.starts(picked)[:, None] + np.arange(shape.input_steps - context, shape.input_steps)
    if shape.target_offset <= 0:
        before = before[:, :0]
    columns = [prepared.table.columns.index(name) for name in prepared.columns.targets]
    times = prepared.table.times

    # On the clock of the data; NumPy's timestamps know no zone.
    def place(rows: np.ndarray) -> np.ndarray:
        if times is None:
            return rows + 1
        return times[rows.ravel()].tz_localize(None).to_numpy().reshape(rows.shape)

    names = [prepared.table.series[series] for series in prepared.series_of(part, picked)]
    firsts = place(ahead[:, 0])
    labels = [
        f"{name}, {_moment(first)}" if name else _moment(first) for name, first in zip(names, firsts, strict=True)
    ]
    predictions = {name: predict(prepared, part, picked) for name, predict in predictors.items()}
    past = cells_of(prepared.table.values, before, columns)
    truth = prepared.truth(part, picked)
    named = prepared.columns.targets
    banded = None if bands is None else bands(prepared, part, picked)
    return Examples(labels, place(before), past, place(ahead), truth, predictions, named, prepared.data.units, banded)


def plot_losses(fit: Fit) -> Figure:
    """Training and validation loss by epoch, the best epoch marked; of an ensemble each member's."""
    figure, axes = new_figure(7, 4)
    if fit.members:
        draw_members(axes, fit, lambda epoch: epoch.val_loss)
        axes.set(title="Validation loss by epoch", xlabel="epoch", ylabel="loss (scaled units)")
        return figure
    epochs = [epoch.number for epoch in fit.history]
    axes.plot(epochs, [epoch.loss for epoch in fit.history], color=PAST_COLOUR, marker="o", ms=3, label="train")
    axes.plot(
        epochs, [epoch.val_loss for epoch in fit.history], color=MODEL_COLOUR, marker="o", ms=3, label="validation"
    )
    if fit.best_epoch:
        axes.axvline(fit.best_epoch, color=TRUTH_COLOUR, lw=0.8, ls=":", label=f"kept: epoch {fit.best_epoch}")
    axes.set(title="Loss by epoch", xlabel="epoch", ylabel="loss (scaled units)")
    positive = all(epoch.loss > 0 and epoch.val_loss > 0 for epoch in fit.history)
    axes.set_yscale("log" if positive and fit.history else "linear")
    axes.legend(frameon=False)
    return figure


def draw_members(axes: Axes, fit: Fit, value: Callable[[Epoch], float]) -> None:
    """A figure of each epoch of each member of an ensemble, the kept epochs marked."""
    from matplotlib.ticker import MaxNLocator

    names = [f"member {number}" for number in range(1, len(fit.members) + 1)]
    for (name, colour), each in zip(colours_of(names).items(), fit.members, strict=True):
        values = [value(epoch) for epoch in each.history]
        axes.plot(
            range(1, len(values) + 1), values, color=colour, lw=1.4, label=f"{name}, kept: epoch {each.best_epoch}"
        )
        if each.best_epoch:
            axes.plot(each.best_epoch, values[each.best_epoch - 1], color=colour, marker="o", ms=5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=8)


def plot_examples(examples: Examples, *, title: str) -> Figure:
    """Up to six windows: the newest inputs, the actual values, the model and its baselines.

    Of several targets each has a line of three windows; of more than 40 the first ones, and the title says so.
    """
    from matplotlib.figure import Figure

    targets = examples.targets[:_MOST_COLUMNS]
    several = len(targets) > 1
    shown = min(len(examples.labels), 3 if several else 6)
    across = shown if several else min(shown, 2)
    down = len(targets) if several else -(-shown // across)
    figure = Figure(figsize=(11, (1.7 if several else 2.6) * down + 0.8), layout="constrained")
    grid = np.reshape(figure.subplots(down, across, squeeze=False), (down, across))
    for place, axes in enumerate(grid.ravel()):
        k, window = divmod(place, across) if several else (0, place)
        if window < shown:
            _draw_window(axes, examples, window, k)
        else:
            axes.remove()
        if k:
            axes.set_title("")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, map(for_figure, labels), loc="outside lower center", ncols=min(len(labels), 7), frameon=False
    )
    if len(targets) < len(examples.targets):
        title += f"; the first {len(targets)} of {len(examples.targets)} columns"
    figure.suptitle(for_figure(title, most=160))
    return figure


def plot_error_by_step(test: Evaluation) -> Figure:
    """RMSE at each output step, the model beside its baselines.

    A baseline far worse than the model and the best baseline leaves the axis, and the legend says how far it goes.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = new_figure(7, 4)
    steps, curves = np.arange(1, test.steps + 1), test.curves()
    colours = colours_of(curves)
    peaks = {name: float(np.nanmax(curve, initial=0)) for name, curve in curves.items()}
    best = min(test.baselines, key=lambda name: float(np.nanmean(curves[name])), default=MODEL)
    base = _FAR_ABOVE * max(peaks[name] for name in (MODEL, best) if name in peaks)
    top = 1.05 * max(peak for peak in peaks.values() if peak <= base)
    for name, curve in curves.items():
        axes.plot(steps, curve, color=colours[name], marker="o", ms=3, lw=2 if name == MODEL else 1.2, label=name)
    told = [f"{name}, up to {peak:.4g}" if peak > base else name for name, peak in peaks.items()]
    unit = "scaled units" if len(test.targets) > 1 else test.column_units.get(test.targets[0], test.targets[0])
    axes.set(
        title=f"Error by output step, {test.part} windows", xlabel="output step", ylabel=for_figure(f"RMSE ({unit})")
    )
    axes.set_ylim(0, top if top and max(peaks.values()) > base else None)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(axes.lines, map(for_figure, told), frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def save(figures: Mapping[str, Figure], folder: Path) -> None:
    """Writes each figure as `<name>.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        (folder / f"{name}.png").write_bytes(as_png(figure))


def as_png(figure: Figure) -> bytes:
    """A figure as PNG; letters that matplotlib's font lacks are boxes, and nothing is said of them."""
    written = BytesIO()
    with warnings.catch_warnings():
        for message in ("Glyph .* missing from font", "constrained_layout not applied"):
            warnings.filterwarnings("ignore", message)
        figure.savefig(written, format="png", dpi=120)
    return written.getvalue()


def _draw_window(axes: Axes, examples: Examples, window: int, k: int) -> None:
    if examples.past.shape[1]:
        axes.plot(examples.past_x[window], examples.past[window, :, k], color=PAST_COLOUR, lw=1.2, label="inputs")
    colours = colours_of(examples.predictions)
    _draw_bands(axes, examples, window, k)
    for name, values in examples.predictions.items():
        own = name == MODEL
        axes.plot(
            examples.ahead_x[window],
            values[window, :, k],
            color=colours[name],
            lw=2 if own else 1.1,
            ls="-" if own else "--",
            zorder=3 if own else 2,
            label=name,
        )
    truth = examples.truth[window, :, k]
    if np.isfinite(truth).any():  # nothing is known of rows ahead
        axes.plot(examples.ahead_x[window], truth, color=TRUTH_COLOUR, lw=1.4, marker=".", label=ACTUAL)
    axes.set_title(for_figure(f"from {examples.labels[window]}"), fontsize=9)
    axes.set_ylabel(for_figure(examples.titled(examples.targets[k])), fontsize=8)
    axes.tick_params(labelsize=7)
    _tidy(axes)
    if np.issubdtype(examples.ahead_x.dtype, np.datetime64):
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        # With five, its default, no interval of months or hours gives between five and seven ticks of 40 months or 70 hours.
        locator = AutoDateLocator(minticks=3, maxticks=7)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _draw_bands(axes: Axes, examples: Examples, window: int, k: int) -> None:
    """The model's intervals, the widest first and palest."""
    banded, x = examples.banded, examples.ahead_x[window]
    for place, level in enumerate(reversed(banded.levels if banded else ())):
        assert banded is not None
        lower, upper = (end[window, :, k] for end in banded.band(level))
        shade = 0.14 + 0.12 * min(place, 3)
        axes.fill_between(x, lower, upper, color=MODEL_COLOUR, alpha=shade, lw=0, label=f"{level:g} %", zorder=1)


def _moment(first: np.datetime64 | int) -> str:
    if isinstance(first, np.datetime64):
        return str(np.datetime_as_string(first, "m")).replace("T", " ")
    return f"row {first}"


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one plot, its size in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    _tidy(axes)
    return figure, axes


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, lw=0.6)
