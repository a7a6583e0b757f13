"""Several files as one table: lists, globs, folders, partitions; Excel, Feather; and what is said of a wrong one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seq2seq_kit.data import read_source
from seq2seq_kit.errors import DataError, RecipeError
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.tasks import open_job, parse_recipe
from seq2seq_kit.validation import validate
from tests.conftest import forecast_recipe, hourly_frame


@pytest.fixture
def months(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[pd.DataFrame]:
    """Three files of 100 rows each, written to `sales/`; the current folder is the one around it."""
    monkeypatch.chdir(tmp_path)
    Path("sales").mkdir()
    frame = hourly_frame(300)
    parts = [frame[first : first + 100].reset_index(drop=True) for first in (0, 100, 200)]
    for number, part in enumerate(parts):
        part.to_csv(f"sales/{number}.csv", index=False)
    return parts


@pytest.mark.parametrize(
    "source", [["sales/0.csv", "sales/1.csv", "sales/2.csv"], "sales/*.csv", "sales", "sales/**/*.csv"]
)
def test_several_files_are_one_table(months: list[pd.DataFrame], source: str | list[str]) -> None:
    frame = read_source(source)
    np.testing.assert_allclose(frame["load"], pd.concat(months)["load"])
    assert frame.index.tolist() == list(range(300))
    assert frame.attrs["read"] == {"files": ["sales/0.csv", "sales/1.csv", "sales/2.csv"], "rows": [100, 100, 100]}
    job = open_job(parse_recipe(forecast_recipe(source=source)))
    assert len(job.source) == 300


def test_a_recipe_with_several_files_is_read_again_as_it_was(months: list[pd.DataFrame]) -> None:
    recipe = parse_recipe(forecast_recipe(source=["sales/1.csv", "sales/0.csv"]))
    Path("again.yaml").write_text(dump_recipe(recipe))
    assert validate("again.yaml").recipe.data == recipe.data
    assert recipe.source == "sales/1.csv and 1 more file"


def test_a_wrong_cell_is_told_by_file_and_row(months: list[pd.DataFrame]) -> None:
    months[1].astype({"load": object}).replace({"load": {months[1]["load"][6]: "?"}}).to_csv("sales/1.csv", index=False)
    with pytest.raises(DataError, match=r"row 107, column load.*row 107 is row 7 of sales/1\.csv") as caught:
        validate(forecast_recipe(source="sales/*.csv"))
    assert caught.value.code == "not_a_number"


def test_a_wrong_cell_of_rows_to_predict_is_told_by_file(months: list[pd.DataFrame]) -> None:
    from seq2seq_kit.bundles.base import Bundle

    class Reading(Bundle):
        recipe = parse_recipe(forecast_recipe())

        def predict(self, frame: pd.DataFrame, *, origin: str = "the data") -> pd.DataFrame:
            raise DataError("row 250 is wrong", code="not_a_number")

    Reading.__abstractmethods__ = frozenset()
    with pytest.raises(DataError, match=r"row 250 is row 50 of sales/2\.csv"):
        Reading().predict(read_source("sales"))  # type: ignore[abstract]


def test_files_with_other_columns_are_told_apart(months: list[pd.DataFrame]) -> None:
    months[2].rename(columns={"heat": "warmth"}).to_csv("sales/2.csv", index=False)
    with pytest.raises(
        DataError, match=r"sales/2\.csv has other columns .* lacks heat and has warmth besides"
    ) as caught:
        read_source("sales")
    assert caught.value.code == "columns_differ"


def test_the_order_of_columns_may_differ(months: list[pd.DataFrame]) -> None:
    months[2][["heat", "load", "time"]].to_csv("sales/2.csv", index=False)
    np.testing.assert_allclose(read_source("sales")["heat"], pd.concat(months)["heat"])


def test_a_folder_of_several_kinds_is_refused(months: list[pd.DataFrame]) -> None:
    months[0].to_parquet("sales/0.parquet")
    with pytest.raises(DataError, match=r"files of several kinds: \.csv, \.parquet") as caught:
        read_source("sales")
    assert caught.value.code == "ambiguous_files"
    assert len(read_source("sales/*.csv")) == 300


def test_records_of_other_programs_are_left_alone(months: list[pd.DataFrame]) -> None:
    for name in ("_SUCCESS", ".hidden.csv", "_metadata.csv"):
        Path("sales", name).write_text("x\n")
    assert len(read_source("sales")) == 300


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("sales/*.tsv", r"no file matches sales/\*\.tsv"),
        ("void", "void has no file that can be read"),
        (["sales/0.csv", "no"], "no file no"),
    ],
)
def test_nothing_to_read_is_told(months: list[pd.DataFrame], source: str | list[str], said: str) -> None:
    Path("void/sub").mkdir(parents=True)
    with pytest.raises(DataError, match=said) as caught:
        read_source(source)
    assert caught.value.code == "file_not_found"


def test_a_file_that_is_called_like_a_glob_is_itself(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_text("load\n1\n")
    assert read_source(str(tmp_path / "a[1].csv"))["load"].tolist() == [1]


def test_folders_of_partitions_become_columns(tmp_path: Path) -> None:
    frame = hourly_frame(60, series=("01", "02")).assign(year=2024)
    pq.write_to_dataset(
        pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "sales", partition_cols=["year", "site"]
    )
    read = read_source(str(tmp_path / "sales"))
    assert read["year"].tolist() == [2024] * 120
    assert read["site"].tolist() == [1] * 60 + [2] * 60
    read = read_source(str(tmp_path / "sales"), texts=["site"])
    assert read["site"].tolist() == ["01"] * 60 + ["02"] * 60
    job = open_job(parse_recipe(forecast_recipe(source=str(tmp_path / "sales"), series="site")))
    assert job.series == ["01", "02"]


def test_a_partition_without_a_value_is_missing(tmp_path: Path) -> None:
    for name in ("shop=a", "shop=__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows.csv").write_text("load\n1\n")
    assert read_source(str(tmp_path))["shop"].isna().tolist() == [True, False]


def test_a_partition_that_is_also_a_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "load=3").mkdir()
    (tmp_path / "load=3" / "rows.csv").write_text("load\n1\n")
    with pytest.raises(DataError, match="names the column load more than once"):
        read_source(str(tmp_path))


@pytest.mark.parametrize("index", ["time", None])
def test_an_index_in_a_parquet_file_is_the_time(tmp_path: Path, index: str | None) -> None:
    path = tmp_path / "rows.parquet"
    hourly_frame(60).set_index("time").rename_axis(index).to_parquet(path)
    assert validate(forecast_recipe(source=str(path))).rows == 60


def test_periods_in_a_parquet_file_are_where_they_begin(tmp_path: Path) -> None:
    frame, path = hourly_frame(60), tmp_path / "rows.parquet"
    frame.set_index(pd.PeriodIndex(frame["time"], freq="h", name="time")).drop(columns="time").to_parquet(path)
    assert validate(forecast_recipe(source=str(path))).rows == 60


@pytest.mark.parametrize("name", ["rows.feather", "rows.arrow", "stream.arrow"])
def test_feather_and_arrow_files_are_read(tmp_path: Path, name: str) -> None:
    frame, path = hourly_frame(60), tmp_path / name
    if name.startswith("stream"):
        table = pa.Table.from_pandas(frame)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    else:
        frame.to_feather(path)
    pd.testing.assert_frame_equal(read_source(str(path)), frame)


@pytest.mark.parametrize("name", ["rows.feather", "rows.xlsx"])
def test_a_broken_file_is_told_as_such(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(DataError, match=f"{name} is not a readable") as caught:
        read_source(str(tmp_path / name))
    assert caught.value.code == "unreadable_file"


def test_an_excel_file_is_read_with_numbers_texts_and_times(tmp_path: Path) -> None:
    frame, path = hourly_frame(60).assign(site="007"), tmp_path / "rows.xlsx"
    frame.to_excel(path, index=False)
    read = read_source(str(path), texts=["site"])
    np.testing.assert_allclose(read["load"], frame["load"])
    assert read["site"].tolist() == ["007"] * 60
    assert pd.DatetimeIndex(read["time"]).equals(pd.DatetimeIndex(frame["time"]))


def test_a_sheet_is_chosen_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.xlsx"
    with pd.ExcelWriter(path) as writer:
        hourly_frame(60).to_excel(writer, sheet_name="2024", index=False)
        hourly_frame(80).to_excel(writer, sheet_name="2025", index=False)
        pd.DataFrame().to_excel(writer, sheet_name="empty", index=False)
    assert validate(forecast_recipe(source=str(path), sheet="2025")).rows == 80
    for asked, said in (
        ({}, "several sheets with rows: 2024, 2025"),
        ({"sheet": "26"}, "no sheet 26. It has 2024, 2025, empty"),
    ):
        with pytest.raises(DataError, match=said) as caught:
            validate(forecast_recipe(source=str(path), **asked))
        assert caught.value.code == "missing_sheet"


def test_a_sheet_that_is_no_excel_files_is_refused() -> None:
    with pytest.raises(RecipeError, match="`sheet` is one of an Excel file"):
        parse_recipe(forecast_recipe(source="rows.csv", sheet="2024"))


def test_a_column_that_a_sheet_names_twice_is_refused(tmp_path: Path) -> None:
    pd.DataFrame([["load", "load"], [1, 2]]).to_excel(tmp_path / "rows.xlsx", header=False, index=False)
    with pytest.raises(DataError, match="sheet Sheet1 names the column load more than once"):
        read_source(str(tmp_path / "rows.xlsx"))


def test_a_package_that_is_missing_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_kit.data.sources.packages.find_spec", lambda name: None)
    (tmp_path / "rows.xlsx").write_bytes(b"")
    for source, extra in ((str(tmp_path / "rows.xlsx"), "excel"), ("memory://rows.csv", "fsspec")):
        with pytest.raises(DataError, match=rf"pip install 'seq2seq-kit\[{extra}\]'") as caught:
            read_source(source)
        assert caught.value.code == "missing_package"


@pytest.mark.parametrize("how", ["list", "glob"])
def test_several_parquet_files_are_read_by_row_groups(months: list[pd.DataFrame], how: str) -> None:
    for number, part in enumerate(months):
        part.to_parquet(f"sales/{number}.parquet", row_group_size=30)
    source = [f"sales/{number}.parquet" for number in range(3)] if how == "list" else "sales/*.parquet"
    memory = open_job(parse_recipe(forecast_recipe(source=source)))
    groups = open_job(parse_recipe(forecast_recipe(source=source, read="row_groups")))
    assert len(groups.source) == 300
    for one, other in zip(
        memory.examples.arrays("train", np.arange(9)), groups.examples.arrays("train", np.arange(9)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_row_groups_are_refused_of_what_has_none(months: list[pd.DataFrame]) -> None:
    with pytest.raises(RecipeError, match="`row_groups` are those of Parquet files"):
        parse_recipe(forecast_recipe(source=["sales/0.csv"], read="row_groups"))


def test_several_files_that_do_not_fit_into_memory_are_refused(
    months: list[pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, part in enumerate(months):
        part.to_parquet(f"sales/{number}.parquet")
    monkeypatch.setattr("seq2seq_kit.data.tables.memory.free_memory", lambda: 300 * 3 * 8)
    with pytest.raises(DataError, match="has 300 rows x 3 columns") as caught:
        validate(forecast_recipe(source="sales/*.parquet"))
    assert caught.value.code == "not_enough_memory"


def test_lines_of_tokens_are_of_one_file() -> None:
    data = {"source": ["a.conll", "b.conll"], "tokens": "word", "labels": "tag", "lines": ["word", "tag"]}
    with pytest.raises(RecipeError, match="reads a single file of this machine"):
        parse_recipe({"task": "tag", "data": data})
