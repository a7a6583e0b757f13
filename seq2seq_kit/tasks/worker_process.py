"""The process of one worker of `training.workers`: it meets the others and trains its share."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from seq2seq_kit.bundles.files import versions
from seq2seq_kit.errors import DataError, TrainingError
from seq2seq_kit.executing.process import BatchBegan, Outcome, PipeObserver
from seq2seq_kit.executing.process import largest_resident_set as peak
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.tasks.beginning import begin_member
from seq2seq_kit.tasks.cluster import VARIABLE, Cluster
from seq2seq_kit.tasks.digest import has_digest
from seq2seq_kit.tasks.registry import open_job, read_bundle
from seq2seq_kit.training.fit import seed_everything
from seq2seq_kit.training.group import Group, from_all, use_group
from seq2seq_kit.training.group_checkpoint import GroupCheckpoint
from seq2seq_kit.training.memory_group import MemoryGroup, SharedMemory
from seq2seq_kit.training.own import Own

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

LOST = "worker_lost"  # the code


@dataclass(frozen=True)
class WorkerTask:
    """All that the process of a worker needs.

    Attributes:
        recipe: Of the run.
        data: Rows instead of the recipe's `data.source`.
        digest: Of the rows when the run began.
        rank: Number of the worker, from 0.
        checkpoint: The run's folder; only worker 0 uses it.
        start: The bundle that the training starts from.
        folder: For its standard error.
        threads: That it computes in.
        shared: The memory of workers of this machine.
        cluster: Else the cluster.
    """

    recipe: Recipe
    data: pd.DataFrame | None
    digest: str
    rank: int
    checkpoint: Path
    start: Path | None
    folder: Path
    threads: int
    shared: SharedMemory | None
    cluster: Cluster | None


def run_worker(task: WorkerTask, pipe: Connection) -> Outcome:
    """Trains the model together with the other workers; worker 0 tells of it and leaves its weights in the checkpoint."""
    import tensorflow as tf

    began = time.perf_counter()
    _take_one_gpu(task)
    try:
        group = _join(task)
        pipe.send(BatchBegan(1, 1, task.recipe.training.epochs, 0.0))  # it has met the others
        require_alike(task.recipe, task.digest, group)
        return _fit(task, group, pipe, began)
    except tf.errors.OpError as error:
        if task.cluster is None:
            raise
        lines = str(error).splitlines()  # within a graph the reason follows the whole stack of the operation
        told = next((line for line in lines if "aborted by" in line), lines[0])[:200]
        raise TrainingError(f"worker {task.rank} lost the others: {told}", code=LOST) from None


def _fit(task: WorkerTask, group: Group, pipe: Connection, began: float) -> Outcome:
    job = open_job(task.recipe, task.data)
    if not has_digest(job.source, job.columns, task.digest):
        raise DataError(
            "the data has changed since the training began, so the workers would be trained on different rows. Restore the rows "
            "and resume, or train again",
            code="data_changed",
        )
    if task.start is not None:
        job = job.bring(Own(), read_bundle(task.start))
    seed_everything(task.recipe.seed, deterministic=task.recipe.training.deterministic)
    model = begin_member(job, 0)
    use_group(group)
    observers = [PipeObserver(pipe, 1, 1)] if group.rank == 0 else []
    fitted = job.fit_one(model, observers, seed=task.recipe.seed, checkpoint=GroupCheckpoint(task.checkpoint, group))
    chosen = fitted.history[fitted.best_epoch - 1].val_loss if fitted.best_epoch else float("nan")
    return Outcome(chosen, fitted.best_epoch, [fitted], time.perf_counter() - began, peak())


def _join(task: WorkerTask) -> Group:
    if task.shared is not None:
        return MemoryGroup(task.shared, task.rank)
    from seq2seq_kit.training.cluster_group import ClusterGroup

    assert task.cluster is not None
    os.environ[VARIABLE] = task.cluster.config
    return ClusterGroup(task.rank, len(task.cluster.addresses))


def _take_one_gpu(task: WorkerTask) -> None:
    """A GPU for each worker of a machine that has some; errors as of `workers.fit_together`."""
    import tensorflow as tf

    found, workers = tf.config.list_physical_devices("GPU"), task.shared.count if task.shared else 1
    if not found:
        return
    if len(found) < workers:
        raise TrainingError(
            f"training.workers: {workers} workers, and this machine has {len(found)} GPU. Expected one for each. Set "
            f"training.workers={len(found)}, or CUDA_VISIBLE_DEVICES= to train on the processor",
            code="too_few_gpus",
        )
    tf.config.set_visible_devices(found[task.rank if task.shared else 0], "GPU")


def require_alike(recipe: Recipe, digest: str, group: Group) -> None:
    """Refuses workers that would not train the same model on the same rows.

    Raises:
        TrainingError: Another recipe, rows or versions; says whose.
    """
    own = recipe.model_dump(mode="json", exclude={"name": True, "experiment": True, "sweep": True, "data": {"source"}})
    parts = {"recipe": json.dumps(own, sort_keys=True), "rows": digest, "versions": json.dumps(versions())}
    digests = b"".join(hashlib.sha256(each.encode()).digest() for each in parts.values())
    found, size = from_all(group, digests), hashlib.sha256().digest_size
    for place, what in enumerate(parts):
        there = [each[place * size : (place + 1) * size] for each in found]
        if other := [rank for rank, each in enumerate(there) if each != there[0]]:
            raise TrainingError(
                f"worker {other[0]} has other {what} than worker 0. Expected the same command, rows and versions "
                f"everywhere. Here, worker {group.rank}: {parts[what] if what != 'recipe' else 'see --set and the recipe'}",
                code="workers_disagree",
            )
