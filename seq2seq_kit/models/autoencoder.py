"""A sequence to itself, and to what is around it, through one latent vector; its two halves. Knows no recipe, no data.

encoder (many to one) -> `latent` -> bridge (`RepeatVector`) -> decoder (many to many) -> output. Everything that the decoder
knows passes through the latent vector, so what would go around it (states, a window's own mean) is no option here. Layer names
are part of the API and the same as in `encoder_decoder.py`.
"""

from collections.abc import Sequence
from typing import Literal

import keras

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models.acceleration import accelerate
from seq2seq_kit.models.arguments import (
    boolean,
    fraction,
    non_negative,
    one_of,
    output_columns,
    positive_int,
    refuse,
    units_list,
    whole_steps,
)
from seq2seq_kit.models.blocks import Recurrent, bridge, decode, encode, head, segments
from seq2seq_kit.models.categories import Embedded
from seq2seq_kit.models.drawing import KL_WEIGHT, LATENTS, add_noise, make_latent


def build_autoencoder(
    *,
    input_steps: int,
    input_features: int,
    output_features: int | None = None,
    latent_dim: int | None = None,
    forecast_steps: int = 0,
    backcast_steps: int = 0,
    encoder_units: Sequence[int] = (64,),
    decoder_units: Sequence[int] = (64,),
    bidirectional: bool = False,
    pyramid: int = 1,
    segment_steps: int = 1,
    position_embedding: bool = False,
    output_dropout: float = 0.0,
    categories: Sequence[int] = (),
    embedding_units: int | None = None,
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
    """A sequence to itself, through one latent vector. `split_autoencoder` gives its two halves.

    With `forecast_steps` and `backcast_steps` the decoder writes the steps around the sequence, too (Wong et al. 2022, "AER:
    Auto-encoder with regression for time series anomaly detection").

    Args:
        input_steps: Steps of the sequence.
        input_features: Columns of the sequence.
        output_features: Columns that are rebuilt, the first ones of the sequence; None: all.
        latent_dim: Width of the latent vector, made by a linear layer `latent`; None: the last encoder layer's output.
        forecast_steps: Steps after the sequence that are forecast from its latent vector.
        backcast_steps: Steps before it that are told likewise.
        encoder_units: Units of each encoder layer, first to last.
        decoder_units: Units of each decoder layer, first to last.
        bidirectional: Encoder layers read the window in both directions.
        pyramid: Neighbouring steps that are joined between two encoder layers.
        segment_steps: Neighbouring steps that are one step of the recurrence, in the encoder and in the decoder.
        position_embedding: Adds a learned vector to each step of the repeated latent vector.
        output_dropout: Share of the decoder's outputs dropped in training, in [0, 1).
        categories: Codes of each category, whose columns are the last ones of the inputs and are not rebuilt: 0 is a missing
            cell, 1 an unknown value, from 2 on a value. Each code has a learned vector; see `models.categories`.
        embedding_units: Width of the vectors; None: half as many as a category has codes, at most 50.
        noise: Standard deviation of the noise that the rebuilt columns get on their way in, in training only.
        latent: `variational`: the latent vector is drawn in training, and its mean in use.
        kl_weight: Weight of a variational latent vector's divergence from a standard normal one, in nats, beside the loss.
        kl_warmup: Epochs over which that weight rises; the kit's `train` minds it, Keras' `fit` by a callback that calls
            `begin_epoch` of the layer `latent`.
        cell: `lstm` or `gru`.
        dropout: Share of each recurrent layer's inputs dropped in training, in [0, 1).
        recurrent_dropout: Share of the recurrent state dropped in training, in [0, 1).
        kernel_l2: L2 penalty on the input kernels of the recurrent layers, at least 0.
        forget_bias: How the gates of the encoder's LSTMs begin: `ones`, or `chrono` for long memory (`Chrono`).
        memory_steps: Longest memory of `chrono`, at least 3; None: the steps that a layer runs over.

    Returns:
        An uncompiled model.

    Input shape:
        `(batch, input_steps, input_features)`.

    Output shape:
        `(batch, backcast_steps + input_steps + forecast_steps, output_features)`, in order of time.

    Raises:
        ArgumentError: An argument lies outside its range; the message names it.

    Example:
        >>> model = build_autoencoder(input_steps=24, input_features=3, latent_dim=8)
        >>> encoder, decoder = split_autoencoder(model)
        >>> encoder.output_shape, decoder.output_shape
        ((None, 8), (None, 24, 3))
    """
    positive_int("pyramid", pyramid)
    positive_int("segment_steps", segment_steps)
    encoder, decoder = units_list("encoder_units", encoder_units), units_list("decoder_units", decoder_units)
    whole_steps("input_steps", input_steps, segment_steps, pyramid, len(encoder))
    steps = input_steps
    for name, beyond in (("backcast_steps", backcast_steps), ("forecast_steps", forecast_steps)):
        steps += positive_int(name, beyond, least=0)
    if steps % segment_steps:
        refuse("forecast_steps", forecast_steps, f"make a multiple of {segment_steps} steps in all (they are {steps})")
    numbers = positive_int("input_features", input_features) - len(categories)
    if numbers < 1:
        refuse("categories", list(categories), f"leave columns of numbers among the inputs ({input_features})")
    output_features = output_columns(output_features, numbers)
    boolean("bidirectional", bidirectional)
    boolean("position_embedding", position_embedding)
    fraction("output_dropout", output_dropout)
    if latent_dim is not None:
        positive_int("latent_dim", latent_dim)
    one_of("latent", latent, LATENTS)
    non_negative("kl_weight", kl_weight)
    positive_int("kl_warmup", kl_warmup, least=0)
    recurrent = Recurrent(cell, dropout, recurrent_dropout, kernel_l2, forget_bias, memory_steps)
    inputs = keras.Input((input_steps, input_features), name="inputs")
    sequence = inputs
    embedded = Embedded(categories, embedding_units)
    if categories:
        sequence, codes = embedded.split(inputs, len(categories), name="split_categories")
    sequence = add_noise(sequence, noise, output_features)
    if categories:
        sequence = embedded.join(sequence, codes, name="categories")
    sequence = segments(sequence, segment_steps, encoder[0]) if segment_steps > 1 else sequence
    encoded, _ = encode(sequence, encoder, recurrent, bidirectional=bidirectional, pyramid=pyramid)
    vector = make_latent(encoded, latent_dim, latent, kl_weight=kl_weight, kl_warmup=kl_warmup)
    repeated = bridge(vector, steps // segment_steps, position_embedding=position_embedding)
    decoded = decode(repeated, decoder, recurrent)
    outputs = head(decoded, output_features, segment_steps=segment_steps, dropout=output_dropout)
    return accelerate(keras.Model(inputs, outputs, name="autoencoder"))


def split_autoencoder(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The two halves of an autoencoder, on the same weights: training one trains the whole.

    Args:
        model: What `build_autoencoder` gave, also after saving and loading.

    Returns:
        The encoder, `(batch, input_steps, input_features)` -> `(batch, latent_dim)`, and the decoder,
        `(batch, latent_dim)` -> the model's outputs.

    Raises:
        ArgumentError: The model has no bridge, or what comes after the bridge takes more than the latent vector.
    """
    names = [layer.name for layer in model.layers]
    if "bridge" not in names or len(model.inputs) != 1:
        raise ArgumentError(
            f"model must be an autoencoder with a layer named bridge. Received: layers {names}", code="wrong_model"
        )
    at = names.index("bridge")
    beside = [layer.name for layer in model.layers[at:] if isinstance(layer.input, list | tuple)]
    if beside:
        raise ArgumentError(
            "model must be an autoencoder, whose decoder takes nothing but the latent vector; here "
            f"{', '.join(beside)} take more. Received: layers {names}",
            code="wrong_model",
        )
    latent = model.layers[at].input
    encoder = keras.Model(model.inputs[0], latent, name="encoder")
    entry = keras.Input(latent.shape[1:], name="latent_inputs")
    outputs = entry
    for layer in model.layers[at:]:
        outputs = layer(outputs)
    return encoder, keras.Model(entry, outputs, name="decoder")
