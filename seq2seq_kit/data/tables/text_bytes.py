"""The bytes of a file of text: unpacked, and cut to its names and rows."""

import bz2
import gzip
import lzma
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seq2seq_kit.data.tables.dialect_footers import TOTAL
from seq2seq_kit.data.tables.dialect_words import shape_of
from seq2seq_kit.recipe.format import Format

_OPENERS: dict[str, Callable[[Path, str], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_LOOKED_AT = 4_096  # bytes above a footer
_MARK = b"\xef\xbb\xbf"


def read_bytes(path: Path, most: int = -1) -> bytes:
    """The first `most` bytes of a file, all by default; those of a packed file (.gz, .bz2, .xz, .zst, .zip) unpacked.

    Raises:
        Exception: The file cannot be read or unpacked; each way of packing has errors of its own.
    """
    ending = path.suffix.lower()
    if ending == ".zst":
        import pyarrow as pa  # at the top it would slow down every command

        with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as packed:
            return bytes(packed.read(None if most < 0 else most))
    if ending == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX/" not in name]
            if len(names) != 1:
                raise ValueError(f"Multiple files found in ZIP file. Only one file per ZIP: {names}")
            with archive.open(names[0]) as member:
                return member.read(most)
    if ending in _OPENERS:
        with _OPENERS[ending](path, "rb") as unpacked:
            return bytes(unpacked.read(most))
    with path.open("rb") as file:
        return file.read(most)


def has_lines_to_cut(form: Format) -> bool:
    """Whether lines of a file are left out by `table_bytes`."""
    return bool({"header_row", "first_row", "footer_rows", "comment"} & form.given.keys())


def table_bytes(path: Path, form: Format) -> bytes:
    """The line of names, where there is one, and the rows, in UTF-8.

    Raises:
        UnicodeDecodeError: The file is not in the format's encoding.
        Exception: See `read_bytes`.
    """
    data = read_bytes(path)
    if form.encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        data = data.decode(form.encoding).removeprefix("\ufeff").encode()
    data = data.removeprefix(_MARK)
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    start = _line(data, form.header_row)
    end = _line(data, form.header_row + 1)
    names = data[start:end] if form.header_row else b""
    rows = data[_line(data, form.first_row) if form.first_row else end :]
    if form.comment:
        mark = form.comment.encode()
        names = names.lstrip().removeprefix(mark).lstrip()
        rows = re.sub(rb"^[ ]*" + re.escape(mark) + rb".*\n?", b"", rows, flags=re.MULTILINE)
    whole = rows
    for _ in range(form.footer_rows):
        rows = rows.rstrip(b"\r\n ")
        rows = rows[: rows.rfind(b"\n") + 1]
    if form.footer_rows:
        _tell_of_rows(path, whole[len(rows) :], rows, form)
    return names + rows


def _tell_of_rows(path: Path, footers: bytes, rows: bytes, form: Format) -> None:
    """Warns where what is left out as a footer looks like the rows above it."""
    mark = form.separator(path.name).encode() if len(form.separator(path.name)) == 1 else b","
    above = [_shape(line, mark) for line in rows[-_LOOKED_AT:].splitlines()[1:]]
    lines = [line for line in footers.splitlines() if line.strip() and not TOTAL.match(line.decode(errors="replace"))]
    alike = [line for line in lines if _shape(line, mark) in above]
    if alike:
        shown = alike[-1].decode(errors="replace").strip()[:60]
        warnings.warn(
            f"{path}: {shown!r} at its end looks like a row and is left out, as data.format.footer_rows: {form.footer_rows} "
            "says. If the file has no footer, add a line such as Total to it",
            UserWarning,
            stacklevel=2,
        )


def _shape(line: bytes, mark: bytes) -> tuple[str, list[bool]]:
    """What the first cell is made of, and which cells hold something."""
    cells = line.split(mark)
    first = cells[0].strip(b"\"' \r")
    return shape_of(first.decode(errors="replace")), [bool(cell.strip()) for cell in cells]


def _line(data: bytes, number: int) -> int:
    """Where a line begins, counted from 1; the end where there are fewer."""
    at = 0
    for _ in range(number - 1):
        at = data.find(b"\n", at) + 1
        if not at:
            return len(data)
    return at
