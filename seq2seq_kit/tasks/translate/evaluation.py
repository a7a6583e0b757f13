"""Errors of written outputs: edit distance, exact match, accuracy by step; beside simple baselines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.evaluation.base import MODEL, Board
from seq2seq_kit.tasks.translate.data import Texts

Json = dict[str, object]

_FIT_PAIRS = 20_000  # a table of tokens hardly changes with more
_ROUNDS = 10
_NOTHING = -1  # what a source token becomes that leaves no trace in the target


def edit_distances(left: Sequence[Sequence[int]], right: Sequence[Sequence[int]]) -> np.ndarray:
    """Levenshtein distance of each pair: the least number of tokens to insert, delete or replace; shape `(pairs,)`."""
    lengths = np.array([len(each) for each in left]), np.array([len(each) for each in right])
    wide = int(lengths[1].max(initial=0))
    a, b = _padded(left, -3), _padded(right, -4)
    row = np.tile(np.arange(wide + 1), (len(lengths[0]), 1))
    result = np.where(lengths[0] == 0, lengths[1], 0)
    for i in range(a.shape[1]):
        before, row = row, np.empty_like(row)
        row[:, 0] = i + 1
        for j in range(wide):
            replace = before[:, j] + (a[:, i] != b[:, j])
            row[:, j + 1] = np.minimum(replace, np.minimum(before[:, j + 1], row[:, j]) + 1)
        ends = lengths[0] == i + 1
        result[ends] = row[ends, lengths[1][ends]]
    return result


def _padded(sequences: Sequence[Sequence[int]], fill: int) -> np.ndarray:
    wide = max((len(each) for each in sequences), default=0)
    padded = np.full((len(sequences), wide), fill)
    for row, each in enumerate(sequences):
        padded[row, : len(each)] = each
    return padded


@dataclass(frozen=True)
class TextScores:
    """How far some outputs are from their references.

    Attributes:
        edits: Tokens to change, against the nearest reference of each source.
        tokens: Tokens of those references.
        exact: Outputs equal to a reference.
        outputs: Number of them.
        loss: Mean cross-entropy by token with the true tokens before it; NaN where there are no probabilities.
        accuracy: Share of correct tokens by position, the end included, with the true tokens before it where a model reads them.
    """

    edits: int
    tokens: int
    exact: int
    outputs: int
    loss: float = float("nan")
    accuracy: float = float("nan")

    @property
    def token_error_rate(self) -> float:
        """Edits by reference token; with phonemes this is the phoneme error rate."""
        return self.edits / self.tokens if self.tokens else float("nan")

    @property
    def exact_match(self) -> float:
        """Share of outputs that equal a reference; 1 - the word error rate."""
        return self.exact / self.outputs


def score_outputs(
    outputs: Sequence[Sequence[int]], references: Sequence[Sequence[Sequence[int]]], **more: float
) -> TextScores:
    """Scores outputs against the references of each, any of which is right."""
    pairs = [(output, ref) for output, refs in zip(outputs, references, strict=True) for ref in refs]
    distance = edit_distances([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    lengths = np.array([len(pair[1]) for pair in pairs])
    first = np.cumsum([0, *(len(refs) for refs in references)])
    edits = tokens = exact = 0
    for begin, end in pairwise(first):
        nearest = begin + int(np.lexsort((lengths[begin:end], distance[begin:end]))[0])
        edits, tokens = edits + int(distance[nearest]), tokens + int(lengths[nearest])
        exact += int(distance[nearest] == 0)
    return TextScores(edits, tokens, exact, len(outputs), **more)


@dataclass(frozen=True)
class TextEvaluation(Board):
    """Figures of one part. Sources of several rows count once, with all their answers."""

    titles: ClassVar[Mapping[str, str]] = {
        "exact_match": "exact match",
        "token_error_rate": "token error rate",
        "accuracy": "accuracy",
        "loss": "loss",
    }
    headline: ClassVar[str] = "exact_match"
    error: ClassVar[str] = "token error rate"

    part: str
    scores: dict[str, TextScores]
    about: dict[str, str]
    by_length: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.scores[MODEL].outputs:,} {self.part} sources"

    @property
    def units(self) -> str:
        return (
            "Exact match: share of outputs that equal an answer. Token error rate: tokens to insert, delete or replace, by token "
            "of the answer. Accuracy and loss: by token, the end included, after the true tokens before it."
        )

    @property
    def names(self) -> list[str]:
        return list(self.scores)

    def metrics(self, name: str = MODEL) -> dict[str, float]:
        return {key: getattr(self.scores[name], key) for key in self.titles}

    def error_of(self, name: str = MODEL) -> float:
        return self.scores[name].token_error_rate

    def table(self) -> pd.DataFrame:
        rows = []
        for name, scores in self.scores.items():
            counts = {"edits": scores.edits, "tokens": scores.tokens, "exact": scores.exact, "outputs": scores.outputs}
            rows.append({"forecaster": name} | self.metrics(name) | counts)
        return pd.DataFrame(rows)


@dataclass(frozen=True)
class MostFrequent:
    """Always writes the most frequent token of each position."""

    tokens: list[int]
    name: ClassVar[str] = "most frequent"
    about: ClassVar[str] = "writes the most frequent token of each position in the training targets"

    @classmethod
    def fit(cls, texts: Texts) -> MostFrequent:
        """Counts the training targets; an end counts as a token."""
        train, chosen = texts.parts["train"], []
        answers = [texts.answers[row] for row in train]
        for position in range(texts.output_steps):
            counts = Counter(int(each[position]) for each in answers if len(each) > position)
            token = counts.most_common(1)[0][0] if counts else 0
            if token == 0:
                break
            chosen.append(token)
        return cls(chosen)

    def stored(self) -> Json:
        """Plain values for JSON."""
        return {"tokens": self.tokens}

    def write(self, sources: Sequence[Sequence[int]]) -> list[list[int]]:
        """The same output for every source."""
        return [self.tokens] * len(sources)


@dataclass(frozen=True)
class TokenByToken:
    """Replaces each source token by its most frequent counterpart, or by nothing; the counterparts are found by IBM's model 1."""

    counterpart: dict[int, int]
    name: ClassVar[str] = "token by token"
    about: ClassVar[str] = "replaces each source token by its most frequent counterpart (alignment by IBM's model 1)"

    @classmethod
    def fit(cls, texts: Texts) -> TokenByToken:
        """Which target token, or none, each source token comes from: expectation maximisation (Brown et al. 1993) on at most
        20,000 training pairs."""
        train = texts.parts["train"]
        picked = train[np.unique(np.linspace(0, len(train) - 1, min(_FIT_PAIRS, len(train))).astype(int))]
        left, right, group = [], [], []
        count = 0
        for row in picked:
            source = texts.encoded[row]
            target = [*(int(token) for token in texts.answers[row] if token), _NOTHING]
            left.append(np.repeat(source, len(target)))
            right.append(np.tile(target, len(source)))
            group.append(count + np.repeat(np.arange(len(source)), len(target)))
            count += len(source)
        a, b, which = np.concatenate(left), np.concatenate(right), np.concatenate(group)
        pairs, index = np.unique(np.stack([a, b]), axis=1, return_inverse=True)
        index = index.ravel()
        targets, of_target = np.unique(pairs[1], return_inverse=True)
        chance = np.ones(pairs.shape[1])
        for _ in range(_ROUNDS):
            weight = chance[index]
            weight /= np.bincount(which, weights=weight)[which]
            expected = np.bincount(index, weights=weight, minlength=pairs.shape[1])
            chance = (
                expected / np.bincount(of_target.ravel(), weights=expected, minlength=len(targets))[of_target.ravel()]
            )
        best: dict[int, int] = {}
        for place in np.argsort(expected):
            best[int(pairs[0, place])] = int(pairs[1, place])
        return cls(best)

    def stored(self) -> Json:
        """Plain values for JSON, whose keys are texts only."""
        return {"counterpart": list(self.counterpart.items())}

    def write(self, sources: Sequence[Sequence[int]]) -> list[list[int]]:
        """One token, or none, for each source token, in the order of the source."""
        found = [[self.counterpart.get(int(token), _NOTHING) for token in source] for source in sources]
        return [[token for token in each if token != _NOTHING] for each in found]


