"""What MLflow needs beside a bundle to serve it: examples with their answers, and the requirements."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.data import Prepared
from seq2seq_kit.data.on_disk.row_groups import FrameOnDisk
from seq2seq_kit.data.tables.cells import read_columns
from seq2seq_kit.data.tables.pieces import cells_of, count_missing
from seq2seq_kit.data.tables.time_formats import as_written
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.fields import Recipe

if TYPE_CHECKING:
    from seq2seq_kit.bundles.windows import WindowBundle


Example = pd.DataFrame | np.ndarray | dict[str, np.ndarray]
Served = dict[str, tuple[Example, pd.DataFrame | np.ndarray]]


def requirements(recipe: Recipe) -> list[str]:
    """`name==version` of every package that a served bundle of a recipe imports."""
    needed = ["tensorflow", "keras", "numpy", "pandas", "pydantic", "ruamel.yaml"]
    needed += ["holidays"] if getattr(recipe.data, "holidays", None) else []
    return [f"{name}=={version(name)}" for name in needed]


def _example(prepared: Prepared, source: pd.DataFrame | FrameOnDisk) -> pd.DataFrame:
    """The input rows of the most completely observed test window, and the rows ahead where something is known of them.

    For `Bundle.answer`; rows that begin or end in missing cells would be cut or taken for rows ahead.
    """
    data, columns = prepared.data, prepared.columns
    shape = prepared.windows["test"].shape
    lost = prepared.scaler.transforms.lost if prepared.scaler.transforms else 0  # rows that differences are taken from
    start = _fullest(prepared, [prepared.table.columns.index(name) for name in columns.past]) - shape.before - lost
    # What is told around a window is compared with its rows.
    given = lost + (shape.span if shape.beyond else shape.input_steps)
    ahead = shape.span - shape.input_steps if getattr(data, "known_future", []) else 0
    rows = start + np.arange(given + ahead)
    names = list(dict.fromkeys([*data.series_columns, *data.time_columns, *columns.numbers, *columns.words]))
    numbers = np.array([prepared.table.number(int(row)) - 1 for row in rows])
    # A row that was added has no row in the source: there is none between the rows that have.
    there = numbers >= 0
    rows, steps = rows[there], int(there[:given].sum())
    example = source.iloc[numbers[there]][names].reset_index(drop=True)
    if data.resample or data.duplicates not in ("refuse", "first", "last"):
        example[columns.numbers] = cells_of(prepared.table.values, rows, range(len(columns.numbers)))
    for name in columns.words:
        example[name] = example[name].astype("str").where(example[name].notna(), "")
    read = read_columns(example, columns.numbers, prepared.table.origin, form=data.format)
    for name, values in zip(columns.numbers, read, strict=True):
        example[name] = values
    for name in data.series_columns:
        example[name] = example[name].astype("str")
    known = (*data.series_columns, *columns.known_future, *columns.static, *columns.categories[: columns.ahead])
    example.loc[steps:, [name for name in columns.numbers if name not in known]] = np.nan
    example.loc[steps:, [name for name in columns.words if name not in known]] = ""
    if isinstance(data.time, str) and prepared.table.times is not None:
        example[data.time] = as_written(prepared.table.times[rows], data.time_format)
    return example


def _fullest(prepared: Prepared, columns: list[int]) -> int:
    """First row of the first test window with the fewest rows that lack a value in one of the columns."""
    values, windows = prepared.table.values, prepared.windows["test"]
    if not any(count_missing(values, column)[0] for column in columns):
        return int(windows.starts(np.array([0]))[0])
    lacking = np.isnan(values[:, columns]).any(axis=1)
    holes, starts = np.concatenate([[0], np.cumsum(lacking)]), windows.starts()
    return int(starts[np.argmin(holes[starts + windows.shape.input_steps] - holes[starts])])


def served_examples(
    bundle: WindowBundle,
    prepared: Prepared,
    source: pd.DataFrame | FrameOnDisk,
    *,
    arrays: list[np.ndarray] | None = None,
) -> Served:
    """An example and its answer for each way in which MLflow serves the bundle: frames, and the bare network's tensors.

    `arrays` are the network's inputs, where they are not those of the first test window. Where every test window has missing
    cells no frame may do as an example; the network is served all the same.
    """
    from seq2seq_kit.models.inference import forward_inputs

    arrays = prepared.arrays("test", np.array([0])) if arrays is None else arrays
    names = [tensor.name for tensor in forward_inputs(bundle.model)]
    tensors = dict(zip(names, arrays, strict=True)) if len(names) > 1 else arrays[0]
    served: Served = {"tensors": (tensors, bundle.forward(arrays))}
    try:
        frame = _example(prepared, source)
        return {"frames": (frame, bundle.answer(frame))} | served
    except DataError as error:
        warnings.warn(
            f"no model for frames was logged, because no window that was evaluated makes an example: {error}",
            stacklevel=2,
        )
        return served
