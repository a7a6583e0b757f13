"""A Parquet file as a table that stays on disk: rows are read by blocks of whole row groups when they are asked for.

`RowsOnDisk` and `TimesOnDisk` are the `Rows` and `Times` of such a table, `FrameOnDisk` is its frame. A block is one row group,
or as many neighbours as make a block worth reading.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard, overload

import numpy as np
import pandas as pd

from seq2seq_kit.data.rows import Rows, RowsKey
from seq2seq_kit.errors import DataError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

LEAST_ROWS = 2**16  # smaller row groups are read together
PIECE_ROWS = 2**15  # of a block, that stay in a processor's cache while they are decoded and scaled
HELD_BYTES = 2**28  # of blocks that were read last, because what is asked for next mostly lies beside them
_BUFFER_BYTES = 2**20  # of a column in the file; by default it is read as a whole first


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
    metadata: "pq.FileMetaData"

    @classmethod
    def open(cls, path: Path) -> "GroupedFile":
        """Reads where the row groups lie.

        Raises:
            DataError: There is no such file, or it is not a readable Parquet file.
        """
        import pyarrow.parquet as pq

        if not path.is_file():
            raise DataError(
                f"there is no file {path}. A path is taken from the current folder, {Path.cwd().name}/",
                code="file_not_found",
            )
        try:
            metadata = pq.read_metadata(path)
        except Exception as error:  # pyarrow's errors share no base below Exception
            raise DataError(f"{path} is not a readable Parquet file: {error}", code="unreadable_file") from None
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
        groups = self._groups(block)
        with self._opened(groups) as file:
            table = file.read_row_groups(groups, columns=list(columns), use_threads=False)
        return table.to_pandas(ignore_metadata=True)

    def pieces(self, block: int, columns: Sequence[str], most: int) -> Iterator[list[np.ndarray]]:
        """The columns of the first `most` rows of a block as they are in the file, NaN for missing numbers, some rows at a time.

        Raises:
            DataError: As of `frame`.
        """
        groups, left = self._groups(block), most
        with self._opened(groups) as file:
            size = min(most, PIECE_ROWS)
            for batch in file.iter_batches(size, row_groups=groups, columns=list(columns), use_threads=False):
                taken = batch.slice(0, left)
                yield [taken[name].to_numpy(zero_copy_only=False) for name in columns]
                left -= len(taken)
                if not left:
                    break  # nothing is decoded behind them

    def _groups(self, block: int) -> list[int]:
        return list(range(self.groups[block], self.groups[block + 1]))

    @contextmanager
    def _opened(self, groups: list[int]) -> "Iterator[pq.ParquetFile]":
        import pyarrow.parquet as pq

        try:
            stamp = _stamp(self.path)
        except OSError as error:
            advice = "leave it where it is until the run has ended"
            said = f"{self.path} cannot be read any more: {error.strerror}; {advice}"
            raise DataError(said, code="unreadable_file") from None
        if stamp != self.stamp:
            said = f"{self.path} was changed while it was read; let no one write to it during a training"
            raise DataError(said, code="file_changed")
        try:
            with pq.ParquetFile(self.path, metadata=self.metadata, buffer_size=_BUFFER_BYTES) as file:
                yield file
        except Exception as error:  # pyarrow's errors share no base below Exception
            said = f"{self.path}, row groups {groups[0]} to {groups[-1]}: cannot be read: {error}"
            raise DataError(said, code="unreadable_file") from None


def _stamp(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns


Pieces = Callable[[int, tuple[int, ...], int], Iterator[np.ndarray]]


@dataclass(frozen=True)
class RowsOnDisk:
    """`Rows` that are read when they are asked for.

    Attributes:
        edges: First row of each block and the end.
        width: Number of columns.
        dtype: Of the values.
        pieces: Gives a block by its number, positions of columns, and how many of its rows, a piece of at most `PIECE_ROWS`
            after the other, all in the same memory: beside a training a thread waits for fresh memory longer than it works.
        by_column: Whether a block of fewer columns is cheaper to read.
        held: Blocks that were read last, by number and columns.
        failures: Errors of reads that TensorFlow asked for; `plain_errors` raises them.
    """

    edges: np.ndarray
    width: int
    dtype: np.dtype
    pieces: Pieces
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

    @overload
    def __getitem__(self, cell: tuple[int, int], /) -> float: ...
    @overload
    def __getitem__(self, key: RowsKey, /) -> np.ndarray: ...
    def __getitem__(self, key: RowsKey | tuple[int, int], /) -> np.ndarray | float:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        picked = tuple(np.atleast_1d(np.arange(self.width)[columns]).tolist())
        if isinstance(rows, slice):
            found = self._between(*rows.indices(len(self))[:2], picked)
        else:
            numbers = np.asarray(rows)
            found = self._gathered(
                numbers if isinstance(columns, int | np.integer | slice) else numbers[..., 0], picked
            )
        return found[..., 0][()] if isinstance(columns, int | np.integer) else found

    def _between(self, first: int, end: int, columns: tuple[int, ...]) -> np.ndarray:
        result = np.empty((max(end - first, 0), len(columns)), self.dtype)
        for block in range(int(self._blocks_of(first)), len(self.edges) - 1):
            begin, stop = int(self.edges[block]), int(self.edges[block + 1])
            if begin >= end:
                break
            low, high = max(first, begin), min(end, stop)
            result[low - first : high - first] = self._block(block, columns)[low - begin : high - begin]
        return result

    def _gathered(self, rows: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
        flat = rows.ravel()
        blocks = self._blocks_of(flat)
        result = np.empty((len(flat), len(columns)), self.dtype)
        for block in np.unique(blocks).tolist():
            here = blocks == block
            result[here] = self._block(block, columns)[flat[here] - self.edges[block]]
        return result.reshape(*rows.shape, len(columns))

    def _blocks_of(self, rows: int | np.ndarray) -> np.ndarray:
        return np.asarray(np.searchsorted(self.edges, rows, side="right") - 1)

    def _block(self, block: int, columns: tuple[int, ...]) -> np.ndarray:
        """A block, from those that are held if it is there."""
        wanted = columns if self.by_column else self.all_columns
        key = (block, wanted)
        if key in self.held:
            self.held.move_to_end(key)
        else:
            found = self.read(block, wanted)
            while self.held and sum(one.nbytes for one in self.held.values()) + found.nbytes > HELD_BYTES:
                self.held.popitem(last=False)
            self.held[key] = found
        return self.held[key] if wanted == columns else self.held[key][:, list(columns)]

    def read(self, block: int, columns: tuple[int, ...]) -> np.ndarray:
        """A block as a new array."""
        rows = int(self.edges[block + 1] - self.edges[block])
        result = np.empty((rows, len(columns)), self.dtype, order="F" if self.by_column else "C")
        self._write(block, columns, result)
        return result

    def length(self, block: int, beyond: int) -> int:
        """Rows of a block and of `beyond` rows after it, fewer at the end of the table."""
        return min(int(self.edges[block + 1]) + beyond, len(self)) - int(self.edges[block])

    def stretch(self, block: int, beyond: int, into: np.ndarray) -> None:
        """Writes a block with `beyond` rows after it into an array of their `length`; may be called from any thread."""
        at = 0
        while at < len(into):
            rows = into[at : at + int(self.edges[block + 1] - self.edges[block])]
            self._write(block, self.all_columns, rows)
            at, block = at + len(rows), block + 1

    def _write(self, block: int, columns: tuple[int, ...], into: np.ndarray) -> None:
        """The first rows of a block, as many as there is room for."""
        at = 0
        for piece in self.pieces(block, columns, len(into)):
            into[at : at + len(piece)] = piece
            at += len(piece)


def on_disk(rows: Rows) -> TypeGuard[RowsOnDisk]:
    """Whether rows stay on disk; what is computed from all of those goes block by block."""
    return isinstance(rows, RowsOnDisk)


@dataclass(frozen=True)
class TimesOnDisk:
    """`Times` that are read when they are asked for.

    Attributes:
        ticks: Integers of the unit of `like`, one column.
        like: An empty index with the unit and the time zone.
    """

    ticks: RowsOnDisk
    like: pd.DatetimeIndex

    def __len__(self) -> int:
        return len(self.ticks)

    @overload
    def __getitem__(self, rows: slice | np.ndarray, /) -> pd.DatetimeIndex: ...
    @overload
    def __getitem__(self, row: int, /) -> pd.Timestamp: ...
    def __getitem__(self, rows: slice | np.ndarray | int, /) -> pd.DatetimeIndex | pd.Timestamp:
        if isinstance(rows, int | np.integer):
            return self[int(rows) : int(rows) + 1][0]
        return self.of(self.ticks[rows, 0])

    def of(self, ticks: np.ndarray) -> pd.DatetimeIndex:
        """Timestamps of integers as in `ticks`."""
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

    def __getitem__(self, rows: slice | Sequence[int] | np.ndarray) -> pd.DataFrame:
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
