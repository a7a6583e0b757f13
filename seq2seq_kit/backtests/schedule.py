"""When a backtest looks back to, and when it fits: origins, their distance, refits, and how much of the past counts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from seq2seq_kit.errors import ArgumentError

Refit = int | Literal["never", "always"]

_MOST = 10_000  # origins; each leaves a run in MLflow


@dataclass(frozen=True)
class Schedule:
    """The origins of a backtest.

    Attributes:
        windows: Number of origins.
        stride: Rows from one origin to the next.
        refit: Origins from one fit to the next; None: only the first origin fits.
        rolling: Rows before an origin that count; None: all of them.
        gap: Rows from the newest known row to the first that is forecast, on top of the recipe's own `gap_steps`.
    """

    windows: int
    stride: int
    refit: int | None = None
    rolling: int | None = None
    gap: int = 0

    @classmethod
    def of(cls, windows: int, stride: int, refit: Refit, rolling: int | None, gap: int) -> Schedule:
        """The schedule of a call; arguments as in `backtest`.

        Raises:
            ArgumentError: One of them lies outside its range.
        """
        _whole("windows", windows, least=1, most=_MOST)
        _whole("stride", stride, least=1)
        _whole("gap", gap, least=0)
        if rolling is not None:
            _whole("rolling", rolling, least=1)
        return cls(windows, stride, _every(refit), rolling, gap)

    @classmethod
    def from_json(cls, stored: dict[str, int | None]) -> Schedule:
        """The inverse of `to_json`."""
        return cls(**stored)  # type: ignore[arg-type]  # written by `to_json`

    def to_json(self) -> dict[str, int | None]:
        """Plain values."""
        return asdict(self)

    @property
    def fits(self) -> list[range]:
        """The origins of each fit, numbered from 1; a fit is made at the first of its own."""
        every = self.refit or self.windows
        return [range(first, min(first + every, self.windows + 1)) for first in range(1, self.windows + 1, every)]

    def fit_of(self, origin: int) -> int:
        """The origin at which the fit was made that forecasts at an origin."""
        return origin - self.age_of(origin)

    def age_of(self, origin: int) -> int:
        """Origins since the fit that forecasts at one."""
        return (origin - 1) % (self.refit or self.windows)

    def describe(self) -> str:
        """`20 origins, 24 rows apart, refit every 5 origins, expanding`."""
        how = {None: "fitted once", 1: "refit at each origin"}.get(self.refit, f"refit every {self.refit} origins")
        past = "expanding" if self.rolling is None else f"rolling over {self.rolling:,} rows"
        gap = f", a gap of {self.gap} rows" if self.gap else ""
        apart = f", {self.stride:,} {'row' if self.stride == 1 else 'rows'} apart" if self.windows > 1 else ""
        return f"{self.windows:,} {'origin' if self.windows == 1 else 'origins'}{apart}, {how}, {past}{gap}"


def _every(refit: object) -> int | None:
    word = str(refit).strip().lower()
    if word in ("never", "always"):
        return None if word == "never" else 1
    if isinstance(refit, bool) or not word.isascii() or not word.isdigit() or not 1 <= int(word[:12]) <= _MOST:
        said = "refit must be never, always, or how many origins lie between two fits, from 1 on"
        raise ArgumentError(f"{said}. Received: refit={refit!r}", code="invalid_argument")
    return int(word)


def _whole(name: str, value: object, *, least: int, most: int | None = None) -> None:
    good = isinstance(value, int) and not isinstance(value, bool) and value >= least
    if not good or (most is not None and isinstance(value, int) and value > most):
        reach = f"of at least {least}" if most is None else f"from {least} to {most:,}"
        raise ArgumentError(
            f"{name} must be a whole number {reach}. Received: {name}={value!r}", code="invalid_argument"
        )
