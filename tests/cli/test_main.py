"""The verbs on real files: what they print, write and return, and what they say when the call is wrong."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from seq2seq_kit import __version__
from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import DataError, RecipeError
from seq2seq_kit.tracking.client import open_tracking
from tests.bundles.test_windows import untrained
from tests.conftest import forecast_recipe, hourly_frame, unseen
from tests.untyped import TrainResult

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with `rows.csv` and `rows.parquet`."""
    monkeypatch.chdir(tmp_path)
    hourly_frame(300).to_csv("rows.csv", index=False)
    hourly_frame(300).to_parquet("rows.parquet")
    return tmp_path


@pytest.fixture(scope="module")
def forecast_bundle(forecast_run: TrainResult, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(forecast_run.bundle.save(tmp_path_factory.mktemp("forecast") / "bundle"))


@pytest.fixture(scope="module")
def autoencode_bundle(autoencode_run: TrainResult, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(autoencode_run.bundle.save(tmp_path_factory.mktemp("autoencode") / "bundle"))


def write_recipe(path: Path, recipe: dict[str, Any]) -> str:
    with path.open("w") as file:
        YAML().dump(recipe, file)
    return str(path)


def recipe_on(folder: Path, **training: Any) -> str:
    """The small forecast on `rows.csv`, as a file."""
    recipe = forecast_recipe(source=str(folder / "rows.csv"))
    return write_recipe(folder / "small.yaml", recipe | {"training": recipe["training"] | training})


def kit(*words: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The program in a process of its own, without what pytest put into the environment."""
    bare = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-m", "seq2seq_kit", *words]
    return subprocess.run(command, cwd=folder, env=bare | environment, capture_output=True, text=True, check=False)


def test_list_names_recipes_and_data(rows: Path, capsys: Captured) -> None:
    (rows / "recipes").mkdir()
    (rows / "recipes" / "own.yaml").write_text("# Forecasts my own rows.\ntask: forecast\n")
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert "recipes/own.yaml" in out
    assert "Forecasts my own rows." in out
    assert "autots.traffic_hourly" in out


def test_list_runs_shows_the_newest(
    store: Path, forecast_run: TrainResult, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["list", "runs", "--tracking-uri", str(store)]) == 0
    out = capsys.readouterr().out
    assert forecast_run.run_id[:8] in out
    assert "first_forecast" in out


def test_list_runs_of_an_empty_store_says_what_to_do(rows: Path, capsys: Captured) -> None:
    assert main(["list", "runs", "--tracking-uri", "empty"]) == 0
    assert "no runs yet; train one: seq2seq-kit train RECIPE" in capsys.readouterr().out


def test_validate_tells_rows_and_windows(rows: Path, capsys: Captured) -> None:
    assert main(["validate", recipe_on(rows)]) == 0
    out = capsys.readouterr().out
    assert "small.yaml is valid: forecast, 300 rows; windows: 181 train, 40 val, 40 test" in out
    assert "! few_windows: only 181 train windows" in out


def test_validate_tells_how_a_recipe_is_searched(rows: Path, capsys: Captured) -> None:
    sweep = "sweep={space: {training.epochs: {int: {min_value: 1, max_value: 4}}, model.bidirectional: {boolean: {}}}}"
    assert main(["validate", recipe_on(rows), "--set", sweep]) == 0
    assert "\nsweep: bayesian over 2 keys, 20 trials\n" in capsys.readouterr().out


def test_every_problem_of_a_recipe_is_told_at_once(rows: Path, capsys: Captured) -> None:
    text = (rows / "small.yaml") if recipe_on(rows) else rows
    text.write_text(text.read_text().replace("encoder_units", "encoder_unit").replace("epochs: 3", "epochs: 0"))
    assert main(["train", str(text)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error[invalid_recipe]: ")
    assert "has 2 problems:" in captured.err
    assert "model.encoder_unit " in captured.err
    assert "did you mean model.encoder_units?" in captured.err
    assert "training.epochs" in captured.err
    assert "at least 1. Received: 0" in captured.err
    assert captured.err.count("  line ") == 2
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not (rows / "mlruns").exists()


def test_an_override_is_named_as_such(rows: Path, capsys: Captured) -> None:
    assert main(["validate", recipe_on(rows), "--set", "model.dropout=1.5"]) == 2
    err = capsys.readouterr().err
    assert "override model.dropout" in err
    assert "[0, 1). Received: 1.5" in err


def test_a_lacking_recipe_is_one_line(rows: Path, capsys: Captured) -> None:
    assert main(["train", "recipes/none.yaml"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error[missing_recipe]: ")
    assert "recipes/none.yaml" in err
    assert "seq2seq-kit list" in err
    assert err.count("\n") == 1


def test_debug_shows_the_traceback(rows: Path) -> None:
    with pytest.raises(RecipeError, match=r"no recipe at none\.yaml"):
        main(["validate", "none.yaml", "--debug"])
    with pytest.raises(DataError, match=r"there is no file none\.csv"):
        main(["predict", "bundle", "--data", "none.csv", "--debug"])


@pytest.mark.slow
def test_train_prints_the_table_and_logs_a_run(rows: Path, capsys: Captured) -> None:
    assert main(["train", recipe_on(rows), "--set", "training.epochs=2", "--tracking-uri", "store"]) == 0
    out = capsys.readouterr().out
    assert "epoch   2/2  loss " in out
    for name in ("model", "last value", "seasonal naive (day)", "ridge"):
        assert f"{name} " in out
    assert "the best baseline" in out
    tracked = open_tracking("store")
    (run_id,) = tracked.runs()["run"]
    assert run_id in out
    assert tracked.client.get_run(run_id).data.params["training.epochs"] == "2"


@pytest.mark.slow
def test_a_run_that_fails_returns_1(rows: Path, capsys: Captured) -> None:
    recipe = recipe_on(rows, optimizer="sgd", learning_rate=1e30)
    assert main(["train", recipe, "--tracking-uri", "store"]) == 1
    err = capsys.readouterr().err
    assert re.match(r"error\[\w+\]: .*loss.*(nan|inf)", err)
    assert err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predict_reads_and_writes_csv_and_parquet(
    ending: str, rows: Path, forecast_bundle: str, forecast_run: TrainResult, capsys: Captured
) -> None:
    assert main(["predict", forecast_bundle, "--data", f"rows.{ending}", "--out", f"forecast.{ending}"]) == 0
    captured = capsys.readouterr()
    assert captured.err == f"6 rows written to forecast.{ending}\n"
    assert captured.out == ""
    read = pd.read_csv if ending == "csv" else pd.read_parquet
    written = read(rows / f"forecast.{ending}")
    expected = forecast_run.bundle.predict(hourly_frame(300))
    assert list(written) == ["time", "step", "load"]
    assert list(pd.to_datetime(written["time"])) == list(expected["time"])
    np.testing.assert_allclose(written["load"], expected["load"], rtol=1e-6)
    assert sorted(path.name for path in rows.iterdir()) == [f"forecast.{ending}", "rows.csv", "rows.parquet"]


@pytest.mark.parametrize(("sep", "decimal"), [(";", ","), ("\t", ".")])
def test_another_separator_than_in_training_is_cured_by_the_line_that_is_told(
    sep: str, decimal: str, rows: Path, forecast_bundle: str, capsys: Captured
) -> None:
    hourly_frame(300).to_csv("other.csv", sep=sep, decimal=decimal, index=False)
    assert main(["predict", forecast_bundle, "--data", "other.csv"]) == 2
    line = capsys.readouterr().err.split("and points by ")[1].split(", and give")[0]
    eval(line, {"pandas": pd})
    assert main(["predict", forecast_bundle, "--data", "new.csv"]) == 0
    answer = capsys.readouterr().out
    assert main(["predict", forecast_bundle, "--data", "rows.csv"]) == 0
    assert capsys.readouterr().out == answer


@pytest.mark.parametrize("above", [1, 6])
def test_other_lines_above_the_names_than_in_training_are_cured_by_the_line_that_is_told(
    above: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = hourly_frame(300)
    text = frame.to_csv(index=False)
    for name, lines in (("rows.csv", 3), ("other.csv", above)):
        Path(name).write_text("".join(f"# remark {line}\n" for line in range(lines)) + text, encoding="utf-8")
    bundle = str(untrained(forecast_recipe(format={"header_row": 4}), frame).save(tmp_path / "bundle"))
    assert main(["predict", bundle, "--data", "other.csv"]) == 2
    line = capsys.readouterr().err.split("lines above them: ")[1].split(", and give")[0]
    eval(line, {"pathlib": pathlib})
    assert main(["predict", bundle, "--data", "new.csv"]) == 0
    answer = capsys.readouterr().out
    assert main(["predict", bundle, "--data", "rows.csv"]) == 0
    assert capsys.readouterr().out == answer


def test_predict_prints_csv_without_out(rows: Path, forecast_bundle: str, capsys: Captured) -> None:
    assert main(["predict", forecast_bundle, "--data", "rows.csv", "--last"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "time,step,load"
    assert lines[1].startswith("2024-01-13 12:00:00,1,")
    assert len(lines) == 7


def test_predict_takes_a_run_of_the_store(
    rows: Path, forecast_run: TrainResult, store: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(store))
    assert main(["predict", forecast_run.run_id, "--data", "rows.csv", "--all-windows", "--out", "all.csv"]) == 0
    assert len(pd.read_csv("all.csv")) == (300 - 24 + 1) * 6


def test_last_and_all_windows_exclude_each_other(rows: Path, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["predict", "bundle", "--data", "rows.csv", "--last", "--all-windows"])
    assert ended.value.code == 2
    assert "not allowed with argument --last" in capsys.readouterr().err


def test_columns_that_are_not_used_are_noted(rows: Path, forecast_bundle: str, capsys: Captured) -> None:
    hourly_frame(300).assign(colour="red").to_csv("more.csv", index=False)
    assert main(["predict", forecast_bundle, "--data", "more.csv", "--out", "out.csv"]) == 0
    assert "note: columns of more.csv that the model does not use: colour\n" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (["--data", "none.csv"], r"\w+", "none.csv"),
        (["--data", "rows.csv", "--out", "out.xlsx"], "invalid_option", "out.xlsx"),
        (["--data", "short.csv"], r"\w+", "short.csv: .*24 rows"),
        (["--data", "rows.csv", "--out", "none/out.csv"], "unwritable_file", "none/out.csv"),
    ],
)
def test_a_wrong_call_of_predict_is_one_line(
    words: list[str], code: str, named: str, rows: Path, forecast_bundle: str, capsys: Captured
) -> None:
    hourly_frame(10).to_csv("short.csv", index=False)
    assert main(["predict", forecast_bundle, *words]) == 2
    err = capsys.readouterr().err
    assert re.match(rf"error\[{code}\]: .*{named}", err)
    assert err.count("\n") == 1


@pytest.mark.slow
def test_a_failed_write_leaves_the_former_file(
    rows: Path, forecast_bundle: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    (rows / "out.csv").write_text("mine")

    def refuse(self: pd.DataFrame, path: Path, **_: Any) -> None:
        Path(path).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", refuse)
    assert main(["predict", forecast_bundle, "--data", "rows.csv", "--out", "out.csv"]) == 2
    assert "could not write out.csv: [Errno 28] No space left on device" in capsys.readouterr().err
    assert (rows / "out.csv").read_text() == "mine"
    assert sorted(path.name for path in rows.iterdir()) == ["out.csv", "rows.csv", "rows.parquet"]


def test_a_bundle_that_is_none_returns_1(rows: Path, capsys: Captured) -> None:
    assert main(["predict", "./nothing", "--data", "rows.csv"]) == 1
    assert re.match(r"error\[\w+\]: .*\./nothing", capsys.readouterr().err)
    assert main(["predict", str(rows), "--data", "rows.csv"]) == 1
    assert "is not a bundle: it has no bundle.json" in capsys.readouterr().err


@pytest.mark.slow
def test_encode_writes_a_row_for_each_window(rows: Path, autoencode_bundle: str, autoencode_run: TrainResult) -> None:
    assert main(["encode", autoencode_bundle, "--data", "rows.csv", "--stride", "24", "--out", "codes.parquet"]) == 0
    codes = pd.read_parquet("codes.parquet")
    expected = autoencode_run.bundle.encode(hourly_frame(300), stride=24)
    np.testing.assert_allclose(codes.filter(like="latent"), expected.filter(like="latent"), rtol=1e-4, atol=1e-6)
    assert len(codes) == 12


def test_reconstruct_writes_every_step(rows: Path, autoencode_bundle: str) -> None:
    assert (
        main(["reconstruct", autoencode_bundle, "--data", "rows.parquet", "--stride", "24", "--out", "again.csv"]) == 0
    )
    assert list(pd.read_csv("again.csv")) == ["time", "step", "load", "heat"]
    assert len(pd.read_csv("again.csv")) == 12 * 24


@pytest.mark.slow
def test_score_writes_windows_or_steps(rows: Path, autoencode_bundle: str, autoencode_run: TrainResult) -> None:
    words = ["score", autoencode_bundle, "--data", "rows.csv"]
    assert main([*words, "--out", "windows.csv"]) == 0
    assert main([*words, "--by", "step", "--stride", "24", "--out", "steps.csv"]) == 0
    expected = autoencode_run.bundle.score(hourly_frame(300))["reconstruction_error"]
    np.testing.assert_allclose(pd.read_csv("windows.csv")["reconstruction_error"], expected, rtol=1e-4)
    assert len(pd.read_csv("steps.csv")) == 12 * 24


def test_a_verb_of_the_other_task_is_refused(rows: Path, forecast_bundle: str, capsys: Captured) -> None:
    assert main(["score", forecast_bundle, "--data", "rows.csv"]) == 2
    assert "a forecast model can predict, detect, evaluate. Received: score" in capsys.readouterr().err


@pytest.mark.slow
def test_evaluate_repeats_the_table_on_other_data(
    rows: Path, forecast_bundle: str, forecast_run: TrainResult, capsys: Captured
) -> None:
    hourly_frame().iloc[-(90 + 24) :].to_csv("test.csv", index=False)
    assert main(["evaluate", forecast_bundle, "--data", "test.csv", "--out", "scores.csv"]) == 0
    out = capsys.readouterr().out
    assert "85 test windows, 6 steps" in out
    assert f"{forecast_run.test.overall().rmse:.4g}" in out
    scores = pd.read_csv("scores.csv")
    assert scores["rmse"].iloc[0] == pytest.approx(forecast_run.test.overall().rmse, rel=1e-5)


@pytest.mark.slow
def test_evaluate_without_data_needs_the_recipes_own(rows: Path, forecast_bundle: str, capsys: Captured) -> None:
    assert main(["evaluate", forecast_bundle]) == 2
    assert "the recipe names no data.source" in capsys.readouterr().err


def test_a_port_in_use_is_told(store: Path, forecast_run: TrainResult, capsys: Captured) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["ui", "--port", str(port), "--tracking-uri", str(store)]) == 1
    err = capsys.readouterr().err
    assert re.match(rf"error\[\w+\]: .*{port}", err)
    assert "Leave --port out" in err


def test_schema_is_json_with_descriptions(capsys: Captured) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["title"] == "seq2seq_kit recipe"
    assert schema["$defs"]["ForecastData"]["properties"]["input_steps"]["description"] == "Rows that the encoder reads."


def test_the_version_is_the_packages(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"seq2seq-kit {__version__}\n"


@pytest.mark.parametrize("words", [[], ["trane"], ["predict", "bundle"]])
def test_an_incomplete_call_returns_2(words: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage: seq2seq-kit" in capsys.readouterr().err


def test_training_needs_a_recipe_or_a_run(capsys: Captured) -> None:
    assert main(["train"]) == 2
    assert "error[invalid_option]: name a RECIPE to train" in capsys.readouterr().err


def test_every_verb_has_help(capsys: Captured) -> None:
    verbs = [
        "list",
        "validate",
        "train",
        "predict",
        "encode",
        "reconstruct",
        "score",
        "detect",
        "evaluate",
        "ui",
        "schema",
    ]
    for verb in verbs:
        with pytest.raises(SystemExit) as ended:
            main([verb, "--help"])
        assert ended.value.code == 0
        assert f"usage: seq2seq-kit {verb}" in capsys.readouterr().out


@pytest.mark.slow
def test_help_and_validate_load_neither_tensorflow_nor_mlflow(rows: Path) -> None:
    code = (
        "import sys\n"
        "from seq2seq_kit.cli import main\n"
        "try:\n    code = main(sys.argv[1:])\nexcept SystemExit as ended:\n    code = ended.code\n"
        "heavy = {'tensorflow', 'keras', 'mlflow', 'matplotlib', 'plotly'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else code)\n"
    )
    for words in (["--help"], ["train", "--help"], ["validate", recipe_on(rows)], ["schema"], ["list", "data"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), words


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_traceback(rows: Path) -> None:
    pipe = f"{sys.executable} -m seq2seq_kit schema | head -1"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, check=False)
    assert done.stdout == "{\n"
    assert done.stderr == ""


@pytest.mark.slow
def test_a_real_train_is_quiet_on_standard_error(rows: Path) -> None:
    done = kit("train", recipe_on(rows, epochs=1), folder=rows)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "creating the MLflow store in mlruns/" in done.stdout
    assert "about" in done.stdout
    assert "seq2seq-kit predict " in done.stdout
    assert sorted(path.name for path in rows.iterdir()) == ["mlruns", "rows.csv", "rows.parquet", "small.yaml"]


@pytest.mark.slow
def test_ctrl_c_keeps_the_model_and_marks_the_run_killed(rows: Path) -> None:
    command = [sys.executable, "-u", "-m", "seq2seq_kit", "train", recipe_on(rows, epochs=5000, patience=None)]
    process = subprocess.Popen(
        command,
        cwd=rows,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test run in the background may have been told to ignore the interrupt, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if line.startswith("epoch "):
                os.kill(process.pid, signal.SIGINT)
                break
        out, err = process.communicate()
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
    out = "".join(seen) + out
    assert process.returncode == 130, err
    assert err == ""
    assert "RMSE" in out
    assert "the best baseline" in out
    tracked = open_tracking(str(rows / "mlruns"))
    (run_id,) = tracked.runs()["run"]
    run = tracked.client.get_run(run_id)
    assert run_id in out
    assert run.info.status == "KILLED"
    assert run.data.tags["ended"] == "interrupted"
    assert main(["predict", run_id, "--data", "rows.csv", "--out", "forecast.csv"]) == 0
    assert len(pd.read_csv("forecast.csv")) == 6


def test_predict_takes_a_number_of_steps(rows: Path, forecast_bundle: str, capsys: Captured) -> None:
    assert main(["predict", forecast_bundle, "--data", "rows.csv", "--steps", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert main(["predict", forecast_bundle, "--data", "rows.csv", "--steps", "7"]) == 2
    assert "would need a forecast of heat" in capsys.readouterr().err


@pytest.mark.slow
def test_a_format_is_kept_from_training_to_prediction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """European files: the same model, forecast and figures as from a plain file, by each verb; a sweep reads them too."""
    monkeypatch.chdir(tmp_path)
    frame = hourly_frame(300).round({"load": 2, "heat": 2})
    frame.to_csv("plain.csv", index=False)
    frame.to_csv("euro.csv", index=False, sep=";", decimal=",", encoding="cp1252")
    plain, euro = forecast_recipe(source="plain.csv"), forecast_recipe(source="euro.csv")
    euro["data"]["format"] = {"delimiter": ";", "decimal": ",", "encoding": "cp1252"}
    euro["sweep"] = {"max_trials": 2, "tuner": "random", "space": {"training.learning_rate": {"choice": [0.01, 0.02]}}}
    write_recipe(tmp_path / "plain.yaml", plain)
    write_recipe(tmp_path / "euro.yaml", euro)
    answers = []
    for name in ("plain", "euro"):
        with unseen():
            assert main(["train", f"{name}.yaml", "--tracking-uri", "runs"]) == 0
        run = capsys.readouterr().out
        run_id = re.findall(r"\b[0-9a-f]{32}\b", run)[0]
        assert main(["predict", run_id, "--tracking-uri", "runs", "--data", f"{name}.csv", "--out", "out.csv"]) == 0
        asked = ["evaluate", run_id, "--tracking-uri", "runs"]
        assert main([*asked, "--data", f"{name}.csv", "--out", "scores.csv"]) == 0
        assert main(asked) == 0
        answers.append((pd.read_csv("out.csv"), pd.read_csv("scores.csv")))
        capsys.readouterr()
    for mine, theirs in zip(*answers, strict=True):
        pd.testing.assert_frame_equal(mine, theirs)
    assert main(["predict", run_id, "--tracking-uri", "runs", "--data", "plain.csv"]) == 2
    assert "plain.csv" in capsys.readouterr().err
    with unseen():
        assert main(["sweep", "euro.yaml", "--tracking-uri", "runs", "--workers", "1"]) == 0
