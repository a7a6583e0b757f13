"""`backtest`: how a recipe would have done at past moments; a bar while it runs, tables and the recommendation at its end."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from seq2seq_kit.cli import rows
from seq2seq_kit.cli.progress import BarConsole, print_line, print_table
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.text import duration

if TYPE_CHECKING:
    import pandas as pd

    from seq2seq_kit.backtests.result import BacktestResult
    from seq2seq_kit.backtests.status import BacktestStatus

_INTERRUPTED = 130
_WINDOWS, _REFIT = 20, "5"
_OWN = ("windows", "stride", "refit", "rolling", "gap")
_REFRESH_SECONDS = 0.2
_SHOWN = 30  # origins in the table


class BacktestConsole(BarConsole):
    """The reporter of `backtest` on a terminal: a bar of all fits, a line for each origin. In a file or a pipe the lines only."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.progress = Progress(
            TextColumn("{task.fields[fits]}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def on_status(self, status: BacktestStatus) -> None:
        """Moves the bar, a few times a second."""
        now = time.perf_counter()
        if not self.console.is_terminal or now - self.drawn < _REFRESH_SECONDS:
            return
        self.drawn = now
        if self.task is None:
            self.task = self.progress.add_task("", total=1.0, fits="", left="")
        left = "" if status.left is None else f"about {duration(status.left)} left"
        self.progress.start()
        self.progress.update(self.task, completed=status.share, fits=f"{status.done} of {status.fits} fits", left=left)

    def on_origin(self, origin: int, said: str) -> None:
        """A line for an origin with its forecasts."""
        print_line(self.console, f"origin {origin:>3}  {said}")


def backtest(options: argparse.Namespace) -> int:
    """Runs a backtest, or resumes one."""
    rows.check_ending(options.out)
    given = {name: getattr(options, name) for name in _OWN if getattr(options, name) is not None}
    if options.resume is not None:
        if options.recipe is not None or options.overrides or given or options.expanding:
            said = "--resume takes recipe and origins from the run. Leave RECIPE, --set and the options of origins out"
            raise ArgumentError(said, code="invalid_option")
    elif options.recipe is None:
        raise ArgumentError("name a RECIPE or RUN to backtest, or a backtest to --resume", code="invalid_option")
    from seq2seq_kit import backtests

    console = Console()
    with BacktestConsole(console) as reporter:
        result = backtests.backtest(
            options.recipe,
            **given,
            overrides=options.overrides,
            workers=options.workers,
            resume=options.resume,
            tracking_uri=options.tracking_uri,
            reporter=reporter,
        )
    print_result(console, result)
    if options.out:
        rows.write_frame(result.frame, options.out)
    return _INTERRUPTED if result.ended == "interrupted" else 0


def print_result(console: Console, result: BacktestResult) -> None:
    """Errors over all, by origin and by series, the recommendation, and what to do next."""
    from seq2seq_kit.backtests.scores import forecasters_of

    name, names = result.scores.name(), forecasters_of(result.rows)
    shown = [each.replace("_", " ") for each in names]
    by_origin = result.by_origin()
    lines = [
        [str(origin), str(own["cutoff"]), str(own["age"]), *_figures(own, names)]
        for origin, own in by_origin.iterrows()
    ]
    more = f", the newest {_SHOWN}" if len(lines) > _SHOWN else ""
    header = ["origin", "newest known row", "age", *shown]
    print_table(console, header, lines[-_SHOWN:], title=f"{name} by origin{more}", whole=["newest known row"])
    if result.scores.scaled:
        table = result.by_series()
        cells = [[str(series), *_figures(own, names)] for series, own in list(table.iterrows())[:_SHOWN]]
        print_table(console, ["series", *shown], cells, title=f"{name} by series")
    overall = result.overall()
    columns = [str(column) for column in overall.columns]
    print_table(
        console,
        ["", *columns],
        [[str(each).replace("_", " "), *_figures(own, columns)] for each, own in overall.iterrows()],
        title=_counted(by_origin.shape[0], result.schedule.windows)
        + (", errors over each series' own scale" if result.scores.scaled else ""),
    )
    for each in result.advice:
        print_line(console, each)
    print_line(console, f"run {result.run_id}  {result.seconds:.0f} s in all")
    print_line(console, "  seq2seq-kit ui                                   review it")
    if result.ended == "interrupted":
        print_line(console, f"  seq2seq-kit backtest --resume {result.run_id}   run what is missing")


def _counted(told: int, asked: int) -> str:
    return f"All {told} origins" if told == asked else f"{told} of {asked} origins; the others have no forecast"


def arguments(verb: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    verb.add_argument("recipe", metavar="RECIPE|RUN", nargs="?", help="YAML file, id of a run, or path of a bundle")
    verb.add_argument("--windows", type=int, metavar="N", help=f"origins to forecast from; default: {_WINDOWS}")
    verb.add_argument("--stride", type=int, metavar="ROWS", help="between origins; default: the recipe's output_steps")
    verb.add_argument("--refit", metavar="K|never|always", help=f"fit again every K origins; default: {_REFIT}")
    which = verb.add_mutually_exclusive_group()
    which.add_argument("--expanding", action="store_true", help="fit on all rows before an origin (the default)")
    which.add_argument("--rolling", type=int, metavar="ROWS", help="fit on the newest so many rows before an origin")
    verb.add_argument("--gap", type=int, metavar="ROWS", help="between the newest known row and the first forecast one")
    verb.add_argument("--workers", type=int, help="fits in parallel, each in its own process; default: the cores")
    verb.add_argument("--out", metavar="FILE", help="write the forecasts beside the actual values (CSV or Parquet)")
    verb.add_argument("--resume", metavar="RUN", help="run what the backtest of this run lacks")
    verb.add_argument(
        "--set", dest="overrides", metavar="KEY=VALUE", action="append", default=[], help="such as training.epochs=5"
    )
    verb.add_argument("--tracking-uri", help="folder or server; default: MLFLOW_TRACKING_URI, else mlruns/")


def _figures(own: pd.Series, names: list[str]) -> list[str]:
    from seq2seq_kit.reports.notes import figure

    return [figure(float(own[name])) for name in names]
