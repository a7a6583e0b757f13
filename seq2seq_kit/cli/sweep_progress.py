"""A sweep in the terminal: a live table of running trials and the best ones, and a line for each trial that has ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from seq2seq_kit.cli.progress import print_finding, print_line, shown
from seq2seq_kit.findings import Finding
from seq2seq_kit.reports.notes import figure
from seq2seq_kit.sweeps import SweepResult
from seq2seq_kit.sweeps.status import Status, summary
from seq2seq_kit.sweeps.trials import Trial, ranked, short_keys, text_of
from seq2seq_kit.text import duration

_BEST = 5
_REFRESHES = 4  # a second
_LINE_SECONDS = 300.0
_BAR = 12


class SweepConsole:
    """The reporter of `sweep` on a terminal. Written to a file or a pipe it prints the lines of ended trials only."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.status: Status | None = None
        self.drawn = 0.0
        self.live = Live(console=console, auto_refresh=False, transient=True)
        self.shows = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._hide()

    def say(self, text: str) -> None:
        """A stage begins."""
        print_line(self.console, ("·", "cyan"), f" {text}")

    def find(self, finding: Finding) -> None:
        """A finding, coloured by its level."""
        print_finding(self.console, finding)

    def on_status(self, status: Status) -> None:
        """Draws the table anew."""
        self.status = status
        now = time.perf_counter()
        if not self.console.is_terminal:
            if now - self.drawn > _LINE_SECONDS:  # a sign of life in a file
                if self.drawn:
                    print_line(self.console, summary(status))
                self.drawn = now
            return
        if now - self.drawn < 1 / _REFRESHES:
            return
        self.drawn = now
        if not status.running:
            self._hide()
            return
        if not self.shows:
            self.live.start()
            self.shows = True
        self.live.update(render(status), refresh=True)

    def on_trial(self, trial: Trial, best: bool) -> None:
        """A line for a trial that has ended; a star for the best so far."""
        of = f"/{self.status.total}" if self.status and self.status.total else ""
        head = f"trial {trial.number:>3}{of}"
        if trial.state == "failed":
            said: list[str | tuple[str, str]] = [("failed", "red"), f": {trial.reason}"]
        else:
            spread = f" ± {trial.spread:.3g}" if trial.spread is not None else ""
            said = [f"{trial.score:.6g}{spread}  epoch {trial.best_epoch}"]
        took = trial.reason if trial.state == "pruned" or not trial.seconds else duration(trial.seconds)
        star = " *" if best else ""
        print_line(self.console, f"{head}  ", *said, f"  {_values_text(trial)}  {took}{star}")

    def _hide(self) -> None:
        if self.shows:
            self.live.stop()
            self.shows = False


def print_result(console: Console, result: SweepResult) -> None:
    """The best trials, what mattered, and what to do next."""
    status = Status(result.trials, [], None, result.seconds, None, result.metric, result.direction)
    console.print(render(status))
    shares = [f"{key} {share:.0%}" for key, share in result.importances.shares.items()]
    lines = [f"what mattered: {', '.join(shares)}" if shares else f"what mattered: {result.importances.why}"]
    lines.append(f"run {result.run_id}  {result.seconds:.0f} s in all")
    run = result.run_id
    lines.append("  seq2seq-kit ui                                   review it")
    lines.append(f"  seq2seq-kit sweep --best {run} --out best.yaml")
    if result.ended in ("interrupted", "max_minutes"):
        lines.append(f"  seq2seq-kit sweep --resume {run}")
    for line in lines:
        print_line(console, line)


def render(status: Status) -> Group:
    """The live view: running trials with a bar each, the best finished ones, and a summary."""
    keys = _keys(status.trials)
    names = short_keys(keys)
    table = Table(title=None, expand=False)
    for name in ("trial", "", status.metric, "epoch"):
        table.add_column(name, justify="right" if name in ("trial", status.metric) else "left", no_wrap=True)
    for key in keys:
        table.add_column(shown(names[key]), overflow="ellipsis")
    table.add_column("time", justify="right", no_wrap=True)
    for each in status.running:
        bar = "━" * round(each.done * _BAR)
        last = "" if each.last is None else figure(each.last)
        table.add_row(
            str(each.trial.number),
            Text(bar.ljust(_BAR, "╌"), style="cyan"),
            Text(last, style="dim"),
            f"{each.epoch}/{each.epochs}",
            *_cells(each.trial, keys),
            duration(each.seconds),
        )
    best = ranked(status.trials, status.direction)[:_BEST]
    if best:
        table.add_section()
    for place, trial in enumerate(best):
        table.add_row(
            str(trial.number),
            "best so far" if place == 0 else "",
            Text(f"{trial.score:.5g}", style="bold green" if place == 0 else ""),
            str(trial.best_epoch),
            *_cells(trial, keys),
            duration(trial.seconds),
        )
    return Group(table, Text(summary(status)))


def _cells(trial: Trial, keys: Sequence[str]) -> list[Text]:
    return [shown(text_of(trial.values[key])) if key in trial.values else Text() for key in keys]


def _keys(trials: Sequence[Trial]) -> list[str]:
    return list(dict.fromkeys(key for trial in trials for key in trial.values))


def _values_text(trial: Trial) -> str:
    names = short_keys(list(trial.values))
    return ", ".join(f"{names[key]} {text_of(value)}" for key, value in trial.values.items())
