"""Resuming a training that was killed, interrupted or failed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seq2seq_kit.errors import DataError
from seq2seq_kit.opening import checked, open_training
from seq2seq_kit.results import Reporter, Silent, TrainResult
from seq2seq_kit.runs import carry_out
from seq2seq_kit.tasks import load_recipe
from seq2seq_kit.tasks.digest import digest_of, has_digest
from seq2seq_kit.tasks.job import Job
from seq2seq_kit.tasks.members_apart import fitting
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.tracking.resuming import checkpoint_of, require_begun, resumable
from seq2seq_kit.training.fit import Epoch
from seq2seq_kit.training.own import Own, OwnLoss, OwnMetric

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.bundles.own_classes import CustomObjects
    from seq2seq_kit.models.own import OwnModel
    from seq2seq_kit.tasks.registry import Given


def resume(
    run: str,
    *,
    data: Given | None = None,
    model: OwnModel | None = None,
    loss: OwnLoss | None = None,
    metrics: Sequence[OwnMetric] = (),
    callbacks: Sequence[keras.callbacks.Callback] = (),
    custom_objects: CustomObjects | None = None,
    tracking_uri: str | None = None,
    reporter: Reporter | None = None,
    workers: int = 1,
) -> TrainResult:
    """Resumes a training at the epoch after the last one that it finished.

    The same run in MLflow is continued, with the figures of a training that was not interrupted (bit by bit with
    `training.deterministic`). A fit that had ended is not repeated, only evaluated and logged.

    Args:
        run: Id of the run, or the beginning of one.
        data: The rows that it was trained on, if they were handed over as a DataFrame.
        model: What the run began with, as in `train`; likewise `loss`, `metrics` and `callbacks`.
        loss: See `model`.
        metrics: See `model`.
        callbacks: See `model`; they begin anew.
        custom_objects: As in `train`.
        tracking_uri: As in `train`.
        reporter: As in `train`.
        workers: As in `train`; any number, however many the run began with.

    Returns:
        As of `train`.

    Raises:
        TrackingError: No such run, or it has no checkpoint.
        ArgumentError: The run is finished, or is no training.
        TrainingError: Another process trains it, its checkpoint is damaged, or as of `train`.
        DataError: The data has changed since the training began.
    """
    began = time.perf_counter()
    reporter = reporter or Silent()
    tracking = open_tracking(tracking_uri, say=reporter.say, create=False, write=True)
    record, _ = resumable(tracking, run)
    with checkpoint_of(record) as checkpoint:
        _, tags = resumable(tracking, record.run_id)  # it may have ended a moment ago
        require_begun(checkpoint, record)
        own = Own(model, loss, metrics, callbacks)
        recipe = load_recipe(checkpoint.recipe)
        job = open_training(recipe, data, own, custom_objects=custom_objects, tracking_uri=tracking_uri)
        _require_same_data(job, digest := checkpoint.digest, record.run_id)
        fit = fitting(job, data=data, digest=digest, workers=workers)
        findings = checked(job, reporter.find)
        done = checkpoint.epochs()
        reporter.say(f"resuming the run {record.run_id} after {_place(done)} of {job.recipe.training.epochs}")
        record.untag([name for name in tags if name == "error" or name.startswith("finding.")])
        record.open()
        record.logged = {member: record.epochs(member) for member in {epoch.member for epoch in done}}
        for epoch in done:  # the kill may have come between the checkpoint and the log
            record.on_epoch(epoch)
        return carry_out(
            job, findings, digest, record=record, checkpoint=checkpoint, reporter=reporter, began=began, fit=fit
        )


def _place(done: Sequence[Epoch]) -> str:
    """How far a fit has come: `epoch 3`, `epoch 3 of member 2`."""
    newest = done[-1] if done else None
    return f"epoch {newest.number if newest else 0}{f' of member {newest.member},' if newest and newest.member else ''}"


def _require_same_data(job: Job, digest: str, run_id: str) -> None:
    """Refuses other rows: the epochs before and after would be of different trainings.

    Raises:
        DataError: The digest is another one.
    """
    found = digest_of(job.source, job.columns)
    if not has_digest(job.source, job.columns, digest):
        raise DataError(
            f"the data has changed since the run {run_id} began. Expected rows with the digest {digest}. Received: {found}. "
            "Restore the rows, or train again",
            code="data_changed",
        )
