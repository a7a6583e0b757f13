"""Windows as row numbers: where they lie, for any shape, gap, series, part and stride."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_kit.data.windows.ranges import Windows, WindowShape, make_windows

ONE = np.array([[0, 120, 0]])


def _shape(input_steps: int, output_steps: int, gap_steps: int) -> WindowShape:
    return WindowShape.forecast(input_steps=input_steps, output_steps=output_steps, gap_steps=gap_steps)


@st.composite
def _layouts(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Segments of a few series, and the rows of one part of each."""
    segments, parts, row = [], [], 0
    for series in range(draw(st.integers(1, 3))):
        begin = row
        for length in draw(st.lists(st.integers(1, 30), min_size=1, max_size=3)):
            segments.append((row, row + length, series))
            row += length
        edges = sorted(draw(st.tuples(st.integers(begin, row), st.integers(begin, row))))
        parts.append(edges)
    return np.array(segments), np.array(parts)


SHAPES = st.one_of(
    st.builds(_shape, st.integers(1, 6), st.integers(1, 4), st.integers(0, 3)),
    st.builds(lambda steps: WindowShape.autoencode(input_steps=steps), st.integers(1, 6)),
)


def _naive(segments: np.ndarray, part: np.ndarray, shape: WindowShape) -> list[int]:
    """First rows of all windows, found by trying each row."""
    found = []
    for first, end, series in segments:
        for start in range(first, end):
            targets = range(start + shape.target_offset, start + shape.target_offset + shape.output_steps)
            inside = start + shape.input_steps <= end and targets[-1] < end
            if inside and part[series][0] <= targets[0] and targets[-1] < part[series][1]:
                found.append(start)
    return found


@given(layout=_layouts(), shape=SHAPES)
def test_windows_are_those_that_trying_every_row_finds(
    layout: tuple[np.ndarray, np.ndarray], shape: WindowShape
) -> None:
    segments, part = layout
    assert make_windows(segments, part, shape).starts().tolist() == _naive(segments, part, shape)


@given(layout=_layouts(), shape=SHAPES, stride=st.integers(1, 5))
def test_no_window_crosses_a_gap_a_series_or_a_border_with_its_targets(
    layout: tuple[np.ndarray, np.ndarray], shape: WindowShape, stride: int
) -> None:
    segments, part = layout
    windows = make_windows(segments, part, shape, stride=stride)
    stretch = np.empty(segments[-1, 1], dtype=int)
    for number, (first, end, _) in enumerate(segments):
        stretch[first:end] = number
    rows = np.concatenate([windows.input_rows(), windows.target_rows()], axis=1)
    assert (np.ptp(stretch[rows], axis=1) == 0).all()
    series = windows.series[windows.run_of(np.arange(windows.count))]
    assert (segments[stretch[rows[:, 0]], 2] == series).all()
    targets = windows.target_rows()
    assert (targets >= part[series][:, :1]).all()
    assert (targets < part[series][:, 1:]).all()


@given(layout=_layouts(), shape=SHAPES, stride=st.integers(1, 5))
def test_a_stride_takes_every_nth_window_of_each_stretch(
    layout: tuple[np.ndarray, np.ndarray], shape: WindowShape, stride: int
) -> None:
    segments, part = layout
    wanted: list[int] = []
    for segment in segments:
        wanted += make_windows(segment[None], part, shape).starts().tolist()[::stride]
    assert make_windows(segments, part, shape, stride=stride).starts().tolist() == wanted


def test_targets_start_after_the_inputs_and_the_gap() -> None:
    windows = make_windows(ONE, ONE[:, :2], _shape(10, 3, 2))
    assert windows.input_rows()[0].tolist() == list(range(10))
    assert windows.target_rows()[0].tolist() == [12, 13, 14]
    assert windows.count == 120 - 15 + 1


def test_an_autoencoder_predicts_the_rows_it_reads() -> None:
    windows = make_windows(ONE, ONE[:, :2], WindowShape.autoencode(input_steps=24))
    np.testing.assert_array_equal(windows.input_rows(), windows.target_rows())
    assert windows.count == 120 - 24 + 1


def test_inputs_of_a_later_part_may_look_back_over_its_border() -> None:
    windows = make_windows(ONE, np.array([[100, 120]]), _shape(10, 3, 0))
    assert windows.input_rows()[0].tolist() == list(range(90, 100))
    assert windows.target_rows()[0, 0] == 100
    assert windows.target_rows()[-1, -1] == 119


def test_an_autoencoder_does_not_look_back() -> None:
    windows = make_windows(ONE, np.array([[60, 120]]), WindowShape.autoencode(input_steps=24))
    assert windows.starts().tolist() == list(range(60, 97))


def test_nothing_fits_where_a_window_is_longer_than_the_rows() -> None:
    windows = make_windows(ONE, ONE[:, :2], _shape(118, 3, 0))
    assert windows.count == 0
    assert windows.starts().shape == (0,)
    assert windows.input_rows().shape == (0, 118)


def test_some_windows_can_be_asked_for_in_any_order() -> None:
    windows = make_windows(np.array([[0, 20, 0], [30, 50, 1]]), np.array([[0, 20], [30, 50]]), _shape(5, 1, 0))
    assert windows.starts(np.array([29, 0, 15, 14])).tolist() == [44, 0, 30, 14]
    assert windows.run_of(np.array([14, 15])).tolist() == [0, 1]


@pytest.mark.parametrize("most", [1, 2, 7, 110, 1000])
def test_an_even_selection_spans_all_windows_without_repetition(most: int) -> None:
    windows: Windows = make_windows(ONE, ONE[:, :2], _shape(10, 1, 0))
    chosen = windows.evenly(most)
    assert len(chosen) == len(set(chosen.tolist())) == min(most, 110)
    assert chosen[0] == 0
    assert most == 1 or chosen[-1] == 109


def test_a_barred_row_is_never_the_newest_input() -> None:
    shape = WindowShape.forecast(input_steps=3, output_steps=2)
    barred = np.zeros(20, dtype=bool)
    barred[[4, 5, 11]] = True
    free = make_windows(np.array([[0, 20, 0]]), np.array([[0, 20]]), shape).starts()
    kept = make_windows(np.array([[0, 20, 0]]), np.array([[0, 20]]), shape, barred=barred)
    assert kept.starts().tolist() == [start for start in free if start + 2 not in (4, 5, 11)]
    every_other = make_windows(np.array([[0, 20, 0]]), np.array([[0, 20]]), shape, stride=2, barred=barred)
    assert every_other.starts().tolist() == [start for start in free[::2] if start + 2 not in (4, 5, 11)]
