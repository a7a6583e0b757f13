"""Where trials and other fits run: the `Executor` protocol, and processes on this machine.

Each process is fresh, forked from a server that has imported TensorFlow, and is watched for its death, time and memory.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from multiprocessing import connection, get_all_start_methods, get_context
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Protocol

import psutil

from seq2seq_kit.data.tables.memory import free_memory
from seq2seq_kit.errors import SweepError
from seq2seq_kit.executing.process import Failure, Message, Outcome, Task, main
from seq2seq_kit.processes import STARTED_BY

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

_WATCH_SECONDS = 0.5  # between two looks at time and memory
_SHARE = 0.9  # of the free memory that all trials together may take
_STDERR_LINES = 3
_WORKER_BYTES = 10**9  # a fit of a small model takes about half of it
_MESSAGES_AT_ONCE = 20  # of one trial


class RunningTrial(Protocol):
    """A trial, or another task, that an executor has started."""

    @property
    def task(self) -> Task: ...

    @property
    def pid(self) -> int:
        """Id of its process; 0 where there is none on this machine."""


class Executor(Protocol):
    """Where the trials of a sweep run. What a task has left in its folder is in `task.folder` when its outcome is told."""

    @property
    def workers(self) -> int:
        """How many trials may run at a time."""

    @property
    def free(self) -> int:
        """How many trials may be started now."""

    def start(self, task: Task) -> RunningTrial:
        """Starts a trial."""

    def wait(self, seconds: float) -> Iterator[tuple[RunningTrial, Message]]:
        """What has happened, after at most `seconds`. After its `Outcome` or `Failure` a trial is over."""

    def kill(self, trial: RunningTrial) -> None:
        """Ends a trial at once."""

    def close(self) -> None:
        """Ends all trials."""


@dataclass(eq=False)  # two processes are never the same, and rows cannot be compared by ==
class LocalTrial:
    """A trial in a process of this machine.

    Attributes:
        task: What it runs.
        process: The process.
        pipe: The sweep's end of the pipe.
        began: `time.perf_counter()` at its start.
        peak: Largest resident set seen, in bytes.
        stopped: Why the executor ended it, if it did.
    """

    task: Task
    process: BaseProcess
    pipe: connection.Connection
    began: float = field(default_factory=time.perf_counter)
    peak: int = 0
    stopped: Failure | None = None

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self.process.pid or 0


class LocalExecutor:
    """At most `workers` processes at a time; see `Executor`.

    Args:
        workers: How many trials may run at a time.
        run: What a process does with its task; a function of a module.
        smaller: What to do about a task that takes too much memory, as a message says it.
        minutes: Longest time of a trial; None: no limit.
        fewer: The option or key that says how many, as a message says it.
        sharing: How many workers share this machine's memory; default: `workers`.
    """

    def __init__(
        self,
        workers: int,
        *,
        run: Callable[[Any, connection.Connection], Outcome],
        smaller: str,
        minutes: float | None = None,
        sharing: int | None = None,
        fewer: str = "--workers",
    ) -> None:
        self.workers, self.run, self.smaller, self.minutes = workers, run, smaller, minutes
        self.fewer = fewer
        self.running: list[LocalTrial] = []
        self.sharing = sharing or workers
        self.share = int(free_memory() * _SHARE / self.sharing)
        self._watched = 0.0
        start_server()

    @property
    def free(self) -> int:
        return self.workers - len(self.running)

    def start(self, task: Task) -> LocalTrial:
        process, ours = start_process(main, task, self.run)
        self.running.append(LocalTrial(task, process, ours))
        return self.running[-1]

    def wait(self, seconds: float) -> Iterator[tuple[RunningTrial, Message]]:
        ready = connection.wait([each.pipe for each in self.running], timeout=seconds)
        for each in list(self.running):
            if each.pipe in ready:
                yield from self._read(each)
        self._watch()

    def kill(self, trial: RunningTrial) -> None:
        for each in [each for each in self.running if each is trial]:
            self.running.remove(each)
            each.process.kill()
            each.process.join()
            each.pipe.close()

    def close(self) -> None:
        for each in list(self.running):
            self.kill(each)

    def _read(self, trial: LocalTrial) -> Iterator[tuple[RunningTrial, Message]]:
        try:
            for _ in range(_MESSAGES_AT_ONCE):  # the other trials must be heard, too
                if not trial.pipe.poll():
                    return
                message: Message = trial.pipe.recv()
                if isinstance(message, Outcome | Failure):
                    trial.process.join(5)  # it has nothing left to do
                    self.kill(trial)
                    yield trial, message
                    return
                yield trial, message
        except (EOFError, OSError):  # it died; a message that was cut short is lost with it
            trial.process.join()
            self.kill(trial)
            yield trial, trial.stopped or _death_of(trial)

    def _watch(self) -> None:
        now = time.perf_counter()
        if now - self._watched < _WATCH_SECONDS:
            return
        self._watched = now
        for each in self.running:
            with suppress(psutil.Error):
                memory = psutil.Process(each.pid).memory_info()
                size = memory.rss - getattr(memory, "shared", 0)  # TensorFlow's code is in memory once for all
                each.peak = max(each.peak, size)
                if size > self.share:
                    reason = (
                        f"out of memory: it held {size / 1e9:.1f} GB, and the share of each of {self.sharing} workers is "
                        f"{self.share / 1e9:.1f} GB. {self.smaller}, or call with fewer {self.fewer}"
                    )
                    each.stopped = Failure("memory", reason)
            if self.minutes is not None and now - each.began > self.minutes * 60:
                each.stopped = Failure("time", f"it took longer than sweep.trial_minutes: {self.minutes:g}")
            if each.stopped:
                each.process.kill()  # its pipe ends, which is read like any other death


def start_server() -> ForkServerContext | SpawnContext:
    """Starts the server that trials are forked from, if it does not run yet; it imports TensorFlow while the caller continues.

    Where that is not installed, beside an export, each process imports what it needs.

    Returns:
        A context of `multiprocessing`.
    """
    # Where a process cannot be forked (Windows), each trial imports TensorFlow anew.
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    if find_spec("tensorflow") is not None:
        context.set_forkserver_preload(["seq2seq_kit.preload"])
    with _settings(), _without_main():
        from multiprocessing import forkserver

        forkserver.ensure_running()
    return context


def start_process(target: Callable[..., None], *arguments: object) -> tuple[BaseProcess, connection.Connection]:
    """A process that runs `target(pipe, *arguments)`, and this end of the pipe.

    Raises:
        SweepError: The process could not be started.
    """
    context = start_server()
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    try:
        with _settings(), _without_main():
            process.start()
    except (OSError, EOFError) as error:
        ours.close()
        raise SweepError(
            f"no process could be started: {error or type(error).__name__}. Perhaps memory is short: resume with fewer --workers",
            code="process_not_started",
        ) from error
    finally:
        theirs.close()
    return process, ours


def default_workers() -> int:
    """The number of cores, or fewer if memory is short."""
    return max(1, min(cores(), free_memory() // _WORKER_BYTES))


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _death_of(trial: LocalTrial) -> Failure:
    code = trial.process.exitcode or 0
    try:
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        name = f"signal {-code}"
    hint = "; perhaps memory ran out" if code == -signal.SIGKILL else ""
    with suppress(OSError):
        lines = (trial.task.folder / "stderr.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines:
            hint += f". Its last words on standard error: {' | '.join(lines[-_STDERR_LINES:])[:400]}"
    # A signal may have been bad luck; a process that ends by itself without a message did not begin rightly.
    return Failure("killed" if code < 0 else "bug", f"its process was ended by {name}{hint}")


@contextmanager
def _settings() -> Iterator[None]:
    """For new processes: one thread, read by NumPy's libraries when they are loaded, and who started them."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    values = dict.fromkeys(names, "1") | {STARTED_BY: str(os.getpid())}
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


@contextmanager
def _without_main() -> Iterator[None]:
    """Lets a script call a sweep at its top level: Python would run that script again in each new process."""
    main_module = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main_module
