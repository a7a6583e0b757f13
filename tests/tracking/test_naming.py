"""A run is named by what differs from the run before it, and the list of runs opens with what says which is better."""

import json

from seq2seq_kit.tracking.naming import NO_PARAMS, experiment_of, named
from seq2seq_kit.tracking.record import as_params
from seq2seq_kit.tracking.view import view_tags
from tests.conftest import forecast_recipe
from tests.untyped import parse_recipe


def params_of(**overrides: object) -> dict[str, str]:
    recipe = parse_recipe(forecast_recipe(), {key.replace("__", "."): value for key, value in overrides.items()})
    return as_params(recipe.model_dump(mode="json", exclude=NO_PARAMS))


def test_the_first_run_is_named_by_its_model() -> None:
    assert named(parse_recipe(forecast_recipe()), None) == ("lstm8 e3 s0", "the first run of this experiment")
    assert named(parse_recipe(forecast_recipe()), params_of()) == ("lstm8 e3 s0", "nothing: the same recipe")


def test_a_run_is_named_by_what_differs() -> None:
    recipe = parse_recipe(forecast_recipe(), {"training.learning_rate": 0.003, "seed": 4})
    name, differs = named(recipe, params_of())
    assert name == "seed 4, learning_rate 0.003"
    assert differs == "seed: 0 -> 4; training.learning_rate: 0.01 -> 0.003"


def test_many_differences_are_counted() -> None:
    changes = {"seed": 1, "training.epochs": 2, "model.dropout": 0.5, "data.input_steps": 9}
    name, differs = named(parse_recipe(forecast_recipe(), changes), params_of())
    assert name == "seed 1, input_steps 9, dropout 0.5 +1"
    assert differs.count(" -> ") == 4


def test_another_task_or_an_older_kit_is_no_list_of_keys() -> None:
    recipe = parse_recipe(forecast_recipe())
    assert named(recipe, params_of() | {"task": "tag"}) == ("lstm8 e3 s0", "task: tag -> forecast")
    older = {key: text for key, text in params_of().items() if key != "model.normalise"}
    assert named(recipe, older)[1] == "nothing: the same recipe"


def test_a_value_from_data_is_text_and_short() -> None:
    recipe = parse_recipe(forecast_recipe(inputs=["load", "\x1b[31m" + "n" * 99]))
    name, differs = named(recipe, params_of())
    assert name.startswith("inputs [")
    assert len(name) < 60
    assert "\x1b" not in name + differs


def test_recipes_share_an_experiment() -> None:
    recipe = parse_recipe(forecast_recipe() | {"experiment": "loads"})
    assert experiment_of(recipe) == "loads"
    assert experiment_of(parse_recipe(forecast_recipe())) == "small_forecast"
    assert "experiment" not in as_params(recipe.model_dump(mode="json", exclude=NO_PARAMS))


def test_the_view_shows_result_and_baseline() -> None:
    (key, text), *others = view_tags().items()
    assert not others
    assert key.startswith("mlflow.sharedViewState.")
    columns = json.loads(text)["selectedColumns"]
    for name in (
        "tags.`result`",
        "tags.`beats_baselines`",
        "metrics.`_baseline_error`",
        "metrics.`_skill`",
    ):
        assert name in columns
