"""The local MLflow store: its folder, whether it is free, and finding its artifacts after the folder was moved.

Works on the SQLite file itself: MLflow is not imported, and a lock is noticed at once.
"""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from seq2seq_kit.errors import TrackingError
from seq2seq_kit.tracking.mlflow_schema import follow_move

FOLDER = "mlruns"
_LOCK_SECONDS = 10.0


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
        """Makes the folder, waits until the database is free, and rewrites places in it if the folder was moved.

        Raises:
            TrackingError: The folder cannot be written, another process locks the database, or it is damaged.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrackingError(
                f"cannot make the folder {self.folder}: {error}. Choose another --tracking-uri",
                code="store_not_writable",
            ) from None
        if self.is_new:
            return
        try:
            with closing(sqlite3.connect(self.database, timeout=_LOCK_SECONDS, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                follow_move(connection, self.artifacts)
                connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise TrackingError(
                    f"{self.database} is locked by another process, waited {_LOCK_SECONDS:.0f} s. Expected to write to it. "
                    "Wait for the other run to finish its write, or stop it; `fuser` on the file names it",
                    code="store_locked",
                ) from None
            raise TrackingError(
                f"cannot write to {self.database}: {error}. Check its permissions and the disk",
                code="store_not_writable",
            ) from None
        except sqlite3.DatabaseError as error:
            raise TrackingError(
                f"{self.database} is not a SQLite database ({error}). Move it away to start anew",
                code="store_damaged",
            ) from None


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
                f"a local store is a folder with mlflow.db; expected sqlite:///.../mlflow.db. Received: {uri}",
                code="bad_tracking_uri",
            )
        return LocalStore(path.parent)
    if uri.startswith("file:"):
        uri = uri.removeprefix("file:").replace("///", "/", 1)
    return None if "://" in uri or uri == "databricks" else LocalStore(Path(uri).resolve())
