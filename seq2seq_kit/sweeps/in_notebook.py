"""A sweep in a notebook: one line that is written over, as of a training, and a line that stays for each failure and warning."""

import sys
import time

from seq2seq_kit.findings import Finding
from seq2seq_kit.results import LINE, InNotebook, is_notebook
from seq2seq_kit.sweeps.status import Silent, Status, SweepReporter, summary
from seq2seq_kit.sweeps.trials import Trial
from seq2seq_kit.text import printable

_SECONDS = 1.0  # between two lines at least: a notebook keeps in its file what is written over


class SweepInNotebook:
    """How many trials have ended, the best so far, how long it takes, and how far the running ones are."""

    def __init__(self) -> None:
        self._line = InNotebook()
        self._written = -_SECONDS

    def say(self, text: str) -> None:
        """A stage that takes a while begins."""
        self._line.say(text)

    def find(self, finding: Finding) -> None:
        """A warning stays; notes are in the result."""
        self._line.find(finding)

    def on_trial(self, trial: Trial, best: bool) -> None:
        """Only what failed stays, with its reason; the others are in the result's table."""
        if trial.state == "failed":
            sys.stdout.write(f"\r{printable(f'trial {trial.number} failed: {trial.reason}'):<{LINE}}\n")
        self._written = -_SECONDS

    def on_status(self, status: Status) -> None:
        """The line anew."""
        now = time.monotonic()
        if now - self._written < _SECONDS:
            return
        self._written = now
        told = summary(status)
        running = f"; running: {', '.join(f'{each.trial.number} ({each.done:.0%})' for each in status.running)}"
        self._line.say(told + running if status.running and len(told + running) <= LINE else told)


def reporter_at_hand() -> SweepReporter:
    """Who follows a sweep that names nobody: a line that is written over in a notebook, else nobody."""
    return SweepInNotebook() if is_notebook() else Silent()
