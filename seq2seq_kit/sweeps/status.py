"""How a sweep stands while it runs, and who is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from seq2seq_kit.findings import Finding
from seq2seq_kit.sweeps.trials import Direction, Trial


@dataclass(frozen=True)
class Progress:
    """How a trial that is under way stands.

    Attributes:
        trial: Which one.
        fold: Which fold, from 1.
        epoch: Under way, from 1.
        epochs: Of the recipe.
        done: Share of the trial that is behind it, early stopping aside.
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
class Standing:
    """How a sweep stands, for who watches it.

    Attributes:
        trials: All trials so far.
        running: Those under way.
        total: Trials that there will be at most, or None if only the tuner knows.
        seconds: Wall time of the search so far.
        left: Seconds that it will take from now on, or None if nothing is known yet.
        metric: The objective.
        direction: Whether it should be small or large.
    """

    trials: list[Trial]
    running: list[Progress]
    total: int | None
    seconds: float
    left: float | None
    metric: str
    direction: Direction


class SweepReporter(Protocol):
    """Told how a sweep goes."""

    def say(self, text: str) -> None:
        """A stage begins that takes a while, or something worth knowing happened."""

    def find(self, finding: Finding) -> None:
        """A finding on data or result."""

    def on_standing(self, standing: Standing) -> None:
        """The sweep stands like this, several times a second at most."""

    def on_trial(self, trial: Trial, best: bool) -> None:
        """A trial has ended; `best`: it is the best one so far."""


class Silent:
    """The reporter of a program that wants to hear nothing."""

    def say(self, text: str) -> None: ...

    def find(self, finding: Finding) -> None: ...

    def on_standing(self, standing: Standing) -> None: ...

    def on_trial(self, trial: Trial, best: bool) -> None: ...
