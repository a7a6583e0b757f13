"""The figures of a finished run on its test rows, as far as those of another run can stand beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.tasks import load_recipe
from seq2seq_kit.tracking.client import Tracking
from seq2seq_kit.tracking.resuming import RESUME

if TYPE_CHECKING:
    from mlflow.entities import Run

_ERROR, _BASELINE_ERROR = "_error", "_baseline_error"
_PLACE = ("data.source",)  # where rows lie says nothing of what they are


@dataclass(frozen=True)
class Tested:
    """Figures of a run.

    Attributes:
        run: As MLflow holds it.
        recipe: Of the run.
        digest: Of its rows; None where the store does not say.
        error: Of the model, the one that skill compares.
        baseline: The best one on these rows.
        baseline_error: Its error.
    """

    run: Run
    recipe: Recipe
    digest: str | None
    error: float
    baseline: str
    baseline_error: float

    @property
    def run_id(self) -> str:
        return str(self.run.info.run_id)

    @property
    def evaluated(self) -> str:
        """What was evaluated, in which units, and what skill compares."""
        return str(self.run.data.tags.get("evaluated", ""))

    @property
    def compares(self) -> str:
        """Name of the error: `RMSE`."""
        return self.evaluated.rpartition("Skill compares ")[2].rstrip(".") or "error"

    @property
    def part(self) -> str:
        """`test`, or `val` where there are no test rows."""
        return "test" if "test/skill" in self.run.data.metrics or " test " in self.evaluated else "val"

    @property
    def skill(self) -> float:
        """Against the best baseline; NaN beside an exact one."""
        return self.skill_of(self.error)

    def skill_of(self, error: float) -> float:
        """What any error on these rows is beside that of the best baseline."""
        return 1 - error / self.baseline_error if self.baseline_error > 0 else math.nan

    @property
    def words(self) -> str:
        """`skill +0.117 against ridge (RMSE 1.2 against 1.5)`."""
        skill = "undefined" if math.isnan(self.skill) else f"{self.skill:+.3f}"
        figures = f"{self.compares} {self.error:.6g} against {self.baseline_error:.6g}"
        return f"skill {skill} against {self.baseline} ({figures})"

    def same_rows(self, other: Tested) -> bool:
        """Whether the stored figures of both are of the same test rows: the same cells, cut in the same way."""
        known = self.digest is not None and self.digest == other.digest and self.evaluated != ""
        return known and self.evaluated == other.evaluated and _data_of(self.run) == _data_of(other.run)


def read_tested(tracking: Tracking, run: str, folder: Path) -> Tested:
    """Reads them; the recipe is copied into `folder`.

    Raises:
        TrackingError: No such run.
        ArgumentError: It has no figures, because it was cut short or is no training.
    """
    found = tracking.find(run)
    metrics, tags, run_id = found.data.metrics, found.data.tags, found.info.run_id
    if found.info.status != "FINISHED" or tags.get("ended") == "interrupted" or _ERROR not in metrics:
        how = f"Finish it: `{tags[RESUME]}`" if RESUME in tags else "`seq2seq-kit list runs` shows them"
        raise ArgumentError(
            f"the run {run_id} ({found.info.status}) has no figures of a finished training, so nothing says whether it is "
            f"better. Expected the run of a training or of a sweep that has ended by itself. {how}",
            code="run_unfinished",
        )
    recipe = load_recipe(tracking.fetch(run_id, "recipe.yaml", folder))
    inputs = found.inputs.dataset_inputs if found.inputs else []
    return Tested(
        run=found,
        recipe=recipe.model_copy(update={"sweep": None}),
        digest=inputs[0].dataset.digest if inputs else None,
        error=metrics[_ERROR],
        baseline=tags.get("best_baseline", "its best baseline"),
        baseline_error=metrics.get(_BASELINE_ERROR, math.nan),
    )


def _data_of(run: Run) -> Mapping[str, str]:
    """The parameters that say which cells are the truth of a test."""
    return {key: text for key, text in run.data.params.items() if key.startswith("data.") and key not in _PLACE}
