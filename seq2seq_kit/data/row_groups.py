"""A Parquet file as a table that stays on disk: rows are read by blocks of whole row groups when they are asked for.

What stands here looks like the arrays and the frame of a table in memory, so that whatever reads rows by number need not know
where they are. A block is one row group, or as many neighbours as make a block worth reading.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seq2seq_kit.errors import DataError

LEAST_ROWS = 2**16  # smaller row groups are read together
HELD_BYTES = 2**28  # of blocks that were read last, because what is asked for next mostly lies beside them


@dataclass(frozen=True)
class GroupedFile:
    """A Parquet file and its blocks.

    Attributes:
        path: Where it is.
        groups: First row group of each block and the end, shape `(blocks + 1,)`.
        edges: First row of each block and the end, shape `(blocks + 1,)`.
        stamp: Size and time of the last change when it was opened.
        metadata: Parquet's own, so that it is read once.
    """

    path: Path
    groups: np.ndarray
    edges: np.ndarray
    stamp: tuple[int, int]
    metadata: Any

    @classmethod
    def open(cls, path: Path) -> "GroupedFile":
        """Reads where the row groups lie.

        Raises:
            DataError: There is no such file, or it is not a readable Parquet file.
        """
        import pyarrow.parquet as pq

        if not path.is_file():
            raise DataError(f"there is no file {path}. A path is taken from the current folder, {Path.cwd().name}/")
        try:
            metadata = pq.read_metadata(path)
        except Exception as error:  # pyarrow's errors share no base below Exception
            raise DataError(f"{path} is not a readable Parquet file: {error}") from None
        rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        first, groups, edges = 0, [0], [0]
        for group, count in enumerate(rows):
            first += count
            if first - edges[-1] >= LEAST_ROWS or group == len(rows) - 1:
                groups.append(group + 1)
                edges.append(first)
        return cls(path, np.array(groups), np.array(edges), _stamp(path), metadata)

    @property
    def rows(self) -> int:
        """Rows in all."""
        return int(self.edges[-1])

    @property
    def columns(self) -> list[str]:
        """Names of all columns."""
        return list(self.metadata.schema.to_arrow_schema().names)

    def frame(self, block: int, columns: Sequence[str]) -> pd.DataFrame:
        """The rows of a block.

        Raises:
            DataError: The file was changed since it was opened, or cannot be read.
        """
        return self._read(block, columns, None).to_pandas(ignore_metadata=True)

    def arrays(self, block: int, columns: Sequence[str], *, most: int | None = None) -> list[np.ndarray]:
        """The columns of a block, or of its first `most` rows, as they are in the file; NaN for missing numbers.

        Raises:
            DataError: As of `frame`.
        """
        table = self._read(block, columns, most)
        return [np.asarray(table[name].to_numpy()) for name in columns]

    def _read(self, block: int, columns: Sequence[str], most: int | None) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            stamp = _stamp(self.path)
        except OSError as error:
            advice = "leave it where it is until the run has ended"
            raise DataError(f"{self.path} cannot be read any more: {error.strerror}; {advice}") from None
        if stamp != self.stamp:
            raise DataError(f"{self.path} was changed while it was read; let no one write to it during a training")
        groups = list(range(self.groups[block], self.groups[block + 1]))
        try:
            with pq.ParquetFile(self.path, metadata=self.metadata, buffer_size=2**20 if most else 0) as file:
                if most is None:
                    return file.read_row_groups(groups, columns=list(columns), use_threads=False)
                # Stops decoding after them.
                batches = file.iter_batches(most, row_groups=groups, columns=list(columns), use_threads=False)
                return pa.Table.from_batches([next(batches)])
        except Exception as error:  # pyarrow's errors share no base below Exception
            raise DataError(f"{self.path}, row groups {groups[0]} to {groups[-1]}: cannot be read: {error}") from None


def _stamp(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns


Read = Callable[[int, tuple[int, ...], int | None], np.ndarray]


@dataclass(frozen=True)
class RowsOnDisk:
    """Rows of numbers that are read when they are asked for; indexed as a matrix is.

    Attributes:
        edges: First row of each block and the end.
        width: Number of columns.
        dtype: Of the values.
        read: Gives a block by its number, positions of columns, and how many of its rows (None: all), as a new array.
        by_column: Whether a block of fewer columns is cheaper to read.
        failures: What went wrong where another library stands between the reading and who asked for it.
    """

    edges: np.ndarray
    width: int
    dtype: Any
    read: Read
    by_column: bool
    held: "OrderedDict[tuple[int, tuple[int, ...]], np.ndarray]" = field(default_factory=OrderedDict, repr=False)
    failures: list[DataError] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return int(self.edges[-1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), self.width

    @property
    def all_columns(self) -> tuple[int, ...]:
        """Positions of all columns."""
        return tuple(range(self.width))

    def __getitem__(self, key: Any) -> np.ndarray:
        """`[rows]`, `[rows, columns]` with slices or numbers of either, and `[rows[..., None], columns]`, as of a matrix."""
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        one = isinstance(columns, int | np.integer)
        picked = (int(columns),) if one else tuple(np.arange(self.width)[columns].tolist())
        if isinstance(rows, slice):
            found = self._between(*rows.indices(len(self))[:2], picked)
        else:
            numbers = np.asarray(rows)
            found = self._gathered(numbers if one or isinstance(columns, slice) else numbers[..., 0], picked)
        return found[..., 0][()] if one else found

    def _between(self, first: int, end: int, columns: tuple[int, ...]) -> np.ndarray:
        result = np.empty((max(end - first, 0), len(columns)), self.dtype)
        for block in range(self._block_of(first), len(self.edges) - 1):
            begin, stop = int(self.edges[block]), int(self.edges[block + 1])
            if begin >= end:
                break
            low, high = max(first, begin), min(end, stop)
            result[low - first : high - first] = self._block(block, columns)[low - begin : high - begin]
        return result

    def _gathered(self, rows: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
        flat = rows.ravel()
        blocks = self._block_of(flat)
        result = np.empty((len(flat), len(columns)), self.dtype)
        for block in np.unique(blocks).tolist():
            here = blocks == block
            result[here] = self._block(block, columns)[flat[here] - self.edges[block]]
        return result.reshape(*rows.shape, len(columns))

    def _block_of(self, rows: Any) -> Any:
        return np.searchsorted(self.edges, rows, side="right") - 1

    def _block(self, block: int, columns: tuple[int, ...]) -> np.ndarray:
        """A block, from those that are held if it is there."""
        wanted = columns if self.by_column else self.all_columns
        key = (block, wanted)
        if key in self.held:
            self.held.move_to_end(key)
        else:
            found = self.read(block, wanted, None)
            while self.held and sum(one.nbytes for one in self.held.values()) + found.nbytes > HELD_BYTES:
                self.held.popitem(last=False)
            self.held[key] = found
        return self.held[key] if wanted == columns else self.held[key][:, list(columns)]

    def stretch(self, block: int, beyond: int) -> np.ndarray:
        """A block with `beyond` rows after it (fewer at the end of the table), read anew; may be called from any thread."""
        pieces = [self.read(block, self.all_columns, None)]
        while beyond and block + 2 < len(self.edges):
            block += 1
            most = min(beyond, int(self.edges[block + 1] - self.edges[block]))
            pieces.append(self.read(block, self.all_columns, most))
            beyond -= most
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


@dataclass(frozen=True)
class TimesOnDisk:
    """Timestamps that are read when they are asked for; indexed as a `DatetimeIndex` is."""

    ticks: RowsOnDisk
    like: pd.DatetimeIndex

    def __len__(self) -> int:
        return len(self.ticks)

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, int | np.integer):
            return self[int(rows) : int(rows) + 1][0]
        return self.of(self.ticks[rows, 0])

    def of(self, ticks: np.ndarray) -> pd.DatetimeIndex:
        """Timestamps of the integers that stand for them."""
        plain = pd.DatetimeIndex(ticks.view(f"M8[{self.like.unit}]"))
        return plain if self.like.tz is None else plain.tz_localize("UTC").tz_convert(self.like.tz)


@dataclass(frozen=True)
class FrameOnDisk:
    """The frame that a file would be, as far as a run asks for it: its length, its columns, some of its rows."""

    file: GroupedFile
    columns: list[str]

    def __len__(self) -> int:
        return self.file.rows

    @property
    def iloc(self) -> "FrameOnDisk":
        """Rows by number: `iloc[first:end]`, `iloc[[3, 5]]`."""
        return self

    def __getitem__(self, rows: Any) -> pd.DataFrame:
        if isinstance(rows, slice):
            return self._between(*rows.indices(len(self))[:2])
        numbers = np.asarray(rows)
        first = int(numbers.min())
        return self._between(first, int(numbers.max()) + 1).iloc[numbers - first]

    def _between(self, first: int, end: int) -> pd.DataFrame:
        edges, pieces = self.file.edges, []
        for block in range(int(np.searchsorted(edges, first, side="right")) - 1, len(edges) - 1):
            if edges[block] >= end:
                break
            piece = self.file.frame(block, self.columns)
            pieces.append(piece.iloc[max(0, first - edges[block]) : end - edges[block]])
        return pd.concat(pieces, ignore_index=True)

    def memory_usage(self, *, deep: bool = False) -> pd.Series:
        """Bytes that are held of it at most."""
        return pd.Series([HELD_BYTES])
