"""The parts that builders compose: encoder, bridge, decoder, output. Parts in, tensors out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import keras

from seq2seq_kit.models.arguments import fraction, non_negative, one_of, positive_int, refuse
from seq2seq_kit.models.bridges import BRIDGES
from seq2seq_kit.models.initializers import LEAST_MEMORY, Chrono
from seq2seq_kit.models.keras_compat import Tensor
from seq2seq_kit.models.layers import JoinSteps, PositionEmbedding, SplitSteps
from seq2seq_kit.models.masks import WithMask

CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


@dataclass(frozen=True)
class Recurrent:
    """How every recurrent layer of a model is made.

    Attributes:
        cell: `lstm` or `gru`.
        dropout: Share of a layer's inputs that is dropped in training, in [0, 1).
        recurrent_dropout: Share of its state that is dropped in training, in [0, 1); leaves the fast kernels.
        kernel_l2: L2 penalty on its input kernel, at least 0.
        forget_bias: How the gates of an encoder's LSTM begin: `ones`, or `chrono` for long memory, see `Chrono`.
        memory_steps: T_max of `chrono`; None: the steps that a layer runs over.
    """

    cell: str = "lstm"
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    kernel_l2: float = 0.0
    forget_bias: str = "ones"
    memory_steps: int | None = None

    def __post_init__(self) -> None:
        one_of("cell", self.cell, list(CELLS))
        fraction("dropout", self.dropout)
        fraction("recurrent_dropout", self.recurrent_dropout)
        non_negative("kernel_l2", self.kernel_l2)
        one_of("forget_bias", self.forget_bias, ["ones", "chrono"])
        if self.memory_steps is not None:
            positive_int("memory_steps", self.memory_steps, least=LEAST_MEMORY)
        if self.forget_bias == "chrono" and self.cell != "lstm":
            refuse("cell", self.cell, "be 'lstm' for forget_bias='chrono', which is of its forget gate")

    def memory(self, steps: int | None) -> dict[str, object]:
        """How the biases of a layer of an encoder begin that runs over so many steps, as Keras' arguments."""
        if self.forget_bias == "ones":
            return {}
        if (longest := self.memory_steps or steps) is None:
            refuse("memory_steps", None, "be given for forget_bias='chrono' where the number of steps is open")
        return {"unit_forget_bias": False, "bias_initializer": Chrono(max(longest, LEAST_MEMORY))}

    def layer(
        self,
        units: int,
        *,
        return_sequences: bool,
        name: str,
        return_state: bool = False,
        use_cudnn: bool | str = "auto",
        biases: Mapping[str, object] = MappingProxyType({}),
    ) -> keras.layers.Layer:
        """One recurrent layer; `use_cudnn=False` where sequences may be empty, which cuDNN refuses; `biases`: of `memory`."""
        return CELLS[self.cell](
            units,
            return_sequences=return_sequences,
            return_state=return_state,
            use_cudnn=use_cudnn,
            dropout=self.dropout,
            recurrent_dropout=self.recurrent_dropout,
            kernel_regularizer=keras.regularizers.L2(self.kernel_l2) if self.kernel_l2 else None,
            name=name,
            **biases,
        )


def padded_values(features: int | None, *, mask: str, name: str = "values") -> tuple[list[Tensor], Tensor]:
    """The inputs of a model of padded sequences, `name` and `valid`, and the values masked by a layer of the name `mask`."""
    values = keras.Input((None, positive_int("input_features", features)), name=name)
    valid = keras.Input((None,), name="valid")
    return [values, valid], WithMask(name=mask)([values, valid])


def segments(inputs: Tensor, segment_steps: int, width: int) -> Tensor:
    """Steps in segments: `(batch, time, features)` -> `(batch, time / segment_steps, width)`, so recurrence runs over fewer.

    Each segment is embedded by one linear map and a ReLU, as in SegRNN (Lin et al. 2023, "Segment recurrent neural network
    for long-term time series forecasting"). Layers `segment_join`, `segment`.
    """
    joined = JoinSteps(segment_steps, name="segment_join")(inputs)
    return keras.layers.Dense(width, activation="relu", name="segment")(joined)


