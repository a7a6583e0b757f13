"""What happens in the process of one trial: recipe, data, model, fit; for folds several times. Nothing here speaks to MLflow.

Messages to the sweep's process are `BatchBegan` and `EpochEnded` while a fold is fitted, then one `Outcome` or `Failure`.
Other fits that run in such a process hand `main` a task and a function of their own, and answer with the same messages.
"""

from __future__ import annotations

import math
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from seq2seq_kit.errors import DataError, KitError, TrainingError
from seq2seq_kit.processes import end_with_parent, use_folder
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.sweeps.trials import Direction, is_better
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.digest import digest_of
from seq2seq_kit.tasks.job import Job
from seq2seq_kit.training.fit import Epoch, Fit

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import pandas as pd

_PROGRESS_SECONDS = 0.5


class Task(Protocol):
    """What a process is given to do."""

    @property
    def folder(self) -> Path:
        """For its files, and its standard error as `stderr.txt`."""


@dataclass(frozen=True)
class TrialTask:
    """All that a process needs to run one trial.

    Attributes:
        recipe: The trial's recipe.
        metric: The objective: `val_loss` or a metric of the fit.
        to_beat: The best score when the trial began, or None; a model that does not beat it is not saved.
        direction: Whether a score is better when it is smaller (`min`) or larger (`max`).
        folds: Number of time-ordered folds; None: the recipe's own split.
        data: Rows instead of the recipe's `data.source`.
        folder: Where the trained model is saved as `bundle`, and the process's standard error as `stderr.txt`.
        run_id: The trial's run, named in its bundle.
        columns: Columns of the data that the sweep's own recipe uses.
        digest: Of those columns when the sweep began.
    """

    recipe: Recipe
    metric: str
    to_beat: float | None
    direction: Direction
    folds: int | None
    data: pd.DataFrame | None
    folder: Path
    run_id: str
    columns: list[str]
    digest: str


@dataclass(frozen=True)
class Outcome:
    """The result of a trial, as plain data.

    Attributes:
        score: The objective at the best epoch; over folds their mean.
        best_epoch: The epoch whose weights are kept, of the last fold.
        folds: Scores by fold; empty without folds.
        fits: The fit of each fold; a single one without folds.
        seconds: Wall time of everything.
        memory: Largest resident set of the process, in bytes.
    """

    score: float
    best_epoch: int
    fits: list[Fit]
    seconds: float
    memory: int
    folds: tuple[float, ...] = ()


@dataclass(frozen=True)
class BatchBegan:
    """Some batches begin in `epoch` of `epochs`; `done` is the share of the trial that is done."""

    fold: int
    epoch: int
    epochs: int
    done: float


@dataclass(frozen=True)
class EpochEnded:
    """An epoch of a fold has ended."""

    fold: int
    epoch: Epoch


@dataclass(frozen=True)
class Failure:
    """A trial has no outcome.

    Attributes:
        kind: `failed`: this trial cannot be trained; `invalid`: recipe or data are wrong, so the sweep cannot continue; `bug`: of
            the kit or a library. From the executor: `killed` by a signal, perhaps by bad luck; ended by it because the trial took
            too long (`time`) or too much `memory`.
        reason: For the user; of a bug the traceback.
        error: What was raised, if `invalid`.
    """

    kind: Literal["failed", "invalid", "bug", "killed", "time", "memory"]
    reason: str
    error: KitError | None = None


Message = BatchBegan | EpochEnded | Outcome | Failure


def main(pipe: Connection, task: Task, run: Callable[[Any, Connection], Outcome] | None = None) -> None:
    """The whole life of a process that fits: a trial's, or another task's with its own `run`."""
    pipe.send(_run(pipe, task, run or run_trial))


def _run(pipe: Connection, task: Task, run: Callable[[Any, Connection], Outcome]) -> Outcome | Failure:
    try:
        _settle(task.folder)
        return run(task, pipe)
    except (MemoryError, TrainingError) as error:
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


def run_trial(task: TrialTask, pipe: Connection) -> Outcome:
    """Fits the trial's recipe, on each fold if there are any."""
    import keras

    from seq2seq_kit.training.fit import seed_everything

    began = time.perf_counter()
    recipe = task.recipe
    job = open_job(recipe, task.data)
    require_same_rows(job, task.columns, task.digest)
    jobs = job.folds(task.folds) if task.folds else [job]
    scores, fits = [], []
    for number, each in enumerate(jobs, start=1):
        keras.backend.clear_session()
        seed_everything(recipe.seed, deterministic=recipe.training.deterministic)
        model = each.build()
        fitted = each.fit(model, [PipeObserver(pipe, number, len(jobs))])
        scores.append(score_of(fitted.history[fitted.best_epoch - 1], task.metric))
        fits.append(fitted)
    score = math.fsum(scores) / len(scores)
    # Of equal scores the earlier trial counts, which may be this one.
    if task.to_beat is None or not is_better(task.to_beat, score, task.direction):
        digest = digest_of(job.source, job.columns)
        info = {"run_id": task.run_id, "data_sha256": digest, "best_epoch": fitted.best_epoch}
        each.bundle(model, info, peers=False).save(task.folder / "bundle")
    return Outcome(
        score=score,
        best_epoch=fitted.best_epoch,
        fits=fits,
        seconds=time.perf_counter() - began,
        memory=largest_resident_set(),
        folds=tuple(scores) if task.folds else (),
    )


def score_of(epoch: Epoch, metric: str) -> float:
    """The objective in an epoch."""
    return epoch.val_loss if metric == "val_loss" else epoch.metrics[metric]


def require_same_rows(job: Job, columns: list[str], digest: str) -> None:
    """Refuses a source that has changed since the sweep began: its trials would be judged on other rows.

    Raises:
        DataError: The source has changed.
    """
    absent = [name for name in columns if name not in job.source.columns]
    if absent or digest_of(job.source, columns) != digest:
        changed = f"it has no column {absent[0]} any more" if absent else "its rows differ"
        raise DataError(
            f"the data has changed while the sweep ran ({changed}), so trials could not be compared. Restore the rows and "
            "resume the sweep, or begin a new one",
            code="sweep_data_changed",
        )


class PipeObserver:
    """Watches a fit and sends messages to the sweep's process."""

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


def _settle(folder: Path) -> None:
    """Makes this process compute in one thread, write to files only, and never outlive the sweep."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to every process of the terminal; the sweep's decides
    folder.mkdir(parents=True, exist_ok=True)
    log = os.open(folder / "stderr.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    with suppress(OSError):
        # If memory runs out, Linux ends a trial and not the sweep.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    end_with_parent()
    use_folder(folder)  # which the sweep removes

    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)  # trials share it


def largest_resident_set() -> int:
    """Of this process so far, in bytes."""
    try:
        import resource
    except ImportError:  # Windows counts the peak elsewhere
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
