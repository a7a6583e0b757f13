"""The sweep in MLflow: a run for the sweep, below it one for each trial, below that one for each fold.

It is also the sweep's only memory. Whatever is needed to go on after the process was killed stands in the tags of these runs: the
values that the oracle gave, the order in which it was asked and told, and how each trial ended. A trial has ended when its tag
says so, which is written last.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import psutil

from seq2seq_kit.errors import ArgumentError, SweepError
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.sweep import knobs
from seq2seq_kit.recipe.sweep_space import default_values, trial_recipe
from seq2seq_kit.sweeps.report.summary import describe_beginning
from seq2seq_kit.sweeps.trial_process import Outcome
from seq2seq_kit.sweeps.trials import State, Trial, name_of
from seq2seq_kit.sweeps.tuner import Asked
from seq2seq_kit.tasks.registry import load_recipe
from seq2seq_kit.tracking.client import RunRecord, Tracking
from seq2seq_kit.training.fit import Epoch

_KIND = "sweep.kind"  # which run it is: sweep, trial, fold
_REASON = 2_000
_ENDED = "sweep.ended"
_TESTED = "sweep.tested_after"
_SECONDS = "sweep.seconds"
_CLOCK = 5.0  # seconds that a process's start may seem to move when the clock is set
_RECIPE = "sweep.yaml"  # the recipe of the sweep; `recipe.yaml` beside it is the winner's


@dataclass
class Page:
    """A trial and its run.

    Attributes:
        trial: How it stands.
        record: Its run.
        asked: What the oracle gave; None for the recipe as it stands.
        asked_at: Place of the question among all questions and answers; 0 for the recipe as it stands.
        told_at: Place of the answer; 0 before.
        folds: Runs of its folds, by number.
        logged: Epochs that were logged, by fold; 1 stands for a trial without folds.
        cut: Whether it was under way when the sweep ended, so that its runs hold epochs already.
    """

    trial: Trial
    record: RunRecord
    asked: Asked | None = None
    asked_at: int = 0
    told_at: int = 0
    folds: dict[int, RunRecord] = field(default_factory=dict)
    logged: dict[int, int] = field(default_factory=dict)
    cut: bool = False


class Book:
    """What stands in MLflow of one sweep.

    Attributes:
        recipe: With its sweep section, as the sweep goes on.
        record: The sweep's run.
        pages: Its trials, by number.
        digest: Of the data that the sweep began with.
        ended: How it ended: `done`, `exhausted`, ...; empty while it is under way or if it was killed.
        tested: Trials that had finished when the test rows were looked at; 0 before.
        seconds: Wall time of earlier goes at it.
    """

    def __init__(self, tracking: Tracking, record: RunRecord, recipe: Recipe, defaults: Mapping[str, Any]) -> None:
        self.tracking, self.record, self.recipe, self.defaults = tracking, record, recipe, defaults
        self.pages: dict[int, Page] = {}
        self.events = 0  # questions to the oracle and answers to it
        self.digest, self.ended, self.tested, self.seconds = "", "", 0, 0.0

    @classmethod
    def begin(
        cls, tracking: Tracking, recipe: Recipe, defaults: Mapping[str, Any], *, digest: str, tags: Mapping[str, str]
    ) -> Book:
        """Starts the sweep's run."""
        sweep = recipe.sweep
        assert sweep is not None
        name = f"sweep {sweep.tuner} {sweep.max_trials or ''}".strip()
        own = {_KIND: "sweep", "sweep.data_sha256": digest, **_process()}
        record = tracking.start(str(recipe.name), name=name, tags=dict(tags) | own)
        record.params(_without(recipe.model_dump(mode="json", exclude={"name"}), sweep.space))
        record.note(describe_beginning(str(recipe.name), record.run_id))
        book = cls(tracking, record, recipe, defaults)
        book.digest = digest
        book.keep(recipe)
        return book

    def keep(self, recipe: Recipe) -> None:
        """The recipe that the sweep goes on with; its budget may differ from that of the beginning."""
        self.recipe = recipe
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / _RECIPE).write_text(dump_recipe(recipe), encoding="utf-8")
            self.record.files(Path(folder))

    def reserve(self) -> int:
        """A place in the journal for what is about to be asked or told."""
        self.events += 1
        return self.events

    def add(self, values: Mapping[str, Any], asked: Asked | None, at: int = 0) -> Page:
        """A new trial: its run, its values, and the place `at` of the question that they answer."""
        number = max(self.pages, default=0) + 1
        tags = {_KIND: "trial", "sweep.trial": str(number), "sweep.state": "running", "sweep.asked_at": str(at)}
        tags["sweep.values"] = json.dumps(dict(values))
        if asked:
            tags["sweep.oracle"] = asked.raw
        # The number first: the note and the figures speak of trial 7, and MLflow's list cuts names.
        name = f"{number}: {name_of(values, self.defaults, keys=list(self.defaults))}"
        record = self.tracking.start(str(self.recipe.name), name=name, tags=tags, parent=self.record.run_id)
        page = Page(Trial(number, dict(values), "running", run_id=record.run_id), record, asked, at)
        self.pages[number] = page
        return page

    def describe(self, page: Page) -> None:
        """The values of a trial as parameters; apart from `add`, so that a store that fails between does neither twice."""
        page.record.params(page.trial.values)

    def again(self, page: Page) -> None:
        """A trial that was cut begins anew."""
        page.trial = replace(page.trial, state="running")
        page.record.open()
        page.record.tags({"sweep.state": "running"})

    def epoch(self, page: Page, fold: int, epoch: Epoch, *, folds: int | None) -> None:
        """Logs an epoch, once: a trial that begins anew comes by the same epochs."""
        record = self._fold(page, fold) if folds else page.record
        if fold not in page.logged:
            page.logged[fold] = record.epochs() if page.cut else 0
        if epoch.number > page.logged[fold]:
            page.logged[fold] = epoch.number
            record.on_epoch(epoch)

    def finish(self, page: Page, outcome: Outcome, *, bundle: Path | None, reason: str = "") -> None:
        """A trial has its score. `bundle`: its trained model, kept if it is the best so far; `reason`: why it was not trained."""
        fits = outcome.fits
        epochs = sum(len(fit["history"]) for fit in fits)
        page.trial = replace(
            page.trial,
            state="finished",
            reason=reason,
            score=outcome.score,
            best_epoch=outcome.best_epoch,
            epochs=epochs,
            seconds=outcome.seconds,
            memory=outcome.memory,
            folds=outcome.folds,
        )
        for number, (record, score) in enumerate(zip(page.folds.values(), outcome.folds, strict=False), start=1):
            record.metrics({"sweep/objective": score, "sweep/best_epoch": fits[number - 1]["best_epoch"]})
            record.end("FINISHED")
        # The same names as the sweep's own run has: one column of MLflow's list of runs, which sorts all of them.
        figures = {"objective": outcome.score, "best_epoch": outcome.best_epoch, "seconds": outcome.seconds}
        figures["memory_mb"] = outcome.memory / 1e6
        if page.trial.spread is not None:
            figures["objective_spread"] = page.trial.spread
            page.record.curve("sweep/objective_by_fold", outcome.folds)
        page.record.metrics({f"sweep/{key}": value for key, value in figures.items()})
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "fits.json").write_text(json.dumps(fits), encoding="utf-8")
            own = trial_recipe(self.recipe, page.trial.values)
            (Path(folder) / "recipe.yaml").write_text(dump_recipe(own), encoding="utf-8")
            page.record.files(Path(folder))
        if bundle:
            page.record.files(bundle, "bundle")
        self._close(page, {"sweep.outcome": json.dumps(_figures(page.trial), ensure_ascii=False)}, "FINISHED")

    def fail(self, page: Page, reason: str, *, seconds: float) -> None:
        """A trial has no score, and why."""
        reason = reason[:_REASON]  # it has to fit into a tag together with the figures
        page.trial = replace(page.trial, state="failed", reason=reason, seconds=seconds)
        for record in page.folds.values():
            record.end("FAILED")
        self._close(
            page, {"sweep.outcome": json.dumps(_figures(page.trial), ensure_ascii=False), "error": reason}, "FAILED"
        )

    def cut(self, page: Page) -> None:
        """A trial was stopped with the sweep; it runs again if that is resumed."""
        page.trial = replace(page.trial, state="cut")
        for record in page.folds.values():
            record.end("KILLED")
        page.record.tags({"sweep.state": "cut"})
        page.record.end("KILLED")

    def fits(self, page: Page) -> list[dict[str, Any]]:
        """How the fits of a finished trial went."""
        with tempfile.TemporaryDirectory() as folder:
            text = self.tracking.fetch(page.record.run_id, "fits.json", Path(folder)).read_text(encoding="utf-8")
        return list(json.loads(text))

    def looked(self) -> None:
        """The test rows are about to be looked at."""
        self.tested = sum(trial.state == "finished" for trial in self.trials)
        self.record.tags({_TESTED: str(self.tested)})

    def end(self, ended: str, *, seconds: float) -> None:
        """The sweep is over for now; written last."""
        self.ended, self.seconds = ended, self.seconds + seconds
        self.record.tags({_ENDED: ended, _SECONDS: f"{self.seconds:.0f}"})

    def journal(self) -> list[tuple[str, Page]]:
        """What the oracle was asked and told, in order."""
        asked = [(page.asked_at, "ask", page) for page in self.pages.values() if page.asked_at]
        told = [(page.told_at, "tell", page) for page in self.pages.values() if page.asked_at and page.told_at]
        return [(kind, page) for _, kind, page in sorted(asked + told, key=lambda event: event[0])]

    @property
    def trials(self) -> list[Trial]:
        """The trials, by number."""
        return [page.trial for page in self.pages.values()]

    def _close(self, page: Page, tags: Mapping[str, str], status: str) -> None:
        page.told_at = self.reserve() if page.asked_at else 0
        page.record.end(status)
        page.record.tags(dict(tags) | {"sweep.state": page.trial.state, "sweep.told_at": str(page.told_at)})

    def _fold(self, page: Page, fold: int) -> RunRecord:
        if page.cut and not page.folds:
            found = self.tracking.children(page.record)
            page.folds = {int(tags["sweep.fold"]): record for record, tags in found}
        if fold not in page.folds:
            tags = {_KIND: "fold", "sweep.fold": str(fold)}
            name = f"fold {fold}"
            page.folds[fold] = self.tracking.start(
                str(self.recipe.name), name=name, tags=tags, parent=page.record.run_id
            )
        return page.folds[fold]


