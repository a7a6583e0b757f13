"""The benchmarks run, and what they compare does the same work."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.translate.evaluation import edit_distances
from seq2seq_kit.validation import resolve
from tests import forked
from tests.conftest import ROOT, forecast_recipe, hourly_frame, stand_ins, train_unseen
from tests.exports.bundled import untrained
from tests.scoring.models import model
from tests.untyped import parse_recipe

BENCHMARKS = ROOT / "benchmarks"
PEERS = ("sub-PCA", "matrix profile", "moving z-score", "random")


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def run_layers(*arguments: str, cwd: Path) -> str:
    command = [sys.executable, str(BENCHMARKS / "layers.py"), "--quick", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_layers_measures_each_peer_and_says_which_it_left_out(tmp_path: Path) -> None:
    without_torch = tmp_path / "python"
    without_torch.write_text("#!/bin/sh\nexit 1\n")
    without_torch.chmod(0o755)
    peers = ["--peers", "kit", "keras", "torch", "--torch-python", str(without_torch)]
    shown = run_layers("--shapes", "autoencoder", *peers, cwd=tmp_path)
    assert "can import them: torch." in shown
    rows = [line.split("|")[2:-1] for line in shown.splitlines() if line.startswith("| autoencoder (8, 4, 3 -> 3, 4)")]
    training, inference, costs = rows
    for speeds in (training, inference):
        kit, keras = (float(cell.split()[0].replace(",", "")) for cell in speeds[:2])
        assert min(kit, keras) > 0
        assert float(speeds[2]) == pytest.approx(kit / keras, abs=0.02, rel=0.02)
    first, peak = [float(cell) for cell in costs[:2]], [float(cell.replace(",", "")) for cell in costs[2:]]
    assert min(first) > 0, "seconds to the first step"
    assert min(peak) > 100, "megabytes of a process that holds TensorFlow"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["autoencoder", "addition", "gru"])
def test_kit_and_keras_reach_the_same_loss_from_the_same_weights(name: str) -> None:
    shapes, check = import_module("peers.shapes"), import_module("peers.check")
    shape = next(shape for shape in shapes.SHAPES if shape.name == name).tiny()
    row, same = check.check(shape, 4)
    assert same, row


@pytest.mark.slow
def test_a_peer_that_learns_at_another_rate_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes, check, keras_fit = (import_module(f"peers.{name}") for name in ("shapes", "check", "keras_fit"))
    monkeypatch.setattr(keras_fit, "LEARNING_RATE", 2 * shapes.LEARNING_RATE)
    assert not check.check(shapes.SHAPES[0].tiny(), 4)[1]


class Counting:
    """A peer that counts its steps, one to an epoch; and what `worker.py` hears and answers."""

    def __init__(self, *words: str) -> None:
        self.words, self.steps, self.fits, self.answers = list(words), 0, 0, 0

    def fit(self, rows: Any, begin: Callable[[], None]) -> None:
        self.fits += 1
        while True:
            begin()
            self.steps += 1

    def hear(self) -> str:
        return self.words.pop(0)

    def answer(self, **values: float) -> None:
        assert values["seconds"] > 0
        self.answers += 1


def test_the_first_step_is_one_step() -> None:
    peer = Counting()
    assert import_module("peers.worker").first_step(peer, None) > 0
    assert peer.steps == 1


def test_each_word_trains_one_epoch_of_the_same_fit() -> None:
    peer = Counting("train", "train", "infer")
    assert import_module("peers.worker").train(peer, None, peer) == "infer"
    assert (peer.steps, peer.answers, peer.fits) == (3, 3, 1)


@pytest.mark.parametrize("name", ["wide", "autoencoder", "addition"])
def test_kit_and_peers_are_fed_the_same_sequences(name: str) -> None:
    shapes, kit = import_module("peers.shapes"), import_module("peers.kit")
    shape = next(shape for shape in shapes.SHAPES if shape.name == name).tiny()
    rows = shapes.make_rows(shape, shape.sequences)
    x, y = shapes.cut(shape, rows)
    sequences = kit.Sequences(shape, rows, shuffled=False)
    steps = shape.sequences // shape.batch
    batches = list(sequences.batches("train", shape.batch).take(steps).as_numpy_iterator())
    assert sequences.count("train") == shape.sequences
    np.testing.assert_array_equal(np.concatenate([batch[0] for batch in batches]), x)
    np.testing.assert_array_equal(np.concatenate([batch[1] for batch in batches]), y)


@pytest.fixture(scope="module")
def traffic_job() -> Any:
    return open_job(resolve(ROOT / "recipes" / "forecast_traffic.yaml"))


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_the_script_by_hand_trains_on_the_windows_of_the_recipe(part: str, traffic_job: Any) -> None:
    traffic = import_module("handwritten.traffic")
    times, observed = traffic.read_traffic()
    prepared = traffic.prepare(times, observed)
    x, y = traffic.cut(prepared.columns, prepared.starts[part])
    windows = np.arange(traffic_job.examples.count(part))
    expected = traffic_job.examples.arrays(part, windows)
    assert len(y) == len(windows)
    for own, other in zip([*x, y], [*expected, traffic_job.examples.scaled_targets(part, windows)], strict=True):
        np.testing.assert_allclose(own, other, atol=1e-5)


@pytest.mark.slow
def test_the_questions_by_hand_are_sums_asked_once() -> None:
    addition = import_module("handwritten.addition")
    questions, answers = addition.ask(np.random.default_rng(0))
    pairs = [tuple(map(int, question.split("+"))) for question in questions]
    assert [str(sum(pair)) for pair in pairs] == answers
    assert len({tuple(sorted(pair)) for pair in pairs}) == len(pairs) == 55_000
    for line in (questions[0], "0+0"):
        assert addition.texts(addition.numbers([line], addition.INPUT_STEPS)) == [line]


def test_edits_by_hand_are_the_kits() -> None:
    addition = import_module("handwritten.addition")
    lines = ["", "1", "12", "21", "999", "1998", "1989"]
    pairs = [(left, right) for left in lines for right in lines]
    own = [addition.edit_distance(left, right) for left, right in pairs]
    numbers = [([int(digit) for digit in left], [int(digit) for digit in right]) for left, right in pairs]
    assert own == edit_distances([left for left, _ in numbers], [right for _, right in numbers]).tolist()


def test_the_job_table_reads_the_figure_of_the_only_finished_run(tmp_path: Path) -> None:
    import sqlite3

    jobs = import_module("jobs")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store, store:
        store.execute("CREATE TABLE runs (run_uuid, status)")
        store.execute("CREATE TABLE latest_metrics (run_uuid, key, value)")
        store.executemany("INSERT INTO runs VALUES (?, ?)", [("a", "FINISHED"), ("b", "FAILED")])
        store.executemany("INSERT INTO latest_metrics VALUES (?, 'test/rmse', ?)", [("a", 337.5), ("b", 1.0)])
    store.close()
    assert jobs.logged(tmp_path / "mlflow.db", "test/rmse") == 337.5
    with pytest.raises(SystemExit, match=r"one finished run with test/mae .* Received: 0"):
        jobs.logged(tmp_path / "mlflow.db", "test/mae")


@pytest.mark.slow
def test_the_check_of_a_gpu_says_that_there_is_none(tmp_path: Path) -> None:
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(BENCHMARKS / "gpu.py")]
    done = forked.run(command, cwd=tmp_path, env=hidden)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "TensorFlow sees no GPU here; nothing was checked"


@pytest.mark.slow
def test_the_check_of_a_gpu_trains_and_moves_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu = import_module("gpu")
    monkeypatch.setattr(gpu, "_ROWS", 900)
    monkeypatch.setattr(gpu, "train", train_unseen)
    monkeypatch.setattr("subprocess.run", forked.any_command)
    result = gpu.trained("mixed_bfloat16", tmp_path)
    assert gpu.check_losses("mixed_bfloat16", result)
    assert gpu.check_bundle("mixed_bfloat16", result, tmp_path)
    assert gpu.check_kernel("mixed_bfloat16")  # which takes the loop everywhere
    assert not gpu.check_kernel("float32")  # without a GPU
    assert gpu.check_gradients("mixed_bfloat16")
    said = capsys.readouterr().out
    assert re.search(
        r"- mixed_bfloat16: loss \d\.\d+, after 3 epochs \d\.\d+ \(validation \d\.\d+\), [\d,]+ sequences/s", said
    )
    assert re.search(
        r"- mixed_bfloat16: predictions on the GPU and on a CPU differ by at most \S+ standard deviations", said
    )
    assert "- mixed_bfloat16: kernel of every layer: loop; operations in the graph: none" in said
    assert gpu.check_form("variational autoencoder", tmp_path)


def test_the_ratios_of_a_table_are_read(tmp_path: Path) -> None:
    rows = [
        "| shape | kit | kit / keras_data |",
        "| --- | ---: | ---: |",
        "| one | 9 (8 to 10) | 0.97 |",
        "| two | 9 | 1.20 |",
    ]
    other = [
        "| shape | keras | kit / keras_data |",
        "| --- | ---: | ---: |",
        "| one | 9 | 4.00 |",
    ]  # as layers.py has for inference
    table = "\n".join(["Training", "", *rows, "", "Inference", "", *other])
    assert import_module("gpu").ratios_of(table, "kit / keras_data") == [0.97, 1.2]
    assert import_module("gpu").ratios_of(table, "kit / torch") == []


@pytest.mark.slow
def test_single_windows_and_scores_are_timed(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "predict.py"), "--calls", "3", "--many", "3", "--windows", "200"]
    done = forked.run(command, cwd=tmp_path, nested=True)
    assert done.returncode == 0, done.stderr[-3000:]
    for shown in ("| `bundle.predict(frame)` | ", "| `model.predict(arrays)` | ", "3 calls of", "| 200 | "):
        assert shown in done.stdout


def test_long_windows_of_any_length_are_trained_and_tested_on_the_same_targets() -> None:
    long = import_module("long")
    found = []
    for steps, variant in ((20, "plain"), (60, "segments")):
        frame, split = long.read_rows(steps, 60, 1_500)
        job: Any = open_job(parse_recipe(long.recipe_of(steps, variant, epochs=1, units=4, split=split)), frame)
        assert job.recipe.data.input_steps == steps
        found.append([job.examples.truth(part) for part in ("train", "val", "test")])
    for ours, theirs in zip(*found, strict=True):
        assert len(ours) > 100
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_long_windows_are_timed_and_compared(tmp_path: Path) -> None:
    small = ["--input-steps", "20", "--variants", "plain", "--rows", "1500", "--units", "4", "--epochs", "1"]
    command = [sys.executable, str(BENCHMARKS / "long.py"), *small, "--rounds", "1"]
    done = forked.run(command, cwd=tmp_path, nested=True)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()]
    plain, beside = (cells for cells in lines if cells and cells[0] == "20")
    assert plain[1:3] == ["plain", "20"]
    assert float(plain[5]) > 1, "megabytes of a fit"
    rmse, peer, skill = float(plain[8]), float(plain[10]), float(plain[11])
    assert skill == pytest.approx(1 - rmse / peer, abs=0.002)
    speeds = [float(beside[column].split()[0].replace(",", "")) for column in (2, 4)]
    assert plain[4] == beside[2]
    assert float(beside[5]) == pytest.approx(speeds[0] / speeds[1], rel=0.02)
    assert "216 to choose the epoch, 214 to test, the same targets in every row" in done.stdout


def test_long_windows_with_other_targets_are_no_table() -> None:
    long = import_module("long")
    row = {
        "layers": "",
        "parameters": 1,
        "memory": 1,
        "seconds": 1.0,
        "best_epoch": 1,
        "rmse": 1.0,
        "windows": [1, 1, 1],
    }
    trained = {(20, "plain"): row | {"targets": [1.0, 2.0, 3.0]}, (40, "plain"): row | {"targets": [1.0, 2.0, 3.5]}}
    baselines = {steps: {"rmse": {"ridge": 2.0}} for steps in (20, 40)}
    with pytest.raises(SystemExit, match=r"must have the same targets.*3\.0\], \[1\.0, 2\.0, 3\.5\]"):
        long.report(trained, baselines, {one: [1.0] for one in trained})


@pytest.mark.slow
def test_rows_from_parquet_are_timed_from_memory_and_by_row_groups(tmp_path: Path) -> None:
    small = ["--rows", "6000", "--large", "6000", "--windows", "500", "--rounds", "1", "--folder", str(tmp_path)]
    command = [sys.executable, str(BENCHMARKS / "parquet.py"), "--row-groups", *small]
    done = forked.run(command, cwd=tmp_path, nested=True)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2:]]
    readers = [("memory", "5,000"), ("memory", "6,000"), ("row_groups", "6,000")]
    assert [tuple(row[:2]) for row in rows] == [*readers, ("pandas", "5,000"), ("pandas", "6,000")]
    for row in rows[:3]:
        assert float(row[4].replace(",", "")) > 100, "megabytes of a process that holds TensorFlow"
        assert float(row[8].split()[0].replace(",", "")) > 0, "sequences a second"


@pytest.mark.slow
def test_etth1_is_trained_by_horizon_and_part_by_part(tmp_path: Path) -> None:
    source = stand_ins("forecast_etth1", tmp_path)["data.source"]
    command = [
        sys.executable,
        str(BENCHMARKS / "etth1.py"),
        "--source",
        source,
        "--horizons",
        "48",
        "--seeds",
        "0",
    ]
    for change in ("data.split={train: 400, val: 300, test: 300}", "training.epochs=1", "model.encoder_units=[4]"):
        command += ["--set", change]
    command += ["--set", "model.decoder_units=[4]", "--no-ablation"]
    done = forked.run(command, cwd=tmp_path, nested=True)
    assert done.returncode == 0, done.stderr[-3000:]
    (row,) = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| 48 ")]
    mean, least, most = (float(each) for each in re.findall(r"\d\.\d{3}", row[1]))
    assert least == mean == most, "one seed"
    assert 0.5 < mean < 3, "squared errors of noise of variance 1"
    assert row[1] != row[3], "the plain model is another one"


def test_etth1_tells_the_mean_over_the_seeds_and_their_range() -> None:
    etth1 = import_module("etth1")
    found = [{"mse": 0.4, "minutes": 1.0}, {"mse": 0.3, "minutes": 3.0}, {"mse": 0.35, "minutes": 2.0}]
    assert etth1.told(found, "mse") == "0.350 (0.300 to 0.400)"
    assert etth1.minutes(found) == "2.0"


def test_the_ablation_goes_from_the_plain_model_to_the_recipe() -> None:
    etth1 = import_module("etth1")
    given = [key for keys in etth1.STEPS.values() for key in keys]
    assert set(given) == set(etth1.PLAIN), "each setting comes back with one of the steps"
    first, *_, last = etth1.STEPS.values()
    assert (first, set(last)) == ((), set(etth1.PLAIN))


@pytest.mark.slow
def test_a_step_is_taken_apart(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "step.py"), "--tiny", "--steps", "20"]
    done = forked.run(command, cwd=tmp_path, nested=True)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [line.split("|")[2:-1] for line in done.stdout.splitlines() if line.startswith(("| forecast", "| addition"))]
    assert len(rows) == 2
    for step, kernel, output, adam, loss, _, operations in ([float(cell) for cell in row] for row in rows):
        assert min(kernel, adam, operations) > 0
        assert max(kernel, output, adam, loss) < step


def test_the_hand_written_recipes_of_the_tables_name_data_and_horizon_only(tmp_path: Path) -> None:
    tables = import_module("tables")
    assert len(tables.TABLES) == 10
    for name in tables.TABLES:
        recipe = tables.plain_recipe(name, tmp_path / "rows.csv")
        assert set(recipe) == {"task", "name", "data"}
        assert resolve(recipe, ()).model.model_dump()["linear_skip"] is True


def test_m4s_series_are_joined_from_both_files(tmp_path: Path) -> None:
    (tmp_path / "m4").mkdir()
    (tmp_path / "m4" / "Hourly-train.csv").write_text("V1,V2,V3,V4\nH1,1,2,3\nH2,4,5,\n")
    (tmp_path / "m4" / "Hourly-test.csv").write_text("V1,V2\nH1,9\nH2,8\n")
    rows = import_module("tables").m4_hourly(tmp_path)
    assert rows.groupby("series")["value"].apply(list).to_dict() == {"H1": [1, 2, 3, 9], "H2": [4, 5, 8]}


def test_a_table_that_fails_has_its_row() -> None:
    tables = import_module("tables")
    found = {"model": 1.5, "error_name": "RMSE", "peer": "ridge", "peer_error": 2.0, "skill": 0.25, "seconds": 61.0}
    assert "| RMSE 1.5 | ridge 2 | +0.250 | 61 |" in tables.row_of("co2", found)
    assert "| error[x]: no | | | 3 |" in tables.row_of("co2", {"error": "error[x]: no", "skill": 0.0, "seconds": 3.0})


@pytest.mark.slow
def test_a_table_is_trained_in_a_process_of_its_own(tmp_path: Path) -> None:
    months = pd.period_range("1949-01", periods=144, freq="M").astype(str)
    level = 100 + np.arange(144) * 2 + 20 * np.sin(np.arange(144) * np.pi / 6)
    pd.DataFrame({"Month": months, "#Passengers": level}).to_csv(tmp_path / "air_passengers.csv", index=False)
    command = [sys.executable, str(BENCHMARKS / "tables.py"), "--data", str(tmp_path), "--recipes", "plain"]
    command += ["--only", "airline", "sunspots", "--set", "training.epochs=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "| airline | passengers a month, 12 months ahead | RMSE" in done.stdout
    assert "of 1 tables have skill >= 0" in done.stdout
    assert "Left out, because there is no such file: sunspots" in done.stdout


@pytest.mark.slow
def test_many_series_are_timed_beside_one(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "series.py"), "--series", "60", "--epochs", "1"]
    done = forked.run(command, cwd=tmp_path, nested=True)
    assert done.returncode == 0, done.stderr[-3000:]
    first, _, *stages = done.stdout.splitlines()
    assert first.startswith("60 series of 40 rows: 1,140 training windows; one series of")
    assert [line.split()[0] for line in stages] == ["prepare", "check", "fit", "baselines", "evaluate", "predict", "in"]
    assert all(float(line.split()[-1]) > 0 for line in stages)


@pytest.mark.slow
def test_anomalies_are_judged_behind_the_rows_that_were_trained_on(tmp_path: Path) -> None:
    rows = np.arange(1500)
    value = np.sin(2 * np.pi * rows / 50) + np.random.default_rng(0).normal(0, 0.05, 1500)
    value[1200:1260] = 3.0
    times = pd.date_range("2024-01-01", periods=1500, freq="5min")
    (tmp_path / "art").mkdir()
    pd.DataFrame({"timestamp": times, "value": value}).to_csv(tmp_path / "art" / "shift.csv", index=False)
    pd.DataFrame({"timestamp": times, "value": np.roll(value, 700)}).to_csv(tmp_path / "art" / "usual.csv", index=False)
    (tmp_path / "anomaly_windows.json").write_text(
        f'{{"art/shift.csv": [["{times[1190]}", "{times[1270]}"]], "art/usual.csv": [], "art/absent.csv": []}}'
    )
    anomaly = import_module("anomaly")
    assert [(series.name, int(series.labels.sum())) for series in anomaly.read_nab(tmp_path)] == [
        ("shift", 81),
        ("usual", 0),
    ]
    series = next(anomaly.read_nab(tmp_path))
    found = pd.DataFrame(anomaly.measure(series, epochs=1, seed=0))
    assert set(found.score) == {*anomaly.FORMS, "mean of the three", "sub-PCA, raw", *PEERS}
    assert set(found.part) == {"test", "whole"}
    summary = anomaly.summary(found).set_index(["part", "score"])
    assert summary.loc[("test", "sub-PCA"), "found"] == 1
    assert summary.loc[("test", "sub-PCA"), "vus_pr"] > summary.loc[("test", "random"), "vus_pr"]
    assert (found.found + found.missed == 1).all()


def test_intervals_shows_the_share_and_the_step_that_is_farthest_off() -> None:
    intervals = import_module("intervals")
    one = {
        "all_80": 0.82,
        "step_80": 0.75,
        "all_95": 0.94,
        "step_95": 0.93,
        "rmse": 3.0,
        "ridge_rmse": 4.0,
        "minutes": 1.5,
    }
    one |= {"wql": 0.05, "ridge_wql": 0.06, "naive_wql": 0.07}
    shown = intervals.cells([one, one | {"all_80": 0.80, "step_80": 0.83, "wql": 0.07}])
    assert shown[:2] == ["81.0, 75.0", "94.0, 93.0"]
    assert shown[4] == "0.0600 (0.0500 to 0.0700)"
    assert set(intervals.SPLITS) == {"traffic", "weather", "etth1"}


@pytest.mark.slow
def test_m4_is_trained_and_judged_as_the_competition_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    curve = 100 + 50 * np.sin(np.arange(448) * 2 * np.pi / 24) + rng.normal(size=(3, 448))
    wide = pd.DataFrame(curve * np.array([[1], [10], [100]]), index=pd.Index(["H1", "H2", "H3"], name="V1"))
    for part, steps in (("train", slice(None, 400)), ("test", slice(400, None))):
        (tmp_path / "m4").mkdir(exist_ok=True)
        own = wide.iloc[:, steps]
        own.columns = pd.Index([f"V{number + 2}" for number in range(own.shape[1])])
        own.to_csv(tmp_path / "m4" / f"Hourly-{part}.csv")
    command = [sys.executable, str(BENCHMARKS / "m4.py"), "--data", str(tmp_path), "--tracking-uri", "runs"]
    short = ["data.input_steps=96", "ensemble={input_steps: [72, 96]}", "training.epochs=1"]
    for change in (*short, "model.encoder_units=[4]", "model.decoder_units=[4]"):
        command += ["--set", change]
    done = forked.run(command, cwd=tmp_path, nested=True)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = {
        line.split("|")[1].strip(): line.split("|")[2:4] for line in done.stdout.splitlines() if line.count("|") == 4
    }
    # By hand: of the seasonal naive forecast, which the day before tells.
    naive = np.tile(curve[:, 376:400], 2)
    smape = np.mean(200 * np.abs(curve[:, 400:] - naive) / (curve[:, 400:] + naive))
    assert float(rows["seasonal naive"][0]) == pytest.approx(smape, abs=0.006)
    mase = np.abs(curve[:, 400:] - naive).mean(axis=1) / np.abs(curve[:, 24:400] - curve[:, :376]).mean(axis=1)
    assert float(rows["seasonal naive"][1]) == pytest.approx(mase.mean(), abs=0.0006)
    assert 0 < float(rows["this recipe"][1]) < 5


def test_score_scores_the_rows_that_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = import_module("score")
    files = tmp_path / "files"
    files.mkdir()
    benchmark.write_rows(files / "0.parquet", 500, 2)
    benchmark.score("predict --all-windows", str(model("forecast_shapes")), files, 1)
    told = json.loads(capsys.readouterr().out)
    # Of each series 250 rows, of which a window reads 12; the newest ones forecast beyond the end.
    assert told["written"] == 2 * 4 * (250 - 12 + 1)
    assert benchmark.held_by(psutil.Process()) > 10**8


def test_export_compares_before_it_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = import_module("export")
    benchmark.report(untrained(forecast_recipe(), hourly_frame(200)), tmp_path, 4)
    shown = capsys.readouterr().out
    rows = [line.split("|")[1:-1] for line in shown.splitlines() if line.startswith("| `")]
    assert [row[0].strip() for row in rows[:2]] == ["`model.onnx`", "`network.onnx`"]
    assert all(int(row[1].replace(",", "")) > 5_000 and float(row[4]) <= 1e-5 for row in rows[:2])
    times = {row[0].strip(): [float(cell) for cell in row[1:]] for row in rows[2:]}
    assert len(times) == 3
    assert all(0 < low <= middle <= high for low, middle, high in times.values())


def test_a_worker_that_only_sleeps_tells_what_a_trial_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    sleeping = import_module("sleeping")
    for name, value in {"EPOCHS": 3, "SECONDS": 0.01, "TOLD": 0.02}.items():
        monkeypatch.setattr(sleeping, name, value)
    worker = sleeping.Sleeper(None)
    messages = [
        *worker.call("task", None).messages,
        *worker.call(None, None).messages,
        *worker.call(None, None).messages,
    ]
    assert [type(message).__name__ for message in messages] == ["EpochEnded", "EpochEnded", "EpochEnded", "Outcome"]
    assert [message.epoch.number for message in messages[:3]] == [1, 2, 3]
    assert messages[3].score == messages[2].epoch.val_loss


@pytest.mark.slow
def test_a_large_table_of_text_is_timed_beside_pandas(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "reading.py"), "--rows", "10000", "--rounds", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith(("| iso", "| day first"))]
    assert [len(row) for row in rows] == [6, 6]
    assert all(float(seconds) >= 0 for row in rows for seconds in row[1:4])


@pytest.mark.slow
def test_a_short_command_is_timed_beside_the_same_one_of_a_guest(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "starting.py"), "--rounds", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)
    cells = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith(("| predict", "| train"))]
    for _, own, guest, ratio in cells:
        taken = [float(each.split()[0]) for each in (own, guest)]
        assert float(ratio) == pytest.approx(taken[1] / taken[0], rel=0.03)
    assert len(cells) == 2
