"""The loss of a model that rebuilds a window and tells the rows around it: two parts with a weight between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.data.windows.kept import LossFlags
from seq2seq_kit.data.windows.ranges import WindowShape
from seq2seq_kit.training.objective import Loss, value_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    import tensorflow as tf


def step_weights(shape: WindowShape, share: float) -> np.ndarray:
    """What each output step counts, shape `(output_steps,)`: on average 1, and `share` of all are the steps beyond the window."""
    weights = np.full(shape.output_steps, share * shape.output_steps / len(shape.beyond))
    inside = shape.output_steps - len(shape.beyond)
    weights[shape.inside] = (1 - share) * shape.output_steps / inside
    return weights


def shared_loss(name: str, shape: WindowShape, share: float, cells: LossFlags) -> Loss:
    """`share` of the mean loss of the steps beyond the window, the rest of the mean loss of the window's own."""
    from keras import ops

    loss, inside, beyond = value_loss(name, **cells), _inside(shape), shape.beyond
    if cells["masked"] and not cells["weighted"]:  # each part's mean is over its own known cells

        def of_parts(truth: tf.Tensor, prediction: tf.Tensor) -> tf.Tensor:
            own, other = (loss(_at(truth, part), _at(prediction, part)) for part in (inside, beyond))
            return (1 - share) * own + share * other

        return of_parts
    weights = step_weights(shape, share).astype(np.float32)
    return lambda truth, prediction: loss(truth, prediction) * ops.convert_to_tensor(weights)


def part_losses(name: str, shape: WindowShape, *, masked: bool) -> list[keras.Metric]:
    """Keras' metrics `window_loss` and `forecast_loss`: the mean loss of the window's own steps and of those beyond it."""
    import keras

    loss = value_loss(name, masked=masked)

    class PartLoss(keras.metrics.Mean):
        def __init__(self, steps: Sequence[int], name: str) -> None:
            super().__init__(name=name)
            self.steps = list(steps)

        def update_state(self, truth: tf.Tensor, prediction: tf.Tensor, sample_weight: object = None) -> None:
            value = keras.ops.mean(loss(_at(truth, self.steps), _at(prediction, self.steps)))
            super().update_state(value, sample_weight=keras.ops.shape(truth)[0])

    return [PartLoss(_inside(shape), "window_loss"), PartLoss(shape.beyond, "forecast_loss")]


def _inside(shape: WindowShape) -> list[int]:
    return list(range(shape.output_steps))[shape.inside]


def _at(values: tf.Tensor, steps: Sequence[int]) -> tf.Tensor:
    from keras import ops

    return ops.take(values, list(steps), axis=1)
