"""How Keras' own layers are written, as far as models of the kit have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np

from seq2seq_kit.exports.graph import Graph, Value, ints
from seq2seq_kit.exports.recurrent import write_bidirectional, write_recurrent
from seq2seq_kit.exports.refusing import refuse_layer

# Name of Keras' activation to the operation of ONNX.
_CELLS = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "softplus": "Softplus", "softsign": "Softsign"}
_CELLS |= {"elu": "Elu", "selu": "Selu", "exponential": "Exp"}


def weight_of(variable: keras.Variable) -> np.ndarray:
    """A layer's weight as float32."""
    return np.asarray(keras.ops.convert_to_numpy(variable), dtype=np.float32)


def write_dense(graph: Graph, layer: keras.layers.Dense, inputs: Value, **_: object) -> Value:
    """The last axis through a matrix, a bias and an activation."""
    shape = (*inputs.shape[:-1], layer.units)
    outputs = graph.add("MatMul", inputs, weight_of(layer.kernel), shape=shape, mask=inputs.mask)
    if layer.use_bias:
        outputs = graph.plain("Add", outputs, weight_of(layer.bias))
    return _activate(graph, layer, outputs)


def _activate(graph: Graph, layer: keras.Layer, inputs: Value) -> Value:
    name = getattr(layer.activation, "__name__", "unknown")
    if name == "linear":
        return inputs
    if name == "softmax":
        return graph.add("Softmax", inputs, shape=inputs.shape, mask=inputs.mask, axis=-1)
    if name not in _CELLS:
        refuse_layer(layer, f"its activation is {name}; expected one of linear, softmax, {', '.join(_CELLS)}")
    return graph.add(_CELLS[name], inputs, shape=inputs.shape, mask=inputs.mask)


def write_activation(graph: Graph, layer: keras.layers.Activation, inputs: Value, **_: object) -> Value:
    """An activation as a layer."""
    return _activate(graph, layer, inputs)


def write_time_distributed(graph: Graph, layer: keras.layers.TimeDistributed, inputs: Value, **_: object) -> Value:
    """A Dense at every step, which is the same as a Dense."""
    if type(layer.layer) is not keras.layers.Dense:
        refuse_layer(layer, f"it holds a {type(layer.layer).__name__}; expected a Dense")
    return write_dense(graph, layer.layer, inputs)


def write_embedding(graph: Graph, layer: keras.layers.Embedding, codes: Value, **_: object) -> Value:
    """Rows of a table; 0 is masked where the layer says so."""
    shape = (*codes.shape, layer.output_dim)
    mask = nonzero(graph, codes) if layer.mask_zero else None
    table = weight_of(layer.embeddings)
    name = graph.new_name("gather")
    graph.nodes_of("Gather", [table, codes], [name], axis=0)
    return Value(name, shape, mask=mask)


def nonzero(graph: Graph, codes: Value) -> Value:
    """Where whole numbers or flags are above 0."""
    zero = np.zeros((), codes.dtype)
    return graph.add("Greater", codes, zero, shape=codes.shape, dtype="bool")


def write_repeat_vector(graph: Graph, layer: keras.layers.RepeatVector, vector: Value, **_: object) -> Value:
    """A vector at each of so many steps."""
    shape = (vector.shape[0], layer.n, vector.width)
    return graph.add("Tile", graph.unsqueeze(vector, 1), ints([1, layer.n, 1]), shape=shape)


def write_concatenate(graph: Graph, layer: keras.layers.Concatenate, parts: Sequence[Value], **_: object) -> Value:
    """Parts side by side."""
    masks = [part.mask for part in parts]
    return graph.concat(list(parts), axis=layer.axis).masked(masks[0] if all(masks) else None)


def write_add(graph: Graph, layer: keras.layers.Add, parts: Sequence[Value], **_: object) -> Value:
    """A sum of several."""
    return _fold(graph, "Add", parts)


def write_average(graph: Graph, layer: keras.layers.Average, parts: Sequence[Value], **_: object) -> Value:
    """A mean of several."""
    return graph.plain("Div", _fold(graph, "Add", parts), np.array(len(parts), np.float32))


