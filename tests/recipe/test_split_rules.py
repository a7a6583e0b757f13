"""The split of a recipe: which keys go together, and what a stored recipe keeps."""

from typing import Any

import pytest

from seq2seq_kit.errors import RecipeError
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.recipe.yaml import plain_section, read_yaml
from tests.conftest import autoencode_recipe, forecast_recipe, next_step_recipe
from tests.untyped import parse_recipe

COUNTED = {"val_steps": 48, "test_steps": 24}


def _problems(split: dict[str, Any], **whole: Any) -> list[tuple[str, str]]:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(forecast_recipe(split=split) | whole)
    return [(problem.key, problem.code) for problem in caught.value.problems]


@pytest.mark.parametrize("make", [forecast_recipe, autoencode_recipe, next_step_recipe])
def test_a_split_from_the_end_survives_being_stored(make: Any) -> None:
    recipe = parse_recipe(make(split=COUNTED))
    assert recipe.data.split.from_end
    again = parse_recipe(plain_section(read_yaml(dump_recipe(recipe), "stored"), "stored"))
    assert again.data.split == recipe.data.split


def test_both_ends_are_needed() -> None:
    assert _problems({"val_steps": 48}) == [("data.split.test_steps", "missing_key")]
    assert _problems({"test_steps": 48}) == [("data.split.val_steps", "missing_key")]
    missing = [("data.split.val_steps", "missing_key"), ("data.split.test_steps", "missing_key")]
    assert _problems({"calibration_steps": 48}) == missing


@pytest.mark.parametrize("other", [{"train": 100}, {"val": 0.2}, {"test": 0.3}, {"test": 0}, {"calibration": 0.1}])
def test_another_way_to_divide_is_refused_beside_it(other: dict[str, Any]) -> None:
    (key,) = other
    assert _problems(COUNTED | other) == [(f"data.split.{key}", "conflicting_keys")]


def test_levels_need_rows_to_calibrate_on() -> None:
    assert _problems(COUNTED, levels=[80]) == [("data.split.calibration_steps", "missing_key")]
    recipe = parse_recipe(forecast_recipe(split=COUNTED | {"calibration_steps": 50}) | {"levels": [80]})
    assert recipe.data.split.calibrated
    assert recipe.data.split.calibration is None


@pytest.mark.parametrize(
    ("key", "value"), [("val_steps", 0), ("val_steps", 0.2), ("test_steps", -1), ("test_steps", 2.5)]
)
def test_no_numbers_of_rows_are_refused(key: str, value: Any) -> None:
    assert [path for path, _ in _problems(COUNTED | {key: value})] == [f"data.split.{key}"]


@pytest.mark.parametrize(
    "split", [{"test": 0}, {"train": 100, "val": 50, "test": 0}, {"val_steps": 48, "test_steps": 0}]
)
def test_the_test_part_may_be_left_out(split: dict[str, Any]) -> None:
    assert not parse_recipe(forecast_recipe(split=split)).data.split.tested
    assert parse_recipe(forecast_recipe()).data.split.tested


def test_val_may_not_be_left_out() -> None:
    assert [path for path, _ in _problems({"val": 0})] == ["data.split.val"]


def test_a_refit_needs_test_rows() -> None:
    sweep = {"space": {"model.dropout": {"choice": [0.0, 0.1]}}, "refit": True}
    assert _problems({"test": 0}, sweep=sweep) == [("sweep.refit", "conflicting_keys")]
