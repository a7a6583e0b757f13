"""Many files of rows into a folder of answers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from seq2seq_kit import __version__
from seq2seq_kit.data.sources.addresses import local_files
from seq2seq_kit.data.tables.sources import ENDINGS
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.executing.executor import default_workers
from seq2seq_kit.opening import bundle_folder
from seq2seq_kit.scoring.answering import MOST_ROWS, FileTask
from seq2seq_kit.scoring.disk import FullDiskError, down, writing
from seq2seq_kit.scoring.journal import NAME, Journal, Line, known_in, open_journal
from seq2seq_kit.scoring.messages import Answered, Message, Read, Refused
from seq2seq_kit.scoring.planned import Planned, partial_of, plan_files, remove_partials
from seq2seq_kit.scoring.pool import open_pool
from seq2seq_kit.scoring.ray_pool import open_ray_pool
from seq2seq_kit.scoring.result import Scored, ScoreResult
from seq2seq_kit.scoring.scorer import Scorer, head_digest


class Pool(Protocol):
    """Where files are scored."""

    @property
    def workers(self) -> int:
        """How many files may be under way at a time."""

    @property
    def free(self) -> int:
        """How many files may be started now."""

    def start(self, number: int, task: FileTask) -> None:
        """Starts a file."""

    def wait(self) -> Iterator[tuple[int, Message]]:
        """What has happened, by the number of the file; after its answer or `Refused` it is over."""


class ScoreReporter(Protocol):
    """Hears how the files go."""

    def on_start(self, files: int, size: int) -> None:
        """So many files of so many bytes in all."""

    def on_rows(self, file: str, rows: int, share: float, size: int) -> None:
        """So many rows of a file of `size` bytes are read, which is that share of it."""

    def on_file(self, scored: Scored, size: int) -> None:
        """A file of `size` bytes is over."""

    def say(self, text: str) -> None:
        """What a user should know."""


@dataclass(frozen=True)
class _Silent:
    def on_start(self, files: int, size: int) -> None: ...

    def on_rows(self, file: str, rows: int, share: float, size: int) -> None: ...

    def on_file(self, scored: Scored, size: int) -> None: ...

    def say(self, text: str) -> None: ...


def score_files(
    run: str | Path,
    verb: str,
    files: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    workers: int | None = None,
    executor: str = "local",
    address: str | None = None,
    options: Mapping[str, object] | None = None,
    overwrite: bool = False,
    tracking_uri: str | None = None,
    reporter: ScoreReporter | None = None,
    most_rows: int = MOST_ROWS,
) -> ScoreResult:
    """Applies a trained model to many files: each becomes a file of answers, as if the verb were called on it alone.

    A file is a table of its own: a forecast begins behind the end of each series in it, no window crosses into the next file.
    Files that are done, of the same rows with the same settings, are not done again, so the same call goes on after a kill.
    The answers are the same bytes whatever the number of workers.

    Args:
        run: Path of a bundle or an export, or id of a run.
        verb: `predict`, `detect` (its events), `encode`, `reconstruct` or `score`.
        files: A path, a folder, a glob, an address, or a list of those; CSV, Parquet and what else `data.source` may name.
        out: A folder. Answers have the stem of their file, as CSV where that is text, otherwise as Parquet.
        workers: Processes, each with the model and one computing thread; 1: this process. Default: the cores, fewer if
            memory is short; of a cluster its CPUs. Each takes a file after the other; a file that is alone and read by row
            groups is shared, its series among them.
        executor: `local`, or `ray`: processes on the nodes of a Ray cluster, which all see rows and answers under these paths.
        address: `HOST:PORT` of the cluster's head; default: a cluster of this machine for the time of the call.
        options: Keywords of the verb, such as `{"levels": [80]}`.
        overwrite: Makes answers anew that were made with other settings or are not known.
        tracking_uri: As in `train`.
        reporter: Hears how it goes.
        most_rows: Rows of a Parquet file that are read as a whole; larger ones are read by row groups, about so many at a time.

    Returns:
        What became of each file. A file that cannot be scored does not stop the others: see `ScoreResult.failed`.

    Raises:
        ArgumentError: The model does not have the verb or an option, two files would become one, the folder holds answers with
            other settings or of somebody else, is used by another process, or cannot be written (a full disk); finished files
            stay; more workers than the cluster has CPUs, or a node of it that does not see `out`.
        DataError: There is no file, or a node of the cluster does not see it.
        ClusterError: The cluster cannot be reached, or stops; finished files stay.
        BundleError: The bundle is damaged or foreign.
    """
    for key, value in (("workers", workers), ("most_rows", most_rows)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            said = f"{key} must be a whole number of at least 1. Received: {key}={value!r}"
            raise ArgumentError(said, code="invalid_argument")
    _require_executor(executor, address)
    began, folder, chosen = time.perf_counter(), Path(out), dict(options or {})
    named = [str(each) for each in ([files] if isinstance(files, str | Path) else files)]
    with local_files(named, ENDINGS) as places, bundle_folder(run, tracking_uri=tracking_uri) as model:
        planned = plan_files(named, places, folder, known_in(folder))
        scorer = Scorer(str(model.resolve()), verb, chosen)
        scorer.require()
        default = _workers(workers, executor)
        settings = {
            "model": head_digest(model),
            "verb": verb,
            "options": chosen,
            "version": __version__,
            "most_rows": most_rows,
        }
        with open_journal(folder, settings, overwrite=overwrite) as journal:
            _refuse_strangers(planned, folder, journal, overwrite=overwrite)
            run_of_all = _Run(
                planned,
                folder,
                journal,
                most_rows,
                reporter or _Silent(),
                str(settings["model"]),
                # A file alone has all processes to itself, which share its series.
                default if len(planned) == 1 and executor == "local" else 1,
            )
            there = next((str(Path(each.place.path).absolute()) for each in planned if each.size), None)
            pools = (
                open_ray_pool(
                    scorer,
                    address=address,
                    workers=workers,
                    default=default,
                    files=len(planned),
                    out=folder,
                    rows=there,
                    say=run_of_all.reporter.say,
                )
                if executor == "ray"
                else open_pool(scorer, min(default, max(len(planned), 1)), run_of_all.hear)
            )
            with pools as pool:
                scored = run_of_all.on(pool)
    return ScoreResult(scored, max(pool.workers, run_of_all.shared_by), time.perf_counter() - began)


def _require_executor(executor: str, address: str | None) -> None:
    if executor not in ("local", "ray"):
        raise ArgumentError(f"the executor is local or ray. Received: {executor!r}", code="invalid_argument")
    if address is not None and executor != "ray":
        said = f"--address is of a Ray cluster. Add --executor ray, or leave it out. Received: {address!r}"
        raise ArgumentError(said, code="invalid_argument")


def _workers(asked: int | None, executor: str) -> int:
    """As asked for; those of a cluster import TensorFlow, which is absent beside an export."""
    if executor == "ray" and find_spec("tensorflow") is None:
        said = "the workers of a cluster begin with TensorFlow, which is not installed. Received: executor=ray"
        raise ArgumentError(f"{said}. Leave it out: local processes do without", code="needs_tensorflow")
    return asked or default_workers()


def _refuse_strangers(planned: Sequence[Planned], folder: Path, journal: Journal, *, overwrite: bool) -> None:
    strange = [each for each in planned if (folder / each.out).exists() and not _is_own(each, journal)]
    if strange and not overwrite:
        more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        line = journal.lines.get(strange[0].out)
        whose = f"is of other rows, {line.file} (from {folder} on)" if line else "was not made by this command"
        raise ArgumentError(
            f"{folder / strange[0].out}{more} exists already and {whose}. Expected a folder without it. "
            "Choose another --out, or add --overwrite (overwrite=True)",
            code="output_exists",
        )


def _is_own(each: Planned, journal: Journal) -> bool:
    """Whether the answers that are there are those of this file of rows."""
    line = journal.lines.get(each.out)
    return line is not None and line.file in ("", each.file)


@dataclass
class _Run:
    planned: list[Planned]
    folder: Path
    journal: Journal
    most: int
    reporter: ScoreReporter
    model: str
    processes: int
    shared_by: int = 1

    def on(self, pool: Pool) -> list[Scored]:
        """Scores all files, the largest first, so that none is left over alone."""
        self.reporter.on_start(len(self.planned), sum(each.size for each in self.planned))
        waiting = sorted(range(len(self.planned)), key=lambda number: self.planned[number].size)
        ended: dict[int, Scored] = {}
        while len(ended) < len(self.planned):
            while waiting and pool.free:
                number = waiting.pop()
                task = self._task(self.planned[number])
                remove_partials(task.partial)
                pool.start(number, task)
            for number, message in pool.wait():
                each = self.planned[number]
                if isinstance(message, Read):
                    self.hear(number, message)
                    continue
                ended[number] = self._ended(each, message)
                self.reporter.on_file(ended[number], each.size)
        return [ended[number] for number in range(len(self.planned))]

    def hear(self, number: int, read: Read) -> None:
        """Tells how far a file is."""
        each = self.planned[number]
        self.reporter.on_rows(each.place.shown, read.rows, read.share, each.size)

    def _task(self, each: Planned) -> FileTask:
        target = self.folder / each.out
        line = self.journal.lines.get(each.out)
        there = line is not None and target.is_file() and target.stat().st_size == line.size
        partial = partial_of(target).absolute()
        place = type(each.place)(str(Path(each.place.path).absolute()), each.place.partitions, each.place.shown)
        known, answers = (line.digest, line.answers) if line and there else ("", "")
        return FileTask(place, partial, known, self.most, target.absolute(), answers, self.model, self.processes)

    def _ended(self, each: Planned, message: Message) -> Scored:
        """Gives answers their name, after the line that says whose they are.

        Raises:
            ArgumentError: They cannot be written, and nor could the others be.
        """
        name, out = each.place.shown, each.out
        if isinstance(message, Refused):
            if message.everything:
                raise ArgumentError(f"{name}: {message.reason}", code=message.code)
            if out in self.journal.lines:  # answers of before would be taken for those of the rows of now
                with suppress(OSError):
                    (self.folder / out).unlink(missing_ok=True)
            return Scored(name, out, "failed", code=message.code, error=message.reason)
        assert isinstance(message, Answered)
        self.shared_by = max(self.shared_by, message.processes)
        if message.kept:
            line = self.journal.lines[out]
            if line.file != each.file:
                self._add(replace(line, file=each.file))
            return Scored(name, out, "kept", line.rows, line.written)
        line = Line(out, message.digest, message.rows, message.written, message.size, message.answers, each.file)
        task = self._task(each)
        try:
            self._add(line)
            with writing(f"write {self.folder / out}"):
                task.partial.replace(self.folder / out)
                down((self.folder / out).parent)
        except ArgumentError as error:
            task.clear()
            if isinstance(error, FullDiskError):
                raise
            return Scored(name, out, "failed", code=error.code, error=str(error))
        rest = (message.rows, message.written, message.seconds)
        return Scored(name, out, "done", *rest, notes=message.notes)

    def _add(self, line: Line) -> None:
        with writing(f"write {self.folder / NAME}"):
            self.journal.add(line)
