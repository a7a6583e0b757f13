"""Features of a timestamp at times whose answer is known."""

import sys
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.tables.calendar import Clock, calendar_columns, calendar_names
from seq2seq_kit.data.tables.holiday_dates import holiday_dates
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.fields import Calendar


@pytest.mark.parametrize(
    ("word", "time", "sine", "cosine"),
    [
        ("minute", "2024-01-01 00:15", 1, 0),
        ("hour", "2024-01-01 00:00", 0, 1),
        ("hour", "2024-01-01 06:00", 1, 0),
        ("hour", "2024-01-01 12:00", 0, -1),
        ("hour", "2024-01-01 01:30", np.sin(np.pi / 8), np.cos(np.pi / 8)),
        ("day_of_week", "2024-01-01 09:00", 0, 1),  # a Monday
        ("day_of_week", "2024-01-07", np.sin(-2 * np.pi / 7), np.cos(2 * np.pi / 7)),
        ("hour_of_week", "2024-01-01 00:00", 0, 1),
        ("hour_of_week", "2024-01-02 18:00", 1, 0),  # 42 of 168 hours
        ("day_of_month", "2024-02-01", 0, 1),
        ("day_of_month", "2023-02-15", 0, -1),  # 14 of 28 days
        ("day_of_year", "2024-01-01", 0, 1),
        ("week_of_year", "2024-01-01", 0, 1),
        ("month", "2024-01-31", 0, 1),
        ("month", "2024-04-01", 1, 0),
        ("month", "2024-07-01", 0, -1),
    ],
)
def test_a_period_is_a_sine_and_a_cosine(word: str, time: str, sine: float, cosine: float) -> None:
    columns = calendar_columns(pd.DatetimeIndex([time]), [word])
    np.testing.assert_allclose(columns, [[sine, cosine]], atol=1e-12)


@pytest.mark.parametrize(
    ("time", "weekend"), [("2024-01-05 23:59", 0), ("2024-01-06 00:00", 1), ("2024-01-07 23:59", 1), ("2024-01-08", 0)]
)
def test_the_weekend_is_saturday_and_sunday(time: str, weekend: int) -> None:
    assert calendar_columns(pd.DatetimeIndex([time]), ["weekend"]).tolist() == [[weekend]]


@pytest.mark.parametrize("word", get_args(Calendar))
def test_every_word_of_the_recipe_gives_as_many_columns_as_names(word: str) -> None:
    times = pd.date_range("2023-01-01", periods=9000, freq="h")
    columns = calendar_columns(times, [word], "DE")
    assert columns.shape == (9000, len(calendar_names([word])))
    assert np.abs(columns).max() <= 1


def test_columns_stand_in_the_order_of_the_words() -> None:
    assert calendar_names(["weekend", "hour"]) == ["weekend", "hour_sin", "hour_cos"]
    times = pd.DatetimeIndex(["2024-01-06 06:00"])
    np.testing.assert_allclose(calendar_columns(times, ["weekend", "hour"]), [[1, 1, 0]], atol=1e-12)


def test_no_words_give_no_columns() -> None:
    assert calendar_columns(pd.date_range("2024-01-01", periods=5), []).shape == (5, 0)


def test_an_hour_follows_the_clock_of_its_zone() -> None:
    times = pd.DatetimeIndex(["2024-07-01 06:00"]).tz_localize("Europe/Berlin")
    np.testing.assert_allclose(calendar_columns(times, ["hour"]), [[1, 0]], atol=1e-12)


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_holidays_and_the_days_to_the_next_one_are_of_the_local_date(zone: str | None) -> None:
    times = pd.DatetimeIndex(["2024-12-11 23:30", "2024-12-18", "2024-12-25 00:30", "2024-12-26 23:59"], tz=zone)
    found = calendar_columns(times, ["holidays", "days_to_holiday"], "DE")
    assert found.tolist() == [[0, 1], [0, 0.5], [1, 0], [1, 0]]
    if zone is None:
        assert (
            calendar_columns(Clock(times.to_numpy()), ["holidays", "days_to_holiday"], "DE").tolist() == found.tolist()
        )


def test_the_last_day_of_a_month_is_told() -> None:
    assert calendar_columns(pd.date_range("2024-03-29", periods=1, freq="BME"), ["month_end"]).tolist() == [[0]]
    times = pd.DatetimeIndex(["2024-02-28", "2024-02-29 18:00", "2023-02-28", "2024-01-01"])
    assert calendar_columns(times, ["month_end"])[:, 0].tolist() == [0, 1, 1, 0]
    assert calendar_columns(Clock(times.to_numpy()), ["month_end"])[:, 0].tolist() == [0, 1, 1, 0]


def test_an_unknown_country_and_an_absent_package_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="does not know QQ") as error:
        holiday_dates("QQ")
    assert error.value.code == "unknown_holidays"
    monkeypatch.setitem(sys.modules, "holidays", None)
    holiday_dates.cache_clear()
    with pytest.raises(DataError, match="pip install") as error:
        holiday_dates("DE")
    assert error.value.code == "missing_package"
