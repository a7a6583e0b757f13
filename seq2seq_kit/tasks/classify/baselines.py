"""Simple baselines of one prediction for each sequence: a constant, and a linear model of a summary of the sequence."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from seq2seq_kit.data.sequences.vocabulary import Vocabulary
from seq2seq_kit.evaluation.ridge import at_edge
from seq2seq_kit.evaluation.stored import require_shapes
from seq2seq_kit.tasks.classify.data import Classified

if TYPE_CHECKING:
    from collections.abc import Callable

    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression, Ridge

    Features: TypeAlias = np.ndarray | csr_matrix

_CHUNK = 1_024
_MOST_STEPS = 1_000  # of the solver
_CHOOSE_SEQUENCES = 4_000  # of training, evenly spread, that lines are fitted to whose penalties are compared
_PENALTIES = 10.0 ** np.arange(-4, 7)  # of the sum of squared weights, beside the sum over the sequences


@dataclass(frozen=True)
class LinearBaseline:
    """A linear map from features of a sequence to logits of the labels, or to a number; without features a constant.

    Attributes:
        name: For the result table.
        about: What it does, in words.
        weights: `(features, outputs)`; no features for a constant.
        bias: `(outputs,)`.
        edge: In words, where validation chose a penalty at the edge of those tried and would have gone further; else empty.
    """

    name: str
    about: str
    weights: np.ndarray
    bias: np.ndarray
    edge: str = ""

    def __post_init__(self) -> None:
        if self.weights.size:  # none for a constant
            require_shapes(self.name, weights=(self.weights, (len(self.weights), *self.bias.shape)))

    def predict(self, sequences: Classified, numbers: np.ndarray) -> np.ndarray:
        """Probabilities `(sequences, labels)`, or numbers `(sequences,)`."""
        outputs = np.tile(self.bias, (len(numbers), 1))
        if len(self.weights):
            outputs = outputs + features_of(sequences, numbers) @ self.weights
        return softmax(outputs) if sequences.preprocessing.labels else outputs[:, 0]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of the last axis."""
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    normalised: np.ndarray = shares / shares.sum(axis=-1, keepdims=True)
    return normalised


def fit_baselines(sequences: Classified, class_weights: Literal["none", "balanced"]) -> list[LinearBaseline]:
    """Most frequent label and logistic regression, or mean and ridge, fitted on the training sequences.

    The penalty is that of the smallest validation error, the one that skill compares; of equal ones the largest.
    """
    numbers, truth = sequences.parts["train"], sequences.truth_of("train")
    features = features_of(sequences, numbers)
    counted = isinstance(sequences.preprocessing.encoding, Vocabulary)
    # Counts stay sparse, so they are neither shifted nor scaled.
    center, scale = (np.zeros(1), np.ones(1)) if counted else (features.mean(axis=0), features.std(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    scaled = features if counted else (features - center) / scale
    held = features_of(sequences, sequences.parts["val"])
    val = (held if counted else (held - center) / scale), sequences.truth_of("val")
    what = "the counts of the tokens" if counted else "mean, deviation, extremes, first and last value of each column"
    labels, none = len(sequences.preprocessing.labels), np.zeros((0, 1))
    # Where the val sequences are in train, too, the penalty is chosen without them; and on fewer sequences a smaller one.
    own = np.flatnonzero(~np.isin(numbers, sequences.parts["val"]))
    own = own[:: -(-len(own) // _CHOOSE_SEQUENCES)]
    share = len(own) / len(numbers)
    fit = _line_of(labels, balanced=class_weights == "balanced")
    error = _error_of(labels, balanced=class_weights == "balanced")
    lines = (fit(scaled[own], truth[own], float(penalty) * share) for penalty in _PENALTIES)
    tried = [error(val[1], line.predict(val[0])) for line in lines]
    best = len(tried) - 1 - int(np.argmin(tried[::-1]))
    line, edge = fit(scaled, truth, float(_PENALTIES[best])), at_edge(_PENALTIES, np.array(tried), best)
    chosen = f"penalty {_PENALTIES[best]:g} chosen on validation"
    if labels:
        shares = np.log(np.bincount(truth, minlength=labels) / len(truth))
        about = "predicts for every sequence the shares of the labels among the training sequences"
        constant = LinearBaseline("most frequent label", about, none, shares)
        weights, bias = line.coef_.T, line.intercept_
        if labels == 2:  # one line tells two labels apart
            weights, bias = np.hstack([0 * weights, weights]), np.array([0.0, bias[0]])
        name, about = "logistic regression", f"a logistic regression on {what}, {chosen}"
    else:
        about = "predicts for every sequence the mean of the training targets"
        constant = LinearBaseline("mean", about, none, np.array([truth.mean()]))
        weights, bias = line.coef_[:, None], np.array([line.intercept_])
        name, about = "ridge", f"a ridge regression on {what}, {chosen}"
    weights = weights / scale[:, None]
    bias = bias if counted else bias - center @ weights
    return [constant, LinearBaseline(name, about, weights, bias, edge)]


def _line_of(labels: int, *, balanced: bool) -> Callable[[Features, np.ndarray, float], Ridge | LogisticRegression]:
    """How a linear model is fitted to features and truth with a penalty."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    def fit(features: Features, truth: np.ndarray, penalty: float) -> Ridge | LogisticRegression:
        if not labels:
            return Ridge(alpha=penalty).fit(features, truth)
        # Half of the squares, as scikit-learn counts: 1 is its default of both.
        weight = "balanced" if balanced else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            line = LogisticRegression(C=1 / penalty, max_iter=_MOST_STEPS, class_weight=weight)
            return line.fit(features, truth)

    return fit


def _error_of(labels: int, *, balanced: bool) -> Callable[[np.ndarray, np.ndarray], float]:
    """The error that skill compares, of ground truth and predictions."""
    from sklearn.metrics import balanced_accuracy_score, root_mean_squared_error, zero_one_loss

    if not labels:
        return root_mean_squared_error
    return (lambda truth, found: 1 - balanced_accuracy_score(truth, found)) if balanced else zero_one_loss


def features_of(sequences: Classified, numbers: np.ndarray) -> Features:
    """What a linear baseline knows of some sequences, a row for each: counts of its tokens, or summaries of its values."""
    from scipy.sparse import csr_matrix, vstack

    encoding = sequences.preprocessing.encoding
    rows = []
    for first in range(0, len(numbers), _CHUNK):
        chunk = numbers[first : first + _CHUNK]
        read = [each.padded(chunk) for each in sequences.inputs]
        if isinstance(encoding, Vocabulary):
            at, step = np.nonzero(read[0])
            counts = (np.ones(len(at)), (at, read[0][at, step]))
            rows.append(csr_matrix(counts, shape=(len(chunk), encoding.size)))
        else:
            rows.append(_summaries(*read))
    return vstack(rows, format="csr") if isinstance(encoding, Vocabulary) else np.concatenate(rows)


def _summaries(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Length, and mean, standard deviation, smallest, largest, first and last value of each column."""
    lengths = valid.sum(axis=1).astype(np.int64)
    cells = np.where(valid[:, :, None] > 0, values.astype(np.float64), np.nan)
    last = cells[np.arange(len(cells)), lengths - 1]
    found = [np.nanmean(cells, axis=1), np.nanstd(cells, axis=1), np.nanmin(cells, axis=1), np.nanmax(cells, axis=1)]
    return np.hstack([lengths[:, None], *found, cells[:, 0], last])
