"""Whether two sources hold the same cells."""

import hashlib
from collections.abc import Sequence

import pandas as pd

from seq2seq_kit.data.on_disk.row_groups import FrameOnDisk

_HASHED_ROWS = 2**20  # a row group as most programs write it


BESIDE = "beside_sha256"  # among the `attrs` of a frame: the digest of rows that are read from files of their own


def digest_of(frame: pd.DataFrame | FrameOnDisk, columns: Sequence[str]) -> str:
    """Digest of the cells of some columns, and of what files beside it hold; MLflow takes up to 36 characters."""
    own, beside = _digest(frame, columns), getattr(frame, "attrs", {}).get(BESIDE)
    return hashlib.sha256(f"{own} {beside}".encode()).hexdigest()[:32] if beside else own


def has_digest(frame: pd.DataFrame | FrameOnDisk, columns: Sequence[str], known: object) -> bool:
    """Whether the rows are those of a digest; earlier versions left files beside them out of it."""
    return known in (digest_of(frame, columns), _digest(frame, columns))


def _digest(frame: pd.DataFrame | FrameOnDisk, columns: Sequence[str]) -> str:
    digest = hashlib.sha256()
    # Each row has a hash of its own, so the digest is that of all rows at once.
    for first in range(0, len(frame), _HASHED_ROWS):
        piece = frame.iloc[first : first + _HASHED_ROWS][list(columns)]
        digest.update(pd.util.hash_pandas_object(piece, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:32]
