"""What a sweep's author is told before anything runs: keys, values, conditions and figures that the recipe does not have."""

from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.errors import RecipeError
from seq2seq_kit.tasks import SPECS
from tests.conftest import (
    autoencode_recipe,
    forecast_recipe,
    next_step_recipe,
    tag_recipe,
    tag_values_recipe,
    translate_recipe,
    whole_recipe,
)
from tests.untyped import load_recipe, parse_recipe

EPOCHS = {"training.epochs": {"int": {"min_value": 5, "max_value": 40}}}
BOTH: dict[str, Any] = {"boolean": {}}


def ints(low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"int": {"min_value": low, "max_value": high} | more}


def floats(low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"float": {"min_value": low, "max_value": high} | more}


def message(space: dict[str, Any] | None = None, recipe: dict[str, Any] | None = None, **sweep: Any) -> str:
    """What is said of a sweep, columns closed up."""
    values = (recipe or forecast_recipe()) | {"sweep": {"space": EPOCHS if space is None else space} | sweep}
    with pytest.raises(RecipeError) as caught:
        parse_recipe(values)
    return " ".join(str(caught.value).split())


def only(said: str) -> str:
    assert "has 1 problem:" in said, said
    return said


def test_problems_of_a_sweep_are_told_with_the_others_at_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "task: forecast\ndata: {inputs: [load], targets: [load], input_steps: 24, output_steps: 6}\n"
        "model: {dropout: 1.5}\n"
        "sweep:\n"
        "  max_trials: 0\n"
        "  space:\n"
        "    training.epoch: {int: {min_value: 5, max_value: 40}}\n"
        "    training.batch_size:\n"
        "      int:\n"
        "        min_value: 64\n"
        "        max_value: 8\n"
        "    model.cell:\n"
        "      choice: [lstm, gru]\n"
        "      wen: {training.batch_size: 8}\n",
        encoding="utf-8",
    )
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    lines = [" ".join(line.split()) for line in str(caught.value).splitlines()]
    assert lines == [
        f"{path} has 5 problems:",
        "line 3 model.dropout must be in [0, 1). Received: 1.5",
        "line 5 sweep.max_trials must be at least 2, because the first trial has the recipe's own values, for the others to be "
        "compared with. To train the recipe alone, use `seq2seq-kit train`. Received: 0",
        "line 7 sweep.space.training.epoch no key of this recipe; did you mean training.epochs?",
        "line 9 sweep.space.training.batch_size.int the range is reversed: min_value must be below max_value. Received: "
        "min_value 64, max_value 8",
        "line 14 sweep.space.model.cell.wen unknown key; did you mean sweep.space.model.cell.when?",
    ]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("training.epoch", "no key of this recipe; did you mean training.epochs?"),
        ("learning_rate", "no key of this recipe; did you mean training.learning_rate?"),
        ("traning.epochs", "no key of this recipe; did you mean training.epochs?"),
        ("model.latent_dim", "no key of this recipe"),
        ("banana", "no key of this recipe; a key is written with its section and a dot"),
        ("model", "is a whole section; name one of its keys, dotted: model.cell, model.dropout"),
        ("data.split", "is a whole section; name one of its keys, dotted: data.split.train"),
        ("model.encoder_units.1", "the recipe has no 1 there (items are counted from 0); search model.encoder_units"),
        ("model.dropout.0", "the recipe has no 0 there"),
        ("seed", "cannot be searched: the best seed is luck; `folds`, or several sweeps with other seeds"),
        ("name", "cannot be searched: it only names the experiment"),
        ("task", "cannot be searched: each task has metrics of its own"),
        ("sweep.seed", "cannot be searched: a sweep does not search itself"),
        ("detect.exit", "cannot be searched: events do not change what trials are judged by"),
        ("training.loss", "cannot be searched: `val_loss` is this very loss"),
        ("training.freeze", "cannot be searched: only `train` freezes layers"),
        ("model.own", "cannot be searched: only `train` takes"),
        ("training.deterministic", "cannot be searched: it makes a rerun equal, not better"),
        ("model.kernel_l2", "cannot be searched: its penalty is part of `val_loss`"),
        ("data.output_steps", "cannot be searched: trials would be judged on other values"),
        ("data.split.val", "cannot be searched: trials would be judged on other values"),
    ],
)
def test_a_key_that_cannot_be_searched_is_refused_with_the_reason(key: str, said: str) -> None:
    assert f"sweep.space.{key} {said}" in only(message({key: ints(1, 9)}))


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (autoencode_recipe(), "of `data` only train_stride can be searched"),
        (whole_recipe(), "no key of `data` can be searched"),
        (next_step_recipe(), "of `data` only input_steps and calendar can be searched"),
        (translate_recipe(), "of `data` only reverse_source can be searched"),
        (tag_recipe(), "of `data` only min_count can be searched"),
        (tag_values_recipe(), "only input_steps, inputs, scaling and scale_per_series can be searched"),
    ],
)
def test_what_would_change_the_validation_values_is_not_searched(recipe: dict[str, Any], said: str) -> None:
    assert said in only(message({"data.split.val": floats(0.1, 0.2)}, recipe))


