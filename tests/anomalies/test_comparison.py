"""A detector beside simple scores."""

import numpy as np
import pytest

from seq2seq_kit.anomalies.comparison import Rows, compare, in_robust_units
from seq2seq_kit.anomalies.detector import Detector
from seq2seq_kit.recipe.detect_fields import Detect
from tests.anomalies.rows import HOUR, errors_of, noise


def test_a_random_score_does_not_find_every_event_by_an_alarm_that_never_ends() -> None:
    """Smoothed it stays near its mean, far above a share of its threshold."""
    rng = np.random.default_rng(0)
    parts = [Rows(rng.normal(size=(rows, 1)), np.zeros(rows)) for rows in (500, 500, 3000)]
    flags = np.zeros(3000, dtype=bool)
    for first in range(100, 3000, 300):
        flags[first : first + 10] = True
    settings = Detect(smooth=32, exit=0.5, alarms_per_week=1)
    detector = Detector.fit(errors_of(noise(500)), settings, window_steps=12, every_seconds=HOUR)
    train, val, test = parts
    found = compare(flags, rng.random(3000), detector, train=train, val=val, test=test, steps=12, seed=3)
    assert found is not None
    assert found.figures("random")["event_f1"] < 0.4


@pytest.mark.parametrize("usual", [np.full(50, 3.0), np.r_[np.full(49, 3.0), np.nan], np.arange(50.0)])
def test_robust_units_are_finite_and_keep_the_order(usual: np.ndarray) -> None:
    units = in_robust_units(np.array([1.0, 2.0, 9.0, np.nan]), usual)
    assert np.isfinite(units[:3]).all()
    assert np.isnan(units[3])
    assert (np.diff(units[:3]) > 0).all()
