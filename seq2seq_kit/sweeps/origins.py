"""Trials that are judged by a backtest in place of folds: by their forecasts at past moments, all before the test part."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pandas as pd

from seq2seq_kit.backtests.frame import assemble
from seq2seq_kit.backtests.past import fit_past, past_recipe, require_forecast
from seq2seq_kit.backtests.preparation import first_past, scale_of
from seq2seq_kit.backtests.rows import Rows
from seq2seq_kit.backtests.schedule import Schedule
from seq2seq_kit.backtests.scores import Scores
from seq2seq_kit.backtests.worker import forecast_from
from seq2seq_kit.errors import TrainingError
from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.executing.process import Outcome, PipeObserver, largest_resident_set
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.sweep import Sweep
from seq2seq_kit.reports.notes import count_of
from seq2seq_kit.tasks.job import Job
from seq2seq_kit.tasks.windows import WindowJob

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


@dataclass(frozen=True)
class Origins:
    """How trials are judged by a backtest, the same for all of them.

    Attributes:
        schedule: Its origins and fits.
        metric: The error of the forecasts.
        scale: What errors of each `unique_id` are divided by, where there are several; of the recipe as it stands.
    """

    schedule: Schedule
    metric: Literal["rmse", "mae"]
    scale: dict[str, float]


def origins_of(job: Job, section: Sweep) -> Origins | None:
    """The origins at which trials are judged; None of a sweep that judges them otherwise.

    Args:
        job: Of the recipe as it stands, or of one of the space.
        section: The sweep.

    Raises:
        ArgumentError: There are more origins than rows before the test part; the recipe cannot be fitted anew.
        DataError: The rows before the first origin do not fit the recipe.
        RecipeError: Its rows stay on disk.
    """
    asked = section.backtest
    if asked is None:
        return None
    require_forecast(job.recipe)
    assert isinstance(job, WindowJob)
    stride = asked.stride or int(getattr(job.recipe.data, "output_steps", None) or 1)
    schedule = Schedule.of(asked.windows, stride, asked.refit, asked.rolling, asked.gap)
    rows = Rows.of(job.prepared, schedule, before_test=True)
    first = first_past(_past(job.recipe, schedule)[0], rows, schedule, asked="sweep.backtest.{}")
    return Origins(schedule, asked.metric, scale_of(first, rows))


def cost_of(section: Sweep, origins: Origins) -> str:
    """How many fits a trial takes, and all of them, in words."""
    fits = len(origins.schedule.fits)
    most = f", {section.trials} trials at most {count_of(fits * section.trials, 'fit')}" if section.trials else ""
    said = f"each trial is judged by a backtest before the test rows, {origins.schedule.describe()}"
    return f"{said}: {count_of(fits, 'fit')} a trial{most}"


def judge_at_origins(job: Job, origins: Origins, pipe: Connection) -> Outcome:
    """Fits a trial's recipe at its origins and forecasts there; no model is kept.

    Raises:
        TrainingError: At an origin it has no forecast, so that its error could not be compared.
    """
    began = time.perf_counter()
    assert isinstance(job, WindowJob)
    schedule, notes, fits, found = origins.schedule, list[str](), [], dict[int, pd.DataFrame]()
    recipe, skipped = _past(job.recipe, schedule)
    rows = Rows.of(job.prepared, schedule, before_test=True)
    for number, own in enumerate(schedule.fits, start=1):
        known = rows.until(own)
        observer = PipeObserver(pipe, number, len(schedule.fits))
        bundle, fitted = fit_past(recipe, known.before(own[0]), [observer], peers=False)
        forecasts = [forecast_from(bundle, known, origin, skipped, notes) for origin in own]
        found[own[0]] = pd.concat(forecasts, ignore_index=True)
        fits.append(fitted)
    frame = assemble(rows, schedule, found)
    missing = sorted(set(range(1, schedule.windows + 1)) - set(frame["origin"]))
    if missing:
        why = f": {notes[0]}" if notes else ""
        said = f"at origin {missing[0]} of {schedule.windows} it has no forecast of a known value"
        raise TrainingError(f"{said}, so its error could not be compared with other trials'{why}", code="no_forecast")
    scores = Scores(frame, origins.scale)
    by_origin = scores.errors(["origin"], origins.metric)[MODEL].sort_index()
    return Outcome(
        score=float(scores.errors([], origins.metric)[MODEL].iloc[0]),
        best_epoch=fits[-1].best_epoch,
        fits=fits,
        seconds=time.perf_counter() - began,
        memory=largest_resident_set(),
        folds=tuple(float(error) for error in by_origin),
        cells=int(math.fsum(frame[MODEL].notna())),
    )


def _past(recipe: Recipe, schedule: Schedule) -> tuple[Recipe, int]:
    """See `past_recipe`; of an ensemble one model, as every trial trains one."""
    return past_recipe(recipe.model_copy(update={"ensemble": None}), schedule)
