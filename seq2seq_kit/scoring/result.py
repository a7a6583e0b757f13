"""What became of many files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from seq2seq_kit.errors import KitError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Scored:
    """One file.

    Attributes:
        file: Its rows.
        out: Its answers, relative to the folder; they are there unless `status` is `failed`.
        status: `done`; `kept`: it was done before, of the same rows with the same settings; `failed`.
        rows: That were read; 0 of a file that failed.
        written: Rows of the answers.
        seconds: That it took.
        code: Of the error; empty without one.
        error: What went wrong.
        notes: What was done to the rows, warnings and findings.
    """

    file: str
    out: str
    status: Literal["done", "kept", "failed"]
    rows: int = 0
    written: int = 0
    seconds: float = 0.0
    code: str = ""
    error: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ScoreResult:
    """All files, in their order.

    Attributes:
        files: What became of each.
        workers: Processes that computed.
        seconds: Wall time of everything.
    """

    files: list[Scored]
    workers: int
    seconds: float

    @property
    def failed(self) -> list[Scored]:
        """The files without answers."""
        return [each for each in self.files if each.status == "failed"]

    @property
    def rows_per_second(self) -> float:
        """Rows that were read in a second by all processes; those of files that were done before do not count."""
        rows = sum(each.rows for each in self.files if each.status == "done")
        return rows / self.seconds if self.seconds else 0.0

    def frame(self) -> pd.DataFrame:
        """A row for each file: `file`, `out`, `status`, `rows`, `written`, `seconds`, `code`, `error`."""
        import pandas as pd

        names = ("file", "out", "status", "rows", "written", "seconds", "code", "error")
        return pd.DataFrame({name: [getattr(each, name) for each in self.files] for name in names})

    def raise_failed(self) -> None:
        """Raises `KitError` with the first error, if a file failed; for programs that want all or nothing."""
        if self.failed:
            first = self.failed[0]
            said = f"{len(self.failed)} of {len(self.files)} files have no answers, {first.file} first: {first.error}"
            raise KitError(said, code=first.code or None)
