"""The shapes that are compared, and their generated sequences. NumPy only: every peer's own environment reads this."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

LEARNING_RATE = 1e-3
INFERENCE_BATCHES = [32, 128, 512, 1024]  # each peer but the kit predicts with the one that it is fastest with
INFERENCE_EPOCHS = 2  # times the sequences of an epoch: a forward pass takes about a third of a training step
SYMBOLS = 12  # of an addition: digits, plus and padding


@dataclass(frozen=True)
class Shape:
    """A model and how it is fed: LSTM -> RepeatVector -> LSTM -> Dense at each step.

    Attributes:
        name: Its word for `--shapes`.
        batch: Sequences of a batch.
        units: Units of each encoder layer and of each decoder layer.
        input_steps: Steps that the encoder reads.
        output_steps: Steps that the decoder writes.
        features: Columns of the inputs. An autoencoder writes all of them, an addition as many, a forecast one.
        sequences: Sequences of an epoch: one to two seconds of plain Keras on 2 cores.
        kind: `forecast`, `autoencode` (the targets are the inputs) or `addition` (one-hot, softmax and cross-entropy).
        cell: `lstm` or `gru`.
    """

    name: str
    batch: int
    units: list[int]
    input_steps: int
    output_steps: int
    features: int
    sequences: int
    kind: Literal["forecast", "autoencode", "addition"] = "forecast"
    cell: Literal["lstm", "gru"] = "lstm"

    @property
    def output_features(self) -> int:
        """Columns of the outputs."""
        return 1 if self.kind == "forecast" else self.features

    @property
    def label(self) -> str:
        """What the tables show: batch, units, steps in -> out, columns."""
        units = self.units[0] if len(self.units) == 1 else self.units
        return f"{self.name} ({self.batch}, {units}, {self.input_steps} -> {self.output_steps}, {self.features})"

    @property
    def rows(self) -> int:
        """Rows of a series that one sequence and its targets take."""
        return self.input_steps + (0 if self.kind == "autoencode" else self.output_steps)

    def tiny(self) -> "Shape":
        """The same in a few milliseconds."""
        output_steps = min(self.output_steps, 3)
        input_steps = output_steps if self.kind == "autoencode" else min(self.input_steps, 6)
        units = [4 for _ in self.units]
        return replace(self, batch=8, units=units, input_steps=input_steps, output_steps=output_steps, sequences=16)


SHAPES = [
    Shape("forecast", 64, [64], 100, 10, 1, 4096),
    Shape("small_batch", 32, [128], 100, 10, 8, 1024),
    Shape("large_batch", 256, [32], 100, 10, 1, 8192),
    Shape("wide", 128, [128], 100, 10, 8, 1536),
    Shape("autoencoder", 64, [64], 48, 48, 4, 4096, kind="autoencode"),
    Shape("addition", 128, [128], 7, 4, SYMBOLS, 16384, kind="addition"),
    Shape("long", 32, [256], 200, 50, 16, 192),
    Shape("stacked", 64, [64, 64], 100, 10, 1, 2048),
    Shape("gru", 64, [64], 100, 10, 1, 4096, cell="gru"),
]


def make_rows(shape: Shape, count: int) -> np.ndarray:
    """A series that holds `count` sequences end to end, shape `(count * rows, features)` float32."""
    rng = np.random.default_rng(0)
    if shape.kind == "addition":
        return np.eye(shape.features, dtype=np.float32)[rng.integers(0, shape.features, count * shape.rows)]
    return rng.standard_normal((count * shape.rows, shape.features), dtype=np.float32)


def cut(shape: Shape, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same sequences as arrays: `(count, input_steps, features)` and `(count, output_steps, output_features)`."""
    sequences = rows.reshape(-1, shape.rows, shape.features)
    x = np.ascontiguousarray(sequences[:, : shape.input_steps])
    if shape.kind == "autoencode":
        return x, x
    return x, np.ascontiguousarray(sequences[:, shape.input_steps :, : shape.output_features])
