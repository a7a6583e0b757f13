"""The `sweep` section by itself: its defaults, its hyperparameters and their neutral form, and the way back to YAML."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.errors import RecipeError
from seq2seq_kit.recipe import Knob, Sweep, dump_recipe, knobs
from seq2seq_kit.recipe.sweep import count_of_steps, direction_of, is_active, stepped
from seq2seq_kit.tasks import SPECS
from seq2seq_kit.validation import resolve
from tests.conftest import forecast_recipe
from tests.untyped import json_schema, load_recipe, parse_recipe

RICH = {
    "model.recurrent_dropout": {
        "float": {"min_value": 0.0, "max_value": 0.5},
        "when": {"training.clip_norm": None, "model.encoder_units": [64, 32]},
    },
    "training.clip_norm": {"choice": [None, 1.0], "when": {"model.bidirectional": True}},
    "model.encoder_units": {"choice": [[32], [64], [64, 32]]},
    "training.epochs": {"int": {"min_value": 5, "max_value": 40, "step": 5}},
    "training.learning_rate": {"float": {"min_value": 1e-4, "max_value": 1e-1, "sampling": "log", "step": 10}},
    "model.bidirectional": {"boolean": None},
    "training.batch_size": {"choice": {"values": [32, 64], "ordered": False}, "when": {"training.epochs": [5, 10]}},
}


def swept(space: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A forecast with a sweep over batch sizes, or over `space`."""
    space = space if space is not None else {"training.batch_size": {"choice": [32, 64]}}
    return forecast_recipe() | {"sweep": {"space": space} | more}


def found(space: dict[str, Any]) -> dict[str, Knob]:
    return {knob.key: knob for knob in knobs(parse_recipe(swept(space)).sweep)}


def test_a_sweep_needs_no_more_than_its_space() -> None:
    sweep = parse_recipe(swept()).sweep
    assert isinstance(sweep, Sweep)
    assert (sweep.tuner, sweep.metric, sweep.direction, sweep.trials) == ("bayesian", "val_loss", "min", 20)
    assert parse_recipe(forecast_recipe()).sweep is None


@pytest.mark.parametrize(("tuner", "trials"), [("random", 20), ("grid", None), ("hyperband", None)])
def test_grid_and_hyperband_know_themselves_how_many_trials_they_need(tuner: str, trials: int | None) -> None:
    assert parse_recipe(swept(tuner=tuner)).sweep.trials == trials
    assert parse_recipe(swept(tuner=tuner, max_trials=7)).sweep.trials == 7


def test_an_objective_tells_its_direction_itself() -> None:
    assert (direction_of("val_loss"), direction_of("val_accuracy")) == ("min", "max")
    sweep = parse_recipe(swept(objective={"metric": "val_loss", "direction": "min"})).sweep
    assert (sweep.metric, sweep.direction) == ("val_loss", "min")


def test_a_sweep_is_told_in_a_few_words() -> None:
    assert parse_recipe(swept()).sweep.describe() == "bayesian over 1 key, 20 trials"
    sweep = parse_recipe(swept(RICH, tuner="grid", folds=3, max_minutes=90)).sweep
    assert sweep.describe() == "grid over 7 keys, as many trials as it needs, 3 folds each, at most 90 minutes"


def test_who_depends_on_another_comes_after_it() -> None:
    order = list(found(RICH))
    assert order == [
        "model.encoder_units",
        "training.epochs",
        "training.learning_rate",
        "model.bidirectional",
        "training.clip_norm",
        "model.recurrent_dropout",
        "training.batch_size",
    ]


def test_a_knob_holds_its_range_or_all_its_values() -> None:
    knob = found(RICH)
    assert knob["training.epochs"] == Knob("training.epochs", "int", 5, 40, 5)
    assert type(knob["training.epochs"].low) is int
    assert knob["training.learning_rate"] == Knob("training.learning_rate", "float", 1e-4, 1e-1, 10, "log")
    assert knob["model.bidirectional"] == Knob("model.bidirectional", "boolean", values=(False, True))
    units = Knob("model.encoder_units", "choice", values=([32], [64], [64, 32]))
    assert knob["model.encoder_units"] == units


@pytest.mark.parametrize(
    ("choice", "ordered"),
    [
        ([32, 64], True),
        ([0.1, 1], True),
        ([None, 1.0], False),
        ({"values": [32, 64], "ordered": False}, False),
        ({"values": [32, 64]}, True),
    ],
)
def test_a_choice_of_numbers_is_ordered_unless_told_otherwise(choice: Any, ordered: bool) -> None:
    key = "training.batch_size" if None not in choice and 0.1 not in choice else "training.clip_norm"
    assert found({key: {"choice": choice}})[key].ordered is ordered


