"""One file of rows into one file of answers: as a whole where it is small, by row groups where it is not."""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from seq2seq_kit.data.sources.files import Place, joined
from seq2seq_kit.errors import DataError
from seq2seq_kit.scoring.disk import down, writing
from seq2seq_kit.scoring.journal import digest_of
from seq2seq_kit.scoring.large import MOST_NOTES, LargeFile
from seq2seq_kit.scoring.messages import Answered, Told
from seq2seq_kit.scoring.scorer import Scorer

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_ROWS = ".rows"  # the folder for rows that are sorted
MOST_ROWS = 2**18  # of a Parquet file that is read as a whole, and of a piece of a larger one


@dataclass(frozen=True)
class FileTask:
    """A file to score.

    Attributes:
        place: Its rows.
        partial: Where its answers are written before they get their name; its ending says how.
        known: Digest of the rows that it was done with before; empty if it was not.
        most: See `MOST_ROWS`.
        target: The answers of before.
        answers: Digest that they had; others are made anew.
        model: Digest of the model that all files are to be scored with; empty for whichever stands there.
        processes: That may share the series of a file that is read by row groups.
    """

    place: Place
    partial: Path
    known: str = ""
    most: int = MOST_ROWS
    target: Path | None = None
    answers: str = ""
    model: str = ""
    processes: int = 1

    def answer(self, scorer: Scorer, told: Told) -> Answered:
        """See `answer_file`."""
        return answer_file(scorer, self, told)

    def clear(self) -> None:
        """Removes what a process that was ended may have left."""
        self.partial.unlink(missing_ok=True)
        shutil.rmtree(self.partial.with_suffix(_ROWS), ignore_errors=True)

    def kept(self) -> bool:
        """Whether the answers of before are there, byte by byte."""
        try:
            return self.target is not None and digest_of(self.target) == self.answers
        except OSError:
            return False


def answer_file(scorer: Scorer, task: FileTask, told: Told) -> Answered:
    """Scores one file.

    Args:
        scorer: Model, verb and options.
        task: The file.
        told: Is told how many rows are read, and which share of the file that is.

    Raises:
        DataError: The rows do not fit, the file is gone, damaged, or it or the model was changed meanwhile.
        ArgumentError: The answers cannot be written.
    """
    began = time.perf_counter()
    digest = _digest(task.place)
    if digest == task.known and task.kept():
        return Answered(digest, kept=True)
    notes: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            rows, written, processes = _write(scorer, task, told, notes)
        _refuse_changes(scorer, task, digest)
        answers = digest_of(task.partial)
    except BaseException:
        task.clear()
        raise
    notes += [str(each.message) for each in warned if issubclass(each.category, UserWarning)]
    size = task.partial.stat().st_size
    seconds = time.perf_counter() - began
    notes = list(dict.fromkeys(notes))[:MOST_NOTES]
    return Answered(digest, False, rows, written, size, seconds, notes, answers, processes)


def _refuse_changes(scorer: Scorer, task: FileTask, digest: str) -> None:
    """Raises `DataError` where the rows, or the model, are others by now."""
    changed = [task.place.shown] if _digest(task.place) != digest else []
    if task.model and scorer.digest != task.model:
        changed = [f"the model in {scorer.run}"]
    if changed:
        said = f"{changed[0]} was changed while it was read; let no one write to it meanwhile, and score the file again"
        raise DataError(said, code="file_changed")


def _digest(place: Place) -> str:
    try:
        return digest_of(place.path)
    except OSError as error:
        said = (
            f"{place.shown} cannot be read: {error.strerror or error}. Leave files where they are until they are scored"
        )
        raise DataError(
            said, code="file_not_found" if isinstance(error, FileNotFoundError) else "unreadable_file"
        ) from None


def _write(scorer: Scorer, task: FileTask, told: Told, notes: list[str]) -> tuple[int, int, int]:
    """Writes the answers; how many rows were read, how many written, and by how many processes."""
    folder = task.partial.with_suffix(_ROWS)
    large = LargeFile.of(scorer, task.place, told, notes, most=task.most, folder=folder, processes=task.processes)
    if large is not None:
        written = _write_pieces(large.answers(), task.partial)
        return large.file.rows, written, large.processes
    frame = _read(scorer, task.place)
    told(0, 0.0)
    answer, told_of_it = scorer.answer(frame, task.place.shown)
    notes += told_of_it
    with _writing(task.partial):
        task.partial.parent.mkdir(parents=True, exist_ok=True)
        if task.partial.suffix == ".csv":
            answer.to_csv(task.partial, index=False)
        else:
            answer.to_parquet(task.partial, index=False)
        down(task.partial)
    told(len(frame), 1.0)
    return len(frame), len(answer), 1


def _read(scorer: Scorer, place: Place) -> pd.DataFrame:
    bundle = scorer.bundle
    if not place.partitions:
        return bundle.read(place.path)
    return joined([place], bundle.read, texts=bundle.as_written)


def _writing(partial: Path) -> AbstractContextManager[None]:
    return writing(f"write the answers into {partial.parent}")


def _write_pieces(answers: Iterator[pd.DataFrame], partial: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: pq.ParquetWriter | None = None
    written, schema = 0, None
    try:
        for answer in answers:
            with _writing(partial):
                table = pa.Table.from_pandas(answer, schema=schema, preserve_index=False)
                if writer is None:
                    partial.parent.mkdir(parents=True, exist_ok=True)
                    schema = table.schema
                    writer = pq.ParquetWriter(partial, schema)
                if len(table):
                    writer.write_table(table)
                written += len(table)
    finally:
        if writer is not None:
            with _writing(partial):
                writer.close()
    with _writing(partial):
        down(partial)
    return written
