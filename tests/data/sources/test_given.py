"""Tables of other libraries and what stands in an index: the same rows, whoever holds them."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from seq2seq_kit.data.sources.given import Given, frame_of
from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.results import TrainResult
from seq2seq_kit.tasks import open_job, parse_recipe
from seq2seq_kit.tasks.digest import digest_of
from seq2seq_kit.validation import validate
from tests.conftest import forecast_recipe, hourly_frame

FORMS: dict[str, Callable[[pd.DataFrame], Given]] = {
    "datetime_index": lambda frame: frame.set_index("time"),
    "unnamed_index": lambda frame: frame.set_index("time").rename_axis(None),
    "period_index": lambda frame: frame.assign(time=frame["time"].dt.to_period("h")).set_index("time"),
    "unnamed_period_index": lambda frame: frame.set_index(pd.PeriodIndex(frame["time"], freq="h")).drop(columns="time"),
    "period_column": lambda frame: frame.assign(time=frame["time"].dt.to_period("h")),
    "polars": pl.from_pandas,
    "arrow": lambda frame: pa.Table.from_pandas(frame),
    "arrow_with_index": lambda frame: pa.Table.from_pandas(frame.set_index("time")),
    "arrow_batch": lambda frame: pa.RecordBatch.from_pandas(frame),
    "arrow_reader": lambda frame: pa.Table.from_pandas(frame).to_reader(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_table_gives_the_same_rows(form: str) -> None:
    frame, recipe = hourly_frame(120), parse_recipe(forecast_recipe())
    plain = open_job(recipe, frame)
    other = open_job(recipe, FORMS[form](frame))
    assert isinstance(other.source, pd.DataFrame)
    assert other.source["load"].dtype == np.float64
    assert digest_of(other.source, ["load", "heat"]) == digest_of(plain.source, ["load", "heat"])
    assert pd.DatetimeIndex(other.source["time"]).equals(pd.DatetimeIndex(frame["time"]))


@pytest.mark.parametrize("far", [2**60, -(2**60), 2**50, 3_000_000_000_000])
@pytest.mark.parametrize("form", ["column", "index"])
def test_a_period_that_no_timestamp_can_hold_is_told(form: str, far: int) -> None:
    """pandas turns the 2**60th hour after 1970 into the first one."""
    periods = pd.PeriodIndex.from_ordinals(np.array([5, far, 7]), freq="h")  # type: ignore[attr-defined]
    frame = pd.DataFrame({"time": periods, "load": [1.0, 2.0, 3.0]})
    with pytest.raises(DataError, match=r"row 2, column time: the period begins at a time") as caught:
        frame_of(frame if form == "column" else frame.set_index("time"), time=["time"])
    assert caught.value.code == "invalid_timestamp"


@pytest.mark.parametrize("freq", ["h", "2h", "D", "W-SUN", "M", "Q-MAR", "Y", "s", "ns"])
def test_periods_begin_where_pandas_says(freq: str) -> None:
    periods = pd.PeriodIndex(pd.period_range("2024-01-01", periods=5, freq=freq).insert(5, pd.NaT))
    frame = frame_of(pd.DataFrame({"time": periods, "load": 1.0}), time=["time"])
    assert pd.DatetimeIndex(frame["time"]).equals(periods.to_timestamp())


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("order", [["site", "time"], ["time", "site"]])
def test_a_multi_index_holds_series_and_times(order: list[str], named: bool) -> None:
    frame = hourly_frame(120, series=("north", "south"))
    given = frame.set_index(order)
    if not named:
        given.index.names = [None, None]
    job = open_job(parse_recipe(forecast_recipe(series="site")), given)
    assert job.series == ["north", "south"]
    assert isinstance(job.source, pd.DataFrame)
    pd.testing.assert_frame_equal(job.source[frame.columns], frame, check_dtype=False)


def test_a_series_is_a_table_of_one_column() -> None:
    frame = hourly_frame(120)
    recipe = forecast_recipe(inputs=["load"])
    for name in ("load", None):
        series = frame.set_index("time")["load"].rename(name)
        assert validate(recipe, data=series).rows == 120
    assert validate(recipe | {"data": {"inputs": ["load"], "targets": ["load"], "input_steps": 24, "output_steps": 6}},
                    data=pl.Series("load", frame["load"].to_numpy())).rows == 120  # fmt: skip


def test_whole_numbers_with_missing_cells_and_decimals_are_numbers() -> None:
    frame = frame_of(pl.DataFrame({"a": [1, None, 3], "b": pl.Series(["1.5", "2.5", "3.5"]).cast(pl.Decimal(10, 2))}))
    np.testing.assert_array_equal(frame["a"], [1, np.nan, 3])
    assert frame["b"].astype(float).tolist() == [1.5, 2.5, 3.5]


def test_an_index_that_only_counts_rows_is_no_column() -> None:
    frame = hourly_frame(120)
    kept = frame[frame.index % 2 == 0]
    assert frame_of(kept, time=["when"], series=["site"]) is kept
    assert frame_of(frame.set_index("heat").rename_axis(None), time=["when"]).columns.tolist() == ["time", "load"]


def test_a_column_is_not_replaced_by_an_index_of_its_name() -> None:
    frame = hourly_frame(48)
    twice = frame.set_index(frame["time"] + pd.Timedelta(days=1))
    assert frame_of(twice, time=["time"])["time"].tolist() == frame["time"].tolist()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (pl.DataFrame({"load": [1.0]}).lazy(), r"Collect it first: rows\.collect\(\)"),
        ([1.0, 2.0], "Received: builtins.list"),
        ({"load": [1.0]}, "Received: builtins.dict"),
        (np.zeros(3), "Received: numpy.ndarray"),
        (pd.DataFrame, "Received: builtins.type"),
        (pd.DataFrame({("load", "a"): [1.0]}), r"2 levels such as \('load', 'a'\)"),
        (pd.Series([1.0]), "a Series without a name stands for the only column of a recipe; this one has load, heat"),
    ],
)
def test_what_is_no_table_is_told(rows: object, said: str) -> None:
    with pytest.raises(ArgumentError, match=said) as caught:
        validate(forecast_recipe(), data=rows)  # type: ignore[arg-type]
    assert caught.value.code == "unsupported_table"


def test_a_missing_column_is_told_whatever_the_library() -> None:
    with pytest.raises(DataError, match="lacks the column heat"):
        validate(forecast_recipe(), data=pl.from_pandas(hourly_frame(60)[["time", "load"]]))


@pytest.mark.slow
@pytest.mark.parametrize("form", [*FORMS])
def test_a_bundle_predicts_from_every_form(form: str, forecast_run: TrainResult) -> None:
    bundle = forecast_run.bundle
    frame = hourly_frame(120)
    pd.testing.assert_frame_equal(bundle.predict(FORMS[form](frame)), bundle.predict(frame), check_dtype=False)  # type: ignore[arg-type]
    if form != "arrow_reader":
        assert bundle.evaluate(FORMS[form](frame)).table().equals(bundle.evaluate(frame).table())  # type: ignore[arg-type]
