"""Stand-in that holds only `Knob`, until the schema of a recipe's `sweep:` section replaces this file."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Knob:
    """The neutral form of one hyperparameter, for tuner, figures and note."""

    key: str
    kind: Literal["int", "float", "choice", "boolean"]
    low: float | None
    high: float | None
    step: float | None
    sampling: str
    values: tuple[Any, ...]
    ordered: bool
    when: dict[str, tuple[Any, ...]]
