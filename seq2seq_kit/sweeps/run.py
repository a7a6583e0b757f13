"""A sweep from recipe to record: checks, search, the winner's evaluation, figures, MLflow. What the command line calls."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_kit.errors import ArgumentError, SweepError
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.loading import Overrides, warn_of_searched
from seq2seq_kit.recipe.sweep import knobs
from seq2seq_kit.recipe.sweep_space import check_space, default_values, section_of, trial_recipe
from seq2seq_kit.reports.notes import count_of
from seq2seq_kit.runs import close
from seq2seq_kit.sweeps.conclusion import SweepResult, conclude_sweep, reasons
from seq2seq_kit.sweeps.preparation import Place, Setup, prepare
from seq2seq_kit.sweeps.reopen import claim, open_trial_store, require_more_trials, require_same_recipe
from seq2seq_kit.sweeps.search import Search
from seq2seq_kit.sweeps.status import SweepReporter
from seq2seq_kit.sweeps.trial_store import TrialStore
from seq2seq_kit.sweeps.trials import Trial, best_of
from seq2seq_kit.sweeps.tuner_process import TunerProcess
from seq2seq_kit.tasks.model_memory import require_room_for_space
from seq2seq_kit.tasks.rows import data_name
from seq2seq_kit.tracking.client import impatient, open_tracking
from seq2seq_kit.tracking.naming import first_tags
from seq2seq_kit.tracking.store import local_store
from seq2seq_kit.training.interrupt import noticing_ctrl_c
from seq2seq_kit.validation import resolve

if TYPE_CHECKING:
    from seq2seq_kit.data.sources.given import Given


def sweep(
    recipe: str | Path | Mapping[str, object] | Recipe,
    *,
    overrides: Overrides = (),
    data: Given | None = None,
    workers: int | None = None,
    executor: str | None = None,
    address: str | None = None,
    tracking_uri: str | None = None,
    reporter: SweepReporter | None = None,
) -> SweepResult:
    """Searches the recipe's `sweep.space` and leaves a tree of runs in MLflow.

    Args:
        recipe: A YAML file, the same as nested mappings, or a recipe read before; with a `sweep` section.
        overrides: Dotted keys that replace the recipe's.
        data: Rows to train on instead of the recipe's `data.source`.
        workers: Trials at a time, each in a process of its own with one computing thread; default: the cores at hand.
        executor: Where they run, `local` or `ray`; default: as `sweep.executor` says.
        address: `HOST:PORT` of the Ray cluster; default: one of this machine for the time of the sweep.
        tracking_uri: As in `train`.
        reporter: Is told how the sweep goes; default: in a notebook a line that is written over, else nobody.

    Raises:
        RecipeError: The recipe has problems, it has no `sweep` section, or its space holds recipes that are not valid.
        DataError: The data does not fit the recipe, or does not fit what the space can make of it.
        SweepError: No trial has finished, one met a bug, or KerasTuner is not supported.
        TrackingError: The store is locked or unreachable.
    """
    local_store(tracking_uri)  # a place that cannot be used is told before the data is read
    recipe = resolve(recipe, overrides)
    recipe = recipe.model_copy(update={"name": recipe.name or recipe.task})
    section = section_of(recipe)
    warn_of_searched(recipe, overrides)
    check_space(recipe)
    require_room_for_space(recipe)
    setup = prepare(recipe, data, Place(workers, executor, address), reporter)
    tracking = open_tracking(tracking_uri, say=setup.reporter.say)
    tags = first_tags(recipe) | {"mlflow.source.name": "seq2seq-kit sweep"}
    store = TrialStore.begin(tracking, recipe, default_values(recipe, knobs(section)), digest=setup.digest, tags=tags)
    try:
        source = recipe.source or "a DataFrame"
        store.record.dataset(setup.job.source, source=source, name=data_name(recipe), digest=setup.digest)
    except BaseException as error:
        close(store.record, "FAILED", error)
        raise
    return _conduct(store, setup)


def resume_sweep(
    run: str,
    *,
    recipe: str | Path | Mapping[str, object] | Recipe | None = None,
    overrides: Overrides = (),
    data: Given | None = None,
    workers: int | None = None,
    executor: str | None = None,
    address: str | None = None,
    tracking_uri: str | None = None,
    reporter: SweepReporter | None = None,
) -> SweepResult:
    """Resumes a sweep that was interrupted, killed, or is to have more trials.

    Finished trials stay as they are, those that were running run again, and the tuner is told of all of them.

    Args:
        run: Id of the sweep's run, or its beginning.
        recipe: If given, must be the sweep's own; only `sweep.max_trials` and `sweep.max_minutes` may differ.
        overrides: As in `sweep`; for a recipe that is not given, of the sweep's own.
        data: The rows of a sweep that was given rows.
        workers: As in `sweep`, may differ from before; so may `executor` and `address`.
        executor: As in `sweep`.
        address: Likewise.
        tracking_uri: As in `train`.
        reporter: Is told how the sweep goes; default: in a notebook a line that is written over, else nobody.

    Raises:
        ArgumentError: The run is not a sweep, has another recipe or data that has changed, or has nothing left to do.
        SweepError: It is still running.
        TrackingError: No such run.
    """
    tracking = open_tracking(tracking_uri, create=False, write=True)
    store = open_trial_store(tracking, run)
    wanted = resolve(recipe if recipe is not None else store.recipe, overrides)
    wanted = wanted.model_copy(update={"name": wanted.name or wanted.task})
    require_same_recipe(store, wanted)
    check_space(wanted)
    require_more_trials(store, wanted)
    setup = prepare(wanted, data, Place(workers, executor, address), reporter)
    if setup.digest != store.digest:
        raise ArgumentError(
            f"the data of the sweep {store.record.run_id} has changed since it began, so its trials could not be compared "
            "with new ones. Restore the rows, or begin a new sweep",
            code="sweep_data_changed",
        )
    claim(store)
    try:
        store = open_trial_store(tracking, store.record.run_id)  # what another process wrote while this one setup
        require_more_trials(store, wanted)
        store.keep(wanted)
    except BaseException as error:
        close(store.record, "FAILED", error)
        raise
    return _conduct(store, setup)


@dataclass(frozen=True)
class BestRecipe:
    """The recipe of a sweep's best trial.

    Attributes:
        recipe: Ready to train, without the sweep section.
        trial: The trial.
        said: Its origin, in a line.
    """

    recipe: Recipe
    trial: Trial
    said: str

    @property
    def text(self) -> str:
        """The recipe as YAML."""
        return f"# {self.said}\n{dump_recipe(self.recipe)}"


def best_recipe(run: str, *, out: str | Path | None = None, tracking_uri: str | None = None) -> BestRecipe:
    """The recipe of the best trial of a sweep, also of one that is still running or was killed.

    Args:
        run: Id of the sweep's run, or its beginning.
        out: A file to write it to, which `train` accepts.
        tracking_uri: As in `train`.

    Raises:
        ArgumentError: The run is not a sweep, or `out` cannot be written.
        SweepError: None of its trials has finished.
        TrackingError: No such run.
    """
    store = open_trial_store(open_tracking(tracking_uri, create=False), run)
    best = best_of(store.trials, section_of(store.recipe).direction)
    if best is None:
        text = f"no trial of the sweep {store.record.run_id} has finished{reasons(store.trials)}"
        raise SweepError(text, code="no_finished_trial")
    finished = count_of(sum(trial.state == "finished" for trial in store.trials), "finished trial")
    said = f"trial {best.number}, the best of {finished} of the sweep {store.record.run_id}: {best.score:.6g} at epoch"
    found = BestRecipe(trial_recipe(store.recipe, best.values), best, f"{said} {best.best_epoch}")
    if out is not None:
        try:
            Path(out).write_text(found.text, encoding="utf-8")
        except OSError as error:
            raise ArgumentError(
                f"could not write {out}: {error}. Choose another --out", code="unwritable_file"
            ) from None
    return found


def _conduct(store: TrialStore, setup: Setup) -> SweepResult:
    recipe, section = store.recipe, section_of(store.recipe)
    record = store.record
    interrupted = threading.Event()
    try:
        tuner = TunerProcess(
            section,
            knobs(section),
            seed=section.seed if section.seed is not None else recipe.seed,
            epochs=recipe.training.epochs,
            known=store.defaults,
        )
        with (
            impatient(),  # the sweep waits for a store by itself, and hears its trials meanwhile
            closing(tuner),
            tempfile.TemporaryDirectory(prefix="seq2seq-kit-sweep-") as scratch,
            noticing_ctrl_c(interrupted),
        ):
            ended = Search(store, tuner, setup, folder=Path(scratch), interrupted=interrupted).run()
        result = conclude_sweep(store, setup, ended)
    except BaseException as error:
        setup.executor.close()
        close(record, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", error)
        raise
    record.end("KILLED" if ended == "interrupted" else "FINISHED")
    return result
