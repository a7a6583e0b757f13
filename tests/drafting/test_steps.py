"""The step of a clock."""

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.drafting.steps import find_step


def every_of(times: pd.DatetimeIndex) -> str | None:
    found = find_step(times, np.zeros(len(times), dtype=np.int64)).every
    return found.text if found else None


@pytest.mark.parametrize(
    ("freq", "text"),
    [
        ("5s", "5s"),
        ("15min", "15min"),
        ("90min", "90min"),
        ("h", "1h"),
        ("D", "1d"),
        ("B", "1bd"),
        ("W-THU", "1w"),
        ("2W-MON", "2w"),
        ("MS", "1mo"),
        ("ME", "1mo"),
        ("QS", "3mo"),
        ("YS", "1y"),
    ],
)
def test_a_step_is_told_from_the_times(freq: str, text: str) -> None:
    assert every_of(pd.date_range("2015-01-01", periods=60, freq=freq)) == text


def test_absent_rows_are_counted() -> None:
    times = pd.date_range("2020-01-01", periods=100, freq="h").delete([20, 21, 50])
    found = find_step(times, np.zeros(len(times), dtype=np.int64))
    assert found.every is not None
    assert (found.every.text, found.gaps, found.absent) == ("1h", 2, 3)


def test_series_with_clocks_of_their_own_share_a_step() -> None:
    one = pd.date_range("2020-01-01", periods=50, freq="h")
    both = pd.DatetimeIndex([*one, *(one + pd.Timedelta(minutes=7))])
    assert find_step(both, np.repeat([0, 1], 50)).every.text == "1h"  # type: ignore[union-attr]


def test_uneven_rows_have_no_step_of_their_own() -> None:
    rng = np.random.default_rng(0)
    times = pd.DatetimeIndex(
        pd.Timestamp("2023-01-01") + pd.to_timedelta(np.cumsum(rng.exponential(60, 500)), unit="s")
    )
    codes = np.zeros(500, dtype=np.int64)
    assert find_step(times, codes).every is None
    found = find_step(times, codes, resample=True)
    assert found.resampled
    assert found.every is not None
    assert found.every.text == "5min"


def test_a_clock_that_mostly_stands_still_and_one_too_fast_for_a_key_count_rows() -> None:
    days = pd.date_range("2024-01-01", periods=20, freq="B")
    trading = pd.DatetimeIndex([day + pd.Timedelta(hours=9, minutes=15 * n) for day in days for n in range(28)])
    fast = pd.date_range("2024-01-01", periods=200, freq="10ms")
    for times in (trading, fast):
        found = find_step(times, np.zeros(len(times), dtype=np.int64), resample=True)
        assert found.by_rows
        assert found.every is None


def test_rows_that_come_a_little_late_keep_their_step() -> None:
    rng = np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=600, freq="15min") + pd.to_timedelta(rng.integers(0, 40, 600), unit="s")
    found = find_step(times, np.zeros(600, dtype=np.int64), resample=True)
    assert found.every is not None
    assert (found.every.text, found.resampled) == ("15min", True)


def test_even_rows_that_no_step_says_are_not_called_uneven() -> None:
    times = pd.date_range("2024-01-01", periods=20, freq="500ms")
    found = find_step(times, np.zeros(20, dtype=np.int64), resample=True)
    assert found.by_rows
    assert found.apart == "rows are 0.5 s apart, which `every` cannot say"
