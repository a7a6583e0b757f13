"""A forecast that begins as ridge: the fitted line as the weights of the model's linear skip, and how much is added to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.evaluation.indicators import Indicated
from seq2seq_kit.evaluation.metrics import ErrorSums
from seq2seq_kit.evaluation.naive import naive_error
from seq2seq_kit.evaluation.presentation import Presentation
from seq2seq_kit.evaluation.ridge import CHOOSE_WINDOWS, Ridge
from seq2seq_kit.findings import Finding

if TYPE_CHECKING:
    import keras

_FACTORS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)  # the first of equals is taken
_LEAST_GAIN = 0.005  # of the line's error


def line_alone(correction: float | None) -> list[Finding]:
    """What is said where the network was left out of the forecast; `correction` as in `Fit`."""
    if correction != 0:
        return []
    said = f"what the network adds to the linear skip gains less than {_LEAST_GAIN:.1%} on validation and was left out"
    cure = "Keep the baseline, which is simpler; or give more rows, other inputs, or set model.linear_skip: false"
    return [Finding("line_alone", "note", f"the forecast is the linear map alone: {said}", cure)]


def start_from_ridge(model: keras.Model, ridge: Ridge, prepared: Prepared, view: Presentation) -> None:
    """Gives the linear skip of a model the weights of a fitted line, so that the model begins as that line.

    Args:
        model: Of `build_encoder_decoder(linear_skip=True)`.
        ridge: In the model's own view, or less the newest value where the model takes nothing out of a window.
        prepared: What both were made for.
        view: How the model sees a window.
    """
    from seq2seq_kit.models.linear_skip import set_linear_skip

    weights, offset = ridge.weights, ridge.offset - ridge.mean @ ridge.weights
    outputs = len(offset)
    steps, layout = prepared.windows["train"].shape.input_steps, prepared.layout
    targets = len(layout.targets)
    seen = Indicated.of(prepared).window
    columns = seen - targets + 1 if view.independent else seen
    marks = None
    if view.independent:  # own values, marks of the channels, the columns that all share; see Presentation
        own, marks, shared, future = np.split(weights, np.cumsum([steps, targets, steps * (columns - 1)]))
        window = np.concatenate([own[:, None], shared.reshape(steps, columns - 1, outputs)], axis=1)
    else:
        window, future = np.split(weights, [steps * columns])
        window = window.reshape(steps, columns, outputs)
    if ridge.normalise == "last" and view.normalise == "none":
        window = _of_levels(window, prepared, independent=view.independent)
    lines = np.concatenate([window.reshape(steps * columns, outputs), future])
    set_linear_skip(model, lines, offset, marks if targets > 1 else None)  # a single mark is the same everywhere


def _of_levels(window: np.ndarray, prepared: Prepared, *, independent: bool) -> np.ndarray:
    """Weights of a window less its newest value as those of the window itself: the newest row takes what was taken out.

    `window` and the result have the shape `(input_steps, columns, outputs)`.
    """
    columns, targets = prepared.columns, prepared.layout.targets
    measured = [at for at, name in enumerate(columns.inputs) if name not in columns.known_future]
    if independent:  # the first column is the target's own, the shared ones follow
        measured = [0, *(at - len(targets) + 1 for at in measured if at >= len(targets))]
        targets = [0]
    found = window.copy()
    found[-1, measured] -= window[:, measured].sum(axis=0)
    for number, position in enumerate(targets):
        found[-1, position, number :: len(targets)] += 1
    return found


def shrink_correction(model: keras.Model, prepared: Prepared) -> float:
    """Scales what the network adds to the line by the factor that does best on validation.

    Where the network has learned the training rows' noise the factor is small, and at 0 the forecast is the line; so it is where
    the network gains next to nothing, because what is gained by chance on validation is lost on later rows.

    Returns:
        The factor, one of `_FACTORS`.
    """
    from seq2seq_kit.models.inference import compile_points
    from seq2seq_kit.models.linear_skip import scale_correction

    windows = prepared.windows["val"].evenly(CHOOSE_WINDOWS)
    kept, forward = model.get_layer("output").get_weights(), compile_points(model)

    def forecasts() -> np.ndarray:
        return prepared.restore(forward(prepared.arrays("val", windows)), "val", windows)

    whole = forecasts()
    scale_correction(model, 0.0)
    line = forecasts()
    truth, series, naive = prepared.truth("val", windows), prepared.series_of("val", windows), naive_error(prepared)
    errors = []
    for factor in _FACTORS:
        sums = ErrorSums((len(prepared.table.series), *truth.shape[1:]), prepared.target_center)
        errors.append(sums.add(truth, line + factor * (whole - line), series).scaled_rmse(naive))
    best = _FACTORS[int(np.argmin(errors))]
    if min(errors) > (1 - _LEAST_GAIN) * errors[-1]:
        best = 0.0
    model.get_layer("output").set_weights(kept)
    scale_correction(model, best)
    return best
