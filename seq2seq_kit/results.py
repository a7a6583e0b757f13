"""What a training comes to, for programs."""

from __future__ import annotations

from dataclasses import dataclass

from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.evaluation.base import Board
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.training.fit import Fit


@dataclass(frozen=True)
class TrainResult:
    """What a training came to.

    Attributes:
        recipe: Resolved, as it was trained.
        fit: How the fit went.
        val: Evaluation on the validation part, of the task's own class (`evaluation.windows.Evaluation` for windows).
        test: Evaluation on the test part.
        findings: What the kit has to say about data and result.
        bundle: The trained model, ready to predict.
        run_id: Id of the MLflow run.
        tracking_uri: Where that run is.
        seconds: Wall time of everything.
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
