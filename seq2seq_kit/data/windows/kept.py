"""Windows of which some training ones are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from seq2seq_kit.data.rows import Rows
from seq2seq_kit.data.windows.prepared import Prepared

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class KeptWindows:
    """Prepared rows as examples of a fit, with some of their training windows; val and test are all there.

    Attributes:
        prepared: In memory.
        kept: Numbers of the training windows that are fitted on.
    """

    prepared: Prepared
    kept: np.ndarray

    def count(self, part: str) -> int:
        """Windows of a part."""
        return len(self.kept) if part == "train" else self.prepared.count(part)

    def batches(
        self, part: str, batch_size: int, *, shuffle_seed: int | None = None, first_epoch: int = 0
    ) -> tf.data.Dataset:
        """See `make_batches`."""
        return self.prepared.batches(
            part,
            batch_size,
            shuffle_seed=shuffle_seed,
            first_epoch=first_epoch,
            subset=self.kept if part == "train" else None,
        )

    def arrays(self, part: str, numbers: np.ndarray) -> list[np.ndarray]:
        """The model's inputs for some windows."""
        return self.prepared.arrays(part, self.kept[numbers] if part == "train" else numbers)


class LossFlags(TypedDict):
    """What a loss has to know of targets: whether cells may be missing, and whether rows have weights."""

    masked: bool
    weighted: bool


def loss_flags(examples: object) -> LossFlags:
    """Of the targets of examples; those of whole sequences have a loss of their task's."""
    rows = _rows(examples)
    return {
        "masked": rows is not None and rows.columns.masked,
        "weighted": rows is not None and rows.columns.weight is not None,
    }


def matrix_of(examples: object) -> Rows | None:
    """The scaled rows of examples that are windows; None of others."""
    rows = _rows(examples)
    return None if rows is None else rows.matrix


def _rows(examples: object) -> Prepared | None:
    examples = examples.prepared if isinstance(examples, KeptWindows) else examples
    return examples if isinstance(examples, Prepared) else None