def test_every_kind_of_recipe_says_which_of_its_data_may_be_searched() -> None:
    assert any(spec.recipe.searched_data for spec in SPECS)
    for spec in SPECS:
        known = spec.recipe.model_fields["data"].annotation.model_fields  # type: ignore[union-attr]
        assert set(spec.recipe.searched_data) <= set(known)


@pytest.mark.parametrize(
    ("recipe", "space"),
    [
        (
            forecast_recipe(),
            {"data.input_steps": ints(12, 48, step=12), "data.inputs": {"choice": [["load"], ["heat"]]}},
        ),
        (forecast_recipe(), {"data.calendar": {"choice": [[], ["hour"]]}, "model.encoder_units.0": ints(4, 8)}),
        (next_step_recipe(), {"data.input_steps": ints(12, 48), "model.units": {"choice": [[4], [4, 4]]}}),
        (autoencode_recipe(), {"model.latent_dim": ints(2, 8), "training.learning_rate": ints(1, 2)}),
        (translate_recipe(), {"data.reverse_source": BOTH, "model.embedding_dim": {"choice": [None, 4]}}),
        (tag_values_recipe(), {"data.scaling": {"choice": ["robust", {"load": "none"}]}}),
        (tag_values_recipe(scaling={"load": "none"}), {"data.scaling.load": {"choice": ["robust", "none"]}}),
    ],
)
def test_keys_of_every_kind_of_recipe_can_be_searched(recipe: dict[str, Any], space: dict[str, Any]) -> None:
    assert list(parse_recipe(recipe | {"sweep": {"space": space}}).sweep.space) == list(space)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({}, "must be one of int, float, choice and boolean. Received: none of them"),
        ({"when": {"a": 1}}, "must be one of int, float, choice and boolean. Received: none of them"),
        ({"ints": {}}, "must be one of int, float, choice and boolean. Received: ints; did you mean int?"),
        (
            {"boolean": {}, "choice": [1, 2]},
            "must be one of int, float, choice and boolean. Received: choice and boolean",
        ),
        ([8, 16], "must be one of int, float, choice and boolean. Write `choice: [8, 16]`. Received: [8, 16]"),
        (8, "must be one of int, float, choice and boolean, such as `choice: [a, b]`. Received: 8"),
        ({"int": None}, "`int` is empty. Write `int: {min_value: ..., max_value: ...}`"),
        ({"choice": None}, "`choice` is empty. Write `choice: [first, second]`"),
        ({"int": {"min_value": 1}}, "int.max_value required, but not given"),
        (ints(1.5, 3), "int.min_value must be a whole number. Received: 1.5"),
        (
            ints(40, 5),
            "int the range is reversed: min_value must be below max_value. Received: min_value 40, max_value 5",
        ),
        (ints(5, 5), "int the range is empty: min_value must be below max_value. Received: min_value 5, max_value 5"),
        (ints(5, 9, step=0), "int step must be above 0. Received: 0"),
        (ints(5, 9, step=5), "int step must be at most 4, else min_value is the only value."),
        (ints(1, 9, sampling="log", step=1), "`sampling: log` multiplies by step, so it must be above 1, such as 2."),
        (ints(2, 8, sampling="log", step=5), "int step must be at most 4, else min_value is the only value."),
        (ints(0, 9, sampling="reverse_log"), "`sampling: reverse_log` needs min_value above 0"),
        (ints(1, 9, sampling="logg"), "int.sampling must be 'linear', 'log' or 'reverse_log'."),
        ({"choice": []}, "choice must hold at least 2 values, because there is nothing to search among fewer."),
        ({"choice": [8]}, "choice must hold at least 2 values"),
        ({"choice": {"values": [8]}}, "choice.values must hold at least 2 values"),
        ({"choice": [8, 16, 8.0]}, "choice holds 8.0 twice; list each value once. Received: [8, 16, 8.0]"),
        ({"choice": {"values": [8, 16], "order": True}}, "choice.order unknown key; did you mean"),
        ({"boolean": {"default": True}}, "boolean.default unknown key"),
    ],
)
def test_a_hyperparameter_that_cannot_be_drawn_from_is_refused(written: Any, said: str) -> None:
    found = only(message({"training.batch_size": written}))
    assert f"sweep.space.training.batch_size{'' if said[0] == '`' or said[:4] == 'must' else '.'}" in found
    assert said in found


