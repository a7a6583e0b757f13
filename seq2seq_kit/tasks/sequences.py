"""A run on sequences of any length, whatever is predicted of them."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Generic, Self

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.data.sequences.ragged import SequenceExamples
from seq2seq_kit.evaluation.diagnostics import against_baseline, still_improving
from seq2seq_kit.evaluation.labels import LabelBoard, labels_not_learned
from seq2seq_kit.findings import Finding
from seq2seq_kit.tasks.job import B, E, Job, R, Served

_RARE = 20  # training examples of a label that are too few to learn it from


@dataclass(frozen=True)
class SequenceJob(Job[R, B, E], ABC, Generic[R, B, E]):
    """See `Job`; the folder of each task holds the rest.

    Attributes:
        few: Sequences by part, below which its metrics are unreliable.
    """

    few: ClassVar[Mapping[str, int]] = {}

    source: pd.DataFrame
    examples: SequenceExamples

    def on_all_rows(self) -> Self:
        return replace(self, examples=self.examples.on_all_rows())

    @staticmethod
    def diagnose(val: E, test: E, val_losses: Sequence[float], *, all_epochs: bool) -> list[Finding]:
        findings = [*still_improving(val_losses, all_epochs=all_epochs), *against_baseline(test)]
        return findings + (labels_not_learned(test) if isinstance(test, LabelBoard) else [])

    def few_sequences(self) -> list[Finding]:
        """The findings on parts that have too few sequences."""
        kept = [part for part in self.few if part != "test" or self.evaluated == "test"]
        counts = {part: self.examples.count(part) for part in kept}
        return [
            Finding(
                "few_sequences",
                "warning",
                f"only {count} {part} sequences; figures from fewer than {self.few[part]} are unreliable",
                "Give more sequences, or change data.split",
            )
            for part, count in counts.items()
            if count < self.few[part]
        ]


def rare_labels(labels: Sequence[str], counts: np.ndarray, *, of: str) -> list[Finding]:
    """The finding on labels that are too rare to be learned.

    Args:
        labels: Their names.
        counts: How often each of them is in the training part.
        of: What has a label: `steps`.
    """
    rare = [label for label, count in zip(labels, counts, strict=True) if count < _RARE]
    text = f"labels with fewer than {_RARE} training {of}: {', '.join(rare)}"
    return [Finding("rare_labels", "warning", text, "Give more of them, or join them with others")] if rare else []


def example_rows(
    frame: pd.DataFrame,
    rows: np.ndarray,
    columns: Sequence[str],
    *,
    numbers: Sequence[str] = (),
    texts: Sequence[str | None] = (),
) -> pd.DataFrame:
    """Rows of a frame as MLflow can serve them; those below 0 are none of it.

    `numbers` are columns of float64, `texts` (None: there is none) of text.
    """
    kinds = dict.fromkeys(numbers, "float64") | {name: "str" for name in texts if name}
    return frame.iloc[rows[rows >= 0]][list(columns)].reset_index(drop=True).astype(kinds)


def served_example(bundle: Bundle, frame: pd.DataFrame, arrays: list[np.ndarray]) -> dict[str, tuple[Served, Served]]:
    """A frame for `Bundle.answer` and inputs for the bare network, each with its answer."""
    from seq2seq_kit.models.inference import forward_inputs

    names = [tensor.name for tensor in forward_inputs(bundle.model)]
    tensors = dict(zip(names, arrays, strict=True)) if len(names) > 1 else arrays[0]
    return {"frames": (frame, bundle.answer(frame)), "tensors": (tensors, bundle.forward(arrays))}
