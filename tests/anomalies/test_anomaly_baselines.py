"""Scores that need no network."""

import numpy as np
import pytest

from seq2seq_kit.anomalies.baselines import matrix_profile, moving_z, random_score, sub_pca

ROWS = np.arange(1200)


def waves(columns: int = 1) -> np.ndarray:
    rng = np.random.default_rng(0)
    parts = [np.sin(2 * np.pi * ROWS / 24 + shift) + rng.normal(0, 0.05, len(ROWS)) for shift in range(columns)]
    return np.column_stack(parts)


def fault(rows: np.ndarray) -> np.ndarray:
    """A day without its wave."""
    broken = rows.copy()
    broken[900:924, -1] = 0.0
    return broken


def test_sub_pca_scores_what_breaks_the_pattern() -> None:
    rows = fault(waves(2))
    scores = sub_pca(rows[:600], np.zeros(600), rows, np.zeros(1200), steps=48)
    assert np.isfinite(scores).all()
    assert 890 < scores.argmax() < 935
    assert scores[900:924].mean() > 20 * np.median(scores)


def test_sub_pca_is_zero_on_rows_that_the_components_hold() -> None:
    rows = np.sin(2 * np.pi * ROWS / 24)[:, None]
    assert sub_pca(rows, np.zeros(1200), rows, np.zeros(1200), steps=24).max() < 1e-12


def test_windows_do_not_cross_segments_and_missing_cells_do_not_count() -> None:
    rows = waves()
    rows[50] = np.nan
    segment = np.r_[np.zeros(600), np.ones(10), np.full(590, 2)]
    scores = sub_pca(rows, segment, rows, segment, steps=24)
    assert np.isnan(scores[600:610]).all()  # too short for a window
    assert np.flatnonzero(np.isnan(scores[:600])).tolist() == [50]


def test_the_moving_score_is_the_distance_in_standard_deviations_of_the_rows_before() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(300, 1))
    rows[200] = 12.0
    scores = moving_z(rows, np.zeros(300), steps=50)
    before = rows[150:200, 0]
    assert scores[200] == pytest.approx((12.0 - before.mean()) / before.std())
    assert np.isnan(scores[:2]).all()
    # What comes after a border knows nothing of what was before.
    apart = moving_z(rows, np.r_[np.zeros(200), np.ones(100)], steps=50)
    assert np.isnan(apart[200:202]).all()


def test_the_moving_score_of_a_constant_column_is_finite() -> None:
    rows = np.ones((100, 2))
    rows[60, 0] = 2.0
    scores = moving_z(rows, np.zeros(100), steps=20)
    assert np.isfinite(scores[2:]).all()
    assert scores[60] == scores[2:].max()


def test_the_random_score_follows_its_seed() -> None:
    assert (random_score(50, seed=1) == random_score(50, seed=1)).all()
    assert (random_score(50, seed=1) != random_score(50, seed=2)).any()


def test_the_matrix_profile_scores_what_breaks_the_pattern() -> None:
    rows = fault(waves(2))
    scores = matrix_profile(rows[:600], np.zeros(600), rows[600:], np.zeros(600), steps=24)
    assert 280 < scores.argmax() < 340
    assert np.isfinite(scores).all()


def test_the_matrix_profile_is_that_of_stumpy() -> None:
    """Figures of stumpy 1.14.1, `stump(rows, 12, train, ignore_trivial=False)`, constant windows in both among them."""
    rng = np.random.default_rng(5)
    train = np.sin(np.arange(120) / 4) + rng.normal(0, 0.1, 120)
    train[70:95] = 1.0
    rows = np.sin(np.arange(90) / 4) + rng.normal(0, 0.1, 90)
    rows[40:65] = 2.0
    theirs = {0: 0.5199386330188656, 20: 0.4521476117280475, 45: 0.0, 60: 1.328869587079702, 78: 1.0050216676040704}
    for start, distance in theirs.items():
        window = rows[start : start + 12, None]
        ours = matrix_profile(train[:, None], np.zeros(120), window, np.zeros(12), steps=12)
        assert ours == pytest.approx(np.full(12, distance), abs=1e-9)


def test_a_window_that_moves_is_far_from_one_that_does_not() -> None:
    still, moving = np.zeros((40, 1)), np.sin(np.arange(40.0))[:, None]
    none = np.zeros(40)
    assert matrix_profile(still, none, moving, none, steps=16) == pytest.approx(np.full(40, 4.0))
    assert matrix_profile(moving, none, still, none, steps=16) == pytest.approx(np.full(40, 4.0))
    assert matrix_profile(still, none, still, none, steps=16) == pytest.approx(np.zeros(40))


def test_rows_too_few_for_a_window_have_no_score() -> None:
    rows, few = waves()[:100], np.zeros((5, 1))
    for score in (sub_pca, matrix_profile):
        assert np.isnan(score(rows, np.zeros(100), few, np.zeros(5), steps=12)).all()
        assert np.isnan(score(few, np.zeros(5), rows, np.zeros(100), steps=12)).all()
