"""What happens in the process of one trial: recipe, data, model, fit; over folds several times. Nothing here speaks to MLflow."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from seq2seq_kit.errors import DataError, SweepError
from seq2seq_kit.executing.process import Failure, Outcome, PipeObserver, largest_resident_set
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.sweeps.origins import Origins, judge_at_origins
from seq2seq_kit.sweeps.trials import Direction, is_better
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.digest import digest_of
from seq2seq_kit.tasks.job import Job
from seq2seq_kit.training.fit import Epoch

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import pandas as pd


@dataclass(frozen=True)
class TrialTask:
    """All that a process needs to run one trial.

    Attributes:
        recipe: The trial's recipe.
        metric: The objective: `val_loss` or a metric of the fit.
        to_beat: The best score when the trial began, or None; a model that does not beat it is not saved.
        direction: Whether a score is better when it is smaller (`min`) or larger (`max`).
        folds: Number of time-ordered folds; None: the recipe's own split.
        origins: Of a backtest that judges it in place of either.
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
    origins: Origins | None
    data: pd.DataFrame | None
    folder: Path
    run_id: str
    columns: list[str]
    digest: str


def run_trial(task: TrialTask, pipe: Connection) -> Outcome:
    """Fits the trial's recipe, on each fold if there are any."""
    import keras

    from seq2seq_kit.training.fit import seed_everything

    began = time.perf_counter()
    recipe = task.recipe
    job = open_job(recipe, task.data)
    require_same_rows(job, task.columns, task.digest)
    if task.origins:
        return judge_at_origins(job, task.origins, pipe)
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


def raise_fault(about: str, failure: Failure) -> NoReturn:
    """Ends a sweep because of one of its trials, which `about` names.

    Raises:
        KitError: What the trial raised: its recipe or data are wrong.
        SweepError: It met a bug.
    """
    if failure.error is not None:
        raise type(failure.error)(f"{about} cannot be run: {failure.error}", code=failure.error.code)
    last = failure.reason.strip().splitlines()[-1]
    text = f"{about} met a bug of the kit or of a library: {last}. The sweep was stopped; --debug shows where"
    raise SweepError(text, code="trial_bug") from _RemoteError(failure.reason)


class _RemoteError(Exception):
    """The traceback of another process, shown as the cause of an error in this one."""

    def __init__(self, text: str) -> None:
        super().__init__(f"\n{text}")


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
