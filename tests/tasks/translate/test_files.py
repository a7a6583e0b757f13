"""Texts, tokens and labels of a file are taken as they are written."""

from pathlib import Path

import pytest

from seq2seq_kit.data.tables.sources import read_source
from seq2seq_kit.errors import DataError
from seq2seq_kit.tasks.tag.recipe import TagTokensData
from seq2seq_kit.tasks.tag.tokens import read_tokens
from seq2seq_kit.tasks.translate.data import read_pairs, read_table_of_texts
from seq2seq_kit.tasks.translate.recipe import TranslateData

PAIRS = TranslateData(source_column="a", target_column="b")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "own.csv"


def test_what_looks_like_a_number_or_a_missing_cell_stays_a_text(path: Path) -> None:
    path.write_text("a,b,c\n007,1.50,1\nNA,null,2\nNone,nan,\n")
    frame = read_table_of_texts(PAIRS, str(path))
    assert read_pairs(frame, PAIRS, "x") == (["007", "NA", "None"], ["1.50", "null", "nan"])
    assert frame["c"].dtype == float
    assert read_source(str(path))["a"].isna().sum() == 2  # elsewhere such cells are missing


def test_an_empty_cell_is_still_missing(path: Path) -> None:
    path.write_text("a,b\nx,\ny,z\n")
    with pytest.raises(DataError, match="x, row 1, column b: the text is empty"):
        read_pairs(read_table_of_texts(PAIRS, str(path)), PAIRS, "x")
    path.write_text("a,b\nx,z\ny,\n")
    with pytest.raises(DataError, match="2 source texts in a and 1 target texts in b"):
        read_pairs(read_table_of_texts(PAIRS, str(path)), PAIRS, "x")
    path.write_text("a,b\nx,z\ny\n")
    with pytest.raises(DataError, match="2 source texts in a and 1 target texts in b"):
        read_pairs(read_table_of_texts(PAIRS, str(path)), PAIRS, "x")


def test_a_file_without_a_column_is_told_as_ever(path: Path) -> None:
    path.write_text("a,c\nx,z\n")
    with pytest.raises(DataError, match="x lacks the column b"):
        read_pairs(read_table_of_texts(PAIRS, str(path)), PAIRS, "x")


def test_tokens_and_labels_of_a_table_are_texts(path: Path) -> None:
    path.write_text("sentence,word,tag\n1,01,NA\n1,null,\n")
    data = TagTokensData(series="sentence", tokens="word", labels="tag")
    frame = read_tokens(data, str(path))
    assert frame["word"].tolist() == ["01", "null"]
    assert frame["tag"].tolist() == ["NA", ""]
    assert frame["sentence"].tolist() == ["1", "1"]
