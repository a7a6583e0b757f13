"""Which hyperparameter mattered: permutation importance of a random forest that predicts the score from the values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.sweeps.trials import Direction, Trial, finished_of, number_of, position_of

if TYPE_CHECKING:
    from seq2seq_kit.recipe.sweep import Knob

# Below this a forest of a few keys has more leaves than trials to fill them.
LEAST_TRIALS = 8
# Shares below this are within what chance gives to a key that does nothing.
HARDLY = 0.05
# Forests that vote, each with its own rows and shuffles: their disagreement is the spread.
_FORESTS, _TREES = 10, 60
# A rank correlation below this is no direction worth telling, and among few trials chance alone makes larger ones.
_LEAST_LEANING = 0.3


@dataclass(frozen=True)
class Importances:
    """The share of each hyperparameter in what a random forest knows about the score.

    Attributes:
        shares: By dotted key, the largest first, summing to 1; empty if nothing can be said.
        spreads: Standard deviation of each share over forests that saw other trials.
        leanings: `larger` or `smaller`, what goes with better scores, for keys with an order; absent where neither does.
        r2: Share of the variance of the ranks that the forest explains on trials it did not see (out of bag); None if not asked.
        finished: Number of finished trials.
        why: Why there are no shares, and what to do; empty if there are.
    """

    shares: dict[str, float] = field(default_factory=dict)
    spreads: dict[str, float] = field(default_factory=dict)
    leanings: dict[str, str] = field(default_factory=dict)
    r2: float | None = None
    finished: int = 0
    why: str = ""


@dataclass(frozen=True)
class _Columns:
    """What the forest reads: `(trials, columns)`, and for each key which columns are shuffled together, in which rows."""

    matrix: np.ndarray
    own: dict[str, list[int]]
    rows: dict[str, np.ndarray]


def importances(trials: Sequence[Trial], knobs: Sequence[Knob], direction: Direction, seed: int = 0) -> Importances:
    """Shares of the hyperparameters in what a random forest knows about the score.

    For each tree, the key's columns are shuffled over the trials that the tree did not see; the rise of its squared error
    is the key's importance (Breiman, Random Forests, 2001). Choices are one column for each value, shuffled together;
    what was searched on a log scale is read on it. Scores are read by their rank, else a few outliers
    would be all that counts.

    Two keys that vary together share one importance between them, in a way that says nothing about either: a search
    that has narrowed (Bayesian), or a key that is active only under another one. A key of which Hyperband's
    short trials say something else than its long ones is seen as an average of both.

    Args:
        trials: Only the finished ones are used.
        knobs: The space.
        direction: `min` or `max`; what is better, for `leanings`.
        seed: Of the forests and the shuffles.

    Returns:
        No shares but `why` with fewer than 8 finished trials, equal scores, or a forest that predicts unseen trials no
        better than their mean does. A key whose shuffling makes the forest better than it was has a share of 0.
    """
    done = finished_of(trials)
    if len(done) < LEAST_TRIALS:
        few = f"{len(done)} finished trial{' is' if len(done) == 1 else 's are'} too few"
        return Importances(
            finished=len(done), why=f"{few} to tell what mattered, it takes {LEAST_TRIALS}; run more trials"
        )
    target = _ranks(np.array([score for _, score in done]))
    if np.ptp(target) == 0:
        why = f"all {len(done)} finished trials have the same score; widen the space"
        return Importances(finished=len(done), why=why)
    columns = _columns([trial for trial, _ in done], knobs)
    rng = np.random.default_rng(seed)
    r2s, losses = zip(*(_forest(columns, target, rng) for _ in range(_FORESTS)), strict=True)
    r2 = float(np.mean(r2s))
    gained = np.maximum(np.mean(losses, axis=0), 0)
    if r2 <= 0 or gained.sum() == 0:
        why = (
            f"a forest on {len(done)} finished trials predicts others no better than their mean does (R2 {r2:.2f}); "
            "run more trials, or search keys that matter more"
        )
        return Importances(finished=len(done), r2=r2, why=why)
    shares = gained / gained.sum()
    spreads = np.std(losses, axis=0, ddof=1) / gained.sum()
    order = np.argsort(-shares, kind="stable")
    keys = [knobs[at].key for at in order]
    return Importances(
        dict(zip(keys, shares[order].tolist(), strict=True)),
        dict(zip(keys, spreads[order].tolist(), strict=True)),
        _leanings(done, knobs, direction),
        r2,
        len(done),
    )


def _columns(trials: Sequence[Trial], knobs: Sequence[Knob]) -> _Columns:
    """The trials' values as numbers; an inactive key stands in the middle of the active ones, with a column that tells."""
    columns: list[np.ndarray] = []
    own: dict[str, list[int]] = {knob.key: [] for knob in knobs}
    rows = {}
    for knob in knobs:
        values = [trial.values.get(knob.key) for trial in trials]
        active = np.array([knob.key in trial.values for trial in trials])
        rows[knob.key] = np.flatnonzero(active)
        for column in _encoded(knob, values, active):
            own[knob.key].append(len(columns))
            columns.append(column)
        if not active.all():
            # Whether a key is active follows from its parents, so it is theirs to answer for.
            for parent in knob.when:
                own[parent].append(len(columns))
            columns.append(active.astype(float))
    # scikit-learn's trees split single precision.
    return _Columns(np.stack(columns, axis=1).astype(np.float32), own, rows)


