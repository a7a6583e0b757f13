"""Models of windows as programs: rows in original units in, original units out; and the network as the kit calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.compared_windows import Rows, drawn_rows
from seq2seq_kit.bundles.exporting import COMPARED
from seq2seq_kit.data.tables.columns import Columns, window_shape
from seq2seq_kit.data.tables.pieces import cells_of
from seq2seq_kit.data.windows.batches import Layout
from seq2seq_kit.data.windows.prepare import prepare_new
from seq2seq_kit.data.windows.ranges import WindowShape
from seq2seq_kit.exports.program import Case, Port, Program, plain_scale
from seq2seq_kit.exports.refusing import refused

if TYPE_CHECKING:
    from seq2seq_kit.bundles.windows import WindowBundle
    from seq2seq_kit.exports.graph import Graph, Value
    from seq2seq_kit.exports.units import WindowUnits

_GOLDEN = 3
_POINT = 3  # axes of an output without quantiles
Arrays = list[np.ndarray]
Before = Callable[[int, int], np.ndarray]  # see `Transforms.inverse`


@dataclass(frozen=True)
class ExportedWindows:
    """What programs of windows are made of; a task's bundle puts them together.

    Attributes:
        bundle: The bundle.
        frame: Rows to compare on; None: inputs are drawn.
    """

    bundle: WindowBundle
    frame: pd.DataFrame | None

    @cached_property
    def columns(self) -> Columns:
        return Columns.of(self.bundle.window_data)

    @cached_property
    def layout(self) -> Layout:
        return self.columns.layout()

    @cached_property
    def shape(self) -> WindowShape:
        return window_shape(self.bundle.window_data)

    @cached_property
    def units(self) -> WindowUnits:
        """The scaling, as a graph has it.

        Raises:
            ArgumentError: The recipe takes differences that a graph cannot undo.
        """
        from seq2seq_kit.exports.units import WindowUnits

        self._refuse_differences()
        return WindowUnits(self.columns, self.bundle.scaler, self.layout, self.shape.target_offset)

    @property
    def differenced(self) -> list[str]:
        """Columns of which the recipe takes differences."""
        transforms = self.bundle.scaler.transforms
        if transforms is None:
            return []
        return [name for name, lag in zip(transforms.columns, transforms.lags, strict=True) if lag]

    def _refuse_differences(self) -> None:
        """Raises where the rows that a graph reads do not hold what differences are undone by."""
        lagged = self.differenced
        undone = [name for name in lagged if name in self.columns.targets]
        ahead = [name for name in lagged if name in self.columns.known_future]
        why = None
        if ahead:
            why = f"{', '.join(ahead)} is known ahead"
        elif lagged and self.columns.masked:
            said = "data.missing: mask" if self.bundle.window_data.missing == "mask" else "data.short_series: pad"
            why = f"with {said} the cells from which they are taken may be missing"
        elif undone and self.shape.target_offset < 0:
            why = "the model tells rows before its window"
        if why is not None:
            raise refused(f"the recipe takes differences of {', '.join(lagged)} (data.transform), and {why}")

    @cached_property
    def golden(self) -> Rows:
        return drawn_rows(self, _GOLDEN, np.random.default_rng(0))

    @cached_property
    def sample(self) -> Rows:
        rng = np.random.default_rng(1)
        if self.frame is None:
            return drawn_rows(self, COMPARED, rng)
        data = self.bundle.window_data.model_copy(update={"window_stride": 1})
        prepared = prepare_new(data, self.frame, self.bundle.scaler)
        windows = prepared.windows["test"]
        chosen = np.sort(rng.choice(windows.count, min(COMPARED, windows.count), replace=False))
        rows = windows.input_rows(chosen)
        past = prepared.matrix[rows, : self.layout.inputs]
        lost, table = self.units.before, prepared.filled or prepared.table
        names = [table.columns.index(name) for name in self.columns.past]
        before = cells_of(table.values, rows[:, :1] - lost + np.arange(lost), names) if lost else None
        ahead = prepared.matrix[windows.target_rows(chosen)][..., self.layout.future] if self.layout.future else None
        return Rows(past, ahead, prepared.codes[prepared.series_of("test", chosen)], windows.count > 0, before)

    def scaled(self, rows: Rows) -> Arrays:
        """The network's inputs."""
        own = self.layout.own
        past = rows.past if own is None else own.inputs(rows.past, own.level(rows.past))
        return [past] if rows.future is None else [past, rows.future]

    def restored(self, rows: Rows, written: np.ndarray) -> np.ndarray:
        """What the network writes, in original units; of quantiles each."""
        before = _no_rows_before if rows.before is None else self._targets_of(rows)
        if written.ndim <= _POINT:
            return self._restored(rows, written, before)
        each = [self._restored(rows, every, before) for every in np.moveaxis(written, -1, 0)]
        return np.stack(each, axis=-1)

    def _restored(self, rows: Rows, written: np.ndarray, before: Before) -> np.ndarray:
        own, names, transforms = self.layout.own, self.columns.targets, self.bundle.scaler.transforms
        if own is not None:
            written = own.back(written.astype(np.float64), own.level(rows.past))
        values = self.bundle.scaler.inverse(written, rows.codes, names)
        return values if transforms is None else transforms.inverse(values, names, before)

    def _targets_of(self, rows: Rows) -> Before:
        """The targets in the rows that are read, from which differences are undone."""
        past, given, names = self.columns.past, self.original(rows)[0], self.columns.targets
        level = np.ones((*given.shape[:2], len(names)))  # 1, which has a logarithm, where nothing is undone
        for place, name in enumerate(names):
            if name in past:
                level[..., place] = given[..., past.index(name)]
        return _rows_of(level, self.units.before + self.shape.target_offset)

    def original(self, rows: Rows) -> Arrays:
        """The windows in original units, as the graph reads them."""
        columns = self.columns
        past = self._numbers(rows.past[..., : len(columns.past)], rows.codes, columns.past, rows.before)
        if columns.masked:
            count = len(columns.inputs)
            past[..., :count][rows.past[..., columns.flags : columns.flags + count] == 0] = np.nan
        rest = [rows.past[..., len(columns.past) : columns.flags]]
        rest += [rows.past[..., self.layout.inputs - len(columns.categories) :]] if columns.categories else []
        inputs = [np.concatenate([past, *rest], axis=-1)]
        if rows.before is not None:  # of the calendar and of categories nothing is read there
            more = np.zeros((*rows.before.shape[:2], inputs[0].shape[-1] - len(columns.past)))
            inputs[0] = np.concatenate([np.concatenate([rows.before, more], axis=-1), inputs[0]], axis=1)
        if rows.future is not None:
            known = len(columns.known_future)
            numbers = self._numbers(rows.future[..., :known], rows.codes, columns.known_future)
            inputs.append(np.concatenate([numbers, rows.future[..., known:]], axis=-1))
        return [*inputs, *([rows.codes.astype(np.int64)] if self.units.by_series else [])]

    def _numbers(
        self, scaled: np.ndarray, codes: np.ndarray, names: Sequence[str], before: np.ndarray | None = None
    ) -> np.ndarray:
        values, transforms = self.bundle.scaler.inverse(scaled, codes, names), self.bundle.scaler.transforms
        if transforms is None:
            return values
        return transforms.inverse(
            values, names, _no_rows_before if before is None else _rows_of(before, before.shape[1])
        )

    def case(self, rows: Rows, inputs: Arrays, outputs: Arrays, *, original: bool = True) -> Case:
        """Inputs and outputs of windows; numbers of the outputs lie on the scale of the targets, or around 0."""
        center: list[np.ndarray | float] = [0.0] * len(outputs)
        scale = plain_scale(outputs)
        if original:
            level = self.bundle.scaler.transforms or self.bundle.scaler
            picked = [self.bundle.scaler.columns.index(name) for name in self.columns.targets]
            axes = (..., *([None] * (outputs[0].ndim - 3)))
            center, scale = ([table[rows.codes][:, None, picked][axes]] for table in (level.center, level.scale))
        return Case(inputs, outputs, center, scale, of_data=rows.of_data)

    def inputs(self, *, original: bool = True) -> list[Port]:
        """The ports of windows, of what is known ahead and, where each has a scale of its own, of the series."""
        kind, units = ("float64", "original units") if original else ("float32", "scaled")
        read = self.units.read if original else self.layout.columns[: self.layout.inputs]
        says = f"rows of a window, the oldest first, in {units}; categories as codes"
        says += "; NaN where a cell is missing" if original and self.columns.masked else ""
        more = self.units.before if original else 0
        says += f"; the first {more} are read for differences only" if more else ""
        ports = [Port("inputs", kind, ("batch", more + self.shape.input_steps, len(read)), says, tuple(read))]
        if self.layout.future:
            says = f"what is known of the rows ahead, in {units}"
            shape = ("batch", self.shape.output_steps, len(self.layout.future))
            ports.append(Port("future", kind, shape, says, tuple(self.units.ahead)))
        if original and self.units.by_series:
            ports.append(Port("series", "int64", ("batch",), "position of each window's series among `series`"))
        return ports

    def output(self, *, original: bool = True) -> Port:
        """The port of the targets."""
        what = (
            "rows ahead" if self.shape.target_offset > 0 else "rows of the window, and around it where it tells those,"
        )
        more = self.bundle.writes(self.columns, self.shape)[2:]
        kind, units = ("float64", "in original units") if original else ("float32", "scaled")
        says = f"{what} {units}" + (", quantiles along the last axis" if more else "")
        shape: tuple[int | str, ...] = ("batch", self.shape.output_steps, len(self.columns.targets))
        shape += tuple(int(each or 1) for each in more)
        return Port("outputs", kind, shape, says, tuple(self.columns.targets))

    def whole(
        self, write: Callable[[Graph, list[Value]], Value], forward: Callable[[Arrays], np.ndarray]
    ) -> list[Program]:
        """The model in original units, and the network as it is called by the kit.

        Args:
            write: Writes the network.
            forward: The same by the bundle.
        """
        units, by_series = self.units, self.units.by_series

        def original(graph: Graph, given: list[Value]) -> list[Value]:
            series = given[-1] if by_series else None
            read, level = units.write_inputs(graph, given[0], series)
            known = [units.write_known(graph, given[1], series)] if self.layout.future else []
            found = write(graph, [read, *known])
            # How many steps a loop has written is not known from the graph.
            found = replace(found, shape=(found.shape[0], self.shape.output_steps, *found.shape[2:]))
            return [units.write_outputs(graph, found, series, level, given[0])]

        def case(rows: Rows) -> Case:
            return self.case(rows, self.original(rows), [self.restored(rows, forward(self.scaled(rows)))])

        def scaled(rows: Rows) -> Case:
            given = self.scaled(rows)
            return self.case(rows, given, [forward(given)], original=False)

        return [
            Program(
                "model",
                f"{self.bundle.what}: rows in original units to rows in original units",
                tuple(self.inputs()),
                (self.output(),),
                original,
                case(self.golden),
                case(self.sample),
            ),
            Program(
                "network",
                f"the network of {self.bundle.what}, scaled numbers to scaled numbers, as this kit calls it",
                tuple(self.inputs(original=False)),
                (self.output(original=False),),
                lambda graph, given: [write(graph, given)],
                scaled(self.golden),
                scaled(self.sample),
            ),
        ]


def _no_rows_before(back: int, count: int) -> np.ndarray:
    raise AssertionError("there are no differences")


def _rows_of(rows: np.ndarray, first: int) -> Before:
    """What `Transforms.inverse` asks for, out of rows `(windows, rows, columns)`; `first`: the one that is undone first."""
    return lambda back, count: rows[:, first - back : first - back + count]
