"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from seq2seq_kit.errors import BundleError


def put(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file or folder beside its place and renames it, so that it is there whole or not at all.

    Raises:
        BundleError: It exists already, or cannot be written.
    """
    refuse_existing(path)
    if "\0" in str(path):
        said = f"the name of a file or folder cannot hold a zero byte. Expected another one. Received: {str(path)!r}"
        raise BundleError(said, code="export_not_written")
    partial = path.with_name(f".{os.getpid()}.{path.name}")  # the same ending
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        partial.rename(path)
    except BaseException as error:
        with suppress(OSError):  # of a name that no file can have
            shutil.rmtree(partial, ignore_errors=True) if partial.is_dir() else partial.unlink(missing_ok=True)
        if not isinstance(error, OSError | RuntimeError):
            raise
        raise BundleError(
            f"could not write the export to {path}: {error}. Nothing was left there; free some space or choose another place",
            code="export_not_written",
        ) from error


def refuse_existing(path: Path) -> None:
    """Raises `BundleError` where something has that name."""
    if os.path.lexists(path):  # a Path raises where no file can have the name, and does not see a broken link
        raise BundleError(
            f"{path} exists already; expected the name of a new file or folder. Remove it or choose another name",
            code="export_exists",
        )
