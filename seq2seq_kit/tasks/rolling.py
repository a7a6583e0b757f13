"""More steps than a forecast, or a baseline of one, was fitted for: autoregressive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.bundles.frames import newest_windows
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation.base import MODEL
from seq2seq_kit.evaluation.baselines import Baseline, Predictor
from seq2seq_kit.evaluation.ridge import Ridge
from seq2seq_kit.recipe.fields import HorizonData
from seq2seq_kit.reports import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def require_rolling(data: HorizonData, steps: int) -> None:
    """Raises `ArgumentError` unless the forecast predicts all that it reads, without a gap."""
    most = data.output_steps
    absent = [name for name in data.inputs if name not in (*data.targets, *data.known_future, *data.static)]
    if absent:
        raise ArgumentError(
            f"this model was trained for {most} steps; to continue autoregressively it would need a forecast of "
            f"{', '.join(absent)}, which it reads and does not predict. Received: steps={steps}. Ask for at most {most}, or "
            f"train with {', '.join(absent)} among data.targets or data.known_future",
            code="cannot_roll_forward",
        )
    if data.gap_steps:
        raise ArgumentError(
            f"this model was trained for {most} steps after a gap of {data.gap_steps}; it does not predict the rows of the gap, "
            f"so it cannot continue autoregressively. Received: steps={steps}. Ask for at most {most}, or train without "
            "data.gap_steps",
            code="cannot_roll_forward",
        )


def roll_forward(
    forward: Callable[[Sequence[np.ndarray]], np.ndarray], prepared: Prepared, windows: np.ndarray, output_steps: int
) -> np.ndarray:
    """A forecast block by block: each block reads the newest rows, the predicted ones among them.

    Args:
        forward: The model as a function of scaled arrays.
        prepared: Rows with windows of a whole number of blocks of output steps, none of which is known but for the
            calendar and the columns known ahead.
        windows: Their numbers, in the test part.
        output_steps: Steps of a block, as the model was trained.

    Returns:
        Scaled predictions, `(windows, all output steps, targets)`; of windows on a scale of their own on that of the first
        block.
    """
    shape, layout, columns = prepared.windows["test"].shape, prepared.layout, prepared.columns
    rows = prepared.matrix[prepared.windows["test"].starts(windows)[:, None] + np.arange(shape.span)]
    own = [name for name in columns.inputs if name in columns.targets]
    read = [columns.past.index(name) for name in own]
    written = [columns.targets.index(name) for name in own]
    # With `missing: mask` each input has a column that says where it is there; a prediction is there.
    flags = [columns.flags + columns.inputs.index(name) for name in own] if columns.masked else []
    blocks, levels = [], []
    for first in range(0, shape.output_steps, output_steps):
        past = rows[:, first : first + shape.input_steps, : layout.inputs]
        level = layout.own.level(past) if layout.own else None
        levels.append(level)
        arrays = [past if layout.own is None or level is None else layout.own.inputs(past, level)]
        ahead = slice(first + shape.target_offset, first + shape.target_offset + output_steps)
        if layout.future:
            arrays.append(rows[:, ahead][..., layout.future])
        block = forward(arrays)
        blocks.append(block if layout.own is None or level is None else layout.own.back(block, level))
        rows[:, ahead, read] = blocks[-1][..., written]
        rows[:, ahead, flags] = 1.0
    found = np.concatenate(blocks, axis=1)
    return found if layout.own is None or levels[0] is None else layout.own.targets(found, levels[0])


def baseline_ahead(baseline: Baseline, prepared: Prepared, windows: np.ndarray, output_steps: int) -> np.ndarray:
    """What a baseline says of the same windows as `roll_forward`, in original units.

    Args:
        baseline: Fitted for forecasts of `output_steps`.
        prepared: As for `roll_forward`.
        windows: Their numbers, in the test part.
        output_steps: Steps of a block.

    Returns:
        Predictions, `(windows, all output steps, targets)`.
    """
    if not isinstance(baseline, Ridge):  # it repeats what it knows, over any number of steps
        return baseline(prepared, "test", windows)
    scaled = roll_forward(lambda arrays: baseline.of_arrays(prepared, arrays), prepared, windows, output_steps)
    return prepared.restore(scaled, "test", windows)


def plot_ahead(forecast: Predictor, prepared: Prepared, name: str, bands: plots.Bands | None = None) -> Figure:
    """The newest rows of up to six series and what a model forecasts from them.

    Args:
        forecast: The model.
        prepared: Rows with those ahead, as `prepare_ahead` gives them.
        name: What the model is called.
        bands: The model with its intervals, where it has any.
    """
    newest = newest_windows(prepared)
    shown = plots.pick_examples(prepared, "test", {MODEL: forecast}, count=6, of=newest, bands=bands)
    return plots.plot_examples(shown, title=f"Forecast: {name}")
