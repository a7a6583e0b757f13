"""TensorFlow's SavedModel of a network, of TensorFlow's own operations only, with a serving signature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from seq2seq_kit.errors import BundleError
from seq2seq_kit.exports.program import LIMIT, Parity, plain_scale
from seq2seq_kit.exports.refusing import refused
from seq2seq_kit.models.acceleration import portable
from seq2seq_kit.models.inference import forward_inputs, one_step

_OWN = ("Seq2seqKit", "CudnnRNN")  # operations that a TensorFlow elsewhere may not have


def write_saved_model(model: keras.Model, path: Path) -> None:
    """Writes a network to a folder; the signature `serving_default` takes its inputs by name and gives `outputs`.

    Raises:
        ArgumentError: The graph holds an operation that not every TensorFlow has.
    """
    read, step = forward_inputs(model), one_step(model)
    signature = [tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.name) for tensor in read]

    @tf.function(input_signature=signature)
    def serve(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": step(*inputs)}

    with portable():
        traced = serve.get_concrete_function()
    graph = traced.graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    foreign = sorted({node.op for node in nodes if node.op.startswith(_OWN)})
    if foreign:
        raise refused(f"the network {model.name} holds {', '.join(foreign)}, which not every TensorFlow has")
    module = tf.Module()
    # The weights alone: with the model itself TensorFlow would save what Keras traces of it, the kernel included.
    module.held = [variable.value for variable in model.variables]
    tf.saved_model.save(module, str(path), signatures={"serving_default": traced})


def compare_saved_model(
    path: Path, model: keras.Model, inputs: Sequence[np.ndarray], forward: Callable[[Sequence[np.ndarray]], np.ndarray]
) -> Parity:
    """How far what was written is from the bundle.

    Raises:
        BundleError: Beyond `LIMIT`.
    """
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    given = {tensor.name: tf.constant(array) for tensor, array in zip(forward_inputs(model), inputs, strict=True)}
    expected = forward(inputs[: len(given)])
    off = float(np.abs(served(**given)["outputs"].numpy() - expected).max())
    relative = off / float(plain_scale([expected])[0])
    if not relative <= LIMIT:
        raise BundleError(
            f"the SavedModel does not answer as the bundle: largest difference {off:.3g}; expected at most {LIMIT:g} of the "
            "scale. Nothing was written. Report the recipe, and run the bundle itself",
            code="export_differs",
        )
    return Parity(off, relative, len(expected), of_data=False)
