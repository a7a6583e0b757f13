"""Which run can be resumed, and where its checkpoint is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from seq2seq_kit.errors import ArgumentError, TrackingError
from seq2seq_kit.tracking.client import RunRecord, Tracking
from seq2seq_kit.tracking.store import FOLDER
from seq2seq_kit.training.checkpoint import Checkpoint, only_user

RESUME = "resume"  # the tag with the command, as long as there is something to resume
SWEEP = "sweep.kind"  # the tag that runs of a sweep have
BACKTEST = "backtest.kind"  # and those of a backtest


def checkpoint_of(record: RunRecord) -> AbstractContextManager[Checkpoint]:
    """The checkpoint of a run, for this process only: `checkpoint/` beside the run's other files.

    Where these are on a server it is `mlruns/checkpoints/RUN` in the current folder: a state is written after every epoch.

    Raises:
        TrainingError: Another process trains the run.
    """
    place = record.place()
    found = urlsplit(place)
    if found.scheme == "file":
        return only_user(Path(unquote(found.path)) / "checkpoint", record.run_id)
    if "://" in place or found.scheme == "mlflow-artifacts":
        return only_user(Path(FOLDER) / "checkpoints" / record.run_id, record.run_id)
    return only_user(Path(place) / "checkpoint", record.run_id)


def resumable(tracking: Tracking, run: str) -> tuple[RunRecord, dict[str, str]]:
    """A training that has not finished, and its tags; `run` may be the beginning of its id.

    Raises:
        TrackingError: No such run.
        ArgumentError: It is finished, or it is no training.
    """
    record, tags = tracking.reopen(run)
    if kind := tags.get(SWEEP):
        parent = tags.get("mlflow.parentRunId")
        hint = (
            f"`seq2seq-kit sweep --resume {record.run_id}`"
            if kind == "sweep"
            else f"its sweep's or trial's run, {parent}"
        )
        raise ArgumentError(
            f"the run {record.run_id} is a {kind}. Expected a training. Resume {hint}", code="not_a_training"
        )
    if BACKTEST in tags:
        run_id = record.run_id if tags[BACKTEST] == "backtest" else tags.get("mlflow.parentRunId")
        raise ArgumentError(
            f"the run {record.run_id} is of a backtest. Expected a training. Resume `seq2seq-kit backtest --resume {run_id}`",
            code="not_a_training",
        )
    if record.status() == "FINISHED":
        raise ArgumentError(
            f"the run {record.run_id} is finished. Expected one that was cut short. Use it (`seq2seq-kit evaluate "
            f"{record.run_id}`), or train again with more training.epochs",
            code="run_finished",
        )
    return record, tags


def require_begun(checkpoint: Checkpoint, record: RunRecord) -> None:
    """Refuses a run without a checkpoint.

    Raises:
        TrackingError: There is none.
    """
    if not checkpoint.begun:
        checkpoint.remove()
        raise TrackingError(
            f"the run {record.run_id} has no checkpoint in {checkpoint.folder}: it was made before there were any, by another "
            "program, or from another folder with a server as store. Train again, or call from that folder",
            code="no_checkpoint",
        )
