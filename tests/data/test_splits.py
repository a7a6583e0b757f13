"""Train, val and test by time, and filling that never looks ahead."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit.data.tables.splits import (
    CALIBRATION,
    PARTS,
    Split,
    expanding_folds,
    fill_missing,
    rows_of_part,
    split_by_time,
    split_from_end,
    whole,
)
from seq2seq_kit.data.tables.table import Table, read_table
from seq2seq_kit.errors import ArgumentError, DataError

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
    return Split(np.array([[0, train, train, val, len(table.values)]]))


def _filled(table: Table, method: str, *, train: int = 4, val: int = 7) -> list[list[float]]:
    filled = fill_missing(table, _split(table, train, val), method=method)
    return filled.values[:].T.tolist()


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
    with pytest.raises(DataError, match=r"5 \+ 2 \+ 4 = 11 rows .* west has 10\.") as caught:
        split_by_time(table, train=5, val=2, test=4)
    assert caught.value.code == "too_few_rows"


def test_rows_from_the_end_count_from_the_newest_row_of_each_series() -> None:
    table = _table(list(range(30)), series=["east"] * 20 + ["west"] * 10)
    split = split_from_end(table, [2, 1, 3])
    assert split.rows("train").tolist() == [[0, 14], [20, 24]]
    assert split.rows("val").tolist() == [[14, 16], [24, 26]]
    assert split.rows(CALIBRATION).tolist() == [[16, 17], [26, 27]]
    assert split.rows("test").tolist() == [[17, 20], [27, 30]]
    no_test = split_from_end(table, [4, 0, 0])
    assert no_test.rows("val").tolist() == [[16, 20], [26, 30]]
    assert no_test.rows("test").tolist() == [[20, 20], [30, 30]]


def test_a_series_without_a_row_before_those_from_the_end_is_refused_or_left_out() -> None:
    table = _table(list(range(30)), series=["east"] * 20 + ["west"] * 10)
    with pytest.raises(DataError, match=r"6 \+ 4 = 10 rows at the end .* west has 10\.") as caught:
        split_from_end(table, [6, 0, 4])
    assert caught.value.code == "too_few_rows"
    left = split_from_end(table, [6, 0, 4], leave_out=True)
    assert [left.rows(part).tolist() for part in PARTS] == [
        [[0, 10], [20, 20]],
        [[10, 16], [20, 20]],
        [[16, 20], [20, 20]],
    ]
    with pytest.raises(DataError, match="has 20"):
        split_from_end(table, [20, 0, 4], leave_out=True)


@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=5), val=st.integers(1, 20), test=st.integers(0, 20))
def test_a_series_of_its_own_is_divided_as_among_others(lengths: list[int], val: int, test: int) -> None:
    names = [f"s{number}" for number, length in enumerate(lengths) for _ in range(length)]
    table = _table([0.0] * sum(lengths), series=names)
    if max(lengths) <= val + test:
        return
    split = split_from_end(table, [val, 0, test], leave_out=True)
    for series, (length, first) in enumerate(zip(lengths, table.bounds[:-1], strict=True)):
        parts = [np.diff(split.rows(part)[series])[0] for part in PARTS]
        assert parts == ([length - val - test, val, test] if length > val + test else [0, 0, 0])
        assert split.rows("train")[series, 0] == first


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


def _two_series() -> Split:
    """100 rows and 60, with 20 and 10 of them val and 20 and 10 test."""
    return Split(np.array([[0, 60, 60, 80, 100], [100, 140, 140, 150, 160]]))


def test_each_fold_trains_on_all_rows_up_to_a_gap_before_its_block() -> None:
    folds = expanding_folds(_two_series(), 3, gap=5)
    assert [fold.rows("train").tolist() for fold in folds] == [
        [[0, 15], [100, 115]],
        [[0, 35], [100, 125]],
        [[0, 55], [100, 135]],
    ]
    assert [fold.rows("val").tolist() for fold in folds] == [
        [[20, 40], [120, 130]],
        [[40, 60], [130, 140]],
        [[60, 80], [140, 150]],
    ]


@given(
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=4),
    val=st.floats(0.01, 0.3),
    test=st.floats(0.01, 0.3),
    count=st.integers(1, 6),
    gap=st.integers(0, 60),
)
def test_folds_are_disjoint_and_in_time_order_with_a_gap_and_hold_no_test_row(
    lengths: list[int], val: float, test: float, count: int, gap: int
) -> None:
    names = [f"s{number}" for number, length in enumerate(lengths) for _ in range(length)]
    split = split_by_time(_table([0.0] * len(names), series=names), val=val, test=test)
    try:
        folds = expanding_folds(split, count, gap=gap)
    except DataError:
        assert (
            (split.rows("val")[:, 0] - (count - 1) * np.diff(split.rows("val"))[:, 0] - gap) <= split.edges[:, 0]
        ).all()
        return
    assert len(folds) == count
    for series, (first, _, val_first, test_first, _) in enumerate(split.edges):
        block_end = first
        for fold in folds:
            (begin, stop), (block_first, end) = fold.rows("train")[series], fold.rows("val")[series]
            assert begin == first
            assert np.diff(fold.rows("test")[series]) == 0
            assert end <= test_first
            if stop == first:  # too short for this one
                assert block_first == end
                continue
            assert stop == block_first - gap
            assert end - block_first == test_first - val_first
            assert block_first >= block_end
            block_end = end
        if folds[-1].rows("train")[series, 1] > first:
            assert folds[-1].rows("val")[series].tolist() == [val_first, test_first]


def test_a_series_too_short_for_a_fold_has_no_part_in_it() -> None:
    first, last = expanding_folds(_two_series(), 2, gap=30)
    assert first.rows("train").tolist() == [[0, 10], [100, 100]]
    assert first.rows("val").tolist() == [[40, 60], [100, 100]]
    assert last.rows("val").tolist() == [[60, 80], [140, 150]]


def test_more_folds_than_there_are_rows_for_are_refused_with_figures() -> None:
    with pytest.raises(
        DataError,
        match=r"cells\.csv: fold 1 of 4 has no row to train on\. Expected: more than 61 rows before the val rows "
        r"\(3 blocks of 20 and a gap of 1\)\. Received: 60\. Use fewer folds",
    ):
        expanding_folds(Split(np.array([[0, 60, 60, 80, 100]])), 4, gap=1, origin="cells.csv")
    with pytest.raises(DataError, match=r"fold 1 of 1 .* more than 60 rows before the val rows \(a gap of 60\)"):
        expanding_folds(Split(np.array([[0, 60, 60, 80, 100]])), 1, gap=60)


@pytest.mark.parametrize("count", [0, -1, 2.0, True])
def test_a_number_of_folds_that_is_none_is_refused(count: int) -> None:
    with pytest.raises(ArgumentError, match=f"at least 1. Received: count={count}"):
        expanding_folds(_two_series(), count, gap=5)


def test_joined_train_rows_reach_to_the_end_of_val() -> None:
    joined = _two_series().joined()
    assert joined.rows("train").tolist() == [[0, 80], [100, 150]]
    for part in ("val", "test"):
        assert joined.rows(part).tolist() == _two_series().rows(part).tolist()


@pytest.mark.parametrize("method", ["interpolate", "ffill"])
def test_a_fold_is_filled_without_the_rows_behind_it_and_train_ends_before_what_the_gap_closes(method: str) -> None:
    cells = [0.0, 2.0, NAN, NAN, 8.0, NAN, NAN, 20.0, NAN, NAN, 99.0, 99.0]
    fold = Split(np.array([[0, 3, 6, 9, 9]]))  # train 0-2, gap 3-5, val 6-8
    filled = fill_missing(_table(cells), fold, method=method)
    middle = [2, 4, 6, 8, 12, 16, 20] if method == "interpolate" else [2, 2, 2, 8, 8, 8, 20]
    np.testing.assert_array_equal(filled.values[:, 0], [0, *middle, 20, NAN, 99, 99])
    assert rows_of_part(filled, fold, "train").tolist() == [[0, 2 if method == "interpolate" else 3]]
    assert rows_of_part(filled, fold, "val").tolist() == [[6, 9]]


def test_joined_train_rows_are_filled_across_the_border_before_val() -> None:
    split = Split(np.array([[0, 3, 3, 6, 8]])).joined()
    filled = fill_missing(_table([0.0, 2.0, NAN, NAN, 8.0, NAN, 9.0, 9.0]), split, method="interpolate")
    assert filled.values[:, 0].tolist() == [0, 2, 4, 6, 8, 8.5, 9, 9]
    assert rows_of_part(filled, split, "train").tolist() == [[0, 5]]


def test_interpolation_is_linear_inside_a_part() -> None:
    assert _filled(_table([0.0, NAN, NAN, 3.0, 4.0, NAN, 8.0, 8.0, 8.0, 8.0]), "interpolate") == [
        [0, 1, 2, 3, 4, 6, 8, 8, 8, 8]
    ]


def test_ffill_repeats_the_last_known_value() -> None:
    assert _filled(_table([0.0, NAN, NAN, 3.0, 4.0, NAN, 8.0, NAN, 9.0, NAN]), "ffill") == [
        [0, 0, 0, 3, 4, 4, 8, 8, 9, 9]
    ]


def test_a_part_ends_before_what_was_interpolated_towards_a_later_one() -> None:
    # Rows 3 | 4 and 6 | 7 are borders: a hole is a line across one, as it is for who predicts, and no target before it.
    table = _table([0.0, 2.0, NAN, NAN, NAN, 8.0, NAN, NAN, 11.0, NAN], [1.0] * 3 + [NAN] + [1.0] * 6)
    split = _split(table, 4, 7)
    filled = fill_missing(table, split, method="interpolate")
    assert filled.values[:, 0].tolist() == [0, 2, 3.5, 5, 6.5, 8, 9, 10, 11, 11]
    assert [rows_of_part(filled, split, part).tolist() for part in PARTS] == [[[0, 2]], [[4, 6]], [[7, 10]]]


def test_a_part_that_is_one_hole_has_no_targets_and_one_that_is_never_closed_all() -> None:
    closed, open_ended = _table([0.0, 1.0, NAN, NAN, 4.0, 5.0]), _table([0.0, 1.0, NAN, NAN, NAN, NAN])
    split = Split(np.array([[0, 2, 2, 4, 6]]))
    found = [fill_missing(table, split, method="interpolate") for table in (closed, open_ended)]
    assert [rows_of_part(filled, split, "val").tolist() for filled in found] == [[[2, 2]], [[2, 4]]]


def test_each_series_ends_before_its_own_hole() -> None:
    table = _table([0.0, NAN, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], series=["east"] * 4 + ["west"] * 4)
    split = Split(np.array([[0, 2, 2, 3, 4], [4, 6, 6, 7, 8]]))
    filled = fill_missing(table, split, method="interpolate")
    assert rows_of_part(filled, split, "train").tolist() == [[0, 1], [4, 6]]


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
    assert filled.values[2:4, 0].tolist() == ([7, 8] if method == "interpolate" else [6, 6])


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


@pytest.mark.slow
@settings(deadline=None)
@given(
    cells=st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=6, max_size=30),
    later=st.lists(st.one_of(st.none(), st.integers(100, 900)), min_size=30, max_size=30),
    method=st.sampled_from(["interpolate", "ffill"]),
)
def test_rows_that_may_be_targets_do_not_depend_on_later_parts(
    cells: list[int | None], later: list[int | None], method: str
) -> None:
    column = [1.0, *(NAN if cell is None else float(cell) for cell in cells)]
    changed = [NAN if cell is None else float(cell) for cell in later[: len(column)]]
    train, val = len(column) // 2, len(column) * 3 // 4
    for part, border in (("val", val), ("train", train)):
        ends, values = [], []
        for rows in (column, column[:border] + changed[border:]):
            table = _table(rows)
            split = _split(table, train, val)
            filled = fill_missing(table, split, method=method)
            first, end = rows_of_part(filled, split, part)[0]
            ends.append(int(end))
            values.append(filled.values[:, 0])
            assert not np.isnan(values[-1]).any()
            assert np.isnan(rows[ends[-1] : border]).all()
        np.testing.assert_array_equal(values[0][first : min(ends)], values[1][first : min(ends)])
