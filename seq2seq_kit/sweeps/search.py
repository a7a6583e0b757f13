"""The search: one process that asks the tuner, starts trials, handles their messages and stores their results.

If a trial's process dies, the sweep continues or says why it cannot; if this one does, the store holds all it takes to resume.
"""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from seq2seq_kit.errors import RecipeError, TrackingError
from seq2seq_kit.executing.executor import RunningTrial
from seq2seq_kit.executing.process import BatchBegan, Failure, Message, Outcome
from seq2seq_kit.recipe.sweep_space import in_words, section_of, trial_recipe
from seq2seq_kit.reports.notes import count_of
from seq2seq_kit.sweeps.preparation import Setup
from seq2seq_kit.sweeps.pruning import Pruning
from seq2seq_kit.sweeps.report.summary import Ended
from seq2seq_kit.sweeps.status import Progress, Status, report_status, seconds_left
from seq2seq_kit.sweeps.trial_process import TrialTask, raise_fault
from seq2seq_kit.sweeps.trial_store import StoredTrial, TrialStore
from seq2seq_kit.sweeps.trials import Trial, best_of, is_better, not_comparable
from seq2seq_kit.sweeps.tuner import Suggestion
from seq2seq_kit.sweeps.tuner_process import TunerProcess, TunerThread

P = ParamSpec("P")
T = TypeVar("T")

_ATTEMPTS = 2  # a process that was killed may have been unlucky; twice is the trial's own fault
_TICK_SECONDS = 0.5
_QUICK_SECONDS = 0.05  # the same while the tuner computes
_STORE_SECONDS = 60.0  # how long a store that does not answer is waited for


@dataclass
class _Running:
    entry: StoredTrial
    handle: RunningTrial
    attempt: int
    progress: Progress
    began: float = field(default_factory=time.perf_counter)
    hopeless: str = ""  # why it is pruned


