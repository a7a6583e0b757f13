"""A linear map from the window to the outputs beside the recurrent layers: the autoregressive highway of LSTNet.

A recurrent network is bounded by what its states can say; the level and the plain linear part of a series pass it by on this
way (Lai et al. 2018, "Modeling long- and short-term temporal patterns with deep neural networks").
"""

from collections.abc import Sequence

import keras
import numpy as np

from seq2seq_kit.models.categories import Embedded
from seq2seq_kit.models.channels import ChannelEmbedding
from seq2seq_kit.models.keras_compat import Tensor

LINEAR_SKIP = "linear_skip"
_CHANNEL = "linear_skip_channel"
_LINE = "line"


def add_linear_skip(
    outputs: Tensor, window: Tensor, known: Tensor | None, fixed: Tensor | None = None, *, channels: int = 1
) -> Tensor:
    """The outputs with the linear map added, which begins at zero.

    Args:
        outputs: Of the decoder, `(batch, output_steps, width)`.
        window: What the encoder is given, `(batch, input_steps, features)`.
        known: What is known of the steps ahead, `(batch, output_steps, future_features)`, if anything.
        fixed: What does not change, `(batch, 1, fixed_features)`, if anything.
        channels: Series of each sequence that share the weights; each has an offset of its own.

    Returns:
        The same shape as `outputs`.
    """
    skipped = _line([window, known, fixed], int(outputs.shape[1]), int(outputs.shape[2]), channels)
    return keras.layers.Add(name="add_linear_skip")([outputs, skipped])


def build_line(
    *,
    input_steps: int,
    output_steps: int,
    input_features: int,
    output_features: int,
    future_features: int = 0,
    categories: Sequence[int] = (),
    future_categories: int = 0,
    fixed_categories: int = 0,
    skip_categories: Sequence[int] | None = None,
) -> keras.Model:
    """The linear map alone, without a network; arguments and shapes as of `build_encoder_decoder`."""
    inputs = keras.Input((input_steps, input_features), name="inputs")
    future = keras.Input((output_steps, future_features), name="future") if future_features else None
    seen = [inputs, future, None]
    if categories:
        embedded = Embedded(categories, indicators=skip_categories)
        numbers, codes = embedded.split(inputs, len(categories), name="split_categories")
        ahead: Tensor | None = future
        ahead_codes: list[Tensor] = []
        if future_categories:
            ahead, ahead_codes = embedded.split(future, future_categories, name="split_future_categories")
        seen = [
            embedded.indicate(numbers, codes, fixed_categories, name="linear_skip_categories"),
            embedded.indicate(ahead, ahead_codes, fixed_categories, name="linear_skip_future_categories"),
            embedded.indicate_once(codes, fixed_categories, name="linear_skip_fixed_categories"),
        ]
    outputs = _line(seen, output_steps, output_features, 1)
    return keras.Model(inputs if future is None else [inputs, future], outputs, name=_LINE)


def _line(parts: Sequence[Tensor | None], steps: int, width: int, channels: int) -> Tensor:
    names = ("window", "future", "fixed")
    seen = [
        keras.layers.Flatten(name=f"{LINEAR_SKIP}_{name}")(part)
        for name, part in zip(names, parts, strict=True)
        if part is not None
    ]
    line = keras.layers.Concatenate(name=f"{LINEAR_SKIP}_seen")(seen) if len(seen) > 1 else seen[0]
    found = keras.layers.Dense(steps * width, kernel_initializer="zeros", name=LINEAR_SKIP)(line)
    if channels > 1:
        found = ChannelEmbedding(channels, name=_CHANNEL)(found)
    return keras.layers.Reshape((steps, width), name=f"{LINEAR_SKIP}_steps")(found)


def set_linear_skip(
    model: keras.Model, weights: np.ndarray, offset: np.ndarray, channels: np.ndarray | None = None
) -> None:
    """Makes a model begin as a linear forecast: the map gets its weights for good, and the decoder's output begins at zero.

    The map is not trained on: an optimizer that moves each of its weights by as much as the recurrent layers need leaves the
    optimum of a line, whose inputs are alike, within a few steps and does not find back.

    Args:
        model: Of `build_encoder_decoder(linear_skip=True)`, or of `build_line`.
        weights: Shape `(input_steps * features + output_steps * future_features + fixed_features, output_steps * width)`, steps
            first.
        offset: Shape `(output_steps * width,)`.
        channels: What is added for each channel, shape `(channels, output_steps * width)`; only where there are several.
    """
    given = {LINEAR_SKIP: [weights, offset]} | ({} if channels is None else {_CHANNEL: [channels]})
    for name, values in given.items():
        model.get_layer(name).set_weights(values)
    keep_linear_skip(model)
    if model.name != _LINE:
        scale_correction(model, 0.0)


def keep_linear_skip(model: keras.Model) -> None:
    """Keeps the map from being trained."""
    for layer in model.layers:
        if layer.name in (LINEAR_SKIP, _CHANNEL):
            layer.trainable = False


def scale_correction(model: keras.Model, factor: float) -> None:
    """Multiplies what the decoder adds to the linear map by a factor: 0 leaves the map alone."""
    output = model.get_layer("output")
    output.set_weights([weight * factor for weight in output.get_weights()])