def encode(
    inputs: Tensor,
    units: Sequence[int],
    recurrent: Recurrent,
    *,
    bidirectional: bool,
    pyramid: int = 1,
    with_states: bool = False,
    with_steps: bool = False,
) -> tuple[Tensor, list[list[Tensor]]]:
    """Many to one: `(batch, input_steps, features)` -> `(batch, units[-1])`, twice as wide when bidirectional.

    Layers `encoder_0..n`. Only the last one gives up the sequence for its final output, unless `with_steps` asks for every
    step. Between two layers each `pyramid` neighbouring steps are joined (`encoder_1_join` and so on), so layer n runs over
    1 / pyramid^n of the steps (Chan et al. 2016, "Listen, attend and spell").

    Returns:
        The latent vector, or with `with_steps` the last layer's output at every step; and with `with_states` the final
        states of each layer, h and for an LSTM c, each with its backward state behind the forward one when bidirectional.
    """
    outputs, states = inputs, []
    for position, width in enumerate(units):
        name = f"encoder_{position}"
        if position and pyramid > 1:
            outputs = JoinSteps(pyramid, name=f"{name}_join")(outputs)
        inner = recurrent.layer(
            width,
            return_sequences=with_steps or position < len(units) - 1,
            return_state=with_states,
            name=f"{name}_cell" if bidirectional else name,
            biases=recurrent.memory(outputs.shape[1]),
        )
        layer = keras.layers.Bidirectional(inner, name=name) if bidirectional else inner
        if with_states:
            outputs, *final = layer(outputs)
            states.append(_both_directions(final, name) if bidirectional else final)
        else:
            outputs = layer(outputs)
    return outputs, states


def _both_directions(states: Sequence[Tensor], name: str) -> list[Tensor]:
    """Forward and backward states side by side: `[h, c, h, c]` -> `[h, c]`, `[h, h]` -> `[h]`."""
    half = len(states) // 2
    return [
        keras.layers.Concatenate(name=f"{name}_state_{letter}")([states[position], states[position + half]])
        for position, letter in zip(range(half), "hc", strict=False)
    ]


def bridge(
    latent: Tensor, steps: int, future: Tensor | None = None, *, kind: str = "repeat", position_embedding: bool = False
) -> Tensor:
    """`(batch, width)` -> `(batch, steps, width)`: the decoder's inputs, made of the latent vector; `kind` is a key of `BRIDGES`.

    What is known of the steps ahead, `future` of shape `(batch, steps, features)`, is put beside it.
    """
    repeated = BRIDGES[kind](latent, steps)
    if position_embedding:
        repeated = PositionEmbedding(steps, name="position_embedding")(repeated)
    if future is None:
        return repeated
    return keras.layers.Concatenate(name="bridge_future")([repeated, future])


def decode(
    inputs: Tensor, units: Sequence[int], recurrent: Recurrent, states: Sequence[Sequence[Tensor]] = ()
) -> Tensor:
    """Many to many: `(batch, steps, width)` -> `(batch, steps, units[-1])`. Layers `decoder_0..n`.

    Layer i starts from `states[i]` where there are any, otherwise from zeros.
    """
    outputs = inputs
    for position, width in enumerate(units):
        layer = recurrent.layer(width, return_sequences=True, name=f"decoder_{position}")
        outputs = layer(outputs, initial_state=list(states[position])) if states else layer(outputs)
    return outputs


def head(inputs: Tensor, output_features: int, *, segment_steps: int = 1, dropout: float = 0.0) -> Tensor:
    """The same linear map at every step: `(batch, steps, width)` -> `(batch, steps * segment_steps, output_features)`."""
    if dropout:
        inputs = keras.layers.Dropout(dropout, name="output_dropout")(inputs)
    dense = keras.layers.Dense(output_features * segment_steps, name="output_dense")
    outputs = keras.layers.TimeDistributed(dense, name="output")(inputs)
    return SplitSteps(segment_steps, name="output_split")(outputs) if segment_steps > 1 else outputs