TextBaseline = MostFrequent | TokenByToken


def fit_text_baselines(texts: Texts) -> list[TextBaseline]:
    """The baselines, fitted on the training pairs."""
    return [MostFrequent.fit(texts), TokenByToken.fit(texts)]


def dump_text_baselines(baselines: Sequence[TextBaseline]) -> list[Json]:
    """As plain values for JSON."""
    return [{"name": peer.name, **peer.stored()} for peer in baselines]


def restore_text_baselines(stored: Sequence[Mapping[str, Any]], size: int) -> list[TextBaseline]:
    """The reverse of `dump_text_baselines`, for a target vocabulary of this size.

    Raises:
        ValueError: What was stored is foreign, or writes a token that there is not; likewise `KeyError` and `TypeError`.
    """
    found: list[TextBaseline] = [
        MostFrequent([int(token) for token in entry["tokens"]])
        if entry["name"] == MostFrequent.name
        else TokenByToken({int(a): int(b) for a, b in entry["counterpart"]})
        for entry in stored
    ]
    for peer in found:
        written = peer.tokens if isinstance(peer, MostFrequent) else peer.counterpart.values()
        if not all(_NOTHING <= token < size for token in written):
            raise ValueError(f"the baseline {peer.name!r} writes a token beyond the {size} of the target")
    return found
