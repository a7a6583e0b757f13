"""What a run needs to know of its task: a recipe together with its data, from the checks to the plots.

`runs.py` goes through the same stages for every task. `Job` holds what is the same for all; `task.py` in each
task's folder holds what differs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeVar

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.comparison import Comparison
from seq2seq_kit.bundles.base import Bundle, Json
from seq2seq_kit.data.on_disk.row_groups import FrameOnDisk
from seq2seq_kit.errors import RecipeError
from seq2seq_kit.evaluation import Board
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.reports import plots
from seq2seq_kit.reports.model_diagram import plot_model
from seq2seq_kit.tasks.beginning import begin, require_taken
from seq2seq_kit.tasks.ensembles import fit_members, incomplete
from seq2seq_kit.tasks.estimated_time import estimated_time
from seq2seq_kit.tasks.fitting import fit_job
from seq2seq_kit.tasks.leaving_out import LEFT_OUT, Leavable, left_out_finding
from seq2seq_kit.training.checkpoint import Checkpoint
from seq2seq_kit.training.fit import Examples, Fit, Observer
from seq2seq_kit.training.members import val_losses
from seq2seq_kit.training.own import Own, OwnLoss

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

R = TypeVar("R", bound=Recipe)
B = TypeVar("B", bound=Bundle)
E = TypeVar("E", bound=Board)
Loss = OwnLoss
Served = pd.DataFrame | np.ndarray | dict[str, np.ndarray]


@dataclass(frozen=True)
class Job(ABC, Generic[R, B, E]):
    """A recipe with its data.

    Attributes:
        unit: What is counted: `windows`, `sequences`.
        no_folds: Why the task has no folds in time, for messages; not asked of a task that has.
        recipe: Resolved.
        source: The frame that the examples were made of.
        examples: What the model is fitted on.
        own: What a program hands over, see `bring`; None where nobody has asked.
        start: The trained model whose weights and scaler the training begins with.
        takes_own: Whether it takes these two.
    """

    unit: ClassVar[str] = "sequences"
    takes_own: ClassVar[bool] = False
    no_folds: ClassVar[str] = ""

    def __init_subclass__(cls, **given: object) -> None:
        super().__init_subclass__(**given)
        cls.__repr__ = cls.__repr__  # type: ignore[method-assign]  # else a dataclass shows all rows

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.examples.count(part):,} {part}" for part in ("train", "val", "test"))
        return f"<{type(self).__name__}: {len(self.source):,} rows; {self.unit}: {counts}>"

    recipe: R
    source: pd.DataFrame | FrameOnDisk
    examples: Examples
    own: Own | None = field(default=None, kw_only=True)
    start: Bundle | None = field(default=None, kw_only=True)

    @property
    def evaluated(self) -> str:
        """The part that the run's figures are of: `test`, or `val` where the recipe leaves no test rows."""
        return "test" if self.examples.count("test") else "val"

    @classmethod
    @abstractmethod
    def open(cls, recipe: R, data: pd.DataFrame | None) -> Self:
        """Reads the rows where none are given, checks and prepares them; errors as in `registry.open_job`."""

    @property
    @abstractmethod
    def columns(self) -> list[str]:
        """Columns of `source` that the recipe uses."""

    @property
    def series(self) -> list[str]:
        """Names of the series; `[""]` for a single one."""
        return [""]

    @abstractmethod
    def check(self) -> list[Finding]:
        """The findings on the data."""

    @abstractmethod
    def build(self) -> keras.Model:
        """The recipe's model for this data."""

    def bring(self, own: Own, start: Bundle | None) -> Self:
        """The job with a program's own model, loss, metrics and callbacks, and with the trained model that it starts from.

        Raises:
            ArgumentError: The task does not take them, or the recipe names what is not handed over.
        """
        require_taken(self, own)
        return replace(self, own=own, start=start)

    @property
    def sizes(self) -> dict[str, int]:
        """What the builder is given of the data, by argument, where a model may stand in its place."""
        raise NotImplementedError

    @property
    def shapes(self) -> tuple[dict[str, tuple[int, ...]], tuple[int, ...]]:
        """Shape of each input by name and of the output, without the batch."""
        raise NotImplementedError

    def of_member(self, place: int) -> Self:
        """The job of one member of an ensemble, counted from 0: this one, unless members read windows of several lengths."""
        return self

    def make(self) -> keras.Model:
        """The model that is fitted: the recipe's or a program's own, with the weights that it starts from, frozen as asked."""
        return begin(self)

    def folds(self, count: int) -> Sequence[Self]:
        """Jobs on the same source whose train and val are folds in time, test empty; see `data.tables.splits.expanding_folds`.

        Raises:
            RecipeError: The task has no folds.
            DataError: The rows are too few for so many.
        """
        raise RecipeError(
            "sweep.folds: folds are blocks of time that a forecast or an autoencoder of windows is validated on. Received: task "
            f"{self.recipe.task}, {self.no_folds}. Leave out sweep.folds; each trial is then judged on the validation part",
            code="folds_not_supported",
        )

    @abstractmethod
    def joined(self) -> Self:
        """The job of a final refit on train + val.

        All that is fitted on train (scaler, vocabularies, baselines) is fitted on both; val and test stay to be looked at, but
        figures of val are then those of rows that were trained on.

        Raises:
            RecipeError: The task has but one part.
        """

    def on_all_rows(self) -> Self:
        """The job of a last fit: the rows of all parts in train, scaled or numbered as they are; not asked of an echo."""
        raise NotImplementedError

    def settle(self, model: keras.Model, fitted: Fit) -> None:
        """Gives a model of a last fit what the judged fit chose on validation beside its epoch."""

    def seen_by(self, bundle: B) -> Self:
        """The job with its rows scaled or numbered as a bundle has them that was trained on others, such as a fold."""
        return self

    @property
    def teacher_forcing(self) -> Sequence[float]:
        """Share of true outputs that a feeding decoder reads in the first and in the last epoch."""
        return 1.0, 1.0

    def objective(self) -> tuple[Loss | None, list[keras.Metric]]:
        """The loss, None for the one that the recipe names, and what is watched beside it."""
        return None, []

    def validation(self, model: keras.Model) -> Callable[[], float] | None:
        """Computes the validation loss, where that is more than the loss of a forward pass."""
        return None

    def figures(self, model: keras.Model) -> Callable[[], dict[str, float]] | None:
        """Computes what `training.monitor` names after each epoch, where Keras does not."""
        return None

    def fit(
        self,
        model: keras.Model,
        observers: Sequence[Observer],
        *,
        stop_after: int | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Fit:
        """Fits the model, of an ensemble each member; see `fit_members`."""
        return fit_members(self, model, observers, stop_after=stop_after, checkpoint=checkpoint)

    def fit_one(
        self,
        model: keras.Model,
        observers: Sequence[Observer],
        *,
        seed: int,
        stop_after: int | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Fit:
        """Fits one model; with `stop_after` exactly so many epochs, from `checkpoint` if it has a state; see `training.fit`."""
        return fit_job(self, model, observers, seed=seed, stop_after=stop_after, checkpoint=checkpoint)

    @property
    def gives_logits(self) -> bool:
        """Whether the model gives logits, whose probabilities an ensemble combines, instead of values."""
        return False

    @property
    def leavable(self) -> Leavable:
        """How training examples are left out; only of a task whose recipes know `training.leave_out`."""
        raise NotImplementedError

    def estimate(self, model: keras.Model) -> Finding:
        """What a fit of the model takes, as a finding."""
        return estimated_time(self, model)

    @abstractmethod
    def bundle(self, model: keras.Model, info: Json, *, peers: bool = True) -> B:
        """The model as it goes to disk; `peers`: with its baselines fitted."""

    def detecting(self, bundle: B) -> tuple[B, list[Finding]]:
        """The bundle with a detector where there may be one, and what it finds in the training part."""
        return bundle, []

    def remembered(self, bundle: B) -> B:
        """The bundle with what `watch` compares new rows with, where it can."""
        return bundle

    def judged(self, bundle: B) -> Comparison | None:
        """What labels of the test rows say of the bundle's detector; None without labels or detector."""
        return None

    @abstractmethod
    def report(self, bundle: B, part: str) -> E:
        """The metrics of a part."""

    def unlabelled(self, bundle: B, board: E) -> E:
        """The evaluation that findings go by: without what labels call anomalous, on which no model should do well."""
        return board

    def examine(self, fitted: Fit, val: E, test: E) -> list[Finding]:
        """The findings on the result; `test` is the evaluation of the part `evaluated`."""
        if not fitted.best_epoch:
            text = "interrupted before the first epoch had ended: the weights are hardly trained, none chosen by validation"
            return [Finding("no_epoch_finished", "warning", text, "Do not use this model; train again")]
        found = self.diagnose(val, test, val_losses(fitted), all_epochs=fitted.ended == "epochs")
        found += incomplete(self.recipe, fitted)
        if fitted.left_out:
            found.append(left_out_finding(self.leavable, fitted.left_out, self.examples.count("train"), self.unit))
        return found

    @staticmethod
    @abstractmethod
    def diagnose(val: E, test: E, val_losses: Sequence[float], *, all_epochs: bool) -> list[Finding]:
        """The findings on a finished fit; arguments as in `diagnostics.examine_errors`."""

    def draw(self, bundle: B, fitted: Fit, test: E, folder: Path) -> dict[str, Figure]:
        """Writes the plots of the run and returns them: the task's own, the losses, the model (of an ensemble a member)."""
        from seq2seq_kit.models.ensemble import members_of

        folder.mkdir(parents=True, exist_ok=True)
        figures = self.plots(bundle, fitted, test, folder)
        figures |= {"loss_curves": plots.plot_losses(fitted), "model": plot_model(members_of(bundle.model)[0])}
        plots.save(figures, folder)
        if fitted.left_out:
            self.leavable.table(fitted.left_out).to_csv(folder / LEFT_OUT, index=False)
        return figures

    @abstractmethod
    def plots(self, bundle: B, fitted: Fit, test: E, folder: Path) -> dict[str, Figure]:
        """The plots that only this task has, by file name; pages and tables it writes to `folder` itself."""

    @abstractmethod
    def served(self, bundle: B) -> Mapping[str, tuple[Served, Served]]:
        """Examples with their answers for MLflow, see `RunRecord.models`."""
