"""This package as a wheel that needs what an export needs: without TensorFlow, made of the installed files alone."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import seq2seq_kit

_LEFT_OUT = ("__pycache__",)
_BEGINNING = (1980, 1, 1, 0, 0, 0)  # the same files give the same wheel, and Docker its layer from the cache


def write_wheel(folder: Path, requires: Sequence[str]) -> Path:
    """Writes it.

    Args:
        folder: Where to.
        requires: Names of the packages that it asks for.

    Returns:
        The file.
    """
    package = Path(seq2seq_kit.__file__).parent
    name = f"seq2seq_kit-{seq2seq_kit.__version__}"
    about = f"{name}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    files = {
        f"{package.name}/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and not set(_LEFT_OUT) & set(path.parts) and not path.name.startswith(".")
    }
    files |= {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: seq2seq-kit\nVersion: {seq2seq_kit.__version__}\n{needs}".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: seq2seq-kit\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": b"[console_scripts]\nseq2seq-kit = seq2seq_kit.cli:main\n",
    }
    record = "".join(f"{place},sha256={_digest(content)},{len(content)}\n" for place, content in files.items())
    files[f"{about}/RECORD"] = f"{record}{about}/RECORD,,\n".encode()
    written = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(written, "w") as file:
        for place, content in files.items():
            entry = zipfile.ZipInfo(place, _BEGINNING)
            entry.external_attr = 0o644 << 16
            file.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return written


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
