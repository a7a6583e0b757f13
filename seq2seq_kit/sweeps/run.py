"""A sweep from recipe to record: checks, search, the winner's evaluation, figures, MLflow. What the command line calls."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from seq2seq_kit.errors import ArgumentError, DataError, RecipeError, SweepError
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.loading import Overrides, flattened
from seq2seq_kit.recipe.sweep import knobs
from seq2seq_kit.recipe.sweep_space import check_space, default_values, in_words, section_of, trial_recipe
from seq2seq_kit.reports.notes import count_of
from seq2seq_kit.runs import close, data_name, first_tags
from seq2seq_kit.sweeps.conclusion import Prepared, SweepResult, conclude_sweep, reasons
from seq2seq_kit.sweeps.executor import Pool, free_memory
from seq2seq_kit.sweeps.search import Search
from seq2seq_kit.sweeps.status import Silent, SweepReporter
from seq2seq_kit.sweeps.trial_store import Book, claim, open_book
from seq2seq_kit.sweeps.trials import Trial, best_of
from seq2seq_kit.sweeps.tuner_process import TunerProcess
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.job import digest_of
from seq2seq_kit.tracking.client import impatient, open_tracking
from seq2seq_kit.training.interrupt import noticing_ctrl_c
from seq2seq_kit.validation import resolve

_WORKER_BYTES = 10**9  # a trial of a small model takes about half of it
# What may be changed when a sweep is resumed: how far it goes, not what it does.
_BUDGET = ("sweep.max_trials", "sweep.max_minutes")


def sweep(
    recipe: str | Path | Mapping[str, Any] | Recipe,
    *,
    overrides: Overrides = (),
    data: pd.DataFrame | None = None,
    workers: int | None = None,
    tracking_uri: str | None = None,
    reporter: SweepReporter | None = None,
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
    section = section_of(recipe)
    check_space(recipe)
    prepared = _prepare(recipe, data, workers, reporter)
    tracking = open_tracking(tracking_uri, say=prepared.reporter.say)
    tags = first_tags(recipe) | {"mlflow.source.name": "seq2seq-kit sweep"}
    book = Book.begin(tracking, recipe, default_values(recipe, knobs(section)), digest=prepared.digest, tags=tags)
    try:
        source = recipe.source or "a DataFrame"
        book.record.dataset(prepared.job.source, source=source, name=data_name(recipe), digest=prepared.digest)
    except BaseException as error:
        close(book.record, "FAILED", error)
        raise
    return _conduct(book, prepared)


def resume_sweep(
    run: str,
    *,
    recipe: str | Path | Mapping[str, Any] | Recipe | None = None,
    overrides: Overrides = (),
    data: pd.DataFrame | None = None,
    workers: int | None = None,
    tracking_uri: str | None = None,
    reporter: SweepReporter | None = None,
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
        ArgumentError: The run is no sweep, is of another recipe or of data that has changed, or has nothing left to do.
        SweepError: It is still under way.
        TrackingError: No such run.
    """
    tracking = open_tracking(tracking_uri, create=False)
    book = open_book(tracking, run)
    wanted = resolve(recipe if recipe is not None else book.recipe, overrides)
    wanted = wanted.model_copy(update={"name": wanted.name or wanted.task})
    _require_same(book, wanted)
    check_space(wanted)
    _require_more(book, wanted)
    prepared = _prepare(wanted, data, workers, reporter)
    if prepared.digest != book.digest:
        raise ArgumentError(
            f"the data of the sweep {book.record.run_id} has changed since it began, so its trials could not be compared "
            "with new ones. Bring the rows back, or begin a new sweep"
        )
    claim(book)
    try:
        book = open_book(tracking, book.record.run_id)  # what another process wrote while this one prepared
        _require_more(book, wanted)
        book.keep(wanted)
    except BaseException as error:
        close(book.record, "FAILED", error)
        raise
    return _conduct(book, prepared)


def _require_more(book: Book, wanted: Recipe) -> None:
    """Refuses a sweep that is over: resuming it would look at the test rows again, for nothing."""
    total = section_of(wanted).trials
    if book.ended == "exhausted":
        raise ArgumentError(
            f"the sweep {book.record.run_id} has tried all that its tuner has to try. Widen its space in a new sweep"
        )
    if total is not None and len(book.pages) > total:
        raise ArgumentError(
            f"the sweep {book.record.run_id} has {len(book.pages)} trials already, more than sweep.max_trials: {total}. Ask for "
            "at least as many"
        )
    if book.ended == "done" and total is not None and len(book.pages) >= total:
        raise ArgumentError(
            f"the sweep {book.record.run_id} has all of its {total} trials. For more, ask for more: "
            f"--set sweep.max_trials={len(book.pages) + 20}"
        )


@dataclass(frozen=True)
class BestRecipe:
    """The recipe of a sweep's best trial.

    Attributes:
        recipe: Ready to train, without the sweep section.
        trial: The trial.
        said: Where it comes from, in a line.
    """

    recipe: Recipe
    trial: Trial
    said: str

    @property
    def text(self) -> str:
        """The recipe as YAML."""
        return f"# {self.said}\n{dump_recipe(self.recipe)}"


