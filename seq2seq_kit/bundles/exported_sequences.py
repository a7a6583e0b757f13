"""Models of padded sequences as programs: tokens, or values in original units, in; what a task makes of the outputs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.bundles.exporting import COMPARED
from seq2seq_kit.data.sequences.ragged import SequenceExamples
from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.exports.program import Case, Port, Program, plain_scale

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.bundles.base import Bundle
    from seq2seq_kit.exports.graph import Graph, Value
    from seq2seq_kit.exports.units import WindowUnits

_MOST_CELLS = 4_000_000  # of what is padded to the longest sequence
_LONGEST = 24  # steps of sequences that are drawn
Arrays = list[np.ndarray]
Forward = Callable[[Sequence[np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class Answered:
    """What a program makes of a network's output.

    Attributes:
        port: Its output.
        write: Writes it, from the graph, the network's output and the series where each has a scale of its own.
        restore: The same by NumPy, from the output and the series.
        center: What the numbers lie around; likewise `scale`.
        scale: The size of a difference that matters; None: see `plain_scale`.
    """

    port: Port
    write: Callable[[Graph, Value, Value | None], Value]
    restore: Callable[[np.ndarray, np.ndarray], np.ndarray]
    center: np.ndarray | float = 0.0
    scale: np.ndarray | float | None = None


@dataclass(frozen=True)
class ExportedSequences:
    """What programs of padded sequences are made of.

    Attributes:
        bundle: The bundle.
        examples: Real sequences of the test part, prepared; None: inputs are drawn.
        sizes: Of a model of tokens: for each input how many numbers there are, padding included.
        scaler: Of a model of values.
    """

    bundle: Bundle
    examples: SequenceExamples | None
    sizes: Sequence[int] = ()
    scaler: Scaler | None = None

    @cached_property
    def columns(self) -> Columns:
        """The columns of a model of values."""
        data = self.bundle.recipe.data
        inputs: list[str] = getattr(data, "inputs", [])
        return Columns(inputs, [], [], inputs, getattr(data, "missing", None) == "mask")

    @cached_property
    def units(self) -> WindowUnits:
        """The scaling of a model of values."""
        from seq2seq_kit.exports.units import WindowUnits

        assert self.scaler is not None
        return WindowUnits(self.columns, self.scaler, self.columns.layout())

    @property
    def _read(self) -> tuple[str, ...]:
        layout = self.columns.layout()
        return tuple(layout.columns[: layout.inputs])

    @property
    def by_series(self) -> bool:
        """Whether each series has a scale of its own."""
        return self.scaler is not None and self.units.by_series

    @cached_property
    def golden(self) -> tuple[Arrays, np.ndarray]:
        return self._drawn(3, np.random.default_rng(0))

    @cached_property
    def sample(self) -> tuple[Arrays, np.ndarray]:
        """The network's inputs, and the series of each."""
        rng = np.random.default_rng(1)
        if not self.of_data or self.examples is None:
            return self._drawn(COMPARED, rng)
        numbers = rng.permutation(self.examples.parts["test"])[:COMPARED]
        lengths = self.examples.inputs[0].sequences.lengths[numbers]
        widest = max(1, *lengths) * sum(int(np.prod(each.shape[2:])) for each in self.bundle.model.inputs)
        numbers = numbers[: max(1, _MOST_CELLS // int(widest))]
        return self.examples.padded(numbers), np.zeros(len(numbers), dtype=np.int64)

    @property
    def of_data(self) -> bool:
        """Whether the inputs are real ones; which series a real one is of is not asked."""
        return self.examples is not None and len(self.examples.parts["test"]) > 0 and not self.by_series

    def _drawn(self, count: int, rng: np.random.Generator) -> tuple[Arrays, np.ndarray]:
        lengths = np.sort(rng.integers(1, _LONGEST + 1, count))[::-1]
        valid = np.arange(lengths.max()) < lengths[:, None]
        model = self.bundle.model
        if self.sizes:
            shapes = [(*valid.shape, *each.shape[2:]) for each in model.inputs]
            drawn = [rng.integers(1, size, shape) for size, shape in zip(self.sizes, shapes, strict=True)]
            tokens = [each * valid.reshape(*valid.shape, *[1] * (each.ndim - 2)) for each in drawn]
            return [each.astype(np.int32) for each in tokens], np.zeros(count, dtype=np.int64)
        values = rng.standard_normal((*valid.shape, int(model.inputs[0].shape[-1]))).astype(np.float32)
        if self.columns.masked:
            half = len(self.columns.inputs)
            values[..., half:] = values[..., half:] > -1
            values[..., :half] *= values[..., half:]
        assert self.scaler is not None
        return [values * valid[..., None], valid.astype(np.float32)], rng.integers(0, len(self.scaler.center), count)

    def original(self, arrays: Arrays, series: np.ndarray) -> Arrays:
        """The inputs as the graph reads them; tokens are what they are."""
        if self.scaler is None:
            return arrays
        count = len(self.columns.inputs)
        values = self.scaler.inverse(arrays[0][..., :count], series, self.columns.inputs)
        if self.columns.masked:
            values[arrays[0][..., count:] == 0] = np.nan
        return [values, arrays[1], *([series] if self.by_series else [])]

    def ports(self, *, original: bool) -> tuple[Port, ...]:
        """The inputs of the network, or of the graph in original units."""
        says = {
            "tokens": "numbers of tokens, 0 behind the last one",
            "source": "numbers of tokens, 0 behind the last one",
            "characters": "numbers of each token's characters, 0 behind the last one",
            "valid": "1 for each step, 0 behind the last one",
        }
        ports = []
        for tensor in self.bundle.model.inputs:
            sizes = ("batch", *("steps" if size is None else int(size) for size in tensor.shape[1:]))
            said = says.get(tensor.name, "scaled values of each step")
            columns, kind = self._read if self.scaler else (), tensor.dtype
            if self.scaler is not None and tensor.name == "values" and original:
                sizes, columns, kind = ("batch", "steps", len(self.units.read)), tuple(self.units.read), "float64"
                said = "the values of each step in original units" + (
                    "; NaN where missing" if self.columns.masked else ""
                )
            ports.append(Port(tensor.name, kind, sizes, said, columns if tensor.name == "values" else ()))
        if original and self.by_series:
            ports.append(Port("series", "int64", ("batch",), "position of each sequence's series among `series`"))
        return tuple(ports)

    def program(
        self, name: str, says: str, model: keras.Model, forward: Forward, answered: Answered, *, original: bool = True
    ) -> Program:
        """A model on the inputs of the network, with what is made of its output; `forward`: the same by the bundle."""
        from seq2seq_kit.exports.walking import write_model

        def write(graph: Graph, given: list[Value]) -> list[Value]:
            series, read = None, given
            if original and self.scaler is not None:
                series = given[-1] if self.by_series else None
                read = [self.units.write_inputs(graph, given[0], series)[0], given[1]]
            return [answered.write(graph, write_model(graph, model, read)[0], series)]

        def case(drawn: tuple[Arrays, np.ndarray], *, of_data: bool) -> Case:
            arrays, series = drawn
            inputs = self.original(arrays, series) if original else arrays
            outputs = answered.restore(forward(arrays), series)
            valid = arrays[-1] if self.scaler is not None else arrays[0]
            steps = len(answered.port.shape) > 2 and answered.port.shape[1] == "steps"
            counts = (valid > 0)[..., None] if steps else None
            center = answered.center[series] if isinstance(answered.center, np.ndarray) else answered.center
            scale = answered.scale[series] if isinstance(answered.scale, np.ndarray) else answered.scale
            scale = plain_scale([outputs])[0] if scale is None else scale
            return Case(inputs, [outputs], [center], [scale], [counts], of_data)

        golden, sample = case(self.golden, of_data=False), case(self.sample, of_data=self.of_data)
        return Program(name, says, self.ports(original=original), (answered.port,), write, golden, sample)

    def network(self, model: keras.Model, forward: Forward, *, name: str = "network") -> Program:
        """A network as this kit calls it."""
        sizes = tuple("steps" if size is None else int(size) for size in model.output_shape[1:])
        port = Port("outputs", "float32", ("batch", *sizes), "the network's output")
        says = f"a network of {self.bundle.what}, as this kit calls it"
        return self.program(name, says, model, forward, plain(port), original=False)

    def values(self) -> Answered:
        """The columns that are read, in original units, at every step."""
        scaler, names = self.scaler, self.columns.targets
        assert scaler is not None
        picked = [scaler.columns.index(name) for name in names]
        port = Port("outputs", "float64", ("batch", "steps", len(names)), "values in original units", tuple(names))
        return Answered(
            port,
            lambda graph, outputs, series: self.units.write_outputs(graph, outputs, series),
            lambda outputs, series: scaler.inverse(outputs, series, names),
            scaler.center[:, None, picked],
            scaler.scale[:, None, picked],
        )


def probabilities(labels: Sequence[str], *, steps: bool | int) -> Answered:
    """Logits of labels as probabilities; `steps`: at every step, or at so many."""
    sizes = () if steps is False else ("steps",) if steps is True else (steps,)
    port = Port("probabilities", "float64", ("batch", *sizes, len(labels)), "probability of each label", tuple(labels))

    def write(graph: Graph, logits: Value, series: Value | None) -> Value:
        return graph.add("Softmax", graph.cast(logits, "float64"), shape=logits.shape, dtype="float64", axis=-1)

    def restore(logits: np.ndarray, series: np.ndarray) -> np.ndarray:
        logits = logits.astype(np.float64)
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=-1, keepdims=True))

    return Answered(port, write, restore)


def plain(port: Port) -> Answered:
    """A network's output as it is."""
    return Answered(port, lambda graph, outputs, series: outputs, lambda outputs, series: outputs)


def number(name: str, center: float, scale: float) -> Answered:
    """One scaled number of each sequence in original units, `(batch,)`."""
    port = Port(name, "float64", ("batch",), f"{name} in original units", (name,))

    def write(graph: Graph, outputs: Value, series: Value | None) -> Value:
        wide = graph.plain("Mul", graph.cast(outputs, "float64"), np.array(scale))
        wide = graph.plain("Add", wide, np.array(center))
        return graph.reshape(wide, [-1], (None,))

    return Answered(port, write, lambda outputs, series: outputs[:, 0] * scale + center, center, scale)
