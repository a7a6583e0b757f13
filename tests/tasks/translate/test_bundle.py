"""A translator answers texts as they came, with one beam or several, and says what it cannot read."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.tasks.translate.bundle import TranslateBundle
from seq2seq_kit.tasks.translate.data import prepare_texts
from tests.conftest import reversed_words
from tests.untyped import TrainResult, read_bundle

RUNS = ["repeat_run", "attention_run"]


@pytest.fixture(params=RUNS)
def bundle(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param).bundle


@pytest.mark.slow
def test_texts_and_frames_are_answered_alike(bundle: Any) -> None:
    answer = bundle.predict(["abc", "dd"])
    assert list(answer) == ["word", "reverse", "score"]
    assert answer["word"].tolist() == ["abc", "dd"]
    assert (answer["score"] <= 0).all()
    pd.testing.assert_frame_equal(bundle.predict(pd.DataFrame({"word": ["abc", "dd"]})), answer)
    pd.testing.assert_frame_equal(bundle.predict("abc"), answer.head(1), rtol=1e-4)


@pytest.mark.slow
def test_company_and_order_change_no_answer(bundle: Any) -> None:
    words = list(dict.fromkeys(reversed_words()["word"]))
    together = bundle.predict(words)
    assert together["word"].tolist() == words
    for number in (0, 20, len(words) - 1):
        alone = bundle.predict([words[number]])
        assert alone["reverse"][0] == together["reverse"][number]
        assert alone["score"][0] == pytest.approx(together["score"][number], rel=1e-4)


def test_the_score_is_the_logarithm_of_the_output_s_probability(bundle: Any) -> None:
    words = ["abcd", "ca", "b"]
    outputs, scores = bundle.write(words)
    texts = prepare_texts(bundle.recipe.data, reversed_words(), feedback=len(bundle.model.inputs) > 1)
    data = bundle.recipe.data
    for word, output, score in zip(words, outputs, scores, strict=True):
        numbers = bundle.source_vocabulary.numbers(word)
        source = np.array([numbers[::-1] if data.reverse_source else numbers], dtype=np.int32)
        ended = [*output, 0][: bundle.output_steps]
        given = [source, np.array([[0, *ended[:-1]]], dtype=np.int32)][: len(bundle.model.inputs)]
        logits = np.asarray(bundle.forward(given), dtype=np.float64)[0, : len(ended)]
        chances = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        assert score == pytest.approx(float(chances[np.arange(len(ended)), ended].sum()), abs=1e-4)
        assert chances.argmax(axis=1).tolist() == ended  # greedy
    assert texts.output_steps == bundle.output_steps


def test_more_beams_find_outputs_that_are_no_less_likely(attention_run: TrainResult) -> None:
    words = reversed_words()["word"].unique().tolist()
    greedy, beams = attention_run.bundle.predict(words), attention_run.bundle.predict(words, beams=20)
    assert (beams["score"] >= greedy["score"] - 1e-4).mean() > 0.95
    assert (beams["score"] > greedy["score"] + 1e-3).any()


@pytest.mark.parametrize("beams", [0, -1, 101])
def test_a_wrong_number_of_beams_is_told(attention_run: TrainResult, beams: int) -> None:
    with pytest.raises(ArgumentError, match=rf"beams must be a whole number from 1 to 100\. Received: beams={beams}"):
        attention_run.bundle.predict("abc", beams=beams)


def test_a_repeating_bridge_has_nothing_to_search(repeat_run: TrainResult) -> None:
    with pytest.raises(ArgumentError, match=r"a repeating bridge writes all steps at once.*Received: beams=2"):
        repeat_run.bundle.predict("abc", beams=2)


def test_unknown_tokens_are_noted(bundle: Any) -> None:
    assert bundle.predict(["abé", "xab"]).attrs["notes"] == [
        "2 tokens that the training rows did not have were read as unknown: x, é"
    ]
    assert "notes" not in bundle.predict(["ab"]).attrs


def test_what_a_translator_cannot_read_is_told(bundle: Any) -> None:
    with pytest.raises(DataError, match=r"new\.csv, row 2, column word: the text is empty"):
        bundle.predict(["ab", ""], origin="new.csv")
    with pytest.raises(
        DataError, match=r"row 1, column word: 9 tokens, expected at most 8\. .*Raise data\.input_steps"
    ):
        bundle.predict("abcdabcda")
    with pytest.raises(DataError, match="lacks the column word"):
        bundle.predict(pd.DataFrame({"text": ["ab"]}))
    with pytest.raises(DataError, match="2 source texts in word and 1 target texts in reverse"):
        bundle.evaluate(pd.DataFrame({"word": ["ab", "c"], "reverse": ["ba", None]}))


def test_sources_with_several_answers_count_once(bundle: Any) -> None:
    written = bundle.predict("abc")["reverse"][0]
    board = bundle.evaluate(pd.DataFrame({"word": ["abc", "abc", "dd"], "reverse": ["no", written or "a", "no"]}))
    assert board.scores["model"].outputs == 2
    assert board.scores["model"].exact >= (1 if written else 0)


def test_columns_that_are_not_used_are_listed(bundle: Any) -> None:
    assert bundle.ignored_columns(reversed_words().assign(colour="red")) == ["colour"]


@pytest.mark.parametrize("name", RUNS)
def test_a_saved_bundle_answers_alike(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    bundle = request.getfixturevalue(name).bundle
    loaded = read_bundle(bundle.save(tmp_path / "bundle"))
    words = ["abc", "dd", "acdab"]
    pd.testing.assert_frame_equal(loaded.predict(words), bundle.predict(words), rtol=1e-5)
    frame = reversed_words(30)
    assert loaded.evaluate(frame).metrics() == pytest.approx(bundle.evaluate(frame).metrics(), rel=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"output_steps": 10**8}, "output_steps must be from 1 to 10000"),
        ({"output_steps": 0}, "output_steps must be from 1 to 10000"),
        ({"target_vocabulary": ["char", ["a"]]}, "its vocabularies have"),
        ({"source_vocabulary": ["char", ["a", "a"]]}, "each token once"),
        ({"source_vocabulary": ["page", ["a"]]}, "a level, char or token"),
    ],
)
def test_words_of_a_stranger_that_do_not_fit_the_model_are_refused(
    repeat_run: TrainResult, change: dict[str, Any], said: str
) -> None:
    bundle = repeat_run.bundle
    state, arrays = bundle.state()
    assert TranslateBundle.restore(bundle.recipe, bundle.model, state, arrays, {}).output_steps == bundle.output_steps
    with pytest.raises(ValueError, match=said):
        TranslateBundle.restore(bundle.recipe, bundle.model, state | change, arrays, {})
