"""The local store: where it lies, that it survives a move or a copy, and what is said when it cannot be used."""

import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from seq2seq_kit.errors import TrackingError
from seq2seq_kit.results import TrainResult
from seq2seq_kit.runs import train
from seq2seq_kit.tracking import store as store_module
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.tracking.store import LocalStore, local_store
from tests.conftest import forecast_recipe, hourly_frame
from tests.untyped import load


def places(database: Path) -> list[str]:
    """Every artifact place that a database holds."""
    found = []
    with closing(sqlite3.connect(database)) as connection:
        for table, column in (
            ("experiments", "artifact_location"),
            ("runs", "artifact_uri"),
            ("logged_models", "artifact_location"),
        ):
            found += [str(row[0]) for row in connection.execute(f"SELECT {column} FROM {table}")]
    return found


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("runs", "runs"),
        ("./deep/er", "deep/er"),
        ("sqlite:///here/mlflow.db", "here"),
        ("file:there", "there"),
    ],
)
def test_a_folder_and_a_database_mean_a_local_store(
    uri: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert local_store(uri) == LocalStore(tmp_path / folder)


def test_an_absolute_database_is_found(tmp_path: Path) -> None:
    assert local_store(f"sqlite:///{tmp_path}/mlflow.db") == LocalStore(tmp_path)
    assert local_store(f"file://{tmp_path}") == LocalStore(tmp_path)


@pytest.mark.parametrize("uri", ["http://tracking.example:5000", "https://tracking.example", "databricks"])
def test_a_server_is_no_local_store(uri: str) -> None:
    assert local_store(uri) is None


def test_without_a_uri_the_environment_counts_then_mlruns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert local_store(None) == LocalStore(tmp_path / "mlruns")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "elsewhere")
    assert local_store(None) == LocalStore(tmp_path / "elsewhere")
    assert local_store("mine") == LocalStore(tmp_path / "mine")


def test_a_database_of_another_name_is_refused() -> None:
    with pytest.raises(TrackingError, match=r"Received: sqlite:///runs\.sqlite") as caught:
        local_store("sqlite:///runs.sqlite")
    assert caught.value.code == "bad_tracking_uri"


@pytest.mark.slow
@pytest.mark.parametrize("move", [True, False])
def test_artifacts_are_found_after_a_move_and_after_a_copy(
    move: bool, forecast_run: TrainResult, store: Path, tmp_path: Path
) -> None:
    project, here = tmp_path / "project", tmp_path / "else where" / "100%_mine"
    shutil.copytree(store, project / "mlruns")
    load(forecast_run.run_id, tracking_uri=str(project / "mlruns"))  # the copy is a store of its own
    if move:
        here.parent.mkdir()
        project.rename(here)
    else:
        shutil.copytree(project, here)
    bundle = load(forecast_run.run_id, tracking_uri=str(here / "mlruns"))
    frame = hourly_frame()
    np.testing.assert_array_equal(bundle.predict(frame)["load"], forecast_run.bundle.predict(frame)["load"])
    found = places(here / "mlruns" / "mlflow.db")
    here_places = [place for place in found if place.startswith(str(here / "mlruns" / "artifacts"))]
    assert len(here_places) >= 3  # the experiment, the run and its model
    assert not any(str(project) in place or str(store) in place for place in found)
    assert project.exists() is not move
    if not move:
        kept = places(project / "mlruns" / "mlflow.db")
        assert sum(place.startswith(str(project / "mlruns" / "artifacts")) for place in kept) == len(here_places)


def test_a_moved_store_takes_new_runs(forecast_run: TrainResult, store: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(store, tmp_path / "moved" / "mlruns"))
    before = {path for path in store.rglob("*") if path.is_file()}
    tracking = open_tracking(str(moved))
    record = tracking.start("small_forecast", name="later", tags={})
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "word.txt").write_text("here")
    record.files(tmp_path / "files")
    record.end("FINISHED")
    written = list(moved.rglob("word.txt"))
    assert len(written) == 1
    assert record.run_id in str(written[0])
    assert {path for path in store.rglob("*") if path.is_file()} == before


@pytest.fixture
def locked(forecast_run: TrainResult, store: Path, tmp_path: Path) -> Path:
    """A copy of the store for a test to lock."""
    return Path(shutil.copytree(store, tmp_path / "locked"))


@pytest.mark.slow
def test_a_locked_store_is_told_with_its_file(locked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_LOCK_SECONDS", 0.3)
    with closing(sqlite3.connect(locked / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(TrackingError, match=r"locked/mlflow\.db .*`fuser`") as caught:
            train(forecast_recipe(), data=hourly_frame(), tracking_uri=str(locked))
        assert caught.value.code == "store_locked"
        assert time.monotonic() - began < 8
        other.execute("ROLLBACK")
    open_tracking(str(locked))


@pytest.mark.slow
def test_a_lock_that_goes_away_is_waited_for(locked: Path) -> None:
    with closing(sqlite3.connect(locked / "mlflow.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        timer = threading.Timer(0.5, lambda: other.execute("ROLLBACK"))
        timer.start()
        local_store(str(locked)).prepare()  # type: ignore[union-attr]
        assert timer.finished.is_set()
        timer.join()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("dear diary " * 100)
    with pytest.raises(TrackingError, match=r"mlflow\.db .*Move it away") as caught:
        open_tracking(str(tmp_path))
    assert caught.value.code == "store_damaged"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrackingError, match=r"file/mlruns.*--tracking-uri") as caught:
        open_tracking(str(tmp_path / "file" / "mlruns"))
    assert caught.value.code == "store_not_writable"


def test_a_server_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match=r"http://127\.0\.0\.1:9 ") as caught:
        open_tracking("http://127.0.0.1:9")
    assert caught.value.code == "tracking_request_failed"


def test_an_unknown_run_is_told_with_where_to_look(forecast_run: TrainResult, store: Path) -> None:
    with pytest.raises(TrackingError, match=r"0000abcd in sqlite:.*`seq2seq-kit list runs`") as caught:
        load("0000abcd", tracking_uri=str(store))
    assert caught.value.code == "unknown_run"
    with pytest.raises(TrackingError, match="the beginning of an id needs at least 6 characters"):
        load(forecast_run.run_id[:5], tracking_uri=str(store))
    assert "characters" not in str(caught.value)


def test_a_run_is_found_by_the_beginning_of_its_id(forecast_run: TrainResult, store: Path) -> None:
    assert load(forecast_run.run_id[:8], tracking_uri=str(store)).info["run_id"] == forecast_run.run_id


def test_a_deleted_experiment_is_told(store: Path, forecast_run: TrainResult, tmp_path: Path) -> None:
    tracking = open_tracking(str(shutil.copytree(store, tmp_path / "mlruns")))
    found = tracking.client.get_experiment_by_name("first_forecast")
    tracking.client.delete_experiment(found.experiment_id)
    with pytest.raises(TrackingError, match="first_forecast") as caught:
        tracking.start("first_forecast", name="again", tags={})
    assert caught.value.code == "experiment_deleted"