def test_a_step_as_wide_as_its_range_is_taken() -> None:
    space = {"training.epochs": ints(5, 10, step=5), "model.dropout": floats(0.1, 0.4, step=0.3)}
    assert len(parse_recipe(forecast_recipe() | {"sweep": {"space": space}}).sweep.space) == 2


@pytest.mark.parametrize(
    ("key", "written", "said"),
    [
        (
            "model.encoder_units",
            ints(8, 16),
            "takes a list: must be `choice: [[32], [64]]`, or search one of its items",
        ),
        (
            "model.encoder_units",
            {"choice": [8, 16]},
            "takes a list: must be `choice: [[32], [64]]`, each choice in brackets",
        ),
        ("data.inputs", floats(0, 1), "takes a list: must be `choice:"),
        ("model.cell", ints(0, 1), "takes one of a few words: must be `choice: [lstm, gru]`. Received: `int`"),
        ("model.cell", {"choice": ["lstm", "rnn"]}, "must be 'lstm' or 'gru'. Received: 'rnn'"),
        ("model.bidirectional", ints(0, 1), "takes true or false: must be `boolean: {}`. Received: `int`"),
        ("model.bidirectional", {"choice": [0, 1]}, "must be true or false. Received: 0"),
        ("training.batch_size", floats(8, 16), "takes whole numbers: must be `int: {...}` or a choice of them."),
        ("training.batch_size", BOTH, "takes whole numbers: must be `int: {...}` or a choice of them."),
        ("training.batch_size", {"choice": [[8], [16]]}, "must be a whole number at least 1. Received: [8]"),
        ("training.batch_size", ints(0, 16), "must be at least 1. Received: 0"),
        ("training.learning_rate", BOTH, "takes numbers: must be `float: {...}` or a choice of them."),
        ("model.dropout", floats(0, 1), "must be in [0, 1). Received: 1.0"),
        ("training.patience", {"choice": [None, 0]}, "must be at least 1. Received: 0"),
        ("model.encoder_units.0", ints(0, 8), "must be at least 1. Received: 0"),
    ],
)
def test_values_that_the_key_does_not_take_are_refused_with_how_to_write_them(
    key: str, written: dict[str, Any], said: str
) -> None:
    assert f"sweep.space.{key} {key} {said}" in only(message({key: written}))


def test_a_list_and_one_of_its_items_are_not_both_searched() -> None:
    space = {"model.encoder_units.0": ints(4, 8), "model.encoder_units": {"choice": [[4], [8]]}}
    said = "sweep.space.model.encoder_units.0 is a part of model.encoder_units, which is searched, too"
    assert said in only(message(space))


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (
            {"model.drop": 0.1},
            "when.model.drop is not in the space; a condition names another key that is searched; did you",
        ),
        ({"model.cell": "gru"}, "when.model.cell a key cannot depend on itself"),
        ({"model.dropout": 0.3}, "model.dropout never has the value 0.3; its values are 0 to 0.4 in steps of 0.2"),
        ({"model.dropout": [0.2, 0.6]}, "model.dropout never has the value 0.6"),
        ({"model.dropout": True}, "model.dropout never has the value True"),
        ({"training.epochs": 5.5}, "training.epochs never has the value 5.5; its values are 5 to 40"),
        ({"training.epochs": []}, "when.training.epochs names no value; its values are 5 to 40"),
        ({"model.bidirectional": 1}, "model.bidirectional never has the value 1; its values are False, True"),
        ({"model.encoder_units": [8, 8]}, "model.encoder_units never has the value 8; its values are [8], [4, 4]"),
    ],
)
def test_a_condition_that_can_never_hold_is_refused(when: dict[str, Any], said: str) -> None:
    space = EPOCHS | {
        "model.dropout": floats(0, 0.4, step=0.2),
        "model.bidirectional": BOTH,
        "model.encoder_units": {"choice": [[8], [4, 4]]},
        "model.cell": {"choice": ["lstm", "gru"], "when": when},
    }
    assert said in only(message(space))


def test_conditions_in_a_cycle_are_refused_at_each_of_them() -> None:
    space = {
        "model.cell": {"choice": ["lstm", "gru"], "when": {"model.bidirectional": True}},
        "model.bidirectional": {"boolean": {}, "when": {"model.position_embedding": True}},
        "model.position_embedding": {"boolean": {}, "when": {"model.cell": "gru"}},
    }
    said = message(space)
    assert "has 3 problems" in said
    assert "model.bidirectional depends on model.cell in turn; leave one of the two conditions out" in said


