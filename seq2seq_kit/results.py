"""A training for programs: its result, and the reporter that follows it."""

from __future__ import annotations

import base64
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Protocol

from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation.base import Board
from seq2seq_kit.evaluation.diagnostics import verdict
from seq2seq_kit.evaluation.members import Members
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.text import printable
from seq2seq_kit.training.fit import Epoch, Fit, Observer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from seq2seq_kit.anomalies.comparison import Comparison

LINE = 100


@dataclass(frozen=True)
class TrainResult:
    """The result of a training.

    Attributes:
        recipe: Resolved, as it was trained.
        fit: How the fit went.
        val: Evaluation on the validation part, of the task's own class (`evaluation.windows.Evaluation` for windows).
        board: The evaluation that the run is judged by: `test`, or `val` where the recipe leaves no test rows.
        findings: Diagnostics of data and result.
        bundle: The trained model, ready to predict.
        run_id: Id of the MLflow run.
        tracking_uri: The store that holds it.
        seconds: Wall time of the whole run.
        figures: Those of the run, by name, the most telling one first.
        judged: What `data.labels` say of the detector on the test rows; None without labels.
        members: What each member of an ensemble has; None of one model.
        last_fit: How the fit on all rows went whose model `bundle` holds (`training.final`); None without one.
    """

    recipe: Recipe
    fit: Fit
    val: Board
    board: Board
    findings: list[Finding]
    bundle: Bundle
    run_id: str
    tracking_uri: str
    seconds: float
    figures: dict[str, Figure] = field(default_factory=dict, compare=False)
    judged: Comparison | None = None
    members: Members | None = None
    last_fit: Fit | None = None

    def tables(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """The result in tables, by the name of their files."""
        part = self.board.part
        named = {"anomaly_scores": self.judged, f"{part}_intervals": getattr(self.board, "intervals", None)}
        yield from {f"{part}_scores": self.board.table(), "val_scores": self.val.table()}.items()
        yield from ((name, each.table()) for name, each in named.items() if each is not None)
        if self.members:
            yield "members", self.members.table()

    @property
    def interrupted(self) -> bool:
        """Whether a fit ended by Ctrl-C, so that the run can be resumed."""
        return "interrupted" in (self.fit.ended, self.last_fit.ended if self.last_fit else "")

    @property
    def test(self) -> Board:
        """Evaluation on the test part.

        Raises:
            ArgumentError: The recipe leaves no test rows.
        """
        if self.board.part != "test":
            raise ArgumentError(
                "the run has no test part, as its recipe says (data.split). Use `val`, or `evaluate` it on other rows",
                code="no_test_part",
            )
        return self.board

    def plot(self, name: str | None = None) -> Figure:
        """A figure of the run.

        Args:
            name: One of `figures`; None: the forecasts, reconstructions or whatever tells most of this task.

        Raises:
            ArgumentError: The run has no such figure.
        """
        if name is None and self.figures:
            return next(iter(self.figures.values()))
        if name not in self.figures:
            raise ArgumentError(
                f"the run has the figures {', '.join(self.figures) or 'none'}. Received: {name!r}",
                code="invalid_argument",
            )
        return self.figures[name]

    def __repr__(self) -> str:
        return f"<TrainResult: run {self.run_id[:8]}, {self.fit.ended}, {self.seconds:.0f} s; {self.board!r}>"

    def _repr_html_(self) -> str:
        said = []
        if self.board.baselines:
            said.append(f"Run {self.run_id[:8]}: the model {verdict(self.board.skill)} the best baseline.")
        said += [str(finding) for finding in self.findings if finding.level == "warning"]
        told = "".join(f"<p>{escape(each)}</p>" for each in said)
        return f"{told}{self.board._repr_html_()}{_inline(self.plot()) if self.figures else ''}"


def _inline(figure: Figure) -> str:
    written = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that matplotlib's font lacks
        figure.savefig(written, format="png", dpi=90)
    return f'<img src="data:image/png;base64,{base64.b64encode(written.getvalue()).decode("ascii")}">'


def reporter_at_hand() -> Reporter:
    """Who follows a training that names nobody: a line that is written over in a notebook, else nobody."""
    return InNotebook() if is_notebook() else Silent()


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")


class Announcer(Protocol):
    """Is told which stage begins and what was found."""

    def say(self, text: str) -> None:
        """A stage that takes a while begins, or something else happened that a user should know."""

    def find(self, finding: Finding) -> None:
        """A finding about data or result."""


class Reporter(Announcer, Observer, Protocol):
    """Is told how a run goes; the command line shows it, a program may leave it out."""


class InNotebook:
    """One line that is written over, and a line for each warning."""

    def say(self, text: str) -> None:
        """A stage that takes a while begins."""
        self._over(text)

    def find(self, finding: Finding) -> None:
        """A warning stays; notes are in the result."""
        if finding.level == "warning":
            sys.stdout.write(f"\r{printable(f'! {finding.code}: {finding}')}\n")

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None: ...

    def on_epoch(self, epoch: Epoch) -> None:
        """The losses of an epoch."""
        member = f"member {epoch.member}  " if epoch.member else ""
        self._over(f"{member}epoch {epoch.number}/{epoch.of}  loss {epoch.loss:.5f}  val_loss {epoch.val_loss:.5f}")

    def _over(self, text: str) -> None:
        sys.stdout.write(f"\r{printable(text)[:LINE]:<{LINE}}")
        sys.stdout.flush()


class Silent:
    """Shows nothing; the findings are in the result, too."""

    def say(self, text: str) -> None: ...

    def find(self, finding: Finding) -> None: ...

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None: ...

    def on_epoch(self, epoch: Epoch) -> None: ...