def test_a_condition_on_a_list_names_one_value_and_on_a_number_several() -> None:
    knob = found(RICH)
    assert knob["model.recurrent_dropout"].when == {
        "training.clip_norm": (None,),
        "model.encoder_units": ([64, 32],),
    }
    assert knob["training.batch_size"].when == {"training.epochs": (5, 10)}
    assert knob["training.clip_norm"].when == {"model.bidirectional": (True,)}


def test_a_condition_is_met_by_values_and_not_by_what_python_takes_for_them() -> None:
    knob = Knob("b", "boolean", values=(False, True), when={"a": (1,)})
    assert is_active(knob, {"a": 1.0})
    assert not is_active(knob, {"a": True})
    assert not is_active(knob, {})
    assert not is_active(Knob("b", "boolean", when={"a": (True,)}), {"a": 1})


def given_by_keras_tuner(kind: str, span: dict[str, Any]) -> list[float]:
    parameters = import_module("keras_tuner").HyperParameters()  # not above, because it loads TensorFlow
    getattr(parameters, kind)("any", **span)
    return list(parameters.space[0].values)


@pytest.mark.parametrize(
    "span",
    [
        {"min_value": 5, "max_value": 40, "step": 5},
        {"min_value": 6, "max_value": 13, "step": 3},
        {"min_value": 2, "max_value": 40, "step": 2, "sampling": "log"},
        {"min_value": 2, "max_value": 32, "step": 2, "sampling": "reverse_log"},
    ],
)
def test_whole_numbers_with_a_step_are_those_of_keras_tuner(span: dict[str, Any]) -> None:
    knob = found({"training.epochs": {"int": span}})["training.epochs"]
    values = [stepped(knob, position) for position in range(count_of_steps(knob))]
    assert values == [int(value) for value in given_by_keras_tuner("Int", span)]
    assert {type(value) for value in values} == {int}


@pytest.mark.parametrize("sampling", ["log", "reverse_log"])
def test_numbers_with_a_multiplied_step_are_those_of_keras_tuner(sampling: str) -> None:
    span = {"min_value": 0.001, "max_value": 10.0, "step": 10.0, "sampling": sampling}
    knob = found({"training.learning_rate": {"float": span}})["training.learning_rate"]
    theirs = given_by_keras_tuner("Float", span)
    assert len(theirs) == 5
    assert [stepped(knob, position) for position in range(count_of_steps(knob))] == pytest.approx(theirs)


def test_a_step_that_reaches_the_end_in_decimals_includes_it() -> None:
    knob = Knob("model.dropout", "float", 0.0, 0.3, 0.1)
    assert count_of_steps(knob) == 4  # 0.3 // 0.1 is 2


def test_a_dumped_sweep_loads_as_the_same_sweep(tmp_path: Path) -> None:
    recipe = parse_recipe(swept(RICH, objective={"metric": "val_loss", "direction": "min"}, seed=3, folds=2))
    text = dump_recipe(recipe)
    (tmp_path / "again.yaml").write_text(text, encoding="utf-8")
    assert load_recipe(tmp_path / "again.yaml") == recipe
    assert text.index("\nsweep:") > text.index("\ntraining:")
    assert "choice: [[32], [64], [64, 32]]" in text


def test_a_sweep_survives_an_override_of_a_resolved_recipe() -> None:
    recipe = parse_recipe(swept(RICH))
    changed = resolve(recipe, ["sweep.max_trials=5", "training.epochs=4"])
    assert changed.sweep == recipe.sweep.model_copy(update={"max_trials": 5})


def test_an_override_reaches_a_key_of_the_space() -> None:
    recipe = parse_recipe(swept(), ["sweep.space.training.epochs={int: {min_value: 1, max_value: 3}}"])
    assert list(recipe.sweep.space) == ["training.batch_size", "training.epochs"]


def test_conditions_in_a_cycle_have_no_order() -> None:
    space = {"a": {"boolean": {}, "when": {"b": True}}, "b": {"boolean": {}, "when": {"a": True}}}
    with pytest.raises(RecipeError, match="a, b") as caught:
        knobs(Sweep.model_validate({"space": space}))
    assert caught.value.code == "invalid_condition"


def test_the_json_schema_knows_a_sweep_and_its_hyperparameters() -> None:
    schema = json_schema()["$defs"]
    assert schema["Sweep"]["required"] == ["space"]
    assert schema["Sweep"]["properties"]["max_trials"]["minimum"] == 2
    assert schema["Sweep"]["properties"]["space"]["additionalProperties"] == {"$ref": "#/$defs/Hyperparameter"}
    assert set(schema["Hyperparameter"]["properties"]) == {"int", "float", "choice", "boolean", "when"}
    assert schema["IntRange"]["required"] == ["min_value", "max_value"]
    sections = [name for name, each in schema.items() if name.endswith("Recipe") and "sweep" in each["properties"]]
    assert len(sections) == len(SPECS)
