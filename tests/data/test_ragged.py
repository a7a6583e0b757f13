"""Sequences of different lengths: what a batch holds, and which sequences meet in one."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit.data.sequences.ragged import Field, Ragged, make_padded_batches


def of_lengths(*lengths: int, shape: tuple[int, ...] = (), dtype: Any = np.int32) -> Ragged:
    """Sequences whose values are counted on from 1."""
    lengths_, rows = np.array(lengths), sum(lengths)
    values = np.arange(1, 1 + rows * int(np.prod(shape)), dtype=dtype).reshape(rows, *shape)
    return Ragged(values, np.cumsum(lengths_) - lengths_, lengths_)


def read(dataset: Any, batches: int) -> list[tuple[Any, Any]]:
    """The first batches, as arrays."""
    return [
        (
            tuple(each.numpy() for each in inputs) if isinstance(inputs, tuple) else inputs.numpy(),
            targets.numpy(),
        )
        for inputs, targets in dataset.take(batches)
    ]


def test_sequences_of_lists_are_stretches_of_one_array() -> None:
    ragged = Ragged.of([[5, 6], [], np.array([7])])
    assert len(ragged) == 3
    assert ragged.values.tolist() == [5, 6, 7]
    assert [ragged[number].tolist() for number in range(3)] == [[5, 6], [], [7]]
    assert ragged.values.dtype == np.int32
    assert ragged.take(np.array([2, 0]))[1].tolist() == [5, 6]
    assert ragged.take(np.array([2, 0])).values is ragged.values


def test_no_sequences_and_empty_ones_have_no_values() -> None:
    assert len(Ragged.of([])) == 0
    assert Ragged.of([[], []]).lengths.tolist() == [0, 0]


def test_a_row_is_as_long_as_the_longest_of_those_chosen() -> None:
    field = Field(Ragged.of([[1, 2, 3], [4], [5, 6]]), fill=-1)
    assert field.padded(np.array([2, 1])).tolist() == [[5, 6], [4, -1]]
    assert field.padded(np.array([1, 0])).tolist() == [[4, -1, -1], [1, 2, 3]]


def test_fixed_steps_cut_and_pad() -> None:
    field = Field(Ragged.of([[1, 2, 3], [4]]), fill=0, steps=2)
    assert field.padded(np.array([0, 1])).tolist() == [[1, 2], [4, 0]]


def test_a_lag_puts_fill_before_and_drops_the_end_of_the_longest() -> None:
    field = Field(Ragged.of([[1, 2, 3], [4]]), fill=0, lag=1)
    assert field.padded(np.array([0, 1])).tolist() == [[0, 1, 2], [0, 4, 0]]
    wide = Field(Ragged.of([[1, 2, 3], [4]]), fill=9, lag=2, steps=4)
    assert wide.padded(np.array([0, 1])).tolist() == [[9, 9, 1, 2], [9, 9, 4, 9]]


def test_empty_sequences_are_all_fill() -> None:
    assert Field(Ragged.of([[], [1, 2]]), fill=7).padded(np.array([0, 1])).tolist() == [[7, 7], [1, 2]]
    assert Field(Ragged.of([[], []]), fill=7).padded(np.array([0, 1])).tolist() == [[7], [7]]


def test_a_fill_that_is_no_number_stands_in_floats() -> None:
    ragged = Ragged(np.array([[1.0], [2.0]], dtype=np.float32), np.array([0, 1]), np.array([1, 1]))
    padded = Field(ragged, fill=float("nan"), steps=2).padded(np.array([1]))
    assert padded.dtype == np.float32
    np.testing.assert_array_equal(padded, [[[2.0], [np.nan]]])


FIELDS = {
    "tokens": Field(of_lengths(3, 0, 5, 2, 2, 7, 1), fill=0),
    "lagged": Field(of_lengths(3, 0, 5, 2, 2, 7, 1), fill=0, lag=1),
    "rows": Field(of_lengths(3, 0, 5, 2, 2, 7, 1, shape=(2,), dtype=np.float32), fill=-1),
    "spelled": Field(of_lengths(3, 0, 5, 2, 2, 7, 1, shape=(2, 3)), fill=0),
    "fixed": Field(of_lengths(3, 0, 5, 2, 2, 7, 1), fill=-1, steps=4),
    "missing": Field(of_lengths(3, 0, 5, 2, 2, 7, 1, dtype=np.float32), fill=float("nan")),
    "empty": Field(Ragged.of([[]] * 7), fill=-1),
}


@pytest.mark.parametrize("name", FIELDS)
def test_batches_hold_what_padded_gives(name: str) -> None:
    order = Field(Ragged.of([[number] for number in range(7)]), fill=-1)
    dataset = make_padded_batches([FIELDS[name], order], FIELDS[name], np.array([0, 1, 2, 4, 5, 6]), batch_size=4)
    seen = []
    for (values, which), targets in read(dataset, 9):
        numbers = which[:, 0]
        expected = FIELDS[name].padded(numbers)
        np.testing.assert_array_equal(values, expected)
        np.testing.assert_array_equal(targets, expected)
        assert values.dtype == expected.dtype
        seen += numbers.tolist()
    assert sorted(seen) == [0, 1, 2, 4, 5, 6]


def test_a_single_input_stands_alone() -> None:
    dataset = make_padded_batches([FIELDS["tokens"]], FIELDS["fixed"], np.arange(7), batch_size=7)
    ((inputs, targets),) = read(dataset, 2)
    assert inputs.shape == (7, 7)
    assert targets.shape == (7, 4)


LENGTHS = [int(each) for each in np.random.default_rng(0).integers(0, 20, size=50)]


def epochs(seed: int, count: int = 3, *, batch_size: int = 8) -> list[list[list[int]]]:
    """Which sequences each batch of each epoch holds."""
    numbers = Ragged.of([[number] for number in range(50)])
    inputs = [Field(of_lengths(*LENGTHS), 0), Field(numbers, 0)]
    dataset = make_padded_batches(inputs, inputs[0], np.arange(50), batch_size=batch_size, shuffle_seed=seed)
    steps = -(-50 // batch_size)
    batches = [which[:, 0].tolist() for (_, which), _ in read(dataset, count * steps)]
    return [batches[first : first + steps] for first in range(0, count * steps, steps)]


def test_every_sequence_comes_once_in_each_epoch() -> None:
    for epoch in epochs(1):
        assert sorted(number for batch in epoch for number in batch) == list(range(50))
        assert sorted(map(len, epoch)) == [2, 8, 8, 8, 8, 8, 8]


def test_a_batch_holds_neighbours_in_length() -> None:
    for epoch in epochs(1):
        ranges = sorted((min(LENGTHS[n] for n in batch), max(LENGTHS[n] for n in batch)) for batch in epoch)
        assert all(before[1] <= after[0] for before, after in pairwise(ranges))


def test_another_epoch_and_another_seed_mix_the_batches_anew() -> None:
    first, second, _ = epochs(1)
    assert {frozenset(batch) for batch in first} != {frozenset(batch) for batch in second}
    other, *_ = epochs(2)
    assert {frozenset(batch) for batch in first} != {frozenset(batch) for batch in other}


def test_the_longest_batch_does_not_always_come_last() -> None:
    places = [[len(batch) for batch in epoch].index(2) for epoch in epochs(1, count=8)]
    assert len(set(places)) > 2


def test_the_same_seed_repeats_the_batches() -> None:
    assert epochs(3) == epochs(3)


def test_without_a_seed_sequences_come_once_by_length() -> None:
    field = Field(of_lengths(*LENGTHS), 0)
    dataset = make_padded_batches([field], field, np.arange(50), batch_size=8)
    widths = [inputs.shape[1] for inputs, _ in read(dataset, 100)]
    assert len(widths) == int(dataset.cardinality()) == 7
    assert widths == sorted(widths)


@settings(max_examples=100, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=6),
    steps=st.one_of(st.none(), st.integers(1, 8)),
    lag=st.integers(0, 3),
    data=st.data(),
)
def test_padding_is_what_writing_each_value_to_its_place_gives(
    lengths: list[int], steps: int | None, lag: int, data: st.DataObject
) -> None:
    ragged = of_lengths(*lengths)
    numbers = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=6))
    wide = steps if steps is not None else max(1, *(lengths[number] for number in numbers))
    expected = np.full((len(numbers), wide), -1)
    for row, number in enumerate(numbers):
        for place, value in enumerate(ragged[number]):
            if place + lag < wide:
                expected[row, place + lag] = value
    assert Field(ragged, -1, steps=steps, lag=lag).padded(np.array(numbers)).tolist() == expected.tolist()
