"""An autoregressive decoder of numbers: trained on the true value before each step, free-running in use."""

from collections.abc import Sequence
from typing import Literal

import keras
from keras import ops

from seq2seq_kit.models.acceleration import accelerate
from seq2seq_kit.models.arguments import boolean, one_of, positions, positive_int, refuse, units_list, whole_steps
from seq2seq_kit.models.blocks import Recurrent, decode, encode
from seq2seq_kit.models.categories import Embedded, known_ahead
from seq2seq_kit.models.keras_compat import Tensor
from seq2seq_kit.models.masks import MixPrevious
from seq2seq_kit.models.states import attend, require_equal_units

FEEDBACK_BRIDGES = ("state", "attention")
_GIVEN = ("previous", "answers")  # inputs that are there in training only: what the decoder would have written


@keras.saving.register_keras_serializable(package="seq2seq_kit")
class StepBefore(keras.layers.Layer):
    """The values one step before each step to predict: the newest input first, then the answers but the last.

    Args:
        columns: Position of each target among the inputs.

    Input shape:
        A list of the inputs, `(batch, input_steps, features)`, and of the answers, `(batch, output_steps, targets)`. An
        answer that is missing (NaN) stands at 0, the centre of scaled values.

    Output shape:
        `(batch, output_steps, targets)`.
    """

    def __init__(self, columns: Sequence[int], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.columns = positions("columns", list(columns))

    def newest(self, inputs: Tensor) -> Tensor:
        """The targets in the newest row of the inputs, `(batch, targets)`."""
        return ops.take(inputs[:, -1], ops.array(self.columns, dtype="int32"), axis=-1)

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        past, answers = inputs
        known = ops.where(ops.isnan(answers), ops.zeros_like(answers), answers)
        return ops.concatenate([self.newest(past)[:, None], known[:, :-1]], axis=1)

    def compute_output_shape(self, input_shape: Sequence[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return input_shape[1]

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"columns": self.columns}


def build_feedback_forecaster(
    *,
    input_steps: int | None,
    output_steps: int,
    input_features: int,
    output_features: int = 1,
    future_features: int = 0,
    bridge: Literal["state", "attention"] = "state",
    encoder_units: Sequence[int] = (64,),
    decoder_units: Sequence[int] = (64,),
    bidirectional: bool = False,
    pyramid: int = 1,
    target_positions: Sequence[int] | None = None,
    categories: Sequence[int] = (),
    future_categories: int = 0,
    embedding_units: int | None = None,
    cell: Literal["lstm", "gru"] = "lstm",
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    kernel_l2: float = 0.0,
    forget_bias: str = "ones",
    memory_steps: int | None = None,
) -> keras.Model:
    """A sequence to a sequence of another length, each step out of the one before.

    The decoder starts from the encoder's states (Sutskever et al. 2014) and with `attention` looks at every step of the encoder
    (Luong et al. 2015). In training it reads the true value before each step;
    `models.decoding.compile_free_forecast` runs it freely.

    Args:
        input_steps: Steps that the encoder reads; None for any number.
        output_steps: Steps that the decoder writes.
        input_features: Columns of the inputs.
        output_features: Columns of the outputs, each also one of the inputs.
        future_features: Columns known ahead of time that the decoder is given for each step it writes.
        bridge: `state` or `attention`.
        encoder_units: Units of each encoder layer, first to last.
        decoder_units: Those of the encoder, twice as many when it is bidirectional.
        bidirectional: Encoder layers read the window in both directions.
        pyramid: Neighbouring steps that are joined between two encoder layers (Chan et al. 2016).
        target_positions: Position of each target among the inputs; None: the first columns.
        categories: Codes of each category, whose columns are the last ones of the inputs; as of `build_encoder_decoder`.
        future_categories: How many of them, the first ones, are also the last columns of `future`.
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
        `inputs`: `(batch, input_steps, input_features)`; with `future_features` also `future`: `(batch, output_steps,
        future_features)`; and `answers`: `(batch, output_steps, output_features)`, the targets themselves, of which each step
        sees only those before it.

    Output shape:
        `(batch, output_steps, output_features)`.

    Raises:
        ArgumentError: An argument lies outside its range; the message names it.
    """
    positive_int("input_features", input_features)
    positive_int("output_features", output_features)
    positive_int("future_features", future_features, least=0)
    positive_int("output_steps", output_steps)
    one_of("bridge", bridge, FEEDBACK_BRIDGES)
    boolean("bidirectional", bidirectional)
    positive_int("pyramid", pyramid)
    encoders, decoders = units_list("encoder_units", encoder_units), units_list("decoder_units", decoder_units)
    require_equal_units(encoders, decoders, bidirectional=bidirectional, why=f"bridge={bridge!r}")
    if input_steps is not None:
        whole_steps("input_steps", input_steps, 1, pyramid, len(encoders))
    if target_positions is None and output_features > input_features:
        why = f"bridge={bridge!r} begins with the newest value of each target"
        refuse("output_features", output_features, f"be at most input_features ({input_features}), because {why}")
    columns = list(range(output_features)) if target_positions is None else list(target_positions)
    positions("target_positions", columns, count=output_features, below=input_features)
    recurrent = Recurrent(cell, dropout, recurrent_dropout, kernel_l2, forget_bias, memory_steps)
    inputs = keras.Input((input_steps, input_features), name="inputs")
    future = keras.Input((output_steps, future_features), name="future") if future_features else None
    answers = keras.Input((output_steps, output_features), name="answers")
    sequence, ahead = inputs, future
    embedded = Embedded(categories, embedding_units)
    if categories:
        sequence = embedded.join(*embedded.split(inputs, len(categories), name="split_categories"), name="categories")
        if known_ahead("future_categories", future_categories, categories):
            parts = embedded.split(future, future_categories, name="split_future_categories")
            ahead = embedded.join(*parts, name="future_categories")
    memory, states = encode(
        sequence,
        encoders,
        recurrent,
        bidirectional=bidirectional,
        pyramid=pyramid,
        with_states=True,
        with_steps=bridge == "attention",
    )
    read = StepBefore(columns, name="step_before")([inputs, answers])
    if ahead is not None:
        read = keras.layers.Concatenate(name="bridge_future")([read, ahead])
    decoded = decode(read, decoders, recurrent, states)
    if bridge == "attention":
        decoded = attend(decoded, memory)
    outputs = keras.layers.Dense(output_features, name="output")(decoded)
    given = [inputs, answers] if future is None else [inputs, future, answers]
    return accelerate(keras.Model(given, outputs, name="feedback_forecaster"))


def reads_own_output(model: keras.Model) -> bool:
    """Whether a model is autoregressive: it has an input that only training can fill."""
    return any(tensor.name in _GIVEN for tensor in model.inputs)


def with_own_outputs(model: keras.Model, *, seed: int) -> tuple[keras.Model, keras.layers.Layer]:
    """The same layers for training on a mix of true and own outputs (scheduled sampling, see `MixPrevious`).

    Args:
        model: An autoregressive one.
        seed: Of the choice which ones are replaced.

    Returns:
        A model with the same inputs and outputs on the same weights, and the layer whose weight `ratio` is the share of true
        ones.
    """
    names = [layer.name for layer in model.layers]
    mix = MixPrevious(seed, name="mix")
    tensors = {tensor.name: tensor for tensor in model.inputs}
    previous = model.get_layer("step_before").output if "step_before" in names else tensors["previous"]
    handed = [tensors["future"]] if "future" in tensors else []
    handed += [state for name in names if name.startswith("decoder_") for state in model.get_layer(name).input[1:]]
    if "attention" in names:
        handed.append(model.get_layer("attention").input[1])
    decoder = keras.Model([previous, *handed], model.output, name="decoder")
    decoder.supports_masking = True  # the mask of what the encoder hands over
    return keras.Model(model.inputs, decoder([mix([previous, model.output]), *handed])), mix
