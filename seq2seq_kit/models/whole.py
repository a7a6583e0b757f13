"""A sequence of any length to itself through one latent vector. Padding counts nowhere: a mask goes all the way through.

encoder (many to one) -> `latent` -> bridge (`Repeat`, as long as the input, with its mask) -> decoder (many to many) -> output.
"""

from collections.abc import Sequence
from typing import Literal

import keras

from seq2seq_kit.models.acceleration import accelerate
from seq2seq_kit.models.arguments import boolean, fraction, non_negative, one_of, positive_int, units_list
from seq2seq_kit.models.blocks import Recurrent, decode, encode, padded_values
from seq2seq_kit.models.drawing import KL_WEIGHT, LATENTS, add_noise, make_latent
from seq2seq_kit.models.layers import Repeat
from seq2seq_kit.models.masks import DropMask


def build_whole_autoencoder(
    *,
    input_features: int,
    output_features: int | None = None,
    latent_dim: int | None = None,
    encoder_units: Sequence[int] = (64,),
    decoder_units: Sequence[int] = (64,),
    bidirectional: bool = False,
    pyramid: int = 1,
    output_dropout: float = 0.0,
    noise: float = 0.0,
    latent: Literal["plain", "variational"] = "plain",
    kl_weight: float = KL_WEIGHT,
    kl_warmup: int = 0,
    cell: Literal["lstm", "gru"] = "lstm",
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    kernel_l2: float = 0.0,
    forget_bias: str = "ones",
    memory_steps: int | None = None,
) -> keras.Model:
    """A sequence of any length to itself. The decoder knows the latent vector and the length, nothing else.

    Args:
        input_features: Columns of the sequence.
        output_features: Columns that are rebuilt; None: all.
        latent_dim: Width of the latent vector, made by a linear layer `latent`; None: the last encoder layer's output.
        encoder_units: Units of each encoder layer, first to last.
        decoder_units: Units of each decoder layer, first to last.
        bidirectional: Encoder layers read the sequence in both directions.
        pyramid: Neighbouring steps that are joined between two encoder layers.
        output_dropout: Share of the decoder's outputs dropped in training, in [0, 1).
        noise: Standard deviation of the noise that the rebuilt columns get on their way in, in training only.
        latent: `variational`: the latent vector is drawn in training, and its mean in use.
        kl_weight: As of `build_autoencoder`.
        kl_warmup: As of `build_autoencoder`.
        cell: `lstm` or `gru`.
        dropout: Share of each recurrent layer's inputs dropped in training, in [0, 1).
        recurrent_dropout: Share of the recurrent state dropped in training, in [0, 1).
        kernel_l2: L2 penalty on the input kernels of the recurrent layers, at least 0.
        forget_bias: How the gates of the encoder's LSTMs begin: `ones`, or `chrono` for long memory (`Chrono`).
        memory_steps: Longest memory of `chrono`, at least 3; None: the steps that a layer runs over.

    Returns:
        An uncompiled model; `encoder_of` gives its first half.

    Input shape:
        `values`: `(batch, any, input_features)`, padded on the right; `valid`: `(batch, any)`, 1, or 0 for padding.

    Output shape:
        `(batch, any, output_features)`, as many steps as the input.

    Raises:
        ArgumentError: An argument lies outside its range; the message names it.

    Example:
        >>> model = build_whole_autoencoder(input_features=2, latent_dim=3)
        >>> model.output_shape, encoder_of(model).output_shape
        ((None, None, 2), (None, 3))
    """
    positive_int("input_features", input_features)
    output_features = input_features if output_features is None else positive_int("output_features", output_features)
    if latent_dim is not None:
        positive_int("latent_dim", latent_dim)
    encoders, decoders = units_list("encoder_units", encoder_units), units_list("decoder_units", decoder_units)
    boolean("bidirectional", bidirectional)
    positive_int("pyramid", pyramid)
    fraction("output_dropout", output_dropout)
    one_of("latent", latent, LATENTS)
    non_negative("kl_weight", kl_weight)
    positive_int("kl_warmup", kl_warmup, least=0)
    recurrent = Recurrent(cell, dropout, recurrent_dropout, kernel_l2, forget_bias, memory_steps)
    inputs, sequence = padded_values(input_features, mask="mask")
    sequence = add_noise(sequence, noise, output_features)
    encoded, _ = encode(sequence, encoders, recurrent, bidirectional=bidirectional, pyramid=pyramid)
    vector = make_latent(encoded, latent_dim, latent, kl_weight=kl_weight, kl_warmup=kl_warmup)
    decoded = decode(Repeat(name="bridge")([vector, sequence]), decoders, recurrent)
    if output_dropout:
        decoded = keras.layers.Dropout(output_dropout, name="output_dropout")(decoded)
    # As in next_step.py: TimeDistributed cannot take an open number of steps in Keras 3.15.
    outputs = keras.layers.Dense(output_features, name="output")(decoded)
    return accelerate(keras.Model(inputs, DropMask(name="unmask")(outputs), name="whole_autoencoder"))


def encoder_of(model: keras.Model) -> keras.Model:
    """The encoder of `build_whole_autoencoder`, on the same weights: the same inputs -> `(batch, latent_dim)`."""
    return keras.Model(model.inputs, model.get_layer("bridge").input[0], name="encoder")
