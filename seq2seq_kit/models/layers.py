"""The kit's own layers: a vector repeated, steps joined and split, learned positions, windows normalised by their own values.

Those on columns as series of their own are in channels.py. Every layer is registered with Keras under `seq2seq_kit>Name`, so
models save and load without further ado, and each says what becomes of a mask. Padding stands at the end of a sequence.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models.arguments import one_of, positions, positive_int, refuse_shape
from seq2seq_kit.models.keras_compat import Tensor, remember

PACKAGE = "seq2seq_kit"
NORMALISATIONS = ("last", "mean_std")
_EPSILON = 1e-5  # on the variance, as in RevIN: a constant window is divided by 0.003 and not by 0

Shape = Sequence[int | None]
Masks = Sequence[Tensor | None] | Tensor | None  # of a list of inputs each its own, if any has one


@keras.saving.register_keras_serializable(package=PACKAGE)
class Repeat(keras.layers.Layer):
    """Repeats a vector over time: the bridge between an encoder and a decoder, for sequences of any length.

    Args:
        steps: Times that the vector is repeated; None: as many as the reference sequence has steps.

    Input shape:
        `(batch, width)`; with `steps=None` a list of it and a reference of shape `(batch, time, ...)`.

    Output shape:
        `(batch, steps, width)`. Its mask is the reference's, if that has one: a step is valid where the reference's is.

    Example:
        >>> Repeat(3)(keras.ops.zeros((2, 8))).shape
        TensorShape([2, 3, 8])
        >>> Repeat()([keras.ops.zeros((2, 8)), keras.ops.zeros((2, 5, 1))]).shape
        TensorShape([2, 5, 8])
    """

    def __init__(self, steps: int | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.steps = None if steps is None else positive_int("steps", steps)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        if (self.steps is None) != isinstance(input_shape[0], list | tuple):
            expected = "[vector, reference]" if self.steps is None else "one vector"
            refuse_shape(
                f"Repeat(steps={self.steps}) takes {expected}; the length is that of a reference sequence with steps=None only",
                input_shape,
            )

    def call(self, inputs: Any) -> Tensor:
        vector = inputs if self.steps is not None else inputs[0]
        steps = self.steps or ops.shape(inputs[1])[1]
        return remember(ops.broadcast_to(vector[:, None, :], (ops.shape(vector)[0], steps, vector.shape[-1])), vector)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        if self.steps is None:
            vector, reference = input_shape
            return (vector[0], reference[1], vector[-1])
        return (input_shape[0], self.steps, input_shape[-1])

    def compute_mask(self, inputs: object, previous_mask: Masks) -> Tensor | None:
        # A vector has no steps to mask; only the reference says which of the repeated ones are there.
        return previous_mask[1] if self.steps is None and isinstance(previous_mask, list | tuple) else None

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"steps": self.steps}


@keras.saving.register_keras_serializable(package=PACKAGE)
class JoinSteps(keras.layers.Layer):
    """Joins each `count` neighbouring steps into one.

    Where the steps are no multiple of `count`, zeros are put after the last one. Values of masked steps are set to zero first, so
    that padding never leaks into a joined step.

    Args:
        count: Steps that become one.

    Input shape:
        `(batch, time, features)`.

    Output shape:
        `(batch, ceil(time / count), count * features)`, the earliest step first. A joined step is valid where its first one is.
    """

    def __init__(self, count: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.count = positive_int("count", count)
        self.supports_masking = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is not None:
            inputs = ops.where(mask[..., None], inputs, 0.0)
        batch, time = ops.shape(inputs)[0], ops.shape(inputs)[1]
        joined = -(-time // self.count)
        if inputs.shape[1] is None or inputs.shape[1] % self.count:
            inputs = ops.pad(inputs, [[0, 0], [0, self.count - 1], [0, 0]])[:, : joined * self.count]
        return ops.reshape(inputs, (batch, joined, self.count * inputs.shape[-1]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, time, features = input_shape
        return (batch, None if time is None else -(-time // self.count), self.count * width_of(features))

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        return None if previous_mask is None else previous_mask[:, :: self.count]

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"count": self.count}


@keras.saving.register_keras_serializable(package=PACKAGE)
class SplitSteps(keras.layers.Layer):
    """Splits each step into `count` of them: the reverse of `JoinSteps`.

    Args:
        count: Steps that one becomes.

    Input shape:
        `(batch, time, count * features)`.

    Output shape:
        `(batch, time * count, features)`. All steps that come out of a valid one are valid.
    """

    def __init__(self, count: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.count = positive_int("count", count)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        if width_of(input_shape[-1]) % self.count:
            refuse_shape(f"SplitSteps needs a width that is a multiple of count={self.count}", input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return ops.reshape(inputs, (ops.shape(inputs)[0], -1, inputs.shape[-1] // self.count))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, time, width = input_shape
        return (batch, None if time is None else time * self.count, width_of(width) // self.count)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        return None if previous_mask is None else ops.repeat(previous_mask, self.count, axis=1)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"count": self.count}


@keras.saving.register_keras_serializable(package=PACKAGE)
class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector to each step, so that a decoder that is fed the same vector everywhere knows where it is.

    Args:
        steps: Steps of the sequences.

    Input shape:
        `(batch, steps, width)`.

    Output shape:
        The same. A mask is passed on.
    """

    def __init__(self, steps: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.steps = positive_int("steps", steps)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        if input_shape[1] not in (None, self.steps):
            refuse_shape(f"PositionEmbedding needs steps={self.steps} steps", input_shape)
        shape = (self.steps, width_of(input_shape[-1]))
        self.embeddings = self.add_weight(name="embeddings", shape=shape, initializer="uniform")

    def call(self, inputs: Tensor) -> Tensor:
        return inputs + self.embeddings

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"steps": self.steps}


