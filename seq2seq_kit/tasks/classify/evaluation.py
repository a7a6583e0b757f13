"""Metrics of one prediction for each sequence: of labels, with how far to trust their probabilities, and of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.evaluation.base import MODEL, Board
from seq2seq_kit.evaluation.labels import LabelBoard, count_labels

_BINS = 10


@dataclass(frozen=True)
class _Predictions(Board):
    """What both kinds share, see `Board`.

    Attributes:
        truth: Number of each sequence's label, or its target.
        predictions: By forecaster the probability of each label, `(sequences, labels)`; or the numbers.
        about: What each baseline does.
        edges: In words, by baseline, a setting that was chosen at the edge of those tried.
    """

    part: str
    truth: np.ndarray
    predictions: dict[str, np.ndarray]
    about: dict[str, str]
    edges: dict[str, str] = field(default_factory=dict, kw_only=True)

    @property
    def names(self) -> list[str]:
        return list(self.predictions)


@dataclass(frozen=True)
class LabelEvaluation(_Predictions, LabelBoard):
    """Metrics of labels; `labels` are their names."""

    titles: ClassVar[Mapping[str, str]] = {
        **LabelBoard.titles,
        "log_loss": "log loss",
        "calibration_error": "calibration error",
    }
    of: ClassVar[str] = "sequences"
    advice: ClassVar[Mapping[str, str]] = {
        "labels_never_given": "Give more of them, join them with others, or set training.class_weights: balanced"
    }

    labels: list[str]

    @property
    def title(self) -> str:
        return f"{len(self.truth):,} {self.part} sequences, {len(self.labels)} labels"

    @property
    def units(self) -> str:
        return (
            "Macro F1: mean F1 of the labels that are true or predicted here. Log loss: in nats. Calibration error: mean "
            "distance between the probability of the predicted label and how often it is correct."
        )

    def confusion_of(self, name: str = MODEL) -> np.ndarray:
        return count_labels(self.truth, self.predictions[name].argmax(axis=1), len(self.labels))

    def metrics(self, name: str = MODEL) -> dict[str, float]:
        bins = self.calibration(name)
        of_truth = np.take_along_axis(self.predictions[name], self.truth[:, None].astype(np.int64), axis=1)
        distance = (bins["accuracy"] - bins["probability"]).abs()
        return super().metrics(name) | {
            "log_loss": float(-np.log(np.maximum(of_truth, np.finfo(np.float64).tiny)).mean()),
            "calibration_error": float((distance * bins["sequences"]).sum() / len(self.truth)),
        }

    def calibration(self, name: str = MODEL) -> pd.DataFrame:
        """Calibration curve of the most probable label: mean probability, accuracy and number of sequences of each tenth.

        Guo et al. 2017, "On calibration of modern neural networks"; tenths without a sequence are left out.
        """
        probabilities = self.predictions[name]
        top, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == self.truth
        bins = np.minimum((top * _BINS).astype(int), _BINS - 1)
        frame = pd.DataFrame({"probability": top, "accuracy": hit.astype(float), "sequences": 1})
        return frame.groupby(bins).agg({"probability": "mean", "accuracy": "mean", "sequences": "sum"})


@dataclass(frozen=True)
class BalancedEvaluation(LabelEvaluation):
    """The same for a model trained with balanced class weights: skill compares what it was trained for, each label alike."""

    titles: ClassVar[Mapping[str, str]] = {"balanced_accuracy": "balanced accuracy", **LabelEvaluation.titles}
    headline: ClassVar[str] = "balanced_accuracy"
    error: ClassVar[str] = "balanced error rate"

    @property
    def units(self) -> str:
        return f"Balanced accuracy: mean recall of the labels. {super().units}"

    def metrics(self, name: str = MODEL) -> dict[str, float]:
        return {"balanced_accuracy": 1 - self.error_of(name)} | super().metrics(name)

    def error_of(self, name: str = MODEL) -> float:
        counts = self.confusion_of(name)
        true = counts.sum(axis=1)
        return 1 - float((np.diag(counts)[true > 0] / true[true > 0]).mean())


@dataclass(frozen=True)
class NumberEvaluation(_Predictions):
    """Metrics of numbers, in the units of the column `target`, which are called `measured_in`."""

    titles: ClassVar[Mapping[str, str]] = {"mae": "MAE", "rmse": "RMSE", "r2": "R2"}
    headline: ClassVar[str] = "rmse"
    error: ClassVar[str] = "RMSE"

    target: str
    measured_in: str = ""

    @property
    def title(self) -> str:
        return f"{len(self.truth):,} {self.part} sequences"

    @property
    def units(self) -> str:
        if self.measured_in:
            return f"Errors are in {self.measured_in}, the unit of {self.target}."
        return f"Errors are in the units of {self.target}."

    def metrics(self, name: str = MODEL) -> dict[str, float]:
        errors, spread = self.predictions[name] - self.truth, float(self.truth.var())
        r2 = 1 - float(np.mean(errors**2)) / spread if spread > 0 else float("nan")
        return {"mae": float(np.abs(errors).mean()), "rmse": self.error_of(name), "r2": r2}

    def error_of(self, name: str = MODEL) -> float:
        return float(np.sqrt(np.mean((self.predictions[name] - self.truth) ** 2)))

    def table(self) -> pd.DataFrame:
        return pd.DataFrame([{"forecaster": name} | self.metrics(name) for name in self.names])


ClassifyEvaluation = LabelEvaluation | NumberEvaluation
