"""Origins, fits and arguments of a backtest."""

from typing import Any

import pytest

from seq2seq_kit.backtests.schedule import Schedule
from seq2seq_kit.errors import ArgumentError


def schedule(windows: Any = 7, stride: Any = 3, refit: Any = 3, rolling: Any = None, gap: Any = 0) -> Schedule:
    return Schedule.of(windows, stride, refit, rolling, gap)


@pytest.mark.parametrize(
    ("refit", "fits", "ages"),
    [
        (3, [[1, 2, 3], [4, 5, 6], [7]], [0, 1, 2, 0, 1, 2, 0]),
        ("3", [[1, 2, 3], [4, 5, 6], [7]], [0, 1, 2, 0, 1, 2, 0]),
        ("always", [[1], [2], [3], [4], [5], [6], [7]], [0] * 7),
        ("never", [[1, 2, 3, 4, 5, 6, 7]], [0, 1, 2, 3, 4, 5, 6]),
        (100, [[1, 2, 3, 4, 5, 6, 7]], [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_every_origin_has_one_fit_at_or_before_it(refit: Any, fits: list[list[int]], ages: list[int]) -> None:
    made = schedule(refit=refit)
    assert [list(origins) for origins in made.fits] == fits
    assert [made.age_of(origin) for origin in range(1, 8)] == ages
    assert all(made.fit_of(origin) == origins[0] for origins in made.fits for origin in origins)


@pytest.mark.parametrize(
    "wrong",
    [
        {"windows": 0},
        {"windows": 2.0},
        {"windows": True},
        {"windows": 10**9},
        {"stride": 0},
        {"stride": -24},
        {"gap": -1},
        {"gap": 1.5},
        {"rolling": 0},
        {"refit": 0},
        {"refit": -5},
        {"refit": "sometimes"},
        {"refit": 2.5},
        {"refit": True},
        {"refit": None},
        {"refit": "²"},
    ],
)
def test_an_argument_outside_its_range_is_named_with_its_value(wrong: dict[str, Any]) -> None:
    (name, value), *_ = wrong.items()
    with pytest.raises(ArgumentError, match=name) as caught:
        schedule(**wrong)
    assert caught.value.code == "invalid_argument"
    assert repr(value) in str(caught.value)


def test_a_schedule_is_stored_as_plain_values() -> None:
    made = schedule(rolling=50, gap=2)
    assert Schedule.from_json(made.to_json()) == made
    assert made.describe() == "7 origins, 3 rows apart, refit every 3 origins, rolling over 50 rows, a gap of 2 rows"
