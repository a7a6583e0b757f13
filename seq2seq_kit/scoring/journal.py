"""What has been done in a folder of answers: a line for each finished file, so that a run that was killed goes on.

A file counts as done if its rows, the settings and its answers are those of its line. Rows and answers are the same by a digest
of the whole file: name, size and time of the last change may all be kept by who copies other rows over it, and reading a file
costs little beside scoring it. A line is written before the answers get their name, so answers without a line are a stranger's.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.scoring.disk import down, writing
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
        answers: Digest of them.
        file: The file of rows: relative to the folder of answers, or an address.
    """

    out: str
    digest: str
    rows: int
    written: int
    size: int
    answers: str = ""
    file: str = ""


@dataclass
class Journal:
    """The lines of a folder; of several for one file the last one counts.

    Attributes:
        file: Where lines are appended; nothing is held back in memory, where an error would come too late.
        lines: By answers.
    """

    file: io.FileIO
    lines: dict[str, Line] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Appends a line, down to the disk; raises `OSError`."""
        self.write(asdict(line))
        self.lines[line.out] = line

    def write(self, record: object) -> None:
        """Appends what becomes a line of JSON; raises `OSError`."""
        text = f"{json.dumps(record)}\n".encode()
        while text:
            text = text[self.file.write(text) :]
        os.fsync(self.file.fileno())


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
    with writing(f"write {path}"):
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("ab+", buffering=0)
    with file:
        try:
            lock(file.fileno())
        except OSError:
            said = f"another process scores into {folder}. Wait for it, or choose another --out"
            raise ArgumentError(said, code="output_in_use") from None
        file.seek(0)
        written = file.read().decode("utf-8", errors="replace")
        head, lines = _read(written.splitlines())
        now = json.loads(json.dumps({"format": _FORMAT, "settings": settings}))
        of_others = head is not None and head != now
        if of_others and (lines or head == {}) and not overwrite:
            said = f"{folder} holds answers with other settings: {_differences(head, now)}"
            said += ". Choose another --out, or add --overwrite (overwrite=True) to make all of them anew"
            raise ArgumentError(said, code="other_settings")
        journal = Journal(file, {} if of_others else lines)
        with writing(f"write {path}"):
            if of_others:
                for name in lines:  # answers of two models in a folder would be taken for those of one
                    if not Path(name).is_absolute() and ".." not in Path(name).parts:
                        (folder / name).unlink(missing_ok=True)
            if head != now:
                file.truncate(0)
                journal.write(now)
            elif not written.endswith("\n"):
                file.write(b"\n")  # behind a line that was cut short
            down(folder)
        yield journal


def known_in(folder: Path) -> set[str]:
    """The answers that have a line in a folder, as far as it can be read."""
    try:
        return set(_read((folder / NAME).read_text("utf-8", errors="replace").splitlines())[1])
    except OSError:
        return set()


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
