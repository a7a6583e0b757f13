"""The series of one large file, shared by several processes: each takes a stretch of them after the other.

A process reads its stretch itself and writes the answers into a file of its own, from which the process that writes the file of
answers takes them in order. So the bytes are those of one process, and what is held does not grow with the file.
"""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from seq2seq_kit.data.sources.files import Place
from seq2seq_kit.errors import DataError
from seq2seq_kit.scoring.disk import FullDiskError, writing
from seq2seq_kit.scoring.messages import Message, Read, Refused, StretchAnswers, Told
from seq2seq_kit.scoring.pool import Processes
from seq2seq_kit.scoring.scorer import Scorer
from seq2seq_kit.scoring.stretches import Stretch

if TYPE_CHECKING:
    import pandas as pd

SHARED_SECONDS = 30.0  # that one process would take: starting others takes some ten, as each has TensorFlow
_AHEAD = 2  # stretches for each process that are answered before they are written


class Pace:
    """How long rows take."""

    def __init__(self) -> None:
        self._ends = [(time.perf_counter(), 0)]  # when stretches were over, and how many rows then

    def add(self, rows: int) -> None:
        """Of another stretch, which is answered and written."""
        self._ends.append((time.perf_counter(), self._ends[-1][1] + rows))

    def expected(self, rows: int) -> float:
        """Seconds for so many more, or 0 where that is not known.

        The first stretch traces the model, so it tells nothing unless it took long or is the only one.
        """
        first = 1 if len(self._ends) > 2 else 0
        (began, before), (ended, read) = self._ends[first], self._ends[-1]
        known = first == 1 or ended - began > SHARED_SECONDS
        return (ended - began) / (read - before) * rows if known and read > before else 0.0


class Reading(Protocol):
    """A large file whose stretches are answered; it can be sent to other processes."""

    @property
    def place(self) -> Place:
        """The file."""

    @property
    def scorer(self) -> Scorer:
        """Model, verb and options."""

    def answers_to(self, stretch: Stretch, told: Told, notes: list[str]) -> Iterator[pd.DataFrame]:
        """The answers to a stretch; what was done to its rows is added to the notes."""


@dataclass(frozen=True)
class StretchTask:
    """A stretch to answer.

    Attributes:
        file: That it is of.
        stretch: Its rows.
        answers: The file for its answers.
    """

    file: Reading
    stretch: Stretch
    answers: Path

    @property
    def place(self) -> Place:
        """The file that it is of."""
        return self.file.place

    def answer(self, scorer: Scorer, told: Told) -> StretchAnswers:
        """Writes the answers; an error of the rows ends them and is told, with those before it."""
        notes, code, error = list[str](), "", ""
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            with self._written() as write:
                try:
                    for answer in self.file.answers_to(self.stretch, told, notes):
                        write(answer)
                except DataError as found:
                    code, error = found.code, str(found)
        texts = [str(each.message) for each in warned if issubclass(each.category, UserWarning)]
        return StretchAnswers(notes, texts, code, error)

    @contextmanager
    def _written(self) -> Iterator[Callable[[pd.DataFrame], None]]:
        import pyarrow as pa

        what = f"write answers into {self.answers.parent}"
        with ExitStack() as opened:
            with writing(what):
                file = opened.enter_context(pa.OSFile(str(self.answers), "wb"))

            def write(answer: pd.DataFrame) -> None:
                table = pa.Table.from_pandas(answer, preserve_index=False)
                with writing(what), pa.ipc.new_stream(file, table.schema) as stream:
                    stream.write_table(table)

            yield write

    def clear(self) -> None:
        """Removes what a process that was ended may have left."""
        self.answers.unlink(missing_ok=True)


@dataclass
class Sharing:
    """Processes at the stretches of a file.

    Attributes:
        file: The file.
        pool: The processes.
        folder: For their answers.
        told: Is told how many rows are read.
        rows: Of the file.
    """

    file: Reading
    pool: Processes
    folder: Path
    told: Told
    rows: int
    _ended: dict[int, StretchAnswers | Refused] = field(default_factory=dict)
    _read: dict[int, int] = field(default_factory=dict)
    _begun: int = 0

    def each(self, stretches: Sequence[Stretch]) -> Iterator[tuple[Iterator[pd.DataFrame], list[str]]]:
        """For each stretch, in order, its answers, which end with its error, and the notes.

        Raises:
            DataError: One process was ended, or met a bug.
            FullDiskError: The disk is full.
        """
        for number in range(len(stretches)):
            self._start(stretches, number)
            while number not in self._ended:
                self._hear(self.pool.wait())
                self._start(stretches, number)
            found, self._read[number] = self._ended.pop(number), stretches[number].rows
            self._tell()
            if isinstance(found, Refused):
                raise (FullDiskError if found.everything else DataError)(found.reason, code=found.code)
            for text in found.warned:
                warnings.warn(text, UserWarning, stacklevel=2)
            yield self._answers(stretches, number, found), found.notes
            self._file(number).unlink(missing_ok=True)

    def _answers(self, stretches: Sequence[Stretch], number: int, found: StretchAnswers) -> Iterator[pd.DataFrame]:
        import pyarrow as pa

        with pa.OSFile(str(self._file(number))) as file:
            while file.tell() < file.size():
                self._hear(self.pool.wait(0))
                self._start(stretches, number)
                with pa.ipc.open_stream(file) as stream:
                    answer = stream.read_all().to_pandas()
                yield answer
        if found.code:
            raise DataError(found.error, code=found.code)

    def _start(self, stretches: Sequence[Stretch], number: int) -> None:
        """Gives processes that are free stretches, those next to be written first."""
        while self.pool.free and self._begun < min(len(stretches), number + _AHEAD * self.pool.workers):
            task = StretchTask(self.file, stretches[self._begun], self._file(self._begun))
            self.pool.start(self._begun, task)
            self._begun += 1

    def _hear(self, messages: Iterator[tuple[int, Message]]) -> None:
        for number, message in messages:
            if isinstance(message, Read):
                self._read[number] = message.rows
            elif isinstance(message, StretchAnswers | Refused):
                self._ended[number] = message
        self._tell()

    def _tell(self) -> None:
        read = sum(self._read.values())
        self.told(read, read / self.rows)

    def _file(self, number: int) -> Path:
        return self.folder / f"{number}.answers"


@contextmanager
def open_sharing(file: Reading, processes: int, *, folder: Path, told: Told, rows: int) -> Iterator[Sharing]:
    """Processes that end with the context, and their answers with them."""
    own = folder / "shared"
    with writing(f"write answers into {own}"):
        own.mkdir(parents=True, exist_ok=True)
    pool = Processes(file.scorer, processes, own)
    try:
        yield Sharing(file, pool, own, told, rows)
    finally:
        pool.close()
        shutil.rmtree(folder, ignore_errors=True)
