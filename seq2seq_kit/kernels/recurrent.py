"""The compiled operations as functions of tensors, with their gradients."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial

import tensorflow as tf

from seq2seq_kit.kernels.compiling import library

_READS = {"ReadVariableOp", "ResourceGather"}  # of a weight


@dataclass(frozen=True)
class Outputs:
    """What a recurrent layer computes.

    Attributes:
        last: Output of the last step, `(batch, units)`.
        sequence: Output of every step in the order of processing, `(batch, steps, units)`; empty unless asked for.
        h: Final state.
        c: Final cell state of an LSTM; empty for a GRU.
    """

    last: tf.Tensor
    sequence: tf.Tensor
    h: tf.Tensor
    c: tf.Tensor


def recurrent(
    x: tf.Tensor,
    h: tf.Tensor,
    c: tf.Tensor | None,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
    mask: tf.Tensor | None,
    *,
    steps: tf.Tensor | int,
    repeated: bool,
    backwards: bool,
    zeros: bool,
    sequences: bool,
    training: bool,
) -> Outputs:
    """An LSTM (with `c`) or a GRU (without) over whole sequences; float32 or float64, on a CPU.

    A masked step leaves the states as they are and repeats the output of the step before, zeros at the beginning, as Keras' loop;
    with `zeros` its output is always zeros.

    Args:
        x: `(batch, steps, features)`, or where `repeated`, `(batch, features)`: the same at every step, multiplied once.
        h: First state, `(batch, units)`.
        c: First cell state of an LSTM.
        kernel: `(features, 4 units)`, gates i, f, c, o; of a GRU `(features, 3 units)`, candidate, z, r.
        recurrent_kernel: `(units, 4 units)`, the same order; of a GRU `(units, 3 units)`, z, r, candidate.
        bias: `(4 units,)`; of a GRU: candidate's of the input, z, r, candidate's of the state.
        mask: `(batch, steps)`, True where a step counts; None: everywhere.
        steps: Number of steps.
        repeated: See `x`.
        backwards: Steps are processed from the last to the first.
        zeros: See above.
        sequences: Whether every step's output is asked for.
        training: Whether a gradient will be: what it needs is kept. It may be asked for anyway, at the cost of a second run.
    """
    given = tf.zeros((0, 0), tf.bool) if mask is None else tf.cast(mask, tf.bool)
    attributes = {
        "lstm": c is not None,
        "repeated": repeated,
        "backwards": backwards,
        "zeros": zeros,
        "sequences": sequences,
        "keep": training,
        "threads": computing_threads(),
    }
    own = tf.zeros((0, h.shape[-1]), h.dtype) if c is None else c
    sequence, last, final, cell, _, _, _ = library().operations.seq2seq_kit_recurrent(
        x, steps, h, own, kernel, recurrent_kernel, bias, given, **attributes
    )
    units = recurrent_kernel.shape[0]
    sequence.set_shape((x.shape[0] if sequences else None, None if repeated else x.shape[1], units))
    for tensor in (last, final):
        tensor.set_shape((x.shape[0], units))
    cell.set_shape((None if c is None else x.shape[0], units))
    return Outputs(last, sequence, final, cell)


def computing_threads() -> int:
    """Threads that an operation may use: what TensorFlow was told, by call or environment, otherwise the cores at hand."""
    words = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    told = tf.config.threading.get_intra_op_parallelism_threads() or (int(words) if words.isdecimal() else 0)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(told or cores)


@tf.RegisterGradient("Seq2seqKitRecurrent")
def _gradient(operation: tf.Operation, *gradients: tf.Tensor) -> list[tf.Tensor | None]:
    inputs = operation.inputs
    x, _, h, c, kernel, recurrent_kernel, bias, _ = inputs
    names = ("lstm", "repeated", "backwards", "zeros", "sequences", "threads")
    attributes = {name: operation.get_attr(name) for name in names}
    kept = operation.outputs[4:]
    if not operation.get_attr("keep"):
        kept = library().operations.seq2seq_kit_recurrent(*inputs, keep=True, **attributes)[4:]
    of_sequence, of_last, of_h, of_c, *_ = gradients
    if not attributes["sequences"]:  # nobody has seen it
        of_sequence = tf.zeros((0, 0, 0), x.dtype)
    given = (*inputs, *kept, of_sequence, of_last, of_h, of_c)
    compute = partial(library().operations.seq2seq_kit_recurrent_grad, *given, **attributes)
    learned = _may_be_learned(x)
    of_x, *of_inputs = compute(of_x=learned)
    if not learned:  # a graph leaves this out unless somebody asks for it after all
        of_x = compute(of_x=True)[0]
    for gradient, tensor in zip(of_inputs, (h, c, kernel, recurrent_kernel, bias), strict=True):
        gradient.set_shape(tensor.shape)
    if attributes["repeated"]:
        of_x = tf.squeeze(of_x, 1)
    of_x.set_shape(x.shape)
    return [of_x, None, *of_inputs, None]


def _may_be_learned(x: tf.Tensor) -> bool:
    """Whether a weight stands behind `x` as far as its graph shows, so that its gradient is worth computing with the others."""
    if not hasattr(x, "op"):  # computed at once, without a graph
        return True
    waiting, seen = [x.op], set()
    while waiting:
        operation = waiting.pop()
        if operation.type in _READS:
            return True
        if operation.name not in seen:
            seen.add(operation.name)
            waiting += [tensor.op for tensor in operation.inputs]
    return False
