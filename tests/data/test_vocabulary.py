"""Tokens get the numbers that follow from how often the training rows have them, and find back from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_kit.data.sequences.vocabulary import PADDING, UNKNOWN, UNKNOWN_TEXT, Vocabulary

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=5)


def test_the_most_frequent_token_comes_first_and_equal_ones_by_alphabet() -> None:
    vocabulary = Vocabulary.fit(["abbc", "cb"], level="char")
    assert vocabulary.tokens == ["b", "c", "a"]
    assert vocabulary.number == {"b": 2, "c": 3, "a": 4}
    assert vocabulary.size == 5
    assert Vocabulary.fit(["z y x"], level="token").tokens == ["x", "y", "z"]


def test_words_are_told_apart_by_any_white_space() -> None:
    vocabulary = Vocabulary.fit(["the  cat\tsat ", "the\ncat"], level="token")
    assert vocabulary.tokens == ["cat", "the", "sat"]
    assert vocabulary.split(" the \t mat") == ["the", "mat"]


def test_white_space_is_a_character() -> None:
    assert Vocabulary.fit(["a b"], level="char").tokens == [" ", "a", "b"]


def test_what_is_rarer_than_min_count_is_unknown() -> None:
    vocabulary = Vocabulary.fit(["aab"], level="char", min_count=2)
    assert vocabulary.tokens == ["a"]
    assert vocabulary.numbers("aba") == [2, UNKNOWN, 2]
    assert Vocabulary.fit_tokens(["New York", "New York", "Rome"], min_count=2).tokens == ["New York"]


def test_padding_leaves_no_trace_in_a_text_and_an_unknown_token_does() -> None:
    vocabulary = Vocabulary("char", ["a", "b"])
    assert vocabulary.text([2, PADDING, 3, PADDING]) == "ab"
    assert vocabulary.text([2, UNKNOWN]) == f"a{UNKNOWN_TEXT}"
    assert Vocabulary("token", ["a", "b"]).text([3, UNKNOWN, 2]) == f"b {UNKNOWN_TEXT} a"


@pytest.mark.slow
@given(texts=st.lists(st.text(max_size=8), min_size=1, max_size=5))
def test_every_training_text_finds_back_from_its_characters(texts: list[str]) -> None:
    vocabulary = Vocabulary.fit(texts, level="char")
    for text in texts:
        numbers = vocabulary.numbers(vocabulary.split(text))
        assert vocabulary.text(numbers) == text
        assert all(2 <= number < vocabulary.size for number in numbers)


@given(sequences=st.lists(st.lists(WORDS, max_size=5), min_size=1, max_size=5), least=st.integers(1, 3))
def test_words_find_back_unless_they_are_rare(sequences: list[list[str]], least: int) -> None:
    vocabulary = Vocabulary.fit(map(" ".join, sequences), level="token", min_count=least)
    words = [word for sequence in sequences for word in sequence]
    kept = {word for word in words if words.count(word) >= least}
    assert set(vocabulary.tokens) == kept
    assert vocabulary.text(vocabulary.numbers(words)) == " ".join(
        word if word in kept else UNKNOWN_TEXT for word in words
    )
