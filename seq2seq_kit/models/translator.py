"""Tokens to tokens of another length: the encoder-decoder of words and letters."""

from collections.abc import Sequence
from typing import Literal

import keras

from seq2seq_kit.models.acceleration import accelerate
from seq2seq_kit.models.arguments import boolean, one_of, positive_int, units_list
from seq2seq_kit.models.blocks import Recurrent, decode, encode, head
from seq2seq_kit.models.keras_compat import Tensor
from seq2seq_kit.models.masks import OneHot
from seq2seq_kit.models.states import attend, require_equal_units

Bridge = Literal["repeat", "state", "attention"]
BRIDGES = ("repeat", "state", "attention")


def build_translator(
    *,
    source_tokens: int,
    target_tokens: int,
    output_steps: int,
    bridge: Bridge = "repeat",
    embedding_dim: int | None = None,
    encoder_units: Sequence[int] = (128,),
    decoder_units: Sequence[int] = (128,),
    bidirectional: bool = False,
    pyramid: int = 1,
    cell: Literal["lstm", "gru"] = "lstm",
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    kernel_l2: float = 0.0,
    forget_bias: str = "ones",
    memory_steps: int | None = None,
) -> keras.Model:
    """A sequence of tokens to another one. Token 0 is padding in the source; in the target it is the end.

    Args:
        source_tokens: Numbers in use on the source side, padding included.
        target_tokens: Numbers in use on the target side, the end included.
        output_steps: Steps that a repeating decoder writes; the other bridges write until the end.
        bridge: `repeat`: the encoder's last output at every step (Cho et al. 2014 without feeding back); `state`: the decoder
            starts from the encoder's states and is autoregressive (Sutskever et al. 2014); `attention`: beside that it looks at
            every step of the encoder (Luong et al. 2015).
        embedding_dim: Width of a token's learned vector; None: one-hot vectors.
        encoder_units: Units of each encoder layer, first to last.
        decoder_units: Units of each decoder layer; with `state` and `attention` those of the encoder, twice as many
            when it is bidirectional.
        bidirectional: The encoder reads in both directions.
        pyramid: 2 joins the steps in pairs before each encoder layer but the first (Chan et al. 2016).
        cell: `lstm` or `gru`.
        dropout: Share of each recurrent layer's inputs dropped in training, in [0, 1).
        recurrent_dropout: Share of the recurrent state dropped in training, in [0, 1).
        kernel_l2: L2 penalty on the input kernels of the recurrent layers, at least 0.
        forget_bias: How the gates of the encoder's LSTMs begin: `ones`, or `chrono` for long memory (`Chrono`).
        memory_steps: Longest memory of `chrono`, at least 3; None: the steps that a layer runs over.

    Returns:
        An uncompiled model whose outputs are logits.

    Input shape:
        `source`: `(batch, any)`, whole numbers, padded with 0 on the right; with `state` and `attention` also `previous`:
        `(batch, steps)`, the target one step later, 0 first. `models.decoding` writes without it.

    Output shape:
        `(batch, output_steps, target_tokens)`; with `state` and `attention` as many steps as `previous`.

    Raises:
        ArgumentError: An argument lies outside its range; the message names it.
    """
    positive_int("source_tokens", source_tokens, least=2)
    positive_int("target_tokens", target_tokens, least=2)
    positive_int("output_steps", output_steps)
    one_of("bridge", bridge, BRIDGES)
    boolean("bidirectional", bidirectional)
    positive_int("pyramid", pyramid)
    if embedding_dim is not None:
        positive_int("embedding_dim", embedding_dim)
    encoders, decoders = units_list("encoder_units", encoder_units), units_list("decoder_units", decoder_units)
    recurrent = Recurrent(cell, dropout, recurrent_dropout, kernel_l2, forget_bias, memory_steps)
    source = keras.Input((None,), dtype="int32", name="source")
    vectors = _vectors(source, source_tokens, embedding_dim, "source", masked=True)
    if bridge == "repeat":
        latent, _ = encode(vectors, encoders, recurrent, bidirectional=bidirectional, pyramid=pyramid)
        repeated = keras.layers.RepeatVector(output_steps, name="bridge")(latent)
        outputs = head(decode(repeated, decoders, recurrent), target_tokens)
        return accelerate(keras.Model(source, outputs, name="translator"))
    require_equal_units(encoders, decoders, bidirectional=bidirectional, why=f"bridge={bridge!r}")
    memory, states = encode(
        vectors,
        encoders,
        recurrent,
        bidirectional=bidirectional,
        pyramid=pyramid,
        with_states=True,
        with_steps=bridge == "attention",
    )
    previous = keras.Input((None,), dtype="int32", name="previous")
    read = _vectors(previous, target_tokens, embedding_dim, "previous", masked=False)
    decoded = decode(read, decoders, recurrent, states)
    if bridge == "attention":
        decoded = attend(decoded, memory)
    outputs = keras.layers.Dense(target_tokens, name="output")(decoded)
    return accelerate(keras.Model([source, previous], outputs, name="translator"))


def _vectors(numbers: Tensor, tokens: int, embedding_dim: int | None, name: str, *, masked: bool) -> Tensor:
    if embedding_dim is None:
        return OneHot(tokens - 1, mask_zero=masked, name=f"{name}_one_hot")(numbers)
    return keras.layers.Embedding(tokens, embedding_dim, mask_zero=masked, name=f"{name}_embedding")(numbers)
