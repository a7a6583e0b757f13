"""KerasTuner's oracles give values in the recipe's form, and go on as if nothing had been when they are asked and told again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from seq2seq_kit.errors import SweepError
from seq2seq_kit.recipe.sweep import knobs
from seq2seq_kit.recipe.sweep_space import default_values
from seq2seq_kit.sweeps.tuner import Suggestion, Tuner
from seq2seq_kit.validation import resolve
from tests.conftest import forecast_recipe
from tests.untyped import trial_recipe

TUNERS = ("random", "bayesian", "hyperband", "grid")
# A key of every kind, and one that depends on another.
SPACE: dict[str, Any] = {
    "model.cell": {"choice": ["lstm", "gru"]},
    "model.recurrent_dropout": {
        "float": {"min_value": 0.0, "max_value": 0.4, "step": 0.1},
        "when": {"model.cell": "lstm"},
    },
    "model.encoder_units": {"choice": [[8], [16], [16, 8]]},
    "model.bidirectional": {"boolean": {}},
    "training.patience": {"choice": [None, 3]},
    "training.batch_size": {"int": {"min_value": 16, "max_value": 64, "step": 16}},
    "training.learning_rate": {"float": {"min_value": 1e-4, "max_value": 1e-1, "sampling": "log"}},
}
# Few keys, so that the bayesian tuner is soon done with its first, random values.
FEW = {key: SPACE[key] for key in ("training.batch_size", "training.learning_rate")}


def swept(tuner: str, space: dict[str, Any], **section: Any) -> Any:
    """The small forecast with a sweep."""
    return resolve(forecast_recipe() | {"sweep": {"tuner": tuner, "space": space} | section}, ())


@contextmanager
def opened(recipe: Any, *, seed: int = 0, known: dict[str, Any] | None = None) -> Iterator[Tuner]:
    """The tuner of a recipe."""
    section, epochs = recipe.sweep, recipe.training.epochs
    tuner = Tuner(section, knobs(section), seed=seed, epochs=epochs, known=known)
    yield tuner
    tuner.close()


def asked_for(
    recipe: Any, *, seed: int = 0, trials: int = 12, known: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The values of the first trials, each of them told a score before the next one is asked for."""
    found: list[dict[str, Any]] = []
    with opened(recipe, seed=seed, known=known) as tuner:
        while len(found) < trials and isinstance(asked := tuner.ask(), Suggestion):
            found.append(asked.values)
            tuner.tell(asked.identity, 1 / len(found))
    assert len(found) == trials or asked == "done"
    return found


@pytest.mark.parametrize("tuner", TUNERS)
def test_values_are_in_the_form_of_the_recipe(tuner: str) -> None:
    recipe = swept(tuner, SPACE, **({"max_epochs": 27} if tuner == "hyperband" else {}))
    # Up to three times as many as there are keys, the bayesian tuner draws at random; after that it takes seconds.
    values = asked_for(recipe, trials=20)
    assert len(values) == 20
    for each in values:
        assert each["model.encoder_units"] in ([8], [16], [16, 8])
        assert type(each["model.bidirectional"]) is bool
        assert type(each["training.batch_size"]) is int
        assert type(each["training.learning_rate"]) is float
        assert each["training.patience"] in (None, 3)
        assert ("model.recurrent_dropout" in each) == (each["model.cell"] == "lstm")
        own = trial_recipe(recipe, each)
        assert own.model.encoder_units == each["model.encoder_units"]
    if tuner != "grid":  # which begins with the last keys
        assert {each["training.patience"] for each in values} == {None, 3}
        steps = {each["model.recurrent_dropout"] for each in values if "model.recurrent_dropout" in each}
        assert 0.3 in steps  # 3 * 0.1 is 0.30000000000000004
        assert steps <= {0.0, 0.1, 0.2, 0.3, 0.4}


@pytest.mark.parametrize("tuner", TUNERS[:3])
def test_a_seed_repeats_its_values_and_0_is_one(tuner: str) -> None:
    recipe = swept(tuner, FEW)
    first, again, other = (asked_for(recipe, seed=seed, trials=6) for seed in (0, 0, 1))
    assert len(first) == 6
    assert first == again
    assert first != other


@pytest.mark.parametrize("tuner", ["random", "bayesian"])
def test_the_values_of_the_recipe_itself_are_not_drawn_again(tuner: str) -> None:
    recipe = swept(tuner, {"model.encoder_units": SPACE["model.encoder_units"]})
    own = default_values(recipe, knobs(recipe.sweep))
    assert own == {"model.encoder_units": [8]}
    values = asked_for(recipe, known=own)
    assert sorted(each["model.encoder_units"] for each in values) == [[16], [16, 8]]


def test_a_grid_is_walked_to_its_end() -> None:
    space = {key: SPACE[key] for key in ("model.bidirectional", "training.batch_size")}
    values = asked_for(swept("grid", space), trials=100)
    assert sorted((each["model.bidirectional"], each["training.batch_size"]) for each in values) == [
        (way, size) for way in (False, True) for size in (16, 32, 48, 64)
    ]


