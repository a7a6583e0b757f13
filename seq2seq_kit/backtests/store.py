"""A backtest in MLflow: a run for all of it, below it one for each origin, which is all that is needed to resume it.

A fit has ended when the run of its origin says so; that tag is written last, behind the forecasts and the runs of the other
origins that they are for.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from seq2seq_kit.backtests.schedule import Schedule
from seq2seq_kit.backtests.worker import FACTS, FORECASTS
from seq2seq_kit.errors import ArgumentError, TrackingError
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.tasks import load_recipe
from seq2seq_kit.tracking.client import RunRecord, Tracking
from seq2seq_kit.tracking.naming import experiment_of, params_of
from seq2seq_kit.tracking.resuming import BACKTEST, RESUME
from seq2seq_kit.training.fit import Epoch

if TYPE_CHECKING:
    from seq2seq_kit.executing.process import Outcome

RECIPE = "backtest.yaml"
_ORIGIN, _STATE, _SCHEDULE, _DIGEST = (f"backtest.{name}" for name in ("origin", "state", "schedule", "data_sha256"))


class BacktestStore:
    """The runs of one backtest.

    Attributes:
        record: The run of all of it.
        recipe: As it was given.
        schedule: Its origins.
        digest: Of the data that it began with.
        children: Runs of the origins, by number.
        fits: Forecasts of the fits that have ended, by the origin of the fit.
        facts: Likewise what is known of them: notes, seconds, epochs.
        finished: Whether it had ended with its conclusion when it was opened.
    """

    def __init__(self, tracking: Tracking, record: RunRecord, recipe: Recipe, schedule: Schedule, digest: str) -> None:
        self.tracking, self.record, self.recipe, self.schedule, self.digest = tracking, record, recipe, schedule, digest
        self.children: dict[int, RunRecord] = {}
        self.fits: dict[int, pd.DataFrame] = {}
        self.facts: dict[int, dict[str, object]] = {}
        self.finished = False

    @classmethod
    def begin(
        cls, tracking: Tracking, recipe: Recipe, schedule: Schedule, *, digest: str, tags: Mapping[str, str]
    ) -> BacktestStore:
        """Starts the run."""
        own = {BACKTEST: "backtest", _SCHEDULE: json.dumps(schedule.to_json()), _DIGEST: digest}
        name = f"backtest {schedule.windows} x {schedule.stride}"
        record = tracking.start(experiment_of(recipe), name=name, tags={**tags, **own})
        record.tags({RESUME: f"seq2seq-kit backtest --resume {record.run_id}"})
        record.params(params_of(recipe) | {"backtest": schedule.to_json()})
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / RECIPE).write_text(dump_recipe(recipe), encoding="utf-8")
            record.files(Path(folder))
        return cls(tracking, record, recipe, schedule, digest)

    @classmethod
    def open(cls, tracking: Tracking, run: str) -> BacktestStore:
        """The backtest of a run, with the fits that have ended.

        Raises:
            TrackingError: No such run, or another process of this machine works on it.
            ArgumentError: The run is no backtest.
        """
        record, tags = tracking.reopen(run)
        if tags.get(BACKTEST) != "backtest":
            parent = tags.get("mlflow.parentRunId")
            hint = f" It is an origin of the backtest {parent}" if tags.get(BACKTEST) else ""
            raise ArgumentError(
                f"the run {record.run_id} is no backtest.{hint} `seq2seq-kit list runs` lists the runs",
                code="not_a_backtest",
            )
        cls._refuse_running(record)
        with tempfile.TemporaryDirectory() as folder:
            recipe = load_recipe(tracking.fetch(record.run_id, RECIPE, Path(folder)))
        store = cls(tracking, record, recipe, Schedule.from_json(json.loads(tags[_SCHEDULE])), tags[_DIGEST])
        store.finished = record.status() == "FINISHED"
        for child, own in tracking.children(record):
            store.children[int(own[_ORIGIN])] = child
            if own.get(_STATE) == "fitted":
                store._read(int(own[_ORIGIN]), child)
        return store

    def reopen(self) -> None:
        """The backtest goes on in this process.

        Raises:
            TrackingError: Another process of this machine has begun to work on it.
        """
        with self.tracking.lock():
            self._refuse_running(self.record)
            self.record.untag(["error"] if "error" in self.tracking.reopen(self.record.run_id)[1] else [])
            self.record.open()

    @staticmethod
    def _refuse_running(record: RunRecord) -> None:
        if record.status() == "RUNNING":  # dead ones were closed when the store was opened
            raise TrackingError(
                f"the backtest {record.run_id} is still running. Wait for it, or end it with Ctrl-C",
                code="backtest_running",
            )

    def start(self, origin: int, cutoff: str) -> RunRecord:
        """The run of an origin, whose forecasts are under way."""
        if origin in self.children:
            record = self.children[origin]
            record.open()
            record.logged = {member: record.epochs(member) for member in range(members_of(self.recipe) + 1)}
            return record
        tags = {BACKTEST: "origin", _ORIGIN: str(origin), "cutoff": cutoff}
        tags |= {"backtest.fit": str(self.schedule.fit_of(origin)), "backtest.age": str(self.schedule.age_of(origin))}
        name = f"{origin}: {cutoff}"
        self.children[origin] = self.tracking.start(
            experiment_of(self.recipe), name=name, tags=tags, parent=self.record.run_id
        )
        return self.children[origin]

    def epoch(self, origin: int, epoch: Epoch) -> None:
        """An epoch of a fit."""
        self.children[origin].on_epoch(epoch)

    def finish(
        self,
        origin: int,
        outcome: Outcome,
        folder: Path,
        figures: Mapping[int, Mapping[str, float]],
        cutoffs: Mapping[int, str],
    ) -> None:
        """A fit has ended.

        Args:
            origin: Where it was made.
            outcome: Of its process.
            folder: With its forecasts.
            figures: Metrics of each origin that it is for.
            cutoffs: Their newest known rows, in words.
        """
        fitted = outcome.fits[0]
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        facts |= {"seconds": outcome.seconds, "best_epoch": outcome.best_epoch, "epochs": len(fitted.history)}
        facts |= {"val_loss": outcome.score if outcome.best_epoch else None, "memory": outcome.memory}
        (folder / FACTS).write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
        for number, own in figures.items():
            record = self.children[number] if number == origin else self.start(number, cutoffs[number])
            record.metrics({f"backtest/{key}": value for key, value in own.items()})
            record.end("FINISHED")
        child = self.children[origin]
        child.metrics({"backtest/fit_seconds": outcome.seconds, "backtest/best_epoch": float(outcome.best_epoch)})
        with tempfile.TemporaryDirectory() as scratch:
            for name in (FORECASTS, FACTS):
                (Path(scratch) / name).write_bytes((folder / name).read_bytes())
            child.files(Path(scratch))
        child.tags({_STATE: "fitted"})
        self.fits[origin], self.facts[origin] = pd.read_parquet(folder / FORECASTS), facts

    def fail(self, origin: int, reason: str) -> None:
        """A fit cannot be made; it runs again if the backtest is resumed."""
        self.children[origin].tags({"error": reason})
        self.children[origin].end("FAILED")

    def cut(self, origin: int) -> None:
        """A fit was stopped with the backtest."""
        self.children[origin].end("KILLED")

    def end(self, status: str) -> None:
        """All of it has ended for now; a whole one has nothing to resume."""
        if status == "FINISHED" and not self.missing:
            self.record.untag([RESUME])
        self.record.end(status)

    @property
    def missing(self) -> list[range]:
        """The origins of each fit that has not ended."""
        return [origins for origins in self.schedule.fits if origins[0] not in self.fits]

    def _read(self, origin: int, child: RunRecord) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.fits[origin] = pd.read_parquet(self.tracking.fetch(child.run_id, FORECASTS, Path(folder)))
            text = self.tracking.fetch(child.run_id, FACTS, Path(folder)).read_text(encoding="utf-8")
        self.facts[origin] = json.loads(text)


def members_of(recipe: Recipe) -> int:
    """Members of its ensemble; 0 of a single model."""
    return recipe.ensemble.members if recipe.ensemble else 0
