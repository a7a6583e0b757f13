"""Local clocks: hours that are there twice or not at all, dates whose midnight is one of them, series in any order."""

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.tables.local_times import localize, of_one_series
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.errors import DataError
from tests.conftest import forecast_recipe
from tests.untyped import train


def local(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return times.tz_localize(None)


@pytest.mark.parametrize(
    "zone", ["Africa/Cairo", "America/Sao_Paulo", "America/Havana", "Asia/Beirut", "Europe/Berlin"]
)
@pytest.mark.parametrize("freq", ["D", "MS", "W-SUN"])
def test_dates_of_any_zone_are_the_beginning_of_their_day(zone: str, freq: str) -> None:
    """Midnight may be skipped (Cairo, Sao Paulo, Beirut) or be there twice (Havana)."""
    dates = pd.date_range("1995-01-01", "2023-12-31", freq=freq)
    found = localize(dates, zone)
    assert list(found.date) == list(dates.date)
    if freq == "D":
        # What stands a nanosecond before is of the day before: it is the first instant of the day.
        assert list((found - pd.Timedelta(1)).date) == list((dates - pd.Timedelta(days=1)).date)
        every = Every.parse("1d")
        assert (every.grid(found, np.arange(len(found))) == found).all()
        assert (every.floor(found) == found).all()


@pytest.mark.parametrize("freq", ["h", "30min", "15min"])
@pytest.mark.parametrize("series", [1, 2, 5])
@pytest.mark.parametrize("order", ["row by row", "below each other", "newest first"])
def test_an_hour_that_is_there_twice_is_told_apart_by_the_order(freq: str, series: int, order: str) -> None:
    times = pd.date_range("2023-10-27", "2023-11-02", freq=freq, tz="Europe/Berlin")
    places = np.arange(len(times))
    places = np.tile(places, series) if order == "below each other" else np.repeat(places, series)
    rows = times[places[::-1] if order == "newest first" else places]
    assert (localize(local(rows), "Europe/Berlin") == rows).all()


def test_what_the_order_does_not_tell_is_refused() -> None:
    times = pd.date_range("2023-10-29", periods=12, freq="h", tz="Europe/Berlin").repeat(2)
    lacking = local(times).delete(4)  # one of two rows of the first 02:00
    with pytest.raises(ValueError, match="which one is meant of the two that the clock has of 2023-10-29 02:00:00"):
        localize(lacking, "Europe/Berlin")
    with pytest.raises(ValueError, match="which one is meant"):
        localize(pd.DatetimeIndex(["2023-10-29 02:30"]), "Europe/Berlin")


@pytest.mark.parametrize(
    ("times", "zone"),
    [
        (["2024-03-31 01:30", "2024-03-31 02:30"], "Europe/Berlin"),
        (["2014-05-15 23:00", "2014-05-16 00:00"], "Africa/Cairo"),  # hours, so no dates
    ],
)
def test_a_time_that_the_clock_skips_is_refused(times: list[str], zone: str) -> None:
    with pytest.raises(ValueError, match=f"{times[1]}:00 is a time that the clock skips"):
        localize(pd.DatetimeIndex(times), zone)


def test_no_times_and_missing_ones_stay_what_they_are() -> None:
    assert len(localize(pd.DatetimeIndex([]), "Europe/Berlin")) == 0
    found = localize(pd.DatetimeIndex(["2024-01-01 01:00", None, "2024-01-01 03:00"]), "Europe/Berlin")
    assert list(found.isna()) == [False, True, False]


@pytest.mark.slow
def test_days_of_a_zone_without_some_midnights_are_forecast(tmp_path: pytest.TempPathFactory) -> None:
    dates = pd.date_range(
        "2014-01-01", periods=200, freq="D"
    )  # clocks were set forward at midnight before the 16th of May
    frame = pd.DataFrame({"time": dates, "load": np.arange(200.0) % 7})
    recipe = forecast_recipe(every="1d", inputs=["load"], calendar=[], time_zone="Africa/Cairo")
    result = train(recipe, overrides={"training.epochs": 1}, data=frame, tracking_uri=str(tmp_path))
    known = frame[frame.time < "2014-05-14"]
    answer = result.bundle.predict(known)
    assert [str(each)[:10] for each in answer.time] == [f"2014-05-{day}" for day in range(14, 20)]
    written = known.assign(time=known.time.dt.strftime("%Y-%m-%d"))
    pd.testing.assert_frame_equal(result.bundle.predict(written), answer)
    with pytest.raises(DataError) as caught:
        result.bundle.predict(
            known.assign(time=known.time.where(known.index < 100, known.time + pd.Timedelta(hours=1)))
        )
    assert caught.value.code != "invalid_local_time"


@pytest.mark.parametrize("series", [1, 3])
def test_rows_of_several_series_are_those_of_one(series: int) -> None:
    times = pd.date_range("2023-10-27", "2023-11-02", freq="h", tz="Europe/Berlin").tz_localize(None)
    assert (of_one_series(times.repeat(series)) == times).all()
