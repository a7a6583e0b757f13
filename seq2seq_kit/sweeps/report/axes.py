"""The axes of a sweep's figures: the position of each trial on a hyperparameter's axis, ticks and their labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.sweeps.trials import Trial, number_of, same, text_of

if TYPE_CHECKING:
    from seq2seq_kit.recipe.sweep import Knob

_MOST_TICKS = 8
# Scores are drawn by their logarithm beyond this ratio of the largest to the smallest.
_WIDE = 10
_OFF, _NULL = "off", "null"


@dataclass(frozen=True)
class Axis:
    """One axis, drawn linearly.

    Attributes:
        title: Its label.
        positions: One for each trial.
        ticks, labels: Positions of the tick labels, and their text.
        span: Both ends.
        jitter: How far each point may be moved so that equal ones do not hide each other; 0 where that is not needed.
    """

    title: str
    positions: np.ndarray
    ticks: list[float]
    labels: list[str]
    span: tuple[float, float]
    jitter: np.ndarray

    def jittered(self, phase: float) -> np.ndarray:
        """The positions, each moved a little: evenly, without chance, and differently for each `phase`."""
        return self.positions + self.jitter * (2 * ((np.arange(len(self.positions)) + 1) * phase % 1) - 1)


def axis_of(knob: Knob, trials: Sequence[Trial], title: str) -> Axis:
    """The axis of a hyperparameter: logarithmic where it is searched so, a step for each value of a choice.

    What is not a number lies below the numbers: `null`, and `off` where the key is not active.
    """
    values = [trial.values.get(knob.key, _Off) for trial in trials]
    if knob.kind in ("choice", "boolean"):
        return _steps(title, knob.values, values)
    numbers = [number for value in values if (number := number_of(value)) is not None]
    ends = [end for end in (knob.low, knob.high) if end is not None]
    # The recipe's own value may lie outside the space; 0 has no logarithm.
    log = knob.sampling == "log" and min([*numbers, *ends]) > 0
    return _scale(title, values, [*numbers, *ends], log=log, whole=knob.kind == "int")


def score_axis(scores: Sequence[float], title: str) -> Axis:
    """The axis of the objective; logarithmic where the scores differ widely."""
    return _scale(title, scores, scores, log=min(scores) > 0 and max(scores) > _WIDE * min(scores), whole=False)


class _Off:
    """The value of a key that is not active."""


def _steps(title: str, own: Sequence[object], values: Sequence[object]) -> Axis:
    known = list(own)
    for value in values:
        if value is not _Off and not any(same(value, other) for other in known):
            known.append(value)
    off = [_Off] if any(value is _Off for value in values) else []
    positions = np.array(
        [next(at for at, other in enumerate([*known, *off]) if _equal(value, other)) for value in values]
    )
    labels = [*map(text_of, known), *([_OFF] if off else [])]
    jitter = np.full(len(values), 0.18 if len(set(positions)) < len(values) else 0.0)
    return Axis(
        title, positions.astype(float), [*map(float, range(len(labels)))], labels, (-0.4, len(labels) - 0.6), jitter
    )


def _equal(value: object, other: object) -> bool:
    return value is other or (value is not _Off and other is not _Off and same(value, other))


def _scale(title: str, values: Sequence[object], reach: Sequence[float], *, log: bool, whole: bool) -> Axis:
    low, high = (math.log10(end) if log else end for end in (min(reach), max(reach)))
    width = (high - low) or max(abs(low), 1.0) * 0.1
    distinct = sorted({number for value in values if (number := number_of(value)) is not None})
    if whole and len(distinct) <= _MOST_TICKS:
        marked = distinct
    elif log:
        marked = _log_ticks(low, high)
    else:
        marked = _even_ticks(low, high, whole=whole)
    ticks = [math.log10(mark) if log else mark for mark in marked]
    labels = [text_of(int(mark) if whole else mark) for mark in marked]
    others = [word for word, kind in ((_NULL, None), (_OFF, _Off)) if any(value is kind for value in values)]
    below = {word: low - 0.12 * width * (at + 1) for at, word in enumerate(others)}
    shown = [number_of(value) for value in values]
    position = math.log10 if log else float
    positions = [
        below[_NULL if value is None else _OFF] if number is None else position(number)
        for value, number in zip(values, shown, strict=True)
    ]
    # Whole numbers are often equal, `null` and `off` always; other numbers hardly ever.
    least = (
        min(np.diff([position(number) for number in distinct]), default=width) if len(distinct) < len(values) else 0.0
    )
    whole_gap = min(0.18 * float(least), 0.02 * width) if whole else 0.0
    bottom = min([low, *below.values()])
    return Axis(
        title,
        np.array(positions, float),
        [*below.values(), *ticks],
        [*below, *labels],
        (bottom - 0.06 * width, high + 0.06 * width),
        np.array([0.02 * width if number is None else whole_gap for number in shown]),
    )


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each decade, or only the decades where these are too many, or even ones where they are too few."""
    for digits in ((1, 2, 5), (1,)):
        powers = range(math.floor(low), math.ceil(high) + 1)
        marks = [digit * 10.0**power for power in powers for digit in digits]
        inside = [mark for mark in marks if low - 1e-9 <= math.log10(mark) <= high + 1e-9]
        if len(inside) <= _MOST_TICKS:
            break
    return inside if len(inside) > 2 else _even_ticks(10**low, 10**high, whole=False)


def _even_ticks(low: float, high: float, *, whole: bool) -> list[float]:
    if low == high:
        return [low]
    from matplotlib.ticker import MaxNLocator

    marks = MaxNLocator(6, integer=whole).tick_values(low, high)
    return [float(mark) for mark in marks if low - 1e-9 * abs(low) <= mark <= high + 1e-9 * abs(high)]
