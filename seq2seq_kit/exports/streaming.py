"""Next-step models: stacked layers over the rows that are read, with states in and out, then each row out of the one before."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from seq2seq_kit.exports.feeding import write_cells, write_loop
from seq2seq_kit.exports.graph import Graph, Value, ints
from seq2seq_kit.exports.layers import write_dense


def write_steps(graph: Graph, model: keras.Model, read: Value, states: Sequence[Value]) -> tuple[Value, list[Value]]:
    """Rows that are read, `(batch, steps, width)`, to the prediction after each, and the states, `(batch, units)` each."""
    outputs, after = _cells(graph, model, read, [graph.unsqueeze(state, 0) for state in states])
    return outputs, [graph.add("Squeeze", state, ints([0]), shape=state.shape[1:]) for state in after]


def write_walk(graph: Graph, model: keras.Model, read: Value, known: Value, states: Sequence[Value]) -> list[Value]:
    """As `models.next_step.Stepper.walk`: predictions after what is read, those fed back, the newest one, and the states."""
    outputs, after = _cells(graph, model, read, [graph.unsqueeze(state, 0) for state in states])
    newest = graph.slice(outputs, 1, -1, None)
    fed = _fed_back(graph, model, newest, known, graph.size(known, 1), after)
    flat = [graph.add("Squeeze", state, ints([0]), shape=state.shape[1:]) for state in after]
    return [outputs, fed, graph.add("Squeeze", newest, ints([1]), shape=(newest.shape[0], newest.width)), *flat]


def write_forecast(
    graph: Graph, model: keras.Model, past: Value, future: Value | None, rows: Value, count: int
) -> Value:
    """So many rows ahead of a window, from states of zeros.

    Args:
        graph: What it is written to.
        model: The model.
        past: The rows of the window, `(batch, steps, columns)`.
        future: What is known of the rows ahead, `(batch, rows, columns)`, if anything.
        rows: How many there are, `(1,)` int64.
        count: Columns that are predicted; those behind them are read with the row before.
    """
    known, read = None, past
    if future is not None:
        own = graph.slice(past, -1, count, None)
        whole = graph.concat([graph.slice(own, 1, 1, None), future], axis=1)
        steps = graph.size(past, 1)
        bounds = [ints([1]), ints([1])]
        head = graph.add("Slice", whole, ints([0]), steps, *bounds, shape=(None, past.shape[1], future.width))
        known = graph.add(
            "Slice", whole, steps, ints([np.iinfo(np.int64).max]), *bounds, shape=(None, None, future.width)
        )
        read = graph.concat([graph.slice(past, -1, 0, count), head])
    outputs, after = _cells(graph, model, read, None)
    newest = graph.slice(outputs, 1, -1, None)
    more = graph.add("Sub", rows, ints([1]), shape=(1,), dtype="int64")
    return graph.concat([newest, _fed_back(graph, model, newest, known, more, after)], axis=1)


def _fed_back(
    graph: Graph, model: keras.Model, newest: Value, known: Value | None, count: Value, states: Sequence[Value]
) -> Value:
    def reads(body: Graph, number: Value, value: Value) -> Value:
        if known is None or not known.width:
            return value
        own = body.add("Gather", known, number, shape=(known.shape[0], known.width), axis=1)
        return body.concat([value, body.unsqueeze(own, 1)])

    def steps(body: Graph, read: Value, before: list[Value]) -> tuple[Value, list[Value]]:
        return _cells(body, model, read, before)

    times = graph.reshape(count, [], ())
    return write_loop(graph, times, newest, states, reads, steps)[0]


def _cells(graph: Graph, model: keras.Model, read: Value, states: Sequence[Value] | None) -> tuple[Value, list[Value]]:
    layers = [layer for layer in model.layers if layer.name.startswith("layer_")]
    outputs, after = write_cells(graph, layers, read, states)
    return write_dense(graph, model.get_layer("output"), outputs), after
