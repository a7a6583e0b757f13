"""The sweep in MLflow: a run for the sweep, below it one for each trial, below that one for each fold or origin.

It is also the sweep's only memory. The tags of these runs hold all that is needed to resume after the process was killed: the
values that the tuner suggested, the order in which it was asked and told, and the outcome of each trial. A trial has ended when
its tag says so, which is written last. reopen.py reads them back.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import psutil

from seq2seq_kit.executing.process import Outcome
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.sweep_space import section_of, trial_recipe
from seq2seq_kit.reports.notes import figure
from seq2seq_kit.sweeps.report.summary import describe_beginning
from seq2seq_kit.sweeps.trials import Trial, name_of
from seq2seq_kit.sweeps.tuner import Suggestion
from seq2seq_kit.tracking.client import RunRecord, Tracking
from seq2seq_kit.tracking.naming import experiment_of
from seq2seq_kit.training.fit import Epoch, Fit

KIND = "sweep.kind"  # which run it is: sweep, trial, fold
ENDED = "sweep.ended"
TESTED = "sweep.tested_after"
SECONDS = "sweep.seconds"
RECIPE = "sweep.yaml"  # the recipe of the sweep; `recipe.yaml` beside it is the winner's
_LONGEST_REASON = 2_000
_OUTCOME = ("score", "best_epoch", "epochs", "seconds", "reason", "memory", "folds", "cells")


@dataclass
class StoredTrial:
    """A trial and its run.

    Attributes:
        trial: Its values, state and score.
        record: Its run.
        suggestion: Of the tuner; None for the recipe as it stands.
        asked_at: Place of the question among all calls of the tuner; 0 for the recipe as it stands.
        told_at: Place of the call that told its score; 0 before.
        folds: Runs of its folds or origins, by number.
        logged: Epochs that were logged, by the same; 1 stands for a trial without them.
        cut: Whether it was running when the sweep ended, so that its runs hold epochs already.
    """

    trial: Trial
    record: RunRecord
    suggestion: Suggestion | None = None
    asked_at: int = 0
    told_at: int = 0
    folds: dict[int, RunRecord] = field(default_factory=dict)
    logged: dict[int, int] = field(default_factory=dict)
    cut: bool = False


class TrialStore:
    """The runs of one sweep in MLflow.

    Attributes:
        recipe: With its sweep section; its budget may differ from that of the beginning.
        record: The sweep's run.
        entries: Its trials, by number.
        digest: Of the data that the sweep began with.
        ended: How it ended: `done`, `exhausted`, ...; empty while it runs or if it was killed.
        tested: Trials that had finished when the test rows were evaluated; 0 before.
        seconds: Wall time of earlier processes.
    """

    def __init__(self, tracking: Tracking, record: RunRecord, recipe: Recipe, defaults: Mapping[str, object]) -> None:
        self.tracking, self.record, self.recipe, self.defaults = tracking, record, recipe, defaults
        self.entries: dict[int, StoredTrial] = {}
        self._recipes: dict[int, Recipe] = {}
        self.events = 0  # calls of the tuner
        self.digest, self.ended, self.tested, self.seconds = "", "", 0, 0.0

    @classmethod
    def begin(
        cls, tracking: Tracking, recipe: Recipe, defaults: Mapping[str, object], *, digest: str, tags: Mapping[str, str]
    ) -> TrialStore:
        """Starts the sweep's run."""
        sweep = section_of(recipe)
        name = f"sweep {sweep.tuner} {sweep.max_trials or ''}".strip()
        own = {KIND: "sweep", "sweep.data_sha256": digest, **process_tags()}
        record = tracking.start(experiment_of(recipe), name=name, tags=dict(tags) | own)
        record.params(_without(recipe.model_dump(mode="json", exclude={"name", "experiment"}), sweep.space))
        record.note(describe_beginning(str(recipe.name), record.run_id))
        store = cls(tracking, record, recipe, defaults)
        store.digest = digest
        store.keep(recipe)
        return store

    def keep(self, recipe: Recipe) -> None:
        """Stores the recipe that the sweep continues with."""
        self.recipe, self._recipes = recipe, {}
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / RECIPE).write_text(dump_recipe(recipe), encoding="utf-8")
            self.record.files(Path(folder))

    def reserve(self) -> int:
        """A place in the journal for the next call of the tuner."""
        self.events += 1
        return self.events

    def add(self, values: Mapping[str, object], suggestion: Suggestion | None, at: int = 0) -> StoredTrial:
        """Adds a trial: its run, its values, and the place `at` of the question that the suggestion answers."""
        number = max(self.entries, default=0) + 1
        tags = {KIND: "trial", "sweep.trial": str(number), "sweep.state": "running", "sweep.asked_at": str(at)}
        tags["sweep.values"] = json.dumps(dict(values))
        if suggestion:
            tags["sweep.oracle"] = suggestion.raw
        # The number first: the note and the figures speak of trial 7, and MLflow's list cuts names.
        name = f"{number}: {name_of(values, self.defaults, keys=list(self.defaults))}"
        record = self.tracking.start(experiment_of(self.recipe), name=name, tags=tags, parent=self.record.run_id)
        trial = Trial(number, dict(values), "running", run_id=record.run_id)
        self.entries[number] = StoredTrial(trial, record, suggestion, at)
        return self.entries[number]

    def describe(self, entry: StoredTrial) -> None:
        """Logs a trial's values as parameters; apart from `add`, so that a store that fails in between does neither twice."""
        entry.record.params(entry.trial.values)

    def restart(self, entry: StoredTrial) -> None:
        """A trial that was cut starts again."""
        entry.trial = replace(entry.trial, state="running")
        entry.record.open()
        entry.record.tags({"sweep.state": "running"})

    def epoch(self, entry: StoredTrial, number: int, epoch: Epoch) -> None:
        """Logs an epoch of the fit of a number, from 1, once: a trial that starts again repeats its epochs."""
        section = section_of(self.recipe)
        fold = section.fits[number - 1]
        record = self._fold(entry, fold) if section.part else entry.record
        if fold not in entry.logged:
            entry.logged[fold] = record.epochs() if entry.cut else 0
        if epoch.number > entry.logged[fold]:
            entry.logged[fold] = epoch.number
            record.on_epoch(epoch)

    def finish(
        self,
        entry: StoredTrial,
        outcome: Outcome,
        *,
        bundle: Path | None = None,
        reason: str = "",
        state: Literal["finished", "pruned"] = "finished",
    ) -> None:
        """A trial has its score. `bundle`: its model, stored if it is the best so far; `reason`: why it was not trained (on)."""
        fits = outcome.fits
        epochs = sum(entry.logged.values()) if state == "pruned" else sum(len(fit.history) for fit in fits)
        entry.trial = replace(
            entry.trial,
            state=state,
            reason=reason,
            score=outcome.score,
            best_epoch=outcome.best_epoch,
            epochs=epochs,
            seconds=outcome.seconds,
            memory=outcome.memory,
            folds=outcome.folds,
            cells=outcome.cells,
        )
        section = section_of(self.recipe)
        fitted = dict(zip(section.fits, fits, strict=False))
        for number, score in enumerate(outcome.folds if fits else (), start=1):
            record = self._fold(entry, number)
            record.metrics({"sweep/objective": score})
            if number in fitted:
                record.metrics({"sweep/best_epoch": fitted[number].best_epoch})
            record.end("FINISHED")
        for number, record in entry.folds.items():
            if number not in range(1, len(outcome.folds) + 1):
                record.end("KILLED")  # it was cut short when the trial was pruned
        # The same names as the sweep's own run has: one column of MLflow's list of runs, which sorts all of them.
        figures = {"objective": outcome.score, "best_epoch": outcome.best_epoch, "seconds": outcome.seconds}
        figures["memory_mb"] = outcome.memory / 1e6
        if entry.trial.spread is not None:
            figures["objective_spread"] = entry.trial.spread
            entry.record.curve(f"sweep/objective_by_{section.part}", outcome.folds)
        entry.record.metrics({f"sweep/{key}": value for key, value in figures.items()})
        entry.record.tags(
            {"result": f"{section.metric} {figure(outcome.score)}"} | ({"pruned": reason} if state == "pruned" else {})
        )
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "fits.json").write_text(json.dumps([fit.to_json() for fit in fits]), encoding="utf-8")
            own = self._recipe_of(entry.trial)
            (Path(folder) / "recipe.yaml").write_text(dump_recipe(own), encoding="utf-8")
            entry.record.files(Path(folder))
        if bundle:
            entry.record.files(bundle, "bundle")
        self._close(entry, {}, "FINISHED" if state == "finished" else "KILLED")

    def fail(self, entry: StoredTrial, reason: str, *, seconds: float) -> None:
        """A trial has failed, and why."""
        reason = reason[:_LONGEST_REASON]  # it must fit into a tag together with the figures
        entry.trial = replace(entry.trial, state="failed", reason=reason, seconds=seconds)
        for record in entry.folds.values():
            record.end("FAILED")
        self._close(entry, {"error": reason}, "FAILED")

    def cut(self, entry: StoredTrial) -> None:
        """A trial was stopped with the sweep; it runs again when the sweep is resumed."""
        entry.trial = replace(entry.trial, state="cut")
        for record in entry.folds.values():
            record.end("KILLED")
        entry.record.tags({"sweep.state": "cut"})
        entry.record.end("KILLED")

    def duplicate_of(self, entry: StoredTrial) -> Trial | None:
        """A finished trial of the same recipe: a grid repeats the recipe as it stands."""
        own = self._recipe_of(entry.trial)
        finished = (other for other in self.trials if other.state == "finished")
        return next((other for other in finished if self._recipe_of(other) == own), None)

    def _recipe_of(self, trial: Trial) -> Recipe:
        """The recipe of a trial, which is made once: each new trial is compared with all before it."""
        if trial.number not in self._recipes:
            self._recipes[trial.number] = trial_recipe(self.recipe, trial.values)
        return self._recipes[trial.number]

    def fits(self, entry: StoredTrial) -> list[Fit]:
        """The fits of a finished or pruned trial, one for each fold."""
        with tempfile.TemporaryDirectory() as folder:
            text = self.tracking.fetch(entry.record.run_id, "fits.json", Path(folder)).read_text(encoding="utf-8")
        return [Fit.from_json(each) for each in json.loads(text)]

    def mark_tested(self) -> None:
        """The test rows are about to be evaluated."""
        self.tested = sum(trial.state == "finished" for trial in self.trials)
        self.record.tags({TESTED: str(self.tested)})

    def end(self, ended: str, *, seconds: float) -> None:
        """The sweep has ended for now; written last."""
        self.ended, self.seconds = ended, self.seconds + seconds
        self.record.tags({ENDED: ended, SECONDS: f"{self.seconds:.0f}"})

    def journal(self) -> list[tuple[str, StoredTrial]]:
        """The calls of the tuner in order, `ask` and `tell`, each with its trial."""
        asked = [(entry.asked_at, "ask", entry) for entry in self.entries.values() if entry.asked_at]
        told = [(entry.told_at, "tell", entry) for entry in self.entries.values() if entry.asked_at and entry.told_at]
        return [(kind, entry) for _, kind, entry in sorted(asked + told, key=lambda event: event[0])]

    @property
    def trials(self) -> list[Trial]:
        """The trials, by number."""
        return [entry.trial for entry in self.entries.values()]

    def _close(self, entry: StoredTrial, tags: dict[str, str], status: str) -> None:
        entry.told_at = self.reserve() if entry.asked_at else 0
        outcome = {name: getattr(entry.trial, name) for name in _OUTCOME}
        tags = {**tags, "sweep.outcome": json.dumps(outcome, ensure_ascii=False)}
        entry.record.end(status)
        entry.record.tags(tags | {"sweep.state": entry.trial.state, "sweep.told_at": str(entry.told_at)})

    def _fold(self, entry: StoredTrial, fold: int) -> RunRecord:
        if entry.cut and not entry.folds:
            found = self.tracking.children(entry.record)
            entry.folds = {int(tags["sweep.fold"]): record for record, tags in found}
        if fold not in entry.folds:
            tags = {KIND: "fold", "sweep.fold": str(fold)}
            name = f"{section_of(self.recipe).part} {fold}"
            entry.folds[fold] = self.tracking.start(
                experiment_of(self.recipe), name=name, tags=tags, parent=entry.record.run_id
            )
        return entry.folds[fold]


def process_tags() -> dict[str, str]:
    """Which process runs the sweep: an id may be given again, but not with the same beginning."""
    return {
        "sweep.host": socket.gethostname(),
        "sweep.process": str(os.getpid()),
        "sweep.process_began": f"{psutil.Process().create_time():.2f}",
    }


def _without(values: dict[str, object], keys: Iterable[str]) -> dict[str, object]:
    """Nested values without some dotted keys: what is searched is no parameter of the sweep."""
    for key in keys:
        inner: object = values
        *sections, last = key.split(".")
        for part in sections:
            inner = inner[int(part)] if isinstance(inner, list) else inner[part] if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner.pop(last, None)
    return values
