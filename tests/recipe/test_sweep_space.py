"""The combinations of a sweep: values put into a recipe, the recipe's own, and corners that are no valid recipes."""

import re
from typing import Any

import pytest

from seq2seq_kit.errors import RecipeError
from seq2seq_kit.recipe import check_space, default_values, knobs
from seq2seq_kit.recipe import sweep_space as module
from tests.conftest import forecast_recipe, tag_values_recipe
from tests.untyped import parse_recipe, trial_recipe

DEEP: dict[str, Any] = {
    "model.encoder_units": {"choice": [[8], [16]]},
    "model.decoder_state": {"choice": ["zeros", "encoder"]},
}


def swept(space: dict[str, Any], **data: Any) -> Any:
    return parse_recipe(forecast_recipe(**data) | {"sweep": {"space": space}})


def ints(low: int, high: int, **more: Any) -> dict[str, Any]:
    return {"int": {"min_value": low, "max_value": high} | more}


def refusal(space: dict[str, Any], **data: Any) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        check_space(swept(space, **data), origin="recipes/x.yaml")
    head, *lines, advice = str(caught.value).splitlines()
    assert head.startswith("recipes/x.yaml: ")
    assert caught.value.code == "invalid_space"
    assert len(caught.value.problems) >= len(lines) - 1
    assert advice.startswith("Leave such values out")
    return lines


def test_a_trial_is_the_recipe_with_its_values_and_no_sweep() -> None:
    recipe = swept(DEEP)
    trial = trial_recipe(recipe, {"model.encoder_units": [16], "training.epochs": 7, "data.split.val": 0.2})
    assert trial.sweep is None
    assert (trial.model.encoder_units, trial.training.epochs, trial.data.split.val) == ([16], 7, 0.2)
    assert recipe.model.encoder_units == [8]
    assert trial_recipe(recipe, {}) == recipe.model_copy(update={"sweep": None})


def test_a_trial_reaches_into_lists_and_columns() -> None:
    recipe = parse_recipe(tag_values_recipe(scaling={"load": "none", "heat": "none"}), {"model.units": [4, 5]})
    trial = trial_recipe(recipe, {"model.units.1": 9, "data.scaling.load": "robust"})
    assert trial.model.units == [4, 9]
    assert trial.data.scaling == {"load": "robust", "heat": "none"}
    assert recipe.model.units == [4, 5]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"model.encoder_units": [16], "model.decoder_state": "encoder"},
            r"with model\.encoder_units=\[16\], .*encoder has 1",
        ),
        (
            {"model.dropout": 1.5},
            r"the recipe with model\.dropout=1\.5 has 1 problem:.*model\.dropout  must be in \[0, 1\)",
        ),
        ({"model.drop": 0.1}, r"model\.drop does not exist in this recipe: there is no drop"),
        ({"model.encoder_units.1": 4}, r"model\.encoder_units\.1 does not exist in this recipe: there is no 1"),
    ],
)
def test_a_trial_that_is_no_valid_recipe_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=re.compile(said, re.S)):
        trial_recipe(swept(DEEP), values)


def test_default_values_are_the_recipe_s_own_where_conditions_are_met() -> None:
    space = {
        "model.pyramid": ints(1, 2) | {"when": {"model.bidirectional": True}},
        "model.bidirectional": {"boolean": {}},
        "training.patience": {"choice": [None, 9]} | {"when": {"model.bidirectional": False}},
        "model.encoder_units.0": ints(4, 12),
    }
    recipe = swept(space)
    assert default_values(recipe, knobs(recipe.sweep)) == {
        "model.bidirectional": False,
        "training.patience": 5,
        "model.encoder_units.0": 8,
    }


def test_a_recipe_without_a_sweep_or_with_a_sound_space_passes() -> None:
    check_space(parse_recipe(forecast_recipe()))
    check_space(swept({"data.input_steps": ints(24, 96, step=12), "model.segment_steps": {"choice": [1, 2, 3, 6]}}))


