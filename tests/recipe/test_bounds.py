"""What a recipe may be at most, and that what is beyond is told: size, depth, numbers, texts, ranges, memory."""

import warnings
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit import cli, tasks
from seq2seq_kit.errors import KitWarning, RecipeError
from seq2seq_kit.recipe import check_space
from seq2seq_kit.recipe.loading import warn_of_searched
from seq2seq_kit.recipe.sweep import Knob, can_have
from seq2seq_kit.tasks.model_memory import least_activations, least_parameters
from seq2seq_kit.validation import validate
from tests.conftest import forecast_recipe, hourly_frame, reversed_words, tag_recipe, translate_recipe
from tests.tasks.classify.conftest import texts_recipe, words_frame
from tests.untyped import load_recipe, parse_recipe

HEAD = "task: forecast\ndata:\n  inputs: [load]\n  targets: [load]\n  input_steps: 24\n  output_steps: 6\n"


def refused(folder: Path, line: str, code: str) -> str:
    path = folder / "recipe.yaml"
    path.write_text(f"{HEAD}{line}\n", encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert caught.value.code == code
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("seed: !!int abc", "line 7  must be of the kind int. Write a value of that kind, or quote it if it is a text. Received"),
        ("training: {learning_rate: !!float abc}", "line 7  must be of the kind float"),
        ("name: 2024-13-45", "line 7  must be of the kind timestamp"),
        (f"seed: {'9' * 5_000}", "line 7  must be of the kind int"),
    ],
)  # fmt: skip
def test_a_value_that_is_not_of_its_kind_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    message = refused(tmp_path, line, "invalid_yaml")
    assert said in message
    assert len(message) < 1_000


@pytest.mark.parametrize(
    "value", ["[" * 300 + "]" * 300, "[" * 25 + "]" * 25, "[" * 100_000, "{a: " * 1_000 + "1" + "}" * 1_000]
)
def test_brackets_in_brackets_have_an_end(tmp_path: Path, value: str) -> None:
    assert "more than 20 sections or lists" in refused(tmp_path, f"seed: {value}", "recipe_too_deep")
    with pytest.raises(RecipeError, match="more than 20"):
        parse_recipe(forecast_recipe(), [f"seed={value}"])


def test_a_list_that_holds_itself_is_refused() -> None:
    values: list[Any] = []
    values.append(values)
    with pytest.raises(RecipeError) as caught:
        parse_recipe(forecast_recipe(inputs=values))
    assert caught.value.code == "recipe_too_deep"


def test_a_file_of_more_than_a_megabyte_is_no_recipe(tmp_path: Path) -> None:
    assert "1,048,576 bytes" in refused(tmp_path, "#" * 2**20, "recipe_too_large")


@pytest.mark.parametrize(("bits", "sign"), [(63, 1), (63, -1), (400, 1), (40_000, -1)])
def test_a_number_of_more_than_64_bits_is_refused_at_its_key(bits: int, sign: int) -> None:
    with pytest.raises(RecipeError, match=r"data\.gap_steps  must be a whole number below 2\^63") as caught:
        parse_recipe(forecast_recipe(gap_steps=sign * 2**bits))
    assert caught.value.problems[0].code == "out_of_bounds"


