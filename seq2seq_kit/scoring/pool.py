"""Processes that score: each loads the model once, computes in one thread and takes a file after the other.

They are forked from the executor's server, which has TensorFlow already. What they say is `Read`, then `Answered` or `Refused`.
"""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from seq2seq_kit.errors import KitError
from seq2seq_kit.executing.executor import start_process
from seq2seq_kit.executing.process import settle
from seq2seq_kit.scoring.disk import FullDiskError
from seq2seq_kit.scoring.messages import Message, Read, Refused, Task
from seq2seq_kit.scoring.scorer import Scorer

_TELL_SECONDS = 0.3
_LAST_LINES = 3


def attempt(scorer: Scorer, task: Task, tell: Callable[[Read], None]) -> Message:
    """Scores a file; whatever goes wrong is told, not raised. `tell` hears of the rows now and then."""
    spoke = 0.0

    def told(rows: int, share: float) -> None:
        nonlocal spoke
        now = time.perf_counter()
        if now - spoke > _TELL_SECONDS:
            spoke = now
            tell(Read(rows, share))

    try:
        return task.answer(scorer, told)
    except KitError as error:
        reason = str(error).replace(task.place.path, task.place.shown)
        return Refused(error.code, reason, everything=isinstance(error, FullDiskError))
    except MemoryError:
        said = "memory ran out. Score with fewer --workers, or write the file in smaller ones"
        return Refused(code="out_of_memory", reason=f"{task.place.shown}: {said}")
    except Exception:  # a bug, or a library that says of a damaged file what it likes: the other files go on
        return Refused(
            code="file_not_scored", reason=f"{task.place.shown} could not be scored: {traceback.format_exc().strip()}"
        )


@dataclass
class Here:
    """This process, one file at a time."""

    scorer: Scorer
    tell: Callable[[int, Read], None]
    _done: list[tuple[int, Message]] = field(default_factory=list)
    workers: int = 1

    @property
    def free(self) -> int:
        return 1 - len(self._done)

    def start(self, number: int, task: Task) -> None:
        self._done.append((number, attempt(self.scorer, task, lambda read: self.tell(number, read))))

    def wait(self) -> Iterator[tuple[int, Message]]:
        done, self._done = self._done, []
        yield from done


@dataclass
class _Worker:
    process: BaseProcess
    pipe: connection.Connection
    folder: Path
    number: int | None = None
    task: Task | None = None

    @property
    def last_words(self) -> str:
        """The end of its standard error, which says why it could not even begin."""
        with suppress(OSError):
            lines = (self.folder / "stderr.txt").read_text("utf-8", errors="replace").strip().splitlines()
            return f": {' '.join(lines[-_LAST_LINES:])}" if lines and self.process.exitcode == 1 else ""
        return ""


@dataclass
class Processes:
    """At most `workers` processes."""

    scorer: Scorer
    workers: int
    folder: Path
    _running: list[_Worker] = field(default_factory=list)
    _begun: int = 0

    @property
    def free(self) -> int:
        return self.workers - sum(each.number is not None for each in self._running)

    def start(self, number: int, task: Task) -> None:
        for idle in [each for each in self._running if each.number is None]:
            idle.number, idle.task = number, task
            with suppress(OSError):
                idle.pipe.send(task)
                return
            self._drop(idle)  # it was ended while it had no file, so none is lost
        self._begun += 1
        folder = self.folder / str(self._begun)
        worker = _Worker(*start_process(_serve, self.scorer, folder), folder, number, task)
        self._running.append(worker)
        with suppress(OSError):  # that it is gone already is heard in `wait`
            worker.pipe.send(task)

    def wait(self, seconds: float | None = None) -> Iterator[tuple[int, Message]]:
        busy = {each.pipe: each for each in self._running if each.number is not None}
        for pipe in connection.wait(list(busy), timeout=seconds):
            worker = busy[pipe]  # type: ignore[index]  # only those were given
            number = worker.number
            assert number is not None
            try:
                message: Message = worker.pipe.recv()
            except (EOFError, OSError):
                message = self._death_of(worker)
            if not isinstance(message, Read):
                worker.number = None
            yield number, message

    def _drop(self, worker: _Worker) -> None:
        worker.process.join()
        worker.pipe.close()
        self._running.remove(worker)

    def _death_of(self, worker: _Worker) -> Refused:
        """It is gone, with the file that it had; another one takes the next."""
        self._drop(worker)
        assert worker.task is not None
        worker.task.clear()
        said = (
            f"{worker.task.place.shown}: its process was ended (exit code {worker.process.exitcode}){worker.last_words}"
        )
        cure = "Score it again, with fewer --workers"
        return Refused(
            code="process_ended", reason=f"{said}. {cure if worker.last_words else f'Perhaps memory ran out. {cure}'}"
        )

    def close(self) -> None:
        """Ends all of them."""
        for each in self._running:
            each.process.kill()
        for each in self._running:
            each.process.join()
            each.pipe.close()
            if each.number is not None and each.task is not None:
                each.task.clear()


@contextmanager
def open_pool(
    scorer: Scorer, workers: int, tell: Callable[[int, Read], None] = lambda number, read: None
) -> Iterator[Here | Processes]:
    """This process for one worker, which tells `tell` what it reads meanwhile; otherwise processes that end with the context."""
    if workers == 1:
        yield Here(scorer, tell)
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        pool = Processes(scorer, workers, Path(folder))
        try:
            yield pool
        finally:
            pool.close()


def _serve(pipe: connection.Connection, scorer: Scorer, folder: Path) -> None:
    """The whole life of a process that scores."""
    settle(folder)
    while True:
        try:
            task: Task = pipe.recv()
        except EOFError:
            return
        pipe.send(attempt(scorer, task, pipe.send))
