"""A run in MLflow holds what a reviewer needs, loads elsewhere, and tells how it ended."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.errors import BundleError, TrackingError, TrainingError
from seq2seq_kit.evaluation import Evaluation
from seq2seq_kit.runs import Silent
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.digest import digest_of
from seq2seq_kit.text import metric_keys
from seq2seq_kit.tracking.client import git_revision, open_tracking
from seq2seq_kit.training.fit import Epoch
from tests import forked
from tests.conftest import ROOT, autoencode_recipe, forecast_recipe, hourly_frame, waves_frame
from tests.untyped import TrainResult, load, read_bundle, train


@pytest.fixture(scope="module")
def logged(forecast_run: TrainResult, store: Path) -> Any:
    """The run as MLflow has it."""
    return open_tracking(str(store)).client.get_run(forecast_run.run_id)


@pytest.fixture(scope="module")
def artifacts(forecast_run: TrainResult, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All artifacts of the run, fetched through MLflow."""
    client = open_tracking(str(store)).client
    return Path(client.download_artifacts(forecast_run.run_id, "", str(tmp_path_factory.mktemp("artifacts"))))


def small(**training: Any) -> dict[str, Any]:
    """The forecast recipe with other keys of the training section."""
    recipe = forecast_recipe()
    return recipe | {"training": recipe["training"] | training}


def test_a_run_is_finished_and_lies_in_an_experiment_of_the_recipes_name(
    logged: Any, forecast_run: TrainResult, store: Path
) -> None:
    assert logged.info.status == "FINISHED"
    assert logged.info.run_name == "lstm8 e3 s0"
    experiment = open_tracking(str(store)).client.get_experiment(logged.info.experiment_id)
    assert experiment.name == "first_forecast"
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert experiment.artifact_location == str(store / "artifacts")
    assert logged.info.end_time > logged.info.start_time


def test_parameters_are_the_flattened_recipe(logged: Any) -> None:
    params = logged.data.params
    assert params["task"] == "forecast"
    assert params["data.input_steps"] == "24"
    assert params["data.split.val"] == "0.15"
    assert json.loads(params["data.inputs"]) == ["load", "heat"]
    assert json.loads(params["model.encoder_units"]) == [8]
    assert params["training.learning_rate"] == "0.01"
    assert params["training.patience"] == "5"  # a default, resolved
    assert {key.partition(".")[0] for key in params} == {
        *("task", "seed", "data", "model", "training"),
        *("detect", "levels", "intervals", "ensemble"),
    }


def test_each_epoch_has_losses_rate_and_speed(logged: Any, forecast_run: TrainResult, store: Path) -> None:
    client = open_tracking(str(store)).client
    for key in ("epoch/loss", "epoch/val_loss", "epoch/learning_rate", "epoch/sequences_per_second"):
        curve = client.get_metric_history(forecast_run.run_id, key)
        assert [point.step for point in curve] == [1, 2, 3]
        expected = [getattr(epoch, key.removeprefix("epoch/")) for epoch in forecast_run.fit.history]
        np.testing.assert_allclose([point.value for point in curve], expected)


def test_final_figures_are_those_of_the_evaluation(logged: Any, forecast_run: TrainResult) -> None:
    metrics, test = logged.data.metrics, forecast_run.test
    for key in ("mae", "rmse", "mase", "r2"):
        assert metrics[f"test/{key}"] == pytest.approx(getattr(test.overall(), key))
        assert metrics[f"val/{key}"] == pytest.approx(getattr(forecast_run.val.overall(), key))
    assert metrics["test/skill"] == metrics["_skill"] == pytest.approx(test.skill)
    assert metrics["_baseline_error"] == pytest.approx(test.error_of(test.best_baseline))
    assert sorted(metrics)[:3] == ["_baseline_error", "_error", "_skill"]
    assert metrics["test_baselines/last_value_rmse"] == pytest.approx(test.overall("last value").rmse)
    assert len([key for key in metrics if key.startswith("test_baselines/")]) == 12
    assert metrics["fit/best_epoch"] == forecast_run.fit.best_epoch


