"""One model trained by several processes, each with its share of every batch (`training.workers`).

What they train is left in the run's checkpoint, as a training that is cut short leaves it. So the process that asked for them
stays free of it all: it hears of epochs, and at the end takes what the checkpoint holds as a fit that has ended.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from seq2seq_kit.bundles.base import rows_given
from seq2seq_kit.errors import ArgumentError, TrainingError
from seq2seq_kit.executing.executor import LocalExecutor, RunningTrial, cores, start_server
from seq2seq_kit.executing.process import BatchBegan, EpochEnded, Failure, Message, Outcome
from seq2seq_kit.tasks.cluster import VARIABLE, Cluster
from seq2seq_kit.tasks.worker_process import LOST, WorkerTask, run_worker
from seq2seq_kit.training.checkpoint import Checkpoint, State
from seq2seq_kit.training.fit import Epoch, Fit, Observer
from seq2seq_kit.training.group_checkpoint import EndedCheckpoint
from seq2seq_kit.training.interrupt import noticing_ctrl_c
from seq2seq_kit.training.memory_group import SharedMemory

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.data.sources.given import Given
    from seq2seq_kit.tasks.job import Job

JOIN_SECONDS = 300.0  # for all workers of a cluster to be there
_TICK_SECONDS = 0.5
_STEPS = 1_000  # of an epoch, as the observers are told of it


def by_workers(job: Job, *, data: Given | None, digest: str, members: int, cluster: Cluster | None) -> partial[Fit]:
    """How a job of several workers is fitted; arguments, result and errors as of `members_apart.fitting`.

    Args:
        members: Members of an ensemble that were asked for at a time.
        cluster: Of `cluster_for`.
    """
    asked, code = job.recipe.training.workers, "invalid_argument"
    if members != 1:
        raise ArgumentError(
            f"workers: how many members of an ensemble are trained at a time. Expected 1 with training.workers: {asked}, which "
            f"share one model. Received: {members}. Leave workers (--workers) out",
            code=code,
        )
    if job.own is not None and job.own.given:
        own = f"{', '.join(job.own.given)}, which cannot be sent to another process"
        raise ArgumentError(
            f"training.workers: expected 1 where a program brings its own {own}. Received: {asked}. Set it to 1",
            code=code,
        )
    if cluster and cluster.rank:
        raise ArgumentError(
            f"{VARIABLE} names this process worker {cluster.rank}, and the run is worker 0's. Expected the same command on every "
            "machine, `seq2seq-kit train RECIPE`, which takes part here",
            code="not_worker_0",
        )
    if cluster:
        cluster.require_free()
    keep_gpus_free()
    return partial(fit_together, data=data, digest=digest, cluster=cluster)


def fit_together(
    job: Job,
    model: keras.Model,
    observers: Sequence[Observer],
    checkpoint: Checkpoint,
    *,
    data: Given | None,
    digest: str,
    cluster: Cluster | None,
    join_seconds: float = JOIN_SECONDS,
) -> Fit:
    """Fits a model as `Job.fit` does, by `training.workers` processes, or by this machine's worker of a cluster.

    Ctrl-C, or a worker that is lost, ends all of them; the model then has the best weights up to the last finished epoch.

    Args:
        job: Of one model.
        model: Of `Job.make`.
        observers: Told of epochs and batches.
        checkpoint: Of the run.
        data: Rows instead of the recipe's `data.source`.
        digest: Of the rows.
        cluster: Workers of several machines; None: all are started here.
        join_seconds: How long a cluster's workers wait for each other.

    Returns:
        The fit; `lost` says which worker was lost, if one was.

    Raises:
        KitError: What the training raised.
        TrainingError: A worker was lost before the first epoch had ended, never came, or met a bug; the workers disagree; there
            are GPUs, but too few.
    """
    rows, workers = None if data is None else rows_given(job.recipe, data), job.recipe.training.workers
    lost = ""
    with tempfile.TemporaryDirectory() as name, noticing_ctrl_c(pressed := threading.Event()):
        if not _has_ended(checkpoint):
            tasks = _tasks(job, rows, digest, checkpoint, cluster, Path(name))
            try:
                lost = _Workers(tasks, observers, checkpoint, cluster, join_seconds).run(pressed)
            except KeyboardInterrupt:  # where it is not noted; or a second one, which takes effect at once
                if pressed.is_set():
                    raise
                pressed.set()
    state = checkpoint.load()
    ended = state is not None and state.ended
    if lost and not (state and state.history):
        raise TrainingError(f"{lost}. No epoch had ended. Resume the run to begin anew", code=LOST)
    if not ended and not lost and not pressed.is_set():
        raise TrainingError(
            f"the model was trained by {workers} workers, and its weights could not be written to {checkpoint.folder}. Expected "
            "a disk with free space. Free some and resume",
            code="checkpoint_not_written",
        )
    if state is None:
        return Fit([], 0, "interrupted", 0.0)
    fitted = job.fit_one(model, [], seed=job.recipe.seed, checkpoint=EndedCheckpoint(checkpoint.folder))
    return fitted if ended else replace(fitted, ended="interrupted", lost=_kept(lost, fitted) if lost else "")


def take_part(
    job: Job, *, data: Given | None, digest: str, cluster: Cluster, join_seconds: float = JOIN_SECONDS
) -> None:
    """Trains as this machine's worker of a cluster whose worker 0 has the run, until that has ended.

    Args:
        job: Of the same recipe and rows as worker 0's.
        data: Rows instead of the recipe's `data.source`.
        digest: Of the rows.
        cluster: The cluster.
        join_seconds: As of `fit_together`.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        KitError: As of `fit_together`.
    """
    rows = None if data is None else rows_given(job.recipe, data)
    with tempfile.TemporaryDirectory() as name, noticing_ctrl_c(pressed := threading.Event()):
        nowhere = Checkpoint(Path(name) / "none")
        tasks = _tasks(job, rows, digest, nowhere, cluster, Path(name))
        lost = _Workers(tasks, [], nowhere, cluster, join_seconds).run(pressed)
    if pressed.is_set():
        raise KeyboardInterrupt
    if lost:
        raise TrainingError(f"{lost}. The run is worker 0's, and can be resumed there", code=LOST)


def _kept(lost: str, fitted: Fit) -> str:
    return f"{lost}. The run has the best weights up to epoch {len(fitted.history)}, those of epoch {fitted.best_epoch}"


def _tasks(
    job: Job, rows: pd.DataFrame | None, digest: str, checkpoint: Checkpoint, cluster: Cluster | None, folder: Path
) -> list[WorkerTask]:
    start = None if job.start is None else folder / "start"
    if job.start is not None and start is not None:
        job.start.save(start)
    workers = job.recipe.training.workers
    ranks = range(workers) if cluster is None else [cluster.rank]
    shared = SharedMemory.of(workers, start_server()) if cluster is None else None
    threads = max(1, cores() // len(ranks))
    return [
        WorkerTask(
            job.recipe, rows, digest, rank, checkpoint.folder, start, folder / f"{rank}", threads, shared, cluster
        )
        for rank in ranks
    ]


class _Workers:
    """The processes of the workers that are started here."""

    def __init__(
        self,
        tasks: list[WorkerTask],
        observers: Sequence[Observer],
        checkpoint: Checkpoint,
        cluster: Cluster | None,
        join_seconds: float,
    ) -> None:
        self.tasks, self.observers, self.checkpoint, self.cluster = tasks, observers, checkpoint, cluster
        self.join_seconds, self.joined = join_seconds, False
        state = checkpoint.load() if checkpoint.begun else None
        self.told = len(state.history) if state else 0
        smaller = "Choose a smaller model or training.batch_size"
        self.executor = LocalExecutor(len(tasks), run=run_worker, smaller=smaller, fewer="training.workers")

    def run(self, pressed: threading.Event) -> str:
        """Until all have ended, one was lost, whose loss is returned in words, or Ctrl-C; errors as of `fit_together`."""
        began, running = time.perf_counter(), len(self.tasks)
        try:
            for task in self.tasks:
                self.executor.start(task)
            while running and not pressed.is_set():
                for handle, message in self.executor.wait(_TICK_SECONDS):
                    if isinstance(message, Failure) and (lost := self._fail(handle, message)):
                        return lost
                    running -= isinstance(message, Outcome)
                    self._hear(message)
                if self.cluster and not self.joined and time.perf_counter() - began > self.join_seconds:
                    raise self._missing(self.cluster)
        finally:
            self.executor.close()
        return ""

    def _hear(self, message: Message) -> None:
        self.joined = True
        if isinstance(message, EpochEnded):
            self._tell([message.epoch])
        elif isinstance(message, BatchBegan):
            passed = int(message.done * message.epochs * _STEPS)
            for observer in self.observers:
                observer.on_batch(passed // _STEPS + 1, message.epochs, passed % _STEPS + 1, _STEPS)

    def _tell(self, epochs: Sequence[Epoch]) -> None:
        for epoch in epochs:
            if epoch.number > self.told:
                self.told = epoch.number
                for observer in self.observers:
                    observer.on_epoch(epoch)

    def _fail(self, handle: RunningTrial, failure: Failure) -> str:
        """What is lost with a worker, in words; errors of the training itself are raised."""
        assert isinstance(handle.task, WorkerTask)
        if failure.error is not None:
            raise failure.error
        if failure.kind == "killed" or failure.code == LOST:
            state: State | None = self.checkpoint.load() if self.checkpoint.begun else None
            self._tell(state.history if state else [])  # it may have died between the two
            silent = self.cluster.silent if self.cluster else []
            gone = [
                f"nobody listens at {self.cluster.addresses[rank]} (worker {rank})" for rank in silent if self.cluster
            ]
            about = f"worker {handle.task.rank} of {handle.task.recipe.training.workers}"
            said = failure.reason if failure.code == LOST else f"{about}: {failure.reason}"
            return f"a worker was lost, and the others cannot train on without it: {'; '.join([said, *gone])}"
        if failure.kind == "bug":
            last = failure.reason.strip().splitlines()[-1]
            text = f"worker {handle.task.rank} met a bug of the kit or of a library: {last}. Set training.workers=1 to see where"
            raise TrainingError(text, code="worker_failed")
        raise TrainingError(failure.reason, code=failure.code or "worker_failed")

    def _missing(self, cluster: Cluster) -> TrainingError:
        silent = [f"worker {rank} at {cluster.addresses[rank]}" for rank in cluster.silent]
        return TrainingError(
            f"{VARIABLE}: not all of {len(cluster.addresses)} workers came within {self.join_seconds:g} s. Nobody listens for "
            f"{', '.join(silent) or 'none of them, though all addresses answer'}. Start the same command there, and let machines "
            "reach each other's ports",
            code="worker_missing",
        )


def _has_ended(checkpoint: Checkpoint) -> bool:
    state = checkpoint.load() if checkpoint.begun else None
    return state is not None and state.ended


def keep_gpus_free() -> None:
    """Keeps this process, which computes little, from taking a GPU's whole memory; once TensorFlow has begun it is too late."""
    import tensorflow as tf

    with suppress(RuntimeError):
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
