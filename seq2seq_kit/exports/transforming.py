"""Transforms of columns inside a graph, as `data.tables.transforms` has them: pointwise ones, and differences of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seq2seq_kit.data.tables.transforms import Transforms
from seq2seq_kit.exports.graph import Graph, Value, ints


def stages(transforms: Transforms) -> list[Transforms]:
    """The transforms one after the other."""
    return [transforms, *(stages(transforms.then) if transforms.then else [])]


def write_stages(
    graph: Graph, transforms: Transforms, rows: Value, names: Sequence[str], *, before: int = 0
) -> list[Value]:
    """Rows `(batch, steps, columns)` as they are and behind each transform, the last one what a scaler takes.

    Args:
        graph: What it is written to.
        transforms: The transforms.
        rows: In original units; with so many more at their beginning as differences are taken from.
        names: Of the columns.
        before: How many these are; 0 where none of the columns has a difference.
    """
    found = [rows]
    for stage in stages(transforms):
        most = int(stage.lag.max(initial=0)) if before else 0
        if not most and _changes_nothing(stage, names):
            found.append(found[-1])
            continue
        each = [_forward(graph, stage, found[-1], place, name, most) for place, name in enumerate(names)]
        found.append(graph.concat(each))
    return found


def write_back(
    graph: Graph,
    transforms: Transforms,
    values: Value,
    names: Sequence[str],
    levels: Mapping[str, Sequence[Value]],
    begins: int,
) -> Value:
    """As `Transforms.inverse`.

    Args:
        graph: What it is written to.
        transforms: The transforms.
        values: `(batch, steps, columns, ...)`.
        names: Of the columns.
        levels: For each of them that has a difference its rows by `write_stages`.
        begins: Of the first of the values' rows, 0 being the window's first one.
    """
    undone = stages(transforms)
    for number in reversed(range(len(undone))):
        stage, each = undone[number], list[Value]()
        if _changes_nothing(stage, names):
            continue
        for place, name in enumerate(names):
            cells, column = graph.slice(values, 2, place, place + 1), stage.columns.index(name)
            if lag := int(stage.lag[column]):
                level, last = levels[name][number], levels[name][-1]
                first = (level.shape[1] or 0) - (last.shape[1] or 0) + begins
                each.append(_summed(graph, cells, level, first - lag, lag))
            else:
                each.append(_write_back(graph, stage.methods[column], cells, float(stage.power[column])))
        values = graph.concat(each, axis=2)
    return values


def _changes_nothing(stage: Transforms, names: Sequence[str]) -> bool:
    return all(stage.methods[stage.columns.index(name)] == "none" for name in names)


def _forward(graph: Graph, stage: Transforms, rows: Value, place: int, name: str, most: int) -> Value:
    column = stage.columns.index(name)
    cells, lag = graph.slice(rows, -1, place, place + 1), int(stage.lag[column])
    if lag:
        return graph.plain("Sub", graph.slice(cells, 1, most, None), graph.slice(cells, 1, most - lag, -lag))
    cells = graph.slice(cells, 1, most, None) if most else cells
    return _write_forward(graph, stage.methods[column], cells, float(stage.power[column]))


def _summed(graph: Graph, cells: Value, level: Value, first: int, lag: int) -> Value:
    """Differences `(batch, steps, 1, ...)` summed up, from so many rows of the level as they were taken over."""
    steps, rest = cells.shape[1], [int(size or 1) for size in cells.shape[3:]]
    assert steps is not None
    begun, rounds = graph.slice(level, 1, first, first + min(lag, steps)), -(-steps // lag)
    for _ in rest:  # every quantile goes on from the same value
        begun = graph.unsqueeze(begun, -1)
    if rounds == 1:
        return graph.plain("Add", cells, begun)
    ends = [0] * (2 * len(cells.shape))
    ends[len(cells.shape) + 1] = rounds * lag - steps
    whole = (None, rounds * lag, 1, *rest)
    filled = graph.add("Pad", cells, ints(ends), np.zeros((), np.float64), shape=whole, dtype="float64")
    blocks = graph.reshape(filled, [0, rounds, lag, *rest], (None, rounds, lag, *rest))
    summed = graph.add("CumSum", blocks, np.array(1), shape=blocks.shape, dtype="float64")
    ones = [1] * len(rest)
    summed = graph.plain("Add", summed, graph.reshape(begun, [0, 1, lag, *ones], (None, 1, lag, *ones)))
    return graph.slice(graph.reshape(summed, [0, -1, 1, *rest], whole), 1, 0, steps)


def _write_forward(graph: Graph, method: str, cells: Value, power: float) -> Value:
    """As `transforms.forward`."""
    if method == "none":
        return cells
    one = np.ones((), np.float64)
    logs = graph.add(
        "Log", graph.plain("Add", cells, one) if method == "log1p" else cells, shape=cells.shape, dtype="float64"
    )
    if method != "box_cox" or not power:
        return logs
    raised = graph.add("Exp", graph.plain("Mul", logs, np.array(power)), shape=cells.shape, dtype="float64")
    return graph.plain("Div", graph.plain("Sub", raised, one), np.array(power))


def _write_back(graph: Graph, method: str, cells: Value, power: float) -> Value:
    """As `transforms.backward`."""
    if method == "none":
        return cells
    one = np.ones((), np.float64)
    if method == "box_cox" and power:
        base = graph.plain("Add", graph.plain("Mul", cells, np.array(power)), one)
        logs = graph.add("Log", graph.plain("Max", base, np.zeros((), np.float64)), shape=cells.shape, dtype="float64")
        return graph.add("Exp", graph.plain("Div", logs, np.array(power)), shape=cells.shape, dtype="float64")
    raised = graph.add("Exp", cells, shape=cells.shape, dtype="float64")
    return graph.plain("Sub", raised, one) if method == "log1p" else raised
