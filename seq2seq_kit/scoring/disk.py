"""What goes wrong with the disk of the answers, in words; and how what is written survives a power cut."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seq2seq_kit.errors import ArgumentError

_FULL = (errno.ENOSPC, errno.EFBIG, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC))


class FullDiskError(ArgumentError):
    """There is no space, or nothing may be written at all, so that no other file could have answers either."""


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Tells what cannot be done: `write the answers into FOLDER`.

    Raises:
        FullDiskError: With the code `unwritable_file`: the others could not be written either.
        ArgumentError: With the same code: this one cannot be written.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in _FULL
        cure = "Free some space, or choose another --out; finished files stay" if full else "Choose another --out"
        raised = FullDiskError if full else ArgumentError
        raise raised(f"could not {what}: {error.strerror or error}. {cure}", code="unwritable_file") from None


def down(path: Path) -> None:
    """Brings a file or a folder's names down to the disk: a power cut must not leave a finished file empty."""
    if path.is_dir():
        with suppress(OSError):  # Windows opens no folder, and some file systems bring none down
            _synced(path)
    else:
        _synced(path)


def _synced(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
