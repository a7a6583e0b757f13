"""Autoregressive models: a decoder step by step, and whole forecasts whose steps are the body of ONNX' `Loop`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np

from seq2seq_kit.exports.graph import Graph, Value, ints
from seq2seq_kit.exports.layers import attend, write_dense
from seq2seq_kit.exports.recurrent import run_layers
from seq2seq_kit.exports.walking import write_model
from seq2seq_kit.models.decoding import Decoder

# From a graph, the step's number and the value before it to what the first layer reads, `(batch, 1, width)`.
Reads = Callable[[Graph, Value, Value], Value]
# From what is read and the states before it to the value and the states after it.
Steps = Callable[[Graph, Value, list[Value]], tuple[Value, list[Value]]]


def write_start(graph: Graph, decoder: Decoder, inputs: Value) -> tuple[list[Value], list[Value]]:
    """The states that a decoder begins with, `(1, batch, units)` each, and its memory: values and keys, or nothing."""
    handed = write_model(graph, decoder.encoder, [inputs])
    count = sum(len(layer.input) - 1 for layer in decoder.layers)
    return [graph.unsqueeze(state, 0) for state in handed[:count]], handed[count:]


def write_step(
    graph: Graph, decoder: Decoder, read: Value, states: Sequence[Value], memory: Sequence[Value]
) -> tuple[Value, list[Value]]:
    """One step: `(batch, 1, width)` to `(batch, 1, outputs)`, and the new states; as `Decoder.step`."""
    outputs, after = write_cells(graph, decoder.layers, read, states)
    if memory:
        values, keys = memory
        context = attend(graph, outputs, values, keys)
        both = graph.concat([context, outputs])
        outputs = write_dense(graph, decoder.model.get_layer("attention_vector"), both)
    return write_dense(graph, decoder.model.get_layer("output"), outputs), after


def write_cells(
    graph: Graph, layers: Sequence[keras.layers.RNN], read: Value, states: Sequence[Value] | None
) -> tuple[Value, list[Value]]:
    """Stacked layers over the steps that are read, with states in and out; None: from zeros."""
    outputs, after, left = read, list[Value](), list(states or [])
    for layer in layers:
        held = 2 if isinstance(layer, keras.layers.LSTM) else 1
        run = run_layers(graph, [layer], outputs, [] if states is None else [left[:held]])
        outputs, left = run.steps, left[held:]
        after += run.states[0]
    return outputs, after


def write_loop(
    graph: Graph, count: Value, first: Value, states: Sequence[Value], reads: Reads, steps: Steps
) -> list[Value]:
    """So many steps, each out of the one before.

    Args:
        graph: What it is written to.
        count: How many, `()` int64.
        first: The value before the first step, `(batch, 1, width)`.
        states: The states before it.
        reads: What a step reads.
        steps: What it makes of that.

    Returns:
        The values, `(batch, count, width)`, and the states after the last step.
    """
    body = Graph(graph.new_name("body"), graph)
    number, on = Value(body.new_name("number"), (), "int64"), Value(body.new_name("on"), (), "bool")
    carried = [Value(body.new_name("carried"), each.shape, each.dtype) for each in (first, *states)]
    value, after = steps(body, reads(body, number, carried[0]), carried[1:])
    outputs = [body.add("Identity", each, shape=each.shape, dtype=each.dtype) for each in (on, value, *after)]
    written = body.add("Squeeze", value, ints([1]), shape=(value.shape[0], value.width))
    taken = [(each.name, each.dtype, each.shape) for each in (number, on, *carried)]
    inner = body.subgraph(taken, [*outputs, written])
    names = [graph.new_name("loop") for _ in range(len(carried) + 1)]
    graph.nodes_of("Loop", [count, np.array(True), first, *states], names, body=inner)
    stacked = Value(names[-1], (None, value.shape[0], value.width))
    return [
        graph.transpose(stacked, [1, 0, 2]),
        *(Value(name, each.shape) for name, each in zip(names[1:], states, strict=False)),
    ]


def write_free_forecast(graph: Graph, model: keras.Model, inputs: Sequence[Value]) -> Value:
    """An autoregressive forecaster run on its own output; as `models.decoding.compile_free_forecast`."""
    decoder, before = Decoder.of(model), model.get_layer("step_before")
    states, memory = write_start(graph, decoder, inputs[0])
    given = next((tensor for tensor in model.inputs if tensor.name == "future"), None)
    beside = None
    if given is not None:
        ahead = keras.Model(given, model.get_layer("bridge_future").input[1])
        beside = write_model(graph, ahead, [inputs[1]])[0]

    def reads(body: Graph, number: Value, value: Value) -> Value:
        if beside is None:
            return value
        shape = (beside.shape[0], beside.width)
        own = body.add("Gather", beside, number, shape=shape, axis=1)
        return body.concat([value, body.unsqueeze(own, 1)])

    first = graph.gather(graph.slice(inputs[0], 1, -1, None), before.columns)
    count = Value(graph.constant(np.array(model.output_shape[1])), (), "int64")

    def steps(body: Graph, read: Value, states: list[Value]) -> tuple[Value, list[Value]]:
        return write_step(body, decoder, read, states, memory)

    return write_loop(graph, count, first, states, reads, steps)[0]
