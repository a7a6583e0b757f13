"""A tagger answers rows as they came, whatever their form, and says what it cannot read."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.tasks.tag.tokens import SEQUENCE
from tests.conftest import levelled_frame
from tests.untyped import TrainResult


def test_texts_lists_and_frames_are_answered_alike(tag_run: TrainResult) -> None:
    bundle = tag_run.bundle
    texts = bundle.predict(["a b c", "e j"])
    assert list(texts) == [SEQUENCE, "letter", "kind", "probability"]
    assert texts[SEQUENCE].tolist() == [1, 1, 1, 2, 2]
    assert texts["letter"].tolist() == list("abcej")
    pd.testing.assert_frame_equal(bundle.predict([["a", "b", "c"], ["e", "j"]]), texts)
    pd.testing.assert_frame_equal(bundle.predict(texts[[SEQUENCE, "letter"]]), texts)
    pd.testing.assert_frame_equal(bundle.predict("a b c"), texts.head(3), rtol=1e-5)


def test_company_and_order_change_no_label(tag_run: TrainResult) -> None:
    rng = np.random.default_rng(0)
    sequences = [list(rng.choice(list("abcdefghij"), size=int(rng.integers(1, 9)))) for _ in range(30)]
    together = tag_run.bundle.predict(sequences)
    assert together["letter"].tolist() == [letter for each in sequences for letter in each]
    for number in (0, 7, 29):
        alone = tag_run.bundle.predict([sequences[number]])
        own = together[together[SEQUENCE] == number + 1]
        assert alone["kind"].tolist() == own["kind"].tolist()
        np.testing.assert_allclose(alone["probability"], own["probability"], rtol=1e-4)


def test_a_file_without_labels_is_read(tag_run: TrainResult, tmp_path: Path) -> None:
    place = tmp_path / "new.txt"
    place.write_text("a\nb\n\nc\n")
    frame = tag_run.bundle.read(str(place))
    assert tag_run.bundle.predict(frame)[SEQUENCE].tolist() == [1, 1, 2]


def test_what_a_tagger_of_tokens_cannot_read_is_told(tag_run: TrainResult) -> None:
    bundle = tag_run.bundle
    with pytest.raises(ArgumentError, match="sequence 2 has no tokens"):
        bundle.predict(["a b", " "])
    with pytest.raises(DataError, match=r"new\.csv lacks the column letter\. It also has sequence, word"):
        bundle.predict(pd.DataFrame({SEQUENCE: [1], "word": ["a"]}), origin="new.csv")
    with pytest.raises(DataError, match=r"lacks the column kind\. .*data\.labels"):
        bundle.evaluate(pd.DataFrame({SEQUENCE: [1], "letter": ["a"]}))
    with pytest.raises(DataError, match="row 1: the label 'y'") as refused:
        bundle.evaluate(pd.DataFrame({SEQUENCE: [1], "letter": ["a"], "kind": ["y"]}))
    assert refused.value.code == "unknown_label"


def test_rows_without_a_single_label_cannot_be_evaluated(tag_run: TrainResult, tag_values_run: TrainResult) -> None:
    with pytest.raises(DataError, match="none of the 1 steps of the test part has a label"):
        tag_run.bundle.evaluate(pd.DataFrame({SEQUENCE: [1], "letter": ["a"], "kind": [None]}))
    with pytest.raises(DataError, match="none of the 30 steps of the test part has a label"):
        tag_values_run.bundle.evaluate(levelled_frame(30).assign(level=None))


def test_an_argument_that_a_tagger_has_not_is_refused(tag_run: TrainResult) -> None:
    with pytest.raises(TypeError, match="beams"):
        tag_run.bundle.predict("a b", beams=3)


def test_a_tagger_of_rows_reads_no_text(tag_values_run: TrainResult) -> None:
    with pytest.raises(ArgumentError, match=r"this tagger reads values: give a frame with load, heat\. Received: str"):
        tag_values_run.bundle.predict("a b")


def test_rows_are_answered_in_their_own_order(tag_values_run: TrainResult) -> None:
    bundle, frame = tag_values_run.bundle, levelled_frame(100)
    sorted_rows = bundle.predict(frame)
    assert list(sorted_rows) == ["time", "level", "probability"]
    assert sorted_rows["time"].tolist() == frame["time"].tolist()
    mixed = frame.sample(frac=1.0, random_state=0)
    answer = bundle.predict(mixed)
    assert answer["time"].tolist() == mixed["time"].tolist()
    expected = sorted_rows.set_index("time")["probability"].loc[mixed["time"]]
    np.testing.assert_allclose(answer["probability"], expected, rtol=1e-5)


def test_columns_that_are_not_used_are_listed(tag_run: TrainResult, tag_values_run: TrainResult) -> None:
    frame = levelled_frame(5).assign(colour="red")
    assert tag_values_run.bundle.ignored_columns(frame) == ["colour"]
    tokens = pd.DataFrame({SEQUENCE: [1], "letter": ["a"], "kind": ["x"], "colour": ["red"]})
    assert tag_run.bundle.ignored_columns(tokens) == ["colour"]


def test_a_saved_bundle_answers_alike(tag_run: TrainResult, tag_values_run: TrainResult, tmp_path: Path) -> None:
    from tests.untyped import read_bundle

    cases: list[tuple[Any, Any]] = [(tag_run, ["a b x", "e"]), (tag_values_run, levelled_frame(40))]
    for number, (result, rows) in enumerate(cases):
        loaded = read_bundle(result.bundle.save(tmp_path / str(number)))
        pd.testing.assert_frame_equal(loaded.predict(rows), result.bundle.predict(rows), rtol=1e-5)


def test_labels_of_a_stranger_that_do_not_fit_the_model_are_refused(tag_run: TrainResult) -> None:
    bundle = tag_run.bundle
    state, arrays = bundle.state()
    with pytest.raises(ValueError, match="it has 1 labels, its model predicts 2"):
        type(bundle).restore(bundle.recipe, bundle.model, state | {"labels": ["vowel"]}, arrays, {})
