"""What differs between two trainings of one recipe: data, versions, curves, figures and predictions, in this order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

What = Literal["data", "versions", "curves", "figures", "predictions"]

# Relative. The kit's own kernels and Keras' loop, which add in another order, came to 1e-7 to 6e-7 of each other after 3 and
# after 30 epochs, one and two threads to 2e-14; other rows to 5e-2 and more.
ROUNDING = 1e-4
_OF_ONE = ("skill", "r2")  # shares, which may be about 0
_NOTHING = 1e-9  # of the largest value of a metric: an exact baseline's error is rounding, and so is what it differs by
_SHOWN = 3


@dataclass(frozen=True)
class Difference:
    """How far one thing of two trainings is apart.

    Attributes:
        what: Which thing.
        largest: Largest relative difference; 0: none, infinite: it is of another shape, None: it was not compared.
        said: In words.
    """

    what: What
    largest: float | None
    said: str

    @property
    def same(self) -> bool:
        """Whether nothing differs, or nothing was compared."""
        return not self.largest

    @property
    def rounding(self) -> bool:
        """Whether it may be nothing but rounding."""
        return self.largest is None or self.largest <= ROUNDING


def compare_data(digests: tuple[str | None, str], changes: list[str]) -> Difference:
    """The rows of two trainings by their digests; `changes` says in words what else is known of a difference."""
    then, now = digests
    if then is None:
        return Difference("data", None, "the original holds no digest of its rows")
    if then == now:
        return Difference("data", 0.0, f"the same rows, digest {now}")
    more = f": {'; '.join(changes)}" if changes else ""
    return Difference("data", float("inf"), f"other rows{more} (digest {then}, now {now})")


def compare_versions(then: Mapping[str, str], now: Mapping[str, str]) -> Difference:
    """Versions and kernels of two trainings; those that the original holds are compared."""
    changed = [f"{name} {then[name]}, now {now.get(name, 'none')}" for name in then if then[name] != now.get(name)]
    if not changed:
        return Difference("versions", 0.0, ", ".join(f"{name} {number}" for name, number in then.items()))
    return Difference("versions", float("inf"), "; ".join(changed))


def compare_curves(then: Mapping[str, Mapping[int, float]], now: Mapping[str, Mapping[int, float]]) -> Difference:
    """Figures of the fit by epoch."""
    if not then:
        return Difference("curves", None, "the original has none" + (", this one has" if now else ""))
    if missing := [name for name in then if name not in now]:
        return Difference("curves", float("inf"), f"there is no {', '.join(missing[:_SHOWN])} now")
    lengths = {name: (len(then[name]), len(now[name])) for name in then if set(then[name]) != set(now[name])}
    apart = {
        (epoch, name): relative(value, now[name][epoch])
        for name, values in then.items()
        for epoch, value in values.items()
        if epoch in now[name]
    }
    first = min((place for place, far in apart.items() if far > 0), default=None)
    said = f"{len(then)} over {max(map(len, then.values()))} epochs"
    if first is not None:
        epoch, name = first
        said = f"from epoch {epoch} on: {name} {then[name][epoch]:.8g}, now {now[name][epoch]:.8g}"
    if lengths:
        name, (before, after) = next(iter(lengths.items()))
        return Difference("curves", float("inf"), f"{said}; {name} has {before} epochs, now {after}")
    return Difference("curves", max(apart.values(), default=0.0), said if first else f"equal: {said}")


def compare_figures(then: Mapping[str, float], now: Mapping[str, float]) -> Difference:
    """Figures of model and baselines; those that the original has are compared."""
    if not then:
        return Difference("figures", None, "the original has none")
    if missing := [name for name in then if name not in now]:
        return Difference("figures", float("inf"), f"there is no {', '.join(missing[:_SHOWN])} now")
    most: dict[str, float] = {}
    for name, value in then.items():
        most[_metric(name)] = max(most.get(_metric(name), 0.0), abs(value) if math.isfinite(value) else 0.0)
    apart = {
        name: relative(value, now[name], 1.0 if name.endswith(_OF_ONE) else _NOTHING * most[_metric(name)])
        for name, value in then.items()
    }
    worst = max(apart, key=lambda name: apart[name])
    if not apart[worst]:
        return Difference("figures", 0.0, f"equal: {len(then)}")
    count = sum(far > 0 for far in apart.values())
    said = f"{count} of {len(then)}, most of all {worst}: {then[worst]:.8g}, now {now[worst]:.8g}"
    return Difference("figures", apart[worst], said)


def compare_predictions(then: np.ndarray, now: np.ndarray | None) -> Difference:
    """What two models say of the golden inputs; None: the new one does not take them."""
    if now is None or then.shape != now.shape:
        shape = "does not take them" if now is None else f"gives the shape {now.shape}"
        return Difference(
            "predictions", float("inf"), f"the golden inputs: {then.shape} was written, the model {shape}"
        )
    scale = max(float(np.abs(then).max(initial=0.0)), np.finfo(np.float32).tiny)
    with np.errstate(invalid="ignore"):
        far = np.abs(then.astype(np.float64) - now.astype(np.float64)) / scale
    largest = float(np.nan_to_num(far, nan=np.inf).max(initial=0.0))
    if not largest:
        return Difference("predictions", 0.0, f"equal: {then.size} on the golden inputs")
    return Difference(
        "predictions", largest, f"of {then.size} on the golden inputs, up to {largest:.2g} of the largest"
    )


def relative(then: float, now: float, least: float = 0.0) -> float:
    """Relative difference of two numbers, of at least the size `least`; infinite where only one of them is a number."""
    if then == now or (math.isnan(then) and math.isnan(now)):
        return 0.0
    if not (math.isfinite(then) and math.isfinite(now)):
        return math.inf
    return abs(then - now) / max(abs(then), abs(now), least)


def _metric(name: str) -> str:
    return name.replace("/", "_").rpartition("_")[2]
