"""Output on the terminal: a progress line while a model trains, tables, findings."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from seq2seq_kit.findings import Finding
from seq2seq_kit.text import duration, printable
from seq2seq_kit.training.fit import Epoch

if TYPE_CHECKING:
    from seq2seq_kit.explanation import Explanation

_REFRESH_SECONDS = 0.2

_LONGEST_WORD = 24  # of a table's cell that is kept in one piece


class BarConsole:
    """What reporters with a bar share: stages and findings stand above it.

    Attributes:
        console: Where they are printed.
        progress: The bar, absent in a file or a pipe.
        task: What it shows, once there is something.
        drawn: When it was moved last.
    """

    console: Console
    progress: Progress

    def __init__(self) -> None:
        self.task: TaskID | None = None
        self.drawn = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def say(self, text: str) -> None:
        """A stage starts."""
        self.progress.stop()
        print_line(self.console, ("·", "cyan"), f" {text}")

    def find(self, finding: Finding) -> None:
        """A finding, coloured by its level."""
        self.progress.stop()
        print_finding(self.console, finding)


class TrainingConsole(BarConsole):
    """The reporter of `train` on a terminal: a progress bar of the current epoch and a line for each finished one.

    In a file or a pipe it prints the finished lines only.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[speed]} sequences/s, time left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.best: dict[int, float] = {}  # by member of an ensemble

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
        """Moves the bar, a few times a second."""
        now = time.perf_counter()
        if not self.console.is_terminal or now - self.drawn < _REFRESH_SECONDS:
            return
        self.drawn = now
        done = (epoch - 1) * steps + step
        if self.task is None:
            self.progress.start()
            self.task = self.progress.add_task("", total=of * steps, epoch="", speed="...")
        self.progress.update(self.task, completed=done, epoch=f"{epoch}/{of}")

    def on_epoch(self, epoch: Epoch) -> None:
        """A line for the finished epoch; a star where validation is the best so far."""
        member = f"member {epoch.member}  " if epoch.member else ""
        best = float("inf") if epoch.number == 1 else self.best.get(epoch.member, float("inf"))  # of this fit
        star = " *" if epoch.val_loss < best else ""
        self.best[epoch.member] = min(best, epoch.val_loss)
        left = epoch.seconds * (epoch.of - epoch.number)
        # Of validation, where it has the figure, too.
        shown_of = {key: value for key, value in epoch.metrics.items() if f"val_{key}" not in epoch.metrics}
        metrics = "".join(f"  {key} {value:.4f}" for key, value in shown_of.items())
        if self.task is not None:
            self.progress.update(self.task, speed=f"{epoch.sequences_per_second:,.0f}")
        print_line(
            self.console,
            f"{member}epoch {epoch.number:>3}/{epoch.of}  loss {epoch.loss:.5f}  val_loss {epoch.val_loss:.5f}{metrics}  "
            f"{epoch.sequences_per_second:,.0f} sequences/s  {epoch.seconds:.1f} s  left {duration(left)}{star}",
        )


def print_finding(console: Console, finding: Finding) -> None:
    """A finding with its code, coloured by its level."""
    mark = ("!", "yellow") if finding.level == "warning" else ("i", "cyan")
    print_line(console, mark, f" {finding.code}: {finding}")


def shown(text: str, style: str = "") -> Text:
    """A text as it stands: Rich would take `[c]` for markup and `:warning:` for a picture."""
    return Text(printable(text), style=style)


def print_line(console: Console, *parts: str | tuple[str, str]) -> None:
    """A line, however long; of each part the text, or the text and its style."""
    texts = [shown(part) if isinstance(part, str) else shown(*part) for part in parts]
    console.print(Text.assemble(*texts), soft_wrap=True)


