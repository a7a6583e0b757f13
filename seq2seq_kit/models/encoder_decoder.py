"""A sequence to a sequence of another length: flat arguments in, an uncompiled `keras.Model` out. Knows no recipe and no data.

encoder (many to one) -> bridge (`RepeatVector`) -> decoder (many to many) -> output (`TimeDistributed(Dense)`). What is asked
for beyond that stands around it, in this order: `split_categories`, `normalise`, `category_0..n`, `categories`,
`split_channels`, `segment_join`, `segment`, `encoder_0`, `encoder_1_join`, `encoder_1..n`, `channel_embedding`, `bridge`,
`position_embedding`, `bridge_future`, `decoder_0..n`, `output_dropout`, `output`, `output_split`, `add_linear_skip`,
`merge_channels`, `denormalise`, `quantiles`; beside it `spread`, `spread_split`, `future`, `split_future_categories`,
`future_categories`, `future_channels`, `future_join`, `linear_skip` with what stands around it,
and, for a bidirectional encoder, `encoder_0_state_h`. Layer names are part of the API.
"""

from collections.abc import Sequence
from typing import Literal

import keras

from seq2seq_kit.models import blocks
from seq2seq_kit.models.acceleration import accelerate
from seq2seq_kit.models.arguments import (
    boolean,
    fraction,
    one_of,
    positions,
    positive_int,
    refuse,
    units_list,
    whole_steps,
)
from seq2seq_kit.models.blocks import Recurrent, decode, encode, head, segments
from seq2seq_kit.models.bridges import BRIDGES
from seq2seq_kit.models.categories import Embedded, known_ahead
from seq2seq_kit.models.channels import ChannelEmbedding, MergeChannels, RepeatChannels, SplitChannels
from seq2seq_kit.models.keras_compat import Tensor
from seq2seq_kit.models.layers import NORMALISATIONS, Denormalise, JoinSteps, Normalise
from seq2seq_kit.models.linear_skip import add_linear_skip
from seq2seq_kit.models.quantiles import Quantiles, odd_count, spread_head
from seq2seq_kit.models.states import require_equal_units

Cell = Literal["lstm", "gru"]
Channels = Literal["joint", "independent"]
Normalisation = Literal["none", "last", "mean_std"]
DecoderState = Literal["zeros", "encoder"]


