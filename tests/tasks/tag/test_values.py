"""Tagged rows of numbers: every row is tagged once, in its own part, and a row without a label teaches nothing."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.sequences.ragged import NO_LABEL
from seq2seq_kit.errors import DataError
from seq2seq_kit.tasks.tag.recipe import TagValuesData
from seq2seq_kit.tasks.tag.values import prepare_new_values, prepare_values
from tests.conftest import hourly_frame, tag_values_recipe
from tests.untyped import parse_recipe


def labelled(rows: int = 200, *, series: tuple[str, ...] = ("",)) -> pd.DataFrame:
    """Hours with the label `high` where the load is, else `low`."""
    frame = hourly_frame(rows, series=series)
    return frame.assign(level=np.where(frame["load"] > 100, "high", "low"))


def section(**keys: Any) -> TagValuesData:
    base = {"time": "time", "every": "1h", "inputs": ["load", "heat"], "labels": "level", "input_steps": 24}
    return TagValuesData.model_validate(base | keys)


def frame_with_series_and_gaps() -> pd.DataFrame:
    frame = labelled(150, series=("north", "south")).drop(index=[10, 11, 100, 170, 290])
    return frame.sample(frac=1.0, random_state=0).reset_index(drop=True)


CASES: dict[str, tuple[dict[str, Any], pd.DataFrame]] = {
    "one series": ({}, labelled()),
    "short pieces": ({"input_steps": 1}, labelled(60)),
    "series, gaps, any order": ({"series": "site", "input_steps": 20}, frame_with_series_and_gaps()),
    "no timestamps": ({"time": None, "every": None}, labelled().drop(columns="time")),
}


@pytest.mark.parametrize("name", CASES)
def test_every_row_is_tagged_once_with_its_own_values_and_label(name: str) -> None:
    keys, frame = CASES[name]
    tagged, prepared = prepare_values(section(**keys), frame)
    rows = tagged.rows.rows_of(np.arange(len(tagged.rows)))
    assert sorted(rows.tolist()) == list(range(len(frame)))
    assert sorted(np.concatenate(list(tagged.parts.values())).tolist()) == list(range(len(tagged.rows)))
    numbers = tagged.truth.rows_of(np.arange(len(tagged.rows)))
    assert [tagged.labels[number] for number in numbers] == frame["level"].iloc[rows].tolist()
    read = tagged.inputs[0].sequences.rows_of(np.arange(len(tagged.rows)))
    center, scale = prepared.scaler.center[0], prepared.scaler.scale[0]
    np.testing.assert_allclose(read * scale + center, frame[["load", "heat"]].to_numpy()[rows], rtol=1e-4)
    assert tagged.truth.lengths.max() <= section(**keys).input_steps


def test_no_sequence_crosses_a_gap_a_series_or_a_part() -> None:
    frame = frame_with_series_and_gaps()
    tagged, _ = prepare_values(section(series="site", input_steps=20), frame)
    newest: dict[str, pd.Timestamp] = {}
    for part in ("train", "val", "test"):
        for number in tagged.parts[part]:
            rows = frame.iloc[tagged.rows[int(number)]]
            assert rows["site"].nunique() == 1
            assert (rows["time"].diff().dropna() == pd.Timedelta("1h")).all()
            site = rows["site"].iloc[0]
            assert site not in newest or rows["time"].iloc[0] > newest[site]  # parts follow each other in time
            newest[site] = rows["time"].iloc[-1]
    assert len(newest) == 2


def test_every_step_of_a_sequence_counts_and_padding_does_not() -> None:
    tagged, _ = prepare_values(section(input_steps=7), labelled())
    values, valid = tagged.arrays("test", np.arange(tagged.count("test")))
    lengths = tagged.truth.lengths[tagged.parts["test"]]
    assert values.shape == (len(lengths), 7, 2)
    assert valid.dtype == np.float32
    assert valid.sum(axis=1).tolist() == lengths.tolist()
    assert lengths.tolist() == [7, 7, 7, 7, 2]


def test_rows_without_a_label_are_read_and_not_learned() -> None:
    frame = labelled()
    frame.loc[::3, "level"] = None
    tagged, _ = prepare_values(section(), frame)
    numbers, everything = tagged.truth.rows_of(np.arange(len(tagged.rows))), np.arange(len(tagged.rows))
    missing = frame["level"].isna().to_numpy()[tagged.rows.rows_of(everything)]
    assert (numbers == NO_LABEL).tolist() == missing.tolist()
    assert len(tagged.inputs[0].sequences.rows_of(everything)) == 200
    assert len(tagged.truth_of("test")) == np.count_nonzero(~missing[-30:])
    assert tagged.labels == ["high", "low"] or tagged.labels == ["low", "high"]


def test_a_label_unseen_in_training_is_told_with_the_row_of_the_file() -> None:
    frame = labelled().iloc[::-1].reset_index(drop=True)  # the newest row first
    frame.loc[4, "level"] = "extreme"
    with pytest.raises(DataError, match=r"hours\.csv, row 5: the label 'extreme'") as refused:
        prepare_values(section(), frame, origin="hours.csv")
    assert refused.value.code == "unknown_label"
    tagged, _ = prepare_values(section(join_labels={"extreme": "high"}), frame)
    assert sorted(tagged.labels) == ["high", "low"]


def test_new_rows_are_all_in_the_test_part_on_the_scale_of_the_training() -> None:
    known, prepared = prepare_values(section(), labelled())
    frame = labelled(50).drop(columns="level")
    new, _ = prepare_new_values(section(), frame, prepared.scaler, known.labels, labelled=False)
    assert {part: len(numbers) for part, numbers in new.parts.items()} == {"train": 0, "val": 0, "test": 3}
    assert new.truth_of("test").size == 0
    np.testing.assert_allclose(
        new.inputs[0].sequences.values[:, 0] * prepared.scaler.scale[0, 0] + prepared.scaler.center[0, 0],
        frame["load"],
        rtol=1e-4,
    )
    with pytest.raises(DataError, match=r"lacks the column level\. .*data\.labels"):
        prepare_new_values(section(), frame, prepared.scaler, known.labels, labelled=True)
    odd = labelled(50).assign(level=["low", "odd"] + ["low"] * 48)
    with pytest.raises(DataError, match=r"new\.csv, row 2: the label 'odd'"):
        prepare_new_values(section(), odd, prepared.scaler, known.labels, labelled=True, origin="new.csv")


def test_a_part_without_a_label_is_named() -> None:
    frame = labelled()
    frame.loc[140:169, "level"] = None
    with pytest.raises(DataError, match="none of the 30 steps of the val part has a label"):
        prepare_values(section(), frame)


def test_labels_of_rows_behind_the_last_part_do_not_matter() -> None:
    frame = hourly_frame(400)
    frame["level"] = np.where(frame["load"] > 100, "high", "low")
    frame.loc[300:, "level"] = "new"
    values = tag_values_recipe(split={"train": 100, "val": 40, "test": 40}, input_steps=60)
    tagged, _ = prepare_values(parse_recipe(values).data, frame)
    assert sorted(tagged.labels) == ["high", "low"]
    assert [int(tagged.truth.lengths[tagged.parts[part]].sum()) for part in ("train", "val", "test")] == [100, 40, 40]


def test_a_label_to_be_joined_that_no_row_has_is_told() -> None:
    frame = hourly_frame(400)
    frame["level"] = np.where(frame["load"] > 100, "high", "low")
    values = tag_values_recipe(join_labels={"hihg": "low"})
    with pytest.raises(DataError, match=r"join_labels: no row has the label 'hihg'; did you mean high\?"):
        prepare_values(parse_recipe(values).data, frame)
