"""Split conformal prediction: how wide an interval must be, from errors on rows that nothing else has looked at.

The score of a window at a step is |actual - forecast| over a scale of its series. Of n scores the interval of a level takes
the ceil((n + 1) level)-th smallest, so that the next one lies inside with at least that probability whatever errors look like, as
long as they and the next one come in no particular order (Vovk, Gammerman and Shafer 2005; Lei et al. 2018).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq_kit.errors import DataError

# Levels that are kept beside those asked for, as far as there are scores enough: between them a level may be moved.
_LADDER = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 98.0, 99.0)


def needed(level: float) -> int:
    """Scores that a level takes at least: 19 of 95 %.

    Example:
        >>> needed(80), needed(95), needed(99)
        (4, 19, 99)
    """
    return max(1, math.ceil(round(level / (100 - level), 9)))


def rank(count: np.ndarray, level: float) -> np.ndarray:
    """Which of `count` scores, counted from 1, is the width at a level; more than `count` where they are too few."""
    return np.ceil(np.round((count + 1) * level / 100, 9)).astype(np.int64)


def refuse_few(windows: int, levels: Sequence[float], *, output_steps: int, stride: int, origin: str) -> None:
    """Raises `DataError` unless a calibration part of a single series has windows enough for each level.

    Args:
        windows: Its windows.
        levels: Asked for.
        output_steps: Steps of a window.
        stride: Rows between two windows.
        origin: Name of the rows.
    """
    highest = max(levels)
    least = needed(highest)
    if windows >= least:
        return
    rows, received = output_steps + (least - 1) * stride, f"{windows} window{'' if windows == 1 else 's'}"
    raise DataError(
        f"{origin}: intervals of {highest:g} % take at least {least} calibration windows without missing targets; of "
        f"{output_steps} steps, {stride} apart, these are {rows} rows. Received: {received}. Set "
        "data.split.calibration to more rows, give more data, or ask for lower levels",
        code="calibration_too_small",
    )


@dataclass(frozen=True)
class Margins:
    """How far the intervals of one forecaster reach, in units of each series' scale.

    Attributes:
        levels: In percent, ascending: those asked for, and others that there were scores enough for.
        series: Series with margins of their own; all others share the first ones.
        widths: Shape `(levels, 1 + series, steps, targets)`: of all series together, then of each of `series`.
    """

    levels: tuple[float, ...]
    series: tuple[str, ...]
    widths: np.ndarray

    @classmethod
    def fit(
        cls,
        scores: np.ndarray,
        of: np.ndarray,
        names: Sequence[str],
        own: Sequence[str],
        levels: Sequence[float],
        *,
        ladder: Sequence[float] = _LADDER,
        shared: np.ndarray | None = None,
    ) -> Margins:
        """The margins of scores.

        Args:
            scores: Absolute errors over their scale, NaN where the truth is missing, shape `(windows, steps, targets)`.
            of: Series of each window, as a position in `names`.
            names: The series.
            own: Those that are long enough for margins of their own.
            levels: Asked for, in percent.
            ladder: Others that are kept where there are scores enough.
            shared: The scores by which all other series have their margins; None: all.

        Raises:
            DataError: At some step too few scores are known for a level.
        """
        ordered, kept_own = [np.sort(scores if shared is None else shared, axis=0)], []
        for name in own:
            these = np.sort(scores[of == list(names).index(name)], axis=0)
            if _fewest(these) >= needed(max(levels)):
                ordered.append(these)
                kept_own.append(name)
        fewest = min(map(_fewest, ordered))
        refuse_few(fewest, levels, output_steps=scores.shape[1], stride=1, origin="the calibration part")
        kept = sorted({*map(float, levels), *(level for level in ladder if needed(level) <= fewest)})
        return cls(tuple(kept), tuple(kept_own), np.stack([_at(ordered, level) for level in kept]))

    @classmethod
    def adjust(
        cls,
        scores: Sequence[np.ndarray],
        of: np.ndarray,
        names: Sequence[str],
        own: Sequence[str],
        levels: Sequence[float],
        asked: Sequence[float],
        *,
        shared: Sequence[np.ndarray],
    ) -> Margins:
        """How far each level's ends must move, outwards or (negative) inwards: conformalized quantile regression.

        Args:
            scores: For each of `levels`, by how much the actual value lies outside (negative: inside) over its scale; each as for
                `fit` (Romano, Patterson and Candes 2019).
            of: As for `fit`; likewise `names` and `own`.
            levels: Of the quantiles that there are, ascending.
            asked: Those that must have scores enough; others that have not are left out.
            shared: For each of `levels`, as of `fit`.

        Raises:
            DataError: At some step too few scores are known for a level.
        """
        made = [
            cls.fit(each, of, names, own, asked, ladder=(level,), shared=of_all)
            for level, each, of_all in zip(levels, scores, shared, strict=True)
        ]
        kept = [place for place, (level, each) in enumerate(zip(levels, made, strict=True)) if level in each.levels]
        widths = [made[place].widths[made[place].levels.index(levels[place])] for place in kept]
        return cls(tuple(levels[place] for place in kept), made[0].series, np.stack(widths))

    def of(self, names: Sequence[str]) -> np.ndarray:
        """The margins of series, shape `(levels, series, steps, targets)`."""
        places = {name: 1 + place for place, name in enumerate(self.series)}
        return self.widths[:, [places.get(name, 0) for name in names]]

    def require_steps(self, steps: int, targets: int) -> None:
        """Raises `ValueError` for margins of other steps or targets, or for such that are no widths."""
        shape = (len(self.levels), 1 + len(self.series), steps, targets)
        if self.widths.shape != shape or not np.isfinite(self.widths).all():
            raise ValueError(f"by the recipe the margins have the shape {shape}. Received: {self.widths.shape}")


def _fewest(scores: np.ndarray) -> int:
    """Known scores at the step and target that have the fewest."""
    return int((~np.isnan(scores)).sum(axis=0).min())


def _at(ordered: Sequence[np.ndarray], level: float) -> np.ndarray:
    """The score of a level in each of some sorted arrays (NaN last), shape `(arrays, steps, targets)`."""
    found = []
    for scores in ordered:
        place = rank((~np.isnan(scores)).sum(axis=0), level) - 1
        found.append(np.take_along_axis(scores, place[None], axis=0)[0])
    return np.stack(found)
