"""Making a local store: beside its place and under a lock, then renamed, so that it is there whole or not at all.

MLflow makes its tables in some fifty migrations, each a transaction of its own. Whoever is ended between two of them leaves a
file that no MLflow opens again.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

from seq2seq_kit.errors import TrackingError
from seq2seq_kit.tracking.calls import kit_errors

# Of a store that holds nothing: MLflow writes these rows when it makes one, the default experiment last of all.
_MADE_ROWS = {"alembic_version", "workspaces", "experiments"}
LOCK = ".mlflow.lock"  # beside the database
_MAKING_SECONDS = 120.0  # how long another process may take to make the store
_CLAIM_SECONDS = 20.0

State = Literal["absent", "half_made", "whole"]


@contextmanager
def lock(path: Path, seconds: float = _CLAIM_SECONDS) -> Iterator[None]:
    """Holds a lock: a transaction on an empty SQLite file, which ends with its process on every platform.

    Raises:
        TrackingError: Another process holds it for longer, or its folder cannot be written.
    """
    with ExitStack() as held:
        with database_errors(path, seconds):
            connection = held.enter_context(closing(sqlite3.connect(path, timeout=seconds, isolation_level=None)))
            connection.execute("BEGIN EXCLUSIVE")
        yield


def state_of(database: Path, seconds: float = _CLAIM_SECONDS) -> State:
    """Whether a store is there, whole, or was left half made and holds nothing; a lock is waited for so many seconds.

    Raises:
        TrackingError: It is half made and holds something, or is no SQLite database, or is locked.
    """
    if not database.exists():
        return "absent"
    with database_errors(database, seconds), opened(database, seconds) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        counts = {name: _count(connection, name) for name in names}
    missing = [name for name in ("experiments", "runs", "alembic_version") if name not in counts]
    missing += [name for name in ("experiments", "alembic_version") if counts.get(name) == 0]
    between = [name for name in names if name.startswith("_alembic_tmp_")]
    if not missing and not between:
        return "whole"
    held = [name for name, count in counts.items() if count and name not in _MADE_ROWS and name not in between]
    if counts.get("experiments", 0) > 1:
        held.append("experiments")
    if not held:
        return "half_made"
    found = f"the table {between[0]} of an interrupted migration" if between else f"no rows in {missing[0]}"
    raise TrackingError(
        f"{database} is no whole MLflow store: it has {found}, and it holds {', '.join(held[:3])}, so it is left as it is. "
        "Restore a copy from before the interruption; without one, copy the file, drop the table with sqlite3 and run "
        f"`mlflow db upgrade sqlite:///{database}`, or move the file away to start anew",
        code="store_half_made",
    )


def make_store(database: Path, artifacts: Path) -> None:
    """Makes a store, unless it is there or another process makes it first; one that was left half made is replaced.

    Raises:
        TrackingError: The folder cannot be written, the disk is full, or another process does not finish.
    """
    with lock(database.with_name(LOCK), _MAKING_SECONDS):
        if state_of(database) == "whole":
            return
        new = database.with_name(".mlflow.db.new")
        _remove(new)  # of a process that was killed here: nobody else holds the lock
        try:
            with kit_errors(f"sqlite:///{database}"), _unwaited(new):
                from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

                SqlAlchemyStore(f"sqlite:///{new}", str(artifacts)).engine.dispose()
                _to_disk(new)
        except BaseException:
            _remove(new)
            raise
        _remove(database)  # half made; its journal must not be taken for the new one's
        new.replace(database)
        _to_disk(database.parent)


@contextmanager
def _unwaited(database: Path) -> Iterator[None]:
    """New connections to a database do not wait for the disk: fifty migrations would, and nothing is lost that is not renamed."""
    from sqlalchemy import Engine, event

    place = database.resolve()

    def ask(connection: sqlite3.Connection, _: object) -> None:
        if isinstance(connection, sqlite3.Connection) and any(
            Path(row[2]) == place for row in connection.execute("PRAGMA database_list")
        ):
            connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", ask)
    try:
        yield
    finally:
        event.remove(Engine, "connect", ask)


@contextmanager
def opened(database: Path, seconds: float) -> Iterator[sqlite3.Connection]:
    """A connection to a database that is there; it can be read where it must not be written."""
    place = f"{database.as_uri()}?mode=rw"
    with closing(sqlite3.connect(place, timeout=seconds, isolation_level=None, uri=True)) as connection:
        yield connection


@contextmanager
def database_errors(database: Path, seconds: float) -> Iterator[None]:
    """SQLite's errors as the kit's; a lock was waited for so many seconds."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise TrackingError(
                f"{database} is locked by another process, waited {seconds:.0f} s. Expected to write to it. Wait for the "
                "other run to finish its write, or stop it; `fuser` on the file names it",
                code="store_locked",
            ) from None
        raise TrackingError(
            f"cannot write to {database}: {error}. Check its permissions and the disk", code="store_not_writable"
        ) from None
    except sqlite3.DatabaseError as error:
        raise TrackingError(
            f"{database} is not a SQLite database ({error}). Move it away to start anew", code="store_damaged"
        ) from None


def _count(connection: sqlite3.Connection, table: str) -> int:
    """Rows of a table, counted up to two."""
    quoted = table.replace('"', '""')
    return int(connection.execute(f'SELECT count(*) FROM (SELECT 1 FROM "{quoted}" LIMIT 2)').fetchone()[0])


def _remove(database: Path) -> None:
    for ending in ("-journal", "-wal", "-shm", ""):
        database.with_name(database.name + ending).unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Waits until a file or a folder's entries are on the disk; where a folder cannot be opened (Windows) it need not."""
    with suppress(PermissionError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
