"""Keras' LSTM, GRU and Dense layers made fast on a CPU: the same layers, weights and results, with the kit's kernel under them.

A layer stays an object of Keras' own class, so that configurations, checkpoints and saved models are Keras' own in both
directions. Only how a layer runs over its steps is replaced (keras_compat.py); where the kernel does not apply, Keras' loop runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

import keras
import tensorflow as tf

from seq2seq_kit.kernels.compiling import library
from seq2seq_kit.kernels.recurrent import recurrent
from seq2seq_kit.models import keras_compat
from seq2seq_kit.models.keras_compat import Tensor

_TYPES = ("float32", "float64")
_Model = TypeVar("_Model", bound=keras.Layer)
_Run = tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]
_portable: ContextVar[bool] = ContextVar("portable", default=False)


@dataclass(frozen=True)
class Kernel:
    """What computes a recurrent layer's steps.

    Attributes:
        name: `cudnn` (a GPU's kernel), `compiled` (the kit's, on a CPU), or `loop` (Keras' own, of small operations).
        reason: For `loop`, why no faster kernel applies; otherwise empty.
    """

    name: Literal["cudnn", "compiled", "loop"]
    reason: str = ""


def accelerate(model: _Model) -> _Model:
    """Gives every LSTM and GRU of a model the kit's kernel where it applies, and every Dense one product for all steps.

    Wrapped layers are found, too. Weights, names, configuration and (to rounding) results stay; what `model.save` writes is plain
    Keras. A second call changes nothing.

    Args:
        model: A Keras model or layer.

    Returns:
        The same object.

    Example:
        >>> inputs = keras.Input((100, 1))
        >>> model = accelerate(keras.Model(inputs, keras.layers.LSTM(8)(inputs)))
        >>> type(model.layers[1]) is keras.layers.LSTM
        True
    """
    for layer in keras_compat.flatten_layers(model):
        if type(layer) in (keras.layers.LSTM, keras.layers.GRU):
            keras_compat.replace_loop(layer, partial(_all_steps, layer))
        elif isinstance(layer, keras.layers.RepeatVector):
            keras_compat.replace_call(layer, _repeat, "RepeatVector.call")
        elif type(layer) is keras.layers.Dense:
            keras_compat.replace_call(layer, _flat, "Dense.call", *keras_compat.for_probabilities(layer))
        elif isinstance(layer, keras.layers.TimeDistributed) and type(layer.layer) is keras.layers.Dense:
            needed = ["TimeDistributed.call", "Dense.call", *keras_compat.for_probabilities(layer.layer)]
            keras_compat.replace_call(layer, partial(_at_every_step, layer.layer), *needed)
    return model


def kernel_of(layer: keras.layers.RNN) -> Kernel:
    """The kernel of an accelerated recurrent layer on this machine; on a GPU the conditions are those of Keras 3."""
    if not isinstance(layer, keras.layers.LSTM | keras.layers.GRU):
        return Kernel("loop", f"{type(layer).__name__} has no kernel of its own")
    gpu = bool(tf.config.get_visible_devices("GPU"))
    half = layer.compute_dtype == "bfloat16"
    conditions = {
        "its activation is not tanh": layer.activation is not keras.activations.tanh,
        "its recurrent activation is not sigmoid": layer.recurrent_activation is not keras.activations.sigmoid,
        "recurrent_dropout is not 0": layer.recurrent_dropout,
        "it is unrolled": layer.unroll,
        "reset_after is False": isinstance(layer, keras.layers.GRU) and not layer.reset_after,
        "it has no bias": gpu and not layer.use_bias,
        "cuDNN's gradients are wrong in bfloat16": gpu and half,
        "use_cudnn is False": gpu and not half and keras_compat.is_kept_from_cudnn(layer),
        # Recurrent dropout asks for it.
        "implementation is 1": not gpu and layer.cell.implementation != 2 and not layer.recurrent_dropout,
        f"it computes in {layer.compute_dtype}": not gpu and layer.compute_dtype not in _TYPES,
    }
    hindrances = [reason for reason, holds in conditions.items() if holds]
    if not gpu:
        hindrances += keras_compat.lacks_for_loop(layer)
        hindrances = hindrances or [library().reason] * (library().operations is None)
    if hindrances:
        return Kernel("loop", ", ".join(hindrances))
    return Kernel("cudnn" if gpu else "compiled")


@contextmanager
def portable() -> Iterator[None]:
    """What is traced in here is made of TensorFlow's own operations, so that it runs where this package is not installed.

    Example:
        >>> inputs = keras.Input((10, 1))
        >>> model = accelerate(keras.Model(inputs, keras.layers.LSTM(8)(inputs)))
        >>> with portable():
        ...     model.export("saved_model", verbose=False)  # doctest: +SKIP
    """
    token = _portable.set(True)
    try:
        yield
    finally:
        _portable.reset(token)


def _all_steps(
    layer: keras.layers.RNN,
    own: Callable[..., _Run],
    sequences: tf.Tensor,
    initial_state: Sequence[tf.Tensor],
    mask: tf.Tensor | None,
    training: bool | None = False,
) -> _Run:
    """In place of Keras' loop over the steps: the last output, all outputs, the final states."""
    mask = mask[0] if isinstance(mask, list | tuple) else mask
    steps = sequences.shape[1]
    fits = sequences.dtype == layer.compute_dtype and (mask is None or len(mask.shape) == 2)
    fits = fits and (mask is None or None in (steps, mask.shape[1]) or mask.shape[1] == steps)
    fits = fits and steps != 0 and isinstance(training, bool | None)
    if _portable.get() or keras_compat.in_xla() or not fits or kernel_of(layer).name != "compiled":
        return own(sequences, initial_state, mask=mask, training=training)
    repeats = tf.shape(sequences)[1]
    if mask is not None:  # one for all sequences, as in Keras' loop
        mask = mask[:, -repeats:] if layer.go_backwards else mask[:, :repeats]  # it may be longer in a graph
        mask = tf.broadcast_to(mask, (tf.shape(sequences)[0], tf.shape(mask)[1]))
    vector = keras_compat.remembered(sequences)
    repeated = vector is not None
    x = vector if repeated else sequences
    if training and layer.dropout:  # the same values are dropped at every step
        dropped = keras_compat.dropout_mask(layer, sequences[:, 0, :])
        x = x * (dropped if repeated else dropped[:, None, :])
    cell = layer.cell
    kernel, bias = tf.convert_to_tensor(cell.kernel), tf.convert_to_tensor(cell.bias) if layer.use_bias else None
    lstm = isinstance(layer, keras.layers.LSTM)
    if bias is None:
        bias = tf.zeros((4 * layer.units,), kernel.dtype)
    elif not lstm:
        bias = _gru_bias(bias, layer.units)
    if not lstm:
        kernel = tf.concat([kernel[:, 2 * layer.units :], kernel[:, : 2 * layer.units]], axis=1)
    computed = recurrent(
        x,
        initial_state[0],
        initial_state[1] if lstm else None,
        kernel,
        tf.convert_to_tensor(cell.recurrent_kernel),
        bias,
        mask,
        steps=repeats,
        repeated=repeated,
        # Keras takes 1 for True, the operation does not.
        backwards=bool(layer.go_backwards),
        zeros=bool(layer.zero_output_for_mask),
        sequences=bool(layer.return_sequences),
        training=bool(training),
    )
    if repeated:
        computed.sequence.set_shape((None, steps, None))
    states = [computed.h, computed.c] if lstm else [computed.h]
    return computed.last, computed.sequence, states


def _gru_bias(bias: tf.Tensor, units: int) -> tf.Tensor:
    """Keras' two biases, of the input's and of the state's product in the order z, r, candidate, as the kernel adds them."""
    of_input, of_state = bias[0], bias[1]
    both = of_input[: 2 * units] + of_state[: 2 * units]
    return tf.concat([of_input[2 * units :], both, of_state[2 * units :]], axis=0)


def _repeat(own: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """In place of a RepeatVector's call: its output remembers the vector, so that the layer behind it multiplies it only once.

    Gradients go to the vector then, and none to the output in between.
    """
    return keras_compat.remember(own(inputs), inputs)


def _flat(own: Callable[..., Tensor], inputs: Tensor, training: bool | None = None) -> Tensor:
    """In place of a Dense's call: the steps of all sequences as rows of one matrix, which costs less than a batch of matrices."""
    if not isinstance(inputs, tf.Tensor) or inputs.shape.rank is None or inputs.shape.rank < 3 or not inputs.shape[-1]:
        return own(inputs, training=training)
    outputs = own(tf.reshape(inputs, (-1, inputs.shape[-1])), training=training)
    shaped, logits = _around(inputs, outputs), keras_compat.logits_of(outputs)
    if logits is not None:
        keras_compat.set_logits(shaped, _around(inputs, logits))
    return shaped


def _around(inputs: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Rows as the last axis of what the inputs are."""
    width = rows.shape[-1]
    shaped = tf.reshape(rows, tf.concat([tf.shape(inputs)[:-1], [width]], axis=0))
    shaped.set_shape((*inputs.shape[:-1], width))
    return shaped


def _at_every_step(
    dense: keras.layers.Dense, own: object, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None
) -> Tensor:
    """In place of the call of a TimeDistributed around a Dense, which makes a small product for each step."""
    outputs = dense.call(inputs, training=training)
    keras_compat.set_logits(outputs, None)  # Keras' own call loses them, and its losses are other ones then
    return outputs
