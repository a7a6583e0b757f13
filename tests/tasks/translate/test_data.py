"""Pairs of texts: who shares a part, what is refused and in which words, which numbers a model is given."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.sequences.ragged import NO_LABEL
from seq2seq_kit.data.sequences.texts import read_texts, split_by_hash
from seq2seq_kit.data.sequences.vocabulary import Vocabulary
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.fields import SequenceSplit
from seq2seq_kit.tasks.translate.data import FOREIGN, Texts, encode_sources, prepare_texts
from seq2seq_kit.tasks.translate.recipe import TranslateData

WORDS = [f"{a}{b}{c}" for a in "abcd" for b in "efgh" for c in "ijk"]


def pairs(**columns: list[Any]) -> pd.DataFrame:
    """Words and their reverse; keywords replace columns."""
    return pd.DataFrame({"word": WORDS, "reverse": [word[::-1] for word in WORDS]} | columns)


def prepared(frame: pd.DataFrame | None = None, *, feedback: bool = False, **data: Any) -> Texts:
    section = TranslateData(source_column="word", target_column="reverse", **data)
    return prepare_texts(section, pairs() if frame is None else frame, feedback=feedback, origin="words.csv")


def test_each_row_belongs_to_one_part() -> None:
    parts = prepared().parts
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(WORDS)))
    assert min(len(numbers) for numbers in parts.values()) > 0


def test_new_rows_move_none_of_the_old_ones() -> None:
    split = SequenceSplit(val=0.2, test=0.3)
    before = split_by_hash(WORDS, split)
    after = split_by_hash([f"new {number}" for number in range(500)] + WORDS, split)
    for part in ("train", "val", "test"):
        assert [row - 500 for row in after[part] if row >= 500] == before[part].tolist()
    shares = [len(after[part]) / (500 + len(WORDS)) for part in ("train", "val", "test")]
    np.testing.assert_allclose(shares, [0.5, 0.2, 0.3], atol=0.06)


def test_equal_sources_share_a_part_and_are_told() -> None:
    frame = pd.concat([pairs(), pairs(reverse=[word.upper() for word in WORDS])], ignore_index=True)
    texts = prepared(frame)
    for part in texts.parts.values():
        assert {row % len(WORDS) for row in part if row < len(WORDS)} == {row % len(WORDS) for row in part}
    assert texts.notes == [
        "48 rows repeat a source; all answers to one source are in the same part, and any of them counts as correct"
    ]
    assert prepared().notes == []


def test_vocabularies_know_the_training_rows_only() -> None:
    texts = prepared()
    learned = {letter for row in texts.parts["train"] for letter in WORDS[row]}
    assert set(texts.source_vocabulary.tokens) == learned
    row = int(texts.parts["test"][0])
    strange = prepared(pairs(reverse=["Z" if place == row else word for place, word in enumerate(WORDS)]))
    assert "Z" not in strange.target_vocabulary.tokens
    assert strange.references("test")[WORDS[row]] == [[FOREIGN]]
    assert strange.answers[row].tolist() == [1, 0]


def test_references_hold_every_answer_to_a_source() -> None:
    frame = pd.concat([pairs(), pairs(reverse=WORDS)], ignore_index=True)
    texts = prepared(frame)
    source = WORDS[int(texts.parts["test"][0])]
    vocabulary = texts.target_vocabulary
    expected = [vocabulary.numbers(source[::-1]), vocabulary.numbers(source)]
    assert texts.references("test")[source] == expected
    assert list(texts.references("test")) == [WORDS[row] for row in texts.parts["test"] if row < len(WORDS)]


def test_an_output_has_room_for_the_longest_training_target_and_an_end() -> None:
    assert prepared().output_steps == 4
    assert prepared(output_steps=9).output_steps == 9
    texts = prepared(output_steps=3)
    assert texts.answers[0].tolist() == texts.target_vocabulary.numbers(WORDS[0][::-1])  # no room for the end


@pytest.mark.parametrize("feedback", [False, True])
def test_targets_end_in_0_and_the_decoder_reads_them_one_step_later(feedback: bool) -> None:
    frame = pairs(reverse=[word[: 1 + row % 3] for row, word in enumerate(WORDS)])
    texts = prepared(frame, feedback=feedback, output_steps=6)
    first, last = (int(row) for row in texts.parts["train"][[0, -1]])
    arrays = texts.arrays("train", np.array([0, len(texts.parts["train"]) - 1]))
    target = texts.target.padded(np.array([first, last]))
    assert len(arrays) == 1 + feedback
    assert target.shape[1] == (max(first % 3, last % 3) + 2 if feedback else 6)
    for row, number in enumerate((first, last)):
        numbers = texts.target_vocabulary.numbers(frame["reverse"][number])
        assert target[row].tolist() == [*numbers, 0] + [NO_LABEL] * (target.shape[1] - len(numbers) - 1)
        if feedback:
            assert arrays[1][row].tolist() == [0, *numbers] + [0] * (target.shape[1] - len(numbers) - 1)


def test_a_source_can_be_read_from_its_end() -> None:
    vocabulary = Vocabulary("char", ["a", "b", "c"])
    assert encode_sources(["abc", "b"], vocabulary, reverse=False)[0].tolist() == [2, 3, 4]
    assert encode_sources(["abc", "b"], vocabulary, reverse=True)[0].tolist() == [4, 3, 2]


def test_both_sides_can_have_levels_of_their_own() -> None:
    frame = pairs(reverse=[" ".join(word.upper()) for word in WORDS])
    texts = prepared(frame, target_level="token")
    assert texts.source_vocabulary.level == "char"
    assert " " not in texts.target_vocabulary.tokens
    assert texts.output_steps == 4


def test_a_missing_column_is_named_beside_those_at_hand() -> None:
    with pytest.raises(DataError, match=r"words\.csv lacks the column reverse\. It also has word, backwards; rename"):
        prepared(pairs().rename(columns={"reverse": "backwards"}))


def test_a_table_without_rows_says_so() -> None:
    with pytest.raises(DataError, match=r"words\.csv has a header and no rows"):
        prepared(pairs().head(0))


@pytest.mark.parametrize("text", ["", "   ", "\t", None, float("nan")])
def test_an_empty_text_is_named_by_row_and_column(text: Any) -> None:
    sources: list[Any] = [*WORDS]
    sources[4] = text
    with pytest.raises(DataError, match=r"words\.csv, row 5, column word: the text is empty"):
        prepared(pairs(word=sources))


def test_mixed_types_are_refused_and_numbers_alone_are_texts() -> None:
    with pytest.raises(
        DataError, match=r"column word: expected texts\. Received a mixture of int, str\. .*astype\(str\)"
    ):
        prepared(pairs(word=[1, *WORDS[1:]]))
    numbers = pairs(word=list(range(48)))
    assert read_texts(numbers, "word", "x")[:3] == ["0", "1", "2"]


@pytest.mark.parametrize(("column", "key"), [("word", "input_steps"), ("reverse", "output_steps")])
def test_a_text_longer_than_allowed_is_named_with_the_limit(column: str, key: str) -> None:
    texts: list[Any] = [*WORDS]
    texts[6], texts[9] = "abcdef", "abcdefgh"
    said = (
        rf"words\.csv, row 7, column {column}: 6 tokens, expected at most 3\. Received: 'abcdef' "
        rf"\(2 such rows, the longest has 8 tokens\)\. Raise data\.{key}"
    )
    with pytest.raises(DataError, match=said):
        prepared(pairs(**{column: texts}), feedback=False, **{key: 3})
    assert prepared(pairs(**{column: texts}), feedback=False, **{key: 8}).count("train") > 0


@pytest.mark.parametrize("nothing", [None, float("nan"), ""])
def test_unequal_numbers_of_sources_and_targets_are_counted(nothing: Any) -> None:
    short = [word[::-1] for word in WORDS[:-3]] + [nothing] * 3
    with pytest.raises(
        DataError, match=r"48 source texts in word and 45 target texts in reverse; .* Row 46 is the first"
    ):
        prepared(pairs(reverse=short))
    with pytest.raises(DataError, match="45 source texts in word and 48 target texts in reverse"):
        prepared(pairs(word=short))


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_an_empty_part_is_named(part: str) -> None:
    parts = prepared().parts
    frame = pairs().drop(index=parts[part].tolist())
    with pytest.raises(
        DataError, match=rf"none of its {len(frame)} pairs falls into the {part} part\. Give more pairs"
    ):
        prepared(frame)
