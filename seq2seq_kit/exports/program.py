"""What a trained model offers to other runtimes: functions of arrays with names, each to be written as one graph.

A bundle makes them (`bundles/exporting.py`), and this room writes them. No ONNX is needed to make one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from seq2seq_kit.exports.graph import Graph, Value

LIMIT = 1e-5  # of the scale: float32's rounding over some hundred steps stays a tenth of it
MOST = 1e-3  # of the scale, however far the bundle's own answers move by rounding
# Times as far as they do: two implementations round otherwise at every operation, not at the weights alone.
_ROUNDINGS = 4
SUFFIX = ".onnx"
ExportFormat = Literal["onnx", "saved_model", "litert", "keras"]
Size = int | str  # a word where it is open: `batch`, `steps`
Write = Callable[["Graph", "list[Value]"], "list[Value]"]


@dataclass(frozen=True)
class Port:
    """An input or output of a graph.

    Attributes:
        name: Its name.
        dtype: NumPy's name of its type.
        shape: Sizes; words where they are open.
        says: What it is, in a sentence.
        columns: What stands along the last axis, in order; of an output with quantiles along the last but one.
    """

    name: str
    dtype: str
    shape: tuple[Size, ...]
    says: str
    columns: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "says": self.says,
            "columns": list(self.columns),
        }


@dataclass(frozen=True)
class Case:
    """Inputs of a program and the bundle's own answers.

    Attributes:
        inputs: One for each input.
        outputs: One for each output.
        center: For each output, what its numbers lie around, broadcast against it.
        scale: For each output, the size of a difference that matters, likewise.
        counts: For each output, which cells count; None where all do. Padding does not.
        of_data: Whether the inputs are real rows; otherwise they were drawn.
    """

    inputs: list[np.ndarray]
    outputs: list[np.ndarray]
    center: list[np.ndarray | float]
    scale: list[np.ndarray | float]
    counts: list[np.ndarray | None] | None = None
    of_data: bool = False


def plain_scale(outputs: Sequence[np.ndarray]) -> list[np.ndarray | float]:
    """The scale of outputs without units, such as logits and latent vectors: the root mean square of each, at least 1."""
    return [
        max(1.0, float(np.sqrt(np.mean(np.square(each, dtype=np.float64))))) if each.size else 1.0 for each in outputs
    ]


def differences(case: Case, outputs: Sequence[np.ndarray]) -> tuple[float, float]:
    """How far outputs are from a case's: the largest difference, and over the scale of its cell; infinite for other shapes."""
    absolute = relative = 0.0
    counts = case.counts or [None] * len(outputs)
    for found, expected, center, scale, counted in zip(
        outputs, case.outputs, case.center, case.scale, counts, strict=True
    ):
        if found.shape != expected.shape or (np.isnan(found) != np.isnan(expected)).any():
            return float("inf"), float("inf")
        if expected.dtype.kind in "iu":  # numbers of tokens are right or wrong
            if (found != expected)[np.broadcast_to(True if counted is None else counted, found.shape)].any():
                return float("inf"), float("inf")
            continue
        expected = expected.astype(np.float64)
        with np.errstate(invalid="ignore"):
            off = np.where(found == expected, 0.0, np.abs(found - expected))  # two infinities are the same
        off = np.where(np.isnan(expected), 0.0, off)
        size = np.maximum(np.abs(np.nan_to_num(expected) - center), scale)
        if counted is not None:
            off = np.where(counted, off, 0.0)
        absolute, relative = (
            max(absolute, float(off.max(initial=0.0))),
            max(relative, float((off / size).max(initial=0.0))),
        )
    return absolute, relative


@dataclass(frozen=True)
class Program:
    """One function of arrays, to be written as one graph.

    Attributes:
        name: Of its file: `model`, `encoder`.
        says: What it does, in a sentence.
        inputs: Its inputs, in order.
        outputs: Its outputs, in order.
        write: Writes it: from a graph and the inputs in it to the outputs.
        golden: A few inputs that are stored with their outputs.
        sample: Many inputs that the graph is compared on.
    """

    name: str
    says: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    write: Write
    golden: Case
    sample: Case


@dataclass(frozen=True)
class Parity:
    """How far a written graph is from the bundle.

    Attributes:
        absolute: Largest difference, in units of the output.
        relative: Largest difference over the scale of its cell: that of training, or the cell's own distance from the centre
            where that is larger.
        compared: Windows or sequences that were compared.
        of_data: Whether they were real rows.
        rounding: How far the bundle's own answers are from those of the same weights, each moved by the last digit of a float32,
            over the scale, too. Asked for only where `relative` is beyond `LIMIT`; otherwise 0.
    """

    absolute: float
    relative: float
    compared: int
    of_data: bool
    rounding: float = 0.0

    @property
    def close(self) -> bool:
        """Whether the graph answers as the bundle does, within rounding."""
        return self.relative <= max(LIMIT, min(_ROUNDINGS * self.rounding, MOST))

    def __str__(self) -> str:
        """`on 1,003 windows of the data: largest difference 0.00012, 4.1e-07 of the scale`."""
        said = "of the run's data" if self.of_data else "drawn at random"
        text = (
            f"compared on {self.compared:,} inputs {said}: largest difference {self.absolute:.2g}, "
            f"{self.relative:.2g} of the scale"
        )
        if not self.rounding:
            return text
        return f"{text}; the model's own answers move by {self.rounding:.2g} where its weights are rounded in their last digit"


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        path: The file or folder.
        parity: By program, how far it is from the bundle.
        bytes: Size of each file of a graph, by program.
        notes: What else there is to say.
    """

    path: Path
    parity: Mapping[str, Parity] = field(default_factory=dict)
    bytes: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
