"""The search: one process that asks the oracle, starts trials, hears how they go and writes it down.

Whatever happens to a trial's process, the sweep goes on or says why it cannot; whatever happens to this one, the book (book.py)
has all that it takes to go on.
"""

from __future__ import annotations

import math
import shutil
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from seq2seq_kit.errors import KitError, RecipeError, SweepError, TrackingError
from seq2seq_kit.recipe.sweep_space import in_words, trial_recipe
from seq2seq_kit.reports.notes import count_of
from seq2seq_kit.sweeps.executor import Pool, Running
from seq2seq_kit.sweeps.report.summary import Ended
from seq2seq_kit.sweeps.status import Progress, Standing, SweepReporter
from seq2seq_kit.sweeps.trial_process import Outcome, Task
from seq2seq_kit.sweeps.trial_store import Book, Page
from seq2seq_kit.sweeps.trials import best_of, is_better
from seq2seq_kit.sweeps.tuner import Asked
from seq2seq_kit.sweeps.tuner_process import TunerProcess
from seq2seq_kit.training.fit import Epoch

_ATTEMPTS = 2  # a process that was killed may have been unlucky; twice is the trial's own fault
_TICK_SECONDS = 0.5
_QUICK_SECONDS = 0.05  # how long the tuner is waited for before trials are listened to again
_STORE_SECONDS = 60.0  # how long a store that does not answer is waited for


@dataclass
class _Busy:
    page: Page
    running: Running
    attempt: int
    progress: Progress
    began: float = field(default_factory=time.perf_counter)


