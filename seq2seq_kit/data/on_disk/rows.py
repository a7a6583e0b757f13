"""Rows and times of a table that stays on disk: blocks of it are read when they are asked for."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeGuard, overload

import numpy as np
import pandas as pd

from seq2seq_kit.data.rows import Rows, RowsKey
from seq2seq_kit.errors import DataError

HELD_BYTES = 2**28  # of blocks that were read last, because what is asked for next mostly lies beside them
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
