"""Each sequence has its own answer, its own part, and learns from no other part."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.errors import DataError, SeriesTooShortError
from seq2seq_kit.tasks.classify.data import Classified, new_examples, prepare_examples
from tests.tasks.classify.conftest import (
    counted_frame,
    levels_frame,
    series_recipe,
    texts_recipe,
    windows_recipe,
    words_frame,
)
from tests.untyped import parse_recipe


def prepared(recipe: dict[str, Any], frame: pd.DataFrame, **more: Any) -> Classified:
    return prepare_examples(parse_recipe(recipe).data, frame, **more)


def windows_with_series_and_gaps() -> tuple[Classified, pd.DataFrame]:
    frame = levels_frame(150, series=("north", "south")).drop(index=[10, 11, 100, 170, 290])
    frame = frame.sample(frac=1.0, random_state=0).reset_index(drop=True)
    return prepared(windows_recipe(series="site", window_stride=2), frame), frame


def test_a_window_has_the_answer_of_its_last_row() -> None:
    examples, frame = windows_with_series_and_gaps()
    for number in np.concatenate(list(examples.parts.values())):
        rows = frame.iloc[examples.rows[int(number)]]
        assert examples.preprocessing.labels[examples.truth[number]] == rows["level"].iloc[-1]
        assert examples.about["time"][number] == rows["time"].iloc[-1]
        assert examples.about["site"][number] == rows["site"].iloc[-1]


def test_no_window_crosses_a_gap_a_series_or_a_part() -> None:
    examples, frame = windows_with_series_and_gaps()
    read: dict[str, set[int]] = {}
    for part, numbers in examples.parts.items():
        for number in numbers:
            rows = frame.iloc[examples.rows[int(number)]]
            assert rows["site"].nunique() == 1
            assert (rows["time"].diff().dropna() == pd.Timedelta("1h")).all()
            read.setdefault(part, set()).update(rows.index)
    assert not read["train"] & read["val"]
    assert not read["val"] & read["test"]
    assert len(read) == 3


def test_the_model_reads_scaled_rows_of_its_window() -> None:
    frame = levels_frame()
    examples = prepared(windows_recipe(), frame)
    values, valid = examples.arrays("val", np.array([3]))
    rows = frame.iloc[examples.rows[int(examples.parts["val"][3])]][["load", "heat"]]
    scaler: Any = examples.preprocessing.encoding
    np.testing.assert_allclose(values[0] * scaler.scale[0] + scaler.center[0], rows, rtol=1e-4)
    assert valid.tolist() == [[1.0] * 6]
    np.testing.assert_allclose(scaler.center[0], frame[["load", "heat"]][:280].mean(), rtol=1e-6)


def test_a_series_is_one_sequence_of_its_own_length() -> None:
    frame = counted_frame()
    examples = prepared(series_recipe(), frame)
    lengths = frame.groupby("name").size()
    assert examples.about["steps"].tolist() == lengths[examples.about["name"]].tolist()
    assert examples.truth.tolist() == examples.about["steps"].tolist()
    values, valid = examples.arrays("train", np.arange(5))
    assert valid.sum(axis=1).tolist() == examples.truth[examples.parts["train"][:5]].tolist()
    assert values.shape == (5, valid.shape[1], 2)


def test_targets_are_learned_in_units_of_the_training_sequences() -> None:
    examples = prepared(series_recipe(), counted_frame())
    train = examples.truth_of("train")
    assert (examples.preprocessing.center, examples.preprocessing.scale) == pytest.approx((train.mean(), train.std()))
    learned = examples.target.padded(examples.parts["train"])
    assert learned.shape == (len(train), 1)
    np.testing.assert_allclose(learned[:, 0] * train.std() + train.mean(), train, rtol=1e-5)


def test_equal_texts_share_a_part() -> None:
    frame = pd.concat([words_frame(), words_frame()], ignore_index=True)
    examples = prepared(texts_recipe(), frame)
    parts = [set(examples.about["word"][numbers]) for numbers in examples.parts.values()]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_a_vocabulary_is_learned_on_the_training_texts() -> None:
    examples = prepared(texts_recipe(level="token"), words_frame())  # each word is a token of its own
    vocabulary: Any = examples.preprocessing.encoding
    assert set(vocabulary.tokens) == set(examples.about["word"][examples.parts["train"]])
    assert set(vocabulary.tokens) < set(examples.about["word"])


def test_joined_learns_from_val_too() -> None:
    for recipe, frame in (
        (texts_recipe(), words_frame()),
        (series_recipe(), counted_frame()),
        (windows_recipe(), levels_frame()),
    ):
        apart, joined = prepared(recipe, frame), prepared(recipe, frame, joined=True)
        assert joined.count("train") >= apart.count("train") + apart.count("val")
        assert (joined.count("val"), joined.count("test")) == (apart.count("val"), apart.count("test"))
    centers = [each.preprocessing.encoding.center[0, 0] for each in (apart, joined)]  # type: ignore[union-attr]
    np.testing.assert_allclose(centers, [levels_frame()["load"][:rows].mean() for rows in (280, 340)], rtol=1e-6)


def test_labels_that_differ_in_case_or_blanks_alone_are_told() -> None:
    frame = words_frame()
    label = str(frame["kind"].iloc[0])
    assert prepared(texts_recipe(), frame).notes == []
    frame.loc[frame.index[frame["kind"] == label][::3], "kind"] = f" {label.upper()} "
    (note,) = prepared(texts_recipe(), frame).notes
    assert f"{label!r} and {f' {label.upper()} '!r} differ in case or blanks alone" in note


def test_sequences_without_an_answer_are_left_out_and_told() -> None:
    frame = words_frame()
    frame.loc[::4, "kind"] = None
    examples = prepared(texts_recipe(), frame)
    assert sum(examples.count(part) for part in examples.parts) == 150
    assert examples.notes == ["50 sequences have an empty cell in kind and were left out"]
    numbers = counted_frame()
    numbers.loc[numbers["name"].isin(["w3", "w5"]), "rows"] = np.nan
    left = prepared(series_recipe(), numbers)
    assert sum(left.count(part) for part in left.parts) == 78


def wrong_series(**cells: Any) -> pd.DataFrame:
    frame = counted_frame()
    frame["rows"] = frame["rows"].astype(float)
    second = frame.index[frame["name"] == "w7"][1]
    frame.loc[second, "rows"] = cells.get("rows", 99.0)
    return frame


WRONG: dict[str, tuple[dict[str, Any], pd.DataFrame, str, str]] = {
    "answer changes": (series_recipe(), wrong_series(), "answer_changes", "series w7 has 99.0 in rows"),
    "answer ends": (series_recipe(), wrong_series(rows=np.nan), "answer_changes", "series w7 has nan in rows"),
    "no labels": (texts_recipe(label="sort"), words_frame(), "missing_column", "lacks the column sort"),
    "one label": (texts_recipe(), words_frame().assign(kind="x"), "too_few_labels", "1 label"),
    "unknown join": (texts_recipe(join_labels={"vowl": "other"}), words_frame(), "unknown_label", "did you mean vowel"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_has_a_code(name: str) -> None:
    recipe, frame, code, said = WRONG[name]
    with pytest.raises(DataError) as caught:
        prepared(recipe, frame)
    assert said in str(caught.value)
    assert caught.value.code == code


def test_a_label_that_only_the_test_windows_have_is_told_with_its_row() -> None:
    frame = levels_frame()
    frame.loc[390, "level"] = "odd"
    with pytest.raises(DataError, match=r"hours, row 391: the label 'odd' is in no training row") as caught:
        prepared(windows_recipe(), frame, origin="hours")
    assert caught.value.code == "unknown_label"
    frame.loc[390, "level"], frame.loc[342, "level"] = "low", "odd"  # only in the first rows of a window
    assert "odd" not in prepared(windows_recipe(), frame).preprocessing.labels


def test_new_rows_are_all_to_be_answered() -> None:
    recipe, frame = windows_recipe(window_stride=3), levels_frame()
    data, known = parse_recipe(recipe).data, prepared(recipe, frame).preprocessing
    new = new_examples(data, frame[:20].drop(columns="level"), known, labelled=False)
    assert [new.count(part) for part in ("train", "val", "test")] == [
        0,
        0,
        15,
    ]  # a window ends in each row from the sixth on
    assert new_examples(data, frame[:20], known, labelled=True).count("test") == 5
    with pytest.raises(SeriesTooShortError):
        new_examples(data, frame[:5], known, labelled=False)
    with pytest.raises(DataError) as caught:
        new_examples(data, frame[:20].assign(level=None), known, labelled=True)
    assert caught.value.code == "no_answers"
