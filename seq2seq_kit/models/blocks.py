"""The parts that builders compose: encoder, bridge, decoder, output. Parts in, tensors out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from seq2seq_kit.models.arguments import fraction, non_negative, one_of

CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


@dataclass(frozen=True)
class Recurrent:
    """How every recurrent layer of a model is made.

    Attributes:
        cell: `lstm` or `gru`.
        dropout: Share of a layer's inputs that is dropped in training.
        recurrent_dropout: Share of its state that is dropped in training.
        kernel_l2: L2 penalty on its input kernel.
    """

    cell: str = "lstm"
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    kernel_l2: float = 0.0

    def __post_init__(self) -> None:
        one_of("cell", self.cell, list(CELLS))
        fraction("dropout", self.dropout)
        fraction("recurrent_dropout", self.recurrent_dropout)
        non_negative("kernel_l2", self.kernel_l2)

    def layer(self, units: int, *, return_sequences: bool, name: str) -> keras.layers.Layer:
        """One recurrent layer."""
        return CELLS[self.cell](
            units,
            return_sequences=return_sequences,
            dropout=self.dropout,
            recurrent_dropout=self.recurrent_dropout,
            kernel_regularizer=keras.regularizers.L2(self.kernel_l2) if self.kernel_l2 else None,
            name=name,
        )


def encode(inputs: Any, units: Sequence[int], recurrent: Recurrent, *, bidirectional: bool) -> Any:
    """Many to one: `(batch, input_steps, features)` -> `(batch, units[-1])`, twice as wide when bidirectional.

    Layers `encoder_0..n`. Only the last one gives up the sequence for its final output.
    """
    outputs = inputs
    for position, width in enumerate(units):
        name = f"encoder_{position}"
        sequences = position < len(units) - 1
        if bidirectional:
            inner = recurrent.layer(width, return_sequences=sequences, name=f"{name}_cell")
            outputs = keras.layers.Bidirectional(inner, name=name)(outputs)
        else:
            outputs = recurrent.layer(width, return_sequences=sequences, name=name)(outputs)
    return outputs


def bridge(latent: Any, output_steps: int, future: Any = None) -> Any:
    """`(batch, width)` -> `(batch, output_steps, width)`: the decoder sees the latent vector at every step.

    What is known of the steps ahead, `future` of shape `(batch, output_steps, features)`, is put beside it.
    """
    repeated = keras.layers.RepeatVector(output_steps, name="bridge")(latent)
    if future is None:
        return repeated
    return keras.layers.Concatenate(name="bridge_future")([repeated, future])


def decode(inputs: Any, units: Sequence[int], recurrent: Recurrent) -> Any:
    """Many to many: `(batch, output_steps, width)` -> `(batch, output_steps, units[-1])`. Layers `decoder_0..n`."""
    outputs = inputs
    for position, width in enumerate(units):
        outputs = recurrent.layer(width, return_sequences=True, name=f"decoder_{position}")(outputs)
    return outputs


def head(inputs: Any, output_features: int) -> Any:
    """The same linear map at every step: `(batch, output_steps, width)` -> `(batch, output_steps, output_features)`."""
    return keras.layers.TimeDistributed(keras.layers.Dense(output_features, name="output_dense"), name="output")(inputs)
