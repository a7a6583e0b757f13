"""A bundle's network as a graph, whatever it is made of: all steps at once, or each step out of the one before."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from seq2seq_kit.exports.graph import Graph, Value
from seq2seq_kit.exports.members import write_combine_members
from seq2seq_kit.exports.walking import write_model
from seq2seq_kit.models.ensemble import combining, members_of
from seq2seq_kit.models.feedback import reads_own_output


def write_network(graph: Graph, model: keras.Model, inputs: Sequence[Value]) -> Value:
    """What a prediction needs of a model with one output; an autoregressive one runs freely.

    Args:
        graph: What it is written to.
        model: The model.
        inputs: One for each of `models.inference.forward_inputs`.
    """
    if reads_own_output(model):
        from seq2seq_kit.exports.feeding import write_free_forecast

        combine, found = combining(model), [write_free_forecast(graph, each, inputs) for each in members_of(model)]
        return found[0] if combine is None else write_combine_members(graph, combine, found)
    return write_model(graph, model, inputs)[0]
