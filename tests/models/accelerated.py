"""Pairs of layers, Keras' own and accelerated, and what they compute."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from seq2seq_kit.models.acceleration import accelerate

CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
cells = pytest.mark.parametrize("cell", list(CELLS))


def pair(cell: str, units: int, features: int, **named: Any) -> tuple[Any, Any]:
    """Keras' own layer and an accelerated one, with the same weights."""
    named = {"bias_initializer": "random_normal", "dtype": "float32"} | named
    own, ours = (CELLS[cell](units, seed=0, **named) for _ in range(2))
    for layer in (own, ours):
        layer.build((None, None, features))
    ours.set_weights(own.get_weights())
    return own, accelerate(ours)


def run(
    layer: Any, x: tf.Tensor, *, mask: Any = None, states: list[tf.Tensor] | None = None, training: bool = True
) -> list[np.ndarray]:
    """Outputs and the gradients of a weighted sum of them: of the inputs, the weights and the first states."""
    with tf.GradientTape() as tape:
        tape.watch([x, *(states or [])])
        outputs = layer(x, mask=mask, initial_state=states, training=training)
        outputs = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
        rng = np.random.default_rng(1)
        loss = tf.add_n([tf.reduce_sum(each * rng.normal(size=each.shape).astype(x.dtype.name)) for each in outputs])
    gradients = tape.gradient(loss, [x, *layer.trainable_variables, *(states or [])])
    return [np.asarray(each) for each in [*outputs, *gradients]]


def assert_same(ours: list[np.ndarray], own: list[np.ndarray], tolerance: float) -> None:
    for one, other in zip(ours, own, strict=True):
        scale = max(1.0, float(np.abs(other).max(initial=0.0)))  # gradients of long sequences are large sums
        np.testing.assert_allclose(one / scale, other / scale, rtol=0, atol=tolerance)


def takes_the_kernel(function: Any) -> list[Any]:
    """The kernel's nodes in the graph of a function."""
    return [
        node for node in function.graph.as_graph_def(add_shapes=False).node if node.op.startswith("Seq2seqKitRecurrent")
    ]


def gradients_that_run(graph: Any) -> list[bool]:
    """Of the kernel's gradients on which a graph's outputs depend, whether each computes that of the inputs, in order."""
    waiting, found = [tensor.op for tensor in graph.outputs], {}
    while waiting:
        operation = waiting.pop()
        if operation.name not in found:
            found[operation.name] = operation
            waiting += [tensor.op for tensor in operation.inputs]
    run = [each for each in graph.get_operations() if each.name in found]
    return [each.get_attr("of_x") for each in run if each.type == "Seq2seqKitRecurrentGrad"]