def test_the_error_by_step_is_a_curve_for_each_forecaster(forecast_run: TrainResult, store: Path) -> None:
    client = open_tracking(str(store)).client
    curve = client.get_metric_history(forecast_run.run_id, "test_by_step/rmse")
    assert [point.step for point in curve] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose([point.value for point in curve], forecast_run.test.by_step("model"))
    assert len(client.get_metric_history(forecast_run.run_id, "test_by_step/last_value_rmse")) == 6


def test_tags_are_words_to_filter_by(logged: Any, forecast_run: TrainResult, store: Path) -> None:
    tags = logged.data.tags
    assert tags["task"] == "forecast"
    assert tags["ended"] == "epochs"
    assert tags["differs"] == "the first run of this experiment"
    assert tags["best_baseline"] == forecast_run.test.best_baseline
    assert tags["beats_baselines"] in ("yes", "no")
    assert "keras " in tags["versions"]
    assert tags["seed"] == "0"
    client = open_tracking(str(store)).client
    found = client.search_runs([logged.info.experiment_id], "tags.task = 'forecast' and metrics.`test/rmse` < 1000")
    assert forecast_run.run_id in [run.info.run_id for run in found]


def test_findings_are_tags_of_their_own(logged: Any, forecast_run: TrainResult) -> None:
    assert forecast_run.findings
    for finding in forecast_run.findings:
        assert finding.text in logged.data.tags[f"finding.{finding.code}"]


def test_the_revision_is_logged(logged: Any) -> None:
    revision = git_revision(ROOT)
    if revision is None:
        assert "mlflow.source.git.commit" not in logged.data.tags
    else:
        assert logged.data.tags["mlflow.source.git.commit"][:40] == revision[:40]


def test_outside_a_repository_there_is_no_revision(tmp_path: Path) -> None:
    assert git_revision(tmp_path) is None


def test_the_note_holds_the_result_table(logged: Any, forecast_run: TrainResult) -> None:
    note = logged.data.tags["mlflow.note.content"]
    assert note.startswith("## first_forecast: RMSE ")
    for name in ("model", *forecast_run.test.baselines):
        assert f"| {name} | &nbsp;" in note
    assert f"{forecast_run.test.overall().rmse:.4g}" in note
    assert f"seq2seq-kit predict {forecast_run.run_id}" in note
    for finding in forecast_run.findings:
        assert finding.text in note


def test_the_dataset_is_an_input_with_its_digest(logged: Any, forecast_run: TrainResult) -> None:
    (entry,) = logged.inputs.dataset_inputs
    assert entry.dataset.digest == forecast_run.bundle.info["data_sha256"]
    assert json.loads(entry.dataset.profile)["num_rows"] == 600
    assert "load" in entry.dataset.schema


