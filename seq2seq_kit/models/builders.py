"""The models: flat arguments in, an uncompiled `keras.Model` out. They know no recipe, no data and no tracking.

encoder (many to one) -> bridge (`RepeatVector`) -> decoder (many to many) -> output (`TimeDistributed(Dense)`), so that
input and output lengths may differ. Layer names are part of the API: `encoder_0..n`, `latent`, `bridge`, `decoder_0..n`,
`output`.
"""

from collections.abc import Sequence
from typing import Literal

import keras

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models.arguments import boolean, positive_int, units_list
from seq2seq_kit.models.blocks import Recurrent, bridge, decode, encode, head

Cell = Literal["lstm", "gru"]


def build_encoder_decoder(
    *,
    input_steps: int | None,
    output_steps: int,
    input_features: int,
    output_features: int = 1,
    future_features: int = 0,
    encoder_units: Sequence[int] = (64,),
    decoder_units: Sequence[int] = (64,),
    cell: Cell = "lstm",
    bidirectional: bool = False,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    kernel_l2: float = 0.0,
) -> keras.Model:
    """A sequence to a sequence of another length, such as 100 steps to 10.

    Args:
        input_steps: Steps that the encoder reads; None for any number.
        output_steps: Steps that the decoder writes.
        input_features: Columns of the inputs.
        output_features: Columns of the outputs.
        future_features: Columns known ahead of time that the decoder is given for each step it writes.
        encoder_units: Units of each encoder layer, first to last.
        decoder_units: Units of each decoder layer, first to last.
        cell: `lstm` or `gru`.
        bidirectional: Encoder layers read the window in both directions; their outputs are twice as wide.
        dropout: Share of each recurrent layer's inputs dropped in training, in [0, 1).
        recurrent_dropout: Share of the recurrent state dropped in training, in [0, 1); leaves the fast kernels.
        kernel_l2: L2 penalty on the input kernels of the recurrent layers, at least 0.

    Returns:
        An uncompiled model.

    Input shape:
        `inputs`: `(batch, input_steps, input_features)`; with `future_features` also `future`:
        `(batch, output_steps, future_features)`, given as `[inputs, future]`.

    Output shape:
        `(batch, output_steps, output_features)`.

    Raises:
        ArgumentError: An argument lies outside its range; the message names it.

    Example:
        >>> model = build_encoder_decoder(input_steps=100, output_steps=10, input_features=4)
        >>> model.output_shape
        (None, 10, 1)
    """
    if input_steps is not None:
        positive_int("input_steps", input_steps)
    positive_int("output_steps", output_steps)
    positive_int("input_features", input_features)
    positive_int("output_features", output_features)
    positive_int("future_features", future_features, least=0)
    boolean("bidirectional", bidirectional)
    recurrent = Recurrent(cell, dropout, recurrent_dropout, kernel_l2)
    inputs = keras.Input((input_steps, input_features), name="inputs")
    future = keras.Input((output_steps, future_features), name="future") if future_features else None
    latent = encode(inputs, units_list("encoder_units", encoder_units), recurrent, bidirectional=bidirectional)
    repeated = bridge(latent, output_steps, future)
    decoded = decode(repeated, units_list("decoder_units", decoder_units), recurrent)
    outputs = head(decoded, output_features)
    return keras.Model(inputs if future is None else [inputs, future], outputs, name="encoder_decoder")


def build_autoencoder(
    *,
    input_steps: int,
    input_features: int,
    output_features: int | None = None,
    latent_dim: int | None = None,
    encoder_units: Sequence[int] = (64,),
    decoder_units: Sequence[int] = (64,),
    cell: Cell = "lstm",
    bidirectional: bool = False,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    kernel_l2: float = 0.0,
) -> keras.Model:
    """A sequence to itself, through one latent vector. `split_autoencoder` gives its two halves.

    Args:
        input_steps: Steps of the sequence.
        input_features: Columns of the sequence.
        output_features: Columns that are rebuilt, the first ones of the sequence; None: all.
        latent_dim: Width of the latent vector, made by a linear layer `latent`; None: the last encoder layer's output.
        encoder_units: Units of each encoder layer, first to last.
        decoder_units: Units of each decoder layer, first to last.
        cell: `lstm` or `gru`.
        bidirectional: Encoder layers read the window in both directions.
        dropout: Share of each recurrent layer's inputs dropped in training, in [0, 1).
        recurrent_dropout: Share of the recurrent state dropped in training, in [0, 1); leaves the fast kernels.
        kernel_l2: L2 penalty on the input kernels of the recurrent layers, at least 0.

    Returns:
        An uncompiled model.

    Input shape:
        `(batch, input_steps, input_features)`.

    Output shape:
        `(batch, input_steps, output_features)`.

    Raises:
        ArgumentError: An argument lies outside its range; the message names it.

    Example:
        >>> model = build_autoencoder(input_steps=24, input_features=3, latent_dim=8)
        >>> encoder, decoder = split_autoencoder(model)
        >>> encoder.output_shape, decoder.output_shape
        ((None, 8), (None, 24, 3))
    """
    positive_int("input_steps", input_steps)
    positive_int("input_features", input_features)
    output_features = input_features if output_features is None else positive_int("output_features", output_features)
    if output_features > input_features:
        raise ArgumentError(
            f"output_features must be at most input_features ({input_features}). Received: output_features={output_features}"
        )
    boolean("bidirectional", bidirectional)
    if latent_dim is not None:
        positive_int("latent_dim", latent_dim)
    recurrent = Recurrent(cell, dropout, recurrent_dropout, kernel_l2)
    inputs = keras.Input((input_steps, input_features), name="inputs")
    latent = encode(inputs, units_list("encoder_units", encoder_units), recurrent, bidirectional=bidirectional)
    if latent_dim is not None:
        latent = keras.layers.Dense(latent_dim, name="latent")(latent)
    decoded = decode(bridge(latent, input_steps), units_list("decoder_units", decoder_units), recurrent)
    return keras.Model(inputs, head(decoded, output_features), name="autoencoder")


def split_autoencoder(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The two halves of an autoencoder, on the same weights: training one trains the whole.

    Args:
        model: What `build_autoencoder` gave, also after saving and loading.

    Returns:
        The encoder, `(batch, input_steps, input_features)` -> `(batch, latent_dim)`, and the decoder,
        `(batch, latent_dim)` -> `(batch, input_steps, input_features)`.

    Raises:
        ArgumentError: The model has no bridge between an encoder and a decoder of its own.
    """
    names = [layer.name for layer in model.layers]
    if "bridge" not in names or len(model.inputs) != 1:
        raise ArgumentError(f"model must be an autoencoder with a layer named bridge. Received: layers {names}")
    at = names.index("bridge")
    latent = model.layers[at].input
    encoder = keras.Model(model.inputs[0], latent, name="encoder")
    entry = keras.Input(latent.shape[1:], name="latent_inputs")
    outputs = entry
    for layer in model.layers[at:]:
        outputs = layer(outputs)
    return encoder, keras.Model(entry, outputs, name="decoder")
