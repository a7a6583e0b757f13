"""The verb `init`, and a table or a recipe in the wrong place."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

from seq2seq_kit import load_recipe
from seq2seq_kit.cli import main
from tests.conftest import ROOT
from tests.drafting.tables import days, hours


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    hours(600).to_csv(tmp_path / "load.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_prints_its_decisions_and_writes_a_recipe(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "load.csv", "--ahead", "12h"]) == 0
    said = capsys.readouterr().out
    assert "targets: load is the only column of numbers" in said
    assert "train it: seq2seq-kit train load.yaml" in said
    assert load_recipe(folder / "load.yaml").model_dump()["data"]["output_steps"] == 12


def test_a_recipe_that_is_there_is_left_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "load.yaml").write_text("mine")
    assert main(["init", "load.csv"]) == 2
    assert "error[file_exists]" in capsys.readouterr().err
    assert (folder / "load.yaml").read_text() == "mine"
    assert main(["init", "load.csv", "--out", "other.yaml"]) == 0
    assert (folder / "other.yaml").is_file()


def test_a_recipe_in_place_of_a_table_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "some.yaml").write_text("task: forecast")
    assert main(["init", "some.yaml"]) == 2
    assert "error[recipe_for_table]" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["train", "validate", "explain"])
def test_a_table_in_place_of_a_recipe_is_told(verb: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "load.csv"]) == 2
    said = capsys.readouterr().err
    assert "error[table_for_recipe]" in said
    assert "seq2seq-kit init load.csv" in said


@pytest.mark.slow
def test_the_page_leads_from_a_file_to_a_forecast_with_two_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands as docs/your-data.md has them, on a file as a spreadsheet writes it; only RUN is filled in."""
    monkeypatch.chdir(tmp_path)
    frame = days(200)
    frame.assign(date=frame["date"].dt.strftime("%d/%m/%Y")).to_csv("sales.csv", index=False)
    page = (ROOT / "docs" / "your-data.md").read_text(encoding="utf-8")
    commands = re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S)[0].splitlines()
    assert len(commands) == 2
    run = ""
    for command in commands:
        assert main(shlex.split(command.replace("RUN", run))[1:]) == 0
        run = run or re.findall(r"^run (\w+)", capsys.readouterr().out, re.M)[0]
    forecast = pd.read_csv("forecast.csv")
    assert len(forecast) == 7
    assert pd.to_datetime(forecast["date"]).min() == frame["date"].max() + pd.Timedelta(days=1)
