"""Chunks for next-step training: which rows are read, what stands one row later, what belongs to which part."""

from typing import Any

import numpy as np
import pandas as pd

from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.tasks.next_step.data import NextSteps, as_forecast, window_steps
from tests.conftest import hourly_frame, next_step_recipe
from tests.untyped import parse_recipe


def steps_of(frame: pd.DataFrame, **data: Any) -> NextSteps:
    section = parse_recipe(next_step_recipe(**data)).data
    return NextSteps(prepare(as_forecast(section), frame), section.input_steps)


def rows_of(steps: NextSteps, part: str) -> list[tuple[int, int]]:
    return [(int(start), int(length)) for start, length in zip(*steps.chunks[part], strict=True)]


def test_targets_are_the_rows_one_later() -> None:
    steps = steps_of(hourly_frame(300))
    inputs, targets = steps.fields("train")
    for number in range(steps.count("train")):
        (start, length), own = rows_of(steps, "train")[number], np.array([number])
        values = steps.prepared.matrix[:, :2]
        np.testing.assert_array_equal(inputs[0].padded(own)[0, :, :2], values[start : start + length])
        np.testing.assert_array_equal(targets.padded(own)[0], values[start + 1 : start + 1 + length])


def test_the_calendar_is_that_of_the_row_to_be_predicted() -> None:
    steps = steps_of(hourly_frame(300))
    times = steps.prepared.table.times
    assert times is not None
    expected = np.sin(2 * np.pi * np.asarray(times[:].hour)[1:] / 24)
    np.testing.assert_allclose(steps.read[:-1, 2], expected, atol=1e-6)


def test_chunks_cover_each_target_once_and_stay_in_their_part() -> None:
    steps = steps_of(hourly_frame(300, series=("a", "b")), series="site")
    for part in ("train", "val", "test"):
        targets = np.concatenate([np.arange(start + 1, start + 1 + length) for start, length in rows_of(steps, part)])
        wanted = [np.arange(first, end) for first, end in steps.prepared.split.rows(part)]
        # The first row of a series follows no other, so nothing predicts it.
        expected = np.concatenate([rows[1:] if part == "train" else rows for rows in wanted])
        np.testing.assert_array_equal(np.sort(targets), expected)
        assert max(length for _, length in rows_of(steps, part)) <= 24


def test_no_chunk_crosses_a_gap() -> None:
    frame = hourly_frame(300).drop(index=range(100, 103)).reset_index(drop=True)
    steps = steps_of(frame)
    assert len(steps.prepared.segments) == 2
    for start, length in rows_of(steps, "train"):
        assert start + length < 100 or start >= 100


def test_padding_is_invalid_and_its_targets_are_no_number() -> None:
    steps = steps_of(hourly_frame(300))
    numbers = np.arange(steps.count("train"))
    (values, valid), target = [field.padded(numbers) for field in steps.fields("train")[0]], steps.fields("train")[1]
    short = int(np.argmin(steps.chunks["train"][1]))
    length = int(steps.chunks["train"][1][short])
    assert length < 24
    assert valid[short].tolist() == [1.0] * length + [0.0] * (24 - length)
    assert not values[short, length:].any()
    assert np.isnan(target.padded(numbers)[short, length:]).all()
    assert not np.isnan(target.padded(numbers)[short, :length]).any()


def test_a_row_after_one_that_was_interpolated_towards_it_teaches_nothing() -> None:
    frame = hourly_frame(300)
    frame.loc[50:52, "load"] = np.nan
    steps = steps_of(frame, missing="interpolate")
    unlearned = np.flatnonzero(np.isnan(steps.truth).any(axis=1))
    assert unlearned.tolist() == [51, 52, 53]
    assert not np.isnan(steps.read).any()


def test_batches_hold_every_chunk() -> None:
    steps = steps_of(hourly_frame(300))
    seen = sum(int(targets.shape[0]) for _, targets in steps.batches("train", 4))
    assert seen == steps.count("train") > 8
    (values, valid), targets = next(iter(steps.batches("val", 4)))
    assert values.shape[-1] == 4
    assert valid.shape == values.shape[:2]
    assert targets.shape == (*values.shape[:2], 2)


def test_a_window_is_read_with_the_calendar_one_later_and_then_known_ahead() -> None:
    steps = steps_of(hourly_frame(300))
    prepared = steps.prepared
    read, known = window_steps(prepared, "test", np.array([0, 3]))
    assert (read.shape, known.shape) == ((2, 24, 4), (2, 5, 2))
    start = prepared.windows["test"].starts(np.array([3]))[0]
    np.testing.assert_array_equal(read[1], steps.read[start : start + 24])
    np.testing.assert_array_equal(known[1], prepared.matrix[start + 25 : start + 30, 2:4])


def test_without_a_calendar_nothing_is_known_ahead() -> None:
    steps = steps_of(hourly_frame(300), calendar=[])
    read, known = window_steps(steps.prepared, "val", np.array([1]))
    assert (read.shape, known.shape) == ((1, 24, 2), (1, 5, 0))


def test_a_row_that_was_interpolated_towards_a_later_part_is_no_target() -> None:
    frame = hourly_frame(300)
    border = int(steps_of(frame).prepared.split.rows("train")[0, 1])
    frame.loc[border - 2 : border + 1, "load"] = np.nan
    steps = steps_of(frame, missing="interpolate")
    first, lengths = steps.chunks["train"]
    assert (first + lengths).max() == border - 3
    assert steps.chunks["val"][0].min() == border - 1
