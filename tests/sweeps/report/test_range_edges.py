"""A best value at the edge of its range gives a hint with a wider end, which is never one that no recipe could have."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_kit.recipe.sweep import Knob
from seq2seq_kit.sweeps.report.range_edges import edge_hints
from seq2seq_kit.sweeps.trials import Trial
from tests.sweeps.spaces import SPACE, choice, number

RATE = number("training.learning_rate", 1e-4, 1e-2, sampling="log")
EPOCHS = number("training.epochs", 5, 40, kind="int", step=5)
DROPOUT = number("model.dropout", 0.0, 0.5)


def hint(knob: Knob, value: Any, **more: Any) -> str:
    return "\n".join(edge_hints(Trial(1, {knob.key: value}, "finished", 1.0), [knob], more.pop("shares", {}), **more))


@pytest.mark.parametrize(
    ("knob", "value", "words"),
    [
        (RATE, 1e-2, "0.01 is the largest value of the space: widen it, for example to 0.03"),
        (RATE, 1e-4, "0.0001 is the smallest value of the space: widen it, for example to 3e-05"),
        (RATE, 0.009, "0.009 is close to 0.01, the largest value of the space"),
        (EPOCHS, 40, "40 is the largest value of the space: widen it, for example to 60"),
        (number("a", 1, 8, kind="int"), 8, "8 is the largest value of the space: widen it, for example to 12"),
        (number("a", 2, 8, kind="int"), 2, "2 is the smallest value of the space: widen it, for example to 1"),
        (DROPOUT, 0.49, "0.49 is close to 0.5, the largest value of the space: widen it, for example to 0.75"),
        (number("model.dropout", 0, 0.9), 0.9, "0.9 is the largest value of the space: widen it, for example to 0.99"),
        (
            choice("b", 32, 64, 128, ordered=True),
            128,
            "128 is the last of its values: add one beyond it, for example 256",
        ),
        (
            choice("b", 32, 64, 128, ordered=True),
            32,
            "32 is the first of its values: add one beyond it, for example 16",
        ),
        (choice("b", 8, 12, 16, ordered=True), 16, "for example 20"),
        (choice("model.dropout", 0.1, 0.3, 0.6, ordered=True), 0.6, "for example 0.9"),
        (
            choice("size", "s", "m", "l", ordered=True),
            "l",
            "l is the last of its values: add one beyond it, if there is one",
        ),
    ],
)
def test_a_winner_at_the_edge_is_told_with_a_wider_one(knob: Knob, value: Any, words: str) -> None:
    found = hint(knob, value)
    assert found.startswith(f"`{knob.key}` ")
    assert words in found


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        (RATE, 0.001),
        (EPOCHS, 35),
        (DROPOUT, 0.1),
        # Nothing lies beyond these.
        (DROPOUT, 0.0),
        (number("a", 1, 8, kind="int"), 1),
        (choice("b", 1, 2, 3, ordered=True), 1),
        # No order, no edge.
        (SPACE[0], [64, 32]),
        (choice("c", False, True), True),
        (RATE, None),
    ],
)
def test_no_edge_where_there_is_none_to_widen(knob: Knob, value: Any) -> None:
    assert hint(knob, value) == ""


def test_a_winner_outside_the_space_asks_for_a_space_that_holds_it() -> None:
    assert "0.1, the recipe's own value, lies outside the space (0.0001 to 0.01)" in hint(RATE, 0.1)


def test_an_end_that_the_recipe_refuses_is_not_suggested() -> None:
    asked: list[tuple[str, Any]] = []

    def accepts(key: str, value: Any) -> bool:
        asked.append((key, value))
        return bool(value <= 50)

    assert "for example to 50" in hint(EPOCHS, 40, accepts=accepts)
    assert asked == [("training.epochs", 60), ("training.epochs", 50)]
    assert hint(EPOCHS, 40, accepts=lambda key, value: False) == ""


def test_a_key_that_hardly_mattered_is_marked() -> None:
    assert hint(DROPOUT, 0.5, shares={"model.dropout": 0.01}).endswith("(it hardly mattered)")
    assert not hint(DROPOUT, 0.5, shares={"model.dropout": 0.5}).endswith("(it hardly mattered)")


def test_a_key_that_is_not_active_has_no_hint() -> None:
    assert edge_hints(Trial(1, {}, "finished", 1.0), [RATE], {}) == []


@given(
    st.integers(1, 500),
    st.integers(1, 500),
    st.sampled_from(["linear", "log", "reverse_log"]),
    st.booleans(),
    st.sampled_from(["a", "model.dropout"]),
)
def test_a_suggestion_lies_beyond_the_end_and_is_possible(
    low: int, width: int, sampling: str, upper: bool, key: str
) -> None:
    knob = number(key, low, low + width, kind="int", sampling=sampling)
    if key == "model.dropout":
        knob = number(key, low / 1001, (low + width) / 1001, sampling=sampling)
    assert knob.low is not None
    assert knob.high is not None
    found = re.search(r"for example to (.*)$", hint(knob, knob.high if upper else knob.low))
    if found:
        wider = float(found[1])
        assert wider > knob.high if upper else wider < knob.low
        assert 0 < wider < (1 if key == "model.dropout" else 10_000)
        assert wider >= 1 or key == "model.dropout"
    else:
        assert not upper or knob.high > 0.9 or low == 1
