"""Importances find the keys that scores were made of, say how sure they are, and say nothing where nothing is known."""

from dataclasses import replace

import pytest

from seq2seq_kit.sweeps.report.importance import Importances, importances
from seq2seq_kit.sweeps.trials import Trial
from tests.sweeps.spaces import SPACE, choice, number, sweep_of


@pytest.fixture(scope="module")
def found() -> Importances:
    return importances(sweep_of(60), SPACE, "min")


def test_the_keys_that_scores_were_made_of_come_first(found: Importances) -> None:
    assert [*found.shares][:2] == ["training.learning_rate", "training.epochs"]
    assert found.shares["training.learning_rate"] > 2 * found.shares["training.epochs"] > 0.1
    assert sum([*found.shares.values()][2:]) < 0.1
    assert set(found.shares) == {knob.key for knob in SPACE}
    assert found.why == ""


def test_shares_sum_to_one_and_have_a_spread(found: Importances) -> None:
    assert sum(found.shares.values()) == pytest.approx(1)
    assert min(found.shares.values()) >= 0
    assert 0 < found.spreads["training.learning_rate"] < 0.2


def test_the_forest_tells_how_much_it_knows_of_unseen_trials(found: Importances) -> None:
    assert found.r2 is not None
    assert 0.6 < found.r2 < 1
    noisy = importances(sweep_of(60, noise=0.2), SPACE, "min")
    assert noisy.r2 is not None
    assert noisy.r2 < found.r2 - 0.2


def test_leanings_follow_the_direction(found: Importances) -> None:
    assert found.leanings["training.learning_rate"] == "larger"
    assert "model.recurrent_dropout" not in found.leanings
    assert importances(sweep_of(60), SPACE, "max").leanings["training.learning_rate"] == "smaller"


@pytest.mark.slow
def test_the_same_seed_gives_the_same_shares(found: Importances) -> None:
    assert importances(sweep_of(60), SPACE, "min") == found
    assert importances(sweep_of(60), SPACE, "min", seed=1).shares != found.shares


def test_all_values_of_a_choice_count_together() -> None:
    knobs = [choice("a", *"vwxyz"), number("b", 0, 1)]
    trials = [
        Trial(at, {"a": "vwxyz"[at % 5], "b": (at * 0.618) % 1}, "finished", float(at % 5 in (1, 3)))
        for at in range(1, 41)
    ]
    assert importances(trials, knobs, "min").shares["a"] > 0.95


def test_a_key_that_is_not_always_active_is_judged_where_it_is() -> None:
    knobs = [choice("a", "on", "off"), number("b", 0, 1, when={"a": ("on",)}), number("c", 0, 1)]
    trials = []
    for at in range(1, 61):
        b = (at * 0.618) % 1
        values = {"a": "on", "b": b} if at % 2 else {"a": "off"}
        trials.append(Trial(at, values | {"c": (at * 0.414) % 1}, "finished", b if at % 2 else 0.5))
    shares = importances(trials, knobs, "min").shares
    assert shares["b"] > 0.7
    assert shares["c"] < 0.1


def test_whether_a_key_is_active_counts_for_its_parent() -> None:
    knobs = [choice("a", "on", "off"), number("b", 0, 1, when={"a": ("on",)}), choice("c", "x", "y")]
    trials = []
    for at in range(1, 61):
        on, x = at % 2, at // 2 % 2
        values: dict[str, object] = {"a": "on", "b": (at * 0.618) % 1} if on else {"a": "off"}
        trials.append(Trial(at, values | {"c": "x" if x else "y"}, "finished", float(on + x)))
    shares = importances(trials, knobs, "min").shares
    assert shares["a"] == pytest.approx(0.5, abs=0.1)
    assert shares["b"] < 0.05


def test_values_outside_the_space_are_read_too() -> None:
    trials = sweep_of(40)
    own = {"training.learning_rate": 0.0, "model.encoder_units": [99], "training.epochs": None}
    trials[0] = replace(trials[0], values=trials[0].values | own)
    assert next(iter(importances(trials, SPACE, "min").shares)) == "training.learning_rate"


@pytest.mark.slow
def test_a_few_trials_that_went_astray_do_not_hide_the_others() -> None:
    trials = [replace(t, score=1e4) if t.number in (7, 20, 33) and t.score else t for t in sweep_of(80)]
    found = importances(trials, SPACE, "min")
    assert next(iter(found.shares)) == "training.learning_rate"


def test_few_trials_tell_nothing() -> None:
    found = importances(sweep_of(8), SPACE, "min")
    assert (found.shares, found.finished) == ({}, 7)
    assert found.why == "7 finished trials are too few to tell what mattered, it takes 8; run more trials"
    assert "1 finished trial is too few" in importances(sweep_of(1), SPACE, "min").why


def test_equal_scores_tell_nothing() -> None:
    trials = [replace(trial, score=0.5) if trial.score else trial for trial in sweep_of(20)]
    assert importances(trials, SPACE, "min").why == "all 18 finished trials have the same score; widen the space"


def test_noise_is_not_explained() -> None:
    trials = [Trial(at, {"b": (at * 0.618) % 1}, "finished", float((at * 7919) % 101)) for at in range(1, 31)]
    found = importances(trials, [number("b", 0, 1)], "min")
    assert found.shares == {}
    assert found.r2 is not None
    assert found.r2 <= 0
    assert f"predicts others no better than their mean does (R2 {found.r2:.2f}); run more trials" in found.why
