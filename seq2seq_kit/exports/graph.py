"""A graph of ONNX operations as it is written: names, constants, subgraphs, and the checks at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from seq2seq_kit.exports.program import Port, Size

OPSET = 17
_IR = 8  # of opset 17: what runtimes of 2022 and later read
_TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
}


@dataclass(frozen=True)
class Value:
    """A tensor of a graph.

    Attributes:
        name: Its name there.
        shape: Sizes; None where one is open. The first is that of the batch.
        dtype: NumPy's name of its type.
        mask: Which of its steps count, `(batch, steps)` bool, where not all do. They are the first ones of each sequence.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"
    mask: Value | None = None

    @property
    def width(self) -> int:
        """Size of the last axis."""
        size = self.shape[-1]
        assert size is not None
        return size

    def masked(self, mask: Value | None) -> Value:
        """The same with another mask."""
        return replace(self, mask=mask)


Given = Value | np.ndarray | None


class Graph:
    """Nodes in order, with their constants.

    Args:
        name: Of the graph.
        root: The graph that a subgraph stands in, whose constants and names it shares.
    """

    def __init__(self, name: str, root: Graph | None = None) -> None:
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[tuple[object, ...], onnx.TensorProto] = {} if root is None else root.constants
        self._root = root or self
        self._count = 0
        self._scope: list[str] = []

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        """Nodes that are written in here are called by a layer's name."""
        self._root._scope.append(name)
        try:
            yield
        finally:
            self._root._scope.pop()

    def new_name(self, word: str) -> str:
        """A name that nothing else in the graph has."""
        self._root._count += 1
        return "/".join([*self._root._scope, f"{word}_{self._root._count}"])

    def constant(self, array: np.ndarray) -> str:
        """The name of a constant; equal ones are stored once."""
        array = np.asarray(array, order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = numpy_helper.from_array(array, self.new_name("constant"))
        return self.constants[key].name

    def nodes_of(self, kind: str, inputs: Sequence[Given], names: Sequence[str], **attributes: object) -> None:
        """Adds a node whose outputs have these names."""
        given = [
            "" if each is None else self.constant(each) if isinstance(each, np.ndarray) else each.name
            for each in inputs
        ]
        self.nodes.append(helper.make_node(kind, given, list(names), name=self.new_name(kind), **attributes))

    def add(
        self,
        kind: str,
        *inputs: Given,
        shape: Sequence[int | None],
        dtype: str = "float32",
        mask: Value | None = None,
        **attributes: object,
    ) -> Value:
        """Adds a node with one output of this shape and type."""
        name = self.new_name(kind.lower())
        self.nodes_of(kind, inputs, [name], **attributes)
        return Value(name, tuple(shape), dtype, mask)

    # The handful of operations that everybody needs.

    def cast(self, value: Value, dtype: str) -> Value:
        """The value as another type."""
        if value.dtype == dtype:
            return value
        return self.add("Cast", value, shape=value.shape, dtype=dtype, mask=value.mask, to=_TYPES[dtype])

    def reshape(self, value: Value, sizes: Sequence[int], shape: Sequence[int | None]) -> Value:
        """`sizes` as ONNX has them: 0 keeps a size, -1 takes what is left."""
        return self.add("Reshape", value, ints(sizes), shape=shape, dtype=value.dtype)

    def transpose(self, value: Value, order: Sequence[int]) -> Value:
        """The axes in another order."""
        shape = [value.shape[axis] for axis in order]
        return self.add("Transpose", value, shape=shape, dtype=value.dtype, perm=list(order))

    def unsqueeze(self, value: Value, axis: int) -> Value:
        """One more axis of size 1."""
        shape = list(value.shape)
        shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, 1)
        return self.add("Unsqueeze", value, ints([axis]), shape=shape, dtype=value.dtype)

    def slice(self, value: Value, axis: int, begin: int, end: int | None, step: int = 1) -> Value:
        """A part of an axis."""
        axis %= len(value.shape)
        size, shape = value.shape[axis], list(value.shape)
        shape[axis] = None if size is None else len(range(size)[begin:end:step])
        stop = np.iinfo(np.int64).max if end is None else end
        bounds = [ints([begin]), ints([stop]), ints([axis]), ints([step])]
        return self.add("Slice", value, *bounds, shape=shape, dtype=value.dtype)

    def gather(self, value: Value, positions: Sequence[int]) -> Value:
        """Columns by position."""
        shape = (*value.shape[:-1], len(positions))
        return self.add("Gather", value, ints(positions), shape=shape, dtype=value.dtype, axis=-1)

    def concat(self, values: Sequence[Value], axis: int = -1) -> Value:
        """Values side by side along an axis."""
        if len(values) == 1:
            return values[0]
        at = axis % len(values[0].shape)
        sizes = [value.shape[at] for value in values]
        shape = list(values[0].shape)
        shape[at] = None if None in sizes else sum(size for size in sizes if size is not None)
        return self.add("Concat", *values, shape=shape, dtype=values[0].dtype, axis=axis)

    def where(self, condition: Value, yes: Given, no: Given, like: Value) -> Value:
        """Cells of one or of another; the result has the shape of `like`."""
        return self.add("Where", condition, yes, no, shape=like.shape, dtype=like.dtype)

    def size(self, value: Value, axis: int) -> Value:
        """How long an axis is, `(1,)` int64."""
        sizes = self.add("Shape", value, shape=(len(value.shape),), dtype="int64")
        return self.add("Slice", sizes, ints([axis]), ints([axis + 1]), ints([0]), shape=(1,), dtype="int64")

    def sum(self, value: Value, axis: int) -> Value:
        """Summed over an axis, which stays with size 1."""
        shape = list(value.shape)
        shape[axis] = 1
        return self.add("ReduceSum", value, ints([axis]), shape=shape, dtype=value.dtype, keepdims=1)

    def plain(self, kind: str, one: Value, other: Given, like: Value | None = None) -> Value:
        """An operation on cells (`Add`, `Mul`, ...); the result is like the first, or like `like`."""
        like = like or one
        return self.add(kind, one, other, shape=like.shape, dtype=one.dtype, mask=like.mask)

    def finish(self, outputs: Sequence[tuple[str, Value]]) -> None:
        """Gives the outputs their names."""
        for name, value in outputs:
            self.nodes.append(helper.make_node("Identity", [value.name], [name], name=self.new_name("Identity")))

    def subgraph(
        self, inputs: Sequence[tuple[str, str, Sequence[Size | None]]], outputs: Sequence[Value]
    ) -> onnx.GraphProto:
        """The body of a loop out of these nodes."""
        taken = [_info(name, dtype, shape) for name, dtype, shape in inputs]
        given = [_info(value.name, value.dtype, value.shape) for value in outputs]
        return helper.make_graph(self.nodes, self.name, taken, given)


def make_model(
    graph: Graph, inputs: Sequence[Port], outputs: Sequence[Port], metadata: Mapping[str, str], about: str
) -> onnx.ModelProto:
    """The graph as a model of opset 17, without external data; see `check`."""
    taken = [_info(port.name, port.dtype, port.shape) for port in inputs]
    given = [_info(port.name, port.dtype, port.shape) for port in outputs]
    made = helper.make_graph(graph.nodes, graph.name, taken, given, list(graph.constants.values()), doc_string=about)
    model = helper.make_model(made, producer_name="seq2seq-kit", opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = _IR
    helper.set_model_props(model, dict(metadata))
    return model


def ints(numbers: Sequence[int]) -> np.ndarray:
    """Whole numbers as ONNX takes sizes and positions."""
    return np.array(numbers, dtype=np.int64)


def _info(name: str, dtype: str, shape: Sequence[Size | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, _TYPES[dtype], list(shape))
