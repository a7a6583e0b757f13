"""Recipes from text: numbers, duplicate keys, overrides, and the way back to YAML."""

import json
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from seq2seq_kit.errors import Problem, RecipeError
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.tasks import SPECS, TASKS, recipe_class
from seq2seq_kit.tasks.autoencode.recipe import AutoencodeRecipe
from seq2seq_kit.tasks.forecast.recipe import ForecastRecipe
from tests.conftest import ROOT, autoencode_recipe, forecast_recipe
from tests.untyped import json_schema, load_recipe, parse_recipe

FORECAST = """\
task: forecast
data:
  time: time
  every: 1h
  inputs: [load]
  targets: [load]
  input_steps: 24
  output_steps: 6
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    return tmp_path / "hours.yaml"


def _load(path: Path, text: str, overrides: Any = ()) -> Any:
    path.write_text(text, encoding="utf-8")
    return load_recipe(path, overrides)


@pytest.mark.parametrize(
    ("written", "value"),
    [("1e-3", 1e-3), ("1E-3", 1e-3), (".5", 0.5), ("1", 1.0), ("2.5e-4", 2.5e-4), ("+1.e-2", 1e-2)],
)
def test_every_spelling_of_a_number_is_read_as_one(recipe_file: Path, written: str, value: float) -> None:
    recipe = _load(recipe_file, f"{FORECAST}training: {{learning_rate: {written}}}\n")
    assert recipe.training.learning_rate == value
    assert type(recipe.training.learning_rate) in (int, float)


def test_a_recipe_is_named_after_its_file_unless_it_has_a_name(recipe_file: Path) -> None:
    assert _load(recipe_file, FORECAST).name == "hours"
    assert _load(recipe_file, FORECAST + "name: mine\n").name == "mine"


def test_defaults_come_before_the_recipe_and_overrides_after_it(recipe_file: Path) -> None:
    text = FORECAST + "training: {epochs: 7}\n"
    assert _load(recipe_file, FORECAST).training.epochs == 30
    assert _load(recipe_file, text).training.epochs == 7
    assert _load(recipe_file, text, ["training.epochs=9"]).training.epochs == 9
    assert _load(recipe_file, text, ["training.epochs=9", "training.epochs=11"]).training.epochs == 11


def test_overrides_read_yaml_values_and_reach_sections_the_file_lacks(recipe_file: Path) -> None:
    recipe = _load(
        recipe_file,
        FORECAST,
        [
            "model.encoder_units=[32, 16]",
            "model.bidirectional=true",
            "training.learning_rate=1E-2",
            "training.patience=null",
        ],
    )
    assert recipe.model.encoder_units == [32, 16]
    assert recipe.model.bidirectional is True
    assert recipe.training.learning_rate == 0.01
    assert recipe.training.patience is None


def test_overrides_as_text_and_as_a_mapping_agree() -> None:
    values = forecast_recipe()
    by_text = parse_recipe(values, ["training.epochs=5", "data.split.val=0.2"])
    assert by_text == parse_recipe(values, {"training.epochs": 5, "data.split.val": 0.2})
    assert by_text == parse_recipe(values, ["training.epochs = 5", "data.split.val = 0.2"])


def test_an_override_does_not_change_the_mapping_it_was_given() -> None:
    values = forecast_recipe()
    parse_recipe(values, {"training.epochs": 5})
    assert values["training"]["epochs"] == 3


def test_an_override_fills_a_section_that_stands_empty(recipe_file: Path) -> None:
    assert _load(recipe_file, FORECAST + "model:\n", ["model.dropout=0.2"]).model.dropout == 0.2


def test_a_windows_path_with_a_colon_stays_text(recipe_file: Path) -> None:
    recipe = _load(recipe_file, FORECAST, ["data.source=C:\\data: new.csv"])
    assert recipe.data.source == "C:\\data: new.csv"


def test_a_date_as_a_value_stays_text(recipe_file: Path) -> None:
    text = FORECAST.replace("  inputs: [load]", "  inputs: [load]\n  series: 2024-01-31")
    assert _load(recipe_file, text).data.series == "2024-01-31"


def test_a_byte_order_mark_is_no_part_of_the_first_key(recipe_file: Path) -> None:
    assert _load(recipe_file, "\ufeff" + FORECAST) == _load(recipe_file, FORECAST)


@pytest.mark.parametrize("override", ["training.epochs", "=5", "training.epochs:5"])
def test_an_override_without_key_and_value_is_refused(override: str) -> None:
    with pytest.raises(RecipeError, match=rf"key=value.*Received: {override}$") as caught:
        parse_recipe(forecast_recipe(), [override])
    assert (caught.value.code, caught.value.problems) == ("invalid_override", ())


def test_an_override_into_a_value_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"data\.inputs\.0: inputs is a value.*\['load', 'heat'\]"):
        parse_recipe(forecast_recipe(), ["data.inputs.0=load"])


def test_a_wrong_override_is_told_apart_from_the_file(recipe_file: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        _load(recipe_file, FORECAST + "seed: -1\n", ["training.epochs=0", "model.cel=gru"])
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("hours.yaml has 3 problems:")
    assert "  override training.epochs  must be at least 1. Received: 0" in lines
    assert "  override model.cel        unknown key; did you mean model.cell?" in lines
    assert lines[-1].startswith("  line 9   seed ")


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        (FORECAST + "model:\n  dropout: 0.1\n  cell: gru\n  dropout: 0.2\n", 12, "dropout"),
        (FORECAST + "model: {dropout: 0.1, dropout: 0.2}\n", 9, "dropout"),
        (FORECAST + "task: autoencode\n", 9, "task"),
    ],
)
def test_a_duplicate_key_is_refused_with_its_line(recipe_file: Path, text: str, line: int, key: str) -> None:
    with pytest.raises(RecipeError, match=rf"\n  line {line}  {key} ") as caught:
        _load(recipe_file, text)
    assert [(problem.key, problem.code) for problem in caught.value.problems] == [(key, "duplicate_key")]


@pytest.mark.parametrize("indent", ["\tdropout: 0.1", "  dropout:\t0.1\n\tcell: gru"])
def test_a_tab_is_named_as_the_cause(recipe_file: Path, indent: str) -> None:
    with pytest.raises(RecipeError, match=r"line 1[01]  a tab; YAML is indented with spaces only") as caught:
        _load(recipe_file, f"{FORECAST}model:\n{indent}\n")
    assert caught.value.code == "invalid_yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b: c\n", "line 1  mapping values are not allowed here"),
        ("task: forecast\ndata: [\n", r"line 3  .*found '<stream end>'"),
        ("task: forecast\n---\ntask: autoencode\n", "line 2  .*another document"),
        ("", r"mapping that begins with `task:`\. Received: an empty file"),
        ("- a\n", r"mapping that begins with `task:`\. Received: a list"),
        ("hello\n", r"mapping that begins with `task:`\. Received: 'hello'"),
    ],
)
def test_what_is_no_recipe_is_refused_with_its_place(recipe_file: Path, text: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        _load(recipe_file, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"nowhere\.yaml") as caught:
        load_recipe(tmp_path / "nowhere.yaml")
    assert caught.value.code == "missing_recipe"


def test_a_folder_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path)
    assert caught.value.code == "unreadable_recipe"
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match=r"cannot read the recipe .*x\.yaml: .*0xff"):
        load_recipe(tmp_path / "x.yaml")


RICH = {
    "data.split": {"val": 0.1, "test": 0.25},
    "data.scaling": {"load": "robust", "heat": "none"},
    "data.limits": {"load": [0.0, 1e6]},
    "training.learning_rate": 1.0 / 3.0,
    "training.patience": None,
    "seed": 2**32 - 1,
}


@pytest.mark.parametrize(
    "values", [forecast_recipe(), autoencode_recipe(), forecast_recipe(source="no", series="null")]
)
@pytest.mark.parametrize("overrides", [{}, RICH, {"data.split": {"train": 100, "val": 20, "test": 30}}])
def test_a_dumped_recipe_loads_as_the_same_recipe(
    recipe_file: Path, values: dict[str, Any], overrides: dict[str, Any]
) -> None:
    recipe = parse_recipe(values, overrides)
    assert _load(recipe_file, dump_recipe(recipe)) == recipe


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_on_disk_survives_a_dump(recipe_file: Path, path: Path) -> None:
    recipe = load_recipe(path)
    assert _load(recipe_file, dump_recipe(recipe)) == recipe


def test_there_are_recipes_on_disk() -> None:
    assert len(list((ROOT / "recipes").glob("*.yaml"))) >= 5


def test_a_recipe_cannot_be_changed() -> None:
    recipe = parse_recipe(forecast_recipe())
    with pytest.raises(ValueError, match="frozen"):
        recipe.training.epochs = 1


def _definition(schema: dict[str, Any], model: type[ForecastRecipe] | type[AutoencodeRecipe]) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"][model.__name__]
    return found


def test_the_json_schema_tells_tasks_apart_and_refuses_unknown_keys() -> None:
    schema = json_schema()
    kinds = {spec.recipe.__name__ for spec in SPECS}
    chosen = json.dumps(schema["allOf"])
    assert all(f'"#/$defs/{kind}"' in chosen for kind in kinds)
    assert all(part["additionalProperties"] is False for part in schema["$defs"].values())
    assert set(_definition(schema, ForecastRecipe)["required"]) == {"task", "data"}
    assert "latent_dim" in schema["$defs"]["AutoencodeModel"]["properties"]
    assert "latent_dim" not in schema["$defs"]["ForecastModel"]["properties"]


@cache
def schema_validator() -> Draft202012Validator:
    return Draft202012Validator(json_schema())


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_json_schema_takes_every_recipe_and_shows_a_mistake_at_its_key(path: Path) -> None:
    tree, validator = YAML(typ="safe").load(path), schema_validator()
    assert [error.message for error in validator.iter_errors(tree)] == []
    tree["data"]["inptus"] = ["load"]
    tree["model"]["cell"] = "rnn"
    found = {tuple(error.absolute_path): error.message for error in validator.iter_errors(tree)}
    assert set(found) == {("data",), ("model", "cell")}
    assert "'inptus' was unexpected" in found["data",]


def test_the_json_schema_chooses_the_kind_that_is_chosen_in_reading() -> None:
    schema = json_schema()
    sections: list[dict[str, Any]] = [
        {},
        {"inputs": ["a"]},
        {"text": "a"},
        {"series": "a"},
        {"series": "a", "input_steps": 3},
        {"framing": "next_step"},
        {"framing": "whole"},
    ]
    for task, data, model in product(TASKS, sections, ("none", {})):
        tree = {"task": task, "data": data, "model": model}
        kind = recipe_class(tree)
        if isinstance(kind, Problem):  # no kind of this task has such a key
            continue
        part: dict[str, Any] = next(
            each["then"] for each in schema["allOf"] if Draft202012Validator(each["if"]).is_valid(tree)
        )
        while "if" in part:
            part = part["then" if Draft202012Validator(part["if"]).is_valid(tree) else "else"]
        assert part["$ref"] == f"#/$defs/{kind.__name__}", tree


def test_the_json_schema_carries_the_bounds_and_a_word_on_each_key() -> None:
    data = json_schema()["$defs"]["ForecastData"]
    assert data["required"] == ["inputs", "input_steps", "targets", "output_steps"]
    assert data["properties"]["output_steps"]["minimum"] == 1
    assert json_schema()["$defs"]["ForecastModel"]["properties"]["dropout"] | {"description": ""} == {
        "default": 0.0,
        "description": "",
        "exclusiveMaximum": 1,
        "minimum": 0,
        "title": "Dropout",
        "type": "number",
    }
    sections = json_schema()["$defs"].items()
    keys = [(kind, *key) for kind, part in sections for key in part.get("properties", {}).items()]
    silent = [(kind, name) for kind, name, key in keys if not key.get("description")]
    assert silent == []


def test_a_file_name_with_a_space_makes_a_name_that_mlflow_takes(tmp_path: Path) -> None:
    (tmp_path / "my sales (2).yaml").write_text(
        dump_recipe(parse_recipe(forecast_recipe(), {"name": None})), encoding="utf-8"
    )
    assert load_recipe(tmp_path / "my sales (2).yaml").name == "my_sales_2_"


def test_aliases_are_refused_before_they_unfold(recipe_file: Path) -> None:
    lines = ["a: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    recipe_file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"YAML aliases \(\*name\)") as caught:
        load_recipe(recipe_file)
    assert caught.value.code == "invalid_yaml"
