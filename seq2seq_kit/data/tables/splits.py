"""Train, val and test: by time, for each series, the newest rows last. And what may be filled in without looking ahead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seq2seq_kit.data.tables.pieces import count_missing
from seq2seq_kit.data.tables.table import Table
from seq2seq_kit.errors import ArgumentError, DataError

PARTS = ("train", "val", "test")
CALIBRATION = "calibration"  # of forecasts with intervals: between val and test, and in no other part
ALL_PARTS = (*PARTS, CALIBRATION)


@dataclass(frozen=True)
class Split:
    """The rows of each series that belong to each part.

    Attributes:
        edges: First row and end of train, first row of val, first row of test (the end of val) and end of test, for each
            series; shape `(series, 5)`. Only in a fold do rows lie between train and val: no targets, but inputs of val.
        held: Rows at the beginning of what `edges` calls test that are the calibration part, shape `(series,)`; None: none.
    """

    edges: np.ndarray
    held: np.ndarray | None = None

    def rows(self, part: str) -> np.ndarray:
        """`(first, end)` of a part for each series, shape `(series, 2)`."""
        held = 0 if self.held is None else self.held
        first, end = {
            "train": (self.edges[:, 0], self.edges[:, 1]),
            "val": (self.edges[:, 2], self.edges[:, 3]),
            CALIBRATION: (self.edges[:, 3], self.edges[:, 3] + held),
            "test": (self.edges[:, 3] + held, self.edges[:, 4]),
        }[part]
        return np.column_stack([first, end])

    def shifted(self, by: np.ndarray) -> "Split":
        """The same parts of rows that were moved, `by` of each series' rows, shape `(series,)`."""
        return replace(self, edges=self.edges + by[:, None])

    def whole(self) -> "Split":
        """The same with the rows of all parts in train; the others stay as they are."""
        edges = self.edges.copy()
        edges[:, 1] = edges[:, 4]
        return replace(self, edges=edges)

    def joined(self) -> "Split":
        """The same with the val rows in train, too; val stays as it is."""
        edges = self.edges.copy()
        edges[:, 1] = edges[:, 3]
        return replace(self, edges=edges)


def split_by_time(
    table: Table,
    *,
    val: float,
    test: float,
    train: int | None = None,
    calibration: float | None = None,
    leave_out: bool = False,
) -> Split:
    """Divides the rows of each series: the newest `test` share, before it `calibration` and `val`, the rest for training.

    With `train` all three are numbers of rows, counted from the oldest; what comes after them belongs to no part. With
    `leave_out` a series with fewer rows has no part, if another one has enough.

    Raises:
        DataError: A series has fewer rows than the numbers ask for.
    """
    first, end = table.bounds[:-1], table.bounds[1:]
    if train is not None:
        return _split_by_count(table, [train, int(val), int(calibration or 0), int(test)], leave_out)
    count, held = end - first, calibration or 0.0
    val_first = first + np.round(count * (1 - val - held - test)).astype(np.int64)
    held_first = first + np.round(count * (1 - held - test)).astype(np.int64)
    test_first = first + np.round(count * (1 - test)).astype(np.int64)
    return _split_at(np.column_stack([first, val_first, held_first, test_first, end]))


def split_from_end(table: Table, counts: Sequence[int], *, leave_out: bool = False) -> Split:
    """Divides the rows of each series by numbers of rows from its own newest one; all rows before them are train.

    Args:
        table: The rows.
        counts: Rows of val, calibration and test.
        leave_out: A series without a row to train on has no part, if another one has enough.

    Raises:
        DataError: A series has no more rows than the numbers ask for.
    """
    first, end = table.bounds[:-1, None], table.bounds[1:, None]
    edges = np.concatenate([first, end - np.cumsum([0, *counts[::-1]])[::-1]], axis=1)
    asked = " + ".join(str(count) for count in counts if count)
    said = f"{asked} = {sum(counts)} rows at the end of each series, and others before them to train on"
    return _split_at(_without_short(table, edges, edges[:, 1] <= edges[:, 0], said, leave_out))


