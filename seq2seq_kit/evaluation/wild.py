"""Single cells far off all others of their part, such as a total in the last row: one of them can make a figure."""

import numpy as np

from seq2seq_kit.data.tables.pieces import pieces_of
from seq2seq_kit.data.windows.prepare import Prepared

_FAR = 10.0  # times the distance from the median that all but `_TAIL` of the cells keep
_TAIL = 0.05
_MOST = 0.01  # of the rows; more of them are no exceptions, but what the column is like
_LOOKED_AT = 100_000  # rows, evenly spread, that median and distance are taken from
_NAMED = 3


def wild_cells(prepared: Prepared, part: str) -> dict[int, str]:
    """Rows of a part with such a cell in a target, and the words for it: row, column, value, and the range of the others."""
    table = prepared.table
    found: dict[int, str] = {}
    for first, end in prepared.split.rows(part):
        if end - first < 1 / _TAIL:  # too few for a tail, see below
            continue
        for name in prepared.columns.targets:
            position = table.columns.index(name)
            sample = np.unique(np.linspace(first, end - 1, min(_LOOKED_AT, max(end - first, 0))).astype(np.int64))
            known = table.values[sample, position] if len(sample) else np.empty(0)
            known = known[~np.isnan(known)]
            if not known.size:
                continue
            median = float(np.median(known))
            distance = np.abs(known - median)
            # A column that rests at one value most of the time has its distances where it does not.
            moved = distance[distance > 0]
            usual = float(np.quantile(moved, 1 - _TAIL, method="lower")) if moved.size else 0.0
            if not usual or moved.size < 1 / _TAIL:
                continue
            far = [
                piece.start + int(row)
                for piece in pieces_of(int(first), int(end))
                for row in np.flatnonzero(np.abs(table.values[piece, position] - median) > _FAR * usual)
            ]
            if len(far) > max(1.0, _MOST * (end - first)):
                continue
            usually = f"where 95 % of the others lie within {usual:.4g} of {median:.4g}"
            found |= {
                row: f"{table.where(row)}, column {name}, holds {table.values[row, position]:.6g}, {usually}"
                for row in far
            }
    return found
