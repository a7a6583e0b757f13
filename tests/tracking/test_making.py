"""A store is there whole or not at all: real processes are killed while they make it, and others make it at the same time."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import TrackingError
from seq2seq_kit.tracking.client import Tracking, open_tracking
from seq2seq_kit.tracking.making import LOCK, lock, make_store, state_of
from seq2seq_kit.tracking.store import LocalStore, local_store
from tests.conftest import ROOT

OPEN = "import sys; from seq2seq_kit.tracking.client import open_tracking; open_tracking(sys.argv[1])"


def opening(folder: Path) -> subprocess.Popen[bytes]:
    """A process that opens a store, and makes it if it is new."""
    command = [sys.executable, "-c", OPEN, str(folder)]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    """An empty store."""
    store = LocalStore(tmp_path_factory.mktemp("made") / "mlruns")
    store.make()
    return store


@pytest.fixture
def copied(made: LocalStore, tmp_path: Path) -> LocalStore:
    return LocalStore(Path(shutil.copytree(made.folder, tmp_path / "mlruns")))


def execute(store: LocalStore, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(store.database)) as connection:
        found = connection.execute(statement).fetchall()
        connection.commit()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_ended_among_the_migrations_it_is_made_by_the_next(number: int, tmp_path: Path) -> None:
    store, new = LocalStore(tmp_path / "mlruns"), tmp_path / "mlruns" / ".mlflow.db.new"
    process = opening(store.folder)
    until = time.monotonic() + 60
    while not (new.exists() and new.stat().st_size > 100_000) and time.monotonic() < until:
        time.sleep(0.001)
    process.send_signal(number)
    process.communicate()
    assert process.returncode != 0
    assert not store.database.exists()
    assert store.is_new
    assert open_tracking(str(store.folder)).runs().empty
    assert {path.name for path in store.folder.iterdir()} == {"mlflow.db", LOCK}


@pytest.mark.slow
def test_four_processes_that_make_a_store_at_once_all_get_it(tmp_path: Path) -> None:
    processes = [opening(tmp_path / "mlruns") for _ in range(4)]
    said = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    assert state_of(tmp_path / "mlruns" / "mlflow.db") == "whole"


@pytest.mark.slow
@pytest.mark.parametrize(
    "left",
    [
        "CREATE TABLE _alembic_tmp_jobs (id INTEGER)",
        "DROP TABLE alembic_version",
        "DELETE FROM alembic_version",
        "DELETE FROM experiments",
        "DROP TABLE runs",
    ],
)
def test_what_was_left_half_made_and_holds_nothing_is_replaced(left: str, copied: LocalStore) -> None:
    execute(copied, left)
    assert state_of(copied.database) == "half_made"
    record = open_tracking(str(copied.folder)).start("one", name="run", tags={})
    record.end("FINISHED")
    assert state_of(copied.database) == "whole"


@pytest.mark.slow
def test_an_empty_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    assert open_tracking(str(tmp_path)).runs().empty


def test_a_store_with_runs_is_never_replaced(
    copied: LocalStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_tracking(str(copied.folder)).start("one", name="run", tags={}).end("FINISHED")
    execute(copied, "CREATE TABLE _alembic_tmp_jobs (id INTEGER)")
    before = copied.database.read_bytes()
    with pytest.raises(TrackingError, match=r"_alembic_tmp_jobs.*it holds .*runs.*mlflow db upgrade") as caught:
        open_tracking(str(copied.folder))
    assert caught.value.code == "store_half_made"
    with pytest.raises(TrackingError):
        make_store(copied.database, copied.artifacts)
    assert copied.database.read_bytes() == before
    assert main(["list", "runs", "--tracking-uri", str(copied.folder)]) == 1
    assert "error[store_half_made]" in capsys.readouterr().err


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    execute(store, "CREATE TABLE songs (name TEXT)")
    execute(store, "INSERT INTO songs VALUES ('one')")
    with pytest.raises(TrackingError, match="it holds songs") as caught:
        open_tracking(str(tmp_path))
    assert caught.value.code == "store_half_made"
    assert execute(store, "SELECT name FROM songs") == [("one",)]


def test_a_lock_is_told_and_ends_with_its_holder(tmp_path: Path) -> None:
    code = "import sys, pathlib; from seq2seq_kit.tracking.making import lock\n"
    code += "with lock(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path / LOCK)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(TrackingError, match="fuser") as caught, lock(tmp_path / LOCK, 0.1):
            pass
        assert caught.value.code == "store_locked"
        process.kill()
    with lock(tmp_path / LOCK, 0.1):
        pass


@pytest.mark.parametrize("name", ["a?b", "my%20project", "a#b"])
def test_a_folder_that_mlflow_would_read_as_an_address_is_refused_at_once(name: str, tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="Rename the folder") as caught:
        local_store(str(tmp_path / name / "mlruns"))
    assert caught.value.code == "store_path_refused"
    with pytest.raises(TrackingError):
        local_store(f"sqlite:///{tmp_path}/{name}/mlflow.db")


@pytest.mark.parametrize("name", ["my runs", "100% mine", "50%_a", "ä & b", "a;b"])
def test_any_other_folder_holds_runs(name: str, tmp_path: Path, made: LocalStore) -> None:
    folder = tmp_path / name / "mlruns"
    shutil.copytree(made.folder, folder)
    record = open_tracking(str(folder)).start("one", name="run", tags={})
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "word.txt").write_text("here")
    record.files(tmp_path / "files")
    found = open_tracking(str(folder), create=False)
    assert found.fetch(record.run_id, "word.txt", tmp_path).read_text() == "here"
    assert (folder / "artifacts" / record.run_id / "artifacts" / "word.txt").exists()


def logged(tracking: Tracking, folder: Path) -> str:
    """A run with a file."""
    record = tracking.start("own", name="run", tags={})
    folder.mkdir()
    (folder / "word.txt").write_text("here")
    record.files(folder)
    record.end("FINISHED")
    return record.run_id


def test_an_experiment_that_stands_elsewhere_is_left_there(copied: LocalStore, tmp_path: Path) -> None:
    """Plain MLflow's experiment in the same database, whose folder has the name of the kit's."""
    tracking, elsewhere = open_tracking(str(copied.folder)), tmp_path / "else_where" / "artifacts"
    own = logged(tracking, tmp_path / "files")
    for name, place in (("with files", elsewhere), ("with none", tmp_path / "no%where" / "artifacts")):
        identity = tracking.client.create_experiment(name, artifact_location=str(place))
        run = tracking.client.create_run(identity)
        if name == "with files":
            tracking.client.log_artifacts(run.info.run_id, str(tmp_path / "files"))
    places = "SELECT name, artifact_location FROM experiments WHERE name LIKE 'with%' ORDER BY name"
    before = execute(copied, places)
    open_tracking(str(copied.folder))
    assert execute(copied, places) == before
    moved = LocalStore(copied.folder.rename(tmp_path / "moved"))
    assert len(open_tracking(str(moved.folder), create=False).runs()) == 3
    assert execute(moved, "SELECT artifact_location FROM experiments WHERE name = 'own'")[0][0] != str(moved.artifacts)
    assert open_tracking(str(moved.folder)).fetch(own, "word.txt", tmp_path).read_text() == "here"
    assert execute(moved, "SELECT artifact_location FROM experiments WHERE name = 'own'") == [(str(moved.artifacts),)]
    assert execute(moved, places) == before
    assert (elsewhere / "").exists()


def test_a_copied_database_without_its_files_still_finds_them(copied: LocalStore, tmp_path: Path) -> None:
    run = logged(open_tracking(str(copied.folder)), tmp_path / "files")
    backup = tmp_path / "backup"
    backup.mkdir()
    shutil.copy(copied.database, backup)
    assert open_tracking(str(backup)).fetch(run, "word.txt", tmp_path).read_text() == "here"
    place = f"{copied.artifacts}/{run}/artifacts"
    assert execute(LocalStore(backup), "SELECT artifact_uri FROM runs") == [(place,)]


def test_a_newer_mlflows_store_names_that_version(copied: LocalStore) -> None:
    open_tracking(str(copied.folder)).start("one", name="run", tags={}).end("FINISHED")
    execute(copied, "UPDATE tags SET value = '9.8.7' WHERE key = 'seq2seq_kit.mlflow'")
    execute(copied, "UPDATE alembic_version SET version_num = 'feedfacecafe'")
    newer = copied.folder.rename(copied.folder.with_name("newer"))  # MLflow looks at the schema of each place once
    with pytest.raises(TrackingError, match=r"pip install mlflow==9\.8\.7") as caught:
        open_tracking(str(newer), create=False)
    assert caught.value.code == "store_schema_refused"


def test_a_read_only_store_is_listed_and_read(
    copied: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write anywhere, so SQLite is told that it must not."""
    run = logged(open_tracking(str(copied.folder)), tmp_path / "files")
    moved = LocalStore(copied.folder.rename(tmp_path / "moved"))
    before = moved.database.read_bytes()
    monkeypatch.setattr(LocalStore, "writable", False)
    tracking = open_tracking(str(moved.folder), create=False)
    tracking.close_dead()
    assert len(tracking.runs()) == 1
    assert tracking.fetch(run, "word.txt", tmp_path).read_text() == "here"
    with pytest.raises(TrackingError, match="has no bundle"):
        tracking.fetch(run, "bundle", tmp_path)
    assert moved.database.read_bytes() == before
