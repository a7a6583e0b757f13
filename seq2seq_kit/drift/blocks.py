"""Sums over blocks of rows, by which stretches of any number of blocks are described without the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BINS = 10
# Of each column in a block: known cells, missing cells, sum, sum of squares, known cells by bin. Of a category the sum is that of
# cells with values that no training row has.
COUNT, MISSING, SUM, SQUARES, FIRST_BIN = 0, 1, 2, 3, 4
SUMS = FIRST_BIN + BINS
_FARTHEST = 50.0  # training scales: one broken cell is not to outweigh all others of its stretch


def edges_of(cells: np.ndarray) -> np.ndarray:
    """Borders between bins with about as many known cells each, shape `(columns, BINS - 1)`; of cells `(rows, columns)`."""
    found = np.zeros((cells.shape[1], BINS - 1))
    for place, column in enumerate(cells.T):
        known = column[np.isfinite(column)]
        if len(known):
            found[place] = np.quantile(known, np.arange(1, BINS) / BINS)
    return found


def block_sums(cells: np.ndarray, edges: np.ndarray, rows: int, unseen: np.ndarray | None = None) -> np.ndarray:
    """The sums of blocks of so many rows; the oldest rows that fill no block are left out.

    Args:
        cells: In training scales, NaN where missing, shape `(rows, columns)`.
        edges: Of `edges_of`.
        rows: Of a block.
        unseen: Of columns of categories 1 where the value is in no training row, else 0; NaN in other columns; of the same
            shape. None: no column is one.

    Returns:
        Shape `(blocks, columns, SUMS)`, the oldest block first.
    """
    blocks = len(cells) // rows
    cells = cells[len(cells) - blocks * rows :]
    made = np.zeros((blocks, cells.shape[1], SUMS))
    if not blocks:
        return made
    starts = np.arange(blocks) * rows
    known = np.isfinite(cells)
    near = np.clip(np.where(known, cells, 0.0), -_FARTHEST, _FARTHEST)
    made[:, :, COUNT] = np.add.reduceat(known, starts, axis=0, dtype=np.float64)
    made[:, :, MISSING] = rows - made[:, :, COUNT]
    told = unseen if unseen is None else unseen[len(unseen) - blocks * rows :]
    summed = near if told is None else np.where(np.isnan(told), near, told)
    made[:, :, SUM] = np.add.reduceat(summed, starts, axis=0)
    made[:, :, SQUARES] = np.add.reduceat(near**2, starts, axis=0)
    bins = (near[:, :, None] > edges[None]).sum(axis=2)
    for place in range(BINS):
        made[:, :, FIRST_BIN + place] = np.add.reduceat(known & (bins == place), starts, axis=0, dtype=np.float64)
    return made


def joined(blocks: Sequence[np.ndarray]) -> np.ndarray:
    """The blocks of several series as one array, `(series, blocks, columns, SUMS)`, by age: short ones lack the oldest."""
    count = max(len(each) for each in blocks)
    return np.stack([np.concatenate([np.zeros((count - len(each), *each.shape[1:])), each]) for each in blocks])
