"""The rows of a Parquet file, in less memory than pandas takes where most columns are plain floats."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_FLOATS = {"double": np.float64, "float": np.float32}  # Parquet's words and NumPy's


def read_parquet(path: Path) -> pd.DataFrame:
    """The rows of a Parquet file.

    Raises:
        DataError: It cannot be read.
    """
    import pyarrow.parquet as pq  # at the top it would slow down every command

    try:
        with pq.ParquetFile(path) as file:
            floats = _plain_floats(file.schema_arrow)
            if floats:
                return _read_in_pieces(file, floats)
        return with_named_index(pd.read_parquet(path))
    except Exception as error:  # pyarrow's errors share no base below Exception
        raise DataError(f"{path} is not a readable Parquet file: {error}", code="unreadable_file") from None


def _plain_floats(schema: "pa.Schema") -> dict[str, list[str]]:
    """Names of the columns that pandas reads as float64 and float32; empty where pandas treats the file specially."""
    names, about = list(schema.names), schema.pandas_metadata or {}
    # Types of other libraries, such as pandas' periods, are plain numbers to who does not know them.
    if any(
        b"ARROW:extension:name" in (field.metadata or {}) or str(field.type).startswith("extension") for field in schema
    ):
        return {}
    own_index = [one for one in about.get("index_columns", []) if not isinstance(one, dict) or one.get("start") != 0]
    if own_index or len(set(names)) < len(names):
        return {}
    kinds = {column["name"]: column["numpy_type"] for column in about.get("columns", [])}
    found: dict[str, list[str]] = {"double": [], "float": []}
    for field in schema:
        kind = str(field.type)
        if kind in found and kinds.get(field.name, "float") in ("float", "float64", "float32"):
            found[kind].append(field.name)
    return {kind: columns for kind, columns in found.items() if columns}


def with_named_index(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its index as columns where that has names or holds times, then called `time`: a file has no index."""
    if isinstance(frame.index, pd.DatetimeIndex | pd.PeriodIndex) and frame.index.name is None:
        frame = frame.rename_axis("time")
    names = [name for name in frame.index.names if name is not None]
    return frame.reset_index() if names and not set(names) & set(frame.columns) else frame


def _read_in_pieces(file: "pq.ParquetFile", floats: dict[str, list[str]]) -> pd.DataFrame:
    """The frame of `pandas.read_parquet`, a column of a row group at a time: it holds the table once, pandas up to thrice.

    Columns of one float type lie side by side in one array, so that a table can be looked at as a matrix without a copy.
    """
    import pyarrow as pa

    names, groups = list(file.schema_arrow.names), range(file.num_row_groups)
    frames = []
    for kind, columns in floats.items():
        block = np.empty((len(columns), file.metadata.num_rows), _FLOATS[kind])
        for row, name in zip(block, columns, strict=True):
            first = 0
            for group in groups:
                cells = file.read_row_group(group, columns=[name], use_threads=False)[name]
                row[first : first + len(cells)] = cells.to_numpy()
                first += len(cells)
        frames.append(pd.DataFrame(block.T, columns=columns, copy=False))
    read = {name for columns in floats.values() for name in columns}
    others = [name for name in names if name not in read]
    if others:
        frames.append(_others(file, others))
    # What was read on the way goes back to the system: the rows are scaled next, and that is when memory is scarce.
    pa.default_memory_pool().release_unused()
    return pd.concat(frames, axis=1)[names] if len(frames) > 1 else frames[0]


def _others(file: "pq.ParquetFile", columns: list[str]) -> pd.DataFrame:
    import pyarrow as pa

    groups = [file.read_row_group(group, columns=columns, use_threads=False) for group in range(file.num_row_groups)]
    return (pa.concat_tables(groups) if groups else file.read(columns=columns)).to_pandas()
