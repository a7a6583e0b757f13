"""Layers that let a model read something inside each step, such as the characters of a word: steps into the batch and back."""

from collections.abc import Sequence

import keras
from keras import ops

from seq2seq_kit.models.keras_compat import Tensor

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="seq2seq_kit")
class FoldSteps(keras.layers.Layer):
    """Makes each step a sequence of its own.

    Input shape:
        `(batch, steps, inner steps)`.

    Output shape:
        `(batch * steps, inner steps)`.
    """

    def call(self, inputs: Tensor) -> Tensor:
        return ops.reshape(inputs, (-1, inputs.shape[2]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (None, input_shape[2])


@keras.saving.register_keras_serializable(package="seq2seq_kit")
class UnfoldSteps(keras.layers.Layer):
    """Puts one vector for each step back where the step was.

    Input shape:
        A list of the vectors, `(batch * steps, width)`, and of what was folded, `(batch, steps, ...)`.

    Output shape:
        `(batch, steps, width)`.
    """

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        vectors, folded = inputs
        return ops.reshape(vectors, (*ops.shape(folded)[:2], vectors.shape[-1]))

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return (*input_shape[1][:2], input_shape[0][-1])
