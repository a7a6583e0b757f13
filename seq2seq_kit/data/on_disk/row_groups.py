"""A Parquet file that is read by blocks: one row group, or as many neighbours as make a block worth reading."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.data.on_disk.rows import HELD_BYTES
from seq2seq_kit.data.sources.files import is_file
from seq2seq_kit.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

LEAST_ROWS = 2**16  # smaller row groups are read together
PIECE_ROWS = 2**15  # of a block, that stay in a processor's cache while they are decoded and scaled
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

        if not is_file(path):
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
        try:
            return table.to_pandas(ignore_metadata=True)
        except ValueError as error:  # such as texts that are no UTF-8
            said = f"{self.path} holds cells that cannot be read: {error}; write the file anew"
            raise DataError(said, code="unreadable_file") from None

    def pieces(self, block: int, columns: Sequence[str], most: int) -> Iterator[list[np.ndarray]]:
        """The columns of the first `most` rows of a block as they are in the file, NaN for missing numbers, some rows at a time.

        Raises:
            DataError: As of `frame`.
        """
        for batch in self.batches(block, columns, most):
            yield [cells_of_column(batch[name]) for name in columns]

    def batches(self, block: int, columns: Sequence[str], most: int) -> "Iterator[pa.RecordBatch]":
        """As `pieces`, as Arrow has them.

        Raises:
            DataError: As of `frame`.
        """
        groups, left = self._groups(block), most
        with self._opened(groups) as file:
            size = min(most, PIECE_ROWS)
            for batch in file.iter_batches(size, row_groups=groups, columns=list(columns), use_threads=False):
                taken = batch.slice(0, left)
                yield taken
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


def cells_of_column(column: "pa.Array") -> np.ndarray:
    """The cells of a column, those of a dictionary as their values."""
    return np.asarray(_plain(column).to_numpy(zero_copy_only=False))


def words_of_column(column: "pa.Array") -> pd.Series:
    """The cells of a column as pandas has them: dates as dates, times in their zone, whole numbers as such."""
    found: pd.Series = _plain(column).to_pandas(types_mapper=_whole)
    return found


def _plain(column: "pa.Array") -> "pa.Array":
    return getattr(column, "dictionary_decode", lambda: column)()


def _whole(kind: "pa.DataType") -> pd.api.extensions.ExtensionDtype | None:
    """Whole numbers beside missing ones stay what they are: float64 has none above 2**53."""
    import pyarrow as pa

    return pd.Int64Dtype() if pa.types.is_integer(kind) else None


def _stamp(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns


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