def open_book(tracking: Tracking, run: str) -> Book:
    """The sweep of a run, with its trials as they stand.

    Raises:
        TrackingError: No such run.
        ArgumentError: The run is no sweep.
    """
    record, tags = tracking.reopen(run)
    if tags.get(_KIND) != "sweep":
        above = tags.get("mlflow.parentRunId")
        hint = f"; the sweep that it belongs to is {above}" if tags.get(_KIND) == "trial" else ""
        raise ArgumentError(
            f"the run {record.run_id} is no sweep, but {_said(tags)}{hint}. `seq2seq-kit list runs` shows the runs at hand"
        )
    with tempfile.TemporaryDirectory() as folder:
        recipe = load_recipe(tracking.fetch(record.run_id, _RECIPE, Path(folder)))
    assert recipe.sweep is not None
    book = Book(tracking, record, recipe, default_values(recipe, knobs(recipe.sweep)))
    found = [(child, own) for child, own in tracking.children(record) if own.get(_KIND) == "trial"]
    for child, own in sorted(found, key=lambda pair: int(pair[1]["sweep.trial"])):
        page = _page(child, own)
        # A store that lost its answer may hold a trial's run twice; the one that came to something counts.
        if page.trial.number not in book.pages or book.pages[page.trial.number].trial.state == "cut":
            book.pages[page.trial.number] = page
    book.digest, book.ended = tags["sweep.data_sha256"], tags.get(_ENDED, "")
    book.tested, book.seconds = int(tags.get(_TESTED) or 0), float(tags.get(_SECONDS) or 0)
    book.events = max((max(page.asked_at, page.told_at) for page in book.pages.values()), default=0)
    return book


