"""Free memory, and tables that do not fit into it."""

from pathlib import Path

import pytest

from seq2seq_kit.data.tables import memory
from seq2seq_kit.errors import DataError
from seq2seq_kit.tasks import open_job
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame
from tests.untyped import parse_recipe


@pytest.mark.parametrize("recipe", [forecast_recipe, autoencode_recipe])
def test_a_table_that_does_not_fit_is_refused_with_the_key_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: object
) -> None:
    assert callable(recipe)
    path = tmp_path / "hours.parquet"
    hourly_frame(600).to_parquet(path, row_group_size=100)
    monkeypatch.setattr(memory, "free_memory", lambda: 600 * 3 * 8)  # the table, but not what is made of it
    with pytest.raises(DataError, match=r"has 600 rows x 3 columns, .* data\.read: row_groups") as caught:
        open_job(parse_recipe(recipe(source=str(path))))
    assert caught.value.code == "not_enough_memory"
    open_job(parse_recipe(recipe(source=str(path), read="row_groups")))
    monkeypatch.setattr(memory, "free_memory", lambda: 600 * 3 * 8 * 2)
    open_job(parse_recipe(recipe(source=str(path))))


def test_row_groups_that_do_not_fit_are_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hours.parquet"
    recipe = parse_recipe(forecast_recipe(source=str(path), read="row_groups"))
    monkeypatch.setattr(memory, "free_memory", lambda: 300 * 3 * 8 * 4)
    hourly_frame(600).to_parquet(path)
    with pytest.raises(DataError, match=r"a row group of 600 rows x 3 columns") as caught:
        open_job(recipe)
    assert caught.value.code == "not_enough_memory"
    hourly_frame(600).to_parquet(path, row_group_size=300)
    open_job(recipe)


@pytest.mark.parametrize("name", ["hours.csv", "broken.parquet", "none.parquet"])
def test_what_is_no_parquet_file_is_left_to_its_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "hours.csv").write_text("load\n1\n")
    (tmp_path / "broken.parquet").write_text("nothing")
    monkeypatch.setattr(memory, "free_memory", lambda: 0)
    memory.require_room(str(tmp_path / name))
    memory.require_room_for_groups(str(tmp_path / name))
