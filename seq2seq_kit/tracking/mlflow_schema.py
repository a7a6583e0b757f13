"""MLflow's SQLite schema, as far as the kit touches it: the columns that hold the place of an artifact, and the revision.

No other module reads or writes MLflow's tables. MLflow stores absolute places and has no call that changes them; after a store
was moved or copied they are rewritten here. An unknown schema is never written to.
"""

import re
import sqlite3
import warnings
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from seq2seq_kit.errors import TrackingError

# Alembic's revisions from the first MLflow that wrote stores of the kit to the last one that pyproject.toml allows, oldest first.
FIRST, LAST = "3.7", "3.17"
REVISIONS = (
    *("bf29a5ff90ea", "1bd49d398cd23", "b7c8d9e0f1a2", "5d2d30f0abce", "c9d4e5f6a7b8"),
    *("2c33131f4dae", "d3e4f5a6b7c8", "d0e1f2a3b4c5", "c8d9e0f1a2b3", "1b5f0d9ad7c1", "e1f2a3b4c5d6", "76601a5f987d"),
    *("c3d6457b6d8a", "a5b4c3d2e1f0", "ae8bbe7743c9", "7d34483879f0", "da6fb0208061", "89d3d66ed43f", "b7e4c1a90f23"),
    *("a8b9c0d1e2f3", "c1d2e3f4a5b6", "c3d9e7f1a2b4", "6f8d9c3b2a1e", "1971f2d9a75b", "17e22815139b", "b7e2c1a4d9f3"),
    *("75868b020152", "dc11669786a5"),
)
OWN = "seq2seq_kit.experiment"  # tag of the experiments that the kit made
WRITTEN_BY = "seq2seq_kit.mlflow"  # tag of a run: the version of MLflow that wrote it
# Every column that holds the place of an artifact.
_PLACES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}


def follow_move(connection: sqlite3.Connection, artifacts: Path) -> None:
    """Rewrites the places of artifacts after the folder of a store was moved or copied; otherwise writes nothing.

    Only what moved with the store is rewritten, row by row, once its files are seen at the new place.

    Where the schema does not say whether the folder was moved, a warning says so.

    Args:
        connection: To the store's database, in a transaction.
        artifacts: The folder of the artifacts as it is now.

    Raises:
        TrackingError: The folder was moved, and the schema is not one of those that the kit knows.
    """
    present = {
        table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        for table in (*_PLACES, "alembic_version")
    }
    if not any(present[table] for table in _PLACES):
        return  # MLflow has not made its tables yet
    missing = [f"{table}.{name}" for table, names in _PLACES.items() for name in names if name not in present[table]]
    if "experiments.artifact_location" in missing:
        warnings.warn(
            f"the database of the MLflow store in {artifacts.parent} has no column experiments.artifact_location: if the folder "
            f"is moved, its artifacts cannot be found. Expected the schema of MLflow {FIRST} to {LAST}",
            stacklevel=2,
        )
        return
    old = [place for place in _candidates(connection, artifacts) if _has_moved(connection, place, artifacts, present)]
    if not old:
        return
    revision = _revision(connection) if "version_num" in present["alembic_version"] else None
    if missing or revision not in REVISIONS:
        reason = f"no column {', '.join(missing)}" if missing else f"the unknown schema revision {revision}"
        raise TrackingError(
            f"the MLflow store was moved from {Path(old[0]).parent} to {artifacts.parent}, and its artifacts cannot be found: "
            f"its database has {reason}. Expected the schema of MLflow {FIRST} to {LAST}. Move the folder back, or install "
            "a seq2seq-kit for that version of MLflow",
            code="unknown_store_schema",
        )
    for table, names in _PLACES.items():
        for name in names:
            for place in old:
                for before in _below(connection, table, name, place):
                    after = f"{artifacts}{before.removeprefix(place)}"
                    if Path(after).exists() or not Path(before).exists():
                        connection.execute(f"UPDATE {table} SET {name} = ? WHERE {name} = ?", (after, before))


def _candidates(connection: sqlite3.Connection, artifacts: Path) -> list[str]:
    """Places of experiments that may be this store's own from before a move."""
    found = connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
    own = [place for (place,) in found if place and "://" not in place and Path(place).name == "artifacts"]
    return [place for place in own if place != str(artifacts)]


