"""What every evaluation shares: the best baseline, skill, and how the two errors are told."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.evaluation.base import Board
from seq2seq_kit.evaluation.diagnostics import ADVICE, against_baseline


@dataclass(frozen=True)
class Shares(Board):
    """A board whose headline is a share of hits and whose error is what is missing of it."""

    titles: ClassVar[dict[str, str]] = {"hits": "hits"}
    headline: ClassVar[str] = "hits"
    error: ClassVar[str] = "misses"
    unit: ClassVar[str] = "shots"
    advice: ClassVar[dict[str, str]] = {"loses_to_baseline": "Aim"}

    hits: dict[str, float]
    part: str = "test"

    @property
    def title(self) -> str:
        return "shots"

    @property
    def units(self) -> str:
        return "Shares."

    @property
    def names(self) -> list[str]:
        return list(self.hits)

    def metrics(self, name: str = "model") -> dict[str, float]:
        return {"hits": self.hits[name]}

    def error_of(self, name: str = "model") -> float:
        return 1 - self.hits[name]

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(self.hits, index=[0])


def test_skill_compares_errors_with_the_hardest_baseline() -> None:
    board = Shares({"model": 0.75, "easy": 0.1, "hard": 0.5})
    assert board.baselines == ["easy", "hard"]
    assert board.best_baseline == "hard"
    assert board.skill == board.skill_against("hard") == pytest.approx(0.5)
    assert board.compared("hard") == "misses 0.25 against 0.5"
    assert board.curves() == {}
    assert against_baseline(board) == []


def test_a_baseline_without_error_leaves_no_skill_and_is_lost_to() -> None:
    board = Shares({"model": 0.75, "perfect": 1.0})
    assert np.isnan(board.skill)
    (found,) = against_baseline(board)
    assert (found.code, found.advice) == ("loses_to_baseline", "Aim")
    assert (
        found.text
        == "loses to the baseline perfect on the test shots (misses 0.25 against 0, which is exact up to rounding)"
    )


def test_advice_is_the_shared_one_where_a_board_has_none() -> None:
    (found,) = against_baseline(Shares({"model": 0.5, "other": 0.5}))
    assert (found.code, found.advice) == ("ties_with_baseline", ADVICE["ties_with_baseline"])


def test_a_board_that_lacks_metrics_cannot_be_made() -> None:
    class Bare(Board):
        pass

    with pytest.raises(TypeError, match="metrics"):
        Bare()  # type: ignore[abstract]