def write_subtract(graph: Graph, layer: keras.layers.Subtract, parts: Sequence[Value], **_: object) -> Value:
    """One less another."""
    return _fold(graph, "Sub", parts)


def write_multiply(graph: Graph, layer: keras.layers.Multiply, parts: Sequence[Value], **_: object) -> Value:
    """A product of several."""
    return _fold(graph, "Mul", parts)


def _fold(graph: Graph, kind: str, parts: Sequence[Value]) -> Value:
    outputs = parts[0]
    for part in parts[1:]:
        like = outputs if len(outputs.shape) >= len(part.shape) else part
        shape = tuple(
            b if a == 1 else a
            for a, b in zip(like.shape, (like.shape if outputs is not like else part.shape), strict=False)
        )
        outputs = graph.add(kind, outputs, part, shape=shape if len(shape) == len(like.shape) else like.shape)
    return outputs


def write_same(graph: Graph, layer: keras.Layer, inputs: Value, *_: object, **__: object) -> Value:
    """What a layer does in training only."""
    return inputs


def write_flatten(graph: Graph, layer: keras.layers.Flatten, inputs: Value, **_: object) -> Value:
    """All axes but the batch's as one."""
    sizes = inputs.shape[1:]
    width = None if None in sizes else int(np.prod([size for size in sizes if size is not None]))
    return graph.reshape(inputs, [0, -1], (inputs.shape[0], width))


def write_reshape(graph: Graph, layer: keras.layers.Reshape, inputs: Value, **_: object) -> Value:
    """Other axes behind the batch's."""
    target = [int(size) for size in layer.target_shape]
    shape = tuple(None if size == -1 else size for size in target)
    return graph.reshape(inputs, [0, *target], (inputs.shape[0], *shape))


def write_attention(graph: Graph, layer: keras.layers.Attention, inputs: Sequence[Value], **_: object) -> Value:
    """Dot-product attention over the steps that count: a query's weighted mean of values, by keys."""
    if layer.score_mode != "dot" or layer.use_scale:
        refuse_layer(layer, "its scores are no plain products (score_mode dot, without a scale)")
    query, values = inputs[0], inputs[1]
    keys = inputs[2] if len(inputs) > 2 else values
    return attend(graph, query, values, keys)


def attend(graph: Graph, query: Value, values: Value, keys: Value) -> Value:
    """`(batch, steps, width)` of queries to `(batch, steps, width of the values)`."""
    across = graph.transpose(keys, [0, 2, 1])
    scores = graph.add("MatMul", query, across, shape=(*query.shape[:2], keys.shape[1]))
    if values.mask is not None:
        low = np.full((), -1e9, np.float32)  # as Keras does
        scores = graph.where(graph.unsqueeze(values.mask, 1), scores, low, scores)
    weights = graph.add("Softmax", scores, shape=scores.shape, axis=-1)
    return graph.add("MatMul", weights, values, shape=(*query.shape[:2], values.width), mask=query.mask)


KERAS: dict[type, Callable[..., object]] = {
    keras.layers.LSTM: write_recurrent,
    keras.layers.GRU: write_recurrent,
    keras.layers.Bidirectional: write_bidirectional,
    keras.layers.Dense: write_dense,
    keras.layers.TimeDistributed: write_time_distributed,
    keras.layers.Embedding: write_embedding,
    keras.layers.RepeatVector: write_repeat_vector,
    keras.layers.Concatenate: write_concatenate,
    keras.layers.Add: write_add,
    keras.layers.Subtract: write_subtract,
    keras.layers.Multiply: write_multiply,
    keras.layers.Average: write_average,
    keras.layers.Activation: write_activation,
    keras.layers.Flatten: write_flatten,
    keras.layers.Reshape: write_reshape,
    keras.layers.Attention: write_attention,
    keras.layers.Dropout: write_same,
    keras.layers.SpatialDropout1D: write_same,
    keras.layers.GaussianNoise: write_same,
    keras.layers.GaussianDropout: write_same,
}
