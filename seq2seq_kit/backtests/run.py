"""A backtest from recipe to record: checks, cost, fits, tables, figures, MLflow. What the command line calls."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_kit.backtests.conclusion import conclude_backtest
from seq2seq_kit.backtests.preparation import Setup, given_recipe, prepare
from seq2seq_kit.backtests.result import BacktestResult
from seq2seq_kit.backtests.running import Fits
from seq2seq_kit.backtests.schedule import Refit, Schedule
from seq2seq_kit.backtests.status import BacktestReporter, Silent
from seq2seq_kit.backtests.store import BacktestStore
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.loading import Overrides
from seq2seq_kit.runs import close, first_tags
from seq2seq_kit.tasks.rows import data_name
from seq2seq_kit.tracking.client import impatient, open_tracking
from seq2seq_kit.tracking.store import local_store
from seq2seq_kit.training.interrupt import noticing_ctrl_c

if TYPE_CHECKING:
    from seq2seq_kit.data.sources.given import Given


def backtest(
    recipe: str | Path | Mapping[str, object] | Recipe | None = None,
    *,
    windows: int = 20,
    stride: int | None = None,
    refit: Refit = 5,
    rolling: int | None = None,
    gap: int = 0,
    overrides: Overrides = (),
    data: Given | None = None,
    workers: int | None = None,
    resume: str | None = None,
    tracking_uri: str | None = None,
    reporter: BacktestReporter | None = None,
) -> BacktestResult:
    """How a recipe would have done at past moments: at each origin only the rows before it are known.

    Args:
        recipe: A YAML file, the same as nested mappings, a recipe read before; or the id of a run or a bundle's folder, whose
            resolved recipe it is.
        windows: Number of origins, the last one so that its forecast ends with the rows; counted from each series' own end.
        stride: Rows from one origin to the next; default: the recipe's `output_steps`.
        refit: `always`, `never`, or how many origins lie between two fits. All that is fitted is fitted again, or stays as it is.
        rolling: Fit on the newest so many rows before an origin; default: on all of them (expanding).
        gap: Rows before the first forecast row of which nothing is known yet, on top of the recipe's own `gap_steps`.
        overrides: Dotted keys that replace the recipe's.
        data: Rows instead of the recipe's `data.source`.
        workers: Fits at a time, each in a process of its own with one computing thread; default: the cores at hand.
        resume: Id of a backtest that was cut short: only what it lacks is run. Takes recipe and origins from there.
        tracking_uri: As in `train`.
        reporter: Is told how it goes.

    Returns:
        The result; after Ctrl-C with the origins that are finished, and `ended` is `interrupted`.

    Raises:
        ArgumentError: An argument lies outside its range, there are more origins than rows, the recipe is no forecast or cannot
            be fitted anew, or the run is no backtest.
        RecipeError: The recipe has problems; all are listed.
        DataError: The data does not fit the recipe.
        TrainingError: No fit has ended, or one met a bug.
        TrackingError: The store is locked or unreachable, or has no such run.
    """
    began = time.perf_counter()
    local_store(tracking_uri)  # a place that cannot be used is told before the data is read
    reporter = reporter or Silent()
    if resume is not None:
        if recipe is not None or overrides:
            said = "resume takes the recipe and the origins from the run. Leave the recipe and its overrides out"
            raise ArgumentError(said, code="invalid_argument")
        tracking = open_tracking(tracking_uri, create=False, write=True)
        store = BacktestStore.open(tracking, resume)
        if not store.missing and store.finished:
            said = f"the backtest {store.record.run_id} has all of its origins. Begin a new one for others"
            raise ArgumentError(said, code="backtest_complete")
        setup = prepare(store.recipe, store.schedule, store.missing, data, workers, reporter)
        if setup.digest != store.digest:
            raise ArgumentError(
                f"the data has changed since the backtest {store.record.run_id} began, so its origins could not be compared with "
                "new ones. Restore the rows, or begin a new backtest",
                code="data_changed",
            )
        store.reopen()
        return _conduct(store, setup, began)
    if recipe is None:
        raise ArgumentError("name a recipe or a run, or a backtest to resume", code="invalid_argument")
    wanted = given_recipe(recipe, overrides, tracking_uri)
    schedule = Schedule.of(
        windows, getattr(wanted.data, "output_steps", None) or 1 if stride is None else stride, refit, rolling, gap
    )
    setup = prepare(wanted, schedule, schedule.fits, data, workers, reporter)
    tracking = open_tracking(tracking_uri, say=reporter.say)
    tags = first_tags(wanted) | {"mlflow.source.name": "seq2seq-kit backtest"}
    store = BacktestStore.begin(tracking, wanted, schedule, digest=setup.digest, tags=tags)
    try:
        source = wanted.source or "a DataFrame"
        store.record.dataset(setup.source, source=source, name=data_name(wanted), digest=setup.digest)
    except BaseException as error:
        close(store.record, "FAILED", error)
        raise
    return _conduct(store, setup, began)


def _conduct(store: BacktestStore, setup: Setup, began: float) -> BacktestResult:
    interrupted = threading.Event()
    try:
        with (
            impatient(),
            tempfile.TemporaryDirectory(prefix="seq2seq-kit-backtest-") as scratch,
            noticing_ctrl_c(interrupted),
        ):
            fits = Fits(
                store=store,
                rows=setup.rows,
                recipe=setup.past,
                skipped=setup.skipped,
                scale=setup.scale,
                executor=setup.executor,
                reporter=setup.reporter,
                folder=Path(scratch),
                interrupted=interrupted,
            )
            ended = fits.run()
        result = conclude_backtest(store, setup, ended, fits.failed, seconds=lambda: time.perf_counter() - began)
    except BaseException as error:
        setup.executor.close()
        close(store.record, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", error)
        raise
    store.end("KILLED" if ended == "interrupted" else "FINISHED")
    return result
