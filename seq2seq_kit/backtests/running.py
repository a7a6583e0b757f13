"""The fits of a backtest in processes of their own: started, heard, stored."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd

from seq2seq_kit.backtests.frame import assemble
from seq2seq_kit.backtests.rows import Rows
from seq2seq_kit.backtests.scores import FROZEN, Scores, forecasters_of
from seq2seq_kit.backtests.status import BacktestReporter, BacktestStatus
from seq2seq_kit.backtests.store import BacktestStore, members_of
from seq2seq_kit.backtests.worker import FORECASTS, FitTask
from seq2seq_kit.errors import DataError, TrackingError, TrainingError
from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.executing.executor import Executor, RunningTrial
from seq2seq_kit.executing.process import BatchBegan, EpochEnded, Failure, Message, Outcome
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.reports.notes import figure

_ATTEMPTS = 2  # a process that was killed may have been unlucky
_TICK_SECONDS = 0.5


@dataclass
class _Running:
    origins: range
    handle: RunningTrial
    attempt: int
    done: float = 0.0


@dataclass
class Fits:
    """Runs the fits that a backtest lacks.

    Attributes:
        store: Its runs.
        rows: All of them.
        recipe: Of `past_recipe`. `skipped`: likewise.
        scale: Of `scale_of`, for the metrics of an origin.
        executor: Where fits run; is closed at the end.
        reporter: Is told how it goes.
        folder: For their files.
        interrupted: Set by Ctrl-C.
        failed: Why fits have failed, by their origins.
    """

    store: BacktestStore
    rows: Rows
    recipe: Recipe
    skipped: int
    scale: dict[str, float]
    executor: Executor
    reporter: BacktestReporter
    folder: Path
    interrupted: threading.Event
    failed: dict[int, str] = field(default_factory=dict)

    def run(self) -> Literal["done", "interrupted"]:
        """Runs until every fit has ended, or Ctrl-C.

        Raises:
            KitError: Recipe or rows of a fit are wrong: the error itself, with its origin.
            TrainingError: A fit met a bug.
        """
        self.members = members_of(self.store.recipe)
        waiting, self.running = self.store.missing, dict[int, _Running]()
        began, total, lacked = time.perf_counter(), len(self.store.schedule.fits), len(waiting)
        try:
            while (waiting or self.running) and not self.interrupted.is_set():
                while waiting and self.executor.free:
                    self._start(waiting.pop(0), attempt=1)
                for handle, message in self.executor.wait(_TICK_SECONDS):
                    self._handle(handle, message)
                shares = {origin: each.done for origin, each in self.running.items()}
                done = total - len(waiting) - len(self.running)
                seconds = time.perf_counter() - began
                self.reporter.on_status(BacktestStatus(done, total, shares, seconds, before=total - lacked))
        finally:
            self.executor.close()
            for origin in self.running:
                try:
                    self.store.cut(origin)
                except TrackingError:  # it must not hide what ended the backtest
                    break
        return "interrupted" if self.interrupted.is_set() and (waiting or self.running) else "done"

    def _start(self, origins: range, *, attempt: int) -> None:
        first, schedule = origins[0], self.store.schedule
        # The first model forecasts at all later origins, too: that costs no fit and says what refitting is worth.
        asked = range(1, schedule.windows + 1) if first == 1 else origins
        place = self.folder / f"{first}-{attempt}"
        task = FitTask(self.recipe, self.rows.until(asked), first, tuple(asked), self.skipped, place)
        self.store.start(first, self._cutoff(first))
        self.running[first] = _Running(origins, self.executor.start(task), attempt)

    def _handle(self, handle: RunningTrial, message: Message) -> None:
        origin, running = next(pair for pair in self.running.items() if pair[1].handle is handle)
        if isinstance(message, BatchBegan):
            running.done = max(running.done, message.done / max(self.members, 1))
        elif isinstance(message, EpochEnded):
            before = max(message.epoch.member - 1, 0)
            running.done = (before + message.epoch.number / message.epoch.of) / max(self.members, 1)
            self.store.epoch(origin, message.epoch)
        else:
            del self.running[origin]
            if isinstance(message, Failure):
                self._fail(origin, running, message)
            else:
                self._finish(origin, running.origins, message, handle.task.folder)
            shutil.rmtree(handle.task.folder, ignore_errors=True)

    def _finish(self, origin: int, origins: range, outcome: Outcome, folder: Path) -> None:
        rows = assemble(self.rows, self.store.schedule, {origin: pd.read_parquet(folder / FORECASTS)})
        scores = Scores(rows, self.scale)
        figures: dict[int, dict[str, float]] = {number: {} for number in origins}
        for metric in ("rmse", "mae"):
            errors = scores.errors(["origin"], metric)
            for number, own in errors.iterrows():
                for name in forecasters_of(rows):
                    if name == FROZEN:
                        continue
                    key = metric if name == MODEL else f"{metric}_{name}"
                    figures[int(str(number))][key] = float(own[name])
        self.store.finish(origin, outcome, folder, figures, {number: self._cutoff(number) for number in origins})
        for number, own_figures in figures.items():
            errors_said = ", ".join(
                f"{key.removeprefix('rmse_').replace('_', ' ') if key != 'rmse' else scores.name()} {figure(value)}"
                for key, value in own_figures.items()
                if key.startswith("rmse")
            )
            fitted = f"; fit {outcome.seconds:.0f} s, epoch {outcome.best_epoch}" if number == origin else ""
            self.reporter.on_origin(number, f"{self._cutoff(number)}  {errors_said or 'no forecast'}{fitted}")

    def _fail(self, origin: int, running: _Running, failure: Failure) -> None:
        about = f"the fit at origin {origin} ({self._cutoff(origin)})"
        if failure.kind == "killed" and running.attempt < _ATTEMPTS:
            self.reporter.say(f"{about}: {failure.reason}; it is tried once more")
            self._start(running.origins, attempt=running.attempt + 1)
            return
        last = failure.reason.strip().splitlines()[-1] if failure.reason.strip() else failure.kind
        self.store.fail(origin, failure.reason)
        if isinstance(failure.error, DataError):  # the rows of this fit, such as those of an outage; others may be good
            self.failed[origin] = f"{about} cannot be made: {failure.error}"
            self.reporter.say(self.failed[origin])
            return
        if failure.error is not None:
            raise type(failure.error)(f"{about} cannot be made: {failure.error}", code=failure.error.code)
        if failure.kind == "bug":
            raise TrainingError(
                f"{about} met a bug of the kit or of a library: {last}. It was stopped; the run's tag `error` shows where",
                code="fit_bug",
            )
        self.failed[origin] = f"{about} has failed, so its origins have no forecasts: {failure.reason}"
        self.reporter.say(self.failed[origin])

    def _cutoff(self, origin: int) -> str:
        """The newest known row of all series at an origin, in words."""
        newest = max(self.rows.cutoffs(origin).values(), default="none")  # type: ignore[type-var]
        return str(newest) if self.rows.time else f"row {newest}"
