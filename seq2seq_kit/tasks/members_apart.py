"""The members of an ensemble trained several at a time, each in a process of its own.

A process leaves what it has trained in the member's checkpoint, as a training that is cut short does. So nothing else changes:
the fit that follows finds members whose training has ended and repeats none of them, and what a kill leaves can be resumed.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd

from seq2seq_kit.bundles.base import rows_given
from seq2seq_kit.errors import ArgumentError, DataError, TrainingError
from seq2seq_kit.executing.executor import LocalExecutor, RunningTrial
from seq2seq_kit.executing.process import BatchBegan, EpochEnded, Failure, Message, Outcome, PipeObserver
from seq2seq_kit.executing.process import largest_resident_set as peak
from seq2seq_kit.recipe.ensemble_fields import seeds_of
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.tasks.beginning import begin_member
from seq2seq_kit.tasks.cluster import cluster_for
from seq2seq_kit.tasks.digest import has_digest
from seq2seq_kit.tasks.ensembles import fit_members
from seq2seq_kit.tasks.registry import open_job, read_bundle
from seq2seq_kit.tasks.workers import by_workers
from seq2seq_kit.training.checkpoint import Checkpoint
from seq2seq_kit.training.fit import Epoch, Fit, Observer, seed_everything
from seq2seq_kit.training.interrupt import noticing_ctrl_c
from seq2seq_kit.training.members import OfMember
from seq2seq_kit.training.own import Own

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import keras

    from seq2seq_kit.data.sources.given import Given
    from seq2seq_kit.tasks.job import Job

FitJob: TypeAlias = "Callable[[Job, keras.Model, Sequence[Observer], Checkpoint], Fit]"

_ATTEMPTS = 2  # a process that was killed may have been unlucky
_TICK_SECONDS = 0.5
_STEPS = 1_000  # of an epoch, as the observers are told of it


@dataclass(frozen=True)
class MemberTask:
    """All that a process needs to train one member.

    Attributes:
        recipe: Of the ensemble.
        data: Rows instead of the recipe's `data.source`.
        digest: Of the rows when the run began.
        place: Of the member, counted from 0.
        checkpoint: Its own folder.
        start: The bundle that it starts from.
        folder: For its standard error.
    """

    recipe: Recipe
    data: pd.DataFrame | None
    digest: str
    place: int
    checkpoint: Path
    start: Path | None
    folder: Path


def run_member(task: MemberTask, pipe: Connection) -> Outcome:
    """Trains the member, from its checkpoint if that has a state, and leaves its weights there."""
    began = time.perf_counter()
    job = open_job(task.recipe, task.data)
    if not has_digest(
        job.source, job.columns, task.digest
    ):  # as a resumed training asks, also of earlier versions' runs
        raise DataError(
            "the data has changed since the training began, so the members would be trained on different rows. Restore the rows "
            "and resume, or train again",
            code="data_changed",
        )
    if task.start is not None:
        job = job.bring(Own(), read_bundle(task.start))
    seed = seeds_of(task.recipe.seed, task.recipe.ensemble)[task.place]
    seed_everything(seed, deterministic=task.recipe.training.deterministic)
    model = begin_member(job, task.place)
    observers = [PipeObserver(pipe, 1, 1)]
    fitted = job.of_member(task.place).fit_one(model, observers, seed=seed, checkpoint=Checkpoint(task.checkpoint))
    chosen = fitted.history[fitted.best_epoch - 1].val_loss if fitted.best_epoch else float("nan")
    return Outcome(chosen, fitted.best_epoch, [fitted], time.perf_counter() - began, peak())


def fitting(job: Job, *, data: Given | None, digest: str, workers: int) -> FitJob:
    """How a job is fitted: in this process, or the members of an ensemble `workers` at a time.

    Args:
        job: The recipe with its data.
        data: Rows instead of the recipe's `data.source`.
        digest: Of the rows.
        workers: Processes at a time.

    Returns:
        A function of job, model (of `Job.make`), observers and checkpoint; it raises what `fit_apart` does.

    Raises:
        ArgumentError: Fewer than one; more than one without an ensemble, or with a program's own model, loss, metrics, callbacks.
    """
    cluster = cluster_for(job.recipe.training.workers)
    if job.recipe.training.workers > 1:
        return by_workers(job, data=data, digest=digest, members=workers, cluster=cluster)
    about, code = "workers: how many members of an ensemble are trained at a time. Expected", "invalid_argument"
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ArgumentError(f"{about} a whole number from 1. Received: {workers!r}", code=code)
    if workers == 1:
        return one_by_one
    if job.recipe.ensemble is None:
        one = "one model, which is trained on all cores. Leave workers out, or set `ensemble`"
        raise ArgumentError(
            f"{about} a recipe with `ensemble`. Received: {workers} workers and a recipe of {one}", code=code
        )
    if job.own is not None and job.own.given:
        own = f"{', '.join(job.own.given)}, which cannot be sent to another process. Leave workers out"
        raise ArgumentError(f"{about} 1 where a program brings its own {own}. Received: {workers}", code=code)
    return partial(fit_apart, data=data, digest=digest, workers=workers)


def one_by_one(job: Job, model: keras.Model, observers: Sequence[Observer], checkpoint: Checkpoint) -> Fit:
    """Fits the model in this process, of an ensemble one member after the other."""
    return job.fit(model, observers, checkpoint=checkpoint)


def fit_apart(
    job: Job,
    model: keras.Model,
    observers: Sequence[Observer],
    checkpoint: Checkpoint,
    *,
    data: Given | None,
    digest: str,
    workers: int,
) -> Fit:
    """Fits an ensemble as `Job.fit` does, `workers` members at a time.

    Ctrl-C ends all processes. The model is then of the members that had finished, as far as none is missing before them.

    Args:
        job: Of an ensemble.
        model: Of `Job.make`.
        observers: Told of every member's epochs as they come, and of batches as if one model were trained.
        checkpoint: Of the whole fit; members that it has finished are not trained again.
        data: Rows instead of the recipe's `data.source`.
        digest: Of the rows.
        workers: Processes at a time.

    Raises:
        KeyboardInterrupt: Ctrl-C came before the first member had finished; what is done can be resumed.
        KitError: What a member's training raised.
        TrainingError: A member's process was killed twice, or met a bug.
    """
    count = len(seeds_of(job.recipe.seed, job.recipe.ensemble))
    rows = None if data is None else rows_given(job.recipe, data)
    with tempfile.TemporaryDirectory() as name, noticing_ctrl_c(pressed := threading.Event()):
        folder = Path(name)
        start = None if job.start is None else folder / "start"
        if job.start is not None and start is not None:
            job.start.save(start)
        tasks = {
            place: MemberTask(
                job.recipe, rows, digest, place, checkpoint.member(place + 1).folder, start, folder / f"{place + 1}"
            )
            for place in range(count)
            if not _finished(checkpoint, place)
        }
        try:
            _Members(tasks, observers, workers, count).run(pressed)
        except KeyboardInterrupt:
            # Ctrl-C where it is not noted, as in the background; or a second one, which takes effect at once.
            if pressed.is_set():
                raise
            pressed.set()
    done = next((place for place in range(count) if not _finished(checkpoint, place)), count)
    if done == count:
        return fit_members(job, model, observers, checkpoint=checkpoint)
    if not pressed.is_set():
        raise TrainingError(
            f"member {done + 1} was trained, and its weights could not be written to {checkpoint.folder}. Expected a disk with "
            "free space. Free some and resume: members that were written are not trained again",
            code="checkpoint_not_written",
        )
    if not done:
        raise KeyboardInterrupt
    return fit_members(job, model, observers, checkpoint=checkpoint, only=done)


class _Members:
    """The processes of the members that are to be trained."""

    def __init__(self, tasks: dict[int, MemberTask], observers: Sequence[Observer], workers: int, count: int) -> None:
        self.tasks, self.count = tasks, count
        self.observers = observers
        self.by_member = {place: [OfMember(observer, place + 1) for observer in observers] for place in tasks}
        self.done = dict.fromkeys(range(count), 1.0) | dict.fromkeys(tasks, 0.0)
        self.attempts = dict.fromkeys(tasks, 0)
        self.told = dict.fromkeys(tasks, 0)  # epochs; a process that begins again may repeat some
        self.executor = LocalExecutor(
            min(workers, max(len(tasks), 1)), run=run_member, smaller="Choose a smaller model or training.batch_size"
        )

    def run(self, pressed: threading.Event) -> None:
        """Until all have ended, or Ctrl-C; errors as of `fit_apart`."""
        waiting, running = list(self.tasks), 0
        try:
            while (waiting or running) and not pressed.is_set():
                while waiting and self.executor.free:
                    self._start(waiting.pop(0))
                    running += 1
                for handle, message in self.executor.wait(_TICK_SECONDS):
                    if isinstance(message, Outcome):
                        running -= 1
                    self._handle(handle, message)
        finally:
            self.executor.close()

    def _start(self, place: int) -> None:
        self.attempts[place] += 1
        self.executor.start(self.tasks[place])

    def _handle(self, handle: RunningTrial, message: Message) -> None:
        task = handle.task
        assert isinstance(task, MemberTask)
        if isinstance(message, Failure):
            self._fail(task.place, message)
        elif isinstance(message, EpochEnded):
            self._tell(task.place, [message.epoch])
        elif isinstance(message, BatchBegan):
            self._progress(task.place, message)

    def _tell(self, place: int, epochs: Sequence[Epoch]) -> None:
        for epoch in epochs:
            if epoch.number > self.told[place]:
                self.told[place] = epoch.number
                for observer in self.by_member[place]:
                    observer.on_epoch(epoch)

    def _progress(self, place: int, message: BatchBegan) -> None:
        """The share of the whole ensemble that is done, as batches of one model."""
        self.done[place] = max(self.done[place], message.done)
        passed = int(sum(self.done.values()) / self.count * message.epochs * _STEPS)
        for observer in self.observers:
            observer.on_batch(passed // _STEPS + 1, message.epochs, passed % _STEPS + 1, _STEPS)

    def _fail(self, place: int, failure: Failure) -> None:
        about = f"member {place + 1}"
        if failure.kind == "killed" and self.attempts[place] < _ATTEMPTS:
            state = Checkpoint(self.tasks[place].checkpoint).load()
            self._tell(place, state.history if state else [])  # it may have died between the two
            self._start(place)  # from its last epoch on
            return
        if failure.error is not None:
            raise type(failure.error)(f"{about}: {failure.error}", code=failure.error.code)
        if failure.kind == "bug":
            last = failure.reason.strip().splitlines()[-1]
            text = f"{about} met a bug of the kit or of a library: {last}. The training was ended; leave workers out to see where"
            raise TrainingError(text, code="member_failed")
        raise TrainingError(f"{about}: {failure.reason}", code=failure.code or "member_failed")


def _finished(checkpoint: Checkpoint, place: int) -> bool:
    state = checkpoint.member(place + 1).load()
    return state is not None and state.ended
