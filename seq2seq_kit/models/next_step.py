"""A sequence to its next step: recurrent layers with an output at every step, and their states in the caller's hands.

In training a whole sequence goes through at once. In use the same cells go step by step: the states come in and go out, so a
sequence may be read in chunks, and after its newest step the model is autoregressive.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from seq2seq_kit.models.acceleration import accelerate
from seq2seq_kit.models.arguments import output_columns, positive_int, units_list
from seq2seq_kit.models.blocks import Recurrent, padded_values
from seq2seq_kit.models.masks import DropMask

_CHUNK = 2_048  # sequences that run at once
_InputOf = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # of a step and the output before it


def build_next_step(
    *,
    input_features: int,
    output_features: int | None = None,
    units: Sequence[int] = (64,),
    cell: Literal["lstm", "gru"] = "lstm",
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    kernel_l2: float = 0.0,
) -> keras.Model:
    """Each step of a sequence to the next one. Layers `mask`, `layer_0..n`, `output`, `unmask`.

    Args:
        input_features: Columns that are read at each step: those that are predicted, then what is known of the next step.
        output_features: Columns that are predicted, the first ones of the inputs; None: all.
        units: Units of each recurrent layer, first to last.
        cell: `lstm` or `gru`.
        dropout: Share of each recurrent layer's inputs dropped in training, in [0, 1).
        recurrent_dropout: Share of the recurrent state dropped in training, in [0, 1).
        kernel_l2: L2 penalty on the input kernels of the recurrent layers, at least 0.

    Returns:
        An uncompiled model. `Stepper` runs it with states.

    Input shape:
        `inputs`: `(batch, any, input_features)`, padded on the right; `valid`: `(batch, any)`, 1, or 0 for padding.

    Output shape:
        `(batch, any, output_features)`: at each step the prediction of the one after it.

    Raises:
        ArgumentError: An argument lies outside its range; the message names it.

    Example:
        >>> build_next_step(input_features=4, output_features=2, units=[8]).output_shape
        (None, None, 2)
    """
    output_features = output_columns(output_features, positive_int("input_features", input_features))
    widths = units_list("units", units)
    recurrent = Recurrent(cell, dropout, recurrent_dropout, kernel_l2)
    inputs, outputs = padded_values(input_features, mask="mask", name="inputs")
    for position, width in enumerate(widths):
        outputs = recurrent.layer(width, return_sequences=True, name=f"layer_{position}")(outputs)
    # Not TimeDistributed, which has the same weights: where the number of steps is open Keras 3.15 runs it over as many steps as
    # there are sequences in the batch.
    outputs = DropMask(name="unmask")(keras.layers.Dense(output_features, name="output")(outputs))
    return accelerate(keras.Model(inputs, outputs, name="next_step"))


@dataclass(frozen=True)
class Walk:
    """Predictions and states after some steps.

    Attributes:
        read: Predictions after each step that was read, `(sequences, steps, outputs)`.
        ahead: Predictions after each step that was fed back, `(sequences, steps fed back, outputs)`.
        states: States after the last step that was read, `(sequences, units)` each.
        newest: The prediction that `states` hold, `(sequences, outputs)`.
    """

    read: np.ndarray
    ahead: np.ndarray
    states: list[np.ndarray]
    newest: np.ndarray


class Stepper:
    """A model of `build_next_step`, one step at a time, in one compiled function for any number of sequences and steps.

    Args:
        model: What `build_next_step` gave, also after saving and loading.

    Attributes:
        inputs: Columns that are read.
        outputs: Columns that are predicted.
        names: What each state is, such as `layer_0 h`.
        widths: Units of each state, in the same order: h, and for an LSTM c, of each layer.
    """

    def __init__(self, model: keras.Model) -> None:
        self.layers = [layer for layer in model.layers if layer.name.startswith("layer_")]
        self.head = model.get_layer("output")
        self.inputs, self.outputs = int(model.inputs[0].shape[-1]), int(model.outputs[0].shape[-1])
        self.names, self.widths = [], []
        for layer in self.layers:
            letters = "hc" if isinstance(layer, keras.layers.LSTM) else "h"
            self.names += [f"{layer.name} {letter}" for letter in letters]
            self.widths += [layer.units] * len(letters)
        signature = [tf.TensorSpec((None, None, self.inputs)), tf.TensorSpec((None, None, self.inputs - self.outputs))]
        states = [tf.TensorSpec((None, width)) for width in self.widths]
        self._run = tf.function(self._walk, input_signature=[*signature, *states]).get_concrete_function()

    def zeros(self, sequences: int) -> list[np.ndarray]:
        """States before the first step."""
        return [np.zeros((sequences, width), dtype=np.float32) for width in self.widths]

    def walk(self, read: np.ndarray, known: np.ndarray, states: Sequence[np.ndarray] | None = None) -> Walk:
        """Reads some steps, then runs autoregressively.

        Args:
            read: `(sequences, steps, inputs)`; the steps may be none.
            known: What is known of each step after those that are fed back, `(sequences, steps to feed back, inputs - outputs)`;
                the last axis may be of size 0.
            states: Where to begin, see `zeros`, which is the default.
        """
        states = self.zeros(len(read)) if states is None else states
        pieces = []
        for first in range(0, max(len(read), 1), _CHUNK):
            chunk = slice(first, first + _CHUNK)
            tensors = [tf.constant(np.asarray(each[chunk], dtype=np.float32)) for each in (read, known, *states)]
            pieces.append([tensor.numpy() for tensor in self._run(*tensors)])
        outputs, ahead, newest, *after = [np.concatenate(parts) for parts in zip(*pieces, strict=True)]
        return Walk(outputs, ahead, after, newest)

    def _walk(self, read: tf.Tensor, known: tf.Tensor, *states: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # The top layer's h is its output, so states alone tell the prediction that they stand for.
        top = states[-2 if isinstance(self.layers[-1], keras.layers.LSTM) else -1]
        outputs, newest, after = self._loop(tf.shape(read)[1], lambda step, last: read[:, step], self.head(top), states)
        ahead, _, _ = self._loop(
            tf.shape(known)[1], lambda step, last: tf.concat([last, known[:, step]], axis=-1), newest, after
        )
        return (outputs, ahead, newest, *after)

    def _loop(
        self, count: tf.Tensor, input_of: _InputOf, last: tf.Tensor, states: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        # One place more than there are steps: TensorFlow cannot stack an empty list of a size that it does not know.
        array = tf.TensorArray(tf.float32, size=count + 1, element_shape=(None, self.outputs)).write(0, last)

        def advance(step: tf.Tensor, array: tf.TensorArray, last: tf.Tensor, *states: tf.Tensor) -> tuple[object, ...]:
            last, after = self._step(input_of(step, last), list(states))
            return (step + 1, array.write(step + 1, last), last, *after)

        shapes = [tf.TensorShape((None, width)) for width in (self.outputs, *self.widths)]
        _, array, last, *after = tf.while_loop(
            lambda step, *rest: step < count,
            advance,
            (0, array, last, *states),
            shape_invariants=(tf.TensorShape(()), tf.TensorShape(None), *shapes),
        )
        return tf.transpose(array.stack(), (1, 0, 2))[:, 1:], last, after

    def _step(self, outputs: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        after: list[tf.Tensor] = []
        for layer in self.layers:
            held = 2 if isinstance(layer, keras.layers.LSTM) else 1
            own, states = states[:held], states[held:]
            outputs, new = layer.cell(outputs, own, training=False)
            after += list(new)
        return self.head(outputs), after
