"""A sweep from recipe to record: checks, search, the winner's evaluation, figures, MLflow. What the command line calls."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any

import pandas as pd

from seq2seq_kit.bundle_files import read_bundle
from seq2seq_kit.errors import KitError, RecipeError, SweepError
from seq2seq_kit.findings import Finding
from seq2seq_kit.notes import describe_run
from seq2seq_kit.recipe import Recipe, dump_recipe
from seq2seq_kit.recipe.loading import Overrides
from seq2seq_kit.recipe.sweep import Knob, Sweep, check_space, default_values, knobs, trial_recipe
from seq2seq_kit.runs import TrainResult, close, conclude, data_name, first_tags
from seq2seq_kit.sweeps.book import Book, Page, claim, digest_at_start, open_book
from seq2seq_kit.sweeps.figures import write_figures
from seq2seq_kit.sweeps.importance import Importances, importances
from seq2seq_kit.sweeps.oracle import Tuner
from seq2seq_kit.sweeps.pool import Pool
from seq2seq_kit.sweeps.search import Ended, Reporter, Search, Standing
from seq2seq_kit.sweeps.trials import Trial, best_of, table_of
from seq2seq_kit.sweeps.words import describe_sweep
from seq2seq_kit.tasks import Job, digest_of, open_job
from seq2seq_kit.tracking import open_tracking
from seq2seq_kit.training import Fit, noticing_ctrl_c, seed_everything
from seq2seq_kit.validation import resolve

_DATA_CORNERS = 16
# What may be changed when a sweep is resumed: how far it goes, not what it does.
_BUDGET = ("max_trials", "max_minutes")


@dataclass(frozen=True)
class SweepResult:
    """What a sweep came to.

    Attributes:
        recipe: With its sweep section.
        trials: By number; trial 1 is the recipe as it stands.
        best: The best of them.
        best_recipe: Its recipe, ready to train.
        ended: `done`, `space` (nothing left to try), `max_minutes` or `interrupted`.
        importances: Which hyperparameter mattered.
        winner: The best trial's model, evaluated; None for a sweep that was interrupted, which leaves the test rows alone.
        run_id: Id of the sweep's run.
        tracking_uri: Where that run is.
        seconds: Wall time of everything.
    """

    recipe: Recipe
    trials: list[Trial]
    best: Trial
    best_recipe: Recipe
    ended: Ended
    importances: Importances
    winner: TrainResult | None
    run_id: str
    tracking_uri: str
    seconds: float

    def table(self) -> pd.DataFrame:
        """One row for each trial, see `table_of`."""
        return table_of(self.trials, knobs(_section(self.recipe)))


class Silent:
    """The reporter of a program that wants to hear nothing."""

    def say(self, text: str) -> None: ...

    def find(self, finding: Finding) -> None: ...

    def on_standing(self, standing: Standing) -> None: ...

    def on_trial(self, trial: Trial, best: bool) -> None: ...


def sweep(
    recipe: str | Path | Mapping[str, Any] | Recipe,
    *,
    overrides: Overrides = (),
    data: pd.DataFrame | None = None,
    workers: int | None = None,
    tracking_uri: str | None = None,
    reporter: Reporter | None = None,
) -> SweepResult:
    """Searches the recipe's `sweep.space` and leaves a tree of runs in MLflow.

    Args:
        recipe: A YAML file, the same as nested mappings, or a recipe read before; with a `sweep` section.
        overrides: Dotted keys that replace the recipe's.
        data: Rows to train on instead of the recipe's `data.source`.
        workers: Trials at a time, each in a process of its own with one computing thread; default: the cores at hand.
        tracking_uri: As in `train`.
        reporter: Is told how the sweep goes.

    Raises:
        RecipeError: The recipe has problems, it has no `sweep`, or its space holds recipes that are not valid.
        DataError: The data does not fit the recipe, or does not fit what the space can make of it.
        SweepError: No trial came out, or one met a bug.
        TrackingError: The store is locked or unreachable.
    """
    recipe = resolve(recipe, overrides)
    recipe = recipe.model_copy(update={"name": recipe.name or recipe.task})
    section = _section(recipe)
    check_space(recipe)
    prepared = _Prepared.open(recipe, data, workers, reporter)
    tracking = open_tracking(tracking_uri, say=prepared.reporter.say)
    tags = first_tags(recipe) | {"mlflow.source.name": "seq2seq-kit sweep"}
    book = Book.begin(tracking, recipe, default_values(recipe, knobs(section)), digest=prepared.digest, tags=tags)
    source = recipe.data.source or "a DataFrame"
    book.record.dataset(prepared.job.source, source=source, name=data_name(recipe), digest=prepared.digest)
    return _conduct(book, prepared)


def resume(
    run: str,
    *,
    recipe: str | Path | Mapping[str, Any] | Recipe | None = None,
    overrides: Overrides = (),
    data: pd.DataFrame | None = None,
    workers: int | None = None,
    tracking_uri: str | None = None,
    reporter: Reporter | None = None,
) -> SweepResult:
    """Goes on with a sweep that was interrupted, killed, or is to have more trials.

    Finished trials stay as they are, those that were under way run again, and the tuner knows of all of them.

    Args:
        run: Id of the sweep's run, or its beginning.
        recipe: If given, must be the sweep's own; only `sweep.max_trials` and `sweep.max_minutes` may differ.
        overrides: As in `sweep`; for a recipe that is not given, of the sweep's own.
        data: The rows of a sweep that was given rows.
        workers: As in `sweep`; may differ from before.
        tracking_uri: As in `train`.
        reporter: Is told how the sweep goes.

    Raises:
        SweepError: The run is no sweep, is still under way, is of another recipe or of data that has changed, or has nothing
            left to do.
        TrackingError: No such run.
    """
    tracking = open_tracking(tracking_uri, create=False)
    book = open_book(tracking, run)
    wanted = resolve(recipe if recipe is not None else book.recipe, overrides)
    wanted = wanted.model_copy(update={"name": wanted.name or wanted.task})
    _require_same(book, wanted)
    book.recipe = wanted
    check_space(wanted)
    section, count = _section(wanted), len(book.pages)
    total = section.trials
    if total is not None and count >= total and all(trial.state in ("finished", "failed") for trial in book.trials):
        raise SweepError(
            f"the sweep {book.record.run_id} has all of its {total} trials. For more, ask for more: "
            f"--set sweep.max_trials={count + 20}"
        )
    prepared = _Prepared.open(wanted, data, workers, reporter)
    if prepared.digest != digest_at_start(book):
        prepared.pool.close()
        raise SweepError(
            f"the data of the sweep {book.record.run_id} has changed since it began, so its trials could not be compared "
            "with new ones. Bring the rows back, or begin a new sweep"
        )
    claim(book)
    return _conduct(book, prepared)


def best_recipe(run: str, *, tracking_uri: str | None = None) -> tuple[Recipe, Trial, int]:
    """The recipe of the best trial of a sweep, also of one that is under way or was killed.

    Returns:
        The recipe, ready to train; the trial; how many have finished.

    Raises:
        SweepError: The run is no sweep, or none of its trials has finished.
        TrackingError: No such run.
    """
    book = open_book(open_tracking(tracking_uri, create=False), run)
    best = best_of(book.trials, _section(book.recipe).direction)
    if best is None:
        raise SweepError(f"no trial of the sweep {book.record.run_id} has finished{_reasons(book.trials)}")
    finished = sum(trial.state == "finished" for trial in book.trials)
    return trial_recipe(book.recipe, best.values), best, finished


def write_best_recipe(run: str, path: Path, *, tracking_uri: str | None = None) -> Trial:
    """Writes the best trial's recipe to a file that `train` accepts."""
    recipe, best, finished = best_recipe(run, tracking_uri=tracking_uri)
    path.write_text(_headed(recipe, best, run, finished), encoding="utf-8")
    return best