def best_recipe(run: str, *, out: str | Path | None = None, tracking_uri: str | None = None) -> BestRecipe:
    """The recipe of the best trial of a sweep, also of one that is under way or was killed.

    Args:
        run: Id of the sweep's run, or its beginning.
        out: A file to write it to, which `train` accepts.
        tracking_uri: As in `train`.

    Raises:
        ArgumentError: The run is no sweep, or `out` cannot be written.
        SweepError: None of its trials has finished.
        TrackingError: No such run.
    """
    book = open_book(open_tracking(tracking_uri, create=False), run)
    best = best_of(book.trials, section_of(book.recipe).direction)
    if best is None:
        raise SweepError(f"no trial of the sweep {book.record.run_id} has finished{reasons(book.trials)}")
    finished = count_of(sum(trial.state == "finished" for trial in book.trials), "finished trial")
    said = f"trial {best.number}, the best of {finished} of the sweep {book.record.run_id}: {best.score:.6g} at epoch"
    found = BestRecipe(trial_recipe(book.recipe, best.values), best, f"{said} {best.best_epoch}")
    if out is not None:
        try:
            Path(out).write_text(found.text, encoding="utf-8")
        except OSError as error:
            raise ArgumentError(f"could not write {out}: {error}. Choose another --out") from None
    return found


def _prepare(
    recipe: Recipe, data: pd.DataFrame | None, workers: int | None, reporter: SweepReporter | None
) -> Prepared:
    began = time.perf_counter()
    section, reporter = section_of(recipe), reporter or Silent()
    count = workers if workers is not None else default_workers()
    if count < 1:
        raise ArgumentError(f"a sweep needs at least one worker. Received: {count}")
    if workers is None and count < cores():
        reporter.say(f"{count} trials at a time on {cores()} cores, because memory is short")
    pool = Pool(count, minutes=section.trial_minutes)
    job = open_job(trial_recipe(recipe, {}), data)
    if section.folds:
        job.folds(section.folds)  # too few rows are told now
    check_data(recipe, data)
    findings = job.check()
    for finding in findings:
        reporter.find(finding)
    return Prepared(job, data, digest_of(job.source, job.columns), findings, pool, reporter, began)


def default_workers() -> int:
    """As many as there are cores, if there is memory for them."""
    return max(1, min(cores(), free_memory() // _WORKER_BYTES))


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _conduct(book: Book, prepared: Prepared) -> SweepResult:
    recipe, section = book.recipe, section_of(book.recipe)
    reporter, record = prepared.reporter, book.record
    pressed = threading.Event()
    try:
        tuner = TunerProcess(
            section,
            knobs(section),
            seed=section.seed if section.seed is not None else recipe.seed,
            epochs=recipe.training.epochs,
            known=book.defaults,
        )
        with (
            impatient(),  # the sweep waits for a store by itself, and goes on listening meanwhile
            closing(tuner),
            tempfile.TemporaryDirectory(prefix="seq2seq-kit-sweep-") as scratch,
            noticing_ctrl_c(pressed),
        ):
            ended = Search(
                book,
                tuner,
                prepared.pool,
                data=prepared.data,
                columns=prepared.job.columns,
                digest=prepared.digest,
                total=section.trials,
                reporter=reporter,
                folder=Path(scratch),
                pressed=pressed,
            ).run()
        result = conclude_sweep(book, prepared, ended)
    except BaseException as error:
        prepared.pool.close()
        close(record, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", error)
        raise
    record.end("KILLED" if ended == "interrupted" else "FINISHED")
    return result


def _require_same(book: Book, wanted: Recipe) -> None:
    """Only how far the sweep goes may differ from how it began."""
    before, now = (dict(flattened(recipe.model_dump(mode="json"))) for recipe in (book.recipe, wanted))
    differing = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    differing = [key for key in differing if key not in _BUDGET]
    if differing:
        said = ", ".join(f"{key} is {before.get(key)!r} there and {now.get(key)!r} here" for key in differing[:3])
        raise ArgumentError(
            f"the sweep {book.record.run_id} is of another recipe: {said}{', ...' if len(differing) > 3 else ''}. Resume it with "
            f"its own (leave RECIPE out), or begin a new sweep. Only {' and '.join(_BUDGET)} may be changed"
        )


def check_data(recipe: Recipe, data: pd.DataFrame | None) -> None:
    """Opens the data for the outermost values of the keys that change it: windows that do not fit are told now."""
    section = section_of(recipe)
    outer = {
        knob.key: list(knob.values) or [knob.low, knob.high]
        for knob in knobs(section)
        if knob.key.startswith("data.") and not knob.when
    }
    # Each outer value beside the recipe's own, and the largest ones together: the longest windows.
    corners = [{key: value} for key, values in outer.items() for value in values]
    corners += [{key: values[-1] for key, values in outer.items()}] if len(outer) > 1 else []
    for corner in corners:
        try:
            own = trial_recipe(recipe, corner)
        except RecipeError:  # valid beside other values of other keys; those trials are checked when they begin
            continue
        try:
            job = open_job(own, data)
            if section.folds:
                job.folds(section.folds)
        except DataError as error:
            raise DataError(f"with {in_words(corner)} of the sweep's space: {error}") from None