def claim(book: Book) -> None:
    """Makes this process the one that goes on with the sweep.

    Raises:
        SweepError: Another process on this machine is at it.
    """
    _, tags = book.tracking.reopen(book.record.run_id)
    mine = _process()
    other = {name: tags.get(name) for name in mine}
    own = other["sweep.process"] == mine["sweep.process"]
    if not own and other["sweep.host"] == mine["sweep.host"] and _alive(other):
        raise SweepError(
            f"the sweep {book.record.run_id} is still run by process {other['sweep.process']} on this machine. Wait for it, or "
            "end it with Ctrl-C"
        )
    book.record.tags(mine | {_ENDED: ""})
    book.record.untag([name for name in tags if name == "error" or name.startswith("finding.")])
    book.record.note(describe_beginning(str(book.recipe.name), book.record.run_id))
    book.record.open()


def _page(record: RunRecord, tags: Mapping[str, str]) -> Page:
    values = json.loads(tags["sweep.values"])
    state = tags["sweep.state"]
    trial = Trial(int(tags["sweep.trial"]), values, "cut", run_id=record.run_id)
    if state in ("finished", "failed"):
        told = json.loads(tags["sweep.outcome"])
        told["folds"] = tuple(told["folds"])
        trial = replace(trial, state=cast("State", state), **told)
    raw = tags.get("sweep.oracle")
    asked = Asked("", raw, values) if raw else None
    return Page(
        trial, record, asked, int(tags["sweep.asked_at"]), int(tags.get("sweep.told_at", "0")), cut=trial.state == "cut"
    )


def _figures(trial: Trial) -> dict[str, Any]:
    names = ("score", "best_epoch", "epochs", "seconds", "reason", "memory", "folds")
    return {name: getattr(trial, name) for name in names}


def _without(values: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Nested values less some dotted keys: what is searched is no parameter of the sweep."""
    for key in keys:
        inner: Any = values
        *sections, last = key.split(".")
        for part in sections:
            inner = inner[int(part)] if isinstance(inner, list) else inner[part]
        if isinstance(inner, dict):
            inner.pop(last, None)
    return values


def _process() -> dict[str, str]:
    own = psutil.Process()
    return {
        "sweep.host": socket.gethostname(),
        "sweep.process": str(os.getpid()),
        "sweep.process_began": f"{own.create_time():.2f}",
    }


def _alive(tags: Mapping[str, str | None]) -> bool:
    try:
        began = psutil.Process(int(tags["sweep.process"] or 0)).create_time()
        return abs(began - float(tags["sweep.process_began"] or 0)) < _CLOCK
    except (psutil.Error, ValueError):
        return False


def _said(tags: Mapping[str, str]) -> str:
    kind = tags.get(_KIND)
    return {"trial": "one of its trials", "fold": "a fold of a trial"}.get(str(kind), "a training")


__all__ = ["Book", "Page", "claim", "open_book"]
