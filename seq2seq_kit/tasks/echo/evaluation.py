"""The figures of an echo: how far what the model gives back lies from the sequence, beside the sequence's mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.evaluation.base import MODEL, Board
from seq2seq_kit.findings import Finding

MEAN = "sequence mean"
_ONE_DECIMAL = 0.05  # nearer than this a value rounds to the same first decimal


@dataclass(frozen=True)
class EchoEvaluation(Board):
    """The figures of one sequence.

    Attributes:
        part: `val` or `test`; both are the sequence that was trained on.
        truth: The sequence, shape `(steps,)`.
        echoes: What each forecaster gives back, the model first, shape `(steps,)` each.
        about: What the baseline does.
    """

    titles: ClassVar[Mapping[str, str]] = {"rmse": "RMSE", "largest": "largest error"}
    headline: ClassVar[str] = "rmse"
    error: ClassVar[str] = "RMSE"

    part: str
    truth: np.ndarray
    echoes: dict[str, np.ndarray]
    about: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"the echo of one sequence of {len(self.truth)} steps ({self.part})"

    @property
    def units(self) -> str:
        return (
            "Errors are in the units of data.sequence. It is the sequence that was trained on: a lesson in shapes, "
            "not a measure of skill."
        )

    @property
    def names(self) -> list[str]:
        return list(self.echoes)

    def metrics(self, name: str = MODEL) -> dict[str, float]:
        """Root mean square and largest absolute error."""
        errors = self._errors(name)
        return {"rmse": float(np.sqrt(np.mean(errors**2))), "largest": float(errors.max())}

    def curves(self) -> dict[str, np.ndarray]:
        """Absolute error of each forecaster by step."""
        return {name: self._errors(name) for name in self.names}

    def table(self) -> pd.DataFrame:
        """A row for each forecaster and step: `step` (from 1), `value`, `echo`, `error`; step 0 has the whole's figures."""
        rows = []
        for name, echo in self.echoes.items():
            rows.append({"forecaster": name, "step": 0} | self.metrics(name))
            rows += [
                {"forecaster": name, "step": step, "value": value, "echo": given, "error": given - value}
                for step, (value, given) in enumerate(zip(self.truth.tolist(), echo.tolist(), strict=True), start=1)
            ]
        return pd.DataFrame(rows)

    def _errors(self, name: str) -> np.ndarray:
        return np.abs(self.echoes[name].astype(np.float64) - self.truth)


def evaluate_echo(part: str, truth: np.ndarray, echo: np.ndarray, *, mean: float) -> EchoEvaluation:
    """The echo beside a baseline that knows the sequence's mean and nothing of its order.

    Args:
        part: `val` or `test`.
        truth: The sequence, shape `(steps,)`.
        echo: What the model gave back, of the same shape.
        mean: Mean of the sequence that was trained on.
    """
    echoes = {MODEL: np.asarray(echo, dtype=np.float64), MEAN: np.full(len(truth), mean)}
    return EchoEvaluation(part, np.asarray(truth, dtype=np.float64), echoes, {MEAN: "the same value at every step"})


def check_echo(sequence: Sequence[float]) -> list[Finding]:
    """What stands out in the sequence, and what an echo is no measure of."""
    found = [
        Finding(
            "one_sequence",
            "note",
            "train, val and test are the same single sequence: the figures say whether this shape can learn it, "
            "not how well it would do on another",
            "",
        )
    ]
    largest = max(map(abs, sequence))
    if largest > 1:
        text = f"the sequence reaches {largest:g}; an echo is not scaled, and a recurrent layer gives values within -1 to 1"
        found.append(
            Finding(
                "unscaled_sequence", "warning", text, f"Divide data.sequence by {largest:g}, or expect to train longer"
            )
        )
    if len(set(sequence)) == 1:
        text = "all values of the sequence are equal, so its mean is a perfect echo"
        found.append(Finding("constant_sequence", "warning", text, "Take one that changes"))
    return found


def examine_echo(test: EchoEvaluation, *, all_epochs: bool) -> list[Finding]:
    """Whether the sequence was learnt to one decimal."""
    largest = test.metrics()["largest"]
    if largest < _ONE_DECIMAL:
        return [
            Finding("echo_learnt", "note", f"the echo is right to one decimal: its largest error is {largest:.2g}", "")
        ]
    text = f"the echo is not right to one decimal: its largest error is {largest:.2g}"
    advice = "more training.epochs or a larger training.learning_rate" if all_epochs else "a larger training.patience"
    return [Finding("echo_not_learnt", "warning", text, f"Try {advice}")]