def _without_short(table: Table, edges: np.ndarray, short: np.ndarray, asked: str, leave_out: bool) -> np.ndarray:
    """The edges, with no part for the series that are too short; see `split_by_time` for `leave_out`."""
    found = np.flatnonzero(short)
    if leave_out and len(found) < len(edges):
        edges[found] = table.bounds[found, None]
    elif len(found):
        rows = int(table.bounds[found[0] + 1] - table.bounds[found[0]])
        which = f"the series {table.series[found[0]]}" if len(table.series) > 1 else "it"
        raise DataError(
            f"{table.origin}: data.split asks for {asked}, but {which} has {rows}. Ask for fewer, or give shares: "
            "split: {val: 0.15, test: 0.15}",
            code="too_few_rows",
        )
    return edges


def _split_at(edges: np.ndarray) -> Split:
    """The split at the first rows of train, val, calibration and test and the end, for each series, shape `(series, 5)`."""
    held = edges[:, 3] - edges[:, 2]
    return Split(edges[:, [0, 1, 1, 2, 4]], held if held.any() else None)


def _split_by_count(table: Table, counts: list[int], leave_out: bool) -> Split:
    edges = table.bounds[:-1, None] + np.concatenate([[0], np.cumsum(counts)])
    asked = f"{' + '.join(str(count) for count in counts if count)} = {sum(counts)} rows of each series"
    return _split_at(_without_short(table, edges, edges[:, -1] > table.bounds[1:], asked, leave_out))


def whole(table: Table) -> Split:
    """All rows in the test part: new data, none of which may be learned from."""
    first, end = table.bounds[:-1], table.bounds[1:]
    return Split(np.column_stack([first, first, first, first, end]))


def expanding_folds(split: Split, count: int, *, gap: int, origin: str = "the data") -> list[Split]:
    """Time-ordered folds: each validates on a later block of rows than the one before and trains on all rows before its block.

    In each series the last fold validates on the val rows; the blocks of the others have as many rows and lie right before it,
    one after the other. Test is empty. A series too short for a training row in a fold has no part in that fold.

    An evaluation with a rolling origin and an expanding fit (Tashman 2000), with the rows at the border left out
    (h-block cross-validation: Burman, Chow and Nolan 1994).

    Args:
        split: The parts to begin from.
        count: Folds.
        gap: Rows between train and a block, which belong to neither.
        origin: Name of the rows for messages.

    Returns:
        The folds, the oldest block first.

    Raises:
        ArgumentError: `count` is no whole number of at least 1.
        DataError: No series has a training row in the first fold.

    Example:
        >>> folds = expanding_folds(Split(np.array([[0, 60, 60, 80, 100]])), 2, gap=5)
        >>> [(fold.rows("train").tolist(), fold.rows("val").tolist()) for fold in folds]
        [([[0, 35]], [[40, 60]]), ([[0, 55]], [[60, 80]])]
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        said = f"count must be a whole number of at least 1. Received: count={count!r}"
        raise ArgumentError(said, code="invalid_argument")
    first, val_first, val_end = split.edges[:, 0], split.edges[:, 2], split.edges[:, 3]
    block = val_end - val_first
    folds = []
    for back in reversed(range(count)):
        begin = val_first - back * block
        held = begin - gap > first
        if not held.any():
            longest = int(np.argmax(begin - first))
            needed = f"a gap of {gap}" if back == 0 else f"{back} blocks of {block[longest]} and a gap of {gap}"
            raise DataError(
                f"{origin}: fold {count - back} of {count} has no row to train on. Expected: more than "
                f"{back * block[longest] + gap} rows before the val rows ({needed}). Received: "
                f"{val_first[longest] - first[longest]}. Use fewer folds, a smaller data.split.val, fewer input_steps, or "
                "more rows",
                code="too_few_rows",
            )
        edges = np.column_stack([first, begin - gap, begin, begin + block, begin + block])
        folds.append(Split(np.where(held[:, None], edges, first[:, None])))
    return folds


def joined_parts(parts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Numbers of whole sequences by part with those of val in train, too; val stays as it is."""
    return {**parts, "train": np.sort(np.concatenate([parts["train"], parts["val"]]))}


