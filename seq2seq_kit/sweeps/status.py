"""The status of a sweep while it runs, and who is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from seq2seq_kit.findings import Finding
from seq2seq_kit.sweeps.trials import Direction, Trial, best_of
from seq2seq_kit.text import duration


@dataclass(frozen=True)
class Progress:
    """How far a running trial is.

    Attributes:
        trial: Which one.
        fold: The current fold, from 1.
        epoch: The current epoch, from 1.
        epochs: Of the recipe.
        done: Share of the trial that is done, as if early stopping did not end it.
        last: Validation loss of the last finished epoch, or None.
        seconds: Since it began.
        process: Id of its process.
    """

    trial: Trial
    fold: int = 1
    epoch: int = 1
    epochs: int = 0
    done: float = 0.0
    last: float | None = None
    seconds: float = 0.0
    process: int = 0


@dataclass(frozen=True)
class Status:
    """The status of a sweep.

    Attributes:
        trials: All trials so far.
        running: Those that run now.
        total: The largest number of trials there will be, or None if only the tuner knows.
        seconds: Wall time of the search so far.
        left: Estimated seconds from now on, or None if nothing is known yet.
        metric: The objective.
        direction: Whether the objective is minimized or maximized.
    """

    trials: list[Trial]
    running: list[Progress]
    total: int | None
    seconds: float
    left: float | None
    metric: str
    direction: Direction


Standing = Status  # its name in earlier versions


class SweepReporter(Protocol):
    """Told how a sweep goes."""

    def say(self, text: str) -> None:
        """A stage begins that takes a while, or something worth knowing happened."""

    def find(self, finding: Finding) -> None:
        """A finding on data or result."""

    def on_status(self, status: Status) -> None:
        """The status, several times a second at most. A reporter may have `on_standing` instead, its name in earlier versions."""

    def on_trial(self, trial: Trial, best: bool) -> None:
        """A trial has ended; `best`: it is the best one so far."""


class Silent:
    """The reporter of a program that wants to hear nothing, and a base for one that wants to hear something."""

    def say(self, text: str) -> None: ...

    def find(self, finding: Finding) -> None: ...

    def on_trial(self, trial: Trial, best: bool) -> None: ...

    def on_status(self, status: Status) -> None:
        if earlier := getattr(self, "on_standing", None):
            earlier(status)


def report_status(reporter: SweepReporter, status: Status) -> None:
    """Calls the reporter's `on_status`, or `on_standing` if it has only that."""
    report = getattr(reporter, "on_status", None) or getattr(reporter, "on_standing")  # noqa: B009  (not in the protocol)
    report(status)


def summary(status: Status) -> str:
    """`7 of 20 trials finished, 1 failed; best val_loss 0.0512 (trial 4); 2.1 min so far, about 3.0 min left`."""
    finished = sum(trial.state == "finished" for trial in status.trials)
    failed = sum(trial.state == "failed" for trial in status.trials)
    of = f" of {status.total}" if status.total else ""
    pruned = sum(trial.state == "pruned" for trial in status.trials)
    best = best_of(status.trials, status.direction)
    others = (f", {pruned} pruned" if pruned else "") + (f", {failed} failed" if failed else "")
    parts = [f"{finished}{of} trials finished{others}"]
    if best is not None:
        parts.append(f"best {status.metric} {best.score:.5g} (trial {best.number})")
    left = "" if status.left is None else f", about {duration(status.left)} left"
    return "; ".join([*parts, f"{duration(status.seconds)} so far{left}"])


def seconds_left(status: Status, *, workers: int, waiting: int, max_minutes: float | None) -> float | None:
    """An estimate: a trial takes as long as the mean of the finished ones, and running ones count by their progress.

    Args:
        status: Of now; `left` is not read.
        workers: Trials at a time.
        waiting: Trials among `status.trials` that are to be run again.
        max_minutes: Of the sweep's section.
    """
    took = [trial.seconds for trial in status.trials if trial.state in ("finished", "pruned") and trial.seconds]
    took += [each.seconds / each.done for each in status.running if each.done > 0.2]
    if not took or status.total is None:
        return None
    mean = sum(took) / len(took)
    ahead = status.total - len(status.trials) + waiting
    left = (ahead * mean + sum(max(mean - each.seconds, 0.0) for each in status.running)) / workers
    return left if max_minutes is None else min(left, max(max_minutes * 60 - status.seconds, 0.0) + mean)
