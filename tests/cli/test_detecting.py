"""`detect` on the command line: a table to read, files to go on with, and what is told of a wrong call."""

import re
from pathlib import Path

import pandas as pd
import pytest

from seq2seq_kit.cli import detecting
from seq2seq_kit.cli.main import main
from seq2seq_kit.results import TrainResult
from tests.conftest import hourly_frame

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with new rows, one stretch of which is damaged, and with usual ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    frame = hourly_frame(400, seed=9)
    frame.loc[200:211, "heat"] = 40.0
    frame.to_csv("new.csv", index=False)
    usual = hourly_frame(400, seed=5)
    usual.assign(time=usual.time + pd.Timedelta(days=364)).to_csv("usual.csv", index=False)  # behind the training
    return tmp_path


@pytest.fixture(scope="module")
def bundle(autoencode_run: TrainResult, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(autoencode_run.bundle.save(tmp_path_factory.mktemp("bundles") / "autoencode"))


@pytest.fixture(scope="module")
def forecast(forecast_run: TrainResult, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(forecast_run.bundle.save(tmp_path_factory.mktemp("bundles") / "forecast"))


def test_events_are_told_and_written(folder: Path, bundle: str, capsys: Captured) -> None:
    words = ["detect", bundle, "--data", "new.csv", "--out", "events.csv", "--scores", "scores.parquet"]
    assert main(words) == 0
    told = capsys.readouterr()
    events, scores = pd.read_csv("events.csv"), pd.read_parquet("scores.parquet")
    assert events.column_1[0] == "heat"
    assert len(scores) == 400
    assert f"{len(events)} event" in told.out
    assert "in 400 rows at the threshold" in told.out
    assert "about 1 of them in a week is expected to be false" in told.out
    assert re.search(r"heat \d+%", told.out)
    assert "2024-01-09" in told.out
    assert f"{len(events):,} rows written to events.csv" in told.err


def test_a_page_of_the_events_is_written(folder: Path, bundle: str, capsys: Captured) -> None:
    assert main(["detect", bundle, "--data", "new.csv", "--page", "events.html"]) == 0
    assert "page written to events.html" in capsys.readouterr().err
    assert "<h1>Anomalies in new.csv</h1>" in Path("events.html").read_text(encoding="utf-8")
    assert main(["detect", bundle, "--data", "new.csv", "--page", "absent/events.html"]) == 2
    assert "error[unwritable_file]" in capsys.readouterr().err


def test_fewer_alarms_are_fewer_events(folder: Path, bundle: str, capsys: Captured) -> None:
    counts = []
    for option in (["--alarms-per-week", "20"], ["--alarms-per-week", "0.01"], ["--threshold", "1000"]):
        assert main(["detect", bundle, "--data", "new.csv", "--out", "events.csv", *option]) == 0
        counts.append(len(pd.read_csv("events.csv")))
    assert counts[0] >= counts[1] >= counts[2] == 0
    assert "0 events in 400 rows" in capsys.readouterr().out


def test_a_model_without_a_detector_is_calibrated_and_kept(folder: Path, forecast: str, capsys: Captured) -> None:
    assert main(["detect", forecast, "--data", "new.csv"]) == 2
    assert "error[no_detector]" in capsys.readouterr().err
    words = ["detect", forecast, "--data", "new.csv", "--calibrate", "usual.csv", "--save", "calibrated"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert "24 rows that no window reaches have no score" in told.out
    assert main(["detect", "calibrated", "--data", "new.csv"]) == 0
    assert capsys.readouterr().out == told.out


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--threshold", "-1"], "invalid_argument"),
        (["--alarms-per-week", "0"], "invalid_argument"),
        (["--scores", "scores.txt"], "invalid_option"),
        (["--save", "kept"], "invalid_option"),
        (["--page", "events.png"], "invalid_option"),
        (["--labels", "worse"], "missing_column"),
        (["--labels", "none.csv"], "file_not_found"),
        (["--calibrate", "none.csv"], "file_not_found"),
    ],
)
def test_a_wrong_call_is_one_line(options: list[str], code: str, folder: Path, bundle: str, capsys: Captured) -> None:
    assert main(["detect", bundle, "--data", "new.csv", *options]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error[{code}]")


@pytest.mark.parametrize(
    ("starts", "ends", "told"),
    [
        (["2024-01-05 07:30"], ["2024-01-05 09:00"], ["2024-01-05 07:30 to 09:00"]),
        (["2024-01-05 07:30"], ["2024-01-06 09:00"], ["2024-01-05 07:30 to 01-06 09:00"]),
        (["2024-12-31 23:00"], ["2025-01-01 01:00"], ["2024-12-31 23:00 to 2025-01-01 01:00"]),
        (["2024-01-05 07:30:15"], ["2024-01-05 07:30:15"], ["2024-01-05 07:30:15"]),
        (["2024-01-05", "2024-02-01"], ["2024-01-07", "2024-02-01"], ["2024-01-05 to 01-07", "2024-02-01"]),
        # One time of day among days shows the clock of all.
        (
            ["2024-01-05", "2024-02-01 06:00"],
            ["2024-01-05", "2024-02-01 06:00"],
            ["2024-01-05 00:00", "2024-02-01 06:00"],
        ),
    ],
)
def test_when_an_event_was_is_told_briefly(starts: list[str], ends: list[str], told: list[str]) -> None:
    times = [pd.Series(pd.to_datetime(each, format="mixed")) for each in (starts, ends)]
    assert detecting._spans(*times) == told
    zoned = [each.dt.tz_localize("Europe/Berlin") for each in times]
    assert detecting._spans(*zoned) == told
    assert detecting._spans(pd.Series([3, 7]), pd.Series([3, 9])) == ["3", "7 to 9"]


def test_a_table_of_events_fits_into_eighty_columns(
    folder: Path, bundle: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["detect", bundle, "--data", "new.csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if line[:1] in "│┃┏┡└") <= 80
    begun = [line for line in lines if line.startswith("│ 2")]
    assert begun
    assert all(re.match(r"│ 2024-01-\d\d \d\d:00( to (01-\d\d )?\d\d:00)? +│ +[\d.]+ │", line) for line in begun)


def test_a_column_without_values_is_told_and_the_others_are_watched(
    folder: Path, bundle: str, capsys: Captured
) -> None:
    frame = pd.read_csv("new.csv")
    frame["load"] = frame.load.where(frame.index < 300)
    frame.to_csv("new.csv", index=False)
    assert main(["detect", bundle, "--data", "new.csv", "--out", "events.csv", "--scores", "scores.csv"]) == 0
    told, scores = capsys.readouterr(), pd.read_csv("scores.csv")
    assert pd.read_csv("events.csv").column_1[0] == "heat"
    assert scores.load_score.isna().sum() == 100
    assert scores.score.notna().all()
    assert re.search(r"load gave no value in\s+100 of 400 rows, the newest\s+among them", told.out)
    assert "load 100" in told.err
