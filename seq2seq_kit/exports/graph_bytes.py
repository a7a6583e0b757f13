"""What an ONNX file of a stranger may hold, asked of its bytes: no package of ONNX is needed to run one, so none is to check one.

Standard operations and numbers that lie in the file itself. Another domain could be an extension of the runtime, and a tensor
with external data names another file of this machine. Field numbers are those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator

_DEEPEST = 32
_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _SPARSE, _OPSET = [
    "model",
    "graph",
    "node",
    "attribute",
    "tensor",
    "sparse",
    "opset",
]
# Of each message: which of its fields hold which messages.
_PARTS = {
    _MODEL: {7: _GRAPH, 8: _OPSET},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
    _TENSOR: {},
    _OPSET: {},
}
_FUNCTIONS, _DOMAIN_OF_NODE, _DOMAIN_OF_OPSET, _EXTERNAL_DATA, _DATA_LOCATION = 25, 7, 1, 13, 14


def refuse_foreign_graph(content: bytes) -> None:
    """Raises `ValueError` for a graph with operations of another domain, functions of its own or data in other files."""
    _walk(memoryview(content), _MODEL, 0)


def _walk(content: memoryview, kind: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError(f"the graph is nested more than {_DEEPEST} times")
    for field, value in _fields(content):
        if kind == _MODEL and field == _FUNCTIONS:
            raise ValueError("the graph has functions of its own")
        if kind == _TENSOR and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value)):
            raise ValueError("a tensor of the graph lies in another file")
        domain = (kind, field) in ((_NODE, _DOMAIN_OF_NODE), (_OPSET, _DOMAIN_OF_OPSET))
        if domain and isinstance(value, memoryview) and bytes(value) not in (b"", b"ai.onnx"):
            raise ValueError(f"the graph has operations of the domain {bytes(value)[:60]!r}")
        inner = _PARTS[kind].get(field)
        if inner is not None:
            if not isinstance(value, memoryview):
                raise ValueError("the file is damaged")
            _walk(value, inner, depth + 1)


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a protobuf message: numbers as numbers, everything else as bytes."""
    at = 0
    while at < len(content):
        key, at = _number(content, at)
        if not 8 <= key < 1 << 32:
            raise ValueError("the file is damaged")
        field, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _number(content, at)
            yield field, value
            continue
        if wire not in (1, 2, 5):
            raise ValueError("the file is damaged")
        size, at = _number(content, at) if wire == 2 else ({1: 8, 5: 4}[wire], at)
        if at + size > len(content):
            raise ValueError("the file is cut short")
        yield field, content[at : at + size]
        at += size


def _number(content: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        if at >= len(content):
            raise ValueError("the file is cut short")
        byte = content[at]
        at += 1
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value, at
    raise ValueError("the file is damaged")
