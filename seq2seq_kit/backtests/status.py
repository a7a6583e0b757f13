"""How far a backtest is, and who is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from seq2seq_kit.findings import Finding

_LEAST_SHARE = 0.05  # of what a process has to do: what it is done with before it tells how long the rest takes


@dataclass(frozen=True)
class BacktestStatus:
    """How far a backtest is.

    Attributes:
        done: Fits that have ended.
        fits: All of them.
        running: By the origin of a fit that runs: the share of it that is done, as if early stopping did not end it.
        seconds: Since the first fit of this process began.
        before: Fits that had ended when it did, of a backtest that is resumed.
    """

    done: int
    fits: int
    running: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    before: int = 0

    @property
    def left(self) -> float | None:
        """Estimated seconds from now on, by what this process has done; None while that is too little to tell."""
        own = self.share - self.before / max(self.fits, 1)
        return (
            None
            if own < _LEAST_SHARE * (self.fits - self.before) / self.fits
            else self.seconds * (1 - self.share) / own
        )

    @property
    def share(self) -> float:
        """Of all fits, what is done."""
        return (self.done + sum(self.running.values())) / max(self.fits, 1)


class BacktestReporter(Protocol):
    """Told how a backtest goes."""

    def say(self, text: str) -> None:
        """A stage begins that takes a while, or something worth knowing happened."""

    def find(self, finding: Finding) -> None:
        """A finding on data or result."""

    def on_status(self, status: BacktestStatus) -> None:
        """The status, several times a second at most."""

    def on_origin(self, origin: int, said: str) -> None:
        """An origin has its forecasts; `said`: when, and the errors."""


class Silent:
    """The reporter of a program that wants to hear nothing."""

    def say(self, text: str) -> None: ...

    def find(self, finding: Finding) -> None: ...

    def on_status(self, status: BacktestStatus) -> None: ...

    def on_origin(self, origin: int, said: str) -> None: ...
