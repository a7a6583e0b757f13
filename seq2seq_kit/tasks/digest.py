"""Whether two sources hold the same cells."""

import hashlib
from collections.abc import Sequence

import pandas as pd

from seq2seq_kit.data.on_disk.row_groups import FrameOnDisk

_HASHED_ROWS = 2**20  # a row group as most programs write it


def digest_of(frame: pd.DataFrame | FrameOnDisk, columns: Sequence[str]) -> str:
    """Digest of the cells of some columns; MLflow takes up to 36 characters."""
    digest = hashlib.sha256()
    # Each row has a hash of its own, so the digest is that of all rows at once.
    for first in range(0, len(frame), _HASHED_ROWS):
        piece = frame.iloc[first : first + _HASHED_ROWS][list(columns)]
        digest.update(pd.util.hash_pandas_object(piece, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:32]
