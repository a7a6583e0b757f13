"""What happens in a process that fits: a task in one thread, told of by messages. Nothing here knows what is fitted, or MLflow.

Messages are `BatchBegan` and `EpochEnded` while a part is fitted, then one `Outcome` or `Failure`.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from seq2seq_kit.errors import KitError, TrainingError
from seq2seq_kit.processes import end_with_parent, use_folder
from seq2seq_kit.training.fit import Epoch, Fit

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_PROGRESS_SECONDS = 0.5


class Task(Protocol):
    """What a process is given to do."""

    @property
    def folder(self) -> Path:
        """For its files, and its standard error as `stderr.txt`."""


@dataclass(frozen=True)
class Outcome:
    """The result of a task, as plain data.

    Attributes:
        score: The objective at the best epoch; over folds their mean; over origins the error of all forecasts.
        best_epoch: The epoch whose weights are kept, of the last fold.
        folds: Scores by fold, or by origin; empty without either.
        fits: The fit of each fold, or those of a backtest; else a single one.
        seconds: Wall time of everything.
        memory: Largest resident set of the process, in bytes.
        cells: Values that were forecast at origins; 0 without them.
    """

    score: float
    best_epoch: int
    fits: list[Fit]
    seconds: float
    memory: int
    folds: tuple[float, ...] = ()
    cells: int = 0


@dataclass(frozen=True)
class BatchBegan:
    """Some batches begin in `epoch` of `epochs`; `done` is the share of the task that is done."""

    fold: int
    epoch: int
    epochs: int
    done: float


@dataclass(frozen=True)
class EpochEnded:
    """An epoch of a fold has ended; of what has no folds, its fold is 1."""

    fold: int
    epoch: Epoch


@dataclass(frozen=True)
class Failure:
    """A task has no outcome.

    Attributes:
        kind: `failed`: this task cannot be done; `invalid`: recipe or data are wrong, so nothing of the kind can continue; `bug`:
            of the kit or a library. From the executor: `killed` by a signal, perhaps by bad luck; ended by it because it took too
            long (`time`) or too much `memory`; `lost` with its node, which is no fault of its own.
        reason: For the user; of a bug the traceback.
        error: What was raised, if `invalid`.
        code: Of the error, if `failed`.
    """

    kind: Literal["failed", "invalid", "bug", "killed", "time", "memory", "lost"]
    reason: str
    error: KitError | None = None
    code: str = ""


Message = BatchBegan | EpochEnded | Outcome | Failure


def main(pipe: Connection, task: Task, run: Callable[[Any, Connection], Outcome]) -> None:
    """The whole life of a process that fits: `run` is what it does with its task."""
    pipe.send(_run(pipe, task, run))


def _run(pipe: Connection, task: Task, run: Callable[[Any, Connection], Outcome]) -> Outcome | Failure:
    try:
        settle(task.folder, threads=getattr(task, "threads", 1))
        return run(task, pipe)
    except TrainingError as error:
        return Failure("failed", str(error), None, error.code)
    except MemoryError as error:
        return Failure("failed", str(error) or "out of memory")
    except KitError as error:
        if error.code == "model_too_large":
            return Failure("failed", f"out of memory: {error}")
        return Failure("invalid", str(error), error)
    except Exception as error:
        if type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's, which has no base of its own
            text = re.sub(r"^\{\{.*?\}\}\s*", "", str(error).splitlines()[0])
            return Failure("failed", f"out of memory: {text}")
        return Failure("bug", traceback.format_exc())


class PipeObserver:
    """Watches a fit and sends messages to the process that started this one."""

    def __init__(self, pipe: Connection, fold: int, folds: int) -> None:
        self.pipe, self.fold, self.folds = pipe, fold, folds
        self.sent = 0.0

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
        now = time.perf_counter()
        if now - self.sent > _PROGRESS_SECONDS:
            self.sent = now
            done = (self.fold - 1 + ((epoch - 1) * steps + step - 1) / (of * steps)) / self.folds
            self.pipe.send(BatchBegan(self.fold, epoch, of, done))

    def on_epoch(self, epoch: Epoch) -> None:
        self.pipe.send(EpochEnded(self.fold, epoch))


def settle(folder: Path, *, threads: int = 1) -> None:
    """Makes this process compute in one thread or a few, write to files only, and never outlive whoever started it.

    Args:
        folder: For its files.
        threads: Of TensorFlow. Where that is not installed, the variables that the process was started with say one.
    """
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C goes to every process of the terminal; the one that started this decides
    folder.mkdir(parents=True, exist_ok=True)
    log = os.open(folder / "stderr.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    with suppress(OSError):
        # If memory runs out, Linux ends this process and not the one that waits for it.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    end_with_parent()
    use_folder(folder)  # which whoever started it removes
    if find_spec("tensorflow") is None:
        return  # beside an export, whose runtime reads the variables that this process began with

    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)  # such processes share it


def largest_resident_set() -> int:
    """Of this process so far, in bytes."""
    try:
        import resource
    except ImportError:  # Windows counts the peak elsewhere
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
