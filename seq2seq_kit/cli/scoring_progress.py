"""Many files in the terminal: a bar of what is read, a line for each file that fails, a table at the end."""

import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from seq2seq_kit.cli.progress import BarConsole, print_line, print_table
from seq2seq_kit.scoring import Scored, ScoreResult
from seq2seq_kit.text import duration

_SHOWN = 20  # files of the table, and notes
_LINE_SECONDS = 60.0


class ManyConsole(BarConsole):
    """The reporter of many files: a bar of what is read; a line for each file that fails. In a pipe a line a minute."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.progress = Progress(
            TextColumn("{task.fields[said]}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[speed]} rows/s, time left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.began = time.perf_counter()
        self.files = self.size = self.done = self.kept = 0
        self.ended = 0.0  # bytes
        self.rows = 0
        self.under_way: dict[str, tuple[int, float]] = {}

    def __enter__(self) -> Self:
        return self

    def on_start(self, files: int, size: int) -> None:
        """So many files of so many bytes in all."""
        self.files, self.size, self.began = files, size, time.perf_counter()
        self.drawn = self.began
        self.task = self.progress.add_task("", total=max(size, 1), said="", speed="...")
        self.progress.start()
        self._draw()

    def on_rows(self, file: str, rows: int, share: float, size: int) -> None:
        """Moves the bar."""
        self.under_way[file] = rows, share * size
        self._draw()

    def on_file(self, scored: Scored, size: int) -> None:
        """Counts a file, and tells one that failed."""
        self.under_way.pop(scored.file, None)
        self.done, self.ended = self.done + 1, self.ended + size
        self.kept += scored.status == "kept"
        self.rows += scored.rows if scored.status == "done" else 0
        if scored.status == "failed":
            print_line(self.console, ("!", "yellow"), f" {scored.file} failed: {scored.code}")
        self._draw()

    def say(self, text: str) -> None:
        """Prints a line."""
        print_line(self.console, text)

    def _draw(self) -> None:
        now = time.perf_counter()
        rows = self.rows + sum(rows for rows, _ in self.under_way.values())
        speed = f"{rows / max(now - self.began, 1e-9):,.0f}"
        said = f"{self.done:,}/{self.files:,} files, {rows:,} rows"
        if self.task is not None:
            at = self.ended + sum(size for _, size in self.under_way.values())
            self.progress.update(self.task, completed=at, said=said, speed=speed)
        if not self.console.is_terminal and now - self.drawn > _LINE_SECONDS:
            self.drawn = now
            print_line(self.console, f"{said}, {speed} rows/s")


def print_scored(console: Console, result: ScoreResult, out: str) -> None:
    """The table of files: those that failed first, then as many as there is room for; notes; what to do next."""
    files = sorted(result.files, key=lambda each: each.status != "failed")
    cells = [
        [each.file, each.code or each.status]
        + [f"{number:,}" for number in (each.rows, each.written)]
        + [f"{each.seconds:.1f}"]
        for each in files[:_SHOWN]
    ]
    rest = len(files) - len(cells)
    title = f"{len(files):,} files into {out}" + (f", {len(cells)} of them" if rest > 0 else "")
    print_table(console, ["file", "status", "rows", "rows of answers", "seconds"], cells, title=title)
    notes = [f"note: {each.file}: {note}" for each in result.files for note in each.notes]
    for note in notes[:_SHOWN]:
        print_line(console, note)
    if len(notes) > _SHOWN:
        print_line(console, f"and {len(notes) - _SHOWN:,} more notes")
    for each in result.failed[:_SHOWN]:
        print_line(console, ("!", "yellow"), f" {each.code}: {' '.join(each.error.split())}")
    counts = {status: sum(each.status == status for each in files) for status in ("done", "kept", "failed")}
    rows = sum(each.rows for each in files if each.status == "done")
    processes = "1 process" if result.workers == 1 else f"{result.workers} processes"
    print_line(
        console,
        f"{counts['done']:,} done, {counts['kept']:,} done before, {counts['failed']:,} failed; {rows:,} rows in "
        f"{duration(result.seconds)} by {processes}, {result.rows_per_second:,.0f} rows/s",
    )
    if result.failed:
        print_line(console, "the same command scores the files that failed again, and no other")
