"""What is scored in a process, and what that says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from seq2seq_kit.data.sources.files import Place
    from seq2seq_kit.scoring.scorer import Scorer

Told = Callable[[int, float], None]  # rows that are read, and which share of all that is


@dataclass(frozen=True)
class Read:
    """So many rows of a file are read, which is that share of it."""

    rows: int
    share: float


@dataclass(frozen=True)
class Refused:
    """There are no answers.

    Attributes:
        code: Of the error.
        reason: The error; of a bug its traceback.
        everything: Whether the others would have none either: the disk is full.
    """

    code: str
    reason: str
    everything: bool = False


@dataclass(frozen=True)
class Answered:
    """Answers that stand in the partial file.

    Attributes:
        digest: Of the rows.
        kept: Whether they are those that it was done with before; then nothing was written.
        rows: That were read.
        written: Rows of the answers.
        size: Bytes of them.
        seconds: That it took.
        notes: What was done to the rows, warnings and findings.
        answers: Digest of the answers.
        processes: That computed them.
    """

    digest: str
    kept: bool = False
    rows: int = 0
    written: int = 0
    size: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    answers: str = ""
    processes: int = 1


@dataclass(frozen=True)
class StretchAnswers:
    """The answers to a stretch of a file, in a file of their own.

    Attributes:
        notes: What was done to the rows.
        warned: Warnings.
        code: Of the error that the stretch ended with; empty without one.
        error: That error.
    """

    notes: list[str]
    warned: list[str]
    code: str = ""
    error: str = ""


Message = Read | Answered | StretchAnswers | Refused


class Task(Protocol):
    """What a process is given."""

    @property
    def place(self) -> Place:
        """The rows."""

    def answer(self, scorer: Scorer, told: Told) -> Answered | StretchAnswers:
        """Answers; raises what goes wrong."""

    def clear(self) -> None:
        """Removes what a process that was ended may have left."""
