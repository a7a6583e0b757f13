"""The local MLflow store: its folder, whether it is free, and finding its artifacts after the folder was moved.

Works on the SQLite file itself: MLflow is not imported, and a lock is noticed at once.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from seq2seq_kit.errors import TrackingError
from seq2seq_kit.tracking.making import database_errors, make_store, opened, state_of
from seq2seq_kit.tracking.mlflow_schema import follow_move

FOLDER = "mlruns"
_LOCK_SECONDS = 10.0
_ADDRESS = re.compile(r"[?#]|%[0-9a-fA-F]{2}")


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
        """Whether there is no store yet, or only what an interrupted making left."""
        return state_of(self.database, _LOCK_SECONDS) != "whole"

    @property
    def writable(self) -> bool:
        """Whether runs can be written; an archive on a medium that is read only can still be listed and predicted from."""
        return os.access(self.database, os.W_OK) and os.access(self.folder, os.W_OK)

    def make(self) -> None:
        """Makes the folder and the database; does nothing where another process made them first.

        Raises:
            TrackingError: The folder cannot be written, or the disk is full.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrackingError(
                f"cannot make the folder {self.folder}: {error}. Choose another --tracking-uri",
                code="store_not_writable",
            ) from None
        make_store(self.database, self.artifacts)

    def prepare(self) -> None:
        """Waits until the database is free for writing, and rewrites places in it if the folder was moved.

        Raises:
            TrackingError: Another process locks the database, it cannot be written, or it is damaged.
        """
        with database_errors(self.database, _LOCK_SECONDS), opened(self.database, _LOCK_SECONDS) as connection:
            connection.execute("BEGIN IMMEDIATE")
            follow_move(connection, self.artifacts)
            connection.execute("COMMIT")

    def found_here(self, uri: str) -> Path | None:
        """The folder of a run's files, if the database has another place for it and the store was moved with its files."""
        place = self.artifacts / Path(uri).parent.name / Path(uri).name
        return place if str(place) != uri and place.exists() else None


def local_store(uri: str | None) -> LocalStore | None:
    """The local store that a tracking URI means, or None for a server.

    Args:
        uri: A folder, `sqlite:///<folder>/mlflow.db`, or a server's address; None: `MLFLOW_TRACKING_URI`, else `mlruns/`.

    Raises:
        TrackingError: The database has another name, or MLflow would read the folder's name as part of an address.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or FOLDER
    if uri.startswith("sqlite:///"):
        path = Path(uri.removeprefix("sqlite:///")).resolve()
        if path.name != "mlflow.db":
            raise TrackingError(
                f"a local store is a folder with mlflow.db; expected sqlite:///.../mlflow.db. Received: {uri}",
                code="bad_tracking_uri",
            )
        return _readable(path.parent)
    if uri.startswith("file:"):
        uri = uri.removeprefix("file:").replace("///", "/", 1)
    return None if "://" in uri or uri == "databricks" else _readable(Path(uri).resolve())


def _readable(folder: Path) -> LocalStore:
    """MLflow hands places around as addresses: it cuts them at `?` and `#`, and reads `%20` as a space."""
    found = _ADDRESS.search(str(folder))
    if found:
        raise TrackingError(
            f"the MLflow store cannot lie in {folder}: MLflow reads {found[0]!r} as part of an address and would write "
            "elsewhere. Expected a path without ?, # and % before two hexadecimal digits. Rename the folder, or choose another "
            "--tracking-uri",
            code="store_path_refused",
        )
    return LocalStore(folder)
