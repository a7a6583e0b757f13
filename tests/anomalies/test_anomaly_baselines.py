"""Scores that need no network."""

import importlib.util

import numpy as np
import pytest

from seq2seq_kit.anomalies.baselines import matrix_profile, moving_z, random_score, sub_pca
from seq2seq_kit.errors import ArgumentError

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


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("stumpy") is None, reason="stumpy is an extra")
def test_the_matrix_profile_scores_what_breaks_the_pattern() -> None:
    rows = fault(waves())
    scores = matrix_profile(rows[:600], rows[600:], np.zeros(600), steps=24)
    assert 280 < scores.argmax() < 340


def test_without_stumpy_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "stumpy", None)
    with pytest.raises(ArgumentError, match="pip install") as told:
        matrix_profile(waves(), waves(), np.zeros(1200), steps=24)
    assert told.value.code == "missing_package"
