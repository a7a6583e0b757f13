"""The rate of false alarms is what it says on series that depend on their own past, and shifts of known size are found."""

import numpy as np
import pytest
from scipy.signal import lfilter

from seq2seq_kit.drift.blocks import COUNT, FIRST_BIN, MISSING, SQUARES, SUM, block_sums, edges_of, joined
from seq2seq_kit.drift.stretches import STATISTICS, Alarms, blocks_of_a_stretch, compare, needed, statistics

LOOKED_AT = np.tile([True, False, True, True, True], (2, 1))
REFERENCE, NEW, BLOCK = 2_000, 100, 5


def series(rng: np.random.Generator, memory: float, rows: int = REFERENCE + NEW) -> np.ndarray:
    """Two columns that hang together and on their own past: a day's wave and noise of a known memory, `(rows, 2)`."""
    drawn = rng.standard_normal((rows + 300, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]])
    noise = lfilter([1], [1, -memory], drawn, axis=0)[300:] * np.sqrt(1 - memory**2)
    return np.asarray(noise + 0.8 * np.sin(2 * np.pi * (np.arange(rows) + rng.integers(24)) / 24)[:, None])


def compared(cells: np.ndarray, new: np.ndarray, rate: float = 0.1) -> Alarms:
    """New rows beside others."""
    edges = edges_of(cells)
    return compare(
        block_sums(cells, edges, BLOCK)[None], block_sums(new, edges, BLOCK)[None], rate=rate, looked_at=LOOKED_AT
    )


@pytest.mark.parametrize("memory", [0.0, 0.9, 0.98])
def test_without_a_change_there_are_as_many_alarms_as_the_rate_says(memory: float) -> None:
    rng = np.random.default_rng(int(memory * 100))
    tries, rate = 300, 0.1
    alarms = 0
    for _ in range(tries):
        rows = series(rng, memory)
        alarms += bool(compared(rows[:REFERENCE], rows[REFERENCE:], rate).alarm.any())
    sampling = np.sqrt(rate * (1 - rate) / tries)
    assert alarms / tries == pytest.approx(rate, abs=3.5 * sampling)


def shifted(what: str, new: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    new = new.copy()
    if what == "level":
        new[:, 0] += 4.0
    elif what == "spread":
        new[:, 0] = new[:, 0].mean() + 4 * (new[:, 0] - new[:, 0].mean())
    elif what == "missing":
        new[rng.random(len(new)) < 0.2, 0] = np.nan
    else:  # two values of the usual mean and spread
        new[:, 0] = np.sign(rng.standard_normal(len(new)))
    return new


@pytest.mark.parametrize("what", ["level", "spread", "missing", "distribution"])
def test_a_change_of_known_size_is_found_in_its_column_and_by_its_statistic(what: str) -> None:
    rng = np.random.default_rng(1)
    tries, found = 40, 0
    for _ in range(tries):
        rows = series(rng, 0.5)
        alarm = compared(rows[:REFERENCE], shifted(what, rows[REFERENCE:], rng)).alarm
        found += bool(alarm[0, STATISTICS.index(what)])
        assert not alarm[:, STATISTICS.index("unseen")].any()
    assert found / tries > 0.9


def test_a_large_shift_is_found_although_the_series_has_a_long_memory() -> None:
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(40):
        rows = series(rng, 0.98)
        rows[REFERENCE:, 1] += 6.0
        found += bool(compared(rows[:REFERENCE], rows[REFERENCE:]).alarm[1].any())
    assert found >= 38


def test_alarms_are_those_whose_share_is_at_most_the_rate() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        rows = series(rng, 0.5)
        rows[REFERENCE:, 0] += rng.uniform(0, 3)
        told = compared(rows[:REFERENCE], rows[REFERENCE:])
        known = np.isfinite(told.p)
        assert (told.alarm[known] == (told.p[known] <= told.rate + 1e-12)).all()
        assert bool(told.alarm.any()) == (told.p_value <= told.rate + 1e-12)


def test_a_rate_takes_so_many_stretches() -> None:
    assert [needed(rate) for rate in (0.5, 0.1, 0.05, 0.01)] == [1, 9, 19, 99]
    assert blocks_of_a_stretch(400, 5, 0.05) == 5
    assert blocks_of_a_stretch(400, 500, 0.05) == 21
    assert blocks_of_a_stretch(18, 5, 0.05) == 0
    rows = series(np.random.default_rng(0), 0.0)
    with pytest.raises(ValueError, match="too few stretches"):
        compared(rows[: 5 * BLOCK], rows[REFERENCE:], rate=0.05)


def test_stretches_of_which_nothing_is_known_do_not_lower_the_threshold() -> None:
    rows = series(np.random.default_rng(0), 0.0)
    with_holes = rows[:REFERENCE].copy()
    with_holes[: REFERENCE // 2] = np.nan
    half = compared(rows[REFERENCE // 2 : REFERENCE], rows[REFERENCE:])
    holes = compared(with_holes, rows[REFERENCE:])
    assert holes.stretches == half.stretches == REFERENCE // 2 // NEW
    assert holes.threshold == pytest.approx(half.threshold, rel=1e-9)


def test_a_column_that_never_moves_and_never_has_a_value_gives_no_alarm() -> None:
    rows = np.full((REFERENCE + NEW, 2), 3.0)
    rows[:, 1] = np.nan
    told = compared(rows[:REFERENCE], rows[REFERENCE:])
    assert not told.alarm.any()
    rows[REFERENCE:, 0] = 3.5
    assert compared(rows[:REFERENCE], rows[REFERENCE:]).alarm[0, STATISTICS.index("level")]


def test_sums_of_blocks_are_those_of_their_rows() -> None:
    cells = np.array([[9.0], [1.0], [3.0], [np.nan], [5.0]])
    edges = np.arange(9.0)[None]  # bins end at 0, 1, 2, ...
    made = block_sums(cells, edges, 2)
    assert made.shape == (2, 1, FIRST_BIN + 10)
    assert made[:, 0, [COUNT, MISSING, SUM, SQUARES]].tolist() == [[2, 0, 4, 10], [1, 1, 5, 25]]
    assert made[0, 0, FIRST_BIN:].tolist() == [0, 1, 0, 1, 0, 0, 0, 0, 0, 0]


def test_short_series_lack_the_oldest_blocks() -> None:
    one, three = np.ones((1, 1, 14)), np.ones((3, 1, 14))
    assert joined([one, three])[:, :, 0, COUNT].tolist() == [[0, 0, 1], [1, 1, 1]]


def test_unseen_values_of_categories_are_a_share_and_no_level() -> None:
    codes = np.tile([2.0, 3.0], 50)[:, None]
    unseen = np.zeros((100, 1))
    unseen[:10] = 1
    edges = (np.arange(9) + 2.5)[None]
    found = statistics(block_sums(codes, edges, 100, unseen), [True])[0, 0]
    assert found[STATISTICS.index("unseen")] == pytest.approx(0.1)
    assert np.isnan(found[STATISTICS.index("level")])
    assert np.isnan(found[STATISTICS.index("spread")])
