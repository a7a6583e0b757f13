"""The local MLflow store: where it lies, whether it is free, and finding its artifacts after the folder has moved.

Works on the SQLite file itself, so it needs no MLflow and answers at once.
"""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from seq2seq_kit.errors import TrackingError

FOLDER = "mlruns"
_LOCK_SECONDS = 10.0
# Every column of MLflow's schema that holds the place of an artifact.
_PLACES = {
    "experiments": ["artifact_location"],
    "runs": ["artifact_uri"],
    "logged_models": ["artifact_location"],
    "model_versions": ["source", "storage_location"],
}


@dataclass(frozen=True)
class LocalStore:
    """A folder with `mlflow.db` and `artifacts/`."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.database}"

    @property
    def is_new(self) -> bool:
        return not self.database.exists()

    def prepare(self) -> None:
        """Makes the folder, waits for a lock to go, and follows a move of the folder.

        Raises:
            TrackingError: The folder cannot be written, or another process holds the database.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrackingError(
                f"cannot make the folder {self.folder}: {error}. Choose another --tracking-uri"
            ) from None
        if self.is_new:
            return
        try:
            with closing(sqlite3.connect(self.database, timeout=_LOCK_SECONDS, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                self._follow_move(connection)
                connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise TrackingError(
                    f"{self.database} is locked by another process, waited {_LOCK_SECONDS:.0f} s. Expected to write to it. "
                    "Wait for the other run to finish its write, or stop it; `fuser` on the file names it"
                ) from None
            raise TrackingError(
                f"cannot write to {self.database}: {error}. Check its permissions and the disk"
            ) from None
        except sqlite3.DatabaseError as error:
            raise TrackingError(
                f"{self.database} is not a SQLite database ({error}). Move it away to start anew"
            ) from None

    def _follow_move(self, connection: sqlite3.Connection) -> None:
        """MLflow stores absolute places; after the folder was moved or copied they name the old one, so rewrite them."""
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "experiments" not in tables:
            return
        here = str(self.artifacts)
        places = connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        own = [place for (place,) in places if place and "://" not in place and Path(place).name == "artifacts"]
        old = [place for place in own if place != here]
        for table, columns in _PLACES.items():
            present = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            for column in present & set(columns):
                for place in old:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR {column} LIKE ? || '/%'",
                        (here, len(place) + 1, place, place),
                    )


def local_store(uri: str | None) -> LocalStore | None:
    """The local store that a tracking URI means, or None for a server.

    Args:
        uri: A folder, `sqlite:///<folder>/mlflow.db`, or a server's address; None: `MLFLOW_TRACKING_URI`, else `mlruns/`.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or FOLDER
    if uri.startswith("sqlite:///"):
        path = Path(uri.removeprefix("sqlite:///")).resolve()
        if path.name != "mlflow.db":
            raise TrackingError(
                f"a local store is a folder with mlflow.db; expected sqlite:///.../mlflow.db. Received: {uri}"
            )
        return LocalStore(path.parent)
    if uri.startswith("file:"):
        uri = uri.removeprefix("file:").replace("///", "/", 1)
    return None if "://" in uri or uri == "databricks" else LocalStore(Path(uri).resolve())
