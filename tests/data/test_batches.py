"""Batches out of tf.data against windows cut by hand, in order and shuffled, and the memory they take."""

import os
import resource
from itertools import islice
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit.data.windows.batches import Layout, aligned, as_tensor, make_batches
from seq2seq_kit.data.windows.ranges import Windows, WindowShape, make_windows

COLUMNS = 5
SEGMENTS = np.array([[0, 23, 0], [23, 40, 0], [40, 71, 1]])
PART = np.array([[5, 40], [44, 71]])


def _series(rows: int, columns: int = COLUMNS) -> np.ndarray:
    matrix = aligned((rows, columns))
    matrix[:] = np.arange(rows * columns).reshape(rows, columns)
    return matrix


def _layout(inputs: int = 3, future: tuple[int, ...] = (), targets: tuple[int, ...] = (4,)) -> Layout:
    return Layout([f"c{column}" for column in range(COLUMNS)], inputs, list(future), list(targets))


def _windows(shape: WindowShape, stride: int = 1) -> Windows:
    return make_windows(SEGMENTS, PART, shape, stride=stride)


def _gathered(dataset: Any) -> list[np.ndarray]:
    """All batches of a dataset, joined: past, future where there is one, targets."""
    batches = []
    for inputs, targets in dataset.as_numpy_iterator():
        batches.append([*(inputs if isinstance(inputs, tuple) else [inputs]), targets])
    return [np.concatenate(pieces) for pieces in zip(*batches, strict=True)]


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    shape=st.builds(
        lambda steps, ahead, gap: WindowShape.forecast(input_steps=steps, output_steps=ahead, gap_steps=gap),
        st.integers(1, 8),
        st.integers(1, 5),
        st.integers(0, 3),
    ),
    stride=st.integers(1, 4),
    batch_size=st.integers(1, 40),
    future=st.sampled_from([(), (2,), (1, 2), (0, 2)]),
    targets=st.sampled_from([(4,), (0,), (3, 4), (4, 1)]),
)
def test_batches_equal_windows_cut_by_hand(
    shape: WindowShape, stride: int, batch_size: int, future: tuple[int, ...], targets: tuple[int, ...]
) -> None:
    matrix, windows = _series(71), _windows(shape, stride)
    layout = _layout(future=future, targets=targets)
    got = _gathered(make_batches(as_tensor(matrix), windows, layout, batch_size=batch_size))
    first = windows.starts()
    ahead = [start + shape.target_offset for start in first]
    wanted = [np.stack([matrix[start : start + shape.input_steps, :3] for start in first])]
    if future:
        wanted.append(np.stack([matrix[start : start + shape.output_steps][:, list(future)] for start in ahead]))
    wanted.append(np.stack([matrix[start : start + shape.output_steps][:, list(targets)] for start in ahead]))
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("targets", [(0, 1, 2), (3, 4), (4, 0)])
def test_an_autoencoder_is_given_its_own_window_as_target(targets: tuple[int, ...]) -> None:
    matrix, windows = _series(71), _windows(WindowShape.autoencode(input_steps=6))
    past, target = _gathered(make_batches(as_tensor(matrix), windows, _layout(targets=targets), batch_size=16))
    np.testing.assert_array_equal(past, matrix[:, :3][windows.input_rows()])
    np.testing.assert_array_equal(target, matrix[:, list(targets)][windows.input_rows()])


FORECAST = WindowShape.forecast(input_steps=4, output_steps=2)


