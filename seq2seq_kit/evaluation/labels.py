"""Which labels were predicted for which, and what that comes to for each of them."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.evaluation.base import MODEL, Board
from seq2seq_kit.findings import Finding

_ADVICE = "Give more of them, or join them with others"


class LabelBoard(Board):
    """Metrics of predicted labels, all of them out of confusion matrices.

    Attributes:
        of: What has a label, for the column of counts: `steps`.
        labels: Names of the labels.
    """

    titles: ClassVar[Mapping[str, str]] = {"accuracy": "accuracy", "macro_f1": "macro F1"}
    headline: ClassVar[str] = "accuracy"
    error: ClassVar[str] = "error rate"
    of: ClassVar[str] = "steps"

    labels: list[str]

    @abstractmethod
    def confusion_of(self, name: str = MODEL) -> np.ndarray:
        """How often each label (column) was predicted for each true label (row)."""

    def metrics(self, name: str = MODEL) -> dict[str, float]:
        counts = self.confusion_of(name)
        return {"accuracy": float(np.trace(counts) / counts.sum()), "macro_f1": macro_f1(counts)}

    def by_label(self, name: str = MODEL) -> pd.DataFrame:
        """See `scores_by_label`."""
        return scores_by_label(self.confusion_of(name), self.labels, of=self.of)

    def error_of(self, name: str = MODEL) -> float:
        counts = self.confusion_of(name)
        return 1 - float(np.trace(counts) / counts.sum())

    def table(self) -> pd.DataFrame:
        """The metrics of each forecaster (`label` is empty), then its scores by label."""
        tables = []
        for name in self.names:
            counts = {"forecaster": name, "label": "", self.of: int(self.confusion_of(name).sum())}
            tables += [pd.DataFrame([counts | self.metrics(name)]), self.by_label(name).assign(forecaster=name)]
        return pd.concat(tables, ignore_index=True)


def count_labels(truth: np.ndarray, predicted: np.ndarray, labels: int) -> np.ndarray:
    """Confusion matrix, `(true labels, predicted labels)`; what has no true label (-1) does not count."""
    known = truth >= 0
    return np.bincount(truth[known] * labels + predicted[known], minlength=labels * labels).reshape(labels, labels)


def scores_by_label(counts: np.ndarray, labels: Sequence[str], *, of: str = "steps") -> pd.DataFrame:
    """Precision, recall, F1 and number of true cases (column `of`) of each label; 0 where a label was never predicted."""
    cells = counts.astype(float)
    hits, predicted, true = np.diag(cells), cells.sum(axis=0), cells.sum(axis=1)
    precision, recall = hits / np.maximum(predicted, 1), hits / np.maximum(true, 1)
    f1 = 2 * hits / np.maximum(predicted + true, 1)
    return pd.DataFrame({"label": labels, "precision": precision, "recall": recall, "f1": f1, of: true.astype(int)})


def macro_f1(counts: np.ndarray) -> float:
    """Mean F1 of the labels that are true or predicted; one that is predicted but never true has an F1 of 0."""
    present = counts.sum(axis=0) + counts.sum(axis=1) > 0
    f1 = 2 * np.diag(counts) / np.maximum(counts.sum(axis=0) + counts.sum(axis=1), 1)
    return float(f1[present].mean())


def labels_not_learned(test: LabelBoard) -> list[Finding]:
    """The findings on labels with a recall of 0: the model never predicts them, or never where they are true."""
    counts = test.confusion_of()
    missed = (counts.sum(axis=1) > 0) & (np.diag(counts) == 0)
    labels, given = np.array(test.labels, dtype=object), counts.sum(axis=0) > 0
    never, wrong = (", ".join(labels[missed & each]) for each in (~given, given))
    findings = []
    if never:
        text = f"labels of the {test.part} part that the model never predicts: {never}"
        findings.append(Finding("labels_never_given", "note", text, test.advice.get("labels_never_given", _ADVICE)))
    if wrong:
        text = f"labels of the {test.part} part that the model predicts, but never where they are true: {wrong}"
        findings.append(Finding("labels_never_correct", "note", text, _ADVICE))
    return findings
