"""A network as a session of ONNX Runtime: what a bundle needs of its model, without TensorFlow."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq_kit.errors import ArgumentError, BundleError, package_of
from seq2seq_kit.exports.graph_bytes import refuse_foreign_graph

ENCODER, SEARCH = "encoder_network", "model"  # graphs that some bundles answer by beside `network`
_BATCH = 1024
_NO_MEMORY = re.compile("bad.?alloc|allocate memory", re.IGNORECASE)


@dataclass(frozen=True)
class Input:
    """An input or output: its name, its shape, the batch first and None where a size is open, and its type, as Keras has them."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class Origin:
    """Where an export was opened: its folder, absolute, and the SHA-256 of its head, which names all other files by theirs."""

    folder: Path
    digest: str


def missing_package(error: ImportError) -> ArgumentError:
    """What to say where a package is missing that an exported model needs for a verb.

    Raises:
        ImportError: As given, where the package is there and something else is wrong with it.
    """
    package = package_of(error)
    if package is None:
        raise error
    said = f"this needs a package that is not installed: {error}. Install it: pip install {package}"
    return ArgumentError(said, code="missing_package")


class Network:
    """A graph that was exported, as a function of arrays.

    Args:
        content: Of the file.
        parts: Other graphs of the same model by name, such as `encoder_network`.
        origin: The export that it is a part of, if any.

    Attributes:
        inputs: What it reads, in order.
        outputs: What it gives, in order.
        parts: As given; likewise `origin`.

    Raises:
        ArgumentError: ONNX Runtime is not installed.
        ValueError: The file is damaged or foreign.
    """

    def __init__(
        self, content: bytes, parts: Mapping[str, Network] | None = None, origin: Origin | None = None
    ) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise ArgumentError(
                "an exported model is run by the package onnxruntime, which is not installed. Install it: "
                "pip install onnxruntime",
                code="missing_package",
            ) from None
        refuse_foreign_graph(content)
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores alone
        threads = (
            os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
        )  # others read it, too; `4,2` by levels
        options.intra_op_num_threads = int(threads) if threads.isdigit() else 0  # all cores
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # it has a class of its own for every kind of damage
            raise ValueError(f"ONNX Runtime cannot read it: {str(error)[:300]}") from None
        self.inputs = [Input(each.name, _shape(each.shape), _kind(each.type)) for each in self._session.get_inputs()]
        self.outputs = [Input(each.name, _shape(each.shape), _kind(each.type)) for each in self._session.get_outputs()]
        self.parts, self.origin = dict(parts or {}), origin

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Of the first output."""
        return self.outputs[0].shape

    def part(self, name: str) -> Network:
        """Another graph of the same model.

        Raises:
            ArgumentError: The export has none, as that of an ensemble of autoencoders.
        """
        if name not in self.parts:
            raise ArgumentError(f"the export has no graph {name!r}. Load the bundle itself", code="export_not_runnable")
        return self.parts[name]

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """All outputs.

        Raises:
            BundleError: The runtime cannot run the graph on them: it is not what its head says.
            MemoryError: They are too many at once.
        """
        if len(arrays) != len(self.inputs):
            said = f"a graph of the export reads {len(self.inputs)} arrays. Received: {len(arrays)}. Export the model again"
            raise BundleError(said, code="bundle_damaged")
        given = {
            port.name: np.ascontiguousarray(array, dtype=port.dtype)
            for port, array in zip(self.inputs, arrays, strict=True)
        }
        try:
            found: list[Any] = self._session.run(None, given)
        except Exception as error:  # it has a class of its own for every kind of trouble
            if _NO_MEMORY.search(str(error)):
                raise MemoryError(str(error)[:300]) from error
            said = f"ONNX Runtime cannot run a graph of the export: {str(error)[:300]}. Export the model again"
            raise BundleError(said, code="bundle_damaged") from error
        return [np.asarray(each) for each in found]

    def forward(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """The first output, computed in batches; shapes as of `models.inference.compile_forward`.

        Raises:
            ArgumentError: An array has another shape.
        """
        for port, array in zip(self.inputs, arrays, strict=True):
            if array.ndim != len(port.shape) or any(
                size not in (None, own) for size, own in zip(port.shape, array.shape, strict=True)
            ):
                said = f"the model takes an array of shape {port.shape}. Received: {array.shape}"
                raise ArgumentError(said, code="invalid_argument")
        firsts = range(0, max(len(arrays[0]), 1), _BATCH)
        return np.concatenate([self.run([array[first : first + _BATCH] for array in arrays])[0] for first in firsts])


def _shape(sizes: Sequence[int | str | None]) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) else None for size in sizes)


def _kind(kind: str) -> str:
    """NumPy's name of a type as the runtime has it: `tensor(float)`."""
    name = kind.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(name, name)