def _epochs(seed: int, epochs: int = 2, batch_size: int = 10) -> list[np.ndarray]:
    """First rows of the windows, in the order that each of some shuffled epochs gives them."""
    windows = _windows(FORECAST)
    batches = make_batches(as_tensor(_series(71)), windows, _layout(), batch_size=batch_size, shuffle_seed=seed)
    steps = -(-windows.count // batch_size)
    rows = [past[:, 0, 0] // COLUMNS for past, _ in islice(batches.as_numpy_iterator(), steps * epochs)]
    return [np.concatenate(rows[epoch * steps : (epoch + 1) * steps]).astype(int) for epoch in range(epochs)]


def test_a_shuffled_epoch_holds_every_window_exactly_once() -> None:
    for order in _epochs(seed=3, epochs=4):
        assert sorted(order) == _windows(FORECAST).starts().tolist()


def test_epochs_are_shuffled_differently_and_a_seed_repeats_them() -> None:
    first, second = _epochs(seed=3)
    assert first.tolist() != sorted(first)
    assert first.tolist() != second.tolist()
    assert [order.tolist() for order in _epochs(seed=3)] == [first.tolist(), second.tolist()]
    assert _epochs(seed=4)[0].tolist() != first.tolist()


def test_the_last_batch_of_an_epoch_is_smaller() -> None:
    windows = _windows(FORECAST)
    size = windows.count // 2 - 1
    batches = make_batches(as_tensor(_series(71)), windows, _layout(), batch_size=size)
    assert [len(past) for past, _ in batches.as_numpy_iterator()] == [size, size, windows.count - 2 * size]


def test_a_batch_may_be_larger_than_the_part() -> None:
    windows = _windows(FORECAST)
    batches = make_batches(as_tensor(_series(71)), windows, _layout(), batch_size=10_000)
    assert [len(past) for past, _ in batches.as_numpy_iterator()] == [windows.count]


def test_a_subset_is_taken_in_its_own_order() -> None:
    windows, chosen = _windows(FORECAST), np.array([7, 2, 30])
    past, _ = _gathered(make_batches(as_tensor(_series(71)), windows, _layout(), batch_size=2, subset=chosen))
    assert (past[:, 0, 0] // COLUMNS).tolist() == windows.starts(chosen).tolist()


def test_batches_tell_keras_their_shape() -> None:
    batches = make_batches(as_tensor(_series(71)), _windows(FORECAST), _layout(future=(1, 2)), batch_size=8)
    (past, future), targets = batches.element_spec
    assert past.shape.as_list() == [None, 4, 3]
    assert future.shape.as_list()[1:] == [2, 2]
    assert targets.shape.as_list()[1:] == [2, 1]


def test_the_tensor_shares_the_memory_of_an_aligned_matrix() -> None:
    matrix = _series(71)
    tensor = as_tensor(matrix)
    matrix[70, 4] = -1
    assert float(tensor[70, 4]) == -1
    assert matrix.ctypes.data % 64 == 0


def test_a_matrix_off_the_border_is_copied_with_equal_values() -> None:
    matrix = _series(71)
    for unfit in (matrix[1:], matrix[:, 1:], matrix.astype(np.float64)):
        np.testing.assert_array_equal(as_tensor(unfit).numpy(), unfit)


def test_autotuning_is_off() -> None:
    batches = make_batches(as_tensor(_series(71)), _windows(FORECAST), _layout(), batch_size=8)
    assert batches.options().autotune.enabled is False


def test_gathering_from_two_million_rows_materialises_no_windows() -> None:
    rows, steps = 2_000_000, 100
    matrix = aligned((rows, 2))
    matrix[:] = 1.0
    windows = make_windows(
        np.array([[0, rows, 0]]), np.array([[0, rows]]), WindowShape.forecast(input_steps=steps, output_steps=10)
    )
    layout = Layout(["a", "b"], 2, [], [0])
    process = psutil.Process(os.getpid())
    tensor = as_tensor(matrix)
    for _ in make_batches(tensor, windows, layout, batch_size=64, shuffle_seed=0).take(3):
        pass  # TensorFlow's own start
    before = process.memory_info().rss
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    peak = before
    for _ in make_batches(tensor, windows, layout, batch_size=64, shuffle_seed=0).take(60):
        peak = max(peak, process.memory_info().rss)
    materialised = windows.count * steps * 2 * 4
    assert peak - before < 2 * matrix.nbytes < 0.05 * materialised
    # What was held for a moment only shows in the process's high-water mark (kilobytes on Linux).
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - highest < 3 * matrix.nbytes
