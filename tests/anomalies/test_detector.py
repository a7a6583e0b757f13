"""Detectors fitted on errors without labels."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.anomalies.detection import detect_events
from seq2seq_kit.anomalies.detector import Detector
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.recipe.detect_fields import Detect
from tests.anomalies.rows import HOUR, errors_of, noise


def fitted(**settings: object) -> Detector:
    return Detector.fit(
        errors_of(noise(24 * 7 * 20)), Detect.model_validate(settings), window_steps=24, every_seconds=HOUR
    )


@pytest.mark.parametrize("columns", ["max", "mean", "mahalanobis"])
@pytest.mark.parametrize("wanted", [0.3, 1.0, 5.0])
def test_as_many_false_alarms_are_raised_as_were_asked_for(columns: str, wanted: float) -> None:
    detector = fitted(columns=columns, alarms_per_week=wanted, merge_gap=0)
    weeks = 200
    found = detect_events(errors_of(noise(24 * 7 * weeks, seed=7)), detector)
    assert found.detector.alarms_per_week == pytest.approx(wanted, rel=0.1)
    assert wanted * 0.5 < len(found.events) / weeks < wanted * 2


def test_a_quantile_of_the_validation_scores_is_a_threshold() -> None:
    detector = fitted(threshold="quantile", quantile=0.99)
    scores, _ = detector.score(noise(24 * 7 * 20), np.zeros(24 * 7 * 20))
    assert np.mean(scores > detector.threshold) == pytest.approx(0.01, abs=0.001)


def test_columns_count_alike_whatever_their_errors() -> None:
    detector = fitted()
    assert detector.scale == pytest.approx([0.1, 5.0], rel=0.05)
    _, shares = detector.score(np.array([[0.4, 0.0], [0.0, 20.0]]), np.zeros(2))
    assert shares.argmax(axis=1).tolist() == [0, 1]
    assert shares.sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize("columns", ["max", "mean", "mahalanobis"])
def test_the_column_that_went_wrong_is_named_first(columns: str) -> None:
    rows = noise(500, seed=3)
    rows[300:305, 0] -= 3.0
    event = detect_events(errors_of(rows), fitted(columns=columns, merge_gap=0)).events.iloc[0]
    assert (event.column_1, event.start, event.end) == (
        "c0",
        pd.Timestamp("2026-01-13 12:00"),
        pd.Timestamp("2026-01-13 16:00"),
    )
    assert event.severity > 3
    assert event.actual_1 < event.expected_1
    assert event.peak_per_week < event.alarms_per_week <= 1.01


def test_scores_have_the_sign_of_the_strongest_error() -> None:
    rows = noise(500, seed=3)
    rows[300, 0], rows[400, 1] = -3.0, 90.0
    scores = detect_events(errors_of(rows), fitted()).scores
    assert scores.signed_score[300] == -scores.score[300] < -10
    assert scores.signed_score[400] == scores.score[400] > 10
    assert scores.event[300] == 1 or scores.event[300] == 2
    assert scores.event.isna().sum() > 400
    assert list(scores) == [
        "time",
        "score",
        "signed_score",
        "event",
        "c0",
        "c1",
        "c0_expected",
        "c0_score",
        "c1_expected",
        "c1_score",
    ]


def test_missing_cells_do_not_count_and_rows_without_any_have_no_score() -> None:
    rows = noise(300, seed=3)
    rows[100, 0] = np.nan
    rows[200] = np.nan
    scores, shares = fitted().score(rows, np.zeros(300))
    assert shares[100].tolist() == [0, 1]
    assert np.isnan(scores[200])
    assert np.isfinite(np.delete(scores, 200)).all()


def test_smoothing_looks_back_and_not_over_a_gap() -> None:
    detector = fitted(smooth=4)
    rows = np.zeros((12, 2))
    rows[5, 0] = 10.0
    plain, _ = detector.score(rows, np.zeros(12))
    assert (plain > 5).nonzero()[0].tolist() == [5, 6, 7, 8]
    cut, _ = detector.score(rows, np.arange(12) > 6)
    assert (cut > 5).nonzero()[0].tolist() == [5, 6]


@pytest.mark.parametrize("column", [np.zeros(400), np.full(400, 3.0), np.r_[np.zeros(399), 1.0]])
def test_columns_whose_errors_are_all_alike_have_a_scale(column: np.ndarray) -> None:
    detector = Detector.fit(
        errors_of(np.column_stack([column, noise(400)[:, 0]])), Detect(), window_steps=4, every_seconds=HOUR
    )
    assert (detector.scale > 0).all()
    assert np.isfinite(detector.score(np.array([[9.0, 0.0]]), np.zeros(1))[0]).all()
    assert 0 < detector.threshold < np.inf


def test_too_few_rows_are_told() -> None:
    with pytest.raises(DataError, match="Received: 19") as error:
        Detector.fit(errors_of(noise(19)), Detect(), window_steps=4, every_seconds=HOUR)
    assert error.value.code == "too_few_rows_to_calibrate"


def test_without_a_clock_alarms_are_counted_in_rows() -> None:
    detector = Detector.fit(errors_of(noise(5000)), Detect(), window_steps=4, every_seconds=None)
    assert detector.unit == "10,000 rows"
    assert detector.units(20_000) == 2


def test_more_alarms_have_a_lower_threshold() -> None:
    detector = fitted()
    thresholds = [detector.at_rate(rate).threshold for rate in (0.02, 0.1, 1, 5, 20, 1000)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert len(set(thresholds)) >= 4  # with a gap of a day there are never 20 in a week
    assert thresholds[-1] > detector.median
    assert (np.diff(detector.rates[0]) > 0).all()
    assert (np.diff(detector.rates[1]) <= 0).all()
    assert len(detector.rates[0]) <= 200


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_thresholds_that_are_none_are_refused(wrong: float) -> None:
    for asked in (fitted().at_rate, fitted().at_threshold):
        with pytest.raises(ArgumentError, match=f"{wrong}"):
            asked(wrong)


def test_a_stored_detector_is_the_same() -> None:
    detector = fitted(columns="mahalanobis", smooth=3)
    again = Detector.from_json(json.loads(json.dumps(detector.to_json())))
    rows = errors_of(noise(300, seed=5))
    pd.testing.assert_frame_equal(detect_events(rows, again).scores, detect_events(rows, detector).scores)
    with pytest.raises(ValueError, match="2 columns"):
        Detector.from_json(detector.to_json() | {"center": [0.0]})


def test_other_columns_are_refused() -> None:
    with pytest.raises(ArgumentError, match="c7") as error:
        detect_events(errors_of(noise(300), columns=["c0", "c7"]), fitted())
    assert error.value.code == "detector_of_other_columns"


@pytest.mark.parametrize(
    ("rows", "codes"),
    [
        (noise(500, seed=1), []),
        (noise(500, seed=1) * 0.1, ["threshold_never_crossed"]),
        (noise(500, seed=1) * 40, ["threshold_always_crossed"]),
        (noise(500, seed=1) * np.linspace(1, 4, 500)[:, None], ["scores_drift"]),
    ],
)
def test_findings_say_when_a_threshold_does_not_fit(rows: np.ndarray, codes: list[str]) -> None:
    assert [finding.code for finding in detect_events(errors_of(rows), fitted()).findings] == codes


def test_rows_without_an_anomaly_give_an_empty_table_with_the_same_columns() -> None:
    found = detect_events(errors_of(noise(100, seed=1) * 0.1), fitted())
    full = detect_events(errors_of(noise(100, seed=1) * 30), fitted())
    assert len(found.events) == 0 < len(full.events)
    assert list(found.events) == list(full.events)


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0.0},
        {"threshold": float("inf")},
        {"merge_gap": -1},
        {"merge_gap": 1.5},
        {"rows_per_week": 0.0},
        {"scale": [1.0, 0.0]},
        {"center": [1.0, float("nan")]},
        {"rates": [[1.0, 2.0], [1.0]]},
        {"rates": [[2.0, 1.0], [1.0, 0.5]]},
        {"rates": [[], []]},
        {"precision": [[1.0]]},
        {"columns": ["c0"]},
        {"settings": {"exit": 2.0}},
    ],
)
def test_numbers_that_no_detector_has_are_refused(change: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Detector.from_json(fitted().to_json() | change)


@pytest.mark.parametrize("wrong", ["1", [1.0], True, None, float("nan"), float("inf"), -1, 1j])
def test_what_is_no_number_above_0_is_refused_with_a_code(wrong: Any) -> None:
    for asked in (fitted().at_rate, fitted().at_threshold):
        with pytest.raises(ArgumentError, match="Received: ") as error:
            asked(wrong)
        assert error.value.code == "invalid_argument"
    assert fitted().at_threshold(2).threshold == 2.0
