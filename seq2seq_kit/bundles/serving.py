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
from seq2seq_kit.data.tables.pieces import count_missing
from seq2seq_kit.errors import DataError

if TYPE_CHECKING:
    from seq2seq_kit.bundles.windows import WindowBundle


Example = pd.DataFrame | np.ndarray | dict[str, np.ndarray]
Served = dict[str, tuple[Example, pd.DataFrame | np.ndarray]]


def requirements() -> list[str]:
    """`name==version` of every package that a served bundle imports."""
    needed = ("tensorflow", "keras", "numpy", "pandas", "pydantic", "ruamel.yaml")
    return [f"{name}=={version(name)}" for name in needed]


def _example(prepared: Prepared, source: pd.DataFrame | FrameOnDisk) -> pd.DataFrame:
    """The input rows of the most completely observed test window, and the rows ahead where something is known of them.

    For `Bundle.answer`; rows that begin or end in missing cells would be cut or taken for rows ahead.
    """
    data, columns = prepared.data, prepared.columns
    windows = prepared.windows["test"]
    start = _fullest(prepared, [prepared.table.columns.index(name) for name in columns.past])
    ahead = windows.shape.span - windows.shape.input_steps if columns.known_future else 0
    rows = start + np.arange(windows.shape.input_steps + ahead)
    names = [name for name in (data.series, data.time) if name] + columns.table
    example = source.iloc[[prepared.table.number(int(row)) - 1 for row in rows]][names].reset_index(drop=True)
    read = read_columns(example, columns.table, prepared.table.origin, form=data.format)
    for name, values in zip(columns.table, read, strict=True):
        example[name] = values
    if data.series:
        example[data.series] = example[data.series].astype("str")
    example.loc[windows.shape.input_steps :, [name for name in columns.table if name not in columns.known_future]] = (
        np.nan
    )
    if data.time and prepared.table.times is not None:
        times = prepared.table.times[rows]
        # With what the recipe says of them they are read as they were; else any zone will do, and UTC has no hour twice.
        zoned = times if times.tz is None or data.time_format else times.tz_convert("UTC")
        example[data.time] = zoned.strftime(data.time_format) if data.time_format else zoned.astype(str)
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
        warnings.warn(f"no model for frames was logged, because no test window makes an example: {error}", stacklevel=2)
        return served
