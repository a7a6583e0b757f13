"""Steps between timestamps, timestamps ahead, and natural seasons."""

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.data.tables.time_formats import column_of_times
from seq2seq_kit.errors import DataError


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
        ("1w", "2024-02-25", "2024-03-03"),
        ("1w", "2024-02-23", "2024-03-01"),
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


@pytest.mark.parametrize(
    ("every", "freq"),
    [
        ("1mo", "ME"),
        ("1mo", "BME"),
        ("3mo", "QE"),
        ("3mo", "BQE"),
        ("1y", "YE"),
        ("1w", "W-SUN"),
        ("1w", "W-FRI"),
        ("1bd", "B"),
    ],
)
@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_ends_of_months_quarters_and_weeks_are_followed_by_the_next_ones(
    every: str, freq: str, zone: str | None
) -> None:
    times = pd.date_range("2022-01-10", periods=30, freq=freq, tz=zone)
    step = Every.parse(every)
    np.testing.assert_allclose(step.ticks(times), np.arange(30), atol=1e-9)
    # A few last weekdays may all be month ends, too.
    for known in range(12 if freq.startswith("B") else 2, 27):
        assert list(step.ahead(times[:known], np.arange(1, 4))) == list(times[known : known + 3])
    assert list(step.grid(times[:12], np.arange(30))) == list(times)


def test_the_30th_of_each_month_is_a_step_and_the_last_of_february_stands_for_it() -> None:
    assert _ticks("1mo", "2024-01-30", "2024-02-29", "2024-03-30") == [0, 1, 2]
    assert _ahead("1mo", "2024-01-30", "2024-02-29", steps=2) == ["2024-03-30", "2024-04-30"]


def test_holidays_are_no_business_days() -> None:
    step = Every.parse("1bd", "DE")
    easter = pd.DatetimeIndex(["2024-03-28", "2024-04-02", "2024-04-03"])  # Good Friday, Easter Monday
    assert step.ticks(easter).tolist() == [0, 1, 2]
    assert step.ahead(easter[:1], np.array([1, 2])).tolist() == easter[1:].tolist()
    assert Every.parse("1bd").ticks(easter).tolist() == [0, 3, 4]
    assert step.ticks(pd.DatetimeIndex(["2024-03-28", "2024-03-29"]))[1] % 1 == 0.5
    assert step.floor(pd.DatetimeIndex(["2024-04-01"])).tolist() == [easter[0]]
    assert Every.parse("1bd", "NYSE").ticks(pd.DatetimeIndex(["2024-07-03", "2024-07-05"])).tolist() == [0, 1]
    assert Every.parse("1bd", "DE-BY").ticks(pd.DatetimeIndex(["2024-01-05", "2024-01-09"])).tolist() == [0, 2]


def test_rows_have_no_step() -> None:
    assert Every.of("rows") is None
    assert Every.of(None) is None
    assert Every.of("1bd", "DE") == Every("1bd", weekdays=1, holidays="DE")


def test_a_date_with_a_zone_is_not_joined_with_a_time_of_day() -> None:
    days = pd.date_range("2024-03-01", periods=48, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"day": days.normalize(), "clock": days.strftime("%H:%M"), "load": range(48)})
    with pytest.raises(DataError, match="an instant with a zone") as caught:
        column_of_times(frame, ["day", "clock"], None, "t.csv")
    assert caught.value.code == "invalid_timestamp"
