"""Recipes on tokens and labels: which kind a recipe is, and which keys do not go together."""

from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.errors import RecipeError
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.tasks.tag.recipe import TagTokensRecipe, TagValuesRecipe
from seq2seq_kit.tasks.translate.recipe import TranslateRecipe
from tests.conftest import forecast_recipe, tag_recipe, tag_values_recipe, translate_recipe
from tests.untyped import load_recipe, parse_recipe


def message(values: dict[str, Any]) -> str:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (translate_recipe(), TranslateRecipe),
        (tag_recipe(), TagTokensRecipe),
        (tag_values_recipe(), TagValuesRecipe),
    ],
)
def test_task_and_data_tell_the_kind_and_a_dumped_recipe_is_the_same(
    values: dict[str, Any], kind: type, tmp_path: Path
) -> None:
    recipe = parse_recipe(values)
    assert isinstance(parse_recipe(values), kind)
    (tmp_path / "again.yaml").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "again.yaml") == recipe


def written(path: Path, text: str) -> str:
    """What is said of a file: each line with the code of its problem in front, columns closed up."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    lines = str(caught.value).splitlines()[1:]
    codes = [problem.code for problem in caught.value.problems]
    return "\n".join(f"{code}: {' '.join(line.split())}" for code, line in zip(codes, lines, strict=True))


TRANSLATE = "task: translate\ndata:\n  source_column: a\n  target_column: b\n"
FORECAST = """\
task: forecast
data:
  inputs: [load]
  targets: [load]
  input_steps: 24
  output_steps: 6
