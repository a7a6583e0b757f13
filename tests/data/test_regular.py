"""Rows that do not fit the step: joined, put onto the grid, added."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.tables.regular import Treatment
from seq2seq_kit.data.tables.table import Table, read_table
from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.errors import DataError


def table(times: list[str], values: list[float], every: str = "1h", **named: Any) -> Table:
    keys = {key: named.pop(key) for key in ("duplicates", "resample", "gaps") if key in named}
    frame = pd.DataFrame({"t": times, "x": values})
    return read_table(frame, columns=["x"], time="t", every=every, treatment=Treatment(**keys), **named)


TWICE = ["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 01:00", "2024-01-01 02:00"]


@pytest.mark.parametrize(("how", "joined"), [("first", 2), ("last", 4), ("mean", 3), ("sum", 6)])
def test_rows_of_one_timestamp_are_joined_as_the_recipe_says(how: str, joined: float) -> None:
    found = table(TWICE, [1, 2, 4, 8], duplicates=how)
    assert found.values[:, 0].tolist() == [1, joined, 8]
    assert found.row_numbers.tolist() == [1, 2 if how == "first" else 3, 4]
    assert any("1 row with the timestamp of the row before" in note for note in found.notes)


def test_without_a_word_of_them_duplicates_are_refused_with_the_key() -> None:
    with pytest.raises(DataError, match=r"row 2 .* and row 3 have the same timestamp.* data\.duplicates") as error:
        table(TWICE, [1, 2, 4, 8])
    assert error.value.code == "duplicate_timestamp"


def test_unsorted_duplicates_keep_the_order_of_the_file() -> None:
    shuffled = [TWICE[3], TWICE[1], TWICE[0], TWICE[2]]
    assert table(shuffled, [8, 2, 1, 4], duplicates="first").values[:, 0].tolist() == [1, 2, 8]
    assert table(shuffled, [8, 2, 1, 4], duplicates="last").values[:, 0].tolist() == [1, 4, 8]


def test_a_missing_cell_counts_for_nothing_in_a_mean_and_a_row_is_kept_whole() -> None:
    assert table(TWICE, [1, np.nan, 4, 8], duplicates="mean").values[1, 0] == 4
    assert np.isnan(table(TWICE, [1, np.nan, np.nan, 8], duplicates="sum").values[1, 0])
    assert np.isnan(table(TWICE, [1, np.nan, 4, 8], duplicates="first").values[1, 0])


def test_an_impossible_value_gets_into_no_mean() -> None:
    assert table(TWICE, [1, 2, 9999, 8], duplicates="mean", limits={"x": [0, 10]}).values[1, 0] == 2


def test_series_are_joined_each_by_itself() -> None:
    frame = pd.DataFrame({"t": [TWICE[0]] * 3, "s": ["a", "b", "b"], "x": [1.0, 2.0, 4.0]})
    found = read_table(frame, columns=["x"], time="t", every="1h", series="s", treatment=Treatment(duplicates="sum"))
    assert found.values[:, 0].tolist() == [1, 6]
    assert found.bounds.tolist() == [0, 1, 2]


UNEVEN = ["2024-01-01 00:05", "2024-01-01 00:50", "2024-01-01 01:10", "2024-01-01 01:40", "2024-01-01 02:10"]


@pytest.mark.parametrize(("how", "steps"), [("mean", [2, 6]), ("sum", [4, 12]), ("last", [3, 8])])
def test_a_step_is_named_by_its_beginning_and_the_last_one_is_left_out_until_it_is_complete(
    how: str, steps: list[float]
) -> None:
    found = table(UNEVEN, [1, 3, 4, 8, 100], resample=how)
    assert [str(time) for time in found.times] == ["2024-01-01 00:00:00", "2024-01-01 01:00:00"]  # type: ignore[union-attr]
    assert found.values[:, 0].tolist() == steps
    assert any("(2024-01-01 02:00:00) is not complete yet and was left out" in note for note in found.notes)


def test_a_later_row_changes_no_step_before_it() -> None:
    known = table(UNEVEN, [1, 3, 4, 8, 100], resample="mean").values[:]
    later = table([*UNEVEN, "2024-01-01 03:30"], [1, 3, 4, 8, 100, -100], resample="mean").values[:]
    assert later[: len(known)].tolist() == known.tolist()


def test_rows_at_an_even_pace_complete_their_last_step() -> None:
    times = [str(time) for time in pd.date_range("2024-01-01", periods=8, freq="15min")]
    assert table(times, list(range(8)), resample="mean").values[:, 0].tolist() == [1.5, 5.5]
    assert table(times[:-1], list(range(7)), resample="mean").values[:, 0].tolist() == [1.5]
    hours = [str(time) for time in pd.date_range("2024-01-01", periods=3, freq="h")]
    assert table(hours, [1, 2, 3], resample="mean").values[:, 0].tolist() == [1, 2, 3]


def test_the_last_known_value_of_a_step_is_taken_by_column() -> None:
    frame = pd.DataFrame({"t": UNEVEN[:3], "x": [1.0, np.nan, 3.0], "y": [np.nan, 5.0, 6.0]})
    found = read_table(frame, columns=["x", "y"], time="t", every="1h", treatment=Treatment(resample="last"))
    assert found.values[:1].tolist() == [[1, 5]]


def test_the_grid_does_not_depend_on_where_the_rows_begin() -> None:
    whole = table(UNEVEN, [1, 3, 4, 8, 100], resample="mean")
    part = table(UNEVEN[2:], [4, 8, 100], resample="mean")
    assert whole.times is not None
    assert part.times is not None
    assert part.times[0] == whole.times[1]


@pytest.mark.parametrize(
    ("every", "time", "begins"),
    [
        ("15min", "2024-05-08 13:44:59", "2024-05-08 13:30"),
        ("6h", "2024-05-08 13:44", "2024-05-08 12:00"),
        ("1d", "2024-05-08 13:44", "2024-05-08"),
        ("1w", "2024-05-08 13:44", "2024-05-06"),
        ("1mo", "2024-05-08", "2024-05-01"),
        ("3mo", "2024-05-08", "2024-04-01"),
        ("1y", "2024-05-08", "2024-01-01"),
        ("1bd", "2024-05-12 12:00", "2024-05-10"),
        ("1mo", "1969-12-08", "1969-12-01"),
    ],
)
def test_a_step_begins_where_the_clock_says(every: str, time: str, begins: str) -> None:
    assert Every.parse(every).floor(pd.DatetimeIndex([time])).tolist() == [pd.Timestamp(begins)]


def test_days_of_23_and_25_hours_are_steps() -> None:
    for day in ("2024-03-31", "2024-10-27"):
        times = pd.date_range(f"{day} 00:00", periods=30, freq="h", tz="Europe/Berlin")
        starts = Every.parse("1d").floor(times)
        assert starts.unique().tolist() == list(pd.date_range(day, periods=2, tz="Europe/Berlin"))
        hours = Every.parse("1h").floor(times + pd.Timedelta("7min"))
        assert hours.equals(times)


def test_absent_rows_become_rows_of_missing_cells() -> None:
    found = table(["2024-01-01 00:00", "2024-01-01 03:00"], [1, 4], gaps="fill")
    assert np.isnan(found.values[:, 0]).tolist() == [False, True, True, False]
    assert found.segments.tolist() == [[0, 4, 0]]
    assert found.row_numbers.tolist() == [1, 0, 0, 2]
    assert found.where(1) == "a row that was added (2024-01-01 01:00:00)"
    assert not any("no window crosses" in note for note in found.notes)


@pytest.mark.parametrize(
    ("every", "freq"), [("1mo", "ME"), ("3mo", "QE"), ("1w", "W-FRI"), ("1w", "W-SUN"), ("1bd", "B"), ("1d", "D")]
)
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_the_rows_that_are_added_are_those_that_were_taken_out(every: str, freq: str, zone: str | None) -> None:
    whole = pd.date_range("2024-01-01", periods=40, freq=freq, tz=zone)
    kept = np.delete(np.arange(40), [3, 4, 11, 20])
    frame = pd.DataFrame({"t": whole[kept], "x": 1.0})
    found = read_table(frame, columns=["x"], time="t", every=every, treatment=Treatment(gaps="fill"))
    assert found.times is not None
    assert list(found.times[:]) == list(whole)


def test_a_gap_that_no_memory_holds_is_refused() -> None:
    with pytest.raises(DataError, match="fill would add") as error:
        table(["1970-01-01 00:00:00", "2024-01-01 00:00:00"], [1, 2], every="1s", gaps="fill")
    assert error.value.code == "too_many_gaps"


def test_rows_are_steps_whatever_the_clock_says() -> None:
    times = ["2024-01-05 17:29", "2024-01-08 09:00", "2024-01-08 09:00", "2024-01-08 09:07"]
    found = table(times, [1, 2, 3, 4], every="rows")
    assert found.segments.tolist() == [[0, 4, 0]]
    assert found.every is None
    assert found.times is not None
    assert len(found.times) == 4


@pytest.mark.parametrize(
    "zone", ["Asia/Shanghai", "Asia/Kolkata", "Europe/Madrid", "America/Sao_Paulo", "Europe/Berlin"]
)
def test_the_grid_is_that_of_standard_time(zone: str) -> None:
    at = pd.date_range("2024-03-01", periods=600, freq="10min", tz=zone)
    starts = Every.parse("1h").floor(at)
    assert (starts == at.floor("h") if at[0].utcoffset().total_seconds() % 3600 == 0 else starts.minute == 0).all()  # type: ignore[union-attr]
    summer = pd.date_range("2024-07-01", periods=100, freq="h", tz="Europe/Berlin")
    assert set(Every.parse("6h").floor(summer).hour) == {1, 7, 13, 19}
