"""Batches of windows over rows that stay on disk.

A window belongs to the block of rows that it begins in. In each epoch the blocks come in another order; as many of them as
fill `OPEN_BYTES` are open at a time, their windows in one random order, while a thread reads and scales the next ones. So each
window is seen once in an epoch, and memory does not depend on the length of the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from seq2seq_kit.data.batches import Layout, as_inputs, calm
from seq2seq_kit.data.row_groups import RowsOnDisk
from seq2seq_kit.data.windows import Windows
from seq2seq_kit.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf

OPEN_BYTES = 2**28  # of scaled rows whose windows are shuffled together; as many again are being read
_LEAST_OPEN = 2  # blocks

# The rows of some blocks one after the other, and the first row of each of their windows in the order in which they are taken.
Pool = tuple[np.ndarray, np.ndarray]


def make_group_batches(
    rows: RowsOnDisk,
    windows: Windows,
    layout: Layout,
    *,
    batch_size: int,
    shuffle_seed: int | None = None,
    answers: bool = False,
) -> tf.data.Dataset:
    """Batches of windows; arguments and result as of `make_batches`.

    Args:
        rows: Scaled rows.
        windows: Which windows.
        layout: Which columns are inputs, future inputs and targets.
        batch_size: Windows of a batch; the last one of an epoch may be smaller.
        shuffle_seed: Shuffles, differently in each epoch, and repeats without end. None: once through, in order.
        answers: Gives the targets also as the last input.
    """
    import tensorflow as tf

    shape = windows.shape
    kind = tf.TensorSpec((None, shape.span, rows.width), tf.float32)

    @tf.autograph.experimental.do_not_convert
    def cut(window: Any) -> tuple[Any, Any]:
        past = window[:, : shape.input_steps]
        ahead = window[:, shape.target_offset : shape.target_offset + shape.output_steps]
        return as_inputs(past, ahead, layout, whole=shape.target_offset == 0, answers=answers)

    def batches() -> Iterator[np.ndarray]:
        try:
            yield from cut_batches(rows, windows, batch_size, shuffle_seed)
        except DataError as error:
            rows.failures.append(error)
            raise

    # Keras takes a data set of unknown length that ends for one that ran out.
    length = -(-windows.count // batch_size) if shuffle_seed is None else tf.data.INFINITE_CARDINALITY
    dataset = tf.data.Dataset.from_generator(batches, output_signature=kind).map(cut).prefetch(2)
    return calm(dataset.apply(tf.data.experimental.assert_cardinality(length)))


@contextmanager
def plain_errors(rows: RowsOnDisk) -> Iterator[None]:
    """Raises what went wrong in the reading as it was: TensorFlow makes an error of its own of it, traceback and all.

    Raises:
        DataError: See `GroupedFile.frame`.
    """
    rows.failures.clear()
    try:
        yield
    except Exception:
        if rows.failures:
            failure = rows.failures[0].with_traceback(None)  # which holds the rows that were being read
            rows.failures.clear()
            raise failure from None
        raise


def cut_batches(rows: RowsOnDisk, windows: Windows, batch_size: int, seed: int | None) -> Iterator[np.ndarray]:
    """The rows of the windows of each batch, shape `(batch, span, columns)`; without end where there is a seed."""
    span, begun = windows.shape.span, list[np.ndarray]()
    for (pool, starts), ends_epoch in _pools(rows, windows, seed):
        # The rows of a window lie one after the other, so it is copied in one piece: four times as fast as row by row.
        window_at = sliding_window_view(pool.reshape(-1), span * rows.width)[:: rows.width]
        at = 0
        while at < len(starts):
            # A batch may begin with the last windows of one pool and end with the first of the next.
            taken = starts[at : at + batch_size - sum(map(len, begun))]
            at += len(taken)
            begun.append(window_at[taken].reshape(-1, span, rows.width))
            full = sum(map(len, begun)) == batch_size
            if full or (ends_epoch and at == len(starts)):
                yield begun[0] if len(begun) == 1 else np.concatenate(begun)
                begun = []


def _pools(rows: RowsOnDisk, windows: Windows, seed: int | None) -> Iterator[tuple[Pool, bool]]:
    """Pools of open blocks, and whether each is the last of its epoch; the next one is read while one is in use."""
    with ThreadPoolExecutor(1, thread_name_prefix="row_groups") as reader:
        ready: Future[Pool] | None = None
        ends = False
        memory = [np.empty((0, rows.width), rows.dtype)] * 2
        for turn, (blocks, last, rng) in enumerate(_openings(rows, windows, seed)):
            # One is in use and one is filled, by turns.
            room = sum(rows.length(block, windows.shape.span - 1) for block in blocks.tolist())
            if len(memory[turn % 2]) < room:
                memory[turn % 2] = np.empty((room, rows.width), rows.dtype)
            coming = reader.submit(_open, rows, windows, blocks, rng, memory[turn % 2])
            if ready is not None:
                yield ready.result(), ends
            ready, ends = coming, last
        if ready is not None:
            yield ready.result(), ends


def _openings(
    rows: RowsOnDisk, windows: Windows, seed: int | None
) -> Iterator[tuple[np.ndarray, bool, np.random.Generator | None]]:
    """Which blocks are opened together, one opening after the other."""
    held = np.array([block for block in range(len(rows.edges) - 1) if _starts(rows, windows, block).size], np.int64)
    largest = int(np.diff(rows.edges)[held].max(initial=1)) * rows.width * np.dtype(rows.dtype).itemsize
    together = max(_LEAST_OPEN, OPEN_BYTES // largest) if seed is not None else 1
    for epoch in count() if seed is not None else range(1):
        rng = np.random.default_rng([seed, epoch]) if seed is not None else None
        order = rng.permutation(held) if rng is not None else held
        for first in range(0, len(order), together):
            yield order[first : first + together], first + together >= len(order), rng


def _open(
    rows: RowsOnDisk, windows: Windows, blocks: np.ndarray, rng: np.random.Generator | None, pool: np.ndarray
) -> Pool:
    beyond, starts, first = windows.shape.span - 1, list[np.ndarray](), 0
    for block in blocks.tolist():
        length = rows.length(block, beyond)
        rows.stretch(block, beyond, pool[first : first + length])
        starts.append(_starts(rows, windows, block) - int(rows.edges[block]) + first)
        first += length
    order = np.concatenate(starts)
    if rng is not None:
        rng.shuffle(order)
    return pool, order


def _starts(rows: RowsOnDisk, windows: Windows, block: int) -> np.ndarray:
    """First rows of the windows that begin in a block."""
    low, high = int(rows.edges[block]), int(rows.edges[block + 1])
    found = [np.empty(0, np.int64)]
    for first, windows_of_run in zip(windows.first.tolist(), windows.counts.tolist(), strict=True):
        begin = max(0, -(-(low - first) // windows.stride))
        end = min(windows_of_run, -(-(high - first) // windows.stride))
        if begin < end:
            found.append(first + np.arange(begin, end) * windows.stride)
    return np.concatenate(found)
