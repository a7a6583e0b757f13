"""Trials that are ended early because others did better by the same epoch: `sweep.pruner`, beside whichever tuner.

`median`: worse than half of the finished trials (the median stopping rule of Golovin et al. 2017, "Google Vizier", with the best
objective so far in place of the mean). `asha`: not among the best one of `factor` at an epoch that is a power of `factor` (Li et
al. 2020, "A System for Massively Parallel Hyperparameter Tuning", in the form that ends trials instead of promoting them).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from statistics import median

from seq2seq_kit.executing.process import EpochEnded, Outcome
from seq2seq_kit.recipe.sweep import Sweep, direction_of
from seq2seq_kit.recipe.sweep_space import section_of
from seq2seq_kit.reports.notes import count_of, figure
from seq2seq_kit.sweeps.trial_process import score_of
from seq2seq_kit.sweeps.trial_store import TrialStore
from seq2seq_kit.sweeps.trials import is_better
from seq2seq_kit.training.fit import Epoch, Fit

_FINISHED = 5  # that the median is of at least
_WARM_UP = 3  # epochs before which the median says little; of folds one


@dataclass
class _Fold:
    """The epochs of a fit, the one that it would keep so far, and the objective in that one after each of them."""

    epochs: list[Epoch] = field(default_factory=list)
    best: Epoch | None = None
    course: list[float] = field(default_factory=list)


@dataclass
class _Shown:
    """What a trial has shown: its epochs by fold, and whether it has come to its own end."""

    folds: dict[int, _Fold] = field(default_factory=dict)
    finished: bool = False


class Pruning:
    """Hears of every epoch and says which trials are hopeless.

    Args:
        sweep: Its `pruner` may be None: then none is.
        monitor: Figure of an epoch that says which one a trial keeps, `training.monitor`.
    """

    def __init__(self, sweep: Sweep, monitor: str = "val_loss") -> None:
        self.sweep, self.monitor = sweep, monitor
        self.sign = 1 if direction_of(monitor) == "min" else -1
        self.shown: dict[int, _Shown] = {}

    @classmethod
    def of(cls, store: TrialStore) -> Pruning:
        """That of a sweep that is resumed knows the trials that have ended."""
        found = cls(sweep := section_of(store.recipe), store.recipe.training.monitor)
        for number, entry in store.entries.items():
            if sweep.pruner is not None and entry.trial.state in ("finished", "pruned"):
                for fold, fit in enumerate(store.fits(entry), start=1):  # none where it was not trained
                    for epoch in fit.history:
                        found._note(number, fold, epoch)
                if entry.trial.state == "finished":
                    found.finish(number)
        return found

    def hear(self, trial: int, message: EpochEnded) -> str:
        """Notes an epoch of a trial, and returns why the trial is hopeless; empty if it is not."""
        if self.sweep.pruner is None:
            return ""
        epoch, before = message.epoch, len(self._course(trial))
        if epoch.number == 1 and message.fold == 1:  # also of a trial that begins once more
            self.shown.pop(trial, None)
        self._note(trial, message.fold, epoch)
        course = self._course(trial)
        # The first one has the recipe's own values, which all others are compared with. One that is at its end is let finish, and
        # epochs of a warm-up are never kept.
        over = not self.sweep.folds and epoch.number == epoch.of
        if trial == 1 or len(course) <= before or over or epoch.warm_up:
            return ""
        return self._median(trial, course) if self.sweep.pruner == "median" else self._asha(trial, course)

    def finish(self, trial: int) -> None:
        """A trial has come to its own end."""
        if trial in self.shown:
            self.shown[trial].finished = True

    def forget(self, trial: int) -> None:
        """A trial has failed: what it showed before says nothing of others."""
        self.shown.pop(trial, None)

    def outcome(self, trial: int, seconds: float) -> Outcome:
        """What a pruned trial leaves: its best epoch so far, over folds the mean of those that it finished."""
        folds = self.shown[trial].folds
        whole = [folds[number] for number in sorted(folds)[: -1 if self.sweep.folds else None]]
        fits = [
            Fit(history=fold.epochs, best_epoch=fold.best.number, ended="early", seconds=0.0)
            for fold in whole
            if fold.best is not None
        ]
        scores = tuple(fold.course[-1] for fold in whole)
        score = sum(scores) / len(scores)
        return Outcome(score, fits[-1].best_epoch, fits, seconds, 0, folds=scores if self.sweep.folds else ())

    def _note(self, trial: int, number: int, epoch: Epoch) -> None:
        fold = self.shown.setdefault(trial, _Shown()).folds.setdefault(number, _Fold())
        fold.epochs.append(epoch)
        if fold.best is None or (fold.best.warm_up, self._figure(fold.best)) > (epoch.warm_up, self._figure(epoch)):
            fold.best = epoch
        fold.course.append(score_of(fold.best, self.sweep.metric))

    def _figure(self, epoch: Epoch) -> float:
        return self.sign * score_of(epoch, self.monitor)

    def _course(self, trial: int) -> list[float]:
        """The objective after each epoch as it would be if the trial ended there; over folds after each finished fold."""
        if trial not in self.shown:
            return []
        shown = self.shown[trial]
        if not self.sweep.folds:
            return shown.folds[1].course
        done = sorted(shown.folds)[: None if shown.finished else -1]  # the newest one goes on
        sums = accumulate(shown.folds[number].course[-1] for number in done)
        return [total / count for count, total in enumerate(sums, start=1)]

    def _median(self, trial: int, course: Sequence[float]) -> str:
        at = len(course)
        finished = [number for number, shown in self.shown.items() if shown.finished and number != trial]
        if len(finished) < _FINISHED or (at < _WARM_UP and not self.sweep.folds):
            return ""
        # One that had stopped by itself before has its best figure.
        middle = median(own[min(at, len(own)) - 1] for own in map(self._course, finished))
        if not is_better(middle, course[-1], self.sweep.direction):
            return ""
        return f"{self._about(course)} is worse than the median of the {len(finished)} finished trials there, {figure(middle)}"

    def _asha(self, trial: int, course: Sequence[float]) -> str:
        at, factor = len(course), self.sweep.factor
        rung = 1 if self.sweep.folds else factor
        while rung < at:
            rung *= factor
        others = [own[at - 1] for number in self.shown if number != trial and len(own := self._course(number)) >= at]
        if rung != at or len(others) + 1 < factor:
            return ""
        better = sum(is_better(other, course[-1], self.sweep.direction) for other in others)
        if better < (len(others) + 1) // factor:
            return ""
        return f"{self._about(course)} is not among the best one in {factor} of the {len(others) + 1} trials that came there"

    def _about(self, course: Sequence[float]) -> str:
        after = count_of(len(course), "fold" if self.sweep.folds else "epoch")
        return f"pruned: its {self.sweep.metric} after {after}, {figure(course[-1])},"
