"""A training for programs: its result, and the reporter that follows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.evaluation.base import Board
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.training.fit import Epoch, Fit, Observer


@dataclass(frozen=True)
class TrainResult:
    """The result of a training.

    Attributes:
        recipe: Resolved, as it was trained.
        fit: How the fit went.
        val: Evaluation on the validation part, of the task's own class (`evaluation.windows.Evaluation` for windows).
        test: Evaluation on the test part.
        findings: Diagnostics of data and result.
        bundle: The trained model, ready to predict.
        run_id: Id of the MLflow run.
        tracking_uri: The store that holds it.
        seconds: Wall time of the whole run.
    """

    recipe: Recipe
    fit: Fit
    val: Board
    test: Board
    findings: list[Finding]
    bundle: Bundle
    run_id: str
    tracking_uri: str
    seconds: float


class Announcer(Protocol):
    """Is told which stage begins and what was found."""

    def say(self, text: str) -> None:
        """A stage that takes a while begins, or something else happened that a user should know."""

    def find(self, finding: Finding) -> None:
        """A finding about data or result."""


class Reporter(Announcer, Observer, Protocol):
    """Is told how a run goes; the command line shows it, a program may leave it out."""


class Silent:
    """Shows nothing; the findings are in the result, too."""

    def say(self, text: str) -> None: ...

    def find(self, finding: Finding) -> None: ...

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None: ...

    def on_epoch(self, epoch: Epoch) -> None: ...
