"""Files at addresses: fsspec's memory, a server on loopback; what is opened, and what is not."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pandas as pd
import pytest

from seq2seq_kit.data import read_source
from seq2seq_kit.errors import DataError, KitError, Problem, RecipeError
from seq2seq_kit.tasks import parse_recipe
from seq2seq_kit.validation import validate
from tests.conftest import forecast_recipe, hourly_frame


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing goes to the terminal."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    hourly_frame(60).to_csv(tmp_path / "rows.csv.gz", index=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path))) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()


@pytest.fixture
def memory() -> Iterator[str]:
    system = fsspec.filesystem("memory")
    for number in range(2):
        with system.open(f"/sales/{number}.csv", "w") as file:
            hourly_frame(120)[60 * number : 60 * (number + 1)].to_csv(file, index=False)
    yield "memory://sales"
    system.rm("/sales", recursive=True)


def test_a_file_of_a_server_is_read(server: str) -> None:
    assert validate(forecast_recipe(source=f"{server}/rows.csv.gz")).rows == 60
    assert validate(forecast_recipe(source=f"{server}/rows.csv.gz?version=3")).rows == 60


@pytest.mark.parametrize("path", ["", "/*.csv", "/0.csv"])
def test_files_folders_and_globs_of_other_places_are_read(memory: str, path: str) -> None:
    frame = read_source(f"{memory}{path}")
    rows = 60 if path == "/0.csv" else 120
    pd.testing.assert_series_equal(frame["load"], hourly_frame(120)["load"][:rows], check_exact=False)
    if rows == 120:
        assert frame.attrs["read"]["files"] == ["memory://sales/0.csv", "memory://sales/1.csv"]


def test_addresses_and_paths_may_stand_in_one_list(memory: str, tmp_path: Path) -> None:
    hourly_frame(180)[120:].to_csv(tmp_path / "0.csv", index=False)
    assert validate(forecast_recipe(source=[f"{memory}/0.csv", f"{memory}/1.csv", str(tmp_path / "0.csv")])).rows == 180


def test_messages_name_the_address_and_not_its_copy(memory: str) -> None:
    with fsspec.filesystem("memory").open("/sales/1.csv", "w") as file:
        file.write("")
    with pytest.raises(DataError, match=r"^memory://sales/1\.csv is empty"):
        read_source(memory)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("memory://nowhere/rows.csv", "file_not_found"),
        ("http://127.0.0.1:1/rows.csv", "address_not_read"),
        ("simplecache::http://127.0.0.1:1/rows.csv", "file_not_found"),
        ("github://some/repo/rows.csv", "unknown_scheme"),
        ("https://a/b.zip::memory://rows.csv", "unknown_scheme"),
    ],
)
def test_what_cannot_be_read_is_told(address: str, code: str) -> None:
    with pytest.raises(DataError) as caught:
        read_source(address)
    assert caught.value.code == code


def test_a_missing_page_of_a_server_is_told(server: str) -> None:
    with pytest.raises(DataError) as caught:
        read_source(f"{server}/none.csv")
    assert caught.value.code == "file_not_found"


SECRETS = [
    "postgresql://kit:geheim@host/db",
    "postgresql://kit:ge/heim@host/db",
    "postgresql://kit:ge@heim@host/db",
    "postgresql://host/db?user=kit&password=geheim",
    "postgres://kit:geheim@host/db",
    "mysql+pymysql://kit:geheim@host/db",
    "https://kit:geheim@host/rows.csv",
    "https://host/rows.csv?token=geheim",
    "https://host/rows.csv?X-Amz-Signature=geheim",
    "s3://key:geheim@bucket/rows.csv",
    "https://blob/rows.csv?sv=1&sig=geheim",
    "host=db.example.org user=kit password=geheim",
]


@pytest.mark.parametrize("address", SECRETS)
def test_a_password_in_an_address_is_refused_and_never_said(address: str) -> None:
    # Other problems of the recipe show values, too.
    recipe = forecast_recipe(source=address, table="t", read="row_groups", sheet="x", missing="what")
    with pytest.raises(RecipeError) as caught:
        parse_recipe(recipe)
    assert "password_in_source" in [problem.code for problem in caught.value.problems]
    told = str(caught.value) + "".join(problem.text for problem in caught.value.problems)
    with pytest.raises(DataError) as refused:
        read_source(address)
    assert refused.value.code == "password_in_source"
    told += str(refused.value)
    with pytest.raises(RecipeError) as caught:
        parse_recipe(forecast_recipe(), overrides=[f"data.source={address}"])
    told += str(caught.value)
    with pytest.raises(RecipeError) as caught:
        parse_recipe(forecast_recipe(source=address), overrides=["data.source.x=1"])
    assert "heim" not in told + str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["postgresql://kit@host:5432/db?sslmode=require", "https://host:8080/a:b@c/rows.csv?format=csv", "rows@2024:1.csv"],
)
def test_an_address_without_a_password_is_none(address: str) -> None:
    from seq2seq_kit.recipe.source_rules import secret_in

    assert secret_in(address) is None


def test_no_error_and_no_problem_shows_a_password() -> None:
    said = "cannot open postgresql://kit:geheim@host/db or https://host/x?a=1&token=geheim now"
    for shown in (str(KitError(said)), Problem("data.source", said).text):
        assert shown == "cannot open postgresql://kit:***@host/db or https://host/x?a=1&token=*** now"