def test_hyperband_gives_epochs_and_waits_until_a_round_is_over() -> None:
    with opened(swept("hyperband", FEW, max_epochs=9)) as tuner:
        asked = []
        while isinstance(each := tuner.ask(), Suggestion):
            asked.append(each)
        assert each == "wait"
        # Nine of one epoch, three of three, one of nine are the first bracket (Li et al. 2018, table 1); others begin beside it.
        assert sum(one.values["training.epochs"] == 1 for one in asked) == 9
        for number, one in enumerate(asked):
            tuner.tell(one.identity, float(number))
        promoted = tuner.ask()
        assert isinstance(promoted, Suggestion)
        assert promoted.values["training.epochs"] == 3
        best = asked[0].values
        assert promoted.values | {"training.epochs": 1} == best | {"training.epochs": 1}


def test_hyperband_trains_as_long_as_the_recipe_unless_told_otherwise() -> None:
    values = asked_for(swept("hyperband", FEW), trials=100)
    assert max(each["training.epochs"] for each in values) == 3


Event = tuple[str, str, str, float | None]


def play(tuner: Tuner, events: list[Event], *, most: int) -> None:
    """Goes on from some events: two trials at a time, the one asked last is told first, and every fourth one fails."""
    told = {identity for kind, identity, *_ in events if kind == "tell"}
    busy = [(identity, raw) for kind, identity, raw, _ in events if kind == "ask" and identity not in told]
    while len(events) < most:
        more = sum(kind == "ask" for kind, *_ in events) < most // 2
        asked = tuner.ask() if more and len(busy) < 2 else "wait"
        if isinstance(asked, Suggestion):
            events.append(("ask", asked.identity, asked.raw, None))
            busy.append((asked.identity, asked.raw))
            continue
        if not busy:
            return
        identity, raw = busy.pop()
        score = None if len(told) % 4 == 3 else (sum(map(ord, raw)) * 7919 % 1000) / 1000
        tuner.tell(identity, score)
        told.add(identity)
        events.append(("tell", identity, "", score))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tuner", "trials", "cut"),
    [
        ("random", 16, 1),
        ("random", 16, 21),
        ("bayesian", 9, 13),
        ("hyperband", 16, 10),
        ("hyperband", 16, 21),
        ("grid", 16, 21),
    ],
)
def test_a_tuner_that_is_asked_and_told_again_goes_on_as_if_there_had_been_no_break(
    tuner: str, trials: int, cut: int
) -> None:
    recipe = swept(tuner, FEW, **({"max_epochs": 9} if tuner == "hyperband" else {}))
    whole: list[Event] = []
    with opened(recipe) as first:
        play(first, whole, most=2 * trials)
    assert len(whole) == 2 * trials
    assert [score for kind, _, _, score in whole if kind == "tell"].count(None) == trials // 4
    events = whole[:cut]
    with opened(recipe) as second:
        for kind, identity, raw, score in events:
            if kind == "ask":
                asked = second.ask()  # what `replay` would force if it were something else
                assert isinstance(asked, Suggestion)
                assert (asked.identity, asked.raw) == (identity, raw)
            else:
                second.tell(identity, score)
        play(second, events, most=2 * trials)
    assert events == whole


def test_values_of_then_hold_although_the_tuner_would_give_others_today() -> None:
    recipe = swept("random", FEW)
    with opened(recipe, seed=7) as then:
        before = [then.ask() for _ in range(3)]
    with opened(recipe, seed=8) as now:
        for asked in before:
            assert isinstance(asked, Suggestion)
            again = now.replay(asked.raw)
            assert again.values == asked.values
            now.tell(again.identity, 0.5)
        after = now.ask()
    assert isinstance(after, Suggestion)
    assert after.values not in [asked.values for asked in before if isinstance(asked, Suggestion)]


def test_a_trial_more_than_the_tuner_has_cannot_be_asked_for_again() -> None:
    space = {"model.bidirectional": SPACE["model.bidirectional"]}
    with opened(swept("grid", space)) as tuner:
        for score in (0.1, 0.2):
            asked = tuner.ask()
            assert isinstance(asked, Suggestion)
            tuner.tell(asked.identity, score)
        with pytest.raises(SweepError, match=r"it has no trial where there was one \(\{\"x\": 1\}\)"):
            tuner.replay('{"x": 1}')


def test_a_condition_on_a_decimal_step_holds_for_the_value_that_is_drawn() -> None:
    dropout = {"float": {"min_value": 0.0, "max_value": 0.4, "step": 0.1}}
    units = {"choice": [[8], [16]], "when": {"model.dropout": [0.3]}}
    values = asked_for(swept("grid", {"model.dropout": dropout, "model.encoder_units": units}), trials=6)
    assert sorted(each["model.encoder_units"] for each in values if each["model.dropout"] == 0.3) == [[8], [16]]
    assert all("model.encoder_units" not in each for each in values if each["model.dropout"] != 0.3)


@pytest.mark.slow
def test_a_bayesian_search_of_few_values_comes_back_to_none_of_them() -> None:
    space = {key: SPACE[key] for key in ("model.bidirectional", "training.batch_size")}
    values = asked_for(swept("bayesian", space), trials=100)
    assert len(values) == len({str(sorted(each.items())) for each in values}) == 8
