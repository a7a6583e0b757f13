"""Training that bears anomalies among its rows: the examples with the worst errors are left out, and the fit is repeated.

A model that has seen a fault learns to rebuild it. What is left out is chosen by the first fit's own errors, never by labels; the
second fit begins with the same weights and draws. Validation keeps all of its examples: `val_loss` of recipes with and without
can then be compared, and what is calibrated on validation (thresholds) is not told that faults do not happen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from seq2seq_kit.data.tables.names import answer_frame
from seq2seq_kit.data.windows.kept import KeptWindows
from seq2seq_kit.data.windows.labels import series_labels, when
from seq2seq_kit.data.windows.prepared import Prepared
from seq2seq_kit.findings import Finding
from seq2seq_kit.training.callbacks import Epoch, Observer
from seq2seq_kit.training.checkpoint import Checkpoint
from seq2seq_kit.training.fit import Examples, Fit
from seq2seq_kit.training.own_scale import own_ratio

if TYPE_CHECKING:
    import keras

LEFT_OUT = "left_out.csv"
_TOLD = 5  # stretches
_CHUNK = 4_096


@dataclass(frozen=True)
class Leavable:
    """How training examples are left out.

    Attributes:
        errors: The error of a model on each of them, in scaled units, shape `(examples,)`.
        without: What is fitted on without those of some numbers.
        told: What those of some numbers are, in words, the first one first.
        table: The same as a table, a row for each.
    """

    errors: Callable[[keras.Model], np.ndarray]
    without: Callable[[np.ndarray], Examples]
    told: Callable[[Sequence[int]], list[str]]
    table: Callable[[Sequence[int]], pd.DataFrame]


class OneFit(Protocol):
    """One fit of a model on some examples."""

    def __call__(self, examples: Examples, observers: Sequence[Observer], checkpoint: Checkpoint | None) -> Fit: ...


def fit_without_the_worst(
    model: keras.Model,
    share: float,
    fit: OneFit,
    observers: Sequence[Observer],
    checkpoint: Checkpoint | None,
    *,
    examples: Examples,
    leavable: Leavable,
) -> Fit:
    """Fits, leaves the worst examples out, and fits again from the same start.

    Args:
        model: As both fits begin with it.
        share: Of the training examples that are left out, at least one.
        fit: One fit of it.
        observers: Told of the second fit; of the first only that it goes on.
        checkpoint: Of the whole training: a first fit that is done is not repeated.
        examples: All of them.
        leavable: How some are left out.

    Returns:
        The second fit, with what was left out; of an interrupted first one that one.
    """
    worst = checkpoint.noted() if checkpoint else None
    first = None
    if worst is None:
        start = [variable.numpy() for variable in model.variables]
        first = fit(examples, [Alive(observer) for observer in observers], checkpoint.before() if checkpoint else None)
        if first.ended == "interrupted":
            return first
        found = leavable.errors(model)
        worst = np.argsort(-found, kind="stable")[: max(1, round(share * len(found)))]
        if checkpoint:
            checkpoint.note(worst)
        for variable, value in zip(model.variables, start, strict=True):
            variable.assign(value)
    fitted = fit(leavable.without(worst), observers, checkpoint)
    return replace(fitted, left_out=worst.tolist(), seconds=fitted.seconds + (first.seconds if first else 0.0))


class Alive:
    """An observer that is told of batches only."""

    def __init__(self, observer: Observer) -> None:
        self.on_batch = observer.on_batch

    def on_epoch(self, epoch: Epoch) -> None: ...


def rms_by_example(error: np.ndarray) -> np.ndarray:
    """Root mean square of the known cells of each example, `(examples, steps, columns)`; 0 where none is known."""
    known = ~np.isnan(error)
    squares = np.where(known, error, 0.0) ** 2
    return np.asarray(np.sqrt(squares.sum(axis=(1, 2)) / np.maximum(known.sum(axis=(1, 2)), 1)))


def left_out_finding(leavable: Leavable, numbers: Sequence[int], of: int, unit: str) -> Finding:
    """What was left out, in a sentence, the worst first."""
    told = leavable.told(numbers)
    more = f" and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
    said = (
        f"{len(numbers):,} of {of:,} training {unit} ({100 * len(numbers) / of:.1f} %), those with the largest errors after a "
        f"first fit, were left out of the second: {'; '.join(told[:_TOLD])}{more}"
    )
    return Finding("left_out", "note", said, f"Look at them ({LEFT_OUT}); what is normal running belongs into training")


def leavable_windows(prepared: Prepared) -> Leavable:
    """Of windows in memory. Where series share a scale, each one's errors are compared on its own."""

    def errors(model: keras.Model) -> np.ndarray:
        from seq2seq_kit.models.inference import compile_forward

        forward, ratio, count = compile_forward(model), own_ratio(prepared), prepared.count("train")
        found = np.zeros(count)
        for first in range(0, count, _CHUNK):
            these = np.arange(first, min(first + _CHUNK, count))
            error = forward(prepared.arrays("train", these)) - prepared.scaled_targets("train", these)
            own = 1.0 if ratio is None else np.nan_to_num(ratio)[prepared.series_of("train", these)][:, None, :]
            found[these] = rms_by_example(error * own)
        return found

    def without(numbers: np.ndarray) -> Examples:
        return KeptWindows(prepared, np.setdiff1d(np.arange(prepared.count("train")), numbers))

    return Leavable(errors, without, partial(window_stretches, prepared), partial(window_table, prepared))


def window_table(prepared: Prepared, numbers: Sequence[int]) -> pd.DataFrame:
    """A row for each of some training windows: series, first and last time (or row)."""
    first, last = _ends(prepared, np.asarray(numbers))
    names = series_labels(
        prepared.data.series_columns, prepared.table.series, prepared.series_of("train", np.asarray(numbers))
    )
    return answer_frame(names, when(prepared, first, "first_"), when(prepared, last, "last_"))


def window_stretches(prepared: Prepared, numbers: Sequence[int]) -> list[str]:
    """The stretches of rows that some training windows cover, in words, that of the first window first."""
    order = np.argsort(numbers)
    first, last = _ends(prepared, np.asarray(numbers)[order])
    # Windows are in order of series and time, so one that begins after all before it have ended begins a stretch.
    reach = np.maximum.accumulate(last)
    begins = np.flatnonzero(np.concatenate([[True], first[1:] > reach[:-1] + 1]))
    ends = reach[np.append(begins[1:] - 1, len(reach) - 1)]
    rank = np.minimum.reduceat(order, begins)
    found = [_words(prepared, int(first[begin]), int(end)) for begin, end in zip(begins, ends, strict=True)]
    return [found[place] for place in np.argsort(rank)]


def _ends(prepared: Prepared, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = prepared.windows["train"].target_rows(numbers)
    return rows[:, 0], rows[:, -1]


def _words(prepared: Prepared, first: int, last: int) -> str:
    label = next(iter(when(prepared, np.array([first, last])).values()))
    series = prepared.table.series[int(np.searchsorted(prepared.table.bounds, first, side="right")) - 1]
    said = f"{label[0]} to {label[1]}" if prepared.table.times is not None else f"rows {label[0]} to {label[1]}"
    return f"{series}: {said}" if series else said