@pytest.mark.slow
def test_a_long_table_is_logged_by_its_first_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow goes through every cell of what it is given, which took most of the time of a training from millions of rows."""
    given: list[int] = []
    real = mlflow.data.from_pandas

    def counted(frame: pd.DataFrame, **about: Any) -> Any:
        given.append(len(frame))
        return real(frame, **about)

    monkeypatch.setattr(mlflow.data, "from_pandas", counted)
    opened = open_tracking(str(tmp_path))
    record = opened.start("long", name="run", tags={})
    record.dataset(hourly_frame(5_000), source="long.csv", name="long", digest="0" * 36)
    (entry,) = opened.client.get_run(record.run_id).inputs.dataset_inputs
    assert given == [1_000]
    assert json.loads(entry.dataset.profile) == {"num_rows": 5_000, "num_elements": 5_000 * hourly_frame(1).shape[1]}
    assert "load" in entry.dataset.schema


def test_the_digest_follows_the_content(forecast_run: TrainResult) -> None:
    frame = hourly_frame()

    def digest(frame: pd.DataFrame) -> str:
        job = open_job(forecast_run.recipe, frame)
        return digest_of(job.source, job.columns)

    assert digest(frame) == forecast_run.bundle.info["data_sha256"]
    assert digest(frame.assign(colour="red")) == forecast_run.bundle.info["data_sha256"]
    frame["load"] = frame["load"].where(frame.index != 3, frame["load"] + 1e-9)
    assert digest(frame) != forecast_run.bundle.info["data_sha256"]


def test_artifacts_have_names_that_say_what_they_are(artifacts: Path) -> None:
    names = {str(path.relative_to(artifacts)) for path in artifacts.rglob("*") if path.is_file()}
    figures = {"error_by_step.png", "forecasts.html", "forecasts.png", "loss_curves.png", "model.png"}
    files = {"bundle.json", "recipe.yaml", "state.json", "arrays.npz", "model.keras"}
    expected = {f"figures/{name}" for name in figures} | {f"bundle/{name}" for name in files}
    assert names == expected | {"recipe.yaml", "test_scores.csv", "val_scores.csv"}
    for name in figures:
        assert (artifacts / "figures" / name).stat().st_size > 5_000
    assert (artifacts / "figures" / "forecasts.png").read_bytes().startswith(b"\x89PNG")


def test_the_interactive_page_needs_no_network(artifacts: Path) -> None:
    page = (artifacts / "figures" / "forecasts.html").read_text(encoding="utf-8")
    assert '<script src="http' not in page
    assert "Plotly.newPlot" in page


def test_the_scores_are_every_figure_of_the_evaluation(artifacts: Path, forecast_run: TrainResult) -> None:
    scores = pd.read_csv(artifacts / "test_scores.csv", keep_default_na=False)
    assert list(scores["forecaster"].unique()) == ["model", *forecast_run.test.baselines]
    own = scores[(scores["forecaster"] == "model") & (scores["target"] == "load") & (scores["step"] == 0)]
    assert float(own["rmse"].iloc[0]) == pytest.approx(forecast_run.test.overall().rmse)


def models_of(result: TrainResult, store: Path) -> dict[str, Path]:
    """Folders of the models that a run has logged, by name."""
    client = open_tracking(str(store)).client
    outputs = client.get_run(result.run_id).outputs.model_outputs
    found = [client.get_logged_model(output.model_id) for output in outputs]
    return {model.name: Path(model.artifact_location) for model in found}


@pytest.mark.slow
@pytest.mark.parametrize("task", ["forecast", "autoencode"])
def test_the_logged_models_answer_in_a_fresh_process(
    task: str, store: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    result: TrainResult = request.getfixturevalue(f"{task}_run")
    places = models_of(result, store)
    assert set(places) == {"model", "network"}
    frames, tensors = (mlflow.models.get_model_info(str(places[name])).signature for name in ("model", "network"))
    assert frames.inputs.input_names() == ["time", "load", "heat"]
    outputs = ["time", "step", "load"] if task == "forecast" else ["first_time", "last_time", "reconstruction_error"]
    assert frames.outputs.input_names()[:3] == outputs
    assert [spec.shape for spec in tensors.inputs] == (
        [(-1, 24, 5), (-1, 6, 3)] if task == "forecast" else [(-1, 24, 2)]
    )
    assert [spec.shape for spec in tensors.outputs] == [(-1, 6, 1) if task == "forecast" else (-1, 24, 2)]
    code = (
        "import sys, mlflow, numpy as np, pandas as pd\n"
        "model, network = (mlflow.pyfunc.load_model(place) for place in sys.argv[1:])\n"
        "model.predict(model.input_example).to_parquet('example.parquet')\n"
        "frame = pd.read_parquet('rows.parquet').astype({'time': str})\n"
        "model.predict(frame).to_parquet('answer.parquet')\n"
        "np.save('network.npy', network.predict(network.input_example))\n"
        "import seq2seq_kit\n"
        "sys.stdout.write(seq2seq_kit.__file__)\n"
    )
    rows = hourly_frame().tail(50)
    rows.to_parquet(tmp_path / "rows.parquet")
    words = [sys.executable, "-c", code, str(places["model"]), str(places["network"])]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    code_of_its_own = Path(done.stdout)
    assert code_of_its_own.parts[-2:] == ("seq2seq_kit", "__init__.py")
    assert code_of_its_own.parts[-3].startswith("seq2seq_kit_")
    assert not code_of_its_own.exists(), "what a process unpacks goes with it"
    answer, example = pd.read_parquet(tmp_path / "answer.parquet"), pd.read_parquet(tmp_path / "example.parquet")
    pd.testing.assert_frame_equal(answer, result.bundle.answer(rows), check_dtype=False, rtol=1e-5)
    assert len(example) == (6 if task == "forecast" else 1)
    scaled = np.load(tmp_path / "network.npy")
    restored = scaled[0, :, 0] * result.bundle.scaler.scale[0, 0] + result.bundle.scaler.center[0, 0]
    if task == "forecast":
        np.testing.assert_allclose(restored, example["load"], rtol=1e-5)
    else:
        first = mlflow.pyfunc.load_model(str(places["model"])).input_example
        np.testing.assert_allclose(restored, result.bundle.reconstruct(first)["load"], rtol=1e-5)


def test_a_logged_model_is_few_files(store: Path, autoencode_run: TrainResult) -> None:
    """Over HTTP each is a request: with the package's modules one by one, logging took as long as a small training."""
    for folder in models_of(autoencode_run, store).values():
        files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        assert len(files) < 25, sorted(str(path.relative_to(folder)) for path in files)
        with zipfile.ZipFile(folder / "code" / "seq2seq_kit.zip") as packed:
            names = set(packed.namelist())
        assert {"seq2seq_kit/__init__.py", "seq2seq_kit/kernels/recurrent.c"} <= names
        assert not any(name.endswith((".pyc", ".so")) for name in names)


