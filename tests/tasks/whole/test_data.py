"""Whole sequences: one for each series, divided by name, scaled by the training ones, padded without a trace."""

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.errors import DataError
from seq2seq_kit.tasks.whole.data import Sequences, new_sequences, prepare_sequences
from tests.conftest import hourly_frame, waves_frame, whole_recipe
from tests.untyped import parse_recipe


def sequences_of(frame: pd.DataFrame, **data: object) -> Sequences:
    return prepare_sequences(parse_recipe(whole_recipe(**data)).data, frame)


def test_each_series_is_one_sequence_of_its_own_length() -> None:
    frame = waves_frame(40)
    sequences = sequences_of(frame)
    assert sequences.names == list(frame["name"].unique())
    assert sequences.lengths.tolist() == frame.groupby("name", sort=False).size().tolist()
    np.testing.assert_array_equal(sequences.truth(7), frame[frame["name"] == "w7"][["x", "y"]])


def test_the_parts_are_disjoint_and_do_not_move_when_sequences_are_added() -> None:
    few, many = sequences_of(waves_frame(40)), sequences_of(waves_frame(80))
    everything = np.concatenate(list(few.parts.values()))
    assert sorted(everything) == list(range(40))
    for part, numbers in few.parts.items():
        assert {few.names[number] for number in numbers} <= {many.names[number] for number in many.parts[part]}


def test_the_scaler_knows_the_training_sequences_only() -> None:
    frame = waves_frame(40)
    sequences = sequences_of(frame)
    train = [sequences.names[number] for number in sequences.parts["train"]]
    rows = frame[frame["name"].isin(train)][["x", "y"]]
    np.testing.assert_allclose(sequences.prepared.scaler.center[0], rows.mean())
    np.testing.assert_allclose(sequences.prepared.scaler.scale[0], rows.std(ddof=0))


def test_a_batch_is_padded_on_the_right() -> None:
    sequences = sequences_of(waves_frame(40))
    numbers = np.array([0, 1, 2])
    values, valid = sequences.arrays("val", numbers)
    lengths = sequences.lengths[sequences.parts["val"][numbers]]
    assert len(set(lengths)) > 1
    np.testing.assert_array_equal(valid, np.arange(lengths.max()) < lengths[:, None])
    assert not values[valid == 0].any()
    target = sequences.target.padded(sequences.parts["val"][numbers])
    np.testing.assert_array_equal(np.isnan(target).all(axis=-1), valid == 0)


def test_a_masked_cell_is_told_to_the_model_and_is_no_target() -> None:
    frame = waves_frame(40)
    frame.loc[1, "x"] = np.nan
    sequences = sequences_of(frame, missing="mask")
    values = sequences.inputs[0].padded(np.array([0]))[0]
    assert values.shape[-1] == 4
    assert values[1, 0] == 0.0
    assert values[1, 2:].tolist() == [0.0, 1.0]
    target = sequences.target.padded(np.array([0]))[0]
    assert np.isnan(target[1]).tolist() == [True, False]
    assert np.isnan(sequences.truth(0)[1]).tolist() == [True, False]


def test_missing_cells_are_refused_by_default() -> None:
    frame = waves_frame(40)
    frame.loc[3, "y"] = np.nan
    with pytest.raises(DataError, match=r"y: 1 missing cell, the first in row 4"):
        sequences_of(frame)


def test_a_gap_inside_a_sequence_is_named() -> None:
    frame = hourly_frame(60, series=tuple("abcdefghij")).drop(index=30).rename(columns={"load": "x", "heat": "y"})
    with pytest.raises(
        DataError, match=r"1 sequences have a gap in time; the first is a, before row 31 .*fill the gap"
    ):
        sequences_of(frame, series="site", time="time", every="1h")


def test_a_part_without_a_sequence_is_named() -> None:
    with pytest.raises(DataError, match=r"none of its 2 series falls into the (train|val|test) part"):
        sequences_of(waves_frame(2))


def test_new_sequences_are_scaled_as_the_training_was() -> None:
    data, trained = parse_recipe(whole_recipe()).data, sequences_of(waves_frame(40))
    new = new_sequences(data, waves_frame(5, seed=9), trained.prepared.scaler)
    assert new.count("test") == 5
    assert new.count("train") == 0
    expected = (new.truth(2) - trained.prepared.scaler.center[0]) / trained.prepared.scaler.scale[0]
    np.testing.assert_allclose(new.inputs[0].padded(np.array([2]))[0], expected, rtol=1e-5, atol=1e-6)
