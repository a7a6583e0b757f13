"""The scales of a sweep's figures: where each trial stands on a hyperparameter, and what is written beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    """One scale, drawn linearly.

    Attributes:
        title: What stands beside it.
        places: One for each trial.
        ticks, labels: Where something is written, and what.
        span: Both ends.
        gaps: How far each point may move aside so that equal ones can be told apart; 0 where they need not.
    """

    title: str
    places: np.ndarray
    ticks: list[float]
    labels: list[str]
    span: tuple[float, float]
    gaps: np.ndarray

    def apart(self, phase: float) -> np.ndarray:
        """The places, each moved a little: always the same way, evenly, and differently for each `phase`."""
        return self.places + self.gaps * (2 * ((np.arange(len(self.places)) + 1) * phase % 1) - 1)


def axis_of(knob: Knob, trials: Sequence[Trial], title: str) -> Axis:
    """The scale of a hyperparameter: a logarithm where it is searched on one, a step for each value of a choice.

    What has no place among the numbers stands below them: `null`, and `off` where the key is not active.
    """
    values = [trial.values.get(knob.key, _Off) for trial in trials]
    if knob.kind in ("choice", "boolean"):
        return _steps(title, knob.values, values)
    numbers = [number for value in values if (number := number_of(value)) is not None]
    ends = [end for end in (knob.low, knob.high) if end is not None]
    # The recipe's own value may lie outside the space; 0 has no place on a logarithm.
    log = knob.sampling == "log" and min([*numbers, *ends]) > 0
    return _scale(title, values, [*numbers, *ends], log=log, whole=knob.kind == "int")


def score_axis(scores: Sequence[float], title: str) -> Axis:
    """The scale of the objective; a logarithm where the scores are wide apart."""
    return _scale(title, scores, scores, log=min(scores) > 0 and max(scores) > _WIDE * min(scores), whole=False)


class _Off:
    """Stands for the value of a key that is not active."""


def _steps(title: str, own: Sequence[Any], values: Sequence[Any]) -> Axis:
    known = list(own)
    for value in values:
        if value is not _Off and not any(same(value, other) for other in known):
            known.append(value)
    off = [_Off] if any(value is _Off for value in values) else []
    places = np.array([next(at for at, other in enumerate([*known, *off]) if _equal(value, other)) for value in values])
    labels = [*map(text_of, known), *([_OFF] if off else [])]
    gaps = np.full(len(values), 0.18 if len(set(places)) < len(values) else 0.0)
    return Axis(title, places.astype(float), [*map(float, range(len(labels)))], labels, (-0.4, len(labels) - 0.6), gaps)


def _equal(value: Any, other: Any) -> bool:
    return value is other or (value is not _Off and other is not _Off and same(value, other))


def _scale(title: str, values: Sequence[Any], reach: Sequence[float], *, log: bool, whole: bool) -> Axis:
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
    astray = [word for word, kind in ((_NULL, None), (_OFF, _Off)) if any(value is kind for value in values)]
    below = {word: low - 0.12 * width * (at + 1) for at, word in enumerate(astray)}
    shown = [number_of(value) for value in values]
    place = math.log10 if log else float
    places = [
        below[_NULL if value is None else _OFF] if number is None else place(number)
        for value, number in zip(values, shown, strict=True)
    ]
    # Whole numbers meet often, and what has no place always does; other numbers hardly ever.
    apart = min(np.diff([place(number) for number in distinct]), default=width) if len(distinct) < len(values) else 0.0
    whole_gap = min(0.18 * float(apart), 0.02 * width) if whole else 0.0
    bottom = min([low, *below.values()])
    return Axis(
        title,
        np.array(places, float),
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
