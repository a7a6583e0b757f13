"""Forecasts that wait for their actual values: each series, step and target by itself, each once."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.results import TrainResult
from seq2seq_kit.runs import load, train
from seq2seq_kit.tasks.forecast.bundle import ForecastBundle
from tests.conftest import forecast_recipe, hourly_frame

ROWS, STEPS = 300, 6


@pytest.fixture(scope="module")
def saved(store: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder of a bundle of three series and two targets, with levels."""
    recipe = forecast_recipe(series="store", targets=["load", "heat"]) | {"levels": [80]}
    recipe["training"] |= {"epochs": 1}
    result: TrainResult = train(recipe, data=frame_of("abc"), tracking_uri=str(store))
    return result.bundle.save(tmp_path_factory.mktemp("pending") / "bundle")


def frame_of(names: str, rows: int = ROWS) -> pd.DataFrame:
    frame = hourly_frame(rows, series=("a", "b", "c"))
    column = next(name for name in frame.columns if name not in ("time", "load", "heat"))
    frame = frame.rename(columns={column: "store"})
    return frame[frame["store"].isin(list(names))].reset_index(drop=True)


def known(names: str, rows: int) -> pd.DataFrame:
    """The rows of some series up to one."""
    frame = frame_of(names)
    return frame[frame.groupby("store").cumcount() < rows].reset_index(drop=True)


def after(names: str, rows: int) -> pd.DataFrame:
    """The actual values of the steps behind these rows."""
    frame = frame_of(names)
    place = frame.groupby("store").cumcount()
    return frame[(place >= rows) & (place < rows + STEPS)].reset_index(drop=True)


def used(bundle: Any) -> dict[str, np.ndarray]:
    return dict(bundle.intervals.used)


def equal(first: Any, second: Any) -> bool:
    one, two = used(first), used(second)
    return one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


def opened(folder: Any) -> Any:
    bundle = load(folder)
    assert isinstance(bundle, ForecastBundle)
    return bundle


def test_the_order_of_calls_for_several_series_changes_nothing(saved: Any) -> None:
    actual = after("abc", 200)
    together, apart, written = opened(saved), opened(saved), opened(saved)
    together.predict(known("abc", 200))
    answers = [apart.predict(known(name, 200)) for name in "abc"]
    both = together.update(actual)
    assert equal(both, apart.update(actual))
    assert equal(both, written.update(actual, forecasts=pd.concat(answers)))


def test_a_series_is_not_forgotten_for_the_forecasts_of_another(saved: Any) -> None:
    bundle, alone = opened(saved), opened(saved)
    bundle.forecasts.most = 3
    bundle.predict(known("a", 200))
    for rows in range(200, 210):
        bundle.predict(known("b", rows))
    alone.predict(known("a", 200))
    assert equal(bundle.update(after("a", 200)), alone.update(after("a", 200)))
    with pytest.raises(ArgumentError, match="none of these rows was forecast"):
        bundle.update(after("b", 200)[:1])  # one of the older ones
    assert bundle.forecasts.told == "3 forecasts that wait for their actual values"


def test_a_forecast_that_is_made_again_counts_once(saved: Any) -> None:
    once, twice = opened(saved), opened(saved)
    once.predict(known("a", 200))
    asked: list[dict[str, Any]] = [{}, {"levels": []}, {"samples": 5}]
    for more in asked:
        twice.predict(known("a", 200), **more)
    assert equal(once.update(after("a", 200)), twice.update(after("a", 200)))
    once.predict(known("b", 200))
    told = once.update(after("b", 200)[:2])
    once.predict(known("b", 200))
    with pytest.raises(ArgumentError, match="a forecast that waits"):
        told.update(after("b", 200)[:2])  # which it knows already


def test_targets_that_become_known_apart_count_each(saved: Any) -> None:
    bundle, whole = opened(saved), opened(saved)
    actual = after("a", 200)
    for each in (bundle, whole):
        each.predict(known("a", 200))
    half = bundle.update(actual.assign(heat=np.nan))
    moved = used(half)["a"] != 80.0
    assert moved[..., 0].all()
    assert not moved[..., 1].any()
    assert equal(half.update(actual), whole.update(actual))
    with pytest.raises(ArgumentError, match="no forecast that waits"):
        half.update(actual)


def test_fewer_steps_than_are_trained_count_as_such(saved: Any) -> None:
    few, whole, both = opened(saved), opened(saved), opened(saved)
    actual = after("a", 200)
    few.predict(known("a", 200), steps=2)
    for each in (whole, both):
        each.predict(known("a", 200))
    both.predict(known("a", 200), steps=2)  # which waits already
    moved = used(few.update(actual))["a"] != 80.0
    assert moved[:, :2].all()
    assert not moved[:, 2:].any()
    assert equal(whole.update(actual), both.update(actual))


def test_more_steps_of_the_same_forecast_wait_beside_those_that_are_known(saved: Any) -> None:
    bundle, whole = opened(saved), opened(saved)
    actual = after("a", 200)
    bundle.predict(known("a", 200), steps=2)
    told = bundle.update(actual[:1])
    told.predict(known("a", 200))
    later = told.update(actual)
    whole.predict(known("a", 200))
    assert np.array_equal(used(later)["a"][:, :1], used(told)["a"][:, :1])
    assert (used(later)["a"][:, 1:] != 80.0).all()
    assert equal(whole.update(actual[:1]).update(actual), later)


def test_a_window_that_moves_over_rows_without_a_clock_is_another_forecast(store: Any) -> None:
    recipe = forecast_recipe(time=None, every=None, calendar=[]) | {"levels": [80]}
    recipe["training"] |= {"epochs": 1}
    frame = hourly_frame(400).drop(columns="time")
    bundle: Any = train(recipe, data=frame, tracking_uri=str(store)).bundle
    for first in (0, 1):
        rows = frame[first : first + 200].reset_index(drop=True)
        bundle.predict(rows)
        bundle.predict(rows)  # the same one
        before = used(bundle).get("", np.full(1, 80.0)).copy()
        bundle = bundle.update(frame[first : first + 201].reset_index(drop=True))
        assert not np.array_equal(used(bundle)[""], before)


def test_what_waits_is_bounded(saved: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_kit.intervals.pending._MOST_IN_ALL", 2)
    bundle = opened(saved)
    for name in "abc":
        bundle.predict(known(name, 200))
    assert list(bundle.forecasts.kept) == ["b", "c"]
    bundle.forecasts.most = 0
    bundle.predict(known("a", 200))
    assert list(bundle.forecasts.kept) == ["b", "c"]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"load": np.nan, "heat": np.nan}, DataError, "none of its 6 rows has a value of load, heat"),
        ({"load": np.inf}, DataError, "expected a finite number. Received: inf .*Correct these cells"),
    ],
)
def test_actual_values_that_are_none_are_told(
    saved: Any, change: dict[str, float], error: type[Exception], said: str
) -> None:
    bundle = opened(saved)
    bundle.predict(known("a", 200))
    with pytest.raises(error, match=said):
        bundle.update(after("a", 200).assign(**change))


def test_a_missing_column_is_told_beside_those_that_are_there(saved: Any) -> None:
    bundle = opened(saved)
    bundle.predict(known("a", 200))
    with pytest.raises(DataError, match=r"lacks the column load. It has .*heat; rename"):
        bundle.update(after("a", 200)[["store", "time", "heat"]])
    with pytest.raises(ArgumentError, match="rate must be a number"):
        bundle.update(after("a", 200), rate="0.1")
