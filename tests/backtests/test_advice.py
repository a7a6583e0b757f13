"""What a backtest says in words follows from its errors: no more is claimed than the origins tell."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.backtests.advice import Pairs, recommend
from seq2seq_kit.backtests.schedule import Refit, Schedule
from seq2seq_kit.backtests.scores import Scores

Errors = Callable[[int], float]


def scores_of(schedule: Schedule, series: int = 1, **errors: Errors) -> Scores:
    """Forecasts of two steps that are off by so much at each origin; a second series is ten times as large."""
    frames = []
    for number in range(series):
        for origin in range(1, schedule.windows + 1):
            off = {name: [10.0**number * error(origin)] * 2 for name, error in errors.items()}
            labels = {
                "unique_id": f"s{number}",
                "origin": origin,
                "age": schedule.age_of(origin),
                "step": [1, 2],
                "y": 0.0,
            }
            frames.append(pd.DataFrame(labels | off))
    return Scores(pd.concat(frames, ignore_index=True), {f"s{number}": 10.0**number for number in range(series)})


def said(refit: Refit, windows: int = 20, *, overlapping: bool = False, **errors: Errors) -> str:
    schedule = Schedule.of(windows, 24, refit, None, 0)
    return " ".join(recommend(scores_of(schedule, 1, **errors), schedule, 12.0, overlapping))


def noisy(level: float, spread: float, seed: int) -> Errors:
    values = level + spread * np.random.default_rng(seed).normal(size=200)
    return lambda origin: float(values[origin])


def test_refits_that_help_at_nearly_every_origin_are_recommended_with_what_they_save() -> None:
    text = said(5, model=noisy(1.0, 0.02, 0), model_frozen=noisy(1.25, 0.02, 1), ridge=noisy(2.0, 0.1, 2))
    assert "Over 20 origins the model beats ridge, the best baseline: RMSE 0.99" in text
    assert "it is better at 20 of 20" in text
    assert "Refit every 5 origins, 120 rows: at the 15 origins after the first refit" in text
    assert "refits are better at 15 of 15" in text
    assert "% smaller" in text
    assert "A fit takes 12 s." in text
    assert "`--refit 10`" in text


def test_errors_as_near_as_those_of_two_seeds_are_a_tie() -> None:
    for level in (1.0, 1.0001, 0.985):
        text = said("never", model=lambda origin: 1.0, ridge=noisy(level, 0.0, 0))
        assert "the model ties with ridge, the best baseline" in text
    assert "the model beats ridge" in said("never", model=lambda origin: 1.0, ridge=lambda origin: 1.05)
    assert "the model does not beat ridge" in said("never", model=lambda origin: 1.0, ridge=lambda origin: 0.95)
    assert "the model does not beat ridge" in said("never", model=lambda origin: 1.0, ridge=lambda origin: 0.0)


def test_refits_that_harm_are_advised_against() -> None:
    text = said("always", model=noisy(1.5, 0.02, 0), model_frozen=noisy(1.2, 0.02, 1), ridge=noisy(1.0, 0.1, 2))
    assert "the model does not beat ridge" in text
    assert "Do not refit: at the 19 origins" in text
    assert "% larger; refits are better at 0 of 19" in text


def test_a_difference_within_chance_is_told_as_such() -> None:
    text = said(5, model=noisy(1.0, 0.2, 0), model_frozen=noisy(1.0, 0.2, 1), ridge=noisy(2.0, 0.1, 2))
    assert "Do not refit, as far as these origins tell: at the 15 origins" in text
    assert "within what chance does over these origins (standard error " in text


def test_few_origins_tell_nothing() -> None:
    text = said(2, windows=4, model=noisy(1.0, 0.0, 0), model_frozen=noisy(5.0, 0.0, 1), ridge=noisy(2.0, 0.1, 2))
    assert "At the 2 origins after the first refit" in text
    assert "So few origins do not tell whether refitting pays" in text
    assert "Refit every" not in text


def test_a_single_fit_says_what_to_run() -> None:
    text = said("never", model=noisy(1.0, 0.1, 0), ridge=noisy(2.0, 0.1, 2))
    assert "Whether refitting pays is not known: there was one fit. `--refit 5` fits 4 times" in text


def test_growth_with_age_is_told_beside_what_does_not_age() -> None:
    schedule = Schedule.of(40, 24, 5, None, 0)
    hard = np.random.default_rng(3).uniform(1, 3, size=50)  # origins differ in how hard they are
    seasonal: Errors = lambda origin: float(hard[origin])  # noqa: E731
    grows: Errors = lambda origin: float(hard[origin] * (0.5 + 0.05 * schedule.age_of(origin)))  # noqa: E731
    same: Errors = lambda origin: float(hard[origin] * (0.5 + 0.1 * np.sin(7.0 * origin)))  # noqa: E731
    text = said(5, windows=40, model=grows, model_frozen=seasonal, seasonal_naive=seasonal)
    assert (
        "goes from 0.500 of seasonal naive's right after a fit to 0.700 at an age of 4 origins (+0.050 for each" in text
    )
    text = said(5, windows=40, model=same, model_frozen=seasonal, seasonal_naive=seasonal)
    assert "no growth that these origins could tell" in text
    assert "goes from" not in said(2, windows=40, model=grows, model_frozen=seasonal, seasonal_naive=seasonal)


def test_overlapping_origins_are_named() -> None:
    text = said("never", overlapping=True, model=noisy(1.0, 0.1, 0), ridge=noisy(2.0, 0.1, 2))
    assert "Neighbouring origins forecast some of the same rows" in text
    assert "Neighbouring" not in said("never", model=noisy(1.0, 0.1, 0), ridge=noisy(2.0, 0.1, 2))


def test_series_of_other_sizes_count_alike() -> None:
    schedule = Schedule.of(4, 24, "never", None, 0)
    scores = scores_of(schedule, series=2, model=lambda origin: 1.0, ridge=lambda origin: 2.0)
    assert scores.name() == "scaled RMSE"
    assert scores.errors([]).iloc[0]["model"] == pytest.approx(1.0)
    assert scores.errors(["origin"])["ridge"].tolist() == pytest.approx([2.0] * 4)
    assert scores.errors(["origin"])["cells"].tolist() == [4] * 4
    assert scores.errors(["unique_id"], "mae")["model"].tolist() == pytest.approx([1.0, 1.0])


def test_pairs_leave_out_origins_that_lack_one_of_both() -> None:
    pairs = Pairs.of(pd.Series([1.0, np.nan, 2.0]), pd.Series([2.0, 5.0, 2.5]))
    assert (pairs.count, pairs.better, pairs.mean) == (2, 2, pytest.approx(0.75))
    assert not pairs.told


def test_a_series_that_the_first_fit_does_not_know_says_nothing_of_refits() -> None:
    """It is hard; the refits know it, the first fit does not. On all that both know refits are better."""
    schedule = Schedule.of(20, 24, 5, None, 0)
    scores = scores_of(
        schedule, 2, model=noisy(1.0, 0.02, 0), model_frozen=noisy(1.25, 0.02, 1), ridge=noisy(2.0, 0.1, 2)
    )
    hard = scores.rows["unique_id"] == "s1"
    scores.rows.loc[hard, "model"] *= 10
    scores.rows.loc[hard, "model_frozen"] = np.nan
    text = " ".join(recommend(scores, schedule, 12.0, overlapping=False))
    assert "Refit every 5 origins" in text
    assert "refits are better at 15 of 15" in text


def test_a_baseline_of_few_origins_is_compared_on_those() -> None:
    """It knows the last, hard origins alone; where it has a forecast the model is better."""
    schedule = Schedule.of(20, 24, 5, None, 0)
    scores = scores_of(
        schedule,
        1,
        model=lambda origin: 1.0 + 9 * (origin > 15),
        ridge=lambda origin: 20.0,
        seasonal_naive=lambda origin: 12.0,
    )
    scores.rows.loc[scores.rows["origin"] <= 15, "seasonal_naive"] = np.nan
    text = " ".join(recommend(scores, schedule, 12.0, overlapping=False))
    assert "Over 5 origins the model beats seasonal naive, the best baseline: RMSE 10 against 12" in text


def test_a_baseline_without_error_at_an_origin_makes_no_growth() -> None:
    text = said(
        5,
        model=noisy(1.0, 0.02, 0),
        model_frozen=noisy(1.25, 0.02, 1),
        seasonal_naive=lambda origin: float(origin != 7),
    )
    assert "nan" not in text
    assert "no growth that these origins could tell" in text


def test_one_origin_is_told_as_one() -> None:
    text = said("always", windows=1, model=noisy(1.0, 0.02, 0), ridge=noisy(2.0, 0.1, 2))
    assert "there was one origin. Run it with more --windows" in text
    assert "--refit" not in text
