"""What has been done in a folder of answers: a line for each finished file, so that a run that was killed goes on.

A file counts as done if its rows and the settings are those of its line and its answers are there. Rows are the same by a digest
of the whole file: name, size and time of the last change may all be kept by who copies other rows over it, and reading a file
costs little beside scoring it. A line is written before the answers get their name, so answers without a line are a stranger's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.training.checkpoint import lock

NAME = "_scored.jsonl"  # readers of folders leave out what begins with _
_FORMAT = 1


@dataclass(frozen=True)
class Line:
    """A finished file.

    Attributes:
        out: Its answers.
        digest: Of its rows.
        rows: That were read.
        written: Rows of the answers.
        size: Bytes of the answers.
    """

    out: str
    digest: str
    rows: int
    written: int
    size: int


@dataclass
class Journal:
    """The lines of a folder; of several for one file the last one counts.

    Attributes:
        file: Where lines are appended.
        lines: By answers.
    """

    file: TextIO
    lines: dict[str, Line] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Appends a line, down to the operating system."""
        self.file.write(f"{json.dumps(asdict(line))}\n")
        self.file.flush()
        self.lines[line.out] = line


def digest_of(path: str | Path) -> str:
    """Of the content of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


@contextmanager
def open_journal(folder: Path, settings: Mapping[str, object], *, overwrite: bool) -> Iterator[Journal]:
    """The journal of a folder, for one process at a time.

    Args:
        folder: Of the answers; it is made if it is not there.
        settings: What the answers depend on besides rows, as JSON has it.
        overwrite: Whether answers with other settings are forgotten and made anew.

    Raises:
        ArgumentError: Another process scores into it, it holds answers with other settings, or it cannot be written.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        said = f"could not write {path}: {error.strerror or error}. Choose another --out"
        raise ArgumentError(said, code="unwritable_file") from None
    with file:
        try:
            lock(file.fileno())
        except OSError:
            said = f"another process scores into {folder}. Wait for it, or choose another --out"
            raise ArgumentError(said, code="output_in_use") from None
        file.seek(0)
        head, lines = _read(file.readlines())
        now = json.loads(json.dumps({"format": _FORMAT, "settings": settings}))
        if head is not None and head != now and not overwrite:
            said = f"{folder} holds answers with other settings: {_differences(head, now)}"
            said += ". Choose another --out, or add --overwrite (overwrite=True) to make all of them anew"
            raise ArgumentError(said, code="other_settings")
        if head != now:
            file.truncate(0)
            lines = {}
            file.write(f"{json.dumps(now)}\n")
        elif not file_ends_whole(path):
            file.write("\n")  # behind a line that was cut short
        file.flush()
        yield Journal(file, lines)


def file_ends_whole(path: Path) -> bool:
    """Whether the last line of a file has its end."""
    return path.read_bytes()[-1:] in (b"\n", b"")


def _read(written: list[str]) -> tuple[object, dict[str, Line]]:
    """The first line, and what is whole of the others: the last one may have been cut short."""
    head: object = None
    lines: dict[str, Line] = {}
    for place, text in enumerate(written):
        with suppress(ValueError, TypeError):
            read = json.loads(text)
            if place == 0:
                head = read
            else:
                line = Line(**read)
                lines[line.out] = line
    # A folder whose first line cannot be read holds answers of nobody knows what.
    return ({} if written and head is None else head), lines


def _differences(head: object, now: Mapping[str, object]) -> str:
    before = head.get("settings") if isinstance(head, dict) else None
    after = now["settings"]
    if not isinstance(before, dict) or not isinstance(after, dict):
        return "its _scored.jsonl is of another format"
    changed = [name for name in before | after if before.get(name) != after.get(name)]
    return ", ".join(f"{name} {before.get(name)} -> {after.get(name)}" for name in changed)
