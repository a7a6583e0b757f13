"""Scores of quantiles, checked against scikit-learn, their definitions and the closed form of a normal distribution."""

from statistics import NormalDist

import numpy as np
import pytest
from sklearn.metrics import mean_pinball_loss

from seq2seq_kit.intervals.prediction import Prediction, probabilities_of
from seq2seq_kit.intervals.scores import QuantileSums

LEVELS = (20.0, 40.0, 60.0, 80.0, 95.0)
NORMAL = NormalDist()


def normal_quantiles(shape: tuple[int, int, int], levels: tuple[float, ...], spread: float = 1.0) -> Prediction:
    """The quantiles of a normal distribution at every cell."""
    ends = [spread * NORMAL.inv_cdf(each) for each in probabilities_of(levels)]
    return Prediction(np.zeros(shape), levels, np.broadcast_to(np.array(ends), (*shape, len(ends))))


def summed(truth: np.ndarray, predicted: Prediction, series: np.ndarray | None = None, count: int = 1) -> QuantileSums:
    sums = QuantileSums((count, *truth.shape[1:]), predicted.levels)
    sums.add(truth, predicted, np.zeros(len(truth), dtype=np.int64) if series is None else series)
    return sums


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4_000, 3, 2))


ONE = np.ones((1, 2))


def test_pinball_and_wql_are_scikit_learns(truth: np.ndarray) -> None:
    predicted = normal_quantiles(truth.shape, LEVELS)
    assert predicted.quantiles is not None
    losses = {
        each: mean_pinball_loss(truth.ravel(), predicted.quantiles[..., place].ravel(), alpha=each)
        for place, each in enumerate(predicted.probabilities)
    }
    sums = summed(truth, predicted)
    assert sums.mean_pinball(ONE) == pytest.approx(np.mean(list(losses.values())))
    deciles = [losses[each] for each in probabilities_of((20, 40, 60, 80))]
    by_target = [np.abs(truth[..., k]).mean() for k in (0, 1)]
    assert sums.wql() == pytest.approx(2 * np.mean(deciles) / np.mean(by_target), rel=0.02)


def test_wql_is_the_mean_of_its_targets_whatever_their_units(truth: np.ndarray) -> None:
    small = normal_quantiles(truth.shape, LEVELS)
    assert small.quantiles is not None
    by = np.array([1.0, 1000.0])
    large = Prediction(small.point * by, LEVELS, small.quantiles * by[:, None])
    assert summed(truth * by, large).wql() == pytest.approx(summed(truth, small).wql())


def test_the_interval_score_is_width_plus_penalty(truth: np.ndarray) -> None:
    predicted = normal_quantiles(truth.shape, LEVELS)
    lower, upper = predicted.band(80.0)
    outside = np.maximum(lower - truth, 0) + np.maximum(truth - upper, 0)
    assert summed(truth, predicted).interval_score(80.0, ONE) == pytest.approx(
        (upper - lower + outside * 2 / 0.2).mean()
    )


def test_crps_is_near_the_closed_form(truth: np.ndarray) -> None:
    levels = tuple(float(level) for level in range(2, 100, 2))
    pdf, cdf = (np.vectorize(each)(truth) for each in (NORMAL.pdf, NORMAL.cdf))
    exact = (truth * (2 * cdf - 1) + 2 * pdf - 1 / np.sqrt(np.pi)).mean()  # Gneiting and Raftery 2007
    assert summed(truth, normal_quantiles(truth.shape, levels)).crps(ONE) == pytest.approx(exact, rel=0.01)


def test_right_quantiles_cover_what_they_say_and_have_a_flat_pit(truth: np.ndarray) -> None:
    sums = summed(truth, normal_quantiles(truth.shape, LEVELS))
    for level in LEVELS:
        assert sums.coverage(level) == pytest.approx(level / 100, abs=0.02)
    np.testing.assert_allclose(sums.pit(), 1, atol=0.15)


def test_too_narrow_quantiles_show_in_coverage_pit_and_crps(truth: np.ndarray) -> None:
    right, narrow = (summed(truth, normal_quantiles(truth.shape, LEVELS, spread)) for spread in (1.0, 0.5))
    assert narrow.coverage(80.0) < 0.6
    assert narrow.pit()[0] > 2
    assert narrow.pit()[len(LEVELS)] < 1
    assert narrow.crps(ONE) > right.crps(ONE)


def test_figures_are_of_the_cells_that_are_picked_and_known() -> None:
    predicted = normal_quantiles((4, 2, 1), (80.0,))
    truth = np.zeros((4, 2, 1))
    truth[:, 1] = 9.0  # outside
    truth[0] = np.nan
    sums = summed(truth, predicted, np.array([0, 0, 1, 1]), count=2)
    every = slice(None)
    assert sums.coverage(80.0, (every, slice(0, 1), every)) == 1
    assert sums.coverage(80.0, (every, slice(1, 2), every)) == 0
    assert sums.coverage(80.0) == 0.5
    assert sums.cells.sum() == 6
    assert sums.mean_width(80.0, np.ones((2, 1))) == pytest.approx(2 * NORMAL.inv_cdf(0.9))
    assert np.isnan(sums.wql())  # of deciles only
