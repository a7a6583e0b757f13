"""What a trained model offers to other runtimes: functions of arrays with names, each to be written as one graph.

A bundle makes them (`bundles/exporting.py`), and this room writes them. No ONNX is needed to make one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from seq2seq_kit.exports.graph import Graph, Value

Size = int | str  # a word where it is open: `batch`, `steps`
Write = Callable[["Graph", "list[Value]"], "list[Value]"]
Answer = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


@dataclass(frozen=True)
class Port:
    """An input or output of a graph.

    Attributes:
        name: Its name.
        dtype: NumPy's name of its type.
        shape: Sizes; words where they are open.
        columns: Names along the last axis of tables of numbers, in order.
        says: What it is, in a sentence.
    """

    name: str
    dtype: str
    shape: tuple[Size, ...]
    columns: tuple[str, ...] = ()
    says: str = ""

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "columns": list(self.columns),
            "says": self.says,
        }


@dataclass(frozen=True)
class Program:
    """One function of arrays, to be written as one graph.

    Attributes:
        name: Of its file: `model`, `encoder`.
        says: What it does, in a sentence.
        inputs: Its inputs, in order.
        outputs: Its outputs, in order.
        write: Writes it: from a graph and the inputs in it to the outputs.
        answer: The bundle's own answer to the inputs: what the graph is compared with.
        golden: Inputs whose outputs are stored with the export.
        sample: Further inputs that the graph is compared on.
        center: For each output, what its numbers lie around, broadcast against it; likewise `scale`.
        scale: The size of a difference that matters.
        counts: For each output, which cells count, from the inputs: padding does not. None: all.
        of_data: Whether `sample` is of real rows; otherwise it was drawn.
        main: Whether a single file is this one.
    """

    name: str
    says: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    write: Write
    answer: Answer
    golden: list[np.ndarray]
    sample: list[np.ndarray] = field(default_factory=list)
    center: tuple[np.ndarray | float, ...] = ()
    scale: tuple[np.ndarray | float, ...] = ()
    counts: Callable[[Sequence[np.ndarray]], list[np.ndarray | None]] | None = None
    of_data: bool = False
    main: bool = False
