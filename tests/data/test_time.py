"""Steps between timestamps, timestamps ahead, and natural seasons."""

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.tables.time import Every


def _ticks(every: str, *times: str) -> list[float]:
    return [round(tick, 6) for tick in Every.parse(every).ticks(pd.DatetimeIndex(list(times)))]


def _ahead(every: str, *times: str, steps: int = 3) -> list[str]:
    found = Every.parse(every).ahead(pd.DatetimeIndex(list(times)), np.arange(1, steps + 1))
    return [str(time)[:16].removesuffix(" 00:00") for time in found]


@pytest.mark.parametrize(
    ("every", "first", "second"),
    [
        ("30s", "2024-01-01 00:00:00", "2024-01-01 00:00:30"),
        ("15min", "2024-01-01 23:45", "2024-01-02 00:00"),
        ("1h", "2024-02-28 23:00", "2024-02-29 00:00"),
        ("1d", "2024-02-28", "2024-02-29"),
        ("2w", "2024-02-24", "2024-03-09"),
        ("1mo", "2024-01-15", "2024-02-15"),
        ("1mo", "2024-01-31", "2024-02-29"),
        ("3mo", "2023-12-31", "2024-03-31"),
        ("3mo", "2023-11-01", "2024-02-01"),
        ("1y", "2023-02-28", "2024-02-29"),
    ],
)
def test_one_step_is_one_tick(every: str, first: str, second: str) -> None:
    assert _ticks(every, first, second) == [0, 1]
    following = Every.parse(every).ahead(pd.DatetimeIndex([first]), np.array([1]))
    assert following.tolist() == [pd.Timestamp(second)]


def test_month_ends_stay_on_the_grid_although_their_day_changes() -> None:
    ends = pd.date_range("2023-01-31", periods=14, freq="ME")
    np.testing.assert_array_equal(Every.parse("1mo").ticks(ends), np.arange(14))


def test_a_skipped_month_is_two_ticks() -> None:
    assert _ticks("1mo", "2024-01-01", "2024-03-01") == [0, 2]


def test_a_day_beside_the_month_is_off_the_grid() -> None:
    tick = _ticks("1mo", "2024-01-01", "2024-02-02")[1]
    assert 1 < tick < 1.05


def test_months_with_a_time_zone_are_months_of_its_clock() -> None:
    times = pd.date_range("2024-01-01", periods=12, freq="MS", tz="Europe/Berlin")
    np.testing.assert_array_equal(Every.parse("1mo").ticks(times), np.arange(12))


def test_no_rows_have_no_ticks() -> None:
    assert Every.parse("1h").ticks(pd.DatetimeIndex([])).tolist() == []


def test_hours_go_on_over_midnight() -> None:
    assert _ahead("1h", "2024-12-31 22:00") == ["2024-12-31 23:00", "2025-01-01", "2025-01-01 01:00"]


def test_month_ends_are_followed_by_month_ends() -> None:
    assert _ahead("1mo", "2023-12-31", "2024-01-31") == ["2024-02-29", "2024-03-31", "2024-04-30"]


def test_the_28th_of_each_month_is_followed_by_the_28th() -> None:
    assert _ahead("1mo", "2023-01-28", "2023-02-28") == ["2023-03-28", "2023-04-28", "2023-05-28"]


@pytest.mark.parametrize("every", ["15min", "1h", "1d", "1w", "1mo", "3mo", "1y"])
def test_the_steps_ahead_are_the_ticks_that_follow(every: str) -> None:
    step, first = Every.parse(every), pd.DatetimeIndex(["2023-11-05 07:00"])
    times = pd.DatetimeIndex([*first, *step.ahead(first, np.arange(1, 30))])
    np.testing.assert_allclose(step.ticks(times), np.arange(30), atol=1e-9)


@pytest.mark.parametrize(
    ("every", "seasons"),
    [
        ("15min", {"hour": 4, "day": 96, "week": 672, "year": 35040}),
        ("1h", {"day": 24, "week": 168, "year": 8760}),
        ("1d", {"week": 7, "year": 365}),
        ("1w", {"year": 52}),
        ("1mo", {"year": 12}),
        ("3mo", {"year": 4}),
        ("5mo", {}),
        ("1y", {}),
    ],
)
def test_seasons_are_counted_in_steps(every: str, seasons: dict[str, int]) -> None:
    assert Every.parse(every).seasons() == seasons


def test_days_are_days_of_the_local_clock_also_when_it_is_put_forward() -> None:
    days = pd.date_range("2024-03-29", periods=4, tz="Europe/Berlin")  # the 31st has 23 hours
    assert Every.parse("1d").ticks(days).tolist() == [0, 1, 2, 3]
    following = Every.parse("1d").ahead(days[:2], np.arange(1, 3))
    assert following.tolist() == days[2:].tolist()
