"""What a recipe's author is told: every problem, its line, its key, what was expected and what was received."""

from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.errors import RecipeError
from seq2seq_kit.recipe.messages import all_keys
from seq2seq_kit.recipe.other_names import KEYS_OF
from seq2seq_kit.tasks import TASKS
from seq2seq_kit.tasks.registry import SPECS
from tests.conftest import autoencode_recipe, forecast_recipe, next_step_recipe, whole_recipe
from tests.untyped import load_recipe, parse_recipe


def _problems(values: dict[str, Any], overrides: Any = ()) -> dict[str, tuple[str, str]]:
    """Code and text of every problem, by its key."""
    with pytest.raises(RecipeError) as caught:
        parse_recipe(values, overrides)
    assert caught.value.code == "invalid_recipe"
    assert all(f" {problem.key} " in str(caught.value) for problem in caught.value.problems)
    return {problem.key: (problem.code, problem.text) for problem in caught.value.problems}


def _message(values: dict[str, Any], overrides: Any = ()) -> str:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(values, overrides)
    return str(caught.value)


def test_all_problems_are_told_at_once_with_line_key_and_value(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(
        "# a comment\n"
        "task: forecast\n"
        "data:\n"
        "  inputs: [load]\n"
        "  targets: [load]\n"
        "  input_steps: 24\n"
        "  output_steps: 0\n"
        "model:\n"
        "  encoder_unit: [8]\n"
        "  dropout: 1.5\n"
        "training: {epochs: 5.5, batch_size: '5', patience: true}\n",
        encoding="utf-8",
    )
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert str(caught.value).splitlines() == [
        f"{path} has 6 problems:",
        "  line 7   data.output_steps    must be at least 1. Received: 0",
        "  line 9   model.encoder_unit   unknown key; did you mean model.encoder_units?",
        "  line 10  model.dropout        must be in [0, 1). Received: 1.5",
        "  line 11  training.batch_size  must be a whole number at least 1. Received: '5'",
        "  line 11  training.epochs      must be a whole number at least 1. Received: 5.5",
        "  line 11  training.patience    must be a whole number at least 1. Received: True",
    ]


def test_an_item_of_a_list_is_found_on_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(
        "task: autoencode\ndata:\n  inputs: [load]\n  input_steps: 24\nmodel:\n  encoder_units:\n  - 8\n  - 0\n",
        encoding="utf-8",
    )
    with pytest.raises(RecipeError, match=r"line 8   model\.encoder_units\.1  must be at least 1\. Received: 0"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("data.output_steps", 0, "must be at least 1. Received: 0"),
        ("data.output_steps", True, "must be a whole number at least 1. Received: True"),
        ("data.gap_steps", -1, "must be at least 0. Received: -1"),
        ("model.dropout", 1.5, "must be in [0, 1). Received: 1.5"),
        ("model.dropout", True, "must be a valid number. Received: True"),
        ("model.bidirectional", "yes", "must be true or false. Received: 'yes'"),
        ("model.cell", "LSTM", "must be 'lstm' or 'gru'. Received: 'LSTM'"),
        ("model.encoder_units", [], "must name at least one. Received: []"),
        ("model.encoder_units", 64, "must be a list, even of one: [64]. Received: 64"),
        ("training.epochs", 5.5, "must be a whole number at least 1. Received: 5.5"),
        ("training.epochs", "5", "must be a whole number at least 1. Received: '5'"),
        ("training.epochs", True, "must be a whole number at least 1. Received: True"),
        ("training.learning_rate", 0, "must be above 0. Received: 0"),
        ("training.learning_rate", "1e-3", "must be a valid number. Received: '1e-3'"),
        ("training.learning_rate", float("inf"), "must be a finite number. Received: inf"),
        ("training.learning_rate", None, "must be a valid number. Received: None"),
        ("training.clip_norm", -1.0, "must be above 0. Received: -1.0"),
        ("training.precision", 16, "must be 'float32', 'mixed_float16' or 'mixed_bfloat16'. Received: 16"),
        ("training.patience", 0, "must be at least 1. Received: 0"),
        ("data.every", "1 hour", "a unit: 30s, 15min, 1h, 1d, 1bd, 1w, 1mo or 1y; or rows. Received: '1 hour'"),
        ("data.every", "0h", "a unit: 30s, 15min, 1h, 1d, 1bd, 1w, 1mo or 1y; or rows. Received: '0h'"),
        ("data.missing", "interpolat", "Received: 'interpolat'; did you mean interpolate?"),
        ("data.scaling", "zscore", "must be 'standard', 'minmax', 'robust' or 'none'. Received: 'zscore'"),
        ("data.split.val", 0, "must be in (0, 1). Received: 0"),
        ("data.split.test", 1.0, "must be in [0, 1). Received: 1.0"),
        ("seed", -1, "must be in [0, 4294967296). Received: -1"),
        ("name", "my run", "must be letters, digits, dots, hyphens and underscores. Received: 'my run'"),
        ("model", None, "must be a section of `key: value` lines. Received: None"),
    ],
)
def test_a_value_out_of_its_range_is_told_with_what_was_expected(key: str, value: Any, said: str) -> None:
    values = forecast_recipe()
    *sections, last = key.split(".")
    place = values
    for section in sections:
        place = place.setdefault(section, {})
    place[last] = value
    message = _message(values)
    assert message.startswith(f"the recipe has 1 problem:\n  recipe   {key}  ")
    assert message.endswith(said)


