"""Events of scores."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_kit.anomalies.events import cut_events


def by_a_loop(
    scores: Sequence[float],
    segment: np.ndarray,
    threshold: float,
    exit_threshold: float,
    min_steps: int,
    merge_gap: int,
) -> list[list[int]]:
    """The rule as it is said, row by row."""
    events: list[list[int]] = []
    open_ = False
    for row, score in enumerate(scores):
        new = row == 0 or segment[row] != segment[row - 1]
        open_ = open_ and not new
        if open_ and score > exit_threshold:
            events[-1][1] = row
        elif score > threshold:
            near = bool(events) and segment[events[-1][1]] == segment[row] and row - events[-1][1] - 1 <= merge_gap
            if near:
                events[-1][1] = row
            else:
                events.append([row, row])
            open_ = True
        else:
            open_ = False
    return [event for event in events if event[1] - event[0] + 1 >= min_steps]


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, float("nan")]), max_size=40),
    st.lists(st.booleans(), min_size=40, max_size=40),
    st.sampled_from([1.0, 0.5]),
    st.integers(1, 3),
    st.integers(0, 3),
)
def test_events_are_those_of_the_rule_row_by_row(
    scores: list[float], breaks: list[bool], exit_threshold: float, min_steps: int, merge_gap: int
) -> None:
    segment = np.cumsum([jump and place % 5 == 0 for place, jump in enumerate(breaks)])[: len(scores)]
    cut = cut_events(np.array(scores), segment, 1.5, exit_threshold, min_steps, merge_gap)
    assert cut.tolist() == by_a_loop(scores, segment, 1.5, exit_threshold, min_steps, merge_gap)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [[1, 2], [5, 5]]),
        ({"min_steps": 2}, [[1, 2]]),
        ({"merge_gap": 1}, [[1, 2], [5, 5]]),
        ({"merge_gap": 2}, [[1, 5]]),
    ],
)
def test_short_events_are_dropped_and_near_ones_joined(settings: dict[str, int], expected: list[list[int]]) -> None:
    scores = np.array([3.0, 5.0, 3.0, 1.0, 1.0, 5.0, 0.0])
    assert cut_events(scores, np.zeros(7), 4.0, 2.0, **settings).tolist() == expected


def test_no_event_crosses_a_gap() -> None:
    scores = np.full(6, 5.0)
    assert cut_events(scores, np.array([0, 0, 0, 1, 1, 1]), 4.0, 2.0, merge_gap=9).tolist() == [[0, 2], [3, 5]]
