"""This package as a wheel that needs what an export needs: without TensorFlow, made of the installed files alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

import seq2seq_kit
from seq2seq_kit.packing import package_files, packed


def write_wheel(folder: Path, requires: Sequence[str]) -> Path:
    """Writes it.

    Args:
        folder: Where to.
        requires: Names of the packages that it asks for.

    Returns:
        The file.
    """
    name = f"seq2seq_kit-{seq2seq_kit.__version__}"
    about = f"{name}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    files = package_files()
    files |= {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: seq2seq-kit\nVersion: {seq2seq_kit.__version__}\n{needs}".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: seq2seq-kit\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": b"[console_scripts]\nseq2seq-kit = seq2seq_kit.cli:main\n",
    }
    record = "".join(f"{place},sha256={_digest(content)},{len(content)}\n" for place, content in files.items())
    files[f"{about}/RECORD"] = f"{record}{about}/RECORD,,\n".encode()
    written = folder / f"{name}-py3-none-any.whl"
    written.write_bytes(packed(files))
    return written


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
