"""Rows on disk whose columns are changed as they are read: each cell by itself, or less the one some rows before."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from seq2seq_kit.data.on_disk.rows import RowsOnDisk

_ENDS_BYTES = 2**26  # of the ends of blocks that are kept, because the next block's differences begin there


@dataclass(frozen=True)
class _Ends:
    """The newest rows before a block, of one column; blocks are read in any order and from several threads."""

    values: RowsOnDisk
    held: "OrderedDict[tuple[int, int], np.ndarray]" = field(default_factory=OrderedDict)
    lock: Lock = field(default_factory=Lock)

    def before(self, block: int, column: int, lag: int) -> np.ndarray:
        """The `lag` cells before a block, NaN before the table's first row."""
        with self.lock:
            found = self.held.get((block, column))
        if found is None:
            parts, missing, number = list[np.ndarray](), lag, block - 1
            while missing and number >= 0:
                parts.insert(0, self.values.read(number, (column,))[-missing:, 0].copy())
                missing, number = missing - len(parts[0]), number - 1
            found = np.concatenate([np.full(missing, np.nan), *parts])
            self.keep(block, column, found)
        return found

    def keep(self, block: int, column: int, cells: np.ndarray) -> None:
        """Notes the cells before a block, which whoever read to the end of the one before it has at hand."""
        with self.lock:
            self.held[block, column] = cells
            while len(self.held) * cells.nbytes > _ENDS_BYTES and len(self.held) > 1:
                self.held.popitem(last=False)


def changed_rows(
    values: RowsOnDisk, segments: np.ndarray, lags: np.ndarray, pointwise: Callable[[int, np.ndarray], np.ndarray]
) -> RowsOnDisk:
    """The rows with their columns changed; nothing is read before it is asked for.

    Args:
        values: Original units.
        segments: Rows without a gap, as in `Table`: the first rows of each have no difference.
        lags: Rows that a difference of each column is taken over, 0 for none, shape `(columns,)`.
        pointwise: Gives the cells of a column without a difference, from its position and the original ones.
    """
    ends = _Ends(values)

    def pieces(block: int, positions: tuple[int, ...], most: int) -> Iterator[np.ndarray]:
        row = int(values.edges[block])
        lagged = {place: column for place, column in enumerate(positions) if lags[column]}
        before = {place: ends.before(block, column, int(lags[column])) for place, column in lagged.items()}
        for cells in values.pieces(block, positions, most):
            since = _since(segments, row + np.arange(len(cells)))
            for place, column in enumerate(positions):
                if place not in lagged:
                    cells[:, place] = pointwise(column, cells[:, place])
                    continue
                lag = int(lags[column])
                joined = np.concatenate([before[place], cells[:, place]])
                cells[:, place] = cells[:, place] - joined[: len(cells)]
                cells[since < lag, place] = np.nan
                before[place] = joined[len(joined) - lag :].copy()
            row += len(cells)
            yield cells
        if row == values.edges[block + 1]:
            for place, column in lagged.items():
                ends.keep(block + 1, column, before[place])

    return RowsOnDisk(values.edges, values.width, values.dtype, pieces, by_column=values.by_column)


def _since(segments: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows since the first one of each row's segment; below 0 outside of all."""
    if not len(segments):
        return np.full(len(rows), -1)
    number = np.searchsorted(segments[:, 0], rows, side="right") - 1
    first, end = segments[np.maximum(number, 0), :2].T
    return np.where((rows >= first) & (rows < end), rows - first, -1)