def _encoded(knob: Knob, values: Sequence[object], active: np.ndarray) -> list[np.ndarray]:
    if knob.kind == "choice" and not knob.ordered:
        # A value outside the space, the recipe's own, is the one with zeros in all columns.
        positions = [position_of(knob, value) for value in values]
        return [np.array([float(position == at) for position in positions]) for at in range(len(knob.values))]
    scale = np.array([np.nan if (position := position_of(knob, value)) is None else position for value in values])
    positioned = np.isfinite(scale)
    filled = np.where(positioned, scale, scale[positioned].mean() if positioned.any() else 0.0)
    # A value without a position (null, or 0 on a log scale) is told from the middle by a column of its own.
    unpositioned = active & ~positioned
    return [filled, unpositioned.astype(float)] if unpositioned.any() else [filled]


def _forest(columns: _Columns, target: np.ndarray, rng: np.random.Generator) -> tuple[float, np.ndarray]:
    """R2 of one forest on the trials that its trees did not see, and the rise of their squared error by key."""
    from sklearn.ensemble import RandomForestRegressor

    matrix, count = columns.matrix, len(target)
    forest = RandomForestRegressor(_TREES, random_state=int(rng.integers(2**31)))
    forest.fit(matrix, target)
    rises = np.zeros(len(columns.own))
    sums, votes = np.zeros(count), np.zeros(count)
    for tree, seen in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        unseen = np.setdiff1d(np.arange(count), seen)
        if not len(unseen):
            continue
        predicted = tree.tree_.predict(matrix[unseen]).ravel()
        sums[unseen] += predicted
        votes[unseen] += 1
        error = np.square(target[unseen] - predicted).sum()
        for at, (key, own) in enumerate(columns.own.items()):
            shuffled = matrix[unseen]
            rows = np.flatnonzero(np.isin(unseen, columns.rows[key]))
            shuffled[rows[:, None], own] = shuffled[rng.permutation(rows)[:, None], own]
            rises[at] += np.square(target[unseen] - tree.tree_.predict(shuffled).ravel()).sum() - error
    told = votes > 0
    rest = np.square(target[told] - sums[told] / votes[told]).sum()
    total = np.square(target[told] - target[told].mean()).sum()
    return float(1 - rest / total) if total > 0 else 0.0, rises


def _leanings(done: Sequence[tuple[Trial, float]], knobs: Sequence[Knob], direction: Direction) -> dict[str, str]:
    """Which way the scores get better, by the sign of the rank correlation."""
    leanings = {}
    for knob in knobs:
        if knob.kind in ("choice", "boolean") and not knob.ordered:
            continue
        pairs = [(position_of(knob, trial.values.get(knob.key)), score) for trial, score in done]
        known = [(position, score) for position, score in pairs if number_of(position) is not None]
        if len(known) < LEAST_TRIALS:
            continue
        ranks = np.stack([_ranks(np.array(column)) for column in zip(*known, strict=True)])
        if np.ptp(ranks, axis=1).min() == 0:
            continue
        rho = float(np.corrcoef(ranks)[0, 1]) * (1 if direction == "max" else -1)
        # Two standard deviations of the rank correlation of n pairs that have nothing to do with each other.
        if abs(rho) >= max(_LEAST_LEANING, 2 / math.sqrt(len(known) - 1)):
            leanings[knob.key] = "larger" if rho > 0 else "smaller"
    return leanings


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0, equals sharing the middle of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts + 1) / 2)[inverse])
