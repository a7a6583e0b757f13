"""The fast path to one window gives what the full preparation gives, or None."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.tables.calendar import Clock
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.data.windows.newest import NewestReader
from seq2seq_kit.errors import DataError
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.forecast.bundle import ForecastBundle
from tests.conftest import forecast_recipe, hourly_frame
from tests.untyped import parse_recipe


def untrained(**data: Any) -> ForecastBundle:
    """A bundle of a model as it begins."""
    job = open_job(parse_recipe(forecast_recipe(**data)), hourly_frame())
    found = job.bundle(job.build(), {})
    assert isinstance(found, ForecastBundle)
    return found


def reader_of(bundle: ForecastBundle) -> NewestReader:
    reader = bundle._reader
    assert reader is not None
    return reader


def fully_prepared(bundle: ForecastBundle, frame: pd.DataFrame, **named: Any) -> pd.DataFrame:
    bundle.__dict__["_reader"] = None
    try:
        return bundle.predict(frame, **named)
    finally:
        del bundle.__dict__["_reader"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"calendar": []},
        {"calendar": ["minute", "day_of_week", "hour_of_week", "day_of_month", "day_of_year", "month"]},
        {"gap_steps": 3},
        {"targets": ["heat", "load"]},
        {"inputs": ["heat"]},
        {"time": None, "every": None, "calendar": []},
    ],
    ids=str,
)
@pytest.mark.parametrize("rows", [24, 25, 100])
@pytest.mark.parametrize("steps", [None, 2])
def test_both_paths_give_the_same_frame(data: dict[str, Any], rows: int, steps: int | None) -> None:
    bundle, frame = untrained(**data), hourly_frame(rows)
    assert reader_of(bundle).read(frame) is not None
    received, expected = bundle.predict(frame, steps=steps), fully_prepared(bundle, frame, steps=steps)
    pd.testing.assert_frame_equal(received, expected, rtol=1e-6)
    assert received.attrs == expected.attrs == {"notes": []}


@pytest.mark.slow
@pytest.mark.parametrize(("every", "hours"), [("1h", 1), ("1d", 24), ("1w", 168)])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_any_unit_are_read(unit: Any, every: str, hours: int) -> None:
    bundle, frame = untrained(), hourly_frame(30)
    object.__setattr__(bundle, "recipe", parse_recipe(forecast_recipe(every=every)))
    frame["time"] = pd.date_range("2024-01-01", periods=30, freq=f"{hours}h").as_unit(unit)
    assert reader_of(bundle).read(frame) is not None
    received, expected = bundle.predict(frame), fully_prepared(bundle, frame)
    pd.testing.assert_frame_equal(received, expected, rtol=1e-6)


def changed(column: str, row: int, value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype({column: object}) if isinstance(value, str) else frame
        frame.loc[row, column] = value
        return frame

    return change


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        changed("load", 3, np.nan),
        changed("load", 35, np.inf),
        changed("heat", 35, 1e300),
        changed("load", 10, "many"),
        lambda frame: frame.drop(index=20),
        lambda frame: frame.iloc[::-1],
        lambda frame: frame.assign(time=frame["time"].dt.tz_localize("UTC")),
        lambda frame: frame.assign(time=frame["time"].astype(str)),
        lambda frame: frame.assign(time=frame["time"].where(frame.index != 5)),
        lambda frame: frame.drop(columns="heat"),
        lambda frame: frame.drop(columns="time"),
        lambda frame: pd.concat([frame, frame[["load"]]], axis=1),
        lambda frame: frame.tail(23),
        lambda frame: frame.set_axis(pd.MultiIndex.from_product([["a"], frame.columns]), axis=1),
        changed("heat", 0, 1e300),
        lambda frame: frame.assign(time=pd.date_range("2262-04-10 08:00", periods=40, freq="h").as_unit("ns")),
    ],
)
def test_rows_that_need_care_take_fully_prepared(change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    assert reader_of(untrained()).read(change(hourly_frame(40))) is None


def test_a_single_row_without_a_time_takes_fully_prepared() -> None:
    reader = reader_of(untrained(input_steps=1))
    frame = hourly_frame(1)
    assert reader.read(frame) is not None
    assert reader.read(frame.assign(time=pd.DatetimeIndex(["NaT"]))) is None


def test_fully_prepareds_message_is_what_the_user_sees() -> None:
    with pytest.raises(DataError, match=r"row 11, column load: expected a number\. Received: 'many'"):
        untrained().predict(changed("load", 10, "many")(hourly_frame(40)))


@pytest.mark.parametrize(
    "data",
    [
        {"missing": "mask"},
        {"limits": {"load": [0, 500]}},
        {"known_future": ["heat"]},
        {"series": "site"},
        {"every": "1mo"},
        {"window_scaling": "standard"},
    ],
    ids=str,
)
def test_a_recipe_that_asks_for_more_has_no_fast_path(data: dict[str, Any]) -> None:
    section: Any = parse_recipe(forecast_recipe(**data)).data
    scaler = Scaler(["load", "heat"], np.zeros((1, 2)), np.ones((1, 2)))
    assert NewestReader.of(section, scaler) is None


def test_the_newest_window_on_a_scale_of_its_own_is_forecast_as_every_window_is() -> None:
    bundle = untrained(window_scaling="standard")
    newest, every = bundle.predict(hourly_frame(100)), bundle.predict(hourly_frame(100), all_windows=True)
    np.testing.assert_allclose(newest["load"], every["load"][-6:], rtol=1e-6)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_arithmetic_of_the_clock_is_that_of_pandas(unit: Any) -> None:
    rng = np.random.default_rng(0)
    seconds = rng.integers(-5_000_000_000, 5_000_000_000, size=500)
    times = pd.DatetimeIndex(seconds.astype("M8[s]")).as_unit(unit)
    clock = Clock(times.to_numpy())
    for name in ("second", "minute", "hour", "day_of_week", "day_of_year", "days_in_month"):
        np.testing.assert_array_equal(getattr(clock, name), np.asarray(getattr(times, name)))
