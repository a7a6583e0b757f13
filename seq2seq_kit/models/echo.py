"""The six ways to give a recurrent layer a sequence, each as a small model that learns to echo one.

They differ in what is a step and what is a feature, and in where the sequence ends: `return_sequences`, `RepeatVector`,
`TimeDistributed`, explicit states. Layer names are part of the API: `inputs`, `repeat`, `recurrent`, `output`.
"""

from collections.abc import Callable
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models.acceleration import accelerate
from seq2seq_kit.models.arguments import one_of, positive_int
from seq2seq_kit.models.blocks import CELLS, Recurrent, head

Shape = Literal["one_to_one", "many_to_one", "many_to_many", "one_to_many", "feedback", "one_step"]
SHAPES: tuple[Shape, ...] = ("one_to_one", "many_to_one", "many_to_many", "one_to_many", "feedback", "one_step")

FreeRun = Callable[[np.ndarray, int], np.ndarray]


def build_echo(
    *, shape: Shape, steps: int, features: int = 1, units: int = 5, cell: Literal["lstm", "gru"] = "lstm"
) -> keras.Model:
    """One recurrent layer that reads a sequence in one of six shapes and gives it back.

    Args:
        shape: `one_to_one`: each value is a sequence of its own. `many_to_one`: the whole sequence as one vector, from the
            last output. `many_to_many`: a value for each step as it is read. `one_to_many`: a vector without steps is
            repeated and unrolled. `feedback`: a value for each step from the one before; `compile_free_run` feeds the
            outputs back. `one_step`: the steps as the features of a single step.
        steps: Steps of the sequence.
        features: Values at each step.
        units: Units of the recurrent layer.
        cell: `lstm` or `gru`.

    Returns:
        An uncompiled model.

    Input shape:
        `(batch, 1, features)` for `one_to_one`; `(batch, features)` for `one_to_many`; `(batch, 1, steps * features)` for
        `one_step`; `(batch, steps, features)` for the others, in training the sequence one step late for `feedback`.

    Output shape:
        `(batch, features)` for `one_to_one`; `(batch, steps * features)` for `many_to_one` and `one_step`;
        `(batch, steps, features)` for the others.

    Raises:
        ArgumentError: An argument lies outside its range; the message names it.

    Example:
        >>> model = build_echo(shape="many_to_many", steps=5)
        >>> model.output_shape, model.count_params()
        ((None, 5, 1), 146)
    """
    one_of("shape", shape, SHAPES)
    positive_int("steps", steps)
    positive_int("features", features)
    sequences = shape in ("many_to_many", "one_to_many", "feedback")
    inputs = keras.Input(_input_shape(shape, steps, features), name="inputs")
    outputs = inputs
    if shape == "one_to_many":
        outputs = keras.layers.RepeatVector(steps, name="repeat")(outputs)
    recurrent = Recurrent(cell).layer(positive_int("units", units), return_sequences=sequences, name="recurrent")
    outputs = recurrent(outputs)
    if sequences:
        outputs = head(outputs, features)
    else:
        width = features if shape == "one_to_one" else steps * features
        outputs = keras.layers.Dense(width, name="output")(outputs)
    return accelerate(keras.Model(inputs, outputs, name=shape))


def _input_shape(shape: str, steps: int, features: int) -> tuple[int, ...]:
    match shape:
        case "one_to_one":
            return (1, features)
        case "one_to_many":
            return (features,)
        case "one_step":
            return (1, steps * features)
        case _:
            return (steps, features)


def compile_free_run(model: keras.Model) -> FreeRun:
    """A function that runs a `feedback` model autoregressively, for as many steps as asked for.

    The states are carried by hand through the layer's cell and begin at zero in every call: nothing is left over from the
    sequence before, which is what a `stateful` layer needs `reset_state` for. The function works on the model's own
    weights, so it follows a fit.

    Args:
        model: What `build_echo(shape="feedback")` gave, also after saving and loading.

    Returns:
        A function of the first values, shape `(batch, features)`, and a number of steps; it returns the values of those
        steps, shape `(batch, steps, features)`.

    Raises:
        ArgumentError: The model has other layers, or the number of steps is below 1.
    """
    names = [layer.name for layer in model.layers]
    found = [layer for layer in model.layers if layer.name == "recurrent" and type(layer) in CELLS.values()]
    if model.name != "feedback" or not found:
        raise ArgumentError(
            f"model must be one of build_echo(shape='feedback'). Received: {model.name} with the layers {names}",
            code="wrong_model",
        )
    cell, output = found[0].cell, model.get_layer("output").layer

    @tf.function(reduce_retracing=True)
    def step(value: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        hidden, states = cell(value, states)
        return output(hidden), states

    def run(first: np.ndarray, steps: int) -> np.ndarray:
        positive_int("steps", steps)
        value = tf.constant(np.asarray(first, dtype=np.float32))
        states = cell.get_initial_state(batch_size=len(value))
        values = []
        for _ in range(steps):
            value, states = step(value, states)
            values.append(value)
        return tf.stack(values, axis=1).numpy()

    return run
