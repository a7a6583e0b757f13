"""Batches for Keras, gathered from the series by row number inside tf.data.

The series is handed to TensorFlow without a copy, a shuffled order is computed instead of stored, and a batch is cut out
when it is needed: memory is the series and two batches, whatever `input_steps` is. `tf.data`'s autotuning is off, because
its thread holds up the end of every epoch on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from seq2seq_kit.data.windows.ranges import Windows, WindowShape
from seq2seq_kit.data.windows.window_scaling import WindowScaling

if TYPE_CHECKING:
    import tensorflow as tf

    Inputs: TypeAlias = tf.Tensor | tuple[tf.Tensor, ...]
    # Inputs, targets and, where rows have weights, those of the targets' rows.
    Batch: TypeAlias = tuple[Inputs, tf.Tensor] | tuple[Inputs, tf.Tensor, tf.Tensor]

_BORDER = 64  # bytes; TensorFlow's kernels insist on it


@dataclass(frozen=True)
class Layout:
    """Positions of the columns of the matrix, by role.

    Attributes:
        columns: Names of all columns of the matrix.
        inputs: Number of leading columns that the encoder reads.
        future: Positions of the columns that the decoder is given for the steps ahead.
        targets: Positions of the columns to predict.
        weight: Position of the column that says how much a row counts as a target.
        own: How each window is brought to a scale of its own; None where it is not.
    """

    columns: list[str]
    inputs: int
    future: list[int]
    targets: list[int]
    own: WindowScaling | None = None
    weight: int | None = None


def aligned(shape: tuple[int, ...]) -> np.ndarray:
    """An empty float32 matrix on a 64-byte border, which TensorFlow can use in place."""
    size = math.prod(shape) * 4
    raw = np.empty(size + _BORDER, dtype=np.uint8)
    offset = -raw.ctypes.data % _BORDER
    return raw[offset : offset + size].view(np.float32).reshape(shape)


def as_tensor(matrix: np.ndarray) -> tf.Tensor:
    """The matrix as a tensor that shares its memory; do not write to it afterwards.

    TensorFlow aborts the process on memory that is off its border, so a matrix not made by `aligned` is copied.
    """
    import tensorflow as tf

    if matrix.ctypes.data % _BORDER or not matrix.flags.c_contiguous or matrix.dtype != np.float32:
        unfit, matrix = matrix, aligned(matrix.shape)
        matrix[:] = unfit
    with tf.device("CPU:0"):
        return tf.experimental.dlpack.from_dlpack(matrix.__dlpack__())


def make_batches(
    series: tf.Tensor,
    windows: Windows,
    layout: Layout,
    *,
    batch_size: int,
    shuffle_seed: int | None = None,
    first_epoch: int = 0,
    subset: Sequence[int] | np.ndarray | None = None,
    answers: bool = False,
) -> tf.data.Dataset:
    """Batches of windows.

    Args:
        series: Scaled rows, shape `(rows, columns)` float32.
        windows: Which windows.
        layout: Which columns are inputs, future inputs and targets.
        batch_size: Windows of a batch; the last one of an epoch may be smaller.
        shuffle_seed: Shuffles, differently in each epoch, and repeats without end: give `fit` its `steps_per_epoch`.
            None: once through, in order.
        first_epoch: Of the shuffled ones; those before it are left out, as where a fit is resumed.
        subset: Window numbers to take instead of all.
        answers: Gives the targets also as the last input, for a decoder that is trained on the true values before each step.

    Returns:
        `(inputs, targets)`, or `((inputs, future), targets)` where the layout has future columns, and behind them weights of
        shape `(batch, output_steps)` where it has such; shapes
        `(batch, input_steps, inputs)`, `(batch, output_steps, future)`, `(batch, output_steps, targets)`.
    """
    import tensorflow as tf

    count = windows.count if subset is None else len(subset)
    chosen = None if subset is None else tf.constant(np.asarray(subset), tf.int64)
    steps = -(-count // batch_size)
    ends = tf.constant(windows.ends, tf.int64)
    before = tf.constant(windows.ends - windows.counts, tf.int64)
    first = tf.constant(windows.first, tf.int64)

    @tf.autograph.experimental.do_not_convert  # no branch depends on a tensor, and reading the source takes a while
    def cut(batch: tf.Tensor) -> Batch:
        epoch, step = batch // steps, batch % steps
        number = tf.range(step * batch_size, tf.minimum(tf.constant(count, tf.int64), (step + 1) * batch_size))
        if shuffle_seed is not None:
            seed = tf.stack([tf.constant(shuffle_seed, tf.int64), epoch])
            number = tf.random.experimental.index_shuffle(number, seed=seed, max_index=tf.constant(count - 1, tf.int64))
        if chosen is not None:
            number = tf.gather(chosen, number)
        run = tf.searchsorted(ends, number, side="right", out_type=tf.int64)
        start = tf.gather(first, run) + (number - tf.gather(before, run)) * windows.stride
        return gather_windows(series, start, windows.shape, layout, answers=answers)

    numbers = (0, steps) if shuffle_seed is None else (first_epoch * steps, np.iinfo(np.int64).max)
    return untuned(tf.data.Dataset.range(*numbers).map(cut).prefetch(2))


def gather_windows(rows: tf.Tensor, first: tf.Tensor, shape: WindowShape, layout: Layout, *, answers: bool) -> Batch:
    """A batch as of `make_batches`: the windows that begin at the rows `first` of a tensor of rows."""
    import tensorflow as tf

    past = tf.gather(rows, first[:, None] + tf.range(shape.input_steps, dtype=tf.int64))
    past.set_shape((None, shape.input_steps, len(layout.columns)))
    read = past[..., : layout.inputs]
    level = layout.own.level(read, tf) if layout.own else None
    scaled = layout.own.inputs(read, level) if layout.own and level else read
    if shape.target_offset == 0 and shape.output_steps == shape.input_steps:
        targets = _pick(past, layout.targets)
        targets = WindowScaling.targets(targets, level) if level else targets
        return (scaled, targets) if layout.weight is None else (scaled, targets, past[..., layout.weight])
    read = scaled
    ahead = tf.gather(rows, first[:, None] + shape.target_offset + tf.range(shape.output_steps, dtype=tf.int64))
    targets = _pick(ahead, layout.targets)
    targets = WindowScaling.targets(targets, level) if level else targets
    inputs = (read, _pick(ahead, layout.future)) if layout.future else (read,)
    inputs = (*inputs, targets) if answers else inputs
    given = inputs if len(inputs) > 1 else inputs[0]
    return (given, targets) if layout.weight is None else (given, targets, ahead[..., layout.weight])


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The data set without autotuning and without rewrites of its graph."""
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    # A rewrite of the pipeline would copy the whole series into the graph that it optimises.
    options.experimental_optimization.apply_default_optimizations = False
    return dataset.with_options(options)


def _pick(values: tf.Tensor, positions: Sequence[int]) -> tf.Tensor:
    """Columns by position; neighbours are sliced, which is cheaper than a gather."""
    import tensorflow as tf

    if list(positions) == list(range(positions[0], positions[0] + len(positions))):
        return values[..., positions[0] : positions[0] + len(positions)]
    return tf.gather(values, list(positions), axis=-1)