def test_the_logged_model_pins_what_it_needs(store: Path, autoencode_run: TrainResult) -> None:
    pins = (models_of(autoencode_run, store)["model"] / "requirements.txt").read_text().split()
    names = {pin.partition("==")[0] for pin in pins if "==" in pin}
    assert {"tensorflow", "keras", "numpy", "pandas", "pydantic", "ruamel.yaml"} <= names
    assert not any("://" in pin for pin in pins)


@pytest.mark.slow
def test_a_model_with_known_future_columns_is_logged_with_its_rows_ahead(store: Path) -> None:
    recipe = forecast_recipe(inputs=["load"], known_future=["heat"])
    frame = hourly_frame(300).astype({"load": int})
    result = train(recipe, overrides={"training.epochs": 1}, data=frame, tracking_uri=str(store))
    model = mlflow.pyfunc.load_model(str(models_of(result, store)["model"]))
    example = model.input_example
    assert example["load"].isna().sum() == 6
    assert example["heat"].notna().all()
    answer = model.predict(example)
    assert list(answer["step"]) == [1, 2, 3, 4, 5, 6]
    expected = result.bundle.predict(example.head(24), future=example.tail(6)[["time", "heat"]])
    np.testing.assert_allclose(answer["load"], expected["load"], rtol=1e-5)