def _headed(recipe: Recipe, best: Trial, run: str, finished: int) -> str:
    count = f"{finished} trial{'' if finished == 1 else 's'}"
    return f"# Trial {best.number}, the best of {count} of the sweep {run}: {best.score:.6g} at epoch {best.best_epoch}.\n" + (
        dump_recipe(recipe)
    )


@dataclass(frozen=True)
class _Prepared:
    """What a sweep needs beside its book."""

    job: Job
    data: pd.DataFrame | None
    digest: str
    findings: list[Finding]
    pool: Pool
    reporter: Reporter
    began: float

    @classmethod
    def open(
        cls, recipe: Recipe, data: pd.DataFrame | None, workers: int | None, reporter: Reporter | None
    ) -> _Prepared:
        began = time.perf_counter()
        section, reporter = _section(recipe), reporter or Silent()
        count = workers if workers is not None else cores()
        if count < 1:
            raise SweepError(f"a sweep needs at least one worker. Received: {count}")
        pool = Pool(count, minutes=section.trial_minutes)
        job = open_job(trial_recipe(recipe, {}), data)
        if section.folds:
            job.folds(section.folds)  # too few rows are told now
        _check_data(recipe, data)
        findings = job.check()
        for finding in findings:
            reporter.find(finding)
        return cls(job, data, digest_of(job.source, job.columns), findings, pool, reporter, began)


def cores() -> int:
    """Cores that this process may use."""
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _conduct(book: Book, prepared: _Prepared) -> SweepResult:
    recipe, section = book.recipe, _section(book.recipe)
    reporter, record = prepared.reporter, book.record
    pressed = threading.Event()
    try:
        tuner = Tuner(
            section,
            knobs(section),
            seed=section.seed if section.seed is not None else recipe.seed,
            trials=section.trials - 1 if section.trials is not None else None,
            epochs=recipe.training.epochs,
        )
        with tempfile.TemporaryDirectory(prefix="seq2seq-kit-sweep-") as scratch, noticing_ctrl_c(pressed):
            ended = Search(
                book,
                tuner,
                prepared.pool,
                data=prepared.data,
                digest=prepared.digest,
                total=section.trials,
                reporter=reporter,
                folder=Path(scratch),
                pressed=pressed,
            ).run()
        tuner.close()
        result = _conclude(book, prepared, ended)
    except BaseException as error:
        prepared.pool.close()
        close(record, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", error)
        raise
    record.end("KILLED" if ended == "interrupted" else "FINISHED")
    return result