def all_parts(parts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Numbers of whole sequences by part with those of every part in train; the others stay as they are."""
    return {**parts, "train": np.unique(np.concatenate(list(parts.values())))}


def fill_missing(table: Table, split: Split, *, method: str) -> Table:
    """Fills missing cells inside each stretch without gaps.

    A cell is filled from the known rows on both of its sides, wherever the parts meet, so a row is the same in a run and in a
    prediction that knows both. What must not know the later side is left out instead: see `rows_of_part` and `looks_ahead`.
    Rows behind the last part are neither filled nor filled from. Where no later value is known the last one is carried on;
    leading rows without an earlier value are cut off, because there is nothing to fill them from.

    Args:
        method: `interpolate` (linear) or `ffill` (the last known value).
    """
    if not any(count_missing(table.values, column)[0] for column in range(len(table.columns))):
        return table
    given = table.values[:]
    values = given.copy()
    looks_ahead = np.zeros(values.shape, dtype=bool)
    segments, notes = [], []
    for first, end, code in table.segments:
        begin = _first_known(values[first:end], first)
        if begin < end:
            segments.append((begin, end, code))
        stop = min(end, split.edges[code, -1])
        if begin < stop:
            _fill(given, values, looks_ahead, (first, begin, stop), method)
    cut = int(sum(end - first for first, end, _ in table.segments) - sum(end - first for first, end, _ in segments))
    if not segments:
        empty_ones = [name for name, cells in zip(table.columns, given.T, strict=True) if np.isnan(cells).all()]
        said = f"{table.origin}: no row has a known value in every column; nothing can be filled in"
        if empty_ones:
            said += f". There is no value at all in {', '.join(empty_ones)}: leave that out of the recipe"
        raise DataError(said, code="missing_cells")
    if cut:
        notes.append(f"{cut} rows before the first known value of a column were left out")
    empty = np.isnan(given) & ~np.isnan(values)
    if empty.any():
        word = "interpolated" if method == "interpolate" else "carried on from the value before"
        counts = [f"{name} {int(n)}" for name, n in zip(table.columns, empty.sum(axis=0), strict=True) if n]
        notes.append(f"missing cells {word}: {', '.join(counts)} (longest stretch {_longest(empty)} rows)")
    return replace(
        table, values=values, segments=np.array(segments), looks_ahead=looks_ahead, notes=[*table.notes, *notes]
    )


def rows_of_part(table: Table, split: Split, part: str) -> np.ndarray:
    """`(first, end)` of the rows of a part that may be targets, for each series, shape `(series, 2)`.

    A part ends before a hole that was interpolated towards a row of a later part, because these cells know that row.
    """
    rows = split.rows(part).copy()
    if table.looks_ahead is None:
        return rows
    for series, (first, end) in enumerate(rows):
        drawn = table.looks_ahead[first:end]
        for column in drawn[:, drawn[-1]].T if end > first else ():
            rows[series, 1] = min(rows[series, 1], end - int(np.argmin(column[::-1])) if not column.all() else first)
    return rows


def _first_known(values: np.ndarray, offset: int) -> int:
    known = ~np.isnan(values)
    if not known.any(axis=0).all():
        return offset + len(values)
    return offset + int(known.argmax(axis=0).max())


def _fill(
    given: np.ndarray, values: np.ndarray, looks_ahead: np.ndarray, rows: tuple[int, int, int], method: str
) -> None:
    """Fills rows `first..stop` of `values` from the given cells of `begin..stop`; each column is known by row `first`.

    Marks in `looks_ahead` what was drawn towards a later row.
    """
    begin, first, stop = rows
    numbers = np.arange(begin, stop)
    for column in range(values.shape[1]):
        known = ~np.isnan(given[begin:stop, column])
        empty = ~known & (numbers >= first)
        if not empty.any():
            continue
        cells, filled = given[begin:stop, column][known], values[begin:stop, column]
        if method == "interpolate":
            filled[empty] = np.interp(numbers[empty], numbers[known], cells)
            looks_ahead[begin:stop, column] |= empty & (numbers < numbers[known][-1])
        else:
            filled[empty] = cells[np.searchsorted(numbers[known], numbers[empty]) - 1]


def _longest(empty: np.ndarray) -> int:
    longest = 0
    for column in empty.T:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], column.astype(np.int8), [0]])))
        longest = max(longest, int((edges[1::2] - edges[::2]).max(initial=0)))
    return longest
