"""Trials: which is best, their table, and names that tell them apart."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_kit.sweeps.trials import Trial, best_of, best_so_far, name_of, position_of, short_keys, table_of, text_of
from tests.sweeps.spaces import SPACE, number, sweep_of


def scored(*scores: float | None) -> list[Trial]:
    """Trials with these scores; None failed."""
    return [Trial(at, {}, "failed" if score is None else "finished", score) for at, score in enumerate(scores, start=1)]


@pytest.mark.parametrize(
    ("state", "score"),
    [
        ("finished", None),
        ("finished", math.nan),
        ("pruned", None),
        ("finished", math.inf),
        ("failed", 0.5),
        ("cut", 1.0),
    ],
)
def test_only_a_trial_that_came_somewhere_has_a_score(state: Any, score: float | None) -> None:
    with pytest.raises(
        ValueError, match=f"trial 3 is {state} with score {score}. A finished or pruned trial has a finite score"
    ):
        Trial(3, {}, state, score)


def test_the_spread_is_the_sample_deviation_over_the_folds() -> None:
    assert Trial(1, {}, "finished", 2.0, folds=(1.0, 2.0, 3.0)).spread == 1.0
    assert Trial(1, {}, "finished", 2.0).spread is None
    assert Trial(1, {}, "finished", 2.0, folds=(2.0,)).spread is None


def test_the_best_trial_is_the_earlier_one_of_equals() -> None:
    trials = scored(3.0, 1.0, None, 1.0, 3.0)
    for order in (trials, trials[::-1]):
        assert (best_of(order, "min"), best_of(order, "max")) == (trials[1], trials[0])
    assert best_of(scored(None), "min") is None


def test_the_best_so_far_is_in_the_order_of_the_numbers() -> None:
    trials = scored(3.0, None, 4.0, 1.0, 2.0)[::-1]
    assert best_so_far(trials, "min") == [(1, 3.0), (3, 3.0), (4, 1.0), (5, 1.0)]
    assert best_so_far(trials, "max") == [(1, 3.0), (3, 4.0), (4, 4.0), (5, 4.0)]
    assert best_so_far([], "min") == []


def test_the_table_has_a_row_for_each_trial_and_a_column_for_each_key() -> None:
    trials = sweep_of(12)
    table = table_of(trials[::-1], SPACE)
    keys = [knob.key for knob in SPACE]
    assert [*table] == [
        "trial",
        "state",
        "objective",
        "best_epoch",
        "epochs",
        "seconds",
        "memory_mb",
        *keys,
        "reason",
        "run",
    ]
    assert table["trial"].tolist() == list(range(1, 13))
    assert table["model.encoder_units"].tolist() == [text_of(trial.values["model.encoder_units"]) for trial in trials]
    assert table["training.epochs"].dtype == "Int64"
    lstm = table["model.cell"] == "lstm"
    assert 0 < lstm.sum() < 12
    assert (table["model.recurrent_dropout"].notna() == lstm).all()
    failed = table["trial"] == 5
    assert table.loc[failed, ["state", "reason"]].to_numpy().tolist() == [["failed", "out of memory"]]
    assert table.loc[failed, "objective"].isna().all()


def test_the_table_shows_the_spread_where_there_are_folds() -> None:
    table = table_of([Trial(1, {}, "finished", 2.0, folds=(1.0, 3.0)), Trial(2, {}, "failed")], [])
    assert table["spread"].isna().tolist() == [False, True]
    assert table.loc[0, "spread"] == pytest.approx(math.sqrt(2))


UNITS, EPOCHS, RATE = "model.encoder_units", "training.epochs", "training.learning_rate"


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({UNITS: [64, 32], EPOCHS: 20, RATE: 0.003}, "eu64-32 e20 lr0.003"),
        ({UNITS: (64,), EPOCHS: 30.0, RATE: 0.001}, "default"),
        ({UNITS: [64], EPOCHS: 30, RATE: 0.00012345}, "lr0.000123"),
        ({UNITS: [64], EPOCHS: 30, RATE: 1e-5}, "lr1e-5"),
        ({"model.cell": "gru", "model.bidirectional": True, "data.calendar": []}, "ce=gru b=yes ca=none"),
        ({"model.encoder_units.0": 32}, "eu.0=32"),
        ({"training.patience": None}, "p=none"),
        ({}, "default"),
    ],
)
def test_a_name_tells_what_differs(values: dict[str, Any], name: str) -> None:
    own = {UNITS: [64], EPOCHS: 30, RATE: 0.001}
    assert name_of(values, own if set(values) <= set(own) else {}) == name


def test_letters_grow_until_no_two_keys_share_them() -> None:
    values = {
        "model.encoder_units": 1,
        "model.embedding_units": 2,
        "data.units": 3,
        "model.units": 4,
        "training.units": 5,
    }
    assert name_of(values, {}) == "enu1 emu2 du3 mu4 tu5"


def test_letters_do_not_depend_on_which_keys_are_active() -> None:
    keys = ["model.dropout", "model.depth"]
    assert name_of({"model.depth": 2}, {}) == "d2"
    assert name_of({"model.depth": 2}, {}, keys=keys) == "de2"


WORDS = st.lists(st.sampled_from(["a", "ab", "unit", "units", "encoder"]), min_size=1, max_size=3).map("_".join)


@given(st.lists(st.tuples(WORDS, WORDS).map(".".join), unique=True, min_size=1, max_size=8))
def test_every_key_has_letters_of_its_own(keys: list[str]) -> None:
    names = [name_of({key: 1}, {}, keys=keys) for key in keys]
    assert len(set(names)) == len(keys)
    assert len(set(short_keys(keys).values())) == len(keys)


def test_a_title_is_the_shortest_end_that_no_other_key_has() -> None:
    keys = ["model.cell", "model.units", "data.units", "model.encoder_units.0"]
    assert [*short_keys(keys).values()] == ["cell", "model.units", "data.units", "encoder_units.0"]


@pytest.mark.parametrize(("sampling", "middle"), [("linear", 50.5), ("log", 10.0), ("reverse_log", 91.0)])
def test_the_middle_of_a_scale_is_where_half_of_the_draws_lie(sampling: str, middle: float) -> None:
    knob = number("a", 1.0, 100.0, sampling=sampling)
    places = [position_of(knob, value) for value in (1.0, middle, 100.0)]
    low, between, high = (place for place in places if place is not None)
    assert between == pytest.approx((low + high) / 2)
    assert high > low


def test_what_is_no_number_of_a_scale_has_no_place() -> None:
    log = number("a", 1.0, 100.0, sampling="log")
    assert [position_of(log, value) for value in (None, True, "x", 0.0, -1)] == [None] * 5
    assert position_of(number("a", 1.0, 2.0, sampling="reverse_log"), 3.0) is None
    assert position_of(SPACE[0], [64, 32]) == 2.0
    assert position_of(SPACE[0], [99]) is None
