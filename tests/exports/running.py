"""Graphs of models with random weights, run by ONNX Runtime."""

from collections.abc import Sequence

import keras
import numpy as np
import onnx

from seq2seq_kit.exports.graph import Graph, Value, make_model
from seq2seq_kit.exports.parity import runner
from seq2seq_kit.exports.program import Port
from seq2seq_kit.exports.walking import write_model


def randomise(model: keras.Model, *, seed: int = 0) -> keras.Model:
    """Random weights everywhere, biases and zero kernels too, so that no part of a layer goes unseen."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.dtype == "float32":
            weight.assign(rng.normal(scale=0.3, size=weight.shape))
    return model


def written(model: keras.Model) -> onnx.ModelProto:
    """A model as a graph of its own, checked in full."""
    graph = Graph("tested")
    outputs = write_model(graph, model, [Value(each.name, tuple(each.shape), each.dtype) for each in model.inputs])
    graph.finish([(f"output_{place}", each) for place, each in enumerate(outputs)])
    taken = [Port(each.name, each.dtype, _words(each.name, each.shape), "") for each in model.inputs]
    given = [
        Port(f"output_{place}", each.dtype, _words(f"o{place}", each.shape), "") for place, each in enumerate(outputs)
    ]
    made = make_model(graph, taken, given, {}, "")
    onnx.checker.check_model(made, full_check=True)
    return made


def difference(model: keras.Model, arrays: Sequence[np.ndarray]) -> float:
    """Largest difference between a model with random weights and its graph."""
    randomise(model)
    found = runner(written(model).SerializeToString())(arrays)
    given = model(list(arrays) if len(arrays) > 1 else arrays[0], training=False)
    expected = [np.asarray(each) for each in keras.tree.flatten(given)]
    assert [each.shape for each in found] == [each.shape for each in expected]
    assert all(np.abs(each).max() > 0 for each in expected)
    return max(float(np.abs(one - other).max()) for one, other in zip(found, expected, strict=True))


def _words(name: str, shape: Sequence[int | None]) -> tuple[int | str, ...]:
    return ("batch", *(f"{name}_{axis}" if size is None else size for axis, size in enumerate(shape[1:])))