def print_table(
    console: Console,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    figures: bool = True,
    whole: Sequence[str] = (),
) -> None:
    """A table; all columns but the first are numbers (`figures`), or text; the cells of those in `whole` are never folded.

    Numbers that are too many for the width of the terminal stand in several tables below each other, each with the first column.
    """
    cells = [[name, *(row[at] for row in rows)] for at, name in enumerate(header)]
    needed = [max(map(len, own)) if name in whole else _narrowest(own) for name, own in zip(header, cells, strict=True)]
    for number, columns in enumerate(_side_by_side(needed, console.width) if figures else [range(len(header))]):
        table = Table(title=shown(title, "table.title") if title and not number else None, title_justify="left")
        spare = console.width - _width(needed, columns)
        for at in columns:
            wider = max(0, min(spare, max(map(len, cells[at])) - needed[at]))
            spare -= wider
            table.add_column(
                shown(header[at]),
                justify="right" if at and figures else "left",
                overflow="fold" if figures else "ellipsis",
                no_wrap=header[at] in whole,
                width=needed[at] + wider if figures else None,
            )
        for row in rows:
            table.add_row(*(shown(row[at]) for at in columns))
        console.print(table)


def _narrowest(cells: Sequence[str]) -> int:
    """The width in which no word of a column is folded, but for very long ones."""
    return min(max((len(word) for cell in cells for word in cell.split()), default=1), _LONGEST_WORD)


def _width(needed: Sequence[int], columns: Sequence[int]) -> int:
    """Of a table with these columns: a blank on both sides of each and a line between them."""
    return sum(needed[each] + 3 for each in columns) + 1


def _side_by_side(needed: Sequence[int], width: int) -> list[list[int]]:
    """The columns of each table: as many as fit beside the first one."""
    tables: list[list[int]] = [[0]]
    for at in range(1, len(needed)):
        together = [*tables[-1], at]
        if len(together) > 2 and _width(needed, together) > width:
            together = [0, at]
            tables.append(together)
        tables[-1] = together
    return tables


def print_explanation(console: Console, explained: "Explanation") -> None:
    """What a recipe would train: a table of its layers, a line for each recurrent one, time and memory."""
    title = shown(f"{explained.model}: {explained.parameters:,} parameters", "table.title")
    table = Table(title=title, title_justify="left")
    for name in ("layer", "kind", "in -> out", "parameters"):
        table.add_column(name, overflow="fold")
    for row in explained.rows:
        if row.kind != "InputLayer":
            cells = (row.name, row.kind, f"{_shape(row.inputs)} -> {_shape(row.outputs)}", row.how or "none")
            table.add_row(*map(shown, cells))
    console.print(table)
    for run in explained.recurrences:
        steps = f"{run.steps:,} steps" if run.steps else "as many steps as the sequence has"
        both = ", in both directions" if run.directions == 2 else ""
        print_line(console, f"{run.layer} recurs over {steps}{both}: {run.why}")
    training, memory = explained.recipe.training, explained.memory
    counts = ", ".join(f"{count:,} {part}" for part, count in explained.counts.items())
    lines = [
        f"{explained.unit}: {counts}; batches of {training.batch_size:,}",
        f"an epoch takes about {explained.seconds_per_epoch:.2g} s, {explained.epochs:,} take about "
        f"{duration(explained.seconds_per_epoch * explained.epochs)}; upper estimate of the computing, from one forward batch",
        f"memory about {_size(memory.total)} beside TensorFlow itself: {_size(memory.parameters)} weights, gradients and "
        f"{training.optimizer}'s moments, {_size(memory.activations)} activations of a batch, {_size(memory.data)} rows",
    ]
    if training.precision != "float32":
        kept = "weights, validation and bundle are float32"
        lines.insert(1, f"training computes in {training.precision}, on a GPU; without one float32 is faster; {kept}")
    if explained.recipe.ensemble:
        from seq2seq_kit.recipe.ensemble_fields import lengths_of  # at the top it would slow down every command

        count = explained.recipe.ensemble.members
        said = f"an ensemble trains {count} of these, one after the other: {count} times the time, parameters and file"
        if lengths_of(explained.recipe.ensemble):
            said = f"an ensemble trains {count} members, of which this one reads most: at most {count} times the time and memory"
        lines.append(said)
    for line in lines:
        print_line(console, line)


def _shape(sizes: Sequence[int | None]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in sizes)})"


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
