"""Files of JSON Lines as tables."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.tables.sources import read_source
from seq2seq_kit.errors import DataError


def written(folder: Path, *lines: str, name: str = "rows.jsonl") -> str:
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return str(folder / name)


def test_numbers_texts_and_absent_cells_are_read(tmp_path: Path) -> None:
    path = written(
        tmp_path, '{"at": "2024-01-01", "n": 1, "id": "007"}', "", '{"n": 2.5, "more": true, "at": null}\r', ""
    )
    frame = read_source(path)
    assert frame.columns.tolist() == ["at", "n", "id", "more"]
    np.testing.assert_array_equal(frame["n"], [1, 2.5])
    assert frame["id"].tolist()[0] == "007"
    assert frame["at"].tolist()[0] == "2024-01-01"
    assert frame.isna().to_numpy().tolist() == [[False, False, False, True], [True, False, True, False]]


def test_numbers_beside_texts_and_names_are_texts_as_they_are_written(tmp_path: Path) -> None:
    path = written(tmp_path, '{"n": 1, "id": 7}', '{"n": "x", "id": 8}', '{"n": null}')
    frame = read_source(path, texts=["id"])
    assert frame["n"].dropna().tolist() == ["1", "x"]
    assert frame["id"].dropna().tolist() == ["7", "8"]
    assert frame["n"].isna().tolist() == frame["id"].isna().tolist() == [False, False, True]


def test_every_digit_of_a_number_counts(tmp_path: Path) -> None:
    """A fast reader of JSON gives 0.30000000000000004 another last digit."""
    values = np.random.default_rng(0).normal(size=1_000) * 10.0 ** np.random.default_rng(1).integers(-8, 9, 1_000)
    path = written(tmp_path, *(json.dumps({"x": value}) for value in values.tolist()))
    np.testing.assert_array_equal(read_source(path)["x"], values)


def test_a_packed_file_and_a_mark_at_its_begin_are_read(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b'\xef\xbb\xbf{"x": 1}\n{"x": 2}\n'))
    assert read_source(str(tmp_path / "rows.jsonl.gz"))["x"].tolist() == [1, 2]


def test_lines_that_end_as_they_did_on_old_machines_are_read(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'{"x": 1}\r{"x": 2, "s": "\xe2\x80\xa8"}\r')
    frame = read_source(str(tmp_path / "rows.jsonl"))
    assert frame["x"].tolist() == [1, 2]
    assert frame["s"].iloc[1] == "\u2028"


def test_a_character_in_two_halves_is_one(tmp_path: Path) -> None:
    assert read_source(written(tmp_path, '{"s": "\\ud83d\\ude00"}'))["s"].tolist() == ["\U0001f600"]


def test_several_files_are_one_table(tmp_path: Path) -> None:
    for name in ("a.ndjson", "b.ndjson"):
        written(tmp_path, '{"x": 1}', '{"x": 2}', name=name)
    assert read_source(str(tmp_path / "*.ndjson"))["x"].tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("lines", "said", "code"),
    [
        (['{"a": 1}', '{"a": '], "line 2: not readable as JSON", "unreadable_file"),
        (['[{"a": 1}]'], "line 1: expected an object", "unreadable_file"),
        (['{"a": ' + "[" * 100_000], "line 1: not readable as JSON", "unreadable_file"),
        (['{"a": ' + "9" * 5_000 + "}"], "line 1: not readable as JSON", "unreadable_file"),
        (['{"a": "\\ud800"}'], "line 1: not readable as JSON", "unreadable_file"),
        (['{"a": 1, "a": 2}'], "line 1, names the column a more than once", "duplicate_column"),
        (["", ""], "is empty; expected an object in each line", "empty_table"),
        (["{}"], "is empty; expected an object in each line", "empty_table"),
    ],
)
def test_what_is_no_line_of_json_is_told_with_its_number(
    tmp_path: Path, lines: list[str], said: str, code: str
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read_source(written(tmp_path, *lines))
    assert caught.value.code == code
    assert len(str(caught.value)) < 600


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'{"a": "\xff\xfe"}')
    with pytest.raises(DataError, match="not a readable file of JSON Lines in UTF-8") as caught:
        read_source(str(tmp_path / "rows.jsonl"))
    assert caught.value.code == "unreadable_file"


def test_a_file_is_read_as_the_frame_that_pandas_reads(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"time": ["2024-01-01", "2024-01-02"], "load": [1.5, 2.0], "on": [True, False], "id": ["a", "é"]}
    )
    frame.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    pd.testing.assert_frame_equal(read_source(str(tmp_path / "rows.jsonl")), frame)


def test_a_key_that_a_whole_file_lacks_is_an_empty_cell(tmp_path: Path) -> None:
    written(tmp_path, '{"x": 1}', name="a.jsonl")
    written(tmp_path, '{"x": 2, "note": "late"}', name="b.jsonl")
    frame = read_source(str(tmp_path / "*.jsonl"))
    assert frame["x"].tolist() == [1, 2]
    assert frame["note"].isna().tolist() == [True, False]


def test_what_is_no_number_is_an_empty_cell_beside_texts_and_truths_are_called_as_elsewhere(tmp_path: Path) -> None:
    path = written(tmp_path, '{"s": "a", "t": true}', '{"s": NaN, "t": false}')
    frame = read_source(path, texts=["t"])
    assert frame["s"].isna().tolist() == [False, True]
    assert frame["t"].tolist() == ["True", "False"]