def test_the_wrong_word_of_a_list_is_named_by_its_place() -> None:
    message = _message(forecast_recipe(calendar=["weekend", "hours"]))
    assert "data.calendar.1  " in message
    assert message.endswith("Received: 'hours'; did you mean hour?")


def test_a_wrong_scaling_of_one_column_is_one_problem() -> None:
    message = _message(forecast_recipe(scaling={"load": "zscore", "heat": "none"}))
    assert message.startswith("the recipe has 1 problem:\n  recipe   data.scaling.load  must be 'standard'")
    assert message.endswith("Received: 'zscore'")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("modell", "unknown key; did you mean model?"),
        ("learning_rate", "unknown key; it belongs to training.learning_rate"),
        (
            "banana",
            "unknown key; known here: task, name, experiment, seed, ensemble, sweep, data, model, training, detect, levels, "
            "intervals",
        ),
    ],
)
def test_an_unknown_key_comes_with_a_hint(key: str, said: str) -> None:
    assert _problems(forecast_recipe() | {key: {}}) == {key: ("unknown_key", said)}


@pytest.mark.parametrize(
    ("section", "key", "meant"),
    [
        ("data", "horizon", "data.output_steps"),
        ("data", "input_chunk_length", "data.input_steps"),
        ("data", "freq", "data.every"),
        ("data", "date", "data.time"),
        ("data", "unique_id", "data.series"),
        ("data", "futr_exog_list", "data.known_future"),
        ("model", "units", "model.encoder_units"),
        ("model", "Hidden_Size", "model.encoder_units"),
        ("training", "lr", "training.learning_rate"),
        ("training", "n_epochs", "training.epochs"),
        ("training", "step_size", "training.learning_rate"),
        ("data", "step_size", "data.every"),
        ("training", "early_stopping", "training.patience"),
        ("data", "lr", "training.learning_rate"),  # of another section
    ],
)
def test_what_other_libraries_call_a_key_leads_to_it(section: str, key: str, meant: str) -> None:
    values = forecast_recipe()
    values[section][key] = 3
    found = _problems(values)[f"{section}.{key}"]
    assert found == ("unknown_key", f"unknown key; did you mean {meant}?")


def test_names_of_other_libraries_lead_to_keys_that_there_are() -> None:
    known = {key.split(".")[-1] for spec in SPECS for key in all_keys(spec.recipe)}
    assert {key for keys in KEYS_OF.values() for key in keys} <= known


def test_a_key_of_the_other_task_is_unknown() -> None:
    assert "model.latent_dim  unknown key; known here: cell" in _message(forecast_recipe(), {"model.latent_dim": 4})
    message = _message(autoencode_recipe(targets=["load"], output_steps=6))
    assert "2 problems" in message
    assert "data.targets       unknown key" in message


@pytest.mark.parametrize(
    ("task", "hint"), [("forecst", "; did you mean forecast?"), ("xyz", ""), (3, ""), (["forecast"], ""), (None, "")]
)
def test_an_unknown_task_is_refused_with_the_known_ones_and_the_most_similar(task: Any, hint: str) -> None:
    code, text = _problems(forecast_recipe() | {"task": task})["task"]
    assert code == "unknown_task"
    assert text.endswith(f"Received: {task!r}{hint}")
    assert all(known in text for known in TASKS)


