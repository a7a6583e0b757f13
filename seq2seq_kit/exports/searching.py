"""An autoregressive translator as one graph: its encoder, and the beam search over its decoder as the body of ONNX' `Loop`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np

from seq2seq_kit.exports.feeding import write_start, write_step
from seq2seq_kit.exports.graph import Graph, Value, ints
from seq2seq_kit.exports.members import write_combine_members
from seq2seq_kit.exports.walking import write_layer
from seq2seq_kit.models.decoding import END, Decoder, token_layer
from seq2seq_kit.models.ensemble import combining, members_of

# From a graph, the last tokens and the states before a step to the logits and the states after it.
Steps = Callable[[Graph, Value, Sequence[Value]], tuple[Value, list[Value]]]


def write_search(graph: Graph, model: keras.Model, source: Value, beams: Value, *, most_steps: int) -> list[Value]:
    """As `models.decoding.compile_beam_search`.

    Args:
        graph: What it is written to.
        model: The translator, or an ensemble of such.
        source: Numbers of tokens, `(batch, steps)`.
        beams: Beam width, `(1,)` int64.
        most_steps: Steps after which an output is cut off.

    Returns:
        Tokens `(batch, beams, most_steps)` and the logarithm of their probability `(batch, beams)`, the most probable first.
    """
    batch = graph.size(source, 0)
    rows = _Rows(graph, batch, beams)
    states, step = _start(graph, model, source, rows)
    shape = graph.concat([batch, beams], axis=0)
    longest = graph.concat([shape, Value(graph.constant(ints([most_steps])), (1,), "int64")], axis=0)
    place = rows.count(graph, beams)
    first = graph.add("Equal", place, ints([0]), shape=place.shape, dtype="bool")
    # All beams begin alike, so only the first one counts until they differ.
    score = graph.add("Where", first, np.array([0.0], np.float32), np.array([-np.inf], np.float32), shape=(None,))
    begun = [
        graph.add("Expand", np.array([END], np.int32), graph.plain("Mul", batch, beams), shape=(None,), dtype="int32"),
        graph.add("Expand", score, shape, shape=(None, None)),
        graph.add("Expand", np.array([[False]]), shape, shape=(None, None), dtype="bool"),
        graph.add("Expand", np.zeros((1, 1, 1), np.int32), longest, shape=(None, None, most_steps), dtype="int32"),
        *states,
    ]
    body = Graph(graph.new_name("body"), graph)
    number, on = Value(body.new_name("number"), (), "int64"), Value(body.new_name("on"), (), "bool")
    carried = [Value(body.new_name("carried"), each.shape, each.dtype) for each in begun]
    after = _advance(body, number, carried, rows, step, most_steps)
    left = body.cast(body.add("Not", after[2], shape=(None, None), dtype="bool"), "int64")
    left = body.add("ReduceSum", left, shape=(), dtype="int64", keepdims=0)
    goes_on = body.add("Greater", left, np.array(0), shape=(), dtype="bool")
    taken = [(each.name, each.dtype, each.shape) for each in (number, on, *carried)]
    given = [body.add("Identity", each, shape=each.shape, dtype=each.dtype) for each in after]
    names = [graph.new_name("loop") for _ in carried]
    inner = body.subgraph(taken, [goes_on, *given])
    graph.nodes_of("Loop", [np.array(most_steps), np.array(True), *begun], names, body=inner)
    return [Value(names[3], begun[3].shape, "int32"), Value(names[1], (None, None))]


class _Rows:
    """Rows of `(batch * beams, ...)`: each sequence as often as there are beams, one after the other."""

    def __init__(self, graph: Graph, batch: Value, beams: Value) -> None:
        numbers = graph.unsqueeze(self.count(graph, batch), 1)
        self.beams = beams
        self.first = graph.plain("Mul", numbers, beams)
        shape = graph.concat([batch, beams], axis=0)
        spread = graph.add("Expand", numbers, shape, shape=(None, None), dtype="int64")
        self._of_beams = graph.reshape(spread, [-1], (None,))

    @staticmethod
    def count(graph: Graph, size: Value) -> Value:
        """0, 1, 2, ... up to a size `(1,)`."""
        end = graph.reshape(size, [], ())
        return graph.add("Range", np.array(0), end, np.array(1), shape=(None,), dtype="int64")

    def repeat(self, graph: Graph, value: Value, axis: int = 0) -> Value:
        """What each sequence has, for each of its beams, with its mask."""
        mask = None if value.mask is None else self.repeat(graph, value.mask)
        found = graph.add("Gather", value, self._of_beams, shape=value.shape, dtype=value.dtype, axis=axis)
        return found.masked(mask)

    def of(self, graph: Graph, parent: Value) -> Value:
        """The rows of these beams `(batch, beams)`, one after the other."""
        return graph.reshape(graph.plain("Add", parent, self.first), [-1], (None,))


def _start(graph: Graph, model: keras.Model, source: Value, rows: _Rows) -> tuple[list[Value], Steps]:
    """The states of all members, and one step of them together."""
    members, combine = members_of(model), combining(model)
    decoders = [Decoder.of(each) for each in members]
    memories, states, counts = list[list[Value]](), list[Value](), list[int]()
    for member, decoder in zip(members, decoders, strict=True):
        with graph.within(member.name):
            own, memory = write_start(graph, decoder, source)
        states += [rows.repeat(graph, each, axis=1) for each in own]
        memories.append([rows.repeat(graph, each) for each in memory])
        counts.append(len(own))

    def step(body: Graph, last: Value, before: Sequence[Value]) -> tuple[Value, list[Value]]:
        logits, after, left = list[Value](), list[Value](), list(before)
        for member, decoder, memory, count in zip(members, decoders, memories, counts, strict=True):
            with body.within(member.name):
                read = write_layer(body, token_layer(member), body.unsqueeze(last, 1))
                own, new = write_step(body, decoder, read, left[:count], memory)
            left = left[count:]
            logits.append(own)
            after += new
        return (logits[0] if combine is None else write_combine_members(body, combine, logits)), after

    return states, step


def _advance(
    body: Graph, number: Value, carried: Sequence[Value], rows: _Rows, step: Steps, most_steps: int
) -> list[Value]:
    """One token more of each beam: the last tokens, the scores, what has ended, the tokens, the states."""
    last, scores, ended, tokens, *before = carried
    logits, after = step(body, last, before)
    size = logits.width
    each = body.add("LogSoftmax", logits, shape=logits.shape, axis=-1)
    wide = body.add("Reshape", each, _sizes(body, scores, size), shape=(None, None, size))
    # An output that has ended can only be followed by its end, at no cost.
    only_end = np.where(np.arange(size) == END, 0.0, -np.inf).astype(np.float32)
    wide = body.where(body.unsqueeze(ended, 2), only_end, wide, like=wide)
    total = body.plain("Add", wide, body.unsqueeze(scores, 2))
    flat = body.reshape(total, [0, -1], (None, None))
    best, place = body.new_name("best"), Value(body.new_name("place"), (None, None), "int64")
    body.nodes_of("TopK", [flat, rows.beams], [best, place.name], axis=-1)
    parent = body.plain("Div", place, np.array(size))
    token = body.cast(body.plain("Sub", place, body.plain("Mul", parent, np.array(size))), "int32")
    of = rows.of(body, parent)

    def taken(value: Value, axis: int = 0) -> Value:
        return body.add("Gather", value, of, shape=value.shape, dtype=value.dtype, axis=axis)

    def of_beams(value: Value) -> Value:
        """`(batch, beams, ...)` by parent."""
        rest = value.shape[2:]
        lines = body.reshape(value, [-1, *(int(each or 0) for each in rest)], (None, *rest))
        sizes = body.add("Shape", value, shape=(len(value.shape),), dtype="int64")
        return body.add("Reshape", taken(lines), sizes, shape=value.shape, dtype=value.dtype)

    here = body.add("Equal", np.arange(most_steps), number, shape=(most_steps,), dtype="bool")
    written = body.where(here, body.unsqueeze(token, 2), of_beams(tokens), like=tokens)
    stops = body.add("Equal", token, np.array([END], np.int32), shape=token.shape, dtype="bool")
    done = body.plain("Or", of_beams(ended), stops)
    newest = body.reshape(token, [-1], (None,))
    return [newest, Value(best, (None, None)), done, written, *(taken(state, axis=1) for state in after)]


def _sizes(body: Graph, scores: Value, size: int) -> Value:
    shape = body.add("Shape", scores, shape=(2,), dtype="int64")
    return body.concat([shape, Value(body.constant(ints([size])), (1,), "int64")], axis=0)
