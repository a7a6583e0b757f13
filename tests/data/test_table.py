"""A frame put in order: what is wrong with a cell, a column or a timestamp is named with its row."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.data.tables.table import Table, apply_limits, read_table, refuse_huge, refuse_missing
from seq2seq_kit.errors import DataError
from tests.conftest import hourly_frame


def _table(frame: pd.DataFrame, *, series: str | None = None, every: str | None = "1h") -> Table:
    return read_table(
        frame, columns=["load", "heat"], time="time" if every else None, every=every, series=series, origin="hours.csv"
    )


def _with(column: str, rows: Any, value: Any) -> pd.DataFrame:
    frame = hourly_frame(20)
    frame[column] = frame[column].astype(object)
    frame.loc[rows, column] = value
    return frame


def _refused(frame: pd.DataFrame, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        _table(frame, **options)
    return str(caught.value)


def test_values_keep_their_order_and_their_row_numbers() -> None:
    frame = hourly_frame(20)
    table = _table(frame)
    np.testing.assert_array_equal(table.values, frame[["load", "heat"]].to_numpy())
    np.testing.assert_array_equal(table.row_numbers, np.arange(1, 21))
    assert table.segments.tolist() == [[0, 20, 0]]
    assert table.notes == []


def test_numbers_written_as_text_are_numbers() -> None:
    assert _table(_with("load", 3, " 12.5")).values[3, 0] == 12.5


def test_a_header_without_rows_says_so() -> None:
    assert _refused(hourly_frame(20).head(0)) == "hours.csv has a header and no rows; expected rows below the header"


def test_a_text_cell_is_named_with_row_column_and_value() -> None:
    said = _refused(_with("load", 7, "n/a?"))
    assert said.startswith("hours.csv, row 8, column load: expected a number. Received: 'n/a?'. Correct the cell")


def test_further_text_cells_are_counted() -> None:
    assert "row 8, column load: expected a number. Received: '1,5' (and 2 more such cells)" in _refused(
        _with("load", [7, 9, 11], "1,5")
    )


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_value_is_named(value: float) -> None:
    said = _refused(_with("heat", 4, value).astype({"heat": float}))
    assert f"hours.csv, row 5, column heat: expected a finite number. Received: {value}" in said


def test_timestamps_among_the_numbers_are_refused() -> None:
    frame = hourly_frame(20)
    assert "column heat: expected numbers. Received timestamps such as 2024-01-01" in _refused(
        frame.assign(heat=frame["time"])
    )


def test_absent_columns_are_named_beside_what_is_there() -> None:
    said = _refused(hourly_frame(20).rename(columns={"load": "lod", "heat": "het"}))
    assert said.startswith("hours.csv lacks the columns load, heat. It also has lod, het;")


def test_a_column_named_twice_in_a_frame_is_refused() -> None:
    twins = hourly_frame(20).assign(other=1.0).rename(columns={"other": "load"})
    assert "names the column load more than once" in _refused(twins)


def test_a_column_named_twice_that_nobody_asks_for_is_left_alone() -> None:
    twins = hourly_frame(20).assign(a=1.0, b=2.0).rename(columns={"b": "a"})
    assert _table(twins).columns == ["load", "heat"]


def test_unsorted_rows_are_sorted_with_a_note() -> None:
    frame = hourly_frame(50)
    shuffled = frame.sample(frac=1, random_state=0)
    table = _table(shuffled)
    np.testing.assert_array_equal(table.values, _table(frame).values)
    assert table.notes == ["hours.csv was not sorted by time; the rows were sorted"]
    np.testing.assert_array_equal(shuffled["load"].to_numpy()[table.row_numbers - 1], frame["load"])


def test_interleaved_series_are_taken_apart() -> None:
    frame = hourly_frame(30, series=("east", "west"))
    mixed = frame.sort_values("time", kind="stable")
    table = _table(mixed, series="site")
    assert table.series == ["east", "west"]
    assert table.bounds.tolist() == [0, 30, 60]
    np.testing.assert_array_equal(table.values, frame[["load", "heat"]].to_numpy())
    assert table.notes == ["hours.csv was not sorted by site and time; the rows were sorted"]


def test_series_without_time_keep_the_order_of_their_rows() -> None:
    frame = hourly_frame(30, series=("east", "west"))
    mixed = pd.concat([frame.iloc[30:40], frame.iloc[:30], frame.iloc[40:]])
    table = read_table(mixed, columns=["load"], series="site")
    assert table.series == ["west", "east"]
    np.testing.assert_array_equal(table.values[:, 0], [*frame["load"][30:], *frame["load"][:30]])


def test_the_same_timestamp_twice_is_refused_with_both_rows() -> None:
    frame = hourly_frame(20)
    said = _refused(pd.concat([frame, frame.iloc[[5]]]))
    assert "row 6 (2024-01-01 05:00:00) and row 21 have the same timestamp" in said


def test_two_series_may_share_their_timestamps_if_they_are_told_apart() -> None:
    frame = hourly_frame(20, series=("east", "west"))
    assert "(20 such pairs)" in _refused(frame)
    assert len(_table(frame, series="site").segments) == 2


def test_a_row_without_a_series_is_named() -> None:
    frame = hourly_frame(20, series=("east", "west"))
    frame.loc[3, "site"] = None
    assert "hours.csv, row 4, column site: the series has no name" in _refused(frame, series="site")


def test_gaps_cut_a_series_and_are_noted() -> None:
    table = _table(hourly_frame(20).drop(index=[4, 5, 12]))
    assert table.segments.tolist() == [[0, 4, 0], [4, 10, 0], [10, 17, 0]]
    assert table.notes == ["2 gaps in time; no window crosses one"]


def test_a_gap_of_one_series_leaves_the_other_whole() -> None:
    table = _table(hourly_frame(20, series=("east", "west")).drop(index=5), series="site")
    assert table.segments.tolist() == [[0, 5, 0], [5, 19, 0], [19, 39, 1]]
    assert table.notes == ["1 gap in time; no window crosses one"]


def test_a_timestamp_off_the_grid_is_named_with_the_usual_step() -> None:
    frame = hourly_frame(20)
    frame.loc[10:, "time"] += pd.Timedelta("30min")
    said = _refused(frame)
    assert "row 11 (2024-01-01 10:30:00): the row before is at 2024-01-01 09:00:00" in said
    assert "`every: 1h` (most rows are 1 hour apart)" in said
    assert "steps of `every: 2h`" in _refused(hourly_frame(20), every="2h")


def test_a_step_shorter_than_the_rows_makes_every_row_a_stretch() -> None:
    assert len(_table(hourly_frame(20), every="15min").segments) == 20


@pytest.mark.parametrize(
    ("times", "code", "said"),
    [
        (
            list(range(20)),
            "invalid_timestamp",
            "column time: expected timestamps such as 2024-01-31 13:00. Received: 0. A column of numbers",
        ),
        (
            ["2024-01-01", "soon", *["2024-01-02"] * 18],
            "invalid_timestamp",
            "row 2, column time: .*like '2024-01-01'. Received: 'soon'",
        ),
        (
            [pd.Timestamp("2024-01-01"), None, *[pd.Timestamp("2024-01-02")] * 18],
            "invalid_timestamp",
            "row 2, column time: .*like '2024-01-01 00:00:00'. Rec",
        ),
        ([None] * 20, "invalid_timestamp", "row 1, column time: .*like '2024-01-31 13:00'. Received: None"),
        (
            [f"2024-03-31T{hour:02}:00+0{1 + (hour > 2)}:00" for hour in range(20)],
            "mixed_utc_offsets",
            r"2024-03-31T00:00\+01:00 .* 2024-03-31T19:00\+02:00",
        ),
    ],
)
def test_a_time_that_is_none_is_named(times: list[Any], code: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        _table(hourly_frame(20).assign(time=times))
    assert caught.value.code == code


def test_clocks_that_are_put_forward_leave_no_gap_where_the_zone_is_known() -> None:
    times = pd.date_range("2024-03-30", periods=48, freq="h", tz="Europe/Berlin")
    assert len(_table(hourly_frame(48).assign(time=times)).segments) == 1
    assert len(_table(hourly_frame(48).assign(time=times.tz_localize(None))).segments) == 2


def test_missing_cells_are_counted_by_column_and_the_first_is_named() -> None:
    frame = hourly_frame(20, series=("east", "west"))
    frame.loc[[27, 30], "load"] = np.nan
    frame.loc[3, "heat"] = np.nan
    with pytest.raises(DataError) as caught:
        refuse_missing(_table(frame, series="site"), ["load", "heat"], advice="Fill them")
    assert str(caught.value).splitlines() == [
        "hours.csv has missing cells:",
        "  load: 2 missing cells, the first in row 28 (series west, 2024-01-01 07:00:00)",
        "  heat: 1 missing cell, the first in row 4 (series east, 2024-01-01 03:00:00)",
        "Fill them",
    ]


def test_missing_cells_of_many_columns_are_summed_up() -> None:
    names = [f"c{number}" for number in range(8)]
    table = read_table(pd.DataFrame(np.nan, index=range(3), columns=names), columns=names)
    with pytest.raises(DataError, match="c4: 3 missing cells, the first in row 1\n  and 3 more columns\nFill"):
        refuse_missing(table, names, advice="Fill them")


def test_values_outside_the_limits_count_as_missing() -> None:
    table = apply_limits(_table(_with("load", [3, 5], 1048.0)), {"load": [0, 200], "heat": [-50, 60]})
    assert np.flatnonzero(np.isnan(table.values[:, 0])).tolist() == [3, 5]
    assert not np.isnan(table.values[:, 1]).any()
    assert table.notes == [
        "2 cells of load outside 0 to 200 count as missing, the first in row 4 (2024-01-01 03:00:00)"
    ]


def test_limits_of_an_unused_column_are_refused() -> None:
    with pytest.raises(DataError, match=r"rain.* load, heat") as caught:
        apply_limits(_table(hourly_frame(20)), {"rain": [0, 1]})
    assert caught.value.code == "unused_column"


@pytest.mark.parametrize("names", [["7", "007"], ["1", "1.0"], ["NA", "null"]])
def test_series_are_called_as_they_are_written(names: list[str]) -> None:
    table = read_table(pd.DataFrame({"s": np.repeat(names, 2), "x": [1.0, 2.0, 3.0, 4.0]}), columns=["x"], series="s")
    assert table.series == names


@pytest.mark.parametrize("names", [[1, "1"], [1, "a", "1"], ["1.5", 1.5]])
def test_names_of_two_kinds_with_one_text_are_refused(names: list[object]) -> None:
    frame = pd.DataFrame({"s": pd.Series(names, dtype=object), "x": 1.0})
    with pytest.raises(DataError, match="so it may be one name or two") as error:
        read_table(frame, columns=["x"], series="s")
    assert error.value.code == "ambiguous_name"


@pytest.mark.parametrize("cell", [1e200, -1e308])
def test_a_number_too_large_to_be_summed_is_named(cell: float) -> None:
    table = read_table(pd.DataFrame({"x": [1.0, 2.0, cell]}), columns=["x"], origin="x.csv")
    with pytest.raises(DataError, match=r"x\.csv, row 3, column x: .* too large to be summed"):
        refuse_huge(table)
