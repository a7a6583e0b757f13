"""Metrics of labels: accuracy, F1 of each label, confusion matrix; beside the most frequent label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import ClassVar

import numpy as np

from seq2seq_kit.data.sequences.ragged import NO_LABEL
from seq2seq_kit.evaluation.base import MODEL
from seq2seq_kit.evaluation.labels import LabelBoard
from seq2seq_kit.evaluation.stored import restore_dataclass
from seq2seq_kit.tasks.tag.data import Tagged

_PENALTY = 1e-3  # by row; keeps columns that say the same from making the map infinite


@dataclass(frozen=True)
class TagEvaluation(LabelBoard):
    """Metrics of one part. Padding and steps without a label do not count.

    Attributes:
        confusion: By forecaster, see `confusion_of`.
        losses: Mean cross-entropy by forecaster, where it gives probabilities.
        labels: Names of the labels.
    """

    titles: ClassVar[Mapping[str, str]] = {**LabelBoard.titles, "loss": "loss"}

    part: str
    confusion: dict[str, np.ndarray]
    labels: list[str]
    about: dict[str, str]
    losses: dict[str, float] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{int(self.confusion[MODEL].sum()):,} labelled {self.part} steps, {len(self.labels)} labels"

    @property
    def units(self) -> str:
        return "Accuracy: share of correct labels. Macro F1: mean F1 of the labels that are true or predicted here."

    @property
    def names(self) -> list[str]:
        return list(self.confusion)

    def confusion_of(self, name: str = MODEL) -> np.ndarray:
        return self.confusion[name]

    def metrics(self, name: str = MODEL) -> dict[str, float]:
        return super().metrics(name) | {"loss": self.losses.get(name, float("nan"))}

    def compared(self, name: str) -> str:
        own, peer = (self.metrics(each)["accuracy"] for each in (MODEL, name))
        return f"accuracy {own:.4f} against {peer:.4f}"


@dataclass(frozen=True)
class MostFrequentLabel:
    """Gives every step the most frequent label of the training steps."""

    label: int
    name: ClassVar[str] = "most frequent label"
    about: ClassVar[str] = "gives every step the most frequent label of the training steps"

    def give(self, tagged: Tagged, numbers: np.ndarray) -> np.ndarray:
        """Labels of all steps of some sequences, one after the other."""
        return np.full(int(tagged.truth.lengths[numbers].sum()), self.label)


@dataclass(frozen=True)
class LabelOfToken:
    """Gives each token the label that it has most often in the training steps.

    Attributes:
        label_of: By token, those alone whose label is not `other`.
        other: The most frequent label of tokens with a single training step: the best guess for one without any.
    """

    label_of: dict[str, int]
    other: int
    name: ClassVar[str] = "label of the token"
    about: ClassVar[str] = "gives each token the label that it has most often in the training steps"

    @classmethod
    def fit(cls, tokens: Sequence[str], truth: np.ndarray) -> LabelOfToken:
        """Counts the labels of each token."""
        counts: dict[str, Counter[int]] = {}
        for token, label in zip(tokens, truth.tolist(), strict=True):
            counts.setdefault(token, Counter())[label] += 1
        once = Counter(next(iter(own)) for own in counts.values() if own.total() == 1)
        other = (once or Counter(truth.tolist())).most_common(1)[0][0]
        chosen = {token: own.most_common(1)[0][0] for token, own in counts.items()}
        return cls({token: label for token, label in chosen.items() if label != other}, other)

    def give(self, tagged: Tagged, numbers: np.ndarray) -> np.ndarray:
        """Labels of all steps of some sequences, one after the other."""
        return np.array([self.label_of.get(token, self.other) for token in tagged.tokens_of(numbers)], dtype=np.int64)


@dataclass(frozen=True)
class LineOfRow:
    """A linear map from a single row to a score for each label: what can be told without any context."""

    weights: list[list[float]]
    name: ClassVar[str] = "line on the row"
    about: ClassVar[str] = "a linear map from a single row to a score for each label, without context"

    def give(self, tagged: Tagged, numbers: np.ndarray) -> np.ndarray:
        """Labels of all steps of some sequences, one after the other."""
        rows = tagged.inputs[0].sequences.rows_of(numbers).astype(np.float64)
        weights = np.array(self.weights)
        return (rows @ weights[:-1] + weights[-1]).argmax(axis=1)


TagBaseline = MostFrequentLabel | LabelOfToken | LineOfRow


def fit_tag_baselines(tagged: Tagged) -> list[TagBaseline]:
    """The baselines, fitted on the training steps."""
    train = tagged.parts["train"]
    truth = tagged.truth.rows_of(train)
    labelled = truth != NO_LABEL
    frequent = MostFrequentLabel(int(np.bincount(truth[labelled]).argmax()))
    if tagged.tokens is not None:
        return [frequent, LabelOfToken.fit(tagged.tokens_of(train)[labelled], truth[labelled])]
    rows = tagged.inputs[0].sequences.rows_of(train)[labelled].astype(np.float64)
    return [frequent, _fit_line(rows, truth[labelled], len(tagged.labels))]


def _fit_line(rows: np.ndarray, truth: np.ndarray, labels: int) -> LineOfRow:
    """Least squares on indicators of the labels, with an L2 penalty on all but the offset."""
    design = np.column_stack([rows, np.ones(len(rows))])
    penalty = _PENALTY * len(rows) * np.eye(design.shape[1])
    penalty[-1, -1] = 0
    weights = np.linalg.solve(design.T @ design + penalty, design.T @ np.eye(labels)[truth])
    return LineOfRow(weights.tolist())


_KINDS: dict[str, Callable[..., TagBaseline]] = {
    MostFrequentLabel.name: MostFrequentLabel,
    LabelOfToken.name: LabelOfToken,
    LineOfRow.name: LineOfRow,
}


def dump_tag_baselines(baselines: Sequence[TagBaseline]) -> list[dict[str, object]]:
    """As plain values for JSON."""
    return [{"name": peer.name} | asdict(peer) for peer in baselines]


def restore_tag_baselines(
    stored: Sequence[Mapping[str, object]], labels: int, *, columns: int | None = None
) -> list[TagBaseline]:
    """The reverse of `dump_tag_baselines`.

    Args:
        stored: The plain values.
        labels: How many labels there are.
        columns: How many numbers a row has; None where rows are tokens.

    Raises:
        ValueError: What was stored is foreign, is for other rows, or names a label that there is not; likewise
            `KeyError` and `TypeError`.
    """
    fields = [{key: value for key, value in entry.items() if key != "name"} for entry in stored]
    found = [restore_dataclass(_KINDS[str(entry["name"])], own) for entry, own in zip(stored, fields, strict=True)]
    for peer in found:
        if isinstance(peer, LineOfRow):
            right = columns is not None and np.array(peer.weights, dtype=np.float64).shape == (columns + 1, labels)
        elif isinstance(peer, LabelOfToken) and columns is not None:
            right = False
        else:
            named = [peer.label] if isinstance(peer, MostFrequentLabel) else [peer.other, *peer.label_of.values()]
            right = all(0 <= label < labels for label in named)
        if not right:
            rows = "tokens" if columns is None else f"rows of {columns} numbers"
            raise ValueError(f"the baseline {peer.name!r} does not fit {labels} labels and {rows}")
    return found