class Search:
    """Runs the trials of a sweep.

    Args:
        book: What is known of it, with the trials of a sweep that is resumed.
        tuner: The oracle, which has answered nothing yet.
        pool: Where trials run.
        data: Rows instead of the recipe's `data.source`.
        columns: Columns of the data that the recipe uses.
        digest: Of those columns.
        total: Most trials; None: as many as the tuner has.
        reporter: Is told how it goes.
        folder: For what trials leave behind; nothing in it is needed once the sweep has ended.
        pressed: Set by Ctrl-C.
    """

    def __init__(
        self,
        book: Book,
        tuner: TunerProcess,
        pool: Pool,
        *,
        data: pd.DataFrame | None,
        columns: list[str],
        digest: str,
        total: int | None,
        reporter: SweepReporter,
        folder: Path,
        pressed: threading.Event,
    ) -> None:
        self.book, self.tuner, self.pool, self.data = book, tuner, pool, data
        self.columns, self.digest = columns, digest
        self.total, self.reporter, self.folder, self.pressed = total, reporter, folder, pressed
        assert book.recipe.sweep is not None
        self.sweep = book.recipe.sweep
        self.busy: dict[int, _Busy] = {}
        self.waiting: list[Page] = []  # trials that were cut, to be run again
        self._asker = ThreadPoolExecutor(1, "tuner")
        self._asking: tuple[int, Future[Any]] | None = None
        self._told: list[Future[None]] = []
        self._tells = 0
        self._idle_after_tells = -1  # answers that the tuner had when it said that it waits, and nothing was under way
        self.began = time.perf_counter()

    def run(self) -> Ended:
        """Goes on until the sweep has ended, and says how.

        Raises:
            KitError: The recipe or the data of a trial is wrong: the error itself, with the trial's values.
            SweepError: A trial ended in an error that is none of its own.
        """
        self._replay()
        ended: Ended | None = None
        try:
            while True:
                if ended is None:
                    ended = self._fill()
                if self.pressed.is_set():
                    return "interrupted"
                if ended is not None and not self.busy:
                    for told in self._told:
                        told.result()
                    return ended
                for running, kind, value in self.pool.wait(_QUICK_SECONDS if self._asking else _TICK_SECONDS):
                    self._hear(running, kind, value)
                self._hear_tuner()
                self.reporter.on_standing(self.standing())
        finally:
            self.pool.close()
            for busy in self.busy.values():
                # It must not hide what ended the sweep, and a resumed one takes the trial for cut anyway.
                with suppress(TrackingError):
                    self.book.cut(busy.page)
            self.busy.clear()
            self.tuner.close()  # one that thinks is not waited for
            self._asker.shutdown(cancel_futures=True)

    def standing(self) -> Standing:
        """How it stands now."""
        now = time.perf_counter()
        progress = [
            replace(busy.progress, trial=busy.page.trial, seconds=now - busy.began, process=busy.running.process.pid)
            for busy in self.busy.values()
        ]
        trials, seconds = self.book.trials, now - self.began
        return Standing(
            trials, progress, self.total, seconds, self._left(progress), self.sweep.metric, self.sweep.direction
        )

    def _left(self, running: list[Progress]) -> float | None:
        """A trial takes as long as the finished ones did in the mean; what is under way is counted by its progress."""
        took = [trial.seconds for trial in self.book.trials if trial.state == "finished" and trial.seconds]
        took += [each.seconds / each.done for each in running if each.done > 0.2]
        if not took or self.total is None:
            return None
        mean = sum(took) / len(took)
        ahead = self.total - len(self.book.pages) + len(self.waiting)
        work = ahead * mean + sum(max(mean - each.seconds, 0.0) for each in running)
        left = work / self.pool.workers
        if self.sweep.max_minutes is not None:
            left = min(left, max(self.sweep.max_minutes * 60 - (time.perf_counter() - self.began), 0.0) + mean)
        return left

    def _replay(self) -> None:
        """Brings a fresh oracle to where it was: the same questions and answers in the same order."""
        journal = self.book.journal()
        if journal:
            self.reporter.say(f"telling the tuner of {count_of(len(self.book.pages), 'trial')}")
        for kind, page in journal:
            if kind == "ask":
                assert page.asked is not None
                page.asked = self.tuner.replay(page.asked.raw)
            elif page.asked is not None:
                self.tuner.tell(page.asked.identity, page.trial.score, epoch=page.trial.best_epoch or 1)
        self.waiting = [page for page in self.book.pages.values() if page.trial.state == "cut"]

    def _fill(self) -> Ended | None:
        """Starts as many trials as there are free workers; says how the sweep has ended if there are no more."""
        while self.pool.free and not self.pressed.is_set():
            if self.waiting:
                page = self.waiting.pop(0)
                self._write(self.book.again, page)
                self._start(page, attempt=1)
                continue
            if self.total is not None and len(self.book.pages) >= self.total:
                return "done"
            minutes = self.sweep.max_minutes
            if self.book.pages and minutes is not None and time.perf_counter() - self.began > minutes * 60:
                return "max_minutes"
            if not self.book.pages:  # the recipe as it stands is what the others are compared with
                page = self._write(self.book.add, self.book.defaults, None)
                self._write(self.book.describe, page)
                self._start(page, attempt=1)
                continue
            at, asked = self._ask()
            if asked == "wait":
                if self._asking is None and not self.busy and not self._told:
                    # What it said may be older than the last answer; then it is asked once more.
                    if self._idle_after_tells == self._tells:
                        raise SweepError(
                            "the tuner waits for a trial that is not under way. Resume the sweep; if it stays, begin a new one"
                        )
                    self._idle_after_tells = self._tells
                return None
            if not isinstance(asked, Asked):
                return "exhausted"
            page = self._write(self.book.add, asked.values, asked, at)
            self._write(self.book.describe, page)
            try:
                twin = self._twin(page)
            except RecipeError as error:  # of a space too large to be looked at as a whole
                self._fail(page, str(error), seconds=0.0)
                continue
            if twin is None:
                self._start(page, attempt=1)
            else:
                self._take_over(page, twin)
        return None

    def _ask(self) -> tuple[int, Asked | Literal["wait", "done"]]:
        """The tuner's next values with their place in the journal; `wait` while it thinks.

        A bayesian one may think for seconds. It does so in a thread, and hears of scores there too, in the order in which both
        came up, so that the journal tells what happened; meanwhile trials are heard and watched.
        """
        if self._asking is None:
            self._asking = self.book.reserve(), self._asker.submit(self.tuner.ask)
        at, asked = self._asking
        try:
            answer = asked.result(timeout=_QUICK_SECONDS)
        except TimeoutError:
            return at, "wait"
        self._asking = None
        return at, answer

    def _twin(self, page: Page) -> Page | None:
        """A finished trial of the very same recipe: a grid comes by the recipe as it stands."""
        own = trial_recipe(self.book.recipe, page.trial.values)
        finished = (other for other in self.book.pages.values() if other.trial.state == "finished")
        return next((other for other in finished if trial_recipe(self.book.recipe, other.trial.values) == own), None)

    def _take_over(self, page: Page, twin: Page) -> None:
        """A trial that would train the same recipe with the same seed has the same score; it is not trained again."""
        found = twin.trial
        assert found.score is not None
        assert found.best_epoch is not None
        outcome = Outcome(found.score, found.best_epoch, fits=[], seconds=0.0, memory=0, folds=found.folds)
        said = f"the same recipe as trial {found.number}, not trained again"
        self._write(self.book.finish, page, outcome, bundle=None, reason=said)
        self._tell(page)
        self.reporter.on_trial(page.trial, False)

    def _start(self, page: Page, *, attempt: int) -> None:
        number = page.trial.number
        recipe = trial_recipe(self.book.recipe, page.trial.values)
        folder = self.folder / f"{number}-{attempt}"
        task = Task(
            recipe=recipe,
            metric=self.sweep.metric,
            to_beat=best.score if (best := best_of(self.book.trials, self.sweep.direction)) else None,
            direction=self.sweep.direction,
            folds=self.sweep.folds,
            data=self.data,
            folder=folder,
            run_id=page.record.run_id,
            columns=self.columns,
            digest=self.digest,
        )
        progress = Progress(page.trial, epochs=recipe.training.epochs)
        self.busy[number] = _Busy(page, self.pool.start(task), attempt, progress)

    def _hear(self, running: Running, kind: str, value: Any) -> None:
        busy = next(each for each in self.busy.values() if each.running is running)
        page = busy.page
        if kind == "batch":
            fold, epoch, of, done = value
            busy.progress = replace(busy.progress, fold=fold, epoch=epoch, epochs=of, done=done)
            return
        if kind == "epoch":
            fold, told = value
            epoch = Epoch(**told)
            of = self.sweep.folds or 1
            done = (fold - 1 + epoch.number / epoch.of) / of
            busy.progress = replace(
                busy.progress, fold=fold, epoch=epoch.number, epochs=epoch.of, done=done, last=epoch.val_loss
            )
            self._write(self.book.epoch, page, fold, epoch, folds=self.sweep.folds)
            return
        del self.busy[page.trial.number]
        self._ended(busy, kind, value)
        shutil.rmtree(running.task.folder, ignore_errors=True)

    def _ended(self, busy: _Busy, kind: str, value: Any) -> None:
        page, seconds = busy.page, time.perf_counter() - busy.began
        if kind == "done" and math.isfinite(value.score):
            self._finish(page, value, busy.running.task.folder / "bundle")
            return
        if kind == "died" and busy.attempt < _ATTEMPTS:
            self.reporter.say(f"trial {page.trial.number}: {value}; it is tried once more")
            self._start(page, attempt=busy.attempt + 1)
            return
        reasons = {"died": f"{value}, {_ATTEMPTS} times", "done": f"its {self.sweep.metric} is not a finite number"}
        reason = reasons.get(kind, str(value))
        if kind in ("wrong", "broken"):
            self._write(self.book.cut, page)  # it runs again if the sweep is resumed, once this is mended
        if kind == "wrong":
            raise _with_values(value, page)
        if kind == "broken":
            last = value.strip().splitlines()[-1]
            said = f"trial {page.trial.number} with {in_words(page.trial.values)} met a bug of the kit or of a library: {last}"
            raise SweepError(f"{said}. The sweep was stopped; --debug shows where") from _RemoteError(value)
        self._fail(page, reason, seconds=seconds)

    def _fail(self, page: Page, reason: str, *, seconds: float) -> None:
        self._write(self.book.fail, page, reason, seconds=seconds)
        self._tell(page)
        self.reporter.on_trial(page.trial, False)

    def _finish(self, page: Page, outcome: Outcome, bundle: Path) -> None:
        best = best_of(self.book.trials, self.sweep.direction)
        number = page.trial.number
        # `best_of` takes the earlier one of equals, so its model has to be kept even if it ends later.
        ties = best is not None and best.score == outcome.score and number < best.number
        leads = ties or is_better(outcome.score, best.score if best else None, self.sweep.direction)
        self._write(self.book.finish, page, outcome, bundle=bundle if leads else None)
        self._tell(page)
        if leads:
            self._write(self.book.record.metrics, {"sweep/best_so_far": outcome.score}, step=page.trial.number)
        self.reporter.on_trial(page.trial, leads)

    def _tell(self, page: Page) -> None:
        if page.asked is not None:
            epoch = page.trial.best_epoch or 1
            self._tells += 1
            self._told.append(self._asker.submit(self.tuner.tell, page.asked.identity, page.trial.score, epoch=epoch))

    def _hear_tuner(self) -> None:
        """An error of the tuner while it was told is one of the sweep."""
        while self._told and self._told[0].done():
            self._told.pop(0).result()

    def _write(self, write: Any, *arguments: Any, **named: Any) -> Any:
        """Writes into the book; a store that does not answer for a while costs time, and no trial."""
        until = time.perf_counter() + _STORE_SECONDS
        while True:
            try:
                return write(*arguments, **named)
            except TrackingError as error:
                if time.perf_counter() > until or self.pressed.is_set():
                    raise
                self.reporter.say(f"{error}; trying again")
                time.sleep(2)


class _RemoteError(Exception):
    """The traceback of another process, shown as the cause of an error in this one."""

    def __init__(self, text: str) -> None:
        super().__init__(f"\n{text}")


def _with_values(error: KitError, page: Page) -> KitError:
    return type(error)(f"trial {page.trial.number} with {in_words(page.trial.values)} cannot be run: {error}")