def _has_moved(connection: sqlite3.Connection, place: str, artifacts: Path, present: Mapping[str, set[str]]) -> bool:
    """Whether the files of a place are at the new one now.

    Experiments that plain MLflow put elsewhere look the same, and their files stay where they are. Where runs have left no file
    at all, the experiments that the kit made follow the store.
    """
    runs = _below(connection, "runs", "artifact_uri", place) if "artifact_uri" in present["runs"] else []
    if any(Path(f"{artifacts}{uri.removeprefix(place)}").exists() for uri in runs):
        return True
    # A finished run of the kit has logged models, so files that cannot be seen now are elsewhere, perhaps not mounted.
    known = "artifact_location" in present["logged_models"]
    models = _below(connection, "logged_models", "artifact_location", place) if known else []
    return not models and not any(Path(uri).exists() for uri in runs) and _is_own(connection, place)


def _is_own(connection: sqlite3.Connection, place: str) -> bool:
    """Whether the kit made an experiment with this place; before it marked them, its runs say so."""
    said = """SELECT 1 FROM experiments AS e WHERE e.artifact_location = ? AND (
        EXISTS (SELECT 1 FROM experiment_tags AS t WHERE t.experiment_id = e.experiment_id AND t.key = ?)
        OR EXISTS (SELECT 1 FROM runs AS r JOIN tags AS t ON t.run_uuid = r.run_uuid
                   WHERE r.experiment_id = e.experiment_id AND t.key = 'mlflow.source.name'
                   AND substr(t.value, 1, 12) = 'seq2seq-kit '))"""
    return connection.execute(said, (place, OWN)).fetchone() is not None


def _below(connection: sqlite3.Connection, table: str, name: str, place: str) -> list[str]:
    """The values of a column that are a place or lie below it; LIKE would read `_` and `%` of a path as wildcards."""
    said = f"SELECT DISTINCT {name} FROM {table} WHERE {name} = ? OR substr({name}, 1, ?) = ?"
    return [row[0] for row in connection.execute(said, (place, len(place) + 1, f"{place}/"))]


def refused_schema(said: str, uri: str) -> str | None:
    """What to do about a store whose schema the installed MLflow refuses; None if its message is about something else.

    Args:
        said: MLflow's message.
        uri: The store.
    """
    match = re.search(r"schema \(found version (\w+), *but expected (\w+)\)", said)
    foreign = re.search(r"Can't locate revision identified by '(\w+)'", said)
    if match is None and foreign is None:
        return None
    found, expected = match.groups() if match else (foreign[1] if foreign else "", None)
    older = found in _installed()
    wrote = "" if older else _writer(uri)
    install = "Install the MLflow that wrote it" + (f": pip install mlflow=={wrote}" if wrote else "")
    cure = f"Copy the file as a backup and run `mlflow db upgrade {uri}`" if older else install
    wanted = f"; the installed one expects {expected}" if expected else ""
    written = f"{'an older' if older else 'another, probably newer,'} MLflow (schema revision {found}{wanted})"
    return f"{uri} was written by {written}. {cure}"


def _installed() -> set[str]:
    """The revisions that the installed MLflow can migrate from."""
    import mlflow

    folder = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
    return {path.name.partition("_")[0] for path in folder.glob("*_*.py")}


def _writer(uri: str) -> str:
    """The version of MLflow that wrote the newest of the kit's runs in a database; empty if it cannot be told."""
    said = "SELECT t.value FROM tags AS t JOIN runs AS r USING (run_uuid) WHERE t.key = ? ORDER BY r.start_time DESC LIMIT 1"
    try:
        with closing(
            sqlite3.connect(f"{Path(uri.removeprefix('sqlite:///')).as_uri()}?mode=ro", uri=True)
        ) as connection:
            row = connection.execute(said, (WRITTEN_BY,)).fetchone()
    except (sqlite3.Error, ValueError):  # a server's address, or tables of another form
        return ""
    return str(row[0]) if row and re.fullmatch(r"[\w.+]{1,30}", str(row[0])) else ""


def _revision(connection: sqlite3.Connection) -> str | None:
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None
