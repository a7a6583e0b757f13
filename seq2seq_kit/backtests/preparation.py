"""Before a backtest begins: its recipe and rows, whether every origin can be fitted, and what it costs."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.backtests.frame import unique_id
from seq2seq_kit.backtests.past import open_past, past_recipe, require_forecast
from seq2seq_kit.backtests.rows import Rows
from seq2seq_kit.backtests.schedule import Schedule
from seq2seq_kit.backtests.status import BacktestReporter
from seq2seq_kit.backtests.worker import run_fit
from seq2seq_kit.bundles.base import rows_given
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.evaluation import naive_error
from seq2seq_kit.executing.executor import Executor, LocalExecutor, default_workers
from seq2seq_kit.quiet import load_tensorflow
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.loading import Overrides
from seq2seq_kit.reports.notes import count_of
from seq2seq_kit.tasks import load_recipe, open_job, spec_of
from seq2seq_kit.tasks.digest import digest_of
from seq2seq_kit.tasks.windows import WindowJob
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.validation import resolve

if TYPE_CHECKING:
    from seq2seq_kit.data.sources.given import Given

_TOO_FEW = ("too_few_rows", "series_too_short", "calibration_too_small", "no_season", "missing_cells")
_RECIPES = (".yaml", ".yml")


@dataclass(frozen=True)
class Setup:
    """What a backtest needs beside its runs.

    Attributes:
        rows: With the origins.
        source: The table as it was read, for MLflow.
        digest: Of the columns that the recipe uses.
        past: The recipe of the fits. `skipped`: see `past_recipe`.
        scale: What errors of each `unique_id` are divided by where there are several, from the rows before the first origin.
        executor: Where fits run.
        reporter: Is told how it goes.
    """

    rows: Rows
    source: pd.DataFrame
    digest: str
    past: Recipe
    skipped: int
    scale: dict[str, float]
    executor: Executor
    reporter: BacktestReporter


def given_recipe(
    given: str | Path | Mapping[str, object] | Recipe, overrides: Overrides, tracking_uri: str | None
) -> Recipe:
    """A recipe in whatever form, or that of a run or a bundle's folder; with its name written out and without a sweep.

    Raises:
        RecipeError: It has problems.
        TrackingError: No such run.
    """
    if isinstance(given, str | Path) and not str(given).lower().endswith(_RECIPES) and not os.path.isfile(given):  # noqa: PTH113 (as below)
        given = _recipe_of_run(given, tracking_uri)
    recipe = resolve(given, overrides)
    return recipe.model_copy(update={"name": recipe.name or recipe.task, "sweep": None})


def _recipe_of_run(run: str | Path, tracking_uri: str | None) -> Recipe:
    if os.path.isdir(run):  # noqa: PTH112 (a Path raises where no folder can have the name)
        return load_recipe(Path(run) / "recipe.yaml")
    tracking = open_tracking(tracking_uri, create=False)
    with tempfile.TemporaryDirectory() as folder:
        bundle = tracking.fetch(str(run), "bundle", Path(folder))
        return load_recipe(bundle / "recipe.yaml")


def prepare(
    recipe: Recipe,
    schedule: Schedule,
    fits: Sequence[range],
    data: Given | None,
    workers: int | None,
    reporter: BacktestReporter,
) -> Setup:
    """Opens and checks the data, tells the cost; `fits` are those that are still to be made, other arguments as in `backtest`.

    Raises:
        ArgumentError: Fewer than one worker; the recipe is no forecast or cannot be fitted anew; more origins than rows.
        DataError: The data does not fit the recipe.
    """
    require_forecast(recipe)
    count = default_workers() if workers is None else workers
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"a backtest needs at least one worker. Received: {workers!r}", code="invalid_argument")
    rows_at_hand = None if data is None else rows_given(recipe, data)
    job = open_job(recipe.model_copy(update={"detect": None}), rows_at_hand)
    assert isinstance(job, WindowJob)
    for finding in job.check():
        reporter.find(finding)
    rows, (past, skipped) = Rows.of(job.prepared, schedule), past_recipe(recipe, schedule)
    first = first_past(past, rows, schedule)
    count = max(1, min(count, len(fits)))  # a resumed one may only lack its conclusion
    executor = LocalExecutor(count, run=run_fit, smaller="Choose a smaller model or training.batch_size")
    reporter.say(_cost(past, rows, schedule, fits, count))
    assert isinstance(job.source, pd.DataFrame)
    return Setup(
        rows=rows,
        source=job.source,
        digest=digest_of(job.source, job.columns),
        past=past,
        skipped=skipped,
        scale=scale_of(first, rows),
        executor=executor,
        reporter=reporter,
    )


def first_past(past: Recipe, rows: Rows, schedule: Schedule, *, asked: str = "--{}") -> WindowJob:
    """The job at the first origin, which knows the fewest rows.

    Args:
        past: Of `past_recipe`.
        rows: With the origins.
        schedule: Of them.
        asked: How its values are named where they were given.

    Raises:
        ArgumentError: They are too few; the message says how many origins fit.
    """
    try:
        return open_past(past, _some(rows, schedule, 1))
    except DataError as error:
        if error.code not in _TOO_FEW:
            raise
        told = error
    low, high = (
        1,
        schedule.windows,
    )  # `high` can be fitted, if any can; of the origins before it all that are not known to fail
    try:
        open_past(past, _some(rows, schedule, high))
    except DataError as error:
        if error.code not in _TOO_FEW:
            raise
        fits = 0
    else:
        while high - low > 1:
            middle = (low + high) // 2
            try:
                open_past(past, _some(rows, schedule, middle))
                high = middle
            except DataError:
                low = middle
        fits = schedule.windows - high + 1
    reach = "1 origin fits" if fits == 1 else f"{fits} origins fit"
    cure = f"Use {asked.format('windows')} {fits}" if fits else "Use more rows"
    rolling = f", a longer {asked.format('rolling')}" if schedule.rolling is not None else ""
    raise ArgumentError(
        f"{schedule.describe()}: the rows before the first origin are too few to fit the recipe; {reach}. Before it: {told}. "
        f"{cure}, a smaller {asked.format('stride')} or {asked.format('gap')}{rolling}, fewer input_steps, or a smaller part in "
        "data.split",
        code="too_many_origins",
    )


def _some(rows: Rows, schedule: Schedule, origin: int) -> pd.DataFrame:
    """The rows before an origin; a `DataError` where there are none."""
    found = rows.before(origin)
    if found.empty:
        longest = int(np.diff(rows.bounds).max())
        said = (
            f"the longest series has {longest:,} rows, of which the origins and the forecasts take "
            f"{(schedule.windows - origin) * schedule.stride + rows.ahead:,}"
        )
        raise DataError(said, code="too_few_rows")
    return found


def _cost(past: Recipe, rows: Rows, schedule: Schedule, fits: Sequence[range], workers: int) -> str:
    """How many fits, and about how long, in words."""
    said = f"{schedule.describe()}: {count_of(len(fits), 'fit')}"
    if not spec_of(past).trains or not fits:
        return f"{said}; nothing is trained"
    load_tensorflow()
    from seq2seq_kit.tasks.estimated_time import seconds_of

    last = fits[-1][0]
    job = open_past(past, rows.before(last))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        longest = seconds_of(job, job.make())
    known = [float(np.subtract(*rows.edges[origins[0] - 1].T[::-1]).sum()) for origins in fits]
    seconds = longest * sum(known) / known[-1] / workers
    took = f"{seconds / 60:.1f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"
    together = "" if workers == 1 else f", {workers} at a time"
    return f"{said}{together}; training takes about {took} (an upper estimate), starting a fit and its baselines a little more"


def scale_of(first: WindowJob, rows: Rows) -> dict[str, float]:
    """MASE's denominator of each `unique_id` before the first origin; of one without, its actual values' deviation, or 1."""
    naive, series = naive_error(first.prepared), first.series
    several, found = len(rows.targets) > 1, dict[str, float]()
    places = {name: place for place, name in enumerate(series)}
    for name, first, end in zip(rows.series, rows.bounds[:-1], rows.bounds[1:], strict=True):
        for k, target in enumerate(rows.targets):
            own = naive[places[name], k] if name in places else np.nan
            spread = float(rows.frame[target].iloc[first:end].std())
            known = [each for each in (own, spread, 1.0) if np.isfinite(each) and each > 0]
            found[unique_id(name, target, several=several)] = float(known[0])
    return found
