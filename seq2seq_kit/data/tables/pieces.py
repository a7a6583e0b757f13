"""A long table, looked at a piece at a time: what is computed from it takes no second table."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq_kit.data.rows import Rows

PIECE = 2**18  # rows of a piece: a few megabytes of a wide table


def pieces_of(first: int, end: int) -> Iterator[slice]:
    """The rows `first..end` in pieces."""
    for begin in range(first, end, PIECE):
        yield slice(begin, min(begin + PIECE, end))


def cells_of(values: Rows, rows: np.ndarray, columns: Sequence[int]) -> np.ndarray:
    """Some columns of some rows, shape `(*rows.shape, columns)`, without copying whole columns first."""
    return values[rows[..., None], np.array(columns)]


def count_missing(values: Rows, column: int) -> tuple[int, int]:
    """How many cells of a column are missing, and the row of the first one; 0 where none is."""
    count, first = 0, 0
    for piece in pieces_of(0, len(values)):
        empty = np.flatnonzero(np.isnan(values[piece, column]))
        if empty.size and not count:
            first = piece.start + int(empty[0])
        count += empty.size
    return count, first


@dataclass(frozen=True)
class Moments:
    """What the known cells of a column come to: how many, mean, standard deviation, smallest and largest."""

    count: int
    mean: float
    deviation: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Rows, column: int, rows: Iterable[tuple[int, int]]) -> "Moments":
        """Of one column over ranges of rows, `(first, end)` each; NaN where no cell is known.

        Pieces are joined by the pairwise formula of Chan, Golub and LeVeque (1979), which loses no digits to a large mean.
        """
        count, mean, squares, low, high = 0, 0.0, 0.0, np.inf, -np.inf
        for cells in _cells_in_pieces(values, column, rows):
            known = cells[~np.isnan(cells)]
            if not known.size:
                continue
            own = float(known.mean())
            total = count + known.size
            squares += float(((known - own) ** 2).sum()) + (own - mean) ** 2 * count * known.size / total
            mean += (own - mean) * known.size / total
            count, low, high = total, min(low, float(known.min())), max(high, float(known.max()))
        if not count:
            return cls(0, np.nan, np.nan, np.nan, np.nan)
        return cls(count, mean, float(np.sqrt(squares / count)), low, high)


def _cells_in_pieces(values: Rows, column: int, rows: Iterable[tuple[int, int]]) -> Iterator[np.ndarray]:
    """The cells of a column in pieces; those of short ranges are joined."""
    short: list[np.ndarray] = []
    held = 0
    for piece in (piece for first, end in rows for piece in pieces_of(first, end)):
        short.append(values[piece, column])
        held += len(short[-1])
        if held >= PIECE:
            yield np.concatenate(short) if len(short) > 1 else short[0]
            short, held = [], 0
    if short:
        yield np.concatenate(short) if len(short) > 1 else short[0]