def test_a_recipe_without_a_task_or_data_says_so() -> None:
    code, text = _problems({"seed": 1})["task"]
    assert code == "missing_key"
    assert all(known in text for known in TASKS)
    assert _problems({"task": "forecast"}) == {"data": ("missing_key", "required, but not given")}


def test_required_keys_that_are_absent_are_all_named() -> None:
    values = forecast_recipe()
    del values["data"]["targets"], values["data"]["input_steps"]
    missing = ("missing_key", "required, but not given")
    assert _problems(values) == {"data.targets": missing, "data.input_steps": missing}


@pytest.mark.parametrize(("val", "test"), [(0.5, 0.5), (0.9, 0.2)])
def test_a_split_that_leaves_nothing_to_train_on_is_refused(val: float, test: float) -> None:
    code, text = _problems(forecast_recipe(split={"val": val, "test": test}))["data.split"]
    assert code == "invalid_split"
    assert text.endswith(f"Received: {val} + {test}")


@pytest.mark.parametrize(
    ("changes", "key", "code", "named"),
    [
        ({"every": None}, "time", "missing_key", "`every: 1h`"),
        ({"time": None, "calendar": []}, "every", "missing_key", "`time: <column>`"),
        ({"time": None, "every": None}, "calendar", "missing_key", "`time: <column>` and `every: <step>`"),
        ({"inputs": ["load", "load"]}, "inputs", "duplicate_column", "load"),
        ({"calendar": ["hour", "hour"]}, "calendar", "duplicate_column", "hour"),
        ({"known_future": ["load"]}, "known_future", "target_leak", "load"),
        ({"limits": {"load": [5.0, 1.0]}}, "limits.load", "invalid_value", "Received: [5, 1]"),
    ],
)
def test_keys_that_contradict_each_other_are_told_together(
    changes: dict[str, Any], key: str, code: str, named: str
) -> None:
    found, text = _problems(forecast_recipe(**changes))[f"data.{key}"]
    assert found == code
    assert named in text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"source": "rows.csv"}, "invalid_value"),
        ({"series": "site"}, "conflicting_keys"),
        ({"missing": "mask"}, "conflicting_keys"),
        ({"limits": {"load": [0.0, 1.0]}}, "conflicting_keys"),
        ({"scaling": {"load": "robust"}}, "conflicting_keys"),
        ({"scaling": "robust"}, "conflicting_keys"),
    ],
)
def test_what_needs_all_rows_at_once_is_refused_of_row_groups(changes: dict[str, Any], code: str) -> None:
    recipe = forecast_recipe(**{"source": "rows.parquet", "read": "row_groups"} | changes)
    (name,) = changes
    ((key, (found, text)),) = _problems(recipe).items()
    assert (key, found) == (f"data.{'read' if name == 'source' else name}", code)
    assert "row_groups" in text or "`data.read: memory`" in text
    recipe["data"]["read"] = "memory"
    parse_recipe(recipe)


def test_a_sweep_reads_its_table_into_memory() -> None:
    space = {"max_trials": 2, "space": {"training.epochs": {"choice": [1, 2]}}}
    recipe = forecast_recipe(source="rows.parquet", read="row_groups") | {"sweep": space}
    assert _problems(recipe)["data.read"][0] == "conflicting_keys"


@pytest.mark.parametrize(
    ("data", "model", "said"),
    [
        (
            {},
            {"segment_steps": 5},
            "data.output_steps  must be a multiple of 5 for `model.segment_steps: 5`, such as 5 or 10.",
        ),
        (
            {},
            {"segment_steps": 5},
            "data.input_steps   must be a multiple of 5 for `model.segment_steps: 5`, such as 20 or 25.",
        ),
        (
            {"input_steps": 100, "output_steps": 12},
            {"segment_steps": 4, "pyramid": 2, "encoder_units": [4, 4, 4]},
            "data.input_steps  must be a multiple of 16 for `model.segment_steps: 4` and `model.pyramid: 2` over 3 encoder "
            "layers, such as 96 or 112. Received: 100",
        ),
        (
            {"output_steps": 2},
            {"segment_steps": 4},
            "data.output_steps  must be a multiple of 4 for `model.segment_steps: 4`, such as 4.",
        ),
        (
            {},
            {"decoder_state": "encoder", "encoder_units": [8, 4]},
            "model.decoder_units  `decoder_state: encoder` needs the encoder's units: [8, 4]. Received: [64]",
        ),
        (
            {},
            {"decoder_state": "encoder", "bidirectional": True},
            "needs the encoder's units, doubled because it is bidirectional: [128]. Received: [64]",
        ),
        (
            {"inputs": ["heat", "load"]},
            {"channels": "independent"},
            "data.inputs  `model.channels: independent` needs the targets first, in their order: [load, heat]. "
            "Received: [heat, load]",
        ),
        (
            {"inputs": ["heat"]},
            {"normalise": "last"},
            "model.normalise  `normalise: last` needs every target among `data.inputs`; add load there",
        ),
        (
            {"missing": "mask"},
            {"normalise": "mean_std"},
            "model.normalise  cannot be combined with `data.missing: mask`",
        ),
        (
            {"missing": "mask"},
            {"channels": "independent"},
            "model.channels  cannot be combined with `data.missing: mask`",
        ),
    ],
)
def test_what_a_model_asks_of_its_data_is_told_before_anything_runs(
    data: dict[str, Any], model: dict[str, Any], said: str
) -> None:
    assert said in _message(forecast_recipe(**data) | {"model": model})