def test_a_corner_that_is_not_valid_is_told_with_the_fewest_values_and_how_many_there_are() -> None:
    space = {
        "data.input_steps": ints(50, 60, step=10),
        "model.segment_steps": {"choice": [1, 25]},
        "training.batch_size": ints(32, 128, step=8),
    }
    assert refusal(space, input_steps=50, output_steps=50) == [
        "  with data.input_steps=60, model.segment_steps=25 (13 of 52 combinations): data.input_steps must be a multiple of 25 "
        "for `model.segment_steps: 25`, such as 50 or 75. Received: 60"
    ]


def test_what_the_recipe_s_own_values_cause_is_not_laid_on_others() -> None:
    lines = refusal(DEEP)
    assert len(lines) == 1
    assert lines[0].startswith(
        "  with model.encoder_units=[16], model.decoder_state=encoder (1 of 4 combinations): model.decoder_units "
    )


def test_the_same_rule_broken_by_other_values_is_told_once() -> None:
    lines = refusal({"model.segment_steps": {"choice": [5, 7, 9, 11]}})
    assert len(lines) == 2
    assert lines[0].startswith("  with model.segment_steps=5 (4 of 4 combinations): data.output_steps must be")
    assert lines[1].startswith("  with model.segment_steps=5 (4 of 4 combinations): data.input_steps must be")


def test_a_condition_keeps_combinations_out_of_the_space() -> None:
    space = DEEP | {"model.encoder_units": DEEP["model.encoder_units"] | {"when": {"model.decoder_state": "zeros"}}}
    check_space(swept(space))
    wrong = DEEP | {"model.encoder_units": DEEP["model.encoder_units"] | {"when": {"model.decoder_state": "encoder"}}}
    assert "(1 of 3 combinations)" in refusal(wrong)[0]


def test_the_smallest_example_keeps_the_values_that_let_a_key_be_searched() -> None:
    space = {
        "model.bidirectional": {"boolean": {}},
        "model.segment_steps": {"choice": [1, 5], "when": {"model.bidirectional": True}},
    }
    assert refusal(space)[0].startswith("  with model.bidirectional=true, model.segment_steps=5 (1 of 3 combinations)")


def test_whole_numbers_without_a_step_are_not_only_their_ends() -> None:
    lines = refusal({"data.input_steps": ints(24, 96)} | {"model.segment_steps": {"choice": [1, 6]}})
    assert "data.input_steps must be a multiple of 6" in lines[0]
    assert "with data.input_steps=25, model.segment_steps=6" in lines[0]


WIDE = {
    "training.epochs": ints(1, 200, step=1),
    "training.batch_size": ints(1, 256, step=1),
    "data.input_steps": ints(24, 240, step=24),
    "model.dropout": {"float": {"min_value": 0.0, "max_value": 0.9, "step": 0.1}},
}


@pytest.mark.slow
def test_a_wide_space_is_looked_at_in_pairs_and_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    check_space(swept(WIDE))
    pair = {"model.segment_steps": {"choice": [1, 2, 3, 7]}}  # 7 divides neither
    assert re.search(r"with model\.segment_steps=7 \([\d,]+ of [\d,]+ combinations tried\)", refusal(WIDE | pair)[0])
    # Without a single draw each pair is still there.
    monkeypatch.setattr(module, "MOST_COMBINATIONS", 0)
    assert any("model.decoder_state=encoder" in line for line in refusal(WIDE | DEEP))


def test_a_key_that_needs_another_is_looked_at_beside_it_in_a_wide_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_COMBINATIONS", 0)
    child = {
        "model.segment_steps": {"choice": [1, 3], "when": {"model.bidirectional": True}},
        "model.bidirectional": {"boolean": {}},
        "data.input_steps": {"choice": [24, 25]},
    }
    wanted = "with data.input_steps=25, model.bidirectional=true, model.segment_steps=3"
    assert wanted in refusal(WIDE | child)[0]


@pytest.mark.slow
def test_a_wide_space_is_looked_at_the_same_way_each_time() -> None:
    space = WIDE | {"model.segment_steps": ints(1, 7)}
    assert refusal(space) == refusal(space)


def test_at_most_eight_problems_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_REPORTED", 1)
    lines = refusal({"model.segment_steps": {"choice": [5, 7]}})
    assert len(lines) == 2
    assert lines[1] == "  and 1 more"
