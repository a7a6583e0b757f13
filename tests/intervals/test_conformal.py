"""Margins: how many scores a level takes, which of them it is, and what happens where they are too few."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit.errors import DataError
from seq2seq_kit.intervals.conformal import Margins, needed, rank


def margins(scores: np.ndarray, levels: tuple[float, ...] = (80.0,)) -> Margins:
    return Margins.fit(scores, np.zeros(len(scores), dtype=np.int64), [""], [], levels)


@pytest.mark.parametrize(("level", "count"), [(50, 1), (80, 4), (90, 9), (95, 19), (99, 99), (99.9, 999)])
def test_a_level_takes_so_many_scores_that_its_rank_is_among_them(level: float, count: int) -> None:
    assert needed(level) == count
    assert rank(np.array([count]), level)[0] <= count
    assert rank(np.array([count - 1]), level)[0] > count - 1


@settings(max_examples=10, deadline=None)
@given(st.integers(19, 200))
def test_a_new_score_lies_inside_as_often_as_promised(count: int) -> None:
    """Any of count + 1 scores in no order may be the newest: those that the others' margin holds are at least 95 % of them."""
    scores = np.random.default_rng(count).exponential(size=count + 1)
    held = []
    for newest in range(count + 1):
        found = margins(np.delete(scores, newest)[:, None, None], (95.0,))
        held.append(scores[newest] <= found.widths[found.levels.index(95.0), 0, 0, 0])
    assert np.mean(held) >= 0.95
    assert np.mean(held) <= 0.95 + 1 / (count + 1) + 1e-9


def test_each_step_and_target_has_a_margin_of_its_own() -> None:
    scores = np.arange(1.0, 100.0)[:, None, None] * np.array([[1.0, 10.0], [2.0, 20.0]])
    found = margins(scores, (80.0, 95.0))
    assert {80.0, 95.0} <= {*found.levels}
    assert found.widths.shape[1:] == (1, 2, 2)
    np.testing.assert_allclose(found.widths[found.levels.index(80.0), 0], [[80, 800], [160, 1600]])
    np.testing.assert_allclose(found.widths[found.levels.index(95.0), 0], [[95, 950], [190, 1900]])


def test_missing_truth_counts_for_nothing() -> None:
    scores = np.concatenate([np.arange(1.0, 100.0), np.full(50, np.nan)])[:, None, None]
    found = margins(scores)
    assert found.widths[found.levels.index(80.0), 0, 0, 0] == 80


def test_too_few_scores_are_told_with_what_is_needed() -> None:
    margins(np.ones((19, 2, 1)), (95.0,))
    with pytest.raises(DataError, match="at least 19 calibration windows") as caught:
        margins(np.ones((18, 2, 1)), (95.0,))
    assert caught.value.code == "calibration_too_small"
    hole = np.ones((19, 2, 1))
    hole[3, 1] = np.nan
    with pytest.raises(DataError, match="Received: 18 windows"):
        margins(hole, (95.0,))


def test_a_long_series_has_margins_of_its_own_and_a_short_one_those_of_all() -> None:
    rng = np.random.default_rng(0)
    quiet, wild = rng.exponential(size=(500, 1, 1)), 10 * rng.exponential(size=(40, 1, 1))
    of = np.repeat([0, 1], [500, 40])
    found = Margins.fit(np.concatenate([quiet, wild]), of, ["quiet", "wild"], ["quiet"], (80.0,))
    own, pooled, unknown = found.of(["quiet", "wild", "new"])[found.levels.index(80.0), :, 0, 0]
    assert own < pooled == unknown


def test_margins_grow_with_the_level() -> None:
    widths = margins(np.random.default_rng(1).exponential(size=(300, 4, 2)), (80.0, 95.0)).widths
    assert (np.diff(widths, axis=0) >= 0).all()