@pytest.mark.slow
def test_training_from_the_logged_recipe_repeats_the_run(tmp_path: Path, store: Path) -> None:
    rows = tmp_path / "rows.csv"
    hourly_frame(300).to_csv(rows, index=False)
    uri = str(store)
    recipe = small(deterministic=True, epochs=2)
    recipe["data"]["source"] = str(rows)
    recipe["model"]["dropout"] = 0.2
    overrides = {"seed": 7, "model.encoder_units": [6]}
    first = train(recipe, overrides=overrides, tracking_uri=uri)
    client = open_tracking(uri).client
    logged = client.download_artifacts(first.run_id, "recipe.yaml", str(tmp_path))
    again = train(logged, tracking_uri=uri)
    assert again.run_id != first.run_id
    assert again.recipe == first.recipe
    pd.testing.assert_frame_equal(again.test.table(), first.test.table(), check_exact=True)
    assert [epoch.loss for epoch in again.fit.history] == [epoch.loss for epoch in first.fit.history]
    assert client.get_run(again.run_id).info.experiment_id == client.get_run(first.run_id).info.experiment_id
    other = train(logged, overrides={"seed": 8}, tracking_uri=uri)
    assert other.test.overall().rmse != first.test.overall().rmse


class InterruptAfter(Silent):
    """Presses Ctrl-C after an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch(self, epoch: Epoch) -> None:
        if epoch.number == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupted_run_is_killed_and_whole(store: Path) -> None:
    result = train(small(epochs=50), data=hourly_frame(), tracking_uri=str(store), reporter=InterruptAfter(2))
    assert result.fit.ended == "interrupted"
    assert len(result.fit.history) == 2
    run = open_tracking(str(store)).client.get_run(result.run_id)
    assert run.info.status == "KILLED"
    assert run.data.tags["ended"] == "interrupted"
    assert "best weights so far" in run.data.tags["mlflow.note.content"]
    assert run.data.metrics["test/rmse"] == pytest.approx(result.test.overall().rmse)
    frame = hourly_frame()
    loaded = load(result.run_id, tracking_uri=str(store))
    np.testing.assert_array_equal(loaded.predict(frame)["load"], result.bundle.predict(frame)["load"])


@pytest.mark.slow
def test_a_run_interrupted_before_its_first_epoch_is_killed(store: Path) -> None:
    class AtOnce(Silent):
        def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
            raise KeyboardInterrupt

    client = open_tracking(str(store)).client
    before = {run.info.run_id for run in client.search_runs(["1", "2", "3"])}
    result = train(small(), data=hourly_frame(300), tracking_uri=str(store), reporter=AtOnce())
    assert result.fit.best_epoch == 0
    new = [run for run in client.search_runs(["1", "2", "3"]) if run.info.run_id not in before]
    assert [run.info.status for run in new] == ["KILLED"]


@pytest.mark.slow
def test_a_loss_that_became_nan_fails_the_run_and_says_why(store: Path) -> None:
    recipe = small(optimizer="sgd", learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"learning_rate \(now 1e\+30\)"):
        train(recipe, data=hourly_frame(300), tracking_uri=str(store))
    tracked = open_tracking(str(store))
    run = tracked.client.get_run(tracked.runs()["run"].iloc[0])
    assert run.info.status == "FAILED"
    assert run.data.tags["error"].startswith("TrainingError: the training loss became")
    assert run.info.end_time


def test_mlflows_telemetry_is_off_unless_turned_on() -> None:
    code = "import os, seq2seq_kit.tracking; print(os.environ['MLFLOW_DISABLE_TELEMETRY'])"
    bare = {key: value for key, value in os.environ.items() if key != "MLFLOW_DISABLE_TELEMETRY"}
    for given, expected in (({}, "true"), ({"MLFLOW_DISABLE_TELEMETRY": "false"}, "false")):
        done = subprocess.run(
            [sys.executable, "-c", code], env=bare | given, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected


@pytest.mark.slow
def test_nothing_is_created_outside_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    train(small(epochs=1), data=hourly_frame(300), tracking_uri=str(tmp_path / "store"))
    assert list(here.iterdir()) == []
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == [".mlflow.lock", "artifacts", "mlflow.db"]


def test_a_store_that_was_named_once_is_not_the_next_calls_default(
    store: Path, forecast_run: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    open_tracking(str(store))
    assert "MLFLOW_TRACKING_URI" not in os.environ
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "mine")
    open_tracking(str(store))
    assert os.environ["MLFLOW_TRACKING_URI"] == "mine"


@pytest.mark.slow
def test_first_use_says_that_it_creates_the_store(tmp_path: Path) -> None:
    said: list[str] = []
    open_tracking(str(tmp_path / "mlruns"), say=said.append)
    assert said == ["creating the MLflow store in mlruns/ (once, a few seconds)"]
    open_tracking(str(tmp_path / "mlruns"), say=said.append)
    assert len(said) == 1


@pytest.mark.slow
def test_if_logging_fails_the_bundle_is_rescued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's artifact folder becomes unusable while the model trains."""
    here, uri = tmp_path / "here", tmp_path / "store"
    here.mkdir()
    monkeypatch.chdir(here)

    class Spoil(Silent):
        def on_epoch(self, epoch: Epoch) -> None:
            if (uri / "artifacts").is_dir():
                shutil.rmtree(uri / "artifacts")
            (uri / "artifacts").write_text("in the way")

    with pytest.raises(BundleError, match=r"it was saved to .*here/bundle-") as caught:
        train(small(epochs=1), data=hourly_frame(300), tracking_uri=str(uri), reporter=Spoil())
    (rescued,) = here.iterdir()
    assert caught.value.code == "run_not_logged"
    assert str(rescued) in str(caught.value)
    assert len(read_bundle(rescued).predict(hourly_frame(60))) == 6
    tracked = open_tracking(str(uri))
    run = tracked.client.get_run(tracked.runs()["run"].iloc[0])
    assert run.info.status == "FAILED"
    assert run.info.run_id[:8] in rescued.name


