"""MLflow's tables: which places follow a move, and what is said where the schema is not one that is known."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import TrackingError
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.tracking.mlflow_schema import REVISIONS, refused_schema
from seq2seq_kit.tracking.store import LocalStore


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real store with an experiment and a run, in a folder whose name has wildcards of SQL."""
    folder = tmp_path_factory.mktemp("made") / "my_runs_100%"
    record = open_tracking(str(folder)).start("one", name="run", tags={})
    record.end("FINISHED")
    return folder


@pytest.fixture
def moved(made: Path, tmp_path: Path) -> LocalStore:
    """A copy of it elsewhere, whose places still name the old folder."""
    return LocalStore(Path(shutil.copytree(made, tmp_path / "moved")))


def execute(store: LocalStore, *statements: str) -> list[str]:
    """Runs SQL on a store and gives the first column of what the last statement finds."""
    with closing(sqlite3.connect(store.database)) as connection:
        found = [connection.execute(statement).fetchall() for statement in statements]
        connection.commit()
    return [row[0] for row in found[-1]]


def test_the_newest_revision_that_is_known_is_the_one_that_mlflow_has() -> None:
    """Whoever raises the bound of MLflow in pyproject.toml appends its revisions."""
    import mlflow
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    folder = Path(mlflow.__file__).parent / "store" / "db_migrations"
    config = Config(str(folder / "alembic.ini"))
    config.set_main_option("script_location", str(folder))
    chain = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]
    own = chain[chain.index(REVISIONS[0]) :]
    assert own == list(REVISIONS[: len(own)])


@pytest.mark.slow
def test_places_follow_a_move_letter_by_letter(made: Path, moved: LocalStore) -> None:
    old = f"{made}/artifacts"
    alike = [old.replace("_", "X"), old.replace("%", " per cent"), old.replace("my_runs", "MY_RUNS")]
    others = ["s3://bucket/artifacts", *(f"{place}/own" for place in alike)]
    rows = [
        f"INSERT INTO experiments (name, artifact_location, lifecycle_stage) VALUES ('{n}', '{place}', 'active')"
        for n, place in enumerate(others)
    ]
    execute(moved, *rows)
    moved.prepare()
    places = execute(moved, "SELECT artifact_location FROM experiments WHERE name = 'one'")
    places += execute(moved, "SELECT artifact_uri FROM runs")
    assert len(places) == 2
    assert all(place.startswith(str(moved.artifacts)) for place in places)
    assert not any(place.startswith(old) for place in execute(moved, "SELECT artifact_location FROM experiments"))
    kept = execute(moved, "SELECT artifact_location FROM experiments WHERE name IN ('0', '1', '2', '3') ORDER BY name")
    assert kept == others


@pytest.mark.parametrize(
    ("change", "received"),
    [
        ("ALTER TABLE runs RENAME COLUMN artifact_uri TO artifact_place", "no column runs.artifact_uri"),
        ("ALTER TABLE logged_models RENAME TO models_logged", "no column logged_models.artifact_location"),
        ("ALTER TABLE model_versions DROP COLUMN storage_location", "no column model_versions.storage_location"),
        ("UPDATE alembic_version SET version_num = 'feedfacecafe'", "revision feedfacecafe"),
        ("DROP TABLE alembic_version", "revision None"),
    ],
)
def test_a_moved_store_of_an_unknown_schema_is_refused_and_left_alone(
    change: str, received: str, made: Path, moved: LocalStore
) -> None:
    execute(moved, change)
    before = moved.database.read_bytes()
    with pytest.raises(TrackingError, match=received) as caught:
        moved.prepare()
    assert caught.value.code == "unknown_store_schema"
    assert str(made) in str(caught.value)
    assert str(moved.folder) in str(caught.value)
    assert moved.database.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    ["ALTER TABLE experiments RENAME COLUMN artifact_location TO place", "ALTER TABLE experiments RENAME TO studies"],
)
def test_where_a_move_cannot_be_noticed_a_warning_says_so(change: str, moved: LocalStore) -> None:
    execute(moved, change)
    with pytest.warns(UserWarning, match=r"no column experiments\.artifact_location"):
        moved.prepare()


def test_an_unknown_schema_at_its_old_place_is_for_mlflow_to_judge(made: Path, tmp_path: Path) -> None:
    store = LocalStore(Path(shutil.copytree(made, tmp_path / "here")))
    store.prepare()
    execute(store, "UPDATE alembic_version SET version_num = 'feedfacecafe'")
    store.prepare()
    with pytest.raises(TrackingError, match=r"feedfacecafe.*Install the MLflow that wrote it") as caught:
        open_tracking(str(store.folder))
    assert caught.value.code == "store_schema_refused"


def test_an_older_store_comes_with_the_command_that_migrates_it(made: Path, tmp_path: Path) -> None:
    store = LocalStore(Path(shutil.copytree(made, tmp_path / "here")))
    store.prepare()
    execute(store, f"UPDATE alembic_version SET version_num = '{REVISIONS[0]}'")
    with pytest.raises(TrackingError, match=rf"{REVISIONS[0]}.*`mlflow db upgrade {store.uri}`") as caught:
        open_tracking(str(store.folder))
    assert caught.value.code == "store_schema_refused"


def test_other_messages_are_not_about_the_schema() -> None:
    assert refused_schema("no such table: runs", "sqlite:///runs/mlflow.db") is None


def test_an_empty_database_has_nothing_to_follow(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    execute(store, "CREATE TABLE unrelated (artifact_location TEXT)")
    store.prepare()


def test_an_unknown_schema_is_told_without_a_traceback(moved: LocalStore, capsys: pytest.CaptureFixture[str]) -> None:
    execute(moved, "ALTER TABLE runs RENAME COLUMN artifact_uri TO artifact_place")
    assert main(["list", "runs", "--tracking-uri", str(moved.folder)]) == 1
    said = capsys.readouterr().err
    assert "runs.artifact_uri" in said
    assert "Traceback" not in said
