"""This package's own files as one archive, for what leaves the place where it is installed: an image, a model in MLflow."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path

import seq2seq_kit

_LEFT_OUT = "__pycache__"
_BEGINNING = (1980, 1, 1, 0, 0, 0)  # the same files give the same archive, and Docker its layer from the cache


def package_files() -> dict[str, bytes]:
    """The installed files by their place in an archive, such as `seq2seq_kit/errors.py`; without what Python has compiled."""
    package = Path(seq2seq_kit.__file__).parent
    return {
        f"{package.name}/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and _LEFT_OUT not in path.parts and not path.name.startswith(".")
    }


@cache
def packed_package() -> bytes:
    """The installed files as a ZIP archive."""
    return packed(package_files())


def packed(files: Mapping[str, bytes]) -> bytes:
    """A ZIP archive of files by their place in it; the same files give the same bytes."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for place, content in files.items():
            entry = zipfile.ZipInfo(place, _BEGINNING)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return written.getvalue()
