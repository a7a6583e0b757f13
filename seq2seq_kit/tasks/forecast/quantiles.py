"""A forecast whose model writes quantiles: which they are, what it learns by, and how they come back to original units."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.intervals.prediction import DECILES, Prediction, probabilities_of
from seq2seq_kit.intervals.scores import pinball
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.interval_fields import QUANTILE_KINDS
from seq2seq_kit.training.objective import Loss, pinball_loss
from seq2seq_kit.training.own import Own
from seq2seq_kit.training.own_scale import loss_by_series

if TYPE_CHECKING:
    import keras


def quantile_levels(recipe: Recipe) -> tuple[float, ...]:
    """Levels of the quantiles that the model of a recipe writes, ascending; none where it writes one number."""
    levels: list[float] = getattr(recipe, "levels", None) or []
    writes = getattr(recipe, "intervals", None) in QUANTILE_KINDS
    return tuple(sorted({*map(float, levels), *DECILES})) if writes else ()


def quantile_loss(recipe: Recipe, own: Own | None, *, weighted: bool) -> Loss:
    """The loss of a model that writes quantiles.

    Raises:
        ArgumentError: A program brings a loss or metrics, which are of one number.
    """
    if own is not None and (own.loss is not None or own.metrics):
        raise ArgumentError(
            f"a model with `intervals: {getattr(recipe, 'intervals', None)}` writes quantiles and learns by their pinball loss. "
            "Received: loss or metrics of one number. Leave them out, or choose `intervals: conformal`",
            code="not_supported",
        )
    return pinball_loss(probabilities_of(quantile_levels(recipe)), weighted=weighted)


def quantile_validation(
    model: keras.Model, recipe: Recipe, prepared: Prepared, ratio: np.ndarray
) -> Callable[[], float]:
    """The validation loss of quantiles, on the scale of each series and target; `ratio` as of `own_ratio`."""
    from seq2seq_kit.models.inference import compile_forward

    forward, probabilities = compile_forward(model), probabilities_of(quantile_levels(recipe))

    def losses_off(windows: np.ndarray) -> np.ndarray:
        """The truth plus the pinball loss: its absolute error is that loss."""
        truth, found = prepared.scaled_targets("val", windows), forward(prepared.arrays("val", windows))
        losses = [pinball(truth, found[..., place], each) for place, each in enumerate(probabilities)]
        return np.asarray(truth + 2 * np.mean(losses, axis=0))

    return lambda: loss_by_series(
        losses_off,
        lambda windows: prepared.scaled_targets("val", windows),
        prepared.series_of("val"),
        ratio,
        "mae",
    )


def in_original_units(
    scaled: np.ndarray, levels: tuple[float, ...], restore: Callable[[np.ndarray], np.ndarray]
) -> Prediction:
    """What a model writes, `(windows, steps, targets, quantiles)`, as a prediction; `restore` takes one number of each cell."""
    found = [restore(scaled[..., place]) for place in range(scaled.shape[-1])]
    return Prediction(found[len(levels)], levels, np.stack(found, axis=-1))
