"""A Keras model as ONNX: its layers in order, each by the writer of its class, models within it likewise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras

from seq2seq_kit.exports.graph import Graph, Value
from seq2seq_kit.exports.layers import KERAS
from seq2seq_kit.exports.operations import OPERATIONS
from seq2seq_kit.exports.own_layers import OWN
from seq2seq_kit.exports.refusing import refuse_layer
from seq2seq_kit.models.keras_compat import run_through

# A writer takes the graph, the layer and what the layer is called with, and gives what the layer gives. A layer is told by
# its very class: one that is derived from it may do something else.
WRITERS: dict[type, Callable[..., object]] = {**KERAS, **OWN}


def write_model(graph: Graph, model: keras.Model, inputs: Sequence[Value]) -> list[Value]:
    """Writes a functional model.

    Args:
        graph: What it is written to.
        model: The model; models within it are walked through, too.
        inputs: One for each of its inputs.

    Returns:
        Its outputs.

    Raises:
        ArgumentError: A layer has no writer; the message names it.
    """

    def write(layer: keras.Operation, *given: object, **named: object) -> object:
        if isinstance(layer, keras.Model):
            found = write_model(graph, layer, [each for each in keras.tree.flatten(given) if isinstance(each, Value)])
            return found if len(found) > 1 else found[0]
        writer = (
            OPERATIONS.get(type(layer).__name__) if not isinstance(layer, keras.Layer) else WRITERS.get(type(layer))
        )
        if writer is None:
            refuse_layer(layer, "this kit has no writer for its class")
        mask = named.pop("mask", None)
        if given and mask is not None:
            given = (_with_masks(given[0], mask), *given[1:])
        named = {name: value for name, value in named.items() if value is not None and name != "training"}
        with graph.within(layer.name):
            return writer(graph, layer, *given, **named)

    return [value for value in keras.tree.flatten(run_through(model, list(inputs), write)) if isinstance(value, Value)]


def write_layer(graph: Graph, layer: keras.Layer, inputs: Value) -> Value:
    """Writes one layer of one input and one output."""
    outputs = WRITERS[type(layer)](graph, layer, inputs)
    assert isinstance(outputs, Value)
    return outputs


def _with_masks(given: object, masks: object) -> object:
    """What a layer reads with the masks that it was called with."""
    if isinstance(given, list | tuple):
        own = masks if isinstance(masks, list | tuple) else [masks]
        return [*map(_with_masks, given, own), *given[len(own) :]]
    masks = masks[0] if isinstance(masks, list | tuple) and masks else masks
    return given.masked(masks) if isinstance(given, Value) and isinstance(masks, Value) else given
