"""The objective of a fit: optimizer, loss, and the messages for a fit that fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from seq2seq_kit.recipe.fields import FitSettings

Loss: TypeAlias = "Callable[[tf.Tensor, tf.Tensor], tf.Tensor]"  # of the ground truth and the prediction
_OVERFLOW = "; float16 overflows beyond 65,504: try training.precision: mixed_bfloat16, or float32"


def optimizer_of(training: FitSettings, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe's section, with its schedule over all epochs of `steps` steps each."""
    import keras

    kinds = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "rmsprop": keras.optimizers.RMSprop,
        "sgd": keras.optimizers.SGD,
    }
    rate: float | keras.optimizers.schedules.LearningRateSchedule = training.learning_rate
    if training.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(training.learning_rate, decay_steps=steps * training.epochs)
    optimizer = kinds[training.optimizer](learning_rate=rate, global_clipnorm=training.clip_norm)
    # The smallest gradients would be 0 in float16; bfloat16 has float32's range.
    return keras.optimizers.LossScaleOptimizer(optimizer) if training.precision == "mixed_float16" else optimizer


def value_loss(name: str, *, masked: bool, weighted: bool = False) -> Loss:
    """Keras' loss; with masked data, over the observed cells only (a missing target is NaN).

    With `weighted` it is a loss of each step, shape `(batch, steps)`, which Keras weighs.
    """
    import keras

    if not masked and not weighted:
        loss: Loss = keras.losses.get(name)
        return loss
    cell = {
        "mse": keras.ops.square,
        "mae": keras.ops.abs,
        "huber": lambda error: keras.ops.where(
            keras.ops.abs(error) <= 1, 0.5 * keras.ops.square(error), keras.ops.abs(error) - 0.5
        ),
    }[name]

    def over_observed(truth: tf.Tensor, prediction: tf.Tensor) -> tf.Tensor:
        observed = keras.ops.logical_not(keras.ops.isnan(truth))
        # The error is zeroed before the loss, so that no NaN reaches the gradient.
        error = keras.ops.where(observed, truth - prediction, 0.0)
        if weighted:
            return keras.ops.mean(cell(error), axis=-1)
        count = keras.ops.maximum(keras.ops.sum(keras.ops.cast(observed, error.dtype)), 1.0)
        return keras.ops.sum(cell(error)) / count

    return over_observed


def pinball_loss(probabilities: Sequence[float], *, weighted: bool) -> Loss:
    """Twice the mean pinball loss over the quantiles of each cell, which the median's absolute error is then a part of.

    Over the observed cells only (a missing target is NaN); with `weighted` of each step, shape `(batch, steps)`.

    Args:
        probabilities: Of the quantiles in the last axis of the predictions, `(batch, steps, targets, quantiles)`.
        weighted: Whether Keras weighs the steps.
    """
    import keras

    def over_observed(truth: tf.Tensor, prediction: tf.Tensor) -> tf.Tensor:
        observed = keras.ops.logical_not(keras.ops.isnan(truth))
        at = keras.ops.convert_to_tensor(list(probabilities), dtype=prediction.dtype)
        off = keras.ops.where(observed[..., None], truth[..., None] - prediction, 0.0)
        cells = 2 * keras.ops.mean(keras.ops.maximum(at * off, (at - 1) * off), axis=-1)
        if weighted:
            return keras.ops.mean(cells, axis=-1)
        count = keras.ops.maximum(keras.ops.sum(keras.ops.cast(observed, cells.dtype)), 1.0)
        return keras.ops.sum(cells) / count

    return over_observed


def nan_message(training: FitSettings, *, epoch: int, loss: float, val_loss: float) -> str:
    """What to try after an epoch, counted from 1, one of whose losses is not finite."""
    which, found = ("training", loss) if not math.isfinite(loss) else ("validation", val_loss)
    return (
        f"the {which} loss became {found} in epoch {epoch}. Expected a finite loss. "
        f"Try a smaller training.learning_rate (now {training.learning_rate}), or training.clip_norm: 1.0"
        f"{'' if training.clip_norm is None else f' or less (now {training.clip_norm})'}; "
        "look for outliers and for columns that data.scaling leaves large"
        f"{_OVERFLOW if training.precision == 'mixed_float16' else ''}"
    )


def no_step_message(steps: int) -> str:
    """What to try where float16 overflowed in every one of `steps` steps."""
    return (
        f"no weight was trained: the gradients of all {steps:,} steps were NaN or infinite. Expected finite ones once the loss "
        f"was scaled down far enough, by half after each step{_OVERFLOW}, or more steps"
    )
