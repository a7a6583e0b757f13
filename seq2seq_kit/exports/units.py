"""Original units inside a graph: windows are scaled as the kit scales them, in float64, and outputs are brought back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq_kit.data.tables.columns import Columns
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.windows.batches import Layout
from seq2seq_kit.data.windows.window_scaling import FLAT, WindowScaling
from seq2seq_kit.exports.graph import Graph, Value
from seq2seq_kit.exports.transforming import write_back, write_stages

_ONE = np.ones((), np.float32)
Level = tuple[Value, Value]


@dataclass(frozen=True)
class WindowUnits:
    """How windows of a table are scaled in a graph.

    Attributes:
        columns: The recipe's columns by role.
        scaler: Fitted on the training rows.
        layout: Of the columns that the model reads.
        begins: The first row of the outputs, counted from the window's first one; where there are differences, which are undone
            from the rows before it.
    """

    columns: Columns
    scaler: Scaler
    layout: Layout
    begins: int = 0

    @property
    def by_series(self) -> bool:
        """Whether each series has a scale of its own, so that the graph has to be told which one it reads."""
        return len(self.scaler.center) > 1

    @property
    def before(self) -> int:
        """Rows that are read before the window's first one, because differences are taken from them."""
        return self.scaler.transforms.lost if self.scaler.transforms else 0

    @property
    def read(self) -> list[str]:
        """Columns of a window in original units, in order: numbers, calendar, codes of categories."""
        flags = range(self.columns.flags, self.columns.flags + self._flags)
        return [name for place, name in enumerate(self.layout.columns[: self.layout.inputs]) if place not in flags]

    @property
    def ahead(self) -> list[str]:
        """Columns that are known of the steps ahead, likewise."""
        return [self.layout.columns[place] for place in self.layout.future]

    @property
    def _flags(self) -> int:
        return len(self.columns.inputs) if self.columns.masked else 0

    def write_inputs(self, graph: Graph, rows: Value, series: Value | None) -> tuple[Value, Level | None]:
        """What the encoder reads out of rows in original units, and the level of the window where it has one of its own."""
        past = self.columns.past
        scaled = self._scaled(graph, graph.slice(rows, -1, 0, len(past)), past, series, before=self.before)
        rest = graph.cast(graph.slice(rows, -1, len(past), None), "float32")
        if self.before:
            rest = graph.slice(rest, 1, self.before, None)
        count = self.columns.flags - len(past)
        parts = [scaled, *([graph.slice(rest, -1, 0, count)] if count else [])]
        if self.columns.masked:
            seen = graph.slice(scaled, -1, 0, len(self.columns.inputs))
            parts += [_observed(graph, seen)]
            parts[0] = _filled(graph, scaled)
        if self.columns.categories:
            parts.append(graph.slice(rest, -1, count, None))
        read = graph.concat(parts)
        if self.layout.own is None:
            return read, None
        level = _level(graph, self.layout.own, read)
        return _on_own_scale(graph, self.layout.own, read, level), level

    def write_known(self, graph: Graph, rows: Value, series: Value | None) -> Value:
        """What the decoder is given of the steps ahead."""
        names = self.columns.known_future
        parts = []
        if names:
            scaled = self._scaled(graph, graph.slice(rows, -1, 0, len(names)), names, series)
            parts.append(_filled(graph, scaled) if self.columns.masked else scaled)
        if len(names) < rows.width:
            parts.append(graph.cast(graph.slice(rows, -1, len(names), None), "float32"))
        return graph.concat(parts)

    def write_outputs(
        self,
        graph: Graph,
        outputs: Value,
        series: Value | None,
        level: Level | None = None,
        rows: Value | None = None,
    ) -> Value:
        """Targets in original units, `(batch, steps, targets)`, or with quantiles behind them.

        Args:
            graph: What it is written to.
            outputs: Of the network.
            series: The series, where each has a scale of its own.
            level: Of `write_inputs`.
            rows: What `write_inputs` was given, from which differences are undone.
        """
        values, more = graph.cast(outputs, "float64"), len(outputs.shape) - 3
        if level is not None:
            for kind, own in zip(("Mul", "Add"), reversed(level), strict=True):
                values = graph.plain(kind, values, _wider(graph, graph.cast(own, "float64"), more))
        names = self.columns.targets
        for kind, table in (("Mul", self.scaler.scale), ("Add", self.scaler.center)):
            values = graph.plain(kind, values, _wider(graph, self._of(graph, table, names, series), more))
        if self.scaler.transforms is None:
            return values
        lags = dict(zip(self.scaler.transforms.columns, self.scaler.transforms.lags.tolist(), strict=True))
        levels = dict[str, list[Value]]()
        for name in [name for name in names if lags[name]]:
            assert rows is not None
            own = graph.gather(rows, [self.columns.past.index(name)])
            levels[name] = write_stages(graph, self.scaler.transforms, own, [name], before=self.before)
        return write_back(graph, self.scaler.transforms, values, names, levels, self.begins)

    def _scaled(
        self, graph: Graph, rows: Value, names: Sequence[str], series: Value | None, *, before: int = 0
    ) -> Value:
        if self.scaler.transforms is not None:
            rows = write_stages(graph, self.scaler.transforms, rows, names, before=before)[-1]
        shifted = graph.plain("Sub", rows, self._of(graph, self.scaler.center, names, series))
        scaled = graph.plain("Div", shifted, self._of(graph, self.scaler.scale, names, series))
        return graph.cast(scaled, "float32")

    def _of(self, graph: Graph, table: np.ndarray, names: Sequence[str], series: Value | None) -> Value:
        picked = table[:, [self.scaler.columns.index(name) for name in names]]
        if series is None:
            return Value(graph.constant(picked[0][None, None]), (1, 1, len(names)), "float64")
        whole = Value(graph.constant(picked), picked.shape, "float64")
        own = graph.add("Gather", whole, series, shape=(series.shape[0], len(names)), dtype="float64", axis=0)
        return graph.unsqueeze(own, 1)


