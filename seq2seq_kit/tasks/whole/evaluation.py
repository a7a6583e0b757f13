"""How well whole sequences are rebuilt, beside baselines with as many numbers for a sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from seq2seq_kit.evaluation.base import MODEL, ErrorBoard
from seq2seq_kit.evaluation.metrics import ErrorSums
from seq2seq_kit.evaluation.stored import restore_baselines
from seq2seq_kit.recipe.section import MOST
from seq2seq_kit.tasks.whole.data import Sequences


@dataclass(frozen=True)
class TrainingMeans:
    """Returns the mean of each column over the training rows."""

    mean: list[float]
    name: ClassVar[str] = "training mean"
    about: ClassVar[str] = "returns the mean of each column over the training rows"

    def rebuild(self, truth: np.ndarray) -> np.ndarray:
        """`(steps, columns)` for a sequence of that shape."""
        return np.tile(self.mean, (len(truth), 1))


@dataclass(frozen=True)
class OwnMeans:
    """Returns the mean of each column over the sequence itself."""

    mean: list[float]
    name: ClassVar[str] = "own mean"
    about: ClassVar[str] = "returns the mean of each column over the sequence itself"

    def rebuild(self, truth: np.ndarray) -> np.ndarray:
        """`(steps, columns)`; a column without any value is its training mean."""
        return np.stack([_cosines(column, 1, mean) for column, mean in zip(truth.T, self.mean, strict=True)], axis=1)


@dataclass(frozen=True)
class Cosines:
    """Keeps the first cosine coefficients of each column: a DCT, the counterpart of PCA for sequences of any length.

    Attributes:
        counts: Coefficients of each column; together as many as the latent vector is wide.
        mean: Mean of each column over the training rows.
    """

    counts: list[int]
    mean: list[float]

    @property
    def name(self) -> str:
        return f"cosines ({sum(self.counts)})"

    @property
    def about(self) -> str:
        return f"keeps the first cosine coefficients of each column, {', '.join(map(str, self.counts))} of them"

    def rebuild(self, truth: np.ndarray) -> np.ndarray:
        """`(steps, columns)`; a column without coefficients or without any value is its training mean."""
        columns = zip(truth.T, self.counts, self.mean, strict=True)
        return np.stack([_cosines(column, count, mean) for column, count, mean in columns], axis=1)


SequenceBaseline = TrainingMeans | OwnMeans | Cosines


def _cosines(column: np.ndarray, count: int, otherwise: float) -> np.ndarray:
    """The least-squares fit of the first cosines of a DCT-II; with every cell known it is the cut-off transform itself."""
    known = ~np.isnan(column)
    kept = min(count, int(known.sum()))
    if not kept:
        return np.full(len(column), otherwise)
    place = (np.arange(len(column)) + 0.5) / len(column)
    basis = np.cos(np.pi * place[:, None] * np.arange(kept))
    weights, *_ = np.linalg.lstsq(basis[known], column[known], rcond=None)
    return basis @ weights


def fit_sequence_baselines(sequences: Sequences, *, latent_dim: int) -> list[SequenceBaseline]:
    """Training mean, own mean, and as many cosine coefficients as the latent vector is wide, the first columns first."""
    mean = [float(value) for value in np.nan_to_num(np.nanmean(sequences.truth_of("train"), axis=0))]
    each, more = divmod(latent_dim, len(mean))
    counts = [each + (position < more) for position in range(len(mean))]
    return [TrainingMeans(mean), OwnMeans(mean), Cosines(counts, mean)]


# By the name that a bundle stores.
BASELINES: dict[str, Callable[..., SequenceBaseline]] = {
    "TrainingMeans": TrainingMeans,
    "OwnMeans": OwnMeans,
    "Cosines": Cosines,
}


def restore_sequence_baselines(stored: Sequence[Mapping[str, object]], columns: int) -> list[SequenceBaseline]:
    """The reverse of `dump_baselines`, for sequences of so many columns.

    Raises:
        ValueError: What was stored is foreign, or is for another number of columns; likewise `KeyError` and `TypeError`.
    """
    found = restore_baselines(stored, BASELINES)
    for peer in found:
        counts = peer.counts if isinstance(peer, Cosines) else [1] * columns
        if len(peer.mean) != columns or len(counts) != columns or not all(0 <= count <= MOST for count in counts):
            raise ValueError(f"the baseline {peer.name!r} does not fit {columns} columns")
    return found


@dataclass(frozen=True)
class SequenceEvaluation(ErrorBoard):
    """Errors over the cells of whole sequences, see `ErrorBoard`; padding is no cell, and a missing cell does not count.

    Attributes:
        part: `val` or `test`.
        lengths: Rows of each sequence.
        targets: Names of the columns.
        scale: Training scale, shape `(1, columns)`.
        by_sequence: Root mean square error of each sequence in scaled units, by forecaster.
        about: What each baseline does.
    """

    titles: ClassVar[Mapping[str, str]] = {"mae": "MAE", "rmse": "RMSE", "r2": "R2"}
    unit: ClassVar[str] = "sequences"

    part: str
    lengths: np.ndarray
    targets: list[str]
    sums: dict[str, ErrorSums]
    scale: np.ndarray
    by_sequence: dict[str, np.ndarray]
    about: dict[str, str] = field(default_factory=dict)
    column_units: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        least, most = int(self.lengths.min()), int(self.lengths.max())
        return f"{len(self.lengths):,} {self.part} sequences of {least} to {most} steps"

    def table(self) -> pd.DataFrame:
        """Every figure, long: forecaster, column (empty: all), scores, cells."""
        rows = []
        every = slice(None)
        for name in self.names:
            found = {"": self.overall(name)}
            found |= {each: self.scores(name, pick=(every, every, [k])) for k, each in enumerate(self.targets)}
            rows += [{"forecaster": name, "target": target} | asdict(scores) for target, scores in found.items()]
        return pd.DataFrame(rows).drop(columns="mase")


def evaluate_sequences(
    sequences: Sequences,
    part: str,
    model: Callable[[np.ndarray], list[np.ndarray]],
    baselines: Sequence[SequenceBaseline],
) -> SequenceEvaluation:
    """The model and its baselines over every sequence of a part.

    Args:
        sequences: The data.
        part: `val` or `test`.
        model: From numbers of sequences to their reconstructions, `(steps, columns)` each, in original units.
        baselines: What it is compared with.
    """
    numbers = sequences.parts[part]
    truths = [sequences.truth(number) for number in numbers]
    rebuilt = {MODEL: model(numbers)} | {peer.name: [peer.rebuild(truth) for truth in truths] for peer in baselines}
    prepared = sequences.prepared
    center, scale = prepared.target_center[:1], prepared.target_scale[:1]
    truth = np.concatenate(truths)[:, None, :]
    sums, each = {}, {}
    for name, values in rebuilt.items():
        sums[name] = ErrorSums((1, 1, truth.shape[-1]), center)
        sums[name].add(truth, np.concatenate(values)[:, None, :], np.zeros(len(truth), dtype=np.int64))
        each[name] = np.array([rms((own - right) / scale) for own, right in zip(values, truths, strict=True)])
    about = {peer.name: peer.about for peer in baselines}
    names, units = list(prepared.columns.targets), prepared.data.units
    return SequenceEvaluation(part, sequences.lengths[numbers], names, sums, scale, each, about, units)


def rms(values: np.ndarray) -> float:
    """Root mean square of the known cells, NaN where there is none."""
    known = values[~np.isnan(values)]
    return float(np.sqrt(np.mean(known**2))) if known.size else float("nan")
