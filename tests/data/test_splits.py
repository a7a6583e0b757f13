"""Train, val and test by time, and filling that never looks ahead."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_kit.data.splits import PARTS, Split, fill_missing, split_by_time, whole
from seq2seq_kit.data.table import Table, read_table
from seq2seq_kit.errors import DataError

NAN = np.nan


def _table(*columns: list[float], gap_after: int | None = None, series: list[str] | None = None) -> Table:
    rows = len(columns[0])
    times = pd.Series(pd.date_range("2024-01-01", periods=rows, freq="h"))
    if gap_after is not None:
        times[gap_after:] += pd.Timedelta("5h")
    frame = pd.DataFrame({f"c{number}": column for number, column in enumerate(columns)})
    frame = frame.assign(time=times, site=series or "only")
    names = [f"c{number}" for number in range(len(columns))]
    return read_table(frame, columns=names, time="time", every="1h", series="site", origin="cells.csv")


def _split(table: Table, train: int, val: int) -> Split:
    assert len(table.series) == 1
    return Split(np.array([[0, train, val, len(table.values)]]))


def _filled(table: Table, method: str, *, train: int = 4, val: int = 7) -> list[list[float]]:
    filled = fill_missing(table, _split(table, train, val), method=method)
    return filled.values.T.tolist()


def test_the_newest_rows_of_each_series_are_the_test() -> None:
    table = _table(list(range(30)), series=["east"] * 20 + ["west"] * 10)
    split = split_by_time(table, val=0.2, test=0.3)
    assert split.rows("train").tolist() == [[0, 10], [20, 25]]
    assert split.rows("val").tolist() == [[10, 14], [25, 27]]
    assert split.rows("test").tolist() == [[14, 20], [27, 30]]


def test_numbers_of_rows_count_from_the_oldest_row_of_each_series() -> None:
    table = _table(list(range(30)), series=["east"] * 20 + ["west"] * 10)
    split = split_by_time(table, train=5, val=2, test=3)
    assert split.rows("train").tolist() == [[0, 5], [20, 25]]
    assert split.rows("val").tolist() == [[5, 7], [25, 27]]
    assert split.rows("test").tolist() == [[7, 10], [27, 30]]


def test_numbers_of_rows_that_a_series_does_not_have_are_refused() -> None:
    table = _table(list(range(30)), series=["east"] * 20 + ["west"] * 10)
    with pytest.raises(
        DataError, match=r"5 \+ 2 \+ 4 = 11 rows of each series, but the series west has 10\. Ask for fewer"
    ):
        split_by_time(table, train=5, val=2, test=4)


def test_rows_after_the_last_part_are_in_no_window_and_no_fill() -> None:
    table = _table([0.0, 1.0, NAN, 3.0, 4.0, NAN, 6.0, NAN, 8.0, 9.0])
    filled = fill_missing(table, split_by_time(table, train=4, val=1, test=2), method="interpolate")
    np.testing.assert_array_equal(filled.values[:, 0], [0, 1, 2, 3, 4, 5, 6, NAN, 8, 9])
    assert filled.notes == ["missing cells interpolated: c0 2 (longest stretch 1 rows)"]


@given(rows=st.integers(1, 500), val=st.floats(0.01, 0.49), test=st.floats(0.01, 0.49))
def test_parts_cover_every_row_once_in_time_order(rows: int, val: float, test: float) -> None:
    table = _table([0.0] * rows)
    split = split_by_time(table, val=val, test=test)
    covered = [row for part in PARTS for first, end in split.rows(part) for row in range(first, end)]
    assert covered == list(range(rows))
    assert abs(np.diff(split.rows("test"))[0, 0] - rows * test) <= 1


def test_new_data_is_all_test() -> None:
    split = whole(_table([0.0] * 5, series=["a", "a", "a", "b", "b"]))
    assert split.rows("test").tolist() == [[0, 3], [3, 5]]
    assert [int(np.diff(split.rows(part)).sum()) for part in ("train", "val")] == [0, 0]


def test_interpolation_is_linear_inside_a_part() -> None:
    assert _filled(_table([0.0, NAN, NAN, 3.0, 4.0, NAN, 8.0, 8.0, 8.0, 8.0]), "interpolate") == [
        [0, 1, 2, 3, 4, 6, 8, 8, 8, 8]
    ]


def test_ffill_repeats_the_last_known_value() -> None:
    assert _filled(_table([0.0, NAN, NAN, 3.0, 4.0, NAN, 8.0, NAN, 9.0, NAN]), "ffill") == [
        [0, 0, 0, 3, 4, 4, 8, 8, 9, 9]
    ]


def test_a_cell_is_not_interpolated_towards_a_later_part() -> None:
    # Rows 3 | 4 and 6 | 7 are borders: what is missing before one is carried on, what is missing after it may look back.
    cells = [0.0, 2.0, NAN, NAN, NAN, 8.0, NAN, NAN, 10.0, NAN]
    assert _filled(_table(cells), "interpolate") == [[0, 2, 2, 2, 5, 8, 8, 9, 10, 10]]


def test_rows_before_the_first_known_value_are_left_out() -> None:
    table = _table([NAN, NAN, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    filled = fill_missing(table, _split(table, 4, 6), method="interpolate")
    assert filled.segments.tolist() == [[2, 8, 0]]
    assert "2 rows before the first known value of a column were left out" in filled.notes


@pytest.mark.parametrize("method", ["interpolate", "ffill"])
def test_a_column_that_is_empty_where_another_begins_is_carried_on_from_before(method: str) -> None:
    # c1 is first known in row 2; c0 was known before it and is empty for the rest of the training rows.
    table = _table([5.0, 6.0, NAN, NAN, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0], [NAN, NAN, *[1.0] * 8])
    filled = fill_missing(table, _split(table, 4, 7), method=method)
    assert filled.segments.tolist() == [[2, 10, 0]]
    assert filled.values[2:4, 0].tolist() == [6, 6]


@pytest.mark.parametrize("method", ["interpolate", "ffill"])
def test_nothing_is_filled_across_a_gap(method: str) -> None:
    table = _table([1.0, 2.0, NAN, NAN, 50.0, 60.0, 70.0, 80.0], gap_after=3)
    filled = fill_missing(table, _split(table, 6, 7), method=method)
    assert filled.values[2, 0] == 2
    assert filled.segments.tolist() == [[0, 3, 0], [4, 8, 0]]


def test_a_stretch_without_any_known_value_is_left_out() -> None:
    table = _table([1.0, 2.0, 3.0, NAN, NAN, NAN], gap_after=3)
    assert fill_missing(table, _split(table, 4, 5), method="ffill").segments.tolist() == [[0, 3, 0]]


def test_a_column_without_any_known_value_is_refused() -> None:
    table = _table([1.0, 2.0, 3.0], [NAN] * 3)
    with pytest.raises(DataError, match=r"cells\.csv: no row has a known value in every column"):
        fill_missing(table, _split(table, 1, 2), method="ffill")


def test_what_was_filled_is_noted_by_column_with_the_longest_stretch() -> None:
    table = _table([0.0, NAN, NAN, 3.0, NAN, 5.0], [0.0, 1.0, 2.0, 3.0, NAN, 5.0])
    notes = fill_missing(table, _split(table, 4, 5), method="interpolate").notes
    assert notes == ["missing cells interpolated: c0 3, c1 1 (longest stretch 2 rows)"]


def test_the_table_that_was_filled_is_not_changed() -> None:
    table = _table([0.0, NAN, 2.0])
    fill_missing(table, _split(table, 1, 2), method="ffill")
    assert np.isnan(table.values[1, 0])


@given(
    cells=st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=6, max_size=30),
    later=st.lists(st.one_of(st.none(), st.integers(100, 900)), min_size=30, max_size=30),
    method=st.sampled_from(["interpolate", "ffill"]),
)
def test_filled_cells_do_not_depend_on_later_parts(
    cells: list[int | None], later: list[int | None], method: str
) -> None:
    column = [1.0, *(NAN if cell is None else float(cell) for cell in cells)]
    changed = [NAN if cell is None else float(cell) for cell in later[: len(column)]]
    train, val = len(column) // 2, len(column) * 3 // 4
    before = _filled(_table(column), method, train=train, val=val)[0]
    after_test = _filled(_table(column[:val] + changed[val:]), method, train=train, val=val)[0]
    after_val = _filled(_table(column[:train] + changed[train:]), method, train=train, val=val)[0]
    assert before[:val] == after_test[:val]
    assert before[:train] == after_val[:train]
    assert not np.isnan(before).any()
