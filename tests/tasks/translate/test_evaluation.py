"""Edit distances against the textbook's recursion, scores with several right answers, and the obvious ways to write."""

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit.tasks.translate.data import FOREIGN, Texts, prepare_texts
from seq2seq_kit.tasks.translate.evaluation import (
    MostFrequent,
    TextEvaluation,
    TextScores,
    TokenByToken,
    dump_text_baselines,
    edit_distances,
    fit_text_baselines,
    restore_text_baselines,
    score_outputs,
)
from seq2seq_kit.tasks.translate.recipe import TranslateData

SEQUENCES = st.lists(st.integers(2, 4), max_size=6)


def naive(left: list[int], right: list[int]) -> int:
    @cache
    def between(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        changed = between(i - 1, j - 1) + (left[i - 1] != right[j - 1])
        return min(changed, between(i - 1, j) + 1, between(i, j - 1) + 1)

    return between(len(left), len(right))


@settings(max_examples=60, deadline=None)
@given(pairs=st.lists(st.tuples(SEQUENCES, SEQUENCES), max_size=5))
def test_edit_distances_are_the_recursion_s(pairs: list[tuple[list[int], list[int]]]) -> None:
    left, right = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    assert edit_distances(left, right).tolist() == [naive(*pair) for pair in pairs]
    assert edit_distances(right, left).tolist() == edit_distances(left, right).tolist()


def test_a_token_that_training_never_had_equals_none() -> None:
    assert edit_distances([[1, 2]], [[FOREIGN, 2]]).tolist() == [1]


def test_the_nearest_answer_counts() -> None:
    scores = score_outputs([[2, 3], [4]], [[[2, 3, 4], [2, 9], [5, 6, 7, 8]], [[4]]])
    assert (scores.edits, scores.tokens, scores.exact, scores.outputs) == (1, 2 + 1, 1, 2)
    assert scores.token_error_rate == pytest.approx(1 / 3)
    assert scores.exact_match == 0.5
    assert np.isnan(scores.loss)
    assert np.isnan(scores.accuracy)


def test_among_equally_near_answers_the_shorter_one_counts() -> None:
    scores = score_outputs([[2, 3]], [[[2, 3, 4], [2]]])
    assert (scores.edits, scores.tokens) == (1, 1)


def test_an_output_equal_to_any_answer_is_right() -> None:
    scores = score_outputs([[2], [], [3]], [[[9], [2]], [[5]], [[3]]], loss=0.5, accuracy=0.25)
    assert (scores.edits, scores.exact) == (1, 2)
    assert (scores.loss, scores.accuracy) == (0.5, 0.25)


def board(**edits: int) -> TextEvaluation:
    names = {name.replace("_", " "): TextScores(count, 10, 0, 5) for name, count in edits.items()}
    return TextEvaluation("test", names, dict.fromkeys(names, "what it does"))


def test_skill_is_against_the_best_baseline() -> None:
    evaluation = board(model=2, most_frequent=8, token_by_token=4)
    assert evaluation.best_baseline == "token by token"
    assert evaluation.skill == pytest.approx(1 - 2 / 4)
    assert evaluation.skill_against("most frequent") == pytest.approx(1 - 2 / 8)
    assert np.isnan(board(model=2, most_frequent=0).skill)
    assert board(model=6, most_frequent=4).skill == pytest.approx(-0.5)


def test_the_table_has_every_figure() -> None:
    table = board(model=2, most_frequent=8).table()
    assert table["forecaster"].tolist() == ["model", "most frequent"]
    assert table["token_error_rate"].tolist() == [0.2, 0.8]
    assert table["edits"].tolist() == [2, 8]
    assert board(model=2, most_frequent=8).title == "5 test sources"


def texts_of(sources: list[str], targets: list[str], **data: Any) -> Texts:
    section = TranslateData(source_column="a", target_column="b", **data)
    return prepare_texts(section, pd.DataFrame({"a": sources, "b": targets}), feedback=False)


def words(count: int = 60) -> list[str]:
    rng = np.random.default_rng(0)
    return sorted({"".join(rng.choice(list("abcdef"), size=int(rng.integers(2, 6)))) for _ in range(count)})


def test_the_commonest_token_of_each_position_is_written() -> None:
    sources = words()
    texts = texts_of(sources, ["xy" if row % 3 else "xyz" for row in range(len(sources))])
    peer = MostFrequent.fit(texts)
    assert peer.tokens == texts.target_vocabulary.numbers("xy")  # an end is the commonest third token
    assert peer.write([[2], [3, 4]]) == [peer.tokens, peer.tokens]


def test_a_substitution_is_found_token_by_token() -> None:
    key = dict(zip("abcdef", "uvwxyz", strict=True))
    sources = words()
    for reverse in (False, True):
        texts = texts_of(sources, ["".join(key[letter] for letter in word) for word in sources], reverse_source=reverse)
        peer = TokenByToken.fit(texts)
        own, other = texts.source_vocabulary, texts.target_vocabulary
        for word in sources:
            (written,) = peer.write([own.numbers(word)])
            assert other.text(written) == "".join(key[letter] for letter in word)


def test_a_token_without_a_counterpart_leaves_no_trace() -> None:
    sources = [f"{word[:1]}-{word[1:]}" for word in words()]
    texts = texts_of(sources, [word.replace("-", "").upper() for word in sources])
    peer = TokenByToken.fit(texts)
    (written,) = peer.write([texts.source_vocabulary.numbers("a-bc")])
    assert texts.target_vocabulary.text(written) == "ABC"
    assert peer.write([[999]]) == [[]]


def test_baselines_come_back_from_json() -> None:
    sources = words()
    texts = texts_of(sources, [word.upper() for word in sources])
    peers = fit_text_baselines(texts)
    assert [peer.name for peer in peers] == ["most frequent", "token by token"]
    again = restore_text_baselines(json.loads(json.dumps(dump_text_baselines(peers))), texts.target_vocabulary.size)
    assert again == peers
    with pytest.raises(ValueError, match="writes a token beyond the 3 of the target"):
        restore_text_baselines(dump_text_baselines(peers), 3)
