"""Whole sequences as points of a map, and which are near one of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from seq2seq_kit.evaluation.latent import nearest
from seq2seq_kit.reports.latent_page import Points
from seq2seq_kit.tasks.latent import neighbours_frame, series_named
from seq2seq_kit.tasks.whole.data import Sequences
from seq2seq_kit.tasks.whole.evaluation import rms


def points_of(sequences: Sequences, numbers: np.ndarray, rebuilt: Sequence[np.ndarray], scale: np.ndarray) -> Points:
    """Sequences with their reconstruction errors.

    Args:
        sequences: Prepared.
        numbers: Which of them.
        rebuilt: Their reconstructions in original units, `(steps, columns)` each.
        scale: Of the columns, `(columns,)`.
    """
    truth = [sequences.truth(number) for number in numbers]
    places, lengths = np.arange(len(numbers)), sequences.lengths[numbers]
    return Points(
        places=np.zeros((len(truth), 2)),
        scores=np.array([rms((own - actual) / scale) for own, actual in zip(rebuilt, truth, strict=True)]),
        series=[sequences.names[number] for number in numbers],
        of=places,
        first=places + 1,
        last=places + 1,
        starts=np.cumsum(lengths) - lengths,
        lengths=lengths,
        values=np.concatenate(truth),
        columns=sequences.prepared.columns.targets,
        units=sequences.prepared.data.units,
        named="sequences",
    )


def nearest_sequences(
    sequences: Sequences, latent: np.ndarray, labels: pd.DataFrame, series: str | Sequence[str] | None, k: int
) -> pd.DataFrame:
    """The sequences nearest to one, by latent vectors `(sequences, latent)`; see `WholeBundle.neighbours`."""
    given = series_named(sequences.names, series)
    found, distance = nearest(latent, given, k)
    said = f"the given sequence is {sequences.names[given]}"
    return neighbours_frame(labels.iloc[found].reset_index(drop=True), distance, k, said, sequences.notes)