def test_segments_are_checked_for_an_autoencoder_too() -> None:
    message = _message(autoencode_recipe(), {"model.segment_steps": 7})
    assert (
        "data.input_steps  must be a multiple of 7 for `model.segment_steps: 7`, such as 21 or 28. Received: 24"
        in message
    )


@pytest.mark.parametrize(
    ("split", "said"),
    [
        (
            {"train": 10, "val": 5},
            "split.test  must be a number of rows, because `split.train` is one. Received: none",
        ),
        (
            {"train": 10, "val": 5, "test": 0.2},
            "must be a number of rows, because `split.train` is one. Received: 0.2",
        ),
        (
            {"val": 5, "test": 0.2},
            "must be a share in (0, 1), or a number of rows beside `split.train`. Received: 5",
        ),
        ({"train": 0, "val": 5, "test": 5}, "data.split.train  must be at least 1. Received: 0"),
    ],
)
def test_a_split_is_of_shares_or_of_numbers_of_rows(split: dict[str, Any], said: str) -> None:
    message = _message(forecast_recipe(split=split))
    assert "has 1 problem" in message
    assert message.endswith(said)


def test_contradictions_are_told_beside_other_problems_at_their_own_line(tmp_path: Path) -> None:
    text = (
        "task: forecast\ndata:\n  inputs: [load, load]\n  targets: [load]\n  input_steps: 0\n  output_steps: 2\n"
        "  time: when\nmodel: {dropout: 2.0}\n"
    )
    (tmp_path / "wrong.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "wrong.yaml")
    message = str(caught.value)
    assert "has 4 problems" in message
    assert "line 3   data.inputs       `inputs` names load twice" in message
    assert "line 5   data.input_steps  must be at least 1. Received: 0" in message
    assert "line 7   data.time         `time: when` needs the step between rows" in message
    assert "line 8   model.dropout     must be in [0, 1). Received: 2.0" in message


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"scaling": {"laod": "robust"}}, "data.scaling.laod", "did you mean load?"),
        ({"limits": {"rain": [0.0, 9.0]}}, "data.limits.rain", "it uses load, heat"),
    ],
)
def test_settings_of_a_column_that_the_recipe_does_not_use_are_refused(
    changes: dict[str, Any], key: str, said: str
) -> None:
    code, text = _problems(forecast_recipe(**changes))[key]
    assert code == "unused_column"
    assert text.endswith(said)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (forecast_recipe(framing="nextstep"), "data.framing  must be horizon or next_step. Received: 'nextstep'"),
        (autoencode_recipe(framing="next_step"), "data.framing  must be window or whole. Received: 'next_step'"),
        (forecast_recipe(framing=["whole"]), "data.framing  must be horizon or next_step. Received: ['whole']"),
    ],
)
def test_a_framing_of_another_task_is_refused_with_those_of_its_own(recipe: dict[str, Any], said: str) -> None:
    assert said in _message(recipe)
    assert _problems(recipe)["data.framing"][0] == "unknown_framing"


def test_keys_of_windows_are_unknown_to_whole_sequences() -> None:
    message = _message(next_step_recipe(targets=["load"], missing="mask"))
    known = "source, query, table, sheet, format, time, every, time_format, "
    assert f"data.targets  unknown key; known here: {known}" in message
    assert "data.missing  must be 'refuse', 'interpolate' or 'ffill'. Received: 'mask'" in message
    message = _message(whole_recipe(input_steps=4))
    assert "data.input_steps  unknown key" in message