def test_what_a_busy_store_refuses_is_sent_with_the_next_epoch(
    forecast_run: TrainResult, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracked = open_tracking(str(store))
    record = tracked.start("small_forecast", name="busy", tags={})
    epochs = [
        Epoch(n, 2, loss=1 / n, val_loss=2 / n, learning_rate=0.1, seconds=1, sequences_per_second=9) for n in (1, 2)
    ]

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(tracked.client, "log_batch", refuse)
        with pytest.warns(UserWarning, match=r"locked by another process.*kept and sent with the next epoch"):
            record.on_epoch(epochs[0])
    record.on_epoch(epochs[1])
    record.end("FINISHED")
    curve = tracked.client.get_metric_history(record.run_id, "epoch/loss")
    assert [(point.step, point.value) for point in curve] == [(1, 1.0), (2, 0.5)]


def test_figures_without_a_value_are_left_out(store: Path, forecast_run: TrainResult) -> None:
    tracked = open_tracking(str(store))
    record = tracked.start("small_forecast", name="gaps", tags={})
    record.metrics({"known": 1.0, "nan": float("nan"), "infinite": float("inf")})
    record.end("FINISHED")
    assert tracked.client.get_run(record.run_id).data.metrics == {"known": 1.0}


def test_the_newest_runs_are_listed_with_their_figures(store: Path, forecast_run: TrainResult) -> None:
    listed = open_tracking(str(store)).runs(most=100).set_index("run")
    row = listed.loc[forecast_run.run_id]
    assert row["experiment"] == "first_forecast"
    assert row["result"].startswith(f"RMSE {forecast_run.test.overall().rmse:.4g}, skill ")


def test_an_artifact_that_a_cut_run_lacks_is_told(store: Path, forecast_run: TrainResult, tmp_path: Path) -> None:
    tracked = open_tracking(str(store))
    record = tracked.start("small_forecast", name="cut", tags={})
    record.end("KILLED")
    with pytest.raises(TrackingError, match=rf"{record.run_id} \(KILLED\) has no bundle") as caught:
        load(record.run_id, tracking_uri=str(store))
    assert caught.value.code == "missing_artifact"


def test_an_autoencoder_run_scores_against_its_baselines(autoencode_run: TrainResult, store: Path) -> None:
    run = open_tracking(str(store)).client.get_run(autoencode_run.run_id)
    test: Evaluation = autoencode_run.test
    assert {f"test_baselines/{key}_rmse" for key in metric_keys(test.baselines).values()} <= set(run.data.metrics)
    assert "test/mase" not in run.data.metrics  # nothing is forecast
    assert f"seq2seq-kit score {autoencode_run.run_id}" in run.data.tags["mlflow.note.content"]
    names = {file.path for file in open_tracking(str(store)).client.list_artifacts(autoencode_run.run_id, "figures")}
    assert "figures/reconstructions.png" in names
    assert autoencode_recipe()["name"] == open_tracking(str(store)).client.get_experiment(run.info.experiment_id).name


def test_reading_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match=r"nowhere: it has no mlflow\.db") as caught:
        open_tracking(str(tmp_path / "nowhere"), create=False)
    assert caught.value.code == "store_not_found"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.slow
