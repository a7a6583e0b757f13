"""The rows of a large Parquet file as stretches of whole series, read by row groups, however its series lie.

A file whose rows stand series by series is read where it lies. Where series take turns, the rows are sorted into files of
Arrow's first, a stretch each, which costs the disk once and memory never.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.data.on_disk.row_groups import GroupedFile
from seq2seq_kit.scoring.disk import writing

if TYPE_CHECKING:
    import pyarrow as pa

ROW = "__row__"  # of the file, counted from 0, beside the columns of a stretch
_MOST_STRETCHES = 500  # files that are open at a time


@dataclass(frozen=True)
class Stretch:
    """Rows of whole series; it can be sent to other processes.

    Attributes:
        rows: How many.
        single: Whether they are of one series, which may be cut.
        tables: Gives them, some at a time, in the order of the file within each series; a column `ROW` says which they are.
    """

    rows: int
    single: bool
    tables: Callable[[], Iterator[pa.Table]]


@contextmanager
def stretches_of(
    file: GroupedFile, columns: Sequence[str], series: Sequence[str], *, most: int, folder: Path
) -> Iterator[list[Stretch]]:
    """The stretches of a file, in the order in which series begin.

    Args:
        file: Opened.
        columns: That are read.
        series: Those of them that tell series apart; none: the file is one series.
        most: Rows of a stretch, where it is not a single series.
        folder: For files of Arrow's where series take turns; it is removed in the end.

    Raises:
        DataError: The file cannot be read, or was changed.
        ArgumentError: Those files cannot be written.
    """
    if not series:
        yield [Stretch(file.rows, True, partial(_between, file, columns, 0, file.rows))]
        return
    known: dict[tuple[object, ...], int] = {}
    counts, in_turn = _count(file, series, known)
    group = _grouped(counts, max(most, -(-file.rows // _MOST_STRETCHES)) if in_turn else most)
    single = (np.bincount(group) == 1).tolist()
    rows = np.bincount(group, weights=counts).astype(np.int64).tolist()
    if not in_turn:
        edges = np.concatenate([[0], np.cumsum(rows)]).tolist()
        yield [
            Stretch(end - first, alone, partial(_between, file, columns, first, end))
            for (first, end), alone in zip(pairwise(edges), single, strict=True)
        ]
        return
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
    try:
        paths = [folder / f"{number}.arrow" for number in range(len(rows))]
        with writing(f"sort the rows of {file.path} by series in {folder.parent}"):
            folder.mkdir(parents=True)
            _sort(file, columns, series, known, group, paths)
        yield [
            Stretch(count, alone, partial(_stored, path))
            for count, alone, path in zip(rows, single, paths, strict=True)
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _between(file: GroupedFile, columns: Sequence[str], first: int, end: int) -> Iterator[pa.Table]:
    import pyarrow as pa

    edges = file.edges
    for block in range(int(np.searchsorted(edges, first, side="right")) - 1, len(edges) - 1):
        at = int(edges[block])
        if at >= end:
            return
        for batch in file.batches(block, columns, min(end, int(edges[block + 1])) - at):
            skipped = max(first - at, 0)
            if skipped < len(batch):
                numbers = pa.array(np.arange(at + skipped, at + len(batch)))
                yield pa.Table.from_batches([batch.slice(skipped)]).append_column(ROW, numbers)
            at += len(batch)


def _count(file: GroupedFile, series: Sequence[str], known: dict[tuple[object, ...], int]) -> tuple[np.ndarray, bool]:
    """Rows of each series, in the order of their first rows, and whether they take turns; `known` learns their numbers."""
    counts, in_turn, last = np.zeros(0, np.int64), False, -1
    for table in _between(file, series, 0, file.rows):
        before = len(known)
        codes = _codes(table, series, known)
        counts = np.pad(counts, (0, len(known) - len(counts))) + np.bincount(codes, minlength=len(known))
        runs = codes[np.flatnonzero(np.diff(codes, prepend=-1))]
        # Numbers are given in the order of first rows, so runs of series that do not take turns count up from the new ones on.
        fresh = runs[1:] if runs[0] == last else runs
        in_turn = in_turn or not np.array_equal(fresh, np.arange(before, len(known)))
        last = int(codes[-1])
    return counts, in_turn


def _codes(table: pa.Table, series: Sequence[str], known: dict[tuple[object, ...], int]) -> np.ndarray:
    """The number of the series of each row."""
    together, parts = np.zeros(len(table), np.int64), []
    for name in series:
        codes, names = pd.factorize(table.column(name).to_pandas(), use_na_sentinel=False)
        parts.append((codes, list(names)))
        together, _ = pd.factorize(together * len(names) + codes)
    _, firsts = np.unique(together, return_index=True)
    numbers = [
        known.setdefault(tuple(_cell(names[codes[row]]) for codes, names in parts), len(known)) for row in firsts
    ]
    return np.array(numbers, dtype=np.int64)[together]


def _cell(cell: object) -> object:
    """Missing names are equal to each other."""
    return None if pd.isna(cell) else cell  # type: ignore[call-overload]


def _grouped(counts: np.ndarray, most: int) -> np.ndarray:
    """The stretch of each series: neighbours together, as many as have `most` rows; a larger one alone."""
    group, number, held = np.empty(len(counts), np.int64), 0, 0
    for place, count in enumerate(counts.tolist()):
        if held and held + count > most:
            number, held = number + 1, 0
        group[place] = number
        held += count
    return group


def _sort(
    file: GroupedFile,
    columns: Sequence[str],
    series: Sequence[str],
    known: dict[tuple[object, ...], int],
    group: np.ndarray,
    paths: Sequence[Path],
) -> None:
    """Writes the rows of each stretch to its file."""
    import pyarrow as pa

    with ExitStack() as opened:
        writers: dict[int, pa.RecordBatchStreamWriter] = {}
        for table in _between(file, columns, 0, file.rows):
            places = group[_codes(table, series, known)]
            order = np.argsort(places, kind="stable")
            sorted_rows = table.take(pa.array(order)).combine_chunks()
            numbers, firsts = np.unique(places[order], return_index=True)
            for number, first, end in zip(numbers.tolist(), firsts, [*firsts[1:], len(order)], strict=True):
                if number not in writers:
                    writers[number] = opened.enter_context(pa.ipc.new_stream(paths[number], table.schema))
                writers[number].write_table(sorted_rows.slice(first, end - first))


def _stored(path: Path) -> Iterator[pa.Table]:
    import pyarrow as pa

    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


class Feed:
    """The rows of a stretch in turn, of which some are kept.

    Attributes:
        first: The first row that is held, counted from 0 in the stretch.
        ended: Whether the last row is held.
        read: Rows that were read so far.
    """

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._tables, self._held, self._rows = tables, list[object](), 0
        self.first, self.ended, self.read = 0, False, 0

    def fill(self, rows: int) -> None:
        """Holds more than so many rows, or all that are left."""
        while not self.ended and self._rows <= rows:
            table = next(self._tables, None)
            if table is None:
                self.ended = True
            else:
                self._held.append(table)
                self._rows += len(table)
                self.read += len(table)

    def drop(self, rows: int) -> None:
        """Forgets the first rows of what is held."""
        self._held = [self.table().slice(rows)]
        self._rows -= rows
        self.first += rows

    def table(self) -> pa.Table:
        """What is held."""
        import pyarrow as pa

        return pa.concat_tables(self._held)


def frame_of_rows(table: pa.Table) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows of a stretch as pandas has those of a file, and their numbers in the file, counted from 0."""
    frame: pd.DataFrame = table.drop([ROW]).to_pandas(ignore_metadata=True)
    return frame, table.column(ROW).to_numpy()
