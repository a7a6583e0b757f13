"""Processes for trials: each one fresh, forked from a server that has imported TensorFlow, watched for death, time and memory."""

from __future__ import annotations

import os
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection, get_all_start_methods, get_context
from typing import Any

import psutil

from seq2seq_kit.data.tables.memory import free_memory
from seq2seq_kit.errors import SweepError
from seq2seq_kit.sweeps.trial_process import Task, main

_LOOKED_SECONDS = 0.5  # between two looks at memory
_SHARE = 0.9  # of the free memory that all trials together may take
_SAID_LINES = 3
_AT_ONCE = 20  # messages of one trial


@dataclass(eq=False)  # two processes are never the same, and rows cannot be compared by ==
class Running:
    """A process at work.

    Attributes:
        task: What it does.
        process: The process.
        pipe: The sweep's end of the pipe.
        began: `time.perf_counter()` at its start.
        peak: Largest resident set seen, in bytes.
        over: Why it was ended from here, if it was.
    """

    task: Task
    process: Any
    pipe: connection.Connection
    began: float = field(default_factory=time.perf_counter)
    peak: int = 0
    over: str = ""


class Pool:
    """At most `workers` processes at a time.

    Args:
        workers: How many trials may run at a time.
        minutes: Longest time of a trial; None: no limit.
    """

    def __init__(self, workers: int, *, minutes: float | None = None) -> None:
        self.workers, self.minutes = workers, minutes
        self.running: list[Running] = []
        self.share = int(free_memory() * _SHARE / workers)
        self._looked = 0.0
        start_server()

    @property
    def free(self) -> int:
        """Trials that may be started now."""
        return self.workers - len(self.running)

    def start(self, task: Task) -> Running:
        """Starts a trial."""
        process, ours = start_process(main, task)
        running = Running(task, process, ours)
        self.running.append(running)
        return running

    def wait(self, seconds: float) -> Iterator[tuple[Running, str, Any]]:
        """What has happened, after at most `seconds`: `(running, kind, value)`.

        Kinds are those of `worker.py` and `died` (how), `late` and `large` (why it was ended).
        """
        ready = connection.wait([each.pipe for each in self.running], timeout=seconds)
        for each in list(self.running):
            if each.pipe in ready:
                yield from self._read(each)
        self._look()

    def end(self, running: Running) -> None:
        """Ends a process at once."""
        if running in self.running:
            self.running.remove(running)
        running.process.kill()
        running.process.join()
        running.pipe.close()

    def close(self) -> None:
        """Ends all processes."""
        for each in list(self.running):
            self.end(each)

    def _read(self, each: Running) -> Iterator[tuple[Running, str, Any]]:
        try:
            for _ in range(_AT_ONCE):  # the others want to be heard, too
                if not each.pipe.poll():
                    return
                kind, value = each.pipe.recv()
                if kind not in ("batch", "epoch"):
                    self.running.remove(each)
                    each.process.join(5)  # it has nothing left to do
                    each.process.kill()
                    each.pipe.close()
                    yield each, kind, value
                    return
                yield each, kind, value
        except (EOFError, OSError):  # it died; a message that was cut short is lost with it
            self.running.remove(each)
            each.process.join()
            each.pipe.close()
            if each.over:
                yield each, each.over.split(":")[0], each.over.partition(":")[2]
            else:
                # A signal may have been bad luck; a process that ends by itself without a word did not begin rightly.
                yield each, "died" if each.process.exitcode < 0 else "broken", _how(each)

    def _look(self) -> None:
        now = time.perf_counter()
        if now - self._looked < _LOOKED_SECONDS:
            return
        self._looked = now
        for each in self.running:
            with suppress(psutil.Error):
                memory = psutil.Process(each.process.pid).memory_info()
                size = memory.rss - getattr(memory, "shared", 0)  # TensorFlow's code is in memory once for all
                each.peak = max(each.peak, size)
                if size > self.share:
                    each.over = (
                        f"large:out of memory: it held {size / 1e9:.1f} GB, and the share of each of {self.workers} workers is "
                        f"{self.share / 1e9:.1f} GB. Search smaller values, or call with fewer --workers"
                    )
            if self.minutes is not None and now - each.began > self.minutes * 60:
                each.over = f"late:it took longer than sweep.trial_minutes: {self.minutes:g}"
            if each.over:
                each.process.kill()  # its pipe ends, which is read like any other death


def start_server() -> Any:
    """Starts what trials are forked from, if it does not run yet; it imports TensorFlow while the caller goes on.

    Returns:
        A context of `multiprocessing`.
    """
    # Where a process cannot be forked (Windows), each trial imports TensorFlow anew.
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["seq2seq_kit.sweeps.preload"])
    with _one_thread(), _without_main():
        from multiprocessing import forkserver

        forkserver.ensure_running()
    return context


def start_process(target: Callable[..., None], *arguments: Any) -> tuple[Any, connection.Connection]:
    """A process that runs `target(pipe, *arguments)`, and this end of the pipe.

    Raises:
        SweepError: It could not be started.
    """
    context = start_server()
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    try:
        with _one_thread(), _without_main():
            process.start()
    except (OSError, EOFError) as error:
        ours.close()
        raise SweepError(
            f"no process could be started for the sweep: {error or type(error).__name__}. Perhaps memory is short: resume with "
            "fewer --workers"
        ) from error
    finally:
        theirs.close()
    return process, ours


def _how(each: Running) -> str:
    code = each.process.exitcode
    try:
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        name = f"signal {-code}"
    hint = "; perhaps memory ran out" if code == -signal.SIGKILL else ""
    with suppress(OSError):
        said = (each.task.folder / "stderr.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if said:
            hint += f". It said last: {' | '.join(said[-_SAID_LINES:])[:400]}"
    return f"its process was ended by {name}{hint}"


@contextmanager
def _one_thread() -> Iterator[None]:
    """NumPy's libraries read these when they are loaded."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
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