def test_settings_by_column_are_one_parameter_each(tmp_path: Path) -> None:
    record = open_tracking(str(tmp_path / "mlruns")).start("names", name="run", tags={})
    record.params({"data": {"scaling": {"wind (m/s)": "robust"}, "limits": {"wind (m/s)": [0.0, 90.0]}}})
    record.params({"many": {f"key_{position}": position for position in range(150)}})
    params = record.tracking.client.get_run(record.run_id).data.params
    assert params["data.scaling"] == '{"wind (m/s)": "robust"}'
    assert params["data.limits"] == '{"wind (m/s)": [0.0, 90.0]}'
    assert params["many.key_149"] == "149"


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git, which is not on PATH")
def test_the_revision_is_the_commit_also_where_there_is_a_tag(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        named = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
        return subprocess.run([*named, *words], capture_output=True, text=True, check=True).stdout.strip()

    git("init")
    git("commit", "--allow-empty", "-m", "first")
    git("tag", "-a", "v0.1.0", "-m", "a release")
    assert git_revision(tmp_path) == git("rev-parse", "HEAD")
    git("commit", "--allow-empty", "-m", "second")
    assert git_revision(tmp_path) == git("rev-parse", "HEAD")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["next_step", "whole"])
def test_the_logged_models_of_sequences_answer_in_a_fresh_process(
    kind: str, store: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    result: TrainResult = request.getfixturevalue(f"{kind}_run")
    places = models_of(result, store)
    assert set(places) == {"model", "network"}
    rows = hourly_frame(30, series=("a", "b")) if kind == "next_step" else waves_frame(4, seed=3)
    rows.to_parquet(tmp_path / "rows.parquet")
    code = (
        "import sys, mlflow, numpy as np, pandas as pd\n"
        "model, network = (mlflow.pyfunc.load_model(place) for place in sys.argv[1:])\n"
        "frame = pd.read_parquet('rows.parquet')\n"
        "frame = frame.astype({'time': str}) if 'time' in frame else frame\n"
        "model.predict(frame).to_parquet('answer.parquet')\n"
        "network_answer = network.predict(network.input_example)\n"
        "np.save('network.npy', network_answer)\n"
        "np.savez('inputs.npz', **network.input_example)\n"
    )
    words = [sys.executable, "-c", code, str(places["model"]), str(places["network"])]
    done = forked.run(words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = pd.read_parquet(tmp_path / "answer.parquet")
    pd.testing.assert_frame_equal(answer, result.bundle.answer(rows), check_dtype=False, rtol=1e-4)
    with np.load(tmp_path / "inputs.npz") as stored:
        inputs = [stored[tensor.name] for tensor in result.bundle.model.inputs]
    assert inputs[1].shape == inputs[0].shape[:2]
    np.testing.assert_allclose(np.load(tmp_path / "network.npy"), result.bundle.forward(inputs), rtol=1e-4, atol=1e-6)
