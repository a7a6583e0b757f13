"""Layers on channels: columns as series of their own, all with the same weights.

A batch of sequences with `channels` columns becomes a batch of `batch * channels` sequences in which each sequence's channels
stand one after another. Registered with Keras like those in layers.py.
"""

import keras
from keras import ops

from seq2seq_kit.models.arguments import positive_int, refuse_shape
from seq2seq_kit.models.keras_compat import Tensor
from seq2seq_kit.models.layers import PACKAGE, Shape, width_of


class _Channels(keras.layers.Layer):
    """What the layers on channels share: their number, and a batch that holds each sequence's channels one after another."""

    def __init__(self, channels: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.channels = positive_int("channels", channels)
        self.supports_masking = True

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"channels": self.channels}

    def _many(self, batch: int | None) -> int | None:
        return None if batch is None else batch * self.channels


@keras.saving.register_keras_serializable(package=PACKAGE)
class SplitChannels(_Channels):
    """Makes each of the first columns a series of its own, beside the columns that all of them share.

    Args:
        channels: Leading columns that are split; the columns after them are shared.

    Input shape:
        `(batch, time, channels + shared)`.

    Output shape:
        `(batch * channels, time, 1 + shared)`: the channels of one sequence stand together. A mask is repeated.
    """

    def build(self, input_shape: Shape) -> None:
        if width_of(input_shape[-1]) < self.channels:
            refuse_shape(f"SplitChannels needs at least channels={self.channels} columns", input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        own = ops.reshape(ops.transpose(inputs[..., : self.channels], (0, 2, 1)), (-1, ops.shape(inputs)[1], 1))
        if inputs.shape[-1] == self.channels:
            return own
        return ops.concatenate([own, ops.repeat(inputs[..., self.channels :], self.channels, axis=0)], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (self._many(input_shape[0]), input_shape[1], width_of(input_shape[-1]) - self.channels + 1)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        return None if previous_mask is None else ops.repeat(previous_mask, self.channels, axis=0)


@keras.saving.register_keras_serializable(package=PACKAGE)
class MergeChannels(_Channels):
    """Puts series of one column beside each other again: the reverse of `SplitChannels`.

    Args:
        channels: Series that become the columns of one sequence.

    Input shape:
        `(batch * channels, time, 1)`.

    Output shape:
        `(batch, time, channels)`. The mask is that of each first channel; they are all the same.
    """

    def build(self, input_shape: Shape) -> None:
        if input_shape[-1] != 1:
            refuse_shape("MergeChannels needs series of one column", input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return ops.transpose(ops.reshape(inputs, (-1, self.channels, ops.shape(inputs)[1])), (0, 2, 1))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch = input_shape[0]
        return (None if batch is None else batch // self.channels, input_shape[1], self.channels)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        return None if previous_mask is None else previous_mask[:: self.channels]


@keras.saving.register_keras_serializable(package=PACKAGE)
class RepeatChannels(_Channels):
    """Gives every channel of a sequence the same columns, such as those known of the steps ahead.

    Args:
        channels: Channels of each sequence.

    Input shape:
        `(batch, time, features)`.

    Output shape:
        `(batch * channels, time, features)`, in the order of `SplitChannels`. A mask is repeated.
    """

    def call(self, inputs: Tensor) -> Tensor:
        return ops.repeat(inputs, self.channels, axis=0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (self._many(input_shape[0]), *input_shape[1:])

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        return None if previous_mask is None else ops.repeat(previous_mask, self.channels, axis=0)


@keras.saving.register_keras_serializable(package=PACKAGE)
class ChannelEmbedding(_Channels):
    """Adds a learned vector to each channel's, so that shared weights can tell the channels apart.

    Args:
        channels: Channels of each sequence.

    Input shape:
        `(batch * channels, width)`, in the order of `SplitChannels`.

    Output shape:
        The same.
    """

    def build(self, input_shape: Shape) -> None:
        shape = (self.channels, width_of(input_shape[-1]))
        self.embeddings = self.add_weight(name="embeddings", shape=shape, initializer="uniform")

    def call(self, inputs: Tensor) -> Tensor:
        by_channel = ops.reshape(inputs, (-1, self.channels, inputs.shape[-1]))
        return ops.reshape(by_channel + self.embeddings, ops.shape(inputs))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)