def test_half_a_character_is_refused_at_its_key(tmp_path: Path) -> None:
    assert "name  must be text that UTF-8 can hold" in refused(tmp_path, 'name: "\\ud800"', "invalid_recipe")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("data.gap_steps", 2**31, "must be in [0, 2147483647]"),
        ("data.window_stride", 2**40, "must be in [1, 2147483647]"),
        ("data.split.train", 2**31, "must be in [1, 2147483647]"),
        ("training.batch_size", 2**62, "must be in [1, 2147483647]"),
        ("training.epochs", 10**12, "must be in [1, 2147483647]"),
        ("model.encoder_units", [1] * 101, "must hold at most 100 values. Received: 101"),
        ("model.encoder_units", [2**31], "must be in [1, 2147483647]"),
        ("data.every", "999999999d", "must be at most 100 years, 36525d. Received: '999999999d'"),
        ("data.every", "101y", "must be at most 100 years, 100y"),
        ("data.every", "9" * 5_000 + "d", "must have at most 20 characters"),
        ("data.time", "", "must have at least 1 character"),
        ("name", "n" * 251, "must have at most 250 characters"),
    ],
)
def test_what_a_key_takes_at_most_is_told(key: str, value: object, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(forecast_recipe(), {key: value})
    assert said in str(caught.value).replace("should have", "must have")
    assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize(
    ("span", "said"),
    [
        ({"float": {"min_value": 1e-320, "max_value": 1e308, "sampling": "log"}}, "from 1e-30 to 1e+30 in size"),
        ({"float": {"min_value": 0.0, "max_value": 1e300}}, "from 1e-30 to 1e+30 in size"),
        ({"int": {"min_value": 1, "max_value": 2**62, "step": 1}}, "holds more than 10,000,000 values"),
        ({"float": {"min_value": 0.0, "max_value": 1.0, "step": 1e-9}}, "holds more than 10,000,000 values"),
        ({"choice": list(range(1_001))}, "must hold at most 1,000 values"),
    ],
)
def test_a_range_of_a_sweep_has_an_end(span: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(forecast_recipe() | {"sweep": {"space": {"training.learning_rate": span}}})
    assert said in str(caught.value)
    assert len(str(caught.value)) < 3_000


@pytest.mark.parametrize(("metric", "value"), [("folds", 10**6), ("max_trials", 10**9), ("max_minutes", 1e300)])
def test_a_budget_of_a_sweep_has_an_end(metric: str, value: float) -> None:
    space = {"training.batch_size": {"choice": [16, 32]}}
    with pytest.raises(RecipeError, match=rf"sweep\.{metric} +must be .*\d\]?\. Received"):
        parse_recipe(forecast_recipe() | {"sweep": {metric: value, "space": space}})


@pytest.mark.parametrize(
    ("knob", "has", "lacks"),
    [
        (Knob("a", "int", 1, 10_000_000, 3), (1, 4, 9_999_997), (2, 9_999_998, 0)),
        (Knob("a", "float", 0.0, 1.0, 0.1), (0.3, 1.0), (0.35, 1.1)),
        (Knob("a", "int", 8, 64, 2, "log"), (8, 16, 64), (24, 128)),
        (Knob("a", "int", 8, 64, 2, "reverse_log"), (64, 56, 40, 8), (16, 32)),
    ],
)
def test_whether_a_range_has_a_value_is_computed(knob: Knob, has: tuple[float, ...], lacks: tuple[float, ...]) -> None:
    assert [can_have(knob, value) for value in has] == [True] * len(has)
    assert [can_have(knob, value) for value in lacks] == [False] * len(lacks)


def test_a_message_has_an_end() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(forecast_recipe() | {"x" * 10_000: 1} | {f"key{number}": "y" * 10_000 for number in range(400)})
    assert len(caught.value.problems) == 401
    assert len(str(caught.value)) < 20_000
    assert "and 351 more" in str(caught.value)


def test_a_model_that_memory_cannot_hold_is_told_before_anything_is_built() -> None:
    recipe = parse_recipe(forecast_recipe(), {"model.encoder_units": [200_000]})
    assert least_parameters(recipe) == 4 * 200_000 * 200_001 + 4 * 8 * 9
    with pytest.raises(
        RecipeError, match=r"at least 160,000,800,288 parameters, which take 2,560\.0 GB to train .* are free"
    ) as caught:
        validate(recipe, data=hourly_frame(200))
    assert caught.value.code == "model_too_large"


@pytest.mark.parametrize(
    ("model", "count"),
    [
        ({"encoder_units": [8, 4], "decoder_units": [2]}, 4 * (8 * 9 + 4 * 5 + 8 * 4 + 2 * 3)),
        ({"cell": "gru", "bidirectional": True, "encoder_units": [8], "decoder_units": [2]}, 3 * (2 * 8 * 9 + 2 * 3)),
    ],
)
def test_the_least_number_of_parameters_is_a_lower_bound(model: dict[str, Any], count: int) -> None:
    recipe = parse_recipe(forecast_recipe() | {"model": model})
    assert least_parameters(recipe) == count
    assert count < tasks.open_job(recipe, hourly_frame(200)).build().count_params()


def test_an_embedding_counts_with_the_layer_that_reads_it() -> None:
    for recipe, frame, change in (
        (translate_recipe(), reversed_words(), {"model.embedding_dim": 40, "model.bidirectional": True}),
        (texts_recipe(), words_frame(), {"model.embedding_dim": 40}),
    ):
        own = parse_recipe(recipe, change)
        counted, built = least_parameters(own), tasks.open_job(own, frame).build().count_params()
        assert 0.5 * built < counted < built
    tagger = parse_recipe(tag_recipe(), {"model.units": [8], "model.embedding_dim": 40, "model.character_units": 5})
    characters = 3 * 2 + 2 * 4 * 5 * (5 + 1 + 2)
    assert least_parameters(tagger) == 3 * 40 + 2 * 4 * 8 * (8 + 1 + 40) + characters


@pytest.mark.parametrize(
    ("model", "data", "numbers"),
    [
        ({}, {}, 64 * 4 * (8 * 24 + 8 * 6)),
        ({"cell": "gru", "bidirectional": True, "encoder_units": [8, 4]}, {}, 64 * 3 * (2 * 24 * 12 + 8 * 6)),
        ({"segment_steps": 6}, {}, 64 * 4 * (8 * 4 + 8 * 1)),
    ],
)
def test_the_least_activations_are_the_gates_of_every_step(
    model: dict[str, Any], data: dict[str, Any], numbers: int
) -> None:
    recipe = forecast_recipe(input_steps=24, output_steps=6, **data)
    recipe["model"] = {"encoder_units": [8], "decoder_units": [8]} | model
    recipe["training"]["batch_size"] = 64
    assert least_activations(parse_recipe(recipe), 1_000) == numbers
    assert least_activations(parse_recipe(recipe), 10) == numbers * 10 / 64


def test_a_batch_that_memory_cannot_hold_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_kit.tasks.model_memory.free_memory", lambda: 20_000_000)
    recipe = forecast_recipe()
    tasks.open_job(parse_recipe(recipe, {"model.encoder_units": [64]}), hourly_frame(600))
    with pytest.raises(
        RecipeError, match=r"its steps of a batch of \d+ take .* smaller training\.batch_size"
    ) as caught:
        tasks.open_job(
            parse_recipe(recipe, {"model.encoder_units": [512], "training.batch_size": 4096}), hourly_frame(600)
        )
    assert caught.value.code == "model_too_large"


@pytest.mark.parametrize("space", [{"int": {"min_value": 8, "max_value": 200_000}}, {"choice": [8, 200_000]}])
def test_a_space_with_a_model_that_memory_cannot_hold_is_told(space: dict[str, Any]) -> None:
    recipe = forecast_recipe() | {"sweep": {"space": {"model.encoder_units.0": space}}}
    with pytest.raises(RecipeError, match=r"with model\.encoder_units\.0.*200,?000.* of the sweep's space") as caught:
        validate(parse_recipe(recipe), data=hourly_frame(200))
    assert caught.value.code == "model_too_large"
    smaller = {"int": {"min_value": 8, "max_value": 16}} if "int" in space else {"choice": [8, 16]}
    fits = forecast_recipe() | {"sweep": {"space": {"model.encoder_units.0": smaller}}}
    validate(parse_recipe(fits), data=hourly_frame(200))


def swept() -> Any:
    space = {"training.epochs": {"choice": [1, 2, 3]}, "model.encoder_units.0": {"choice": [4, 8]}}
    return parse_recipe(forecast_recipe() | {"sweep": {"space": space}}, ["training.epochs=2"])


@pytest.mark.parametrize("override", ["training.epochs=2", "model.encoder_units=[8]"])
def test_an_override_of_a_key_that_is_searched_is_told(override: str) -> None:
    with pytest.warns(KitWarning, match="so the value is that of trial 1") as caught:
        warn_of_searched(swept(), [override])
    message = caught[0].message
    assert isinstance(message, KitWarning)
    assert message.code == "searched_override"


def test_an_override_of_another_key_needs_no_word() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_searched(swept(), ["training.batch_size=8", "training.epoch=1"])
        warn_of_searched(parse_recipe(forecast_recipe()), ["training.epochs=2"])
    check_space(swept())


def test_list_shows_what_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "recipes" / "folder.yaml").mkdir(parents=True)
    (tmp_path / "recipes" / "latin.yaml").write_bytes(b"# caf\xe9\n")
    (tmp_path / "recipes" / "good.yaml").write_text("# what [it] does\n", encoding="utf-8")
    assert cli.main(["list", "recipes"]) == 0
    said = capsys.readouterr().out
    assert "no UTF-8 text" in said
    assert "cannot be read" in said
    assert "what [it] does" in said


@pytest.mark.parametrize("name", ["n" * 300, "a\0b"])
def test_a_name_that_no_file_can_have_is_told(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["validate", name], ["predict", f"{name}/x", "--text", "a"]):
        assert cli.main(arguments) in (1, 2)
        assert capsys.readouterr().err.startswith("error[")
    for source in (name, f"{name}.csv", f"{name}.parquet"):
        with pytest.raises(Exception, match=r"there is no file|cannot read") as caught:
            validate(parse_recipe(forecast_recipe(source=source)))
        assert getattr(caught.value, "code", "") in ("file_not_found", "unreadable_file")


def test_brackets_in_names_open_nothing(tmp_path: Path) -> None:
    names = ", ".join([f'"[ {number}"' for number in range(90)] + [f"'{{ {number}'" for number in range(90)])
    (tmp_path / "recipe.yaml").write_text(HEAD.replace("[load]", f"[{names}]  # [[["), encoding="utf-8")
    assert len(load_recipe(tmp_path / "recipe.yaml").data.inputs) == 180
