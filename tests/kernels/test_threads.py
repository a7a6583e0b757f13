"""Pieces of a batch go to threads that stay, however many ask at once."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from seq2seq_kit.kernels.compiling import library
from tests import forked

BATCH, STEPS, FEATURES, UNITS = 150, 60, 3, 24

# TensorFlow's own threads are lost to the child, so it runs nothing but the kernel.
FORK = """
import os, signal
from pathlib import Path

from tests.kernels.test_threads import inputs_of, library
threads = lambda: len(list(Path("/proc/self/task").iterdir()))
outputs = lambda: library().operations.seq2seq_kit_recurrent(*inputs, threads=4)[0].numpy()
inputs = inputs_of(0)
expected = outputs()
if os.fork():
    raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
signal.alarm(60)  # rather than wait for ever
before = threads()
right = (outputs() == expected).all()
os._exit(0 if right and threads() - before == 3 else 1)
"""


def inputs_of(seed: int) -> list[tf.Tensor]:
    """Everything that both operations are given, for an LSTM without a mask."""
    rng = np.random.default_rng(seed)
    shapes = [(BATCH, STEPS, FEATURES), (BATCH, UNITS), (BATCH, UNITS)]
    shapes += [(FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,)]
    x, *others = [tf.constant(rng.normal(scale=0.5, size=shape), tf.float32) for shape in shapes]
    return [x, tf.constant(STEPS), *others, tf.zeros((0, 0), tf.bool)]


def run(inputs: list[tf.Tensor], threads: int) -> list[np.ndarray]:
    """What comes out of the forward and the backward operation, and may depend on the threads by its rounding at most."""
    operations = library().operations
    out, last, h, c, *kept = operations.seq2seq_kit_recurrent(*inputs, threads=threads)
    given = (*inputs, *kept, tf.ones_like(out), last, h, c)
    gradients = operations.seq2seq_kit_recurrent_grad(*given, threads=threads)
    return [tensor.numpy() for tensor in (out, last, h, c, *gradients)]


def equal(these: list[np.ndarray], those: list[np.ndarray]) -> bool:
    """Sums over the batch are added up in another order."""
    return all(np.allclose(one, other, rtol=1e-4, atol=1e-3) for one, other in zip(these, those, strict=True))


@pytest.mark.parametrize("threads", [2, 3, 7, 64, 200])
def test_any_number_of_threads_computes_the_same(threads: int) -> None:
    inputs = inputs_of(0)
    alone, together = run(inputs, 1), run(inputs, threads)
    for one, other in zip(alone[:4], together[:4], strict=True):  # each sequence by itself
        np.testing.assert_array_equal(other, one)
    assert equal(together, alone)


def test_the_same_threads_always_add_up_the_same() -> None:
    """However they share the pieces."""
    inputs = [tf.concat([tensor] * 4, 0) if tensor.shape[:1] == (BATCH,) else tensor for tensor in inputs_of(0)]
    first = run(inputs, 2)
    for _ in range(20):
        for one, other in zip(first, run(inputs, 2), strict=True):
            np.testing.assert_array_equal(other, one)


@pytest.mark.slow
def test_many_may_ask_at_once() -> None:
    asked = [inputs_of(seed) for seed in range(6)]
    alone = [run(inputs, 1) for inputs in asked]
    with ThreadPoolExecutor(6) as callers:
        found = list(callers.map(lambda number: (number, run(asked[number % 6], 1 + number % 5)), range(120)))
    assert all(equal(result, alone[number % 6]) for number, result in found)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux: forks, and counts threads in /proc")
def test_a_forked_process_gets_threads_of_its_own() -> None:
    assert forked.run([sys.executable, "-c", FORK]).returncode == 0