@keras.saving.register_keras_serializable(package=PACKAGE)
class Normalise(keras.layers.Layer):
    """Takes the level of a window, and where asked for its spread, out of its columns; `Denormalise` puts them back.

    `last` subtracts each column's newest value (NLinear; Zeng et al. 2023, "Are transformers effective for time series
    forecasting?"); `mean_std` subtracts its mean and divides by its standard deviation over the window, without further weights
    (Liu et al. 2022, "Non-stationary transformers"; Kim et al. 2022, "Reversible instance normalization").

    Args:
        method: `last` or `mean_std`.
        columns: Positions of the columns that are normalised; the others (a calendar, flags) are left as they are.

    Input shape:
        `(batch, time, features)`. Masked steps do not count; the newest value is that of the last valid step.

    Output shape:
        The same, with its mask; and the statistics, `(batch, 2, features)`: what was subtracted, what it was divided by.
    """

    def __init__(self, method: str, columns: Sequence[int], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.method = one_of("method", method, NORMALISATIONS)
        self.columns = positions("columns", columns)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        positions("columns", self.columns, below=width_of(input_shape[-1]))

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        chosen = ops.cast([position in self.columns for position in range(inputs.shape[-1])], "bool")
        valid = ops.ones_like(inputs[..., :1]) if mask is None else ops.cast(mask[..., None], inputs.dtype)
        values = ops.where(valid > 0, inputs, 0.0)
        if self.method == "last":
            counted = ops.cumsum(valid, axis=1)
            newest = valid * ops.cast(counted == ops.sum(valid, axis=1, keepdims=True), inputs.dtype)
            center = ops.sum(values * newest, axis=1, keepdims=True)
            scale = ops.ones_like(center)
        else:
            count = ops.maximum(ops.sum(valid, axis=1, keepdims=True), 1.0)
            center = ops.sum(values, axis=1, keepdims=True) / count
            variance = ops.sum(valid * ops.square(values - center), axis=1, keepdims=True) / count
            scale = ops.sqrt(variance + _EPSILON)
        center, scale = ops.where(chosen, center, 0.0), ops.where(chosen, scale, 1.0)
        return (inputs - center) / scale, ops.concatenate([center, scale], axis=1)

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        return tuple(input_shape), (input_shape[0], 2, input_shape[-1])

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> tuple[Tensor | None, None]:
        return previous_mask, None

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"method": self.method, "columns": self.columns}


@keras.saving.register_keras_serializable(package=PACKAGE)
class Denormalise(keras.layers.Layer):
    """Puts a window's level and spread back into what a model made of the normalised window.

    Args:
        columns: For each column of the outputs, its position among the columns that `Normalise` saw.

    Input shape:
        A list: the outputs, `(batch, time, len(columns))`, and the statistics of `Normalise`, `(batch, 2, features)`.

    Output shape:
        `(batch, time, len(columns))`, with the outputs' mask.
    """

    def __init__(self, columns: Sequence[int], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.columns = positions("columns", columns)
        self.supports_masking = True

    def build(self, input_shape: Sequence[Shape]) -> None:
        outputs, statistics = input_shape
        positions("columns", self.columns, below=width_of(statistics[-1]), count=width_of(outputs[-1]))

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        outputs, statistics = inputs
        own = ops.take(statistics, self.columns, axis=-1)
        return outputs * own[:, 1:] + own[:, :1]

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return tuple(input_shape[0])

    def compute_mask(self, inputs: object, previous_mask: Masks) -> Tensor | None:
        return previous_mask[0] if isinstance(previous_mask, list | tuple) else None

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"columns": self.columns}


def width_of(size: int | None) -> int:
    """The size of a last axis, which weights depend on."""
    if size is None:
        raise ArgumentError("the last axis must have a known size. Received: None", code="shape_not_supported")
    return size
