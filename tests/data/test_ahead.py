"""The steps ahead of the newest rows: their timestamps, what is known of them, and what is asked for."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data import Prepared, prepare_ahead
from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.errors import DataError, SeriesTooShortError
from seq2seq_kit.tasks.forecast.recipe import ForecastData, ForecastRecipe
from tests.conftest import forecast_recipe, hourly_frame
from tests.untyped import parse_recipe

ROWS = 120


def _data(**data: Any) -> ForecastData:
    recipe = parse_recipe(forecast_recipe(**data))
    assert isinstance(recipe, ForecastRecipe)
    return recipe.data


def _ahead(frame: pd.DataFrame, future: pd.DataFrame | None = None, **data: Any) -> Prepared:
    section = _data(**data)
    series = ("",) if section.series is None else ("east", "west")
    scaler = prepare(section, hourly_frame(ROWS, series=series)).scaler
    return prepare_ahead(section, frame, scaler, future=future, origin="new.csv")


def _known(prepared: Prepared, column: str) -> np.ndarray:
    """The values of a known column for the steps ahead of the newest window of each series."""
    windows = prepared.windows["test"]
    newest = np.flatnonzero(np.diff(windows.run_of(np.arange(windows.count)), append=-1))
    position = prepared.table.columns.index(column)
    return prepared.table.values[windows.target_rows(newest)][:, :, position]


def test_timestamps_follow_the_newest_row_of_each_series() -> None:
    frame = hourly_frame(ROWS, series=("east", "west")).drop(index=range(ROWS - 5, ROWS))
    prepared = _ahead(frame, series="site", gap_steps=2)
    times, bounds = prepared.table.times, prepared.table.bounds
    assert times is not None
    assert bounds.tolist() == [0, 115 + 8, 115 + 8 + 120 + 8]
    assert [str(time) for time in times[bounds[1:] - 8]] == ["2024-01-05 19:00:00", "2024-01-06 00:00:00"]
    assert [str(time) for time in times[bounds[1:] - 1]] == ["2024-01-06 02:00:00", "2024-01-06 07:00:00"]


def test_the_newest_window_ends_with_the_newest_row_and_predicts_the_rows_after_the_gap() -> None:
    windows = _ahead(hourly_frame(ROWS), gap_steps=2).windows["test"]
    last = np.array([windows.count - 1])
    assert windows.input_rows(last)[0].tolist() == list(range(ROWS - 24, ROWS))
    assert windows.target_rows(last)[0].tolist() == list(range(ROWS + 2, ROWS + 8))


def test_appended_rows_hold_a_calendar_and_no_values() -> None:
    prepared = _ahead(hourly_frame(ROWS), calendar=["hour"])
    assert np.isnan(prepared.table.values[ROWS:]).all()
    np.testing.assert_allclose(prepared.matrix[:][ROWS + 6 - 6, 2:], [0, 1], atol=1e-6)  # 2024-01-06 00:00


def test_nothing_of_the_newest_inputs_is_missing() -> None:
    prepared = _ahead(hourly_frame(ROWS))
    inputs = prepared.arrays("test", np.array([prepared.windows["test"].count - 1]))
    assert [array.shape for array in inputs] == [(1, 24, 5), (1, 6, 3)]
    assert not any(np.isnan(array).any() for array in inputs)


def test_a_target_that_the_encoder_does_not_read_may_be_absent() -> None:
    frame = hourly_frame(ROWS).drop(columns="load")
    prepared = _ahead(frame, inputs=["heat"], targets=["load"])
    assert prepared.windows["test"].count > 0


def _future(frame: pd.DataFrame, first: int, rows: int) -> pd.DataFrame:
    """`heat` equal to the row's number, in rows of `frame`'s clock."""
    times = pd.date_range(frame["time"].iloc[0], periods=ROWS + 50, freq="h")[first : first + rows]
    return pd.DataFrame({"time": times, "heat": np.arange(first, first + rows, dtype=float)})


KNOWN = {"inputs": ["load"], "known_future": ["heat"], "calendar": []}


@pytest.mark.parametrize(("first", "rows"), [(ROWS, 6), (ROWS - 30, 60), (ROWS, 40)])
def test_known_values_are_found_by_their_time(first: int, rows: int) -> None:
    frame = hourly_frame(ROWS)
    future = _future(frame, first, rows).sample(frac=1, random_state=1)
    assert _known(_ahead(frame, future, **KNOWN), "heat").tolist() == [list(range(ROWS, ROWS + 6))]


def test_known_values_are_found_by_their_series() -> None:
    frame = hourly_frame(ROWS, series=("east", "west"))
    east, west = _future(frame, ROWS, 6).assign(site="east"), _future(frame, ROWS, 6).assign(site="west")
    west["heat"] += 1000
    prepared = _ahead(frame, pd.concat([west, east]), series="site", **KNOWN)
    wanted = np.arange(ROWS, ROWS + 6)
    np.testing.assert_array_equal(_known(prepared, "heat"), [wanted, wanted + 1000])


def test_known_values_without_time_follow_in_the_order_of_the_rows() -> None:
    frame = hourly_frame(ROWS)
    future = pd.DataFrame({"heat": np.arange(9.0)})
    prepared = _ahead(frame, future, **KNOWN, time=None, every=None)
    assert _known(prepared, "heat").tolist() == [[0, 1, 2, 3, 4, 5]]


def _refused(frame: pd.DataFrame, future: pd.DataFrame | None, **data: Any) -> str:
    with pytest.raises(DataError) as caught:
        _ahead(frame, future, **(KNOWN | data))
    assert caught.value.code in ("missing_future_rows", "missing_cells", "missing_column")
    return str(caught.value)


def test_absent_future_values_are_asked_for_by_column_count_and_time() -> None:
    said = _refused(hourly_frame(ROWS), None)
    assert "known_future: [heat] and needs their values for the 6 steps ahead" in said
    assert "from 2024-01-06 00:00:00 on" in said
    assert "`future` (--future FILE)" in said


def test_future_rows_that_do_not_reach_far_enough_are_told_from_when_to_when() -> None:
    frame = hourly_frame(ROWS)
    assert "the future rows lack 2 of the 6 steps ahead: 2024-01-06 04:00:00 to 2024-01-06 05:00:00" in _refused(
        frame, _future(frame, ROWS, 4)
    )
    assert _refused(frame, _future(frame, ROWS, 5)).endswith("lack 1 of the 6 steps ahead: 2024-01-06 05:00:00")


def test_a_series_without_future_rows_is_named() -> None:
    frame = hourly_frame(ROWS, series=("east", "west"))
    assert "the future rows have no series west; they have east" in _refused(
        frame, _future(frame, ROWS, 6).assign(site="east"), series="site"
    )


def test_future_rows_without_time_are_counted() -> None:
    said = _refused(hourly_frame(ROWS), pd.DataFrame({"heat": np.arange(4.0)}), time=None, every=None)
    assert said == "the future rows must be 6. Received: 4"


def test_a_hole_in_the_future_rows_is_named() -> None:
    frame = hourly_frame(ROWS)
    future = _future(frame, ROWS, 6)
    future.loc[2, "heat"] = np.nan
    assert "heat: 1 missing cell, the first in row 3 (2024-01-06 02:00:00)" in _refused(frame, future)


def test_future_rows_without_the_column_are_told_which() -> None:
    frame = hourly_frame(ROWS)
    assert "the future rows lacks the column heat" in _refused(frame, _future(frame, ROWS, 6).drop(columns="heat"))


def test_too_few_rows_are_counted() -> None:
    with pytest.raises(SeriesTooShortError, match=r"new\.csv: .*newest 24 rows without a gap.*Received: 20 rows\."):
        _ahead(hourly_frame(20))


def test_a_series_with_a_gap_near_its_end_is_named_with_the_rows_after_it() -> None:
    frame = hourly_frame(ROWS, series=("east", "west")).drop(index=[ROWS + 100, ROWS + 101])
    with pytest.raises(SeriesTooShortError, match=r"Received: series west: 18 rows behind the gap from "):
        _ahead(frame, series="site", short_series="refuse")


def test_a_newest_stretch_that_cannot_be_filled_is_not_passed_over() -> None:
    frame = hourly_frame(ROWS).drop(index=range(70, 75))
    frame.loc[75:, "heat"] = np.nan
    with pytest.raises(SeriesTooShortError, match="Received: 0 rows"):
        _ahead(frame, missing="interpolate")
