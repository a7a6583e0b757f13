"""Before a sweep begins: its data opened and checked, its executor made."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import pandas as pd

from seq2seq_kit.bundles.base import rows_given
from seq2seq_kit.data.sources.given import Given
from seq2seq_kit.errors import ArgumentError, DataError, RecipeError
from seq2seq_kit.executing.executor import Executor, LocalExecutor, cores, default_workers
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.sweep import Sweep, knobs
from seq2seq_kit.recipe.sweep_space import in_words, section_of, trial_recipe
from seq2seq_kit.sweeps.in_notebook import reporter_at_hand
from seq2seq_kit.sweeps.origins import Origins, cost_of, origins_of
from seq2seq_kit.sweeps.status import SweepReporter
from seq2seq_kit.sweeps.trial_process import run_trial
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.beginning import require_brought
from seq2seq_kit.tasks.digest import digest_of
from seq2seq_kit.tasks.job import Job


@dataclass(frozen=True)
class Setup:
    """What a sweep needs beside its trial store.

    Attributes:
        job: The recipe as it stands, with its data.
        data: Rows instead of the recipe's `data.source`.
        digest: Of the data's columns that the recipe uses.
        findings: On the data.
        origins: At which a backtest judges trials, if it does.
        executor: Where trials run.
        reporter: Is told how the sweep goes.
        began: `time.perf_counter()` at the beginning of everything.
    """

    job: Job
    data: pd.DataFrame | None
    digest: str
    findings: list[Finding]
    origins: Origins | None
    executor: Executor
    reporter: SweepReporter
    began: float


@dataclass(frozen=True)
class Place:
    """Where the trials of a sweep run.

    Attributes:
        workers: Trials at a time; None: as many as there are cores, or CPUs of the cluster.
        executor: `local` or `ray`; None: as the recipe says.
        address: `HOST:PORT` of a Ray cluster that runs already.
    """

    workers: int | None = None
    executor: str | None = None
    address: str | None = None

    def open(self, section: Sweep, say: Callable[[str], None]) -> Executor:
        """An executor for trials.

        Raises:
            ArgumentError: Fewer than one worker, more than the cluster's CPUs, or no such executor.
            SweepError: The cluster cannot be reached.
        """
        kind = self.executor or section.executor
        if kind not in get_args(Sweep.model_fields["executor"].annotation):
            said = f"the executor of a sweep is local or ray. Received: {kind!r}"
            raise ArgumentError(said, code="invalid_argument")
        if self.address is not None and kind != "ray":
            said = f"--address is of a Ray cluster. Add --executor ray, or leave it out. Received: {self.address!r}"
            raise ArgumentError(said, code="invalid_argument")
        count = self.workers if self.workers is not None else default_workers()
        if count < 1:
            raise ArgumentError(f"a sweep needs at least one worker. Received: {count}", code="invalid_argument")
        smaller = "Search smaller values"
        if kind == "ray":
            from seq2seq_kit.executing.ray_executor import RayExecutor

            minutes, given = section.trial_minutes, self.workers
            return RayExecutor(
                given, default=count, address=self.address, run=run_trial, smaller=smaller, minutes=minutes, say=say
            )
        if self.workers is None and count < cores():
            say(f"{count} trials at a time on {cores()} cores, because memory is short")
        return LocalExecutor(count, run=run_trial, smaller=smaller, minutes=section.trial_minutes)


def prepare(recipe: Recipe, data: Given | None, place: Place, reporter: SweepReporter | None) -> Setup:
    """Opens and checks the data; arguments as in `sweep`.

    Raises:
        ArgumentError: See `Place.open`; more origins of a backtest than rows.
        DataError: The data does not fit the recipe, or does not fit a recipe of the space.
        SweepError: See `Place.open`.
    """
    began = time.perf_counter()
    section, reporter = section_of(recipe), reporter or reporter_at_hand()
    if recipe.ensemble:
        members = recipe.ensemble.members
        reporter.say(
            f"each trial trains one model; the winner's recipe is trained as an ensemble of {members} at the end"
        )
    executor = place.open(section, reporter.say)
    rows = None if data is None else rows_given(recipe, data)  # each trial is given them
    job = open_job(trial_recipe(recipe, {}), rows)
    require_brought(job)
    if section.folds:
        job.folds(section.folds)  # too few rows are an error now
    origins = origins_of(job, section)
    check_data(recipe, rows)
    findings = job.check()
    for finding in findings:
        reporter.find(finding)
    if origins:
        reporter.say(cost_of(section, origins))
    return Setup(job, rows, digest_of(job.source, job.columns), findings, origins, executor, reporter, began)


def check_data(recipe: Recipe, data: pd.DataFrame | None) -> None:
    """Opens the data for the outermost values of the keys that change it: windows that do not fit are an error now."""
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
            origins_of(job, section)
        except (ArgumentError, DataError) as error:
            raise type(error)(f"with {in_words(corner)} of the sweep's space: {error}", code=error.code) from None
