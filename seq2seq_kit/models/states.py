"""Bridges that hand over more than one vector: the encoder's states to start from, its steps to look at."""

from collections.abc import Sequence

import keras

from seq2seq_kit.models.arguments import refuse
from seq2seq_kit.models.keras_compat import Tensor


def attend(decoded: Tensor, memory: Tensor) -> Tensor:
    """Luong's general score (Luong, Pham and Manning 2015): a context of the encoder's steps beside each decoder step.

    Layers `attention_keys` (the score's matrix), `attention`, `attention_vector` (tanh of context and decoder output).
    A mask of `memory` keeps padded steps out.
    """
    width = decoded.shape[-1]
    keys = keras.layers.Dense(width, use_bias=False, name="attention_keys")(memory)
    context = keras.layers.Attention(name="attention")([decoded, memory, keys])
    both = keras.layers.Concatenate(name="attention_both")([context, decoded])
    return keras.layers.Dense(width, activation="tanh", name="attention_vector")(both)


def require_equal_units(encoder: Sequence[int], decoder: Sequence[int], *, bidirectional: bool, why: str) -> None:
    """Raises `ArgumentError` unless each decoder layer can start from the encoder layer of the same position."""
    fitting = [width * (2 if bidirectional else 1) for width in encoder]
    if list(decoder) != fitting:
        twice = ", twice as wide as the encoder's because that reads in both directions" if bidirectional else ""
        starts = f"with {why} each decoder layer starts from the states of the encoder layer of the same position"
        refuse("decoder_units", list(decoder), f"be {fitting}{twice}: {starts}")
