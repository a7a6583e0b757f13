"""Whole series as sequences: each one stretch of rows."""

import numpy as np

from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.errors import DataError


def whole_series(prepared: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """First row and length of each series, in the order of `prepared.table.series`.

    Raises:
        DataError: A series has a gap in time, or no value at all in a column.
    """
    table, segments = prepared.table, prepared.segments
    counts = np.bincount(segments[:, 2], minlength=len(table.series))
    torn = np.flatnonzero(counts > 1)
    if len(torn):
        gap = int(segments[segments[:, 2] == torn[0]][1, 0])
        raise DataError(
            f"{table.origin}: {len(torn)} sequences have a gap in time; the first is {table.series[torn[0]]}, before "
            f"{table.where(gap)}. A sequence must be whole: fill the gap, give its halves names of their own, or leave out "
            "data.time and data.every",
            code="gap_in_sequence",
        )
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        raise DataError(
            f"{table.origin}: {len(empty)} sequences have a column without any value, such as {table.series[empty[0]]}; nothing "
            "can be filled in there. Leave them out, or choose data.missing: mask",
            code="empty_column",
        )
    order = np.argsort(segments[:, 2], kind="stable")
    first, end = segments[order, 0], segments[order, 1]
    return first, end - first
