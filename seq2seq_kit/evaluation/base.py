"""What every evaluation shows, whatever was predicted: the model and its baselines, figure by figure, on one part of the data."""

from collections.abc import Mapping
from typing import ClassVar, Protocol

import numpy as np
import pandas as pd

MODEL = "model"


class Board(Protocol):
    """The figures of one part: of windows, of translations, of tags.

    Attributes:
        part: `val` or `test`.
        titles: Title of each figure by its key, in the order of the table.
        headline: Key of the figure that comes first when there is room for one.
        error: The error that skill compares, in words.
        about: What each baseline does.
    """

    titles: ClassVar[Mapping[str, str]]
    headline: ClassVar[str]
    error: ClassVar[str]

    @property
    def part(self) -> str: ...

    @property
    def about(self) -> Mapping[str, str]: ...

    @property
    def title(self) -> str:
        """What was evaluated: `1,234 test windows, 10 steps`."""

    @property
    def units(self) -> str:
        """What the figures are measured in, as a sentence."""

    @property
    def names(self) -> list[str]:
        """The forecasters, the model first."""

    def figures(self, name: str = MODEL) -> dict[str, float]:
        """The figures of one forecaster, keys as in `titles`; NaN where one has no meaning."""

    def skill_against(self, name: str) -> float:
        """1 - the model's error / a baseline's error; NaN beside a baseline without error."""

    @property
    def best_baseline(self) -> str:
        """The baseline with the smallest error: the hardest one to beat, so skill never flatters."""

    @property
    def skill(self) -> float:
        """`skill_against` the best baseline."""

    def curves(self) -> dict[str, np.ndarray]:
        """Figures by output step, by name; empty where there are none."""

    def table(self) -> pd.DataFrame:
        """Every figure, long."""
