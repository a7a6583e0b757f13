"""Keras' LSTM, GRU and Dense layers made fast on a CPU: the same layers, weights and results, with the kit's kernel under them.

A layer stays an object of Keras' own class, so that configurations, checkpoints and saved models are Keras' own in both
directions. Only how a layer runs over its steps is replaced; wherever the kernel does not apply, that is Keras' own way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import keras
import tensorflow as tf

from seq2seq_kit.kernels.compiling import library
from seq2seq_kit.kernels.recurrent import recurrent

_TYPES = ("float32", "float64")
_LOGITS = "_keras_logits"  # what Keras' softmax and sigmoid leave on their output for cross-entropies
_portable: ContextVar[bool] = ContextVar("portable", default=False)


@dataclass(frozen=True)
class Way:
    """How a recurrent layer runs over its steps.

    Attributes:
        name: `cudnn` (a GPU's kernel), `compiled` (the kit's, on a CPU), or `loop` (Keras' own, of small operations).
        reason: Why it is none of the faster ones; empty otherwise.
    """

    name: Literal["cudnn", "compiled", "loop"]
    reason: str = ""


def accelerate(model: Any) -> Any:
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
    for layer in model._flatten_layers():
        if "inner_loop" in vars(layer) or "call" in vars(layer):
            continue
        if type(layer) in (keras.layers.LSTM, keras.layers.GRU):
            # Not tracked as state by Keras, not part of the configuration.
            layer.inner_loop = partial(_inner_loop, layer, layer.inner_loop)
            layer.supports_jit = False  # XLA knows nothing of the kernel
        elif isinstance(layer, keras.layers.RepeatVector):
            layer.call = partial(_repeat, layer.call)
        elif type(layer) is keras.layers.Dense:
            layer.call = partial(_flat, layer.call)
        elif isinstance(layer, keras.layers.TimeDistributed) and type(layer.layer) is keras.layers.Dense:
            layer.call = partial(_at_every_step, layer.layer)
    return model


def way_of(layer: Any) -> Way:
    """The way that an accelerated recurrent layer takes on this machine; for a GPU the conditions are those of Keras 3."""
    hindrances = _hindrances(layer)
    if not isinstance(layer, keras.layers.LSTM | keras.layers.GRU):
        return Way("loop", ", ".join(hindrances))
    if tf.config.get_visible_devices("GPU"):
        if not layer.use_bias:
            hindrances.append("it has no bias")
        if layer.compute_dtype == "bfloat16":
            hindrances.append("cuDNN's gradients are wrong in bfloat16")
        elif layer.use_cudnn is False:
            hindrances.append("use_cudnn is False")
        return Way("loop", ", ".join(hindrances)) if hindrances else Way("cudnn")
    if layer.cell.implementation != 2 and not layer.recurrent_dropout:  # which asks for it
        hindrances.append("implementation is 1")
    if layer.compute_dtype not in _TYPES:
        hindrances.append(f"it computes in {layer.compute_dtype}")
    if hindrances:
        return Way("loop", ", ".join(hindrances))
    if library().operations is None:
        return Way("loop", library().reason)
    return Way("compiled")


def _hindrances(layer: Any) -> list[str]:
    """What keeps a layer from a fused kernel of either kind, in the recipe's words."""
    if not isinstance(layer, keras.layers.LSTM | keras.layers.GRU):
        return [f"{type(layer).__name__} has no kernel of its own"]
    found = []
    if layer.activation is not keras.activations.tanh:
        found.append("its activation is not tanh")
    if layer.recurrent_activation is not keras.activations.sigmoid:
        found.append("its recurrent activation is not sigmoid")
    if layer.recurrent_dropout:
        found.append("recurrent_dropout is not 0")
    if layer.unroll:
        found.append("it is unrolled")
    if isinstance(layer, keras.layers.GRU) and not layer.reset_after:
        found.append("reset_after is False")
    return found


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


def _inner_loop(layer: Any, own: Any, sequences: Any, initial_state: Any, mask: Any, training: Any = False) -> Any:
    """In place of the layer's method of that name: the last output, all outputs, the final states."""
    mask = mask[0] if isinstance(mask, list | tuple) else mask
    steps = sequences.shape[1]
    fits = sequences.dtype == layer.compute_dtype and (mask is None or len(mask.shape) == 2)
    fits = fits and steps != 0 and isinstance(training, bool | None)
    if _portable.get() or not fits or way_of(layer).name != "compiled":
        return own(sequences, initial_state, mask=mask, training=training)
    vector, repeats = getattr(sequences, "_repeated", None), tf.shape(sequences)[1]
    repeated = vector is not None
    x = vector if repeated else sequences
    if training and layer.dropout:  # the same values are dropped at every step
        dropped = layer.cell.get_dropout_mask(sequences[:, 0, :])
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
        backwards=layer.go_backwards,
        zeros=layer.zero_output_for_mask,
        sequences=layer.return_sequences,
        training=bool(training),
    )
    if repeated:
        computed.sequence.set_shape((None, steps, None))
    states = [computed.h, computed.c] if lstm else [computed.h]
    return computed.last, computed.sequence, states


def _gru_bias(bias: Any, units: int) -> Any:
    """Keras' two biases, of the input's and of the state's product in the order z, r, candidate, as the kernel adds them."""
    of_input, of_state = bias[0], bias[1]
    both = of_input[: 2 * units] + of_state[: 2 * units]
    return tf.concat([of_input[2 * units :], both, of_state[2 * units :]], axis=0)


def _repeat(own: Any, inputs: Any) -> Any:
    """In place of a RepeatVector's call: its output remembers the vector, so that the layer behind it multiplies it only once.

    Gradients go to the vector then, and none to the output in between.
    """
    return remember(own(inputs), inputs)


def _flat(own: Any, inputs: Any, training: Any = None) -> Any:
    """In place of a Dense's call: the steps of all sequences as rows of one matrix, which costs less than a batch of matrices."""
    if not isinstance(inputs, tf.Tensor) or inputs.shape.rank is None or inputs.shape.rank < 3 or not inputs.shape[-1]:
        return own(inputs, training=training)
    outputs = own(tf.reshape(inputs, (-1, inputs.shape[-1])), training=training)
    shaped = _around(inputs, outputs)
    if hasattr(outputs, _LOGITS):
        setattr(shaped, _LOGITS, _around(inputs, getattr(outputs, _LOGITS)))
    return shaped


def _around(inputs: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Rows as the last axis of what the inputs are."""
    width = rows.shape[-1]
    shaped = tf.reshape(rows, tf.concat([tf.shape(inputs)[:-1], [width]], axis=0))
    shaped.set_shape((*inputs.shape[:-1], width))
    return shaped


def _at_every_step(dense: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
    """In place of the call of a TimeDistributed around a Dense, which makes a small product for each step."""
    outputs = dense.call(inputs, training=training)
    if hasattr(outputs, _LOGITS):  # Keras' way loses them, and its losses are other ones then
        delattr(outputs, _LOGITS)
    return outputs


def remember(outputs: Any, vector: Any) -> Any:
    """Marks `outputs`, `(batch, steps, width)`, as one vector at every step."""
    if isinstance(outputs, tf.Tensor):
        outputs._repeated = vector
    return outputs
