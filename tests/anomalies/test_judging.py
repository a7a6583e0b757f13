"""Figures beside labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_kit.anomalies.events import cut_events
from seq2seq_kit.anomalies.judging import EventCounts, count_events, judge, oracle_f1


def cut(scores: np.ndarray, threshold: float) -> np.ndarray:
    return cut_events(scores, np.zeros(len(scores)), threshold, threshold)


def test_events_are_counted_by_overlap() -> None:
    labelled = np.array([[10, 20], [40, 50], [80, 90]])
    predicted = np.array([[0, 5], [18, 45], [60, 61], [90, 95]])
    assert count_events(predicted, labelled) == EventCounts(found=3, missed=0, false=2)
    assert count_events(predicted[:1], labelled) == EventCounts(found=0, missed=3, false=1)
    assert count_events(np.zeros((0, 2), int), labelled) == EventCounts(found=0, missed=3, false=0)


def test_counts_of_several_tables_are_added_before_they_are_divided() -> None:
    pooled = EventCounts(1, 0, 3) + EventCounts(3, 2, 0)
    assert (pooled.precision, pooled.recall) == (4 / 7, 4 / 6)
    assert pooled.f1 == pytest.approx(2 * pooled.precision * pooled.recall / (pooled.precision + pooled.recall))
    assert EventCounts(0, 0, 0).f1 == 0


def intervals(rows: int) -> st.SearchStrategy[np.ndarray]:
    """Events in order that do not touch."""
    ends = st.lists(st.integers(0, rows), max_size=8, unique=True).map(sorted)
    return ends.map(lambda found: np.array(found[: len(found) // 2 * 2], dtype=int).reshape(-1, 2))


@given(intervals(60), intervals(60))
def test_counts_are_those_of_every_pair(predicted: np.ndarray, labelled: np.ndarray) -> None:
    def meets(one: np.ndarray, others: np.ndarray) -> bool:
        return any(one[0] <= other[1] and other[0] <= one[1] for other in others)

    found = sum(meets(event, predicted) for event in labelled)
    false = sum(not meets(event, labelled) for event in predicted)
    assert count_events(predicted, labelled) == EventCounts(found, len(labelled) - found, false)


def judged(scores: np.ndarray, *, threshold: float = 4.0) -> dict[str, float]:
    flags = np.zeros(1000, dtype=bool)
    flags[400:450] = flags[800:850] = True
    found = judge(flags, scores, np.zeros(1000), threshold=threshold, cut=cut, buffer=20, rows_per_week=168.0)
    assert found is not None
    return found.figures()


def test_delay_and_false_alarms_are_counted_at_the_threshold() -> None:
    scores = np.random.default_rng(0).random(1000)
    scores[410:420] = scores[830:835] = scores[100:102] = 9.0
    figures = judged(scores)
    assert figures["event_recall"] == 1
    assert figures["event_precision"] == pytest.approx(2 / 3)
    assert figures["delay_steps"] == 20  # the median of 10 and 30
    assert figures["false_alarms_per_week"] == pytest.approx(0.168)
    scores[390:410] = 9.0  # it was there before the event
    assert judged(scores)["delay_steps"] == 15


def test_no_alarm_has_no_delay_and_recall_zero() -> None:
    figures = judged(np.random.default_rng(0).random(1000))
    assert figures["event_recall"] == figures["event_f1"] == 0
    assert "delay_steps" not in figures


def test_the_oracle_is_never_behind_the_threshold_and_has_a_name_of_its_own() -> None:
    scores = np.random.default_rng(0).random(1000)
    scores[410] = 0.999  # not the highest of the series
    figures = judged(scores, threshold=0.9995)
    assert figures["oracle_f1"] >= figures["event_f1"]
    assert not any("adjust" in name for name in figures)


def test_the_oracle_is_not_behind_a_threshold_with_long_alarms() -> None:
    scores = np.zeros(1000)
    scores[380:600], scores[790:900] = np.linspace(5, 6, 220), np.linspace(5, 6, 110)
    scores += np.linspace(0, 1e-3, 1000)
    figures = judged(scores)
    assert figures["event_f1"] == figures["oracle_f1"] == 1.0


def test_a_lucky_row_in_an_event_does_not_count_for_the_whole_event() -> None:
    rng = np.random.default_rng(3)
    flags = np.zeros(5000, dtype=bool)
    flags[2000:2500] = True
    found = judge(flags, rng.random(5000), np.zeros(5000), threshold=0.999, cut=cut, buffer=20, rows_per_week=None)
    assert found is not None
    assert found.auc_pr < 0.15
    assert found.vus_pr < 0.15
    assert found.false_alarms_per_week is None


@pytest.mark.parametrize("value", [False, True])
def test_nothing_is_judged_where_all_rows_are_alike(value: bool) -> None:
    flags = np.full(100, value)
    assert judge(flags, np.arange(100.0), np.zeros(100), threshold=1, cut=cut, buffer=5, rows_per_week=None) is None


def test_rows_without_a_score_are_left_out_of_the_rows() -> None:
    scores = np.random.default_rng(0).random(1000)
    scores[410:440] = 9.0
    scores[:100] = np.nan
    assert 0 < judged(scores)["vus_pr"] <= 1


def test_the_best_f1_is_found_where_a_threshold_parts_them() -> None:
    scores = np.zeros(1000)
    scores[[100, 300, 700]] = [5.0, 7.0, 6.0]
    assert oracle_f1(scores + np.linspace(0, 1e-3, 1000), np.array([[295, 305], [695, 705]]), cut) == 1.0