"""


def test_true_outputs_are_told_to_be_of_no_use_to_a_repeating_decoder(tmp_path: Path) -> None:
    for text in (TRANSLATE, FORECAST):
        path = tmp_path / "own.yaml"
        line = text.count("\n") + 2
        said = written(path, f"{text}training:\n  teacher_forcing: [1.0, 0.5]\n")
        assert f"unused_key: line {line} training.teacher_forcing " in said
        assert "choose `model.bridge: state` or `attention`" in said
        path.write_text(f"{text}training: {{teacher_forcing: [1.0, 1.0]}}\n")
        assert load_recipe(path)
        path.write_text(f"{text}model: {{bridge: state}}\ntraining: {{teacher_forcing: [1.0, 0.5]}}\n")
        assert load_recipe(path)


@pytest.mark.parametrize("bridge", ["state", "attention"])
@pytest.mark.parametrize(("text", "default"), [(TRANSLATE, 128), (FORECAST, 64)])
def test_a_decoder_that_takes_states_needs_the_encoder_s_units(
    bridge: str, text: str, default: int, tmp_path: Path
) -> None:
    path, line = tmp_path / "own.yaml", text.count("\n") + 3
    said = written(path, f"{text}model:\n  bridge: {bridge}\n  decoder_units: [32]\n")
    assert f"units_differ: line {line} model.decoder_units " in said
    assert f"`bridge: {bridge}` needs the encoder's units: [{default}]. Received: [32]" in said
    said = written(path, f"{text}model: {{bridge: {bridge}, bidirectional: true}}\n")
    assert f"units, doubled because it is bidirectional: [{2 * default}]. Received: [{default}]" in said
    both = f"{{bridge: {bridge}, bidirectional: true, encoder_units: [8, 4], decoder_units: [16, 8]}}"
    path.write_text(f"{text}model: {both}\n")
    assert load_recipe(path)


@pytest.mark.parametrize("bridge", ["state", "attention"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("segment_steps", 2),
        ("channels", "independent"),
        ("normalise", "last"),
        ("position_embedding", True),
        ("decoder_state", "encoder"),
        ("output_dropout", 0.1),
    ],
)
def test_an_autoregressive_decoder_stands_alone(bridge: str, key: str, value: Any, tmp_path: Path) -> None:
    written_as = str(value).lower()
    said = written(tmp_path / "own.yaml", f"{FORECAST}model:\n  bridge: {bridge}\n  {key}: {written_as}\n")
    assert f"conflicting_keys: line 9 model.{key} " in said
    assert f"`bridge: {bridge}`" in said
    assert "choose `bridge: repeat`" in said


def test_an_autoregressive_decoder_begins_at_the_newest_row(tmp_path: Path) -> None:
    text = FORECAST.replace("  output_steps: 6\n", "  output_steps: 6\n  gap_steps: 2\n")
    said = written(tmp_path / "own.yaml", f"{text}model: {{bridge: state}}\n")
    assert "conflicting_keys: line 7 data.gap_steps must be 0 for `bridge: state`" in said
    text = FORECAST.replace("targets: [load]", "targets: [heat]")
    said = written(tmp_path / "own.yaml", f"{text}model: {{bridge: attention}}\n")
    assert "missing_input: line 7 model.bridge `bridge: attention` " in said
    assert "add heat to `data.inputs`" in said


def test_a_pyramid_divides_windows_but_not_texts() -> None:
    pyramid: dict[str, Any] = {"pyramid": 2, "encoder_units": [8, 8], "decoder_units": [8, 8], "bridge": "state"}
    assert parse_recipe(translate_recipe(**pyramid))
    values = forecast_recipe(input_steps=25) | {"model": pyramid}
    assert "must be a multiple of 2 for `model.pyramid: 2` over 2 encoder layers, such as 24 or 26" in message(values)


@pytest.mark.parametrize(
    ("values", "key", "said"),
    [
        (translate_recipe(bridge="copy"), "model.bridge", "Received: 'copy'"),
        (translate_recipe(pyramid=3), "model.pyramid", "Received: 3"),
        (translate_recipe(embedding_dim=0), "model.embedding_dim", "must be at least 1. Received: 0"),
        (translate_recipe(character_units=3), "model.character_units", "unknown key"),
        (tag_recipe(lines=["letter"]), "data.lines", ""),
        (tag_recipe(join_labels={"a": ""}), "data.join_labels.a", ""),
        (tag_values_recipe(targets=["load"]), "data.targets", "unknown key"),
        (tag_values_recipe() | {"model": {"embedding_dim": 3}}, "model.embedding_dim", "unknown key"),
        (tag_recipe() | {"training": {"teacher_forcing": [1.0, 0.0]}}, "training.teacher_forcing", "unknown key"),
        (translate_recipe() | {"training": {"loss": "mse"}}, "training.loss", "unknown key"),
        (
            translate_recipe(bridge="state") | {"training": {"teacher_forcing": [1.5, 0.0]}},
            "training.teacher_forcing.0",
            "Received: 1.5",
        ),
    ],
)
def test_a_wrong_key_or_value_is_named(values: dict[str, Any], key: str, said: str) -> None:
    told = message(values)
    assert f"{key} " in told
    assert said in told


@pytest.mark.parametrize(
    ("values", "key", "code", "named"),
    [
        (tag_values_recipe(inputs=["load", "level"]), "data.labels", "target_leak", "level"),
        (
            translate_recipe() | {"data": {"source_column": "word", "target_column": "word"}},
            "data.target_column",
            "target_leak",
            "`source_column` (word)",
        ),
        (tag_recipe(series="page"), "data.series", "conflicting_keys", "`lines`"),
        (tag_recipe(lines=None), "data.tokens", "missing_key", "`series`"),
        (tag_values_recipe(window_stride=3), "data.window_stride", "unused_key", "tagger"),
        (tag_recipe() | {"model": {"character_dim": 9}}, "model.character_dim", "unused_key", "`character_units`"),
        (translate_recipe(pyramid=2), "model.pyramid", "unused_key", "`encoder_units`"),
    ],
)
def test_keys_that_contradict_or_do_nothing_are_told(values: dict[str, Any], key: str, code: str, named: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(values)
    (problem,) = caught.value.problems
    assert (problem.key, problem.code) == (key, code)
    assert named in problem.text


def test_shares_of_a_split_by_hash_have_their_own_defaults() -> None:
    values = translate_recipe()
    values["data"]["split"] = {"val": 0.88}
    assert parse_recipe(values).data.split.test == 0.1
    values["data"]["split"] = {"val": 0.92}
    with pytest.raises(RecipeError, match=r"Received: 0\.92 \+ 0\.1"):
        parse_recipe(values)