class Search:
    """Runs the trials of a sweep.

    Args:
        store: With the trials so far, of a sweep that is resumed.
        tuner: Has not been asked yet; is closed at the end.
        setup: Data, executor and reporter; the executor is closed at the end.
        folder: For the files of trials; nothing in it is needed once the sweep has ended.
        interrupted: Set by Ctrl-C.
    """

    def __init__(
        self, store: TrialStore, tuner: TunerProcess, setup: Setup, *, folder: Path, interrupted: threading.Event
    ) -> None:
        self.store, self.setup, self.folder, self.interrupted = store, setup, folder, interrupted
        self.executor, self.reporter = setup.executor, setup.reporter
        self.sweep = section_of(store.recipe)
        self.tuner = TunerThread(tuner, store.reserve)
        self.running: dict[int, _Running] = {}
        self.cut: list[StoredTrial] = []  # to be run again
        self.pruning = Pruning.of(store)
        self.began = time.perf_counter()

    def run(self) -> Ended:
        """Runs until the sweep has ended, and returns how.

        Raises:
            KitError: The recipe or the data of a trial is wrong: the error itself, with the trial's values.
            SweepError: A trial met a bug, or the tuner did.
        """
        self._replay()
        ended: Ended | None = None
        try:
            while True:
                if ended is None:
                    ended = self._start_trials()
                if self.interrupted.is_set():
                    return "interrupted"
                if ended is not None and not self.running:
                    self.tuner.check(wait=True)
                    return ended
                for handle, message in self.executor.wait(_QUICK_SECONDS if self.tuner.computes else _TICK_SECONDS):
                    self._handle(handle, message)
                self._prune()
                self.tuner.check()
                report_status(self.reporter, self.status())
        finally:
            self.executor.close()
            for each in self.running.values():
                # It must not hide what ended the sweep, and a resumed one takes the trial for cut anyway.
                with suppress(TrackingError):
                    self.store.cut(each.entry)
            self.running.clear()
            self.tuner.close()

    def status(self) -> Status:
        """The status of the sweep now."""
        now = time.perf_counter()
        progress = [
            replace(each.progress, trial=each.entry.trial, seconds=now - each.began, process=each.handle.pid)
            for each in self.running.values()
        ]
        sweep, seconds = self.sweep, now - self.began
        status = Status(self.store.trials, progress, sweep.trials, seconds, None, sweep.metric, sweep.direction)
        workers, waiting = self.executor.workers, len(self.cut)
        left = seconds_left(status, workers=workers, waiting=waiting, max_minutes=sweep.max_minutes)
        return replace(status, left=left)

    def _replay(self) -> None:
        """Brings a fresh tuner to where the last one was: the same calls in the same order."""
        journal = self.store.journal()
        if journal:
            self.reporter.say(f"telling the tuner of {count_of(len(self.store.entries), 'trial')}")
        tuner = self.tuner.tuner
        for call, entry in journal:
            assert entry.suggestion is not None
            if call == "ask":
                entry.suggestion = tuner.replay(entry.suggestion.raw)
            else:
                tuner.tell(entry.suggestion.identity, entry.trial.score, epoch=entry.trial.best_epoch or 1)
        self.cut = [entry for entry in self.store.entries.values() if entry.trial.state == "cut"]

    def _start_trials(self) -> Ended | None:
        """Starts as many trials as there are free workers; returns how the sweep has ended if there are no more."""
        entries = self.store.entries
        while self.executor.free and not self.interrupted.is_set():
            if self.cut:
                entry = self.cut.pop(0)
                self._store(self.store.restart, entry)
                self._start(entry, attempt=1)
                continue
            if self.sweep.trials is not None and len(entries) >= self.sweep.trials:
                return "done"
            minutes = self.sweep.max_minutes
            if entries and minutes is not None and time.perf_counter() - self.began > minutes * 60:
                return "max_minutes"
            if not entries:  # the recipe as it stands, which the others are compared with
                self._start(self._add(None), attempt=1)
                continue
            at, answer = self.tuner.ask()
            for note in self.tuner.new_notes():
                self.reporter.say(note)
            if answer == "wait":
                if not self.running:
                    self.tuner.require_progress()
                return None
            if not isinstance(answer, Suggestion):
                return "exhausted"
            entry = self._add(answer, at)
            try:
                duplicate = self.store.duplicate_of(entry)
            except RecipeError as error:  # of a space that is too large to be checked as a whole
                self._fail(entry, str(error), seconds=0.0)
                continue
            if duplicate is None:
                self._start(entry, attempt=1)
            else:
                self._copy_score(entry, duplicate)
        return None

    def _add(self, suggestion: Suggestion | None, at: int = 0) -> StoredTrial:
        values = suggestion.values if suggestion else self.store.defaults
        entry = self._store(self.store.add, values, suggestion, at)
        self._store(self.store.describe, entry)
        return entry

    def _copy_score(self, entry: StoredTrial, other: Trial) -> None:
        """Training the same recipe with the same seed gives the same score, so it is not trained again."""
        assert other.score is not None
        assert other.best_epoch is not None
        outcome = Outcome(other.score, other.best_epoch, [], 0.0, 0, other.folds, other.cells)
        why = f"the same recipe as trial {other.number}, not trained again"
        self._store(self.store.finish, entry, outcome, reason=why)
        self._report_end(entry, best=False)

    def _start(self, entry: StoredTrial, *, attempt: int) -> None:
        number = entry.trial.number
        recipe = trial_recipe(self.store.recipe, entry.trial.values)
        task = TrialTask(
            recipe=recipe,
            metric=self.sweep.metric,
            to_beat=best.score if (best := best_of(self.store.trials, self.sweep.direction)) else None,
            direction=self.sweep.direction,
            folds=self.sweep.folds,
            origins=self.setup.origins,
            data=self.setup.data,
            folder=self.folder / f"{number}-{attempt}",
            run_id=entry.record.run_id,
            columns=self.setup.job.columns,
            digest=self.setup.digest,
        )
        progress = Progress(entry.trial, epochs=recipe.training.epochs)
        self.running[number] = _Running(entry, self.executor.start(task), attempt, progress)

    def _handle(self, handle: RunningTrial, message: Message) -> None:
        running = next(each for each in self.running.values() if each.handle is handle)
        entry = running.entry
        if isinstance(message, Outcome | Failure):
            del self.running[entry.trial.number]
            if isinstance(message, Failure):
                self._handle_failure(running, message)
            elif reason := not_comparable(self.store.trials, message.cells):
                self._fail(entry, reason, seconds=_since(running.began))
            elif math.isfinite(message.score):
                self._finish(entry, message, handle.task.folder / "bundle")
            else:
                self._fail(entry, f"its {self.sweep.metric} is not a finite number", seconds=_since(running.began))
            shutil.rmtree(handle.task.folder, ignore_errors=True)
            return
        if isinstance(message, BatchBegan):
            running.progress = replace(
                running.progress, fold=message.fold, epoch=message.epoch, epochs=message.epochs, done=message.done
            )
            return
        epoch = message.epoch
        running.progress = replace(
            running.progress,
            fold=message.fold,
            epoch=epoch.number,
            epochs=epoch.of,
            done=(message.fold - 1 + epoch.number / epoch.of) / len(self.sweep.fits),
            last=None if self.sweep.backtest else epoch.val_loss,  # its errors are known at the end
        )
        self._store(self.store.epoch, entry, message.fold, epoch)
        running.hopeless = running.hopeless or self.pruning.hear(entry.trial.number, message)

    def _prune(self) -> None:
        """Ends the trials that are hopeless; after all messages were read, because their executor still reads them."""
        for number, running in [pair for pair in self.running.items() if pair[1].hopeless]:
            self.executor.kill(running.handle)
            del self.running[number]
            outcome = self.pruning.outcome(number, _since(running.began))
            self._store(self.store.finish, running.entry, outcome, reason=running.hopeless, state="pruned")
            self._report_end(running.entry, best=False)
            shutil.rmtree(running.handle.task.folder, ignore_errors=True)

    def _handle_failure(self, running: _Running, failure: Failure) -> None:
        entry, reason = running.entry, failure.reason
        if failure.kind in ("invalid", "bug"):
            self._store(self.store.cut, entry)  # it runs again if the sweep is resumed, once this is mended
            raise_fault(f"trial {entry.trial.number} with {in_words(entry.trial.values)}", failure)
        if failure.kind == "lost":
            self.reporter.say(f"trial {entry.trial.number}: {reason}; it begins again on another")
            self._start(entry, attempt=running.attempt)
            return
        if failure.kind == "killed" and running.attempt < _ATTEMPTS:
            self.reporter.say(f"trial {entry.trial.number}: {reason}; it is tried once more")
            self._start(entry, attempt=running.attempt + 1)
            return
        times = f", {_ATTEMPTS} times" if failure.kind == "killed" else ""
        self._fail(entry, reason + times, seconds=_since(running.began))

    def _fail(self, entry: StoredTrial, reason: str, *, seconds: float) -> None:
        self.pruning.forget(entry.trial.number)
        self._store(self.store.fail, entry, reason, seconds=seconds)
        self._report_end(entry, best=False)

    def _finish(self, entry: StoredTrial, outcome: Outcome, bundle: Path) -> None:
        best, number = best_of(self.store.trials, self.sweep.direction), entry.trial.number
        self.pruning.finish(number)
        # `best_of` takes the earlier one of equals, so its model must be kept even if it ends later.
        ties = best is not None and best.score == outcome.score and number < best.number
        leads = ties or is_better(outcome.score, best.score if best else None, self.sweep.direction)
        self._store(self.store.finish, entry, outcome, bundle=bundle if leads and not self.sweep.backtest else None)
        if leads:
            self._store(self.store.record.metrics, {"sweep/best_so_far": outcome.score}, step=number)
        self._report_end(entry, best=leads)

    def _report_end(self, entry: StoredTrial, *, best: bool) -> None:
        """Tells the tuner and the reporter of a trial that has ended."""
        if entry.suggestion is not None:
            self.tuner.tell(entry.suggestion.identity, entry.trial.score, epoch=entry.trial.best_epoch or 1)
        self.reporter.on_trial(entry.trial, best)

    def _store(self, write: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Calls a method of the trial store; a store that does not answer for a while costs time, and no trial."""
        until = time.perf_counter() + _STORE_SECONDS
        while True:
            try:
                return write(*arguments, **named)
            except TrackingError as error:
                if time.perf_counter() > until or self.interrupted.is_set():
                    raise
                self.reporter.say(f"{error}; trying again")
                time.sleep(2)


def _since(began: float) -> float:
    return time.perf_counter() - began
