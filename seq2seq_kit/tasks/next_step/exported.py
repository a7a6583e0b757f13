"""A next-step model for other runtimes: a forecast of any length, one step with states in and out, and the walk of the kit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.compared_windows import Rows
from seq2seq_kit.bundles.exported_windows import ExportedWindows
from seq2seq_kit.exports.program import Case, Port, Program
from seq2seq_kit.exports.refusing import refused
from seq2seq_kit.tasks.next_step.data import read_steps

if TYPE_CHECKING:
    from seq2seq_kit.exports.graph import Graph, Value
    from seq2seq_kit.exports.units import WindowUnits
    from seq2seq_kit.tasks.next_step.bundle import NextStepBundle


def next_step_programs(bundle: NextStepBundle, frame: pd.DataFrame | None) -> list[Program]:
    """What is exported; `frame`: rows to compare on, or None."""
    windows = ExportedWindows(bundle, frame)
    if windows.differenced:
        names = ", ".join(windows.differenced)
        raise refused(
            f"the recipe takes differences of {names} (data.transform), and a model of single steps reads one row alone"
        )
    made = _NextStep(bundle, windows)
    return [made.forecast(), made.step(), made.walk()]


@dataclass(frozen=True)
class _NextStep:
    bundle: NextStepBundle
    windows: ExportedWindows

    @cached_property
    def units(self) -> WindowUnits:
        return self.windows.units

    @property
    def count(self) -> int:
        """Columns that are predicted; those behind them are known of the next row."""
        return len(self.windows.columns.inputs)

    @property
    def known(self) -> int:
        """Columns that are known of the next row."""
        return self.windows.layout.inputs - self.count

    @cached_property
    def states(self) -> list[Port]:
        """The states that go in."""
        stepper = self.bundle.stepper
        return [
            Port(name.replace(" ", "_"), "float32", ("batch", width), f"state {name}, zeros at first")
            for name, width in zip(stepper.names, stepper.widths, strict=True)
        ]

    @property
    def after(self) -> list[Port]:
        """The states that come out."""
        return [Port(f"{port.name}_after", port.dtype, port.shape, f"{port.name} afterwards") for port in self.states]

    def forecast(self) -> Program:
        """Rows of a window, any number, to the rows ahead, any number."""
        names = tuple(self.windows.columns.targets)
        rows = Port(
            "inputs",
            "float64",
            ("batch", "steps", len(self.units.read)),
            self.windows.inputs()[0].says,
            tuple(self.units.read),
        )
        says = "what is known of each row ahead: as many rows as are forecast"
        ahead = Port("future", "float64", ("batch", "ahead", self.known), says, tuple(self.units.ahead))
        if not self.known:
            ahead = Port("ahead", "int64", (1,), "number of rows that are forecast")
        outputs = Port("outputs", "float64", ("batch", "ahead", len(names)), "rows ahead in original units", names)

        def write(graph: Graph, given: list[Value]) -> list[Value]:
            from seq2seq_kit.exports.streaming import write_forecast

            series = given[-1] if self.units.by_series else None
            past = self.units.write_inputs(graph, given[0], series)[0]
            future = self.units.write_known(graph, given[1], series) if self.known else None
            rows = graph.size(given[1], 1) if self.known else given[1]
            found = write_forecast(graph, self.bundle.model, past, future, rows, self.count)
            return [self.units.write_outputs(graph, found, series)]

        def case(rows: Rows) -> Case:
            future = (
                rows.future
                if rows.future is not None
                else np.zeros((len(rows.past), self.windows.shape.output_steps, 0), np.float32)
            )
            walk = self.bundle.stepper.walk(*read_steps(rows.past, future, self.count))
            scaled = np.concatenate([walk.newest[:, None], walk.ahead], axis=1)
            inputs = self.windows.original(rows)
            if not self.known:
                inputs.insert(1, np.array([self.windows.shape.output_steps]))
            return self.windows.case(rows, inputs, [self.windows.restored(rows, scaled)])

        says = "rows of a window to the rows ahead, in original units: each of them out of the one before"
        taken = (rows, ahead, *self._series)
        return Program("model", says, taken, (outputs,), write, case(self.windows.golden), case(self.windows.sample))

    def step(self) -> Program:
        """One row and the states before it to the next row and the states after it."""
        names, read = tuple(self.windows.columns.targets), tuple(self.units.read)
        says = "one row in original units, with what is known of the next one (its calendar)"
        row = Port("inputs", "float64", ("batch", len(read)), says, read)
        outputs = Port("outputs", "float64", ("batch", len(names)), "the next row in original units", names)

        def write(graph: Graph, given: list[Value]) -> list[Value]:
            from seq2seq_kit.exports.streaming import write_steps

            series = given[-1] if self.units.by_series else None
            scaled = self.units.write_inputs(graph, graph.unsqueeze(given[0], 1), series)[0]
            states = given[1 : 1 + len(self.states)]
            found, after = write_steps(graph, self.bundle.model, scaled, states)
            whole = self.units.write_outputs(graph, found, series)
            return [graph.reshape(whole, [0, len(names)], (None, len(names))), *after]

        def case(rows: Rows, seed: int) -> Case:
            rng = np.random.default_rng(seed)
            states = [
                rng.uniform(-0.9, 0.9, (len(rows.past), width)).astype(np.float32)
                for width in self.bundle.stepper.widths
            ]
            newest = Rows(rows.past[:, -1:], None, rows.codes, rows.of_data)
            walk = self.bundle.stepper.walk(
                newest.past, np.zeros((len(newest.past), 0, self.known), np.float32), states
            )
            inputs = self.windows.original(newest)
            found = self.windows.case(
                rows, [inputs[0][:, 0], *states, *inputs[1:]], [self.windows.restored(rows, walk.read)]
            )
            flat = [np.asarray(each)[:, 0] for each in (found.outputs[0], found.center[0], found.scale[0])]
            loose: list[np.ndarray | float] = [0.0] * len(states)
            ones: list[np.ndarray | float] = [1.0] * len(states)
            return Case(
                found.inputs, [flat[0], *walk.states], [flat[1], *loose], [flat[2], *ones], of_data=rows.of_data
            )

        says = "one row and the states before it to the next row and the states after it: a stream, in original units"
        taken, given = (row, *self.states, *self._series), (outputs, *self.after)
        return Program("step", says, taken, given, write, case(self.windows.golden, 2), case(self.windows.sample, 3))

    def walk(self) -> Program:
        """The walk of `Stepper`, scaled."""
        count, width = self.count, self.windows.layout.inputs
        taken = (
            Port(
                "read",
                "float32",
                ("batch", "steps", width),
                "scaled rows, each with what is known of the next; at least one",
            ),
            Port("known", "float32", ("batch", "ahead", self.known), "what is known of the rows behind those fed back"),
            *self.states,
        )
        given = (
            Port("outputs", "float32", ("batch", "steps", count), "the prediction after each row that was read"),
            Port("fed_back", "float32", ("batch", "ahead", count), "the predictions after each row that was fed back"),
            Port("newest", "float32", ("batch", count), "the prediction after the last row that was read"),
            *self.after,
        )

        def write(graph: Graph, values: list[Value]) -> list[Value]:
            from seq2seq_kit.exports.streaming import write_walk

            return write_walk(graph, self.bundle.model, values[0], values[1], values[2:])

        def case(rows: Rows, seed: int) -> Case:
            future = (
                rows.future
                if rows.future is not None
                else np.zeros((len(rows.past), self.windows.shape.output_steps, 0), np.float32)
            )
            read, known = read_steps(rows.past, future, count)
            rng = np.random.default_rng(seed)
            states = [
                rng.uniform(-0.9, 0.9, (len(read), units)).astype(np.float32) for units in self.bundle.stepper.widths
            ]
            walk = self.bundle.stepper.walk(read, known, states)
            outputs = [walk.read, walk.ahead, walk.newest, *walk.states]
            zeros, ones = [0.0] * len(outputs), [1.0] * len(outputs)
            return Case([read, known, *states], outputs, [*zeros], [*ones], of_data=rows.of_data)

        says = "the walk of a next-step model over scaled rows, then on its own output, as this kit calls it"
        return Program("network", says, taken, given, write, case(self.windows.golden, 4), case(self.windows.sample, 5))

    @property
    def _series(self) -> list[Port]:
        return self.windows.inputs()[-1:] if self.units.by_series else []
