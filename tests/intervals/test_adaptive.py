"""Levels that move: ends between the levels that there are, and coverage in the long run."""

import numpy as np
import pytest

from seq2seq_kit.intervals.adaptive import Follower, ends_at, misses, moved
from seq2seq_kit.intervals.prediction import Prediction


def point(windows: int, levels: tuple[float, ...] = (50.0, 90.0)) -> Prediction:
    """0 with intervals that reach as far as their level."""
    ends = [-levels[1], -levels[0], 0.0, *levels]
    return Prediction(np.zeros((windows, 1, 1)), levels, np.broadcast_to(np.array(ends), (windows, 1, 1, 5)))


@pytest.mark.parametrize(
    ("used", "reach"), [(50, 50), (70, 70), (25, 25), (0, 0), (-40, 0), (90, 90), (95, 135), (100, 180)]
)
def test_ends_lie_between_those_that_there_are_and_go_on_beyond(used: float, reach: float) -> None:
    lower, upper = ends_at(point(2), np.full((1, 2, 1, 1), float(used)))
    np.testing.assert_allclose(upper, reach)
    np.testing.assert_allclose(lower, -reach)


def test_a_miss_asks_for_more_and_a_hit_for_less_in_proportion() -> None:
    used = np.full((1, 3), 80.0)
    after = moved(used, [80.0], np.array([[1.0, 0.0, np.nan]]), rate=0.1)
    np.testing.assert_allclose(after, [[88.0, 78.0, 80.0]])


def test_a_value_that_is_not_known_is_neither_miss_nor_hit() -> None:
    found = misses(np.array([1.0, np.nan, 9.0]), np.array([0.0, 0.0, 0.0]), np.array([2.0, 2.0, np.nan]))
    np.testing.assert_array_equal(found, [0.0, np.nan, np.nan])


@pytest.mark.parametrize("size", [20.0, 200.0])
def test_in_the_long_run_as_many_lie_inside_as_promised(size: float) -> None:
    """Whether the calibrated intervals were far too wide or far too narrow."""
    follower, rng = Follower((50.0,), np.array([1]), 1), np.random.default_rng(0)
    inside = []
    for _ in range(4_000):
        truth = rng.normal(scale=size, size=(1, 1))
        lower, upper = follower.next(point(1), truth).band(50.0)
        inside.append(bool((lower[0] <= truth).all() and (truth <= upper[0]).all()))
    assert np.mean(inside[1_000:]) == pytest.approx(0.5, abs=0.02)


def test_a_value_counts_only_from_when_it_is_known() -> None:
    follower = Follower((50.0,), np.array([1, 3]), 1)
    two = Prediction(np.zeros((1, 2, 1)), (50.0,), np.broadcast_to(np.array([-1.0, 0.0, 1.0]), (1, 2, 1, 3)))
    far = np.full((2, 1), 9.0)
    used = []
    for _ in range(4):
        follower.next(two, far)
        used.append(follower.used[0, :, 0].copy())
    np.testing.assert_array_equal(np.array(used)[:, 0] > 50, [False, True, True, True])
    np.testing.assert_array_equal(np.array(used)[:, 1] > 50, [False, False, False, True])
    follower.interrupt()
    moves = follower.used[0, :, 0] - 50
    assert moves[0] == pytest.approx(np.sqrt(3) * moves[1])  # as often, and slower where it is known later
