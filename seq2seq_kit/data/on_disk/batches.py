"""Batches of windows over rows that stay on disk.

A window belongs to the block of rows that it begins in. In each epoch the blocks come in another order. As many of them as fill
`BUFFER_BYTES` make a shuffle buffer, whose windows come in one random order while a thread reads and scales the next buffer. So
each window is seen once in an epoch, and memory does not depend on the length of the table.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.data.on_disk.rows import RowsOnDisk, on_disk
from seq2seq_kit.data.rows import Rows
from seq2seq_kit.data.windows.batches import Layout, aligned, gather_windows, untuned
from seq2seq_kit.data.windows.ranges import Windows
from seq2seq_kit.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf

    from seq2seq_kit.data.windows.batches import Batch

BUFFER_BYTES = 2**28  # of scaled rows whose windows are shuffled together; as many again are being read
_LEAST_BLOCKS = 2  # blocks
# M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of malloc.h, as glibc's own rule leaves them in a process that has freed large arrays.
_GLIBC = {"MALLOC_MMAP_THRESHOLD_": (-3, 2**25), "MALLOC_TRIM_THRESHOLD_": (-1, 2**26)}

# The rows of some blocks one after the other, `aligned` because TensorFlow reads them in place, and the first row of each of
# their windows in the order in which they are taken.
Buffer = tuple[np.ndarray, np.ndarray]


def make_group_batches(
    rows: RowsOnDisk,
    windows: Windows,
    layout: Layout,
    *,
    batch_size: int,
    shuffle_seed: int | None = None,
    first_epoch: int = 0,
    answers: bool = False,
) -> tf.data.Dataset:
    """Batches of windows; arguments and result as of `make_batches`.

    Args:
        rows: Scaled rows.
        windows: Which windows.
        layout: Which columns are inputs, future inputs and targets.
        batch_size: Windows of a batch; the last one of an epoch may be smaller.
        shuffle_seed: Shuffles, differently in each epoch, and repeats without end. None: once through, in order.
        first_epoch: Of the shuffled ones.
        answers: Gives the targets also as the last input.
    """
    import tensorflow as tf

    kind = (tf.TensorSpec((None, rows.width), tf.float32), tf.TensorSpec((None,), tf.int64))

    @tf.autograph.experimental.do_not_convert
    def cut(rows: tf.Tensor, starts: tf.Tensor) -> tf.data.Dataset:
        def batch(number: tf.Tensor) -> Batch:
            first = starts[number * batch_size : (number + 1) * batch_size]
            return gather_windows(rows, first, windows.shape, layout, answers=answers)

        count = tf.size(starts, tf.int64)
        return tf.data.Dataset.range((count + batch_size - 1) // batch_size).map(batch)

    def buffers() -> Iterator[Buffer]:
        _keep_large_blocks()
        try:
            yield from read_buffers(rows, windows, batch_size, shuffle_seed, first_epoch)
        except DataError as error:
            rows.failures.append(error)
            raise

    # Keras takes a data set of unknown length that ends for one that ran out.
    length = -(-windows.count // batch_size) if shuffle_seed is None else tf.data.INFINITE_CARDINALITY
    dataset = tf.data.Dataset.from_generator(buffers, output_signature=kind).flat_map(cut).prefetch(2)
    return untuned(dataset.apply(tf.data.experimental.assert_cardinality(length)))


@contextmanager
def plain_errors(rows: Rows | None) -> Iterator[None]:
    """Raises what went wrong in reading rows on disk as it was: TensorFlow makes an error of its own of it, traceback and all.

    Raises:
        DataError: See `GroupedFile.frame`.
    """
    failures = rows.failures if rows is not None and on_disk(rows) else []
    failures.clear()
    try:
        yield
    except Exception:
        if failures:
            failure = failures.pop(0).with_traceback(None)  # which holds the rows that were being read
            failures.clear()
            raise failure from None
        raise


def read_buffers(
    rows: RowsOnDisk, windows: Windows, batch_size: int, seed: int | None, first_epoch: int = 0
) -> Iterator[Buffer]:
    """Buffers of some blocks, each with full batches of windows but for the last of an epoch; without end where there is a seed.

    A buffer is valid until the next one is asked for: then its memory is written anew.
    """
    span = windows.shape.span
    spare = (batch_size - 1) * span  # rows of the windows that did not fill a batch; they are taken along
    kept = np.empty((0, rows.width), np.float32)
    for (buffer, starts), ends_epoch in _read_ahead(rows, windows, seed, spare, first_epoch):
        buffer[: len(kept)] = kept
        starts = np.concatenate([np.arange(0, len(kept), span), starts])
        taken = len(starts) if ends_epoch else len(starts) // batch_size * batch_size
        kept = buffer[(starts[taken:, None] + np.arange(span)).ravel()]
        if taken:
            yield buffer, starts[:taken]


def _read_ahead(
    rows: RowsOnDisk, windows: Windows, seed: int | None, spare: int, first_epoch: int
) -> Iterator[tuple[Buffer, bool]]:
    """Buffers, `spare` rows of each free, and whether each is the last of its epoch; the next is read while one is in use."""
    with ThreadPoolExecutor(1, thread_name_prefix="row_groups") as reader:
        ready: Future[Buffer] | None = None
        ends = False
        memory = [aligned((0, rows.width))] * 2
        for turn, (blocks, last, rng) in enumerate(_blocks_together(rows, windows, seed, first_epoch)):
            # One is in use and one is filled, by turns.
            room = spare + sum(rows.length(block, windows.shape.span - 1) for block in blocks.tolist())
            if len(memory[turn % 2]) < room:
                memory[turn % 2] = aligned((room, rows.width))
            coming = reader.submit(_read, rows, windows, blocks, rng, memory[turn % 2], spare)
            if ready is not None:
                yield ready.result(), ends
            ready, ends = coming, last
        if ready is not None:
            yield ready.result(), ends


def _blocks_together(
    rows: RowsOnDisk, windows: Windows, seed: int | None, first_epoch: int
) -> Iterator[tuple[np.ndarray, bool, np.random.Generator | None]]:
    """Which blocks share a buffer, one buffer after the other; whether it is the last of its epoch; what shuffles it."""
    held = np.array([block for block in range(len(rows.edges) - 1) if _starts(rows, windows, block).size], np.int64)
    largest = int(np.diff(rows.edges)[held].max(initial=1)) * rows.width * rows.dtype.itemsize
    together = max(_LEAST_BLOCKS, BUFFER_BYTES // largest) if seed is not None else 1
    for epoch in count(first_epoch) if seed is not None else range(1):
        rng = np.random.default_rng([seed, epoch]) if seed is not None else None
        order = rng.permutation(held) if rng is not None else held
        for first in range(0, len(order), together):
            yield order[first : first + together], first + together >= len(order), rng


def _read(
    rows: RowsOnDisk,
    windows: Windows,
    blocks: np.ndarray,
    rng: np.random.Generator | None,
    buffer: np.ndarray,
    first: int,
) -> Buffer:
    """Reads blocks into an array from the row `first` on."""
    beyond, starts = windows.shape.span - 1, list[np.ndarray]()
    for block in blocks.tolist():
        length = rows.length(block, beyond)
        rows.stretch(block, beyond, buffer[first : first + length])
        starts.append(_starts(rows, windows, block) - int(rows.edges[block]) + first)
        first += length
    order = np.concatenate(starts)
    if rng is not None:
        rng.shuffle(order)
    return buffer, order


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


def _keep_large_blocks() -> None:
    """Undoes, in the whole process, what TensorFlow's op behind `Dataset.from_generator` does to glibc.

    It has blocks of 128 KiB and more fetched from the system and given back, page by page, at each use. That was a quarter of a
    training step (docs/performance.md). Thresholds that the environment gives are kept; without glibc nothing is done.
    """
    if platform.libc_ver()[0] == "glibc":
        for name, (option, usual) in _GLIBC.items():
            given = os.environ.get(name, "")
            ctypes.CDLL(None).mallopt(option, int(given) if given.isdecimal() else usual)
