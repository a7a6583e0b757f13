"""Which labels were given for which, and what that comes to for each of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def count_labels(truth: np.ndarray, given: np.ndarray, labels: int) -> np.ndarray:
    """Confusion matrix, `(true labels, given labels)`; what has no true label (-1) does not count."""
    known = truth >= 0
    return np.bincount(truth[known] * labels + given[known], minlength=labels * labels).reshape(labels, labels)


def scores_by_label(counts: np.ndarray, labels: Sequence[str], *, of: str = "steps") -> pd.DataFrame:
    """Precision, recall, F1 and number of true cases (column `of`) of each label; 0 where a label was never given."""
    cells = counts.astype(float)
    hits, given, true = np.diag(cells), cells.sum(axis=0), cells.sum(axis=1)
    precision, recall = hits / np.maximum(given, 1), hits / np.maximum(true, 1)
    f1 = 2 * hits / np.maximum(given + true, 1)
    return pd.DataFrame({"label": labels, "precision": precision, "recall": recall, "f1": f1, of: true.astype(int)})


def macro_f1(counts: np.ndarray) -> float:
    """Mean F1 of the labels that are true or given; one that is given but never true has an F1 of 0."""
    present = counts.sum(axis=0) + counts.sum(axis=1) > 0
    f1 = 2 * np.diag(counts) / np.maximum(counts.sum(axis=0) + counts.sum(axis=1), 1)
    return float(f1[present].mean())
