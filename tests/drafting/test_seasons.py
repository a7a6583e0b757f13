"""Seasons are told from chance, trends and walks."""

import numpy as np
import pytest

from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.drafting.seasons import find_seasons
from seq2seq_kit.drafting.signal import look_at

HOUR = Every.parse("1h")


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_walks_have_no_season(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=3_000)
    assert find_seasons(noise, HOUR) == []
    assert find_seasons(np.cumsum(noise), HOUR) == []
    assert find_seasons(noise + np.arange(3_000), HOUR) == []


def test_a_day_and_a_week_are_told_apart() -> None:
    at, noise = np.arange(3_000), np.random.default_rng(0).normal(scale=0.3, size=3_000)
    day = np.sin(2 * np.pi * at / 24) + noise
    assert [season.steps for season in find_seasons(day, HOUR)] == [24]
    week = day + 0.7 * (at % 168 > 120)
    assert [season.name for season in find_seasons(week, HOUR)] == ["day", "week"]


def test_a_season_without_a_place_in_the_calendar_is_seen_in_the_spectrum() -> None:
    at = np.arange(1_500)
    rows = np.sin(2 * np.pi * at / 33) + np.random.default_rng(0).normal(scale=0.3, size=1_500)
    (found,) = find_seasons(rows, None)
    assert abs(found.steps - 33) <= 1


def test_missing_cells_hide_no_season() -> None:
    rows = np.sin(2 * np.pi * np.arange(2_000) / 24)
    rows[np.random.default_rng(0).choice(2_000, 300, replace=False)] = np.nan
    assert [season.name for season in find_seasons(rows, HOUR)] == ["day"]


@pytest.mark.parametrize("far", [1e4, -1e7, 1e30])
def test_a_few_values_that_are_far_off_hide_no_season_and_no_level(far: float) -> None:
    at = np.arange(3_000)
    rows = np.sin(2 * np.pi * at / 24) + at / 500
    broken = np.where(np.isin(at, [700, 701, 2_500]), far, rows)
    assert [season.name for season in find_seasons(broken, HOUR)] == ["day"]
    told, clean = look_at(broken, 48), look_at(rows, 48)
    assert told.far == 3 / 3_000
    assert (told.moves, told.trend, told.shift) == pytest.approx((clean.moves, clean.trend, clean.shift), rel=0.05)


def test_a_series_is_told_by_level_growth_zeros_and_outliers() -> None:
    at, rng = np.arange(400), np.random.default_rng(0)
    flat = rng.normal(10, 1, 400)
    assert look_at(flat, 12).moves < 0.15
    assert look_at(np.cumsum(flat - 10), 12).moves > 0.5
    assert look_at(flat + at / 10, 12).trend > 1
    assert look_at((100 + at) * (1 + 0.3 * np.sin(at * np.pi / 6)), 12).grows
    assert not look_at(100 + at + 30 * np.sin(at * np.pi / 6), 12).grows
    assert look_at(rng.poisson(0.3, 400).astype(float), 12).intermittent
    assert look_at(np.where(at == 7, 900.0, flat), 12).far == 1 / 400
