"""What the seed alone changes: trainings with other seeds, and whether the original could be one more of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.99  # of the interval in which the original has to lie; of several figures together
LEAST_SEEDS = 2


@dataclass(frozen=True)
class Spread:
    """The figures of trainings that differ by their seed only.

    Attributes:
        seeds: Of these trainings, the replay's first.
        figures: Of each, by name, in that order.
    """

    seeds: Sequence[int]
    figures: Mapping[str, Sequence[float]]

    def interval(self, name: str) -> tuple[float, float]:
        """Where one more training lies with the probability `LEVEL` for all figures together (Bonferroni), if they are normal."""
        from scipy.stats import t

        found = np.array(self.figures[name], dtype=np.float64)
        count = len(found)
        quantile = float(t.ppf(1 - (1 - LEVEL) / (2 * len(self.figures)), count - 1))
        half = quantile * float(found.std(ddof=1)) * float(np.sqrt(1 + 1 / count))
        return float(found.mean()) - half, float(found.mean()) + half

    def holds(self, then: Mapping[str, float]) -> bool:
        """Whether each figure of the original lies in its interval; not where there is none, or one that is not known now."""
        known = bool(then) and set(then) == set(self.figures)
        return known and all(low <= then[name] <= high for name in self.figures for low, high in [self.interval(name)])

    def said(self, then: Mapping[str, float]) -> str:
        """How it is known, in words."""
        if not then or set(then) != set(self.figures):
            return (
                f"the trainings with other seeds have not the same errors as the original ({', '.join(then) or 'none'})"
            )
        parts = []
        for name in self.figures:
            low, high = self.interval(name)
            parts.append(f"{name} {then[name]:.5g}, where {low:.5g} to {high:.5g} is expected")
        seeds = ", ".join(map(str, self.seeds))
        how = f"by {len(self.seeds)} trainings now, with the seeds {seeds}; {LEVEL:.0%} prediction interval of normal figures"
        return f"{'; '.join(parts)} ({how})"
