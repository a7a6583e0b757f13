"""The errors of the rows of whole sequences, and of new ones in which cells may be missing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.row_errors import RowErrors
from seq2seq_kit.anomalies.silence import examine_silence
from seq2seq_kit.bundles.detecting import seconds_between
from seq2seq_kit.bundles.watching import Watched
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.windows.labels import row_labels
from seq2seq_kit.data.windows.silence import read_instead_of
from seq2seq_kit.tasks.whole.data import Sequences, watched_sequences
from seq2seq_kit.tasks.whole.recipe import WholeData

Rebuild = Callable[[Sequences, np.ndarray], list[np.ndarray]]


def errors_of_rows(rebuild: Rebuild, sequences: Sequences, part: str) -> RowErrors:
    """The errors of all rows of the sequences of a part.

    Args:
        rebuild: Gives the reconstructions of some sequences in original units.
        sequences: Prepared.
        part: Of which.
    """
    numbers = np.sort(sequences.parts[part])
    series, lengths = np.repeat(numbers, sequences.lengths[numbers]), sequences.lengths[numbers]
    step = np.arange(len(series)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    actual = np.concatenate([sequences.truth(number) for number in numbers])
    expected = np.concatenate(rebuild(sequences, numbers))
    return RowErrors(
        labels=row_labels(sequences.prepared, sequences.starts[series] + step),
        series=series,
        segment=series,
        columns=list(sequences.prepared.columns.targets),
        actual=actual,
        expected=expected,
        errors=(actual - expected) / sequences.prepared.scaler.scale[0],
        unreached=0,
    )


def watched_rows(rebuild: Rebuild, data: WholeData, frame: pd.DataFrame, scaler: Scaler, origin: str) -> Watched:
    """The errors of new rows; see `DetectingBundle.errors_of`."""
    sequences = watched_sequences(data, frame, scaler, origin=origin)
    instead = read_instead_of(data.missing, rebuilds=True)
    silent = examine_silence(sequences.prepared.table, data.inputs, longest=None, instead=instead)
    errors = errors_of_rows(rebuild, sequences, "test")
    prepared = sequences.prepared
    return Watched(errors, list(sequences.notes), seconds_between(prepared), prepared, silent)