def _wider(graph: Graph, value: Value, more: int) -> Value:
    for _ in range(more):
        value = graph.unsqueeze(value, -1)
    return value


def _observed(graph: Graph, scaled: Value) -> Value:
    missing = graph.add("IsNaN", scaled, shape=scaled.shape, dtype="bool")
    return graph.cast(graph.add("Not", missing, shape=scaled.shape, dtype="bool"), "float32")


def _filled(graph: Graph, scaled: Value) -> Value:
    missing = graph.add("IsNaN", scaled, shape=scaled.shape, dtype="bool")
    return graph.where(missing, np.zeros((), np.float32), scaled, scaled)


def _level(graph: Graph, own: WindowScaling, read: Value) -> Level:
    """As `WindowScaling.level`."""
    values, zero = graph.gather(read, own.read), np.zeros((), np.float32)
    there = graph.gather(read, own.observed) if own.observed else None

    def mean(cells: Value) -> Value:
        total = graph.sum(cells if there is None else graph.plain("Mul", cells, there), 1)
        if there is None:
            return graph.plain("Div", total, np.array(read.shape[1], np.float32))
        return graph.plain("Div", total, graph.plain("Max", graph.sum(there, 1), _ONE))

    if own.method == "mean_abs":
        scale = mean(graph.add("Abs", values, shape=values.shape))
        known = graph.add("Greater", scale, zero, shape=scale.shape, dtype="bool")
        return graph.plain("Mul", scale, zero), graph.where(known, scale, _ONE, scale)
    center = mean(values)
    away = graph.plain("Sub", values, center)
    variance = mean(graph.plain("Mul", away, away))
    scale = graph.add("Sqrt", variance, shape=variance.shape)
    flat = graph.plain("Mul", graph.add("Abs", center, shape=center.shape), np.array(FLAT, np.float32))
    varies = graph.add("Greater", scale, flat, shape=scale.shape, dtype="bool")
    return center, graph.where(varies, scale, _ONE, scale)


def _on_own_scale(graph: Graph, own: WindowScaling, read: Value, level: Level) -> Value:
    """As `WindowScaling.inputs`."""
    place = np.zeros((len(own.read), own.width), np.float32)
    place[np.arange(len(own.read)), own.read] = 1.0
    others = 1.0 - place.sum(axis=0)
    shape = (*level[0].shape[:2], own.width)
    center, scale = (graph.add("MatMul", each, place, shape=shape) for each in level)
    outputs = graph.plain("Div", graph.plain("Sub", read, center), graph.plain("Add", scale, others))
    if not own.observed:
        return outputs
    flags = np.zeros((own.width, own.width), np.float32)
    flags[own.observed, own.read] = 1.0
    there = graph.plain("Add", graph.add("MatMul", read, flags, shape=read.shape), others)
    return graph.plain("Mul", outputs, there)
