"""Error sums give the figures that the whole arrays would give, however the windows arrive."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit.evaluation.metrics import ErrorSums, Pick, Scores

EVERY = slice(None)


class Sample:
    """Random windows of several series with missing truths, and everything that `ErrorSums` needs."""

    def __init__(
        self,
        *,
        windows: int = 40,
        series: int = 3,
        steps: int = 4,
        targets: int = 2,
        missing: float = 0.2,
        level: float = 0.0,
        seed: int = 0,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.shape = (series, steps, targets)
        self.series = rng.integers(series, size=windows)
        self.truth = level + rng.normal(scale=3, size=(windows, steps, targets)) + 10 * np.arange(targets)
        self.prediction = self.truth + rng.normal(size=self.truth.shape)
        self.truth[rng.random(self.truth.shape) < missing] = np.nan
        self.center = level + rng.normal(size=(series, targets))
        self.scale = rng.uniform(0.5, 4, size=(series, targets))
        self.naive = rng.uniform(0.5, 4, size=(series, targets))

    @property
    def ones(self) -> np.ndarray:
        return np.ones_like(self.scale)

    def sums(self, *order: np.ndarray) -> ErrorSums:
        """Summed chunk by chunk; in one go by default."""
        sums = ErrorSums(self.shape, self.center)
        for chunk in order or (np.arange(len(self.truth)),):
            sums.add(self.truth[chunk], self.prediction[chunk], self.series[chunk])
        return sums

    def direct(self, scale: np.ndarray, pick: Pick = (EVERY, EVERY, EVERY)) -> Scores:
        """The same figures from the definitions, over whole arrays."""
        chosen = np.zeros(self.shape, dtype=bool)
        chosen[pick] = True
        known = ~np.isnan(self.truth) & chosen[self.series]
        by = np.broadcast_to(scale[self.series][:, None, :], self.truth.shape)
        naive = np.broadcast_to(self.naive[self.series][:, None, :], self.truth.shape)
        error = (self.prediction - self.truth)[known]
        total = 0.0
        for target in range(self.shape[2]):
            values = (self.truth / by)[..., target][known[..., target]]
            total += float(((values - values.mean()) ** 2).sum()) if values.size else 0.0
        return Scores(
            mae=float(np.mean(np.abs(error / by[known]))),
            rmse=float(np.sqrt(np.mean((error / by[known]) ** 2))),
            mase=float(np.mean(np.abs(error) / naive[known])),
            r2=float(1 - ((error / by[known]) ** 2).sum() / total),
            cells=int(known.sum()),
        )


def assert_equal(got: Scores, expected: Scores, *, rel: float = 1e-9) -> None:
    assert asdict(got) == pytest.approx(asdict(expected), rel=rel)


@pytest.mark.parametrize(
    "pick",
    [
        (EVERY, EVERY, EVERY),
        (slice(1, 2), EVERY, EVERY),
        (EVERY, slice(2, 3), EVERY),
        (EVERY, EVERY, [1]),
        (slice(0, 1), slice(3, 4), [0]),
    ],
    ids=["all", "a_series", "a_step", "a_target", "one_of_each"],
)
@pytest.mark.parametrize("scaled", [False, True], ids=["original", "scaled"])
def test_every_score_is_the_definition_s(pick: Pick, scaled: bool) -> None:
    sample = Sample()
    scale = sample.scale if scaled else sample.ones
    assert_equal(sample.sums().scores(scale, sample.naive, pick), sample.direct(scale, pick))


def test_the_figures_of_a_small_case_by_hand() -> None:
    sums = ErrorSums((1, 2, 1), np.array([[2.0]]))
    truth = np.array([[[1.0], [2.0]], [[3.0], [np.nan]]])
    prediction = np.array([[[2.0], [2.0]], [[0.0], [9.0]]])
    sums.add(truth, prediction, np.zeros(2, dtype=int))
    scores = sums.scores(np.ones((1, 1)), np.array([[2.0]]))
    # errors 1, 0, -3; truth 1, 2, 3 about its mean 2
    assert scores.cells == 3
    assert scores.mae == pytest.approx(4 / 3)
    assert scores.rmse == pytest.approx(np.sqrt(10 / 3))
    assert scores.mase == pytest.approx(2 / 3)
    assert scores.r2 == pytest.approx(1 - 10 / 2)


def test_a_missing_truth_is_not_counted_whatever_was_predicted() -> None:
    sample = Sample()
    before = sample.sums().scores(sample.ones, sample.naive)
    sample.prediction[np.isnan(sample.truth)] = 1e9
    assert_equal(sample.sums().scores(sample.ones, sample.naive), before)
    sample.prediction[np.isnan(sample.truth)] = np.nan
    assert_equal(sample.sums().scores(sample.ones, sample.naive), before)


def test_a_prediction_that_is_not_a_number_is_not_hidden() -> None:
    sample = Sample(missing=0)
    sample.prediction[3, 1, 0] = np.nan
    scores = sample.sums().scores(sample.ones, sample.naive)
    assert np.isnan([scores.mae, scores.rmse, scores.r2]).all()


def test_r2_survives_a_level_a_billion_times_the_spread() -> None:
    sample = Sample(level=1e9, series=1, targets=1)
    got, expected = sample.sums().scores(sample.ones, sample.naive), sample.direct(sample.ones)
    assert 0.5 < expected.r2 < 1
    assert got.r2 == pytest.approx(expected.r2, abs=1e-5)


def test_different_levels_of_targets_are_no_skill() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(100, 3, 2)) + np.array([0.0, 1000.0])
    prediction = np.broadcast_to(np.array([0.0, 1000.0]), truth.shape)
    sums = ErrorSums((1, 3, 2), np.zeros((1, 2))).add(truth, prediction, np.zeros(100, dtype=int))
    assert abs(sums.scores(np.ones((1, 2)), np.ones((1, 2))).r2) < 0.05


def test_r2_of_a_constant_truth_has_no_meaning() -> None:
    sums = ErrorSums((1, 2, 1), np.array([[5.0]]))
    sums.add(np.full((3, 2, 1), 5.0), np.full((3, 2, 1), 6.0), np.zeros(3, dtype=int))
    scores = sums.scores(np.ones((1, 1)), np.ones((1, 1)))
    assert np.isnan(scores.r2)
    assert scores.rmse == 1.0


def test_mase_without_a_denominator_has_no_meaning() -> None:
    sample = Sample()
    sample.naive[1, 0] = np.nan
    assert np.isnan(sample.sums().scores(sample.ones, sample.naive, (slice(1, 2), EVERY, [0])).mase)
    assert np.isnan(sample.sums().scores(sample.ones, np.zeros_like(sample.naive)).mase)


def test_no_cell_gives_no_figure() -> None:
    sample = Sample(missing=2.0)
    scores = sample.sums().scores(sample.ones, sample.naive)
    assert scores.cells == 0
    assert np.isnan([scores.mae, scores.rmse, scores.mase, scores.r2]).all()


@settings(max_examples=60, deadline=None)
@given(
    windows=st.integers(2, 30),
    series=st.integers(1, 3),
    steps=st.integers(1, 3),
    targets=st.integers(1, 3),
    missing=st.floats(0, 0.9),
    level=st.floats(-1e3, 1e3),
    cuts=st.lists(st.integers(0, 30), max_size=4),
    seed=st.integers(0, 2**16),
)
def test_neither_order_nor_chunks_matter(
    windows: int, series: int, steps: int, targets: int, missing: float, level: float, cuts: list[int], seed: int
) -> None:
    sample = Sample(
        windows=windows, series=series, steps=steps, targets=targets, missing=missing, level=level, seed=seed
    )
    shuffled = np.random.default_rng(seed).permutation(windows)
    chunks = np.split(shuffled, sorted(min(cut, windows) for cut in cuts))
    whole, pieces = sample.sums(), sample.sums(*chunks)
    for scale in (sample.ones, sample.scale):
        first, second = whole.scores(scale, sample.naive), pieces.scores(scale, sample.naive)
        assert asdict(second) == pytest.approx(asdict(first), rel=1e-7, abs=1e-7, nan_ok=True)
        if first.cells and np.isfinite(first.r2):
            assert_equal(first, sample.direct(scale), rel=1e-6)


def test_a_series_without_a_denominator_blanks_no_other() -> None:
    sums = ErrorSums((2, 1, 1), np.zeros((2, 1)))
    sums.add(np.zeros((2, 1, 1)), np.array([[[3.0]], [[8.0]]]), np.array([0, 1]))
    assert sums.scores(np.ones((2, 1)), np.array([[2.0], [np.nan]])).mase == pytest.approx(1.5)
    assert sums.scores(np.ones((2, 1)), np.array([[2.0], [4.0]])).mase == pytest.approx((1.5 + 2.0) / 2)


def test_r2_of_one_cell_is_not_rounding() -> None:
    sample = Sample(windows=2, series=1, steps=3, targets=1, missing=0.75, level=0.7473873844151228, seed=3)
    scores = sample.sums().scores(sample.scale, sample.naive)
    assert scores.cells == 1
    assert np.isnan(scores.r2)