def build_encoder_decoder(
    *,
    input_steps: int | None,
    output_steps: int,
    input_features: int,
    output_features: int = 1,
    future_features: int = 0,
    encoder_units: Sequence[int] = (64,),
    decoder_units: Sequence[int] = (64,),
    bidirectional: bool = False,
    pyramid: int = 1,
    segment_steps: int = 1,
    bridge: str = "repeat",
    channels: Channels = "joint",
    normalise: Normalisation = "none",
    position_embedding: bool = False,
    decoder_state: DecoderState = "zeros",
    output_dropout: float = 0.0,
    linear_skip: bool = False,
    quantiles: int = 0,
    target_positions: Sequence[int] | None = None,
    measured_positions: Sequence[int] | None = None,
    categories: Sequence[int] = (),
    future_categories: int = 0,
    fixed_categories: int = 0,
    skip_categories: Sequence[int] | None = None,
    embedding_units: int | None = None,
    cell: Literal["lstm", "gru"] = "lstm",
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    kernel_l2: float = 0.0,
    forget_bias: str = "ones",
    memory_steps: int | None = None,
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
        bidirectional: Encoder layers read the window in both directions; their outputs are twice as wide.
        pyramid: Neighbouring steps that are joined between two encoder layers; layer n runs over 1 / pyramid^n of the steps
            (Chan et al. 2016, "Listen, attend and spell").
        segment_steps: Neighbouring steps that are one step of the recurrence; the output layer writes as many at a time
            (Lin et al. 2023, SegRNN). With `input_steps=None` a shorter last segment is filled with zeros.
        bridge: How the latent vector becomes the decoder's inputs, a key of `models.bridges.BRIDGES`: `repeat`.
        channels: `joint`: all columns in one sequence; `independent`: each target is a series of its own beside the inputs
            that are no targets, all with the same weights and a learned vector each that is added to the latent vector.
        normalise: What is taken out of each window's measured columns and put back into the outputs: `none`, `last` (the
            newest value), `mean_std` (mean and standard deviation).
        position_embedding: Adds a learned vector to each step of the repeated latent vector.
        decoder_state: What decoder layer i starts from: `zeros`, or the final states of `encoder` layer i.
        output_dropout: Share of the decoder's outputs dropped in training, in [0, 1).
        linear_skip: Adds a linear map from the window and what is known of the steps ahead to the outputs, normalised where
            the window is; each step and target has weights of its own, independent channels share them (Lai et al. 2018,
            "Modeling long- and short-term temporal patterns with deep neural networks", with the inputs of all columns). It
            begins at zero; `models.linear_skip.set_linear_skip` gives it the weights of a linear forecast.
        quantiles: How many quantiles of each step and target it writes, an odd number with the median in the middle, which is
            what it would write otherwise; they cannot cross. 0: one number.
        target_positions: Position of each target among the inputs; None: the first columns. Needed where targets are
            normalised or independent.
        measured_positions: Positions of the inputs that are normalised; None: all. A calendar, flags and what is known
            ahead are none.
        categories: Codes of each category, whose columns are the last ones of the inputs: 0 is a missing cell, 1 an unknown
            value, from 2 on a value. Each code has a learned vector; see `models.categories`.
        future_categories: How many of them, the first ones, are also the last columns of `future`.
        fixed_categories: How many of these, the first ones, are the same at all steps of a window, so that `linear_skip` sees
            them once.
        skip_categories: Columns that `linear_skip` has for each category: one for each code, those from the last one on share
            it; None: as many as there are codes.
        embedding_units: Width of the vectors; None: half as many as a category has codes, at most 50.
        cell: `lstm` or `gru`.
        dropout: Share of each recurrent layer's inputs dropped in training, in [0, 1).
        recurrent_dropout: Share of the recurrent state dropped in training, in [0, 1).
        kernel_l2: L2 penalty on the input kernels of the recurrent layers, at least 0.
        forget_bias: How the gates of the encoder's LSTMs begin: `ones`, or `chrono` for long memory (`Chrono`).
        memory_steps: Longest memory of `chrono`, at least 3; None: the steps that a layer runs over.

    Returns:
        An uncompiled model.

    Input shape:
        `inputs`: `(batch, input_steps, input_features)`; with `future_features` also `future`:
        `(batch, output_steps, future_features)`, given as `[inputs, future]`.

    Output shape:
        `(batch, output_steps, output_features)`; with quantiles `(batch, output_steps, output_features, quantiles)`.

    Raises:
        ArgumentError: An argument lies outside its range; the message names it.

    Example:
        >>> model = build_encoder_decoder(input_steps=100, output_steps=10, input_features=4)
        >>> model.output_shape
        (None, 10, 1)
    """
    positive_int("input_features", input_features)
    positive_int("output_features", output_features)
    positive_int("future_features", future_features, least=0)
    positive_int("pyramid", pyramid)
    positive_int("segment_steps", segment_steps)
    boolean("bidirectional", bidirectional)
    boolean("position_embedding", position_embedding)
    if boolean("linear_skip", linear_skip) and input_steps is None:
        refuse(
            "input_steps", input_steps, "be a number of steps for linear_skip=True, which has a weight for each of them"
        )
    fraction("output_dropout", output_dropout)
    odd_count("quantiles", quantiles)
    encoder, decoder = units_list("encoder_units", encoder_units), units_list("decoder_units", decoder_units)
    if input_steps is not None:
        whole_steps("input_steps", input_steps, segment_steps, pyramid, len(encoder))
    whole_steps("output_steps", output_steps, segment_steps)
    one_of("bridge", bridge, list(BRIDGES))
    recurrent = Recurrent(cell, dropout, recurrent_dropout, kernel_l2, forget_bias, memory_steps)
    if one_of("decoder_state", decoder_state, ["zeros", "encoder"]) == "encoder":
        require_equal_units(encoder, decoder, bidirectional=bidirectional, why="decoder_state='encoder'")
    independent = one_of("channels", channels, ["joint", "independent"]) == "independent"
    one_of("normalise", normalise, ["none", *NORMALISATIONS])
    embedded = Embedded(categories, embedding_units, skip_categories)
    known_ahead("future_categories", future_categories, categories)
    known_ahead("fixed_categories", fixed_categories, categories)
    if len(categories) >= input_features:
        refuse("categories", list(categories), f"leave columns of numbers among the inputs ({input_features})")
    if future_categories > future_features:
        refuse("future_categories", future_categories, f"be at most future_features ({future_features})")
    input_numbers = input_features - len(categories)
    targets = _targets(target_positions, output_features, input_numbers, normalise, independent=independent)
    measured = list(range(input_numbers))
    if measured_positions is not None:
        measured = positions("measured_positions", measured_positions, below=input_numbers)

    inputs = keras.Input((input_steps, input_features), name="inputs")
    future = keras.Input((output_steps, future_features), name="future") if future_features else None
    numbers, ahead, statistics = inputs, future, None
    codes: list[Tensor] = []
    ahead_codes: list[Tensor] = []
    if categories:
        numbers, codes = embedded.split(inputs, len(categories), name="split_categories")
    if future_categories:
        ahead, ahead_codes = embedded.split(future, future_categories, name="split_future_categories")
    if normalise != "none":
        _require_measured(targets, measured)
        numbers, statistics = Normalise(normalise, measured, name="normalise")(numbers)
    sequence = embedded.join(numbers, codes, name="categories")
    known = embedded.join(ahead, ahead_codes, name="future_categories") if future is not None else None
    seen = [sequence, known]
    if categories and linear_skip:
        seen = [
            embedded.indicate(numbers, codes, fixed_categories, name="linear_skip_categories"),
            embedded.indicate(ahead, ahead_codes, fixed_categories, name="linear_skip_future_categories"),
            embedded.indicate_once(codes, fixed_categories, name="linear_skip_fixed_categories"),
        ]
    if independent:
        sequence, known, *seen = _by_channel(output_features, sequence, known, seen, shared=not categories)
    ahead = known
    if segment_steps > 1:
        sequence = segments(sequence, segment_steps, encoder[0])
        if ahead is not None:
            ahead = JoinSteps(segment_steps, name="future_join")(ahead)
    latent, states = encode(
        sequence,
        encoder,
        recurrent,
        bidirectional=bidirectional,
        pyramid=pyramid,
        with_states=decoder_state == "encoder",
    )
    if independent:
        latent = ChannelEmbedding(output_features, name="channel_embedding")(latent)
    steps = output_steps // segment_steps
    repeated = blocks.bridge(latent, steps, ahead, kind=bridge, position_embedding=position_embedding)
    decoded = decode(repeated, decoder, recurrent, states)
    width = 1 if independent else output_features
    outputs = head(decoded, width, segment_steps=segment_steps, dropout=output_dropout)
    spread = spread_head(decoded, width * (quantiles - 1), segment_steps=segment_steps) if quantiles else None
    if linear_skip:
        outputs = add_linear_skip(outputs, *seen, channels=output_features if independent else 1)
    if independent:
        outputs = MergeChannels(output_features, name="merge_channels")(outputs)
    if statistics is not None:
        outputs = Denormalise(targets, name="denormalise")([outputs, statistics])
    if spread is not None:
        parts = [outputs, spread, *([] if statistics is None else [statistics])]
        outputs = Quantiles(quantiles, targets, independent=independent, name="quantiles")(parts)
    return accelerate(keras.Model(inputs if future is None else [inputs, future], outputs, name="encoder_decoder"))


def _by_channel(
    channels: int, sequence: Tensor, known: Tensor | None, seen: Sequence[Tensor | None], *, shared: bool
) -> list[Tensor | None]:
    """Window, what is known ahead and what the linear skip sees of them, for each channel; `shared`: it sees the same."""
    split = SplitChannels(channels, name="split_channels")(sequence)
    ahead = None if known is None else RepeatChannels(channels, name="future_channels")(known)
    if shared:
        return [split, ahead, split, ahead]
    window = SplitChannels(channels, name="linear_skip_channels")(seen[0])
    others = [
        None if part is None else RepeatChannels(channels, name=f"linear_skip_channels_{number}")(part)
        for number, part in enumerate(seen[1:], start=1)
    ]
    return [split, ahead, window, *others]


def _targets(
    given: Sequence[int] | None, output_features: int, input_features: int, normalise: str, *, independent: bool
) -> list[int]:
    """Positions of the targets among the inputs, where somebody needs them; otherwise of as many as were given."""
    if given is None and (independent or normalise != "none"):
        why = "channels='independent'" if independent else f"normalise={normalise!r}"
        if output_features > input_features:
            must = f"be at most input_features ({input_features}), because {why} needs every target among the inputs"
            refuse("output_features", output_features, must)
    if given is None:
        return list(range(output_features))
    found = positions("target_positions", given, below=input_features, count=output_features)
    if independent and found != list(range(output_features)):
        first = list(range(output_features))
        refuse("target_positions", given, f"be the first inputs in their order, {first}, for channels='independent'")
    return found


def _require_measured(targets: Sequence[int], measured: Sequence[int]) -> None:
    if not set(targets) <= set(measured):
        refuse(
            "measured_positions", list(measured), f"hold every target ({list(targets)}) where windows are normalised"
        )
