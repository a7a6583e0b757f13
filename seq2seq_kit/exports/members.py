"""How the members of an ensemble become one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seq2seq_kit.exports.graph import Graph, Value, ints
from seq2seq_kit.models.ensemble import LEAST, CombineMembers, NewestSteps


def write_combine_members(graph: Graph, layer: CombineMembers, inputs: Sequence[Value], **_: object) -> Value:
    """The mean or the median of the members of an ensemble."""
    count = len(inputs)
    given = graph.concat([graph.unsqueeze(each.masked(None), 0) for each in inputs], axis=0)
    shape = given.shape[1:]
    if layer.combine == "mean":
        if not layer.logits:
            return graph.add("ReduceMean", given, shape=shape, axes=[0], keepdims=0)
        given = graph.add("LogSoftmax", given, shape=given.shape, axis=-1)
        summed = graph.add("ReduceLogSumExp", given, shape=shape, axes=[0], keepdims=0)
        return graph.plain("Sub", summed, np.array(np.log(count), np.float32))
    if layer.logits:
        given = graph.add("Softmax", given, shape=given.shape, axis=-1)
    ordered = Value(graph.new_name("ordered"), given.shape, given.dtype)
    places = graph.new_name("places")
    graph.nodes_of("TopK", [given, ints([count])], [ordered.name, places], axis=0, largest=0, sorted=1)
    ends = [graph.slice(ordered, 0, at, at + 1) for at in ((count - 1) // 2, count // 2)]
    middle = graph.plain("Mul", graph.plain("Add", *ends), np.array(0.5, np.float32))
    middle = graph.add("Squeeze", middle, ints([0]), shape=shape)
    if not layer.logits:
        return middle
    least = graph.plain("Max", middle, np.array(LEAST, np.float32))
    return graph.add("Log", least, shape=shape)


def write_newest_steps(graph: Graph, layer: NewestSteps, inputs: Value, **_: object) -> Value:
    """The newest steps of a window."""
    newest = graph.slice(inputs, 1, -layer.steps, None)
    return newest if inputs.mask is None else newest.masked(graph.slice(inputs.mask, 1, -layer.steps, None))