@pytest.mark.parametrize(
    ("recipe", "objective", "said"),
    [
        (forecast_recipe(), "val_accuracy", "supported: val_loss. Received: 'val_accuracy'"),
        (
            tag_recipe(),
            "accuracy",
            "supported: val_loss and val_accuracy. Received: 'accuracy'; did you mean val_accuracy?",
        ),
        (
            translate_recipe(),
            "rmse",
            "supported: val_loss and val_accuracy. Received: 'rmse'",
        ),
        (tag_recipe(), {"metric": "f1", "direction": "max"}, "sweep.objective.metric not a metric of this recipe"),
        (
            tag_recipe(),
            {"metric": "val_accuracy", "direction": "min"},
            "sweep.objective.direction must be max, because a larger val_accuracy is better. Received: 'min'",
        ),
        (tag_recipe(), {"metric": "val_loss"}, "sweep.objective.direction required, but not given"),
        (tag_recipe(), 5, "sweep.objective must be a valid string. Received: 5"),
    ],
)
def test_an_objective_that_is_no_metric_of_the_recipe_is_refused(
    recipe: dict[str, Any], objective: Any, said: str
) -> None:
    assert said in only(message(recipe=recipe, objective=objective))


def test_an_accuracy_is_an_objective_of_tokens_and_labels() -> None:
    for recipe in (translate_recipe(), tag_recipe(), tag_values_recipe()):
        sweep = parse_recipe(recipe | {"sweep": {"space": EPOCHS, "objective": "val_accuracy"}}).sweep
        assert sweep.direction == "max"


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ({"tuner": "hyperband"}, "sweep.space.training.epochs Hyperband's budget is epochs; leave training.epochs out"),
        (
            {"factor": 4},
            "sweep.factor is for `tuner: hyperband` and `pruner: asha`; leave it out, or choose that. Received: tuner bayesian",
        ),
        ({"tuner": "grid", "max_epochs": 9}, "sweep.max_epochs is for `tuner: hyperband`"),
        ({"tuner": "grid", "iterations": 2}, "sweep.iterations is for `tuner: hyperband`"),
        ({"tuner": "sobol"}, "sweep.tuner must be 'random', 'bayesian', 'hyperband' or 'grid'. Received: 'sobol'"),
        ({"tunner": "grid"}, "sweep.tunner unknown key; did you mean sweep.tuner?"),
        ({"max_trials": 1}, "sweep.max_trials must be at least 2, because the first trial has the recipe's own values"),
        ({"max_minutes": 0}, "sweep.max_minutes must be above 0. Received: 0"),
        ({"folds": 1}, "sweep.folds must be at least 2. Received: 1"),
        ({"space": {}}, "sweep.space must name at least one. Received: {}"),
    ],
)
def test_settings_that_make_no_search_are_refused(sweep: dict[str, Any], said: str) -> None:
    values = forecast_recipe() | {"sweep": {"space": EPOCHS} | sweep}
    with pytest.raises(RecipeError) as caught:
        parse_recipe(values)
    assert said in only(" ".join(str(caught.value).split()))


@pytest.mark.parametrize("recipe", [whole_recipe(), translate_recipe(), tag_recipe(), tag_values_recipe()])
def test_folds_are_refused_where_no_rows_are_split_by_time(recipe: dict[str, Any]) -> None:
    assert "sweep.folds needs rows that are split by time" in only(message(recipe=recipe, folds=3))


def test_folds_are_taken_where_rows_are_split_by_time() -> None:
    for recipe in (forecast_recipe(), autoencode_recipe(), next_step_recipe()):
        assert parse_recipe(recipe | {"sweep": {"space": EPOCHS, "folds": 3}}).sweep.folds == 3


@pytest.mark.parametrize(
    ("own", "choices", "right"),
    [
        ("state", ["state", "attention"], True),
        ("repeat", ["state", "attention"], False),
        ("state", ["state", "repeat"], False),
    ],
)
def test_bridges_that_are_validated_differently_are_not_compared(own: str, choices: list[str], right: bool) -> None:
    space = {"model.bridge": {"choice": choices}}
    recipe = translate_recipe(bridge=own)
    if right:
        assert parse_recipe(recipe | {"sweep": {"space": space}}).sweep is not None
    else:
        assert "repeat cannot be compared with the other bridges" in only(message(space, recipe))


def test_an_empty_section_is_no_sweep() -> None:
    assert parse_recipe(forecast_recipe() | {"sweep": None}).sweep is None
    assert "sweep must be a section of `key: value` lines. Received: [1]" in only(message_of({"sweep": [1]}))
    assert "sweep.space required, but not given" in only(message_of({"sweep": {}}))


def message_of(more: dict[str, Any]) -> str:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(forecast_recipe() | more)
    return " ".join(str(caught.value).split())
