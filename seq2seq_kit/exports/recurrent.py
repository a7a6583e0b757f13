"""LSTM and GRU layers as ONNX' own nodes.

ONNX has the gates of an LSTM in the order i, o, f, c (Keras: i, f, c, o), the time before the batch, and a length for each
sequence where Keras has a mask. A GRU has the same order and formula in both (`linear_before_reset` is Keras' `reset_after`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import keras
import numpy as np

from seq2seq_kit.exports.graph import Given, Graph, Value
from seq2seq_kit.exports.refusing import refuse_layer

_ACTIVATIONS = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "softsign": "Softsign"}
Recurrent: TypeAlias = keras.layers.RNN  # an LSTM or a GRU


@dataclass(frozen=True)
class Run:
    """What a recurrent node gives.

    Attributes:
        steps: Every step, `(batch, steps, directions * units)`; steps that do not count are 0.
        states: The final states of each direction, h and for an LSTM c, `(1, batch, units)` each.
    """

    steps: Value
    states: list[list[Value]]


def run_layers(
    graph: Graph, layers: Sequence[Recurrent], inputs: Value, initial: Sequence[Sequence[Value]] = ()
) -> Run:
    """One node for one layer, or for the two directions of a bidirectional one.

    Args:
        graph: What it is written to.
        layers: One, or the forward and the backward one.
        inputs: `(batch, steps, width)`.
        initial: States to begin with, by direction, `(1, batch, units)` each; none for zeros.
    """
    first = layers[0]
    lstm = isinstance(first, keras.layers.LSTM)
    for layer in layers:
        _refuse_options(layer)
    weights = [_weights(layer) for layer in layers]
    kernel, recurrent, bias = (np.stack([each[place] for each in weights]) for place in range(3))
    lengths: Given = None
    if inputs.mask is not None:
        counted = graph.cast(inputs.mask, "int32")
        lengths = graph.add("ReduceSum", counted, np.array([1]), shape=inputs.shape[:1], dtype="int32", keepdims=0)
    starts: list[Given] = [
        graph.concat([states[place] for states in initial], axis=0) if initial else None
        for place in range(2 if lstm else 1)
    ]
    units, directions = first.units, len(layers)
    names = [graph.new_name(word) for word in ("steps", "h", "c")[: 3 if lstm else 2]]
    acts = [_activation(layer, which) for layer in layers for which in _order(lstm)]
    attributes: dict[str, object] = {
        "hidden_size": units,
        "direction": "bidirectional" if directions == 2 else "forward",
        "activations": acts,
    }
    if not lstm:
        attributes["linear_before_reset"] = int(first.reset_after)
    by_time = graph.transpose(inputs, [1, 0, 2])
    given = [by_time, kernel, recurrent, bias, lengths, *starts]
    graph.nodes_of("LSTM" if lstm else "GRU", given, names, **attributes)
    batch, steps = inputs.shape[0], inputs.shape[1]
    every = Value(names[0], (steps, directions, batch, units))
    every = graph.reshape(
        graph.transpose(every, [2, 0, 1, 3]), [0, 0, directions * units], (batch, steps, directions * units)
    )
    final = [Value(name, (directions, batch, units)) for name in names[1:]]
    states = [
        [state if directions == 1 else graph.slice(state, 0, number, number + 1) for state in final]
        for number in range(directions)
    ]
    return Run(every.masked(inputs.mask), states)


def write_recurrent(
    graph: Graph, layer: Recurrent, sequence: Value, initial_state: Sequence[Value] | None = None, **_: object
) -> Value | list[Value]:
    """An LSTM or a GRU."""
    if layer.go_backwards:
        refuse_layer(layer, "it runs backwards outside of a Bidirectional")
    begin = [[graph.unsqueeze(state, 0) for state in initial_state]] if initial_state else []
    run = run_layers(graph, [layer], sequence, begin)
    states = [_flat(graph, state) for state in run.states[0]]
    if not layer.return_sequences:
        outputs = states[0]
    elif sequence.mask is None or layer.zero_output_for_mask:
        outputs = run.steps
    else:  # Keras gives the last output that counts on all steps that do not
        last = graph.unsqueeze(states[0], 1)
        outputs = graph.where(graph.unsqueeze(sequence.mask, -1), run.steps, last, run.steps).masked(sequence.mask)
    return [outputs, *states] if layer.return_state else outputs


def write_bidirectional(
    graph: Graph, layer: keras.layers.Bidirectional, sequence: Value, **_: object
) -> Value | list[Value]:
    """Both directions of an LSTM or a GRU in one node."""
    both = [layer.forward_layer, layer.backward_layer]
    if type(both[0]) not in (keras.layers.LSTM, keras.layers.GRU) or layer.merge_mode != "concat":
        refuse_layer(layer, "it must hold an LSTM or a GRU and lay both directions side by side (merge_mode concat)")
    run = run_layers(graph, both, sequence)
    states = [[_flat(graph, state) for state in direction] for direction in run.states]
    outputs = run.steps if layer.return_sequences else graph.concat([direction[0] for direction in states])
    return [outputs, *states[0], *states[1]] if layer.return_state else outputs


def _flat(graph: Graph, state: Value) -> Value:
    return graph.add("Squeeze", state, np.array([0]), shape=state.shape[1:])


def _refuse_options(layer: Recurrent) -> None:
    if layer.stateful:
        refuse_layer(layer, "it keeps states between calls (stateful)")
    for which in ("activation", "recurrent_activation"):
        _activation(layer, which)


def _activation(layer: Recurrent, which: str) -> str:
    name = getattr(getattr(layer, which), "__name__", "")
    if name not in _ACTIVATIONS:
        refuse_layer(layer, f"its {which} is {name or 'unknown'}; expected one of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]


def _order(lstm: bool) -> tuple[str, ...]:
    return ("recurrent_activation", "activation", *(("activation",) if lstm else ()))


def _weights(layer: Recurrent) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kernel `(gates * units, width)`, recurrent kernel likewise, both biases one after the other."""
    cell, units = layer.cell, layer.units
    order = [0, 3, 1, 2] if isinstance(layer, keras.layers.LSTM) else [0, 1, 2]

    def gates(weight: np.ndarray) -> np.ndarray:
        return np.concatenate([weight[..., gate * units : (gate + 1) * units] for gate in order], axis=-1)

    kernel, recurrent = (gates(_numbers(weight)).T for weight in (cell.kernel, cell.recurrent_kernel))
    bias = np.zeros((2, len(order) * units), np.float32)
    if layer.use_bias:
        own = gates(_numbers(cell.bias))
        bias[: 1 if own.ndim == 1 else 2] = own
    return kernel, recurrent, bias.ravel()


def _numbers(weight: keras.Variable) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(weight), dtype=np.float32)
