"""Tagged tokens: how a CoNLL-style file is read, which rows are one sequence, what is refused and in which words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import draft_recipe
from seq2seq_kit.data.sequences.labels import learn_labels, read_labels
from seq2seq_kit.data.sequences.vocabulary import UNKNOWN, Vocabulary
from seq2seq_kit.errors import DataError
from seq2seq_kit.tasks.tag.data import Tagged
from seq2seq_kit.tasks.tag.recipe import TagTokensData
from seq2seq_kit.tasks.tag.tokens import (
    CHARACTERS,
    SEQUENCE,
    TokenVocabularies,
    prepare_tokens,
    read_lines,
    read_sequences,
)

NAMES = ["word", "label"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "words.tsv"


def written(path: Path, text: str, names: list[str] | None = None) -> pd.DataFrame:
    path.write_bytes(text.encode())
    return read_lines(path, names or NAMES)


def data(**keys: Any) -> TagTokensData:
    base = {"lines": NAMES, "tokens": "word", "labels": "label", "min_count": 1}
    return TagTokensData.model_validate(base | keys)


def letters(count: int = 40) -> pd.DataFrame:
    """Sequences of letters, vowels told apart; all different."""
    rng = np.random.default_rng(0)
    rows = [
        (number, letter, "vowel" if letter in "aeiou" else "other")
        for number in range(1, count + 1)
        for letter in rng.choice(list("abcdefghij"), size=int(rng.integers(3, 8)))
    ]
    return pd.DataFrame(rows, columns=[SEQUENCE, "word", "label"])


def prepared(frame: pd.DataFrame, **keys: Any) -> tuple[Tagged, TokenVocabularies]:
    own: dict[str, pd.DataFrame] = {part: keys.pop(part) for part in ("val", "test") if part in keys}
    characters = keys.pop("characters", False)
    return prepare_tokens(data(**keys), frame, own=own, characters=characters, origin="words.tsv")


def test_a_blank_line_stands_between_sequences(path: Path) -> None:
    frame = written(path, "The\tD\ncat\tN\n\nSat\tV\n")
    assert frame[SEQUENCE].tolist() == [1, 1, 2]
    assert frame["word"].tolist() == ["The", "cat", "Sat"]
    assert frame["label"].tolist() == ["D", "N", "V"]
    assert list(frame) == [SEQUENCE, *NAMES]


@pytest.mark.parametrize("ending", ["", "\n", "\n\n", "\n\n\n\n"])
@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_blank_lines_at_the_end_and_foreign_line_ends_change_nothing(path: Path, line: str, ending: str) -> None:
    text = ("\n\nThe\tD\ncat\tN\n\n\nSat\tV" + ending).replace("\n", line)
    pd.testing.assert_frame_equal(written(path, text), written(path, "The\tD\ncat\tN\n\nSat\tV"))


def test_comments_stand_before_a_sequence(path: Path) -> None:
    text = "# sent_id = 1\n# text = The cat\nThe\tD\n#\tPUNCT\n# 1\tNOUN\n\n# newdoc\nSat\tV\n"
    frame = written(path, text)
    assert frame["word"].tolist() == ["The", "#", "# 1", "Sat"]
    assert frame[SEQUENCE].tolist() == [1, 1, 1, 2]


def test_a_byte_order_mark_is_no_part_of_a_token(path: Path) -> None:
    assert written(path, "\ufeffThe\tD\n")["word"].tolist() == ["The"]


def test_further_columns_are_left_out(path: Path) -> None:
    assert list(written(path, "1\tThe\tthe\tDET\tDT\n2\tcat\tcat\tNOUN\tNN\n", ["id", "word"])) == [
        SEQUENCE,
        "id",
        "word",
    ]


def test_a_file_may_hold_tokens_only(path: Path) -> None:
    frame = written(path, "The\ncat\n\nSat\n")
    assert list(frame) == [SEQUENCE, "word"]
    assert frame["word"].tolist() == ["The", "cat", "Sat"]


@pytest.mark.parametrize(
    ("text", "line", "received"),
    [
        ("The\tD\ncat\n", 2, "'cat'"),
        ("# a\nThe\tD\n\ncat\tN\tmore\n", 4, r"'cat\\tN\\tmore'"),
        ("The\tD\n\tN\n", 2, r"'\\tN'"),
        ("The\tD\n \nSat\tV\n", 2, "' '"),
    ],
)
def test_a_line_with_other_columns_is_named_by_its_number(path: Path, text: str, line: int, received: str) -> None:
    with pytest.raises(
        DataError, match=rf"words\.tsv, line {line}: expected 2 tab-separated columns, .* Received: {received}\."
    ):
        written(path, text)


def test_a_file_without_tokens_and_one_that_is_no_text_are_told(path: Path) -> None:
    with pytest.raises(DataError, match=r"words\.tsv has no tokens"):
        written(path, "\n# only a comment\n\n")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"cannot read .*words\.tsv: .*Expected a UTF-8 text file"):
        read_lines(path, NAMES)
    with pytest.raises(DataError, match=r"cannot read .*none\.tsv"):
        read_lines(path.with_name("none.tsv"), NAMES)


def test_sequences_are_runs_of_equal_names() -> None:
    frame = pd.DataFrame({SEQUENCE: [7, 7, 3, 3, 3, 9], "word": list("abcdef")})
    words, starts, lengths = read_sequences(data(), frame, "x")
    assert words == list("abcdef")
    assert starts.tolist() == [0, 2, 5]
    assert lengths.tolist() == [2, 3, 1]


def test_a_column_of_the_table_may_tell_sequences_apart() -> None:
    frame = pd.DataFrame({"sentence": ["x", "x", "y"], "word": list("abc")})
    _, starts, lengths = read_sequences(data(lines=None, series="sentence"), frame, "x")
    assert (starts.tolist(), lengths.tolist()) == ([0, 2], [2, 1])
    with pytest.raises(DataError, match=r"x lacks the column phrase\. It also has sentence, word; .*data\.series"):
        read_sequences(data(lines=None, series="phrase"), frame, "x")


def test_a_sequence_that_goes_on_later_is_refused() -> None:
    frame = pd.DataFrame({SEQUENCE: [1, 1, 2, 1], "word": list("abcd")})
    with pytest.raises(DataError, match=r"x, row 4: the sequence 1 goes on after another one began; .*Sort the file"):
        read_sequences(data(), frame, "x")


def test_a_sequence_longer_than_allowed_is_named_with_the_limit() -> None:
    frame = pd.DataFrame({SEQUENCE: [1, 1, 2, 2, 2, 3, 3, 3, 3], "word": list("abcdefghi")})
    said = r"x, row 6: a sequence of 4 tokens, expected at most 2 \(2 such sequences\)\. Raise data\.input_steps"
    with pytest.raises(DataError, match=said):
        read_sequences(data(input_steps=2), frame, "x")
    assert len(read_sequences(data(input_steps=4), frame, "x")[0]) == 9


def test_a_missing_column_of_labels_is_named() -> None:
    with pytest.raises(
        DataError, match=r"words\.tsv lacks the column label\. It also has sequence, word; .*data\.labels"
    ):
        prepared(letters().drop(columns="label"))


def test_every_sequence_belongs_to_one_part_and_keeps_its_tokens_labels_and_rows() -> None:
    frame = letters()
    tagged, vocabularies = prepared(frame)
    assert sorted(np.concatenate(list(tagged.parts.values())).tolist()) == list(range(40))
    for part, numbers in tagged.parts.items():
        rows = tagged.rows.rows_of(numbers)
        assert list(tagged.tokens_of(numbers)) == frame["word"].iloc[rows].tolist()
        truth = tagged.truth_of(part)
        assert [tagged.labels[label] for label in truth] == frame["label"].iloc[rows].tolist()
        arrays = tagged.arrays(part, np.arange(tagged.count(part)))
        numbered = vocabularies.tokens.numbers(frame["word"].iloc[rows].tolist())
        assert arrays[0][arrays[0] > 0].tolist() == numbered


def test_equal_sequences_share_a_part() -> None:
    once = letters()
    twice = pd.concat([once, once.assign(**{SEQUENCE: once[SEQUENCE] + 40})], ignore_index=True)
    tagged, _ = prepared(twice)
    for numbers in tagged.parts.values():
        assert {number % 40 for number in numbers if number < 40} == {number % 40 for number in numbers if number >= 40}


def test_labels_are_the_most_frequent_first() -> None:
    assert prepared(letters())[0].labels == ["other", "vowel"]
    assert learn_labels(["b", "a", None, "b", "a", "c"]) == ["a", "b", "c"]
    with pytest.raises(DataError, match=r"the training rows have 1 label; expected at least two .* Received: a\."):
        learn_labels(["a", None, "a"])


def test_a_label_unseen_in_training_is_told_with_its_row_and_what_to_do() -> None:
    frame = letters()
    tagged, _ = prepared(frame)
    row = int(tagged.rows[int(tagged.parts["val"][0])][1])
    frame.loc[row, "label"] = "vowle"
    said = (
        rf"words\.tsv, row {row + 1}: the label 'vowle' .* have other, vowel\. .*, "
        r"join it with another one by data\.join_labels"
    )
    with pytest.raises(DataError, match=said) as refused:
        prepared(frame)
    assert refused.value.code == "unknown_label"
    joined, _ = prepared(frame, join_labels={"vowle": "vowel"})
    assert joined.labels == ["other", "vowel"]


def test_labels_can_be_joined_even_crosswise() -> None:
    frame = pd.DataFrame({"label": ["a", "b", "c", "a"]})
    assert read_labels(frame, "label", {"a": "b"}, "x").tolist() == ["b", "b", "c", "b"]
    assert read_labels(frame, "label", {"a": "b", "b": "a"}, "x").tolist() == ["b", "a", "c", "b"]
    assert read_labels(frame, "label", {}, "x").tolist() == ["a", "b", "c", "a"]


def test_an_empty_label_is_none_and_numbers_are_named_alike_with_and_without_one(path: Path) -> None:
    frame = written(path, "The\tD\ncat\t\n")
    assert read_labels(frame, "label", {}, "x").tolist() == ["D", None]
    for column in ([1, 2, None], [1.0, 2.0, float("nan")], pd.Series([1, 2, None], dtype="Int64")):
        assert read_labels(pd.DataFrame({"label": column}), "label", {}, "x").tolist() == ["1", "2", None]
    assert read_labels(pd.DataFrame({"label": [1, 2]}), "label", {}, "x").tolist() == ["1", "2"]
    assert read_labels(pd.DataFrame({"label": [1.5, None]}), "label", {}, "x").tolist() == ["1.5", None]


def test_a_test_file_takes_the_place_of_the_test_share() -> None:
    frame, more = letters(), letters(60).query(f"{SEQUENCE} > 40").reset_index(drop=True)
    alone, _ = prepared(frame)
    tagged, vocabularies = prepared(frame, test=more, test_source="dev.tsv")
    assert tagged.parts["train"].tolist() == sorted([*alone.parts["train"], *alone.parts["test"]])
    assert tagged.parts["val"].tolist() == alone.parts["val"].tolist()
    assert list(tagged.tokens_of(tagged.parts["test"])) == more["word"].tolist()
    assert [tagged.labels[label] for label in tagged.truth_of("test")] == more["label"].tolist()
    assert tagged.rows.rows_of(tagged.parts["test"]).tolist() == list(range(len(more)))
    numbers = tagged.inputs[0].sequences.rows_of(tagged.parts["test"])
    assert numbers.tolist() == vocabularies.tokens.numbers(more["word"].tolist())


def test_a_validation_file_takes_the_place_of_the_validation_share() -> None:
    frame, more = letters(), letters(60).query(f"{SEQUENCE} > 40").reset_index(drop=True)
    alone, _ = prepared(frame)
    tagged, _ = prepared(frame, val=more, val_source="dev.tsv")
    assert tagged.parts["train"].tolist() == sorted([*alone.parts["train"], *alone.parts["val"]])
    assert tagged.parts["test"].tolist() == alone.parts["test"].tolist()
    assert list(tagged.tokens_of(tagged.parts["val"])) == more["word"].tolist()
    assert [tagged.labels[label] for label in tagged.truth_of("val")] == more["label"].tolist()


def test_with_a_file_for_each_all_rows_of_the_source_are_trained_on() -> None:
    frame, more = letters(), letters(60).query(f"{SEQUENCE} > 40").reset_index(drop=True)
    dev, test = more.iloc[:40], more.iloc[40:].reset_index(drop=True)
    dev = dev[dev[SEQUENCE] != test[SEQUENCE][0]]
    tagged, _ = prepared(frame, val=dev, test=test, val_source="dev.tsv", test_source="test.tsv")
    assert tagged.parts["train"].tolist() == list(range(40))
    assert list(tagged.tokens_of(tagged.parts["val"])) == dev["word"].tolist()
    assert list(tagged.tokens_of(tagged.parts["test"])) == test["word"].tolist()
    dev.loc[1, "label"] = "strange"
    with pytest.raises(DataError, match=r"dev\.tsv, row 2: the label 'strange'"):
        prepared(frame, val=dev, test=test, val_source="dev.tsv", test_source="test.tsv")


def test_what_is_wrong_with_the_test_file_is_told_with_its_name_and_row() -> None:
    more = letters(60).query(f"{SEQUENCE} > 40").reset_index(drop=True)
    more.loc[3, "label"] = "strange"
    with pytest.raises(DataError, match=r"dev\.tsv, row 4: the label 'strange'") as refused:
        prepared(letters(), test=more, test_source="dev.tsv")
    assert refused.value.code == "unknown_label"
    more.loc[2, "word"] = ""
    with pytest.raises(DataError, match=r"dev\.tsv, row 3, column word: the text is empty"):
        prepared(letters(), test=more, test_source="dev.tsv")


def test_rare_tokens_are_unknown() -> None:
    frame = letters()
    frame.loc[0, "word"] = "once"
    _, vocabularies = prepared(frame, min_count=2)
    assert vocabularies.tokens.numbers(["once", "a"])[0] == UNKNOWN
    assert vocabularies.tokens.numbers(["a"])[0] > UNKNOWN


def test_a_token_is_spelled_in_full_or_by_its_beginning_and_end() -> None:
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    vocabularies = TokenVocabularies(Vocabulary("token", ["ab"]), Vocabulary("char", list(alphabet)))
    exact = alphabet[:CHARACTERS]
    _, spelled = vocabularies.inputs(["ab", exact, alphabet], np.array([0, 2]), np.array([2, 1]))
    first = spelled.padded(np.array([0, 1]))
    assert first.shape == (2, 2, CHARACTERS)
    assert first[0, 0].tolist() == [2, 3] + [0] * (CHARACTERS - 2)
    assert first[0, 1].tolist() == [alphabet.index(letter) + 2 for letter in exact]
    assert first[1, 0].tolist() == [alphabet.index(letter) + 2 for letter in alphabet[:6] + alphabet[-10:]]
    assert first[1, 1].tolist() == [0] * CHARACTERS


def test_characters_are_read_only_where_the_model_does() -> None:
    assert len(prepared(letters())[0].inputs) == 1
    tagged, vocabularies = prepared(letters(), characters=True)
    assert len(tagged.inputs) == 2
    assert vocabularies.characters is not None
    assert set(vocabularies.characters.tokens) <= set("abcdefghij")


def test_a_part_without_a_sequence_is_named() -> None:
    frame = letters()
    parts = prepared(frame)[0].parts
    kept = frame[~frame[SEQUENCE].isin(parts["val"] + 1)].reset_index(drop=True)
    with pytest.raises(DataError, match=r"none of its \d+ sequences falls into the val part\. Give more sequences"):
        prepared(kept)


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_part_without_a_label_is_named(part: str) -> None:
    frame = letters()
    numbers = prepared(frame)[0].parts[part] + 1
    own = frame[SEQUENCE].isin(numbers)
    frame.loc[own, "label"] = None
    with pytest.raises(DataError, match=rf"words\.tsv: none of the {own.sum()} steps of the {part} part has a label"):
        prepared(frame)


def test_ranges_and_empty_nodes_of_conllu_are_no_tokens(tmp_path: Path) -> None:
    path = tmp_path / "rows.conllu"
    lines = ["1-2\tdel\t_", "1\tde\tADP", "2\tel\tDET", "2.1\tve\t_", "3\tmar\tNOUN", "", "1\ty\tCCONJ", "2\tsol\tNOUN"]
    path.write_text("\n".join(lines) + "\n")
    frame = read_lines(path, ["id", "token", "label"])
    assert frame.token.tolist() == ["de", "el", "mar", "y", "sol"]
    assert frame[SEQUENCE].tolist() == [1, 1, 1, 2, 2]


def test_tokens_that_look_like_ranges_stay_where_no_column_counts(tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv"
    path.write_text("1\tNUM\n1-2\tNUM\n8.1\tNUM\n5\tNUM\n")
    assert read_lines(path, ["token", "label"]).token.tolist() == ["1", "1-2", "8.1", "5"]


def conll(path: Path) -> Path:
    """Sentences as CoNLL-2003 has them: blanks between the cells, and a line that begins a document."""
    sentences = [f"The DT O\ncat{number} NN B-PER\nsleeps VB O\n" for number in range(300)]
    path.write_text("-DOCSTART- -X- O\n\n" + "\n".join(sentences), encoding="utf-8")
    return path


def test_blanks_separate_cells_where_the_recipe_says_so(tmp_path: Path) -> None:
    path = conll(tmp_path / "train.conll")
    frame = read_lines(path, ["token", "pos", "label"], blanks=True)
    assert frame.groupby("sequence").size().tolist() == [3] * 300
    assert frame.label.unique().tolist() == ["O", "B-PER"]
    with pytest.raises(DataError, match=r"data\.format\.delimiter: whitespace") as caught:
        read_lines(path, ["token", "pos", "label"])
    assert caught.value.code == "other_separator"


def test_a_first_recipe_reads_blanks(tmp_path: Path) -> None:
    draft = draft_recipe(conll(tmp_path / "train.conll"))
    data = draft.recipe["data"]
    assert isinstance(data, Mapping)
    assert (draft.recipe["task"], data["format"], data["labels"]) == ("tag", {"delimiter": "whitespace"}, "label")
    assert sum(draft.windows.values()) == 300
    prose = tmp_path / "prose.txt"
    prose.write_text("Two words\n\nThree words here\n\nTwo words\n", encoding="utf-8")
    with pytest.raises(DataError):
        draft_recipe(prose)


def test_tokens_alone_may_hold_blanks(tmp_path: Path) -> None:
    path = tmp_path / "new.txt"
    path.write_text("New York\nis\nbig\n", encoding="utf-8")
    assert read_lines(path, ["token", "label"]).token.tolist() == ["New York", "is", "big"]
