"""Operations that stand between a model's layers: what Keras makes masks of."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from seq2seq_kit.exports.graph import Graph, Value
from seq2seq_kit.exports.refusing import refuse_layer


def write_greater(graph: Graph, operation: keras.Operation, one: Value, other: object) -> Value:
    """Where the cells are above a number."""
    return _compare(graph, operation, "Greater", one, other)


def write_not_equal(graph: Graph, operation: keras.Operation, one: Value, other: object) -> Value:
    """Where the cells are not a number."""
    same = _compare(graph, operation, "Equal", one, other)
    return graph.add("Not", same, shape=same.shape, dtype="bool")


def _compare(graph: Graph, operation: keras.Operation, kind: str, one: Value, other: object) -> Value:
    if not isinstance(other, int | float):
        refuse_layer(operation, "it compares with what is no number")
    return graph.add(kind, one, np.array(other, one.dtype), shape=one.shape, dtype="bool")


def write_get_item(graph: Graph, operation: keras.Operation, value: Value, key: object) -> Value:
    """Every so manieth step."""
    keys = key if isinstance(key, tuple | list) else (key,)  # a list in a model that was made from a configuration
    for axis, each in enumerate(keys):
        if not isinstance(each, slice):
            refuse_layer(operation, "it takes other parts of a tensor than a range of steps")
        if each != slice(None):
            value = graph.slice(value, axis, each.start or 0, each.stop, each.step or 1)
    return value


# By name: Keras has no public name for these classes.
OPERATIONS: dict[str, Callable[..., object]] = {
    "Greater": write_greater,
    "NotEqual": write_not_equal,
    "GetItem": write_get_item,
}
