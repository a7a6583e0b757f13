"""A forecast with its quantiles."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq_kit.errors import ArgumentError

DECILES = (20.0, 40.0, 60.0, 80.0)  # the levels whose ends are the deciles, without the median


def named(level: float) -> str:
    """A level or probability in names of columns and metrics: `80`, `99.5`."""
    return f"{level:g}"


def probabilities_of(levels: Sequence[float]) -> tuple[float, ...]:
    """The probabilities of the ends of some levels, and of the median between them, ascending.

    Example:
        >>> probabilities_of([80, 95])
        (0.025, 0.1, 0.5, 0.9, 0.975)
    """
    below = sorted({round((100 - level) / 200, 10) for level in levels})
    return (*below, 0.5, *(round(1 - each, 10) for each in reversed(below)))


@dataclass(frozen=True)
class Prediction:
    """What is forecast of some windows, in original units.

    Attributes:
        point: The forecast itself, shape `(windows, steps, targets)`.
        levels: In percent, ascending.
        quantiles: At `probabilities`, ascending, shape `(windows, steps, targets, probabilities)`; the median is `point`
            where nothing else is known of it. None: there are none.
    """

    point: np.ndarray
    levels: tuple[float, ...] = ()
    quantiles: np.ndarray | None = None

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Of the quantiles."""
        return probabilities_of(self.levels)

    def band(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end of a level, shape `(windows, steps, targets)` each."""
        assert self.quantiles is not None
        place = len(self.levels) - 1 - self.levels.index(level)
        return self.quantiles[..., place], self.quantiles[..., -1 - place]

    def quantiles_of(self, windows: np.ndarray) -> np.ndarray:
        """The quantiles of some windows, which there must be."""
        assert self.quantiles is not None
        return self.quantiles[windows]

    def columns(self, targets: Sequence[str], levels: Sequence[float], *, quantiles: bool) -> dict[str, np.ndarray]:
        """The columns of an answer, each of shape `(windows, steps)`, in the order of the targets.

        Args:
            targets: Their names.
            levels: Whose ends, as they are to stand there; some of `self.levels`.
            quantiles: Columns by probability (`sold_q0.1`, `sold_q0.5`) instead of by level (`sold_lo_80`, `sold_hi_80`).

        Raises:
            ArgumentError: A target is called as an end of another one's interval.
        """
        if quantiles or levels:
            require_own_names(targets, levels, quantiles=quantiles)
        found: dict[str, np.ndarray] = {}
        for k, target in enumerate(targets):
            found[target] = self.point[..., k]
            for level in () if quantiles else levels:
                lower, upper = self.band(level)
                found |= {f"{target}_lo_{named(level)}": lower[..., k], f"{target}_hi_{named(level)}": upper[..., k]}
            if quantiles and self.quantiles is not None:
                asked = probabilities_of(levels)
                places = [self.probabilities.index(each) for each in asked]
                found |= {
                    f"{target}_q{named(each)}": self.quantiles[..., k, place]
                    for each, place in zip(asked, places, strict=True)
                }
        return found


def require_own_names(targets: Sequence[str], levels: Sequence[float], *, quantiles: bool = False) -> None:
    """Raises `ArgumentError` where a target is called as an end of another one's interval, which would overwrite it."""
    ends = [f"q{named(each)}" for each in probabilities_of(levels)] if quantiles else []
    ends = ends or [f"{side}_{named(level)}" for level in levels for side in ("lo", "hi")]
    names = set(targets)
    for target in targets:
        for end in ends:
            if f"{target}_{end}" in names:
                raise ArgumentError(
                    f"the target {target}_{end} is called as an end of the intervals of {target}, so one would overwrite the "
                    "other. Expected names that differ. Rename the column, or ask for no intervals, or for other levels",
                    code="ambiguous_column",
                )


def as_prediction(predicted: np.ndarray | Prediction) -> Prediction:
    """What a predictor gives: those that give an array know no intervals."""
    return predicted if isinstance(predicted, Prediction) else Prediction(predicted)


def one_window(predicted: Prediction, window: int) -> Prediction:
    """The prediction of one window, the only one of the result; in memory of its own, so that it keeps no other alive."""
    picked = slice(window, window + 1)
    quantiles = None if predicted.quantiles is None else predicted.quantiles[picked].copy()
    return Prediction(predicted.point[picked].copy(), predicted.levels, quantiles)


def first_steps(predicted: np.ndarray | Prediction, steps: int) -> Prediction:
    """The first steps of a prediction."""
    found = as_prediction(predicted)
    quantiles = None if found.quantiles is None else found.quantiles[:, :steps]
    return Prediction(found.point[:, :steps], found.levels, quantiles)
