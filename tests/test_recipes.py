"""Every recipe on disk: parsed, built, fitted for a step through its job, and listed with its figure."""

import re
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.data import read_source
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.classify.recipe import SeriesData, TextsData
from seq2seq_kit.tasks.tag.recipe import TagValuesData
from seq2seq_kit.tasks.translate.recipe import TranslateData
from tests.conftest import ROOT, stand_ins
from tests.untyped import load_recipe

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


NAMES = {
    "autoencode_gestures",
    "autoencode_sine",
    "autoencode_weather",
    "classify_adding",
    "classify_weather",
    "classify_words",
    "detect_machine",
    "detect_taxi",
    "detect_stream",
    "echo",
    "forecast_co2",
    "forecast_etth1",
    "forecast_m4_hourly",
    "forecast_tanks",
    "forecast_traffic",
    "forecast_traffic_intervals",
    "forecast_traffic_segments",
    "forecast_weather",
    "forecast_weather_next_step",
    "forecast_weather_stacked",
    "tag_speech",
    "tag_weather",
    "translate_addition",
    "translate_pronunciation",
}


def test_the_recipes_are_there() -> None:
    assert {path.stem for path in RECIPES} >= NAMES


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_built_and_fitted_for_a_step(path: Path, tmp_path: Path) -> None:
    # As the file has it, but for windows so far apart, or so few rows, that one epoch is a step or two.
    short: dict[str, Any] = {"training.epochs": 1, "training.batch_size": 512} | stand_ins(path.stem, tmp_path)
    data = load_recipe(path).data
    if "window_stride" in type(data).model_fields and not isinstance(data, TagValuesData):
        short["data.window_stride"] = 97
    rows = None
    if isinstance(data, TranslateData):
        rows = read_source(str(data.source)).sample(600, random_state=0)
    elif isinstance(data, TextsData):  # of each label some: the rarest have few in all
        rows = read_source(str(data.source)).groupby(data.label).head(600)
    elif isinstance(data, SeriesData):
        rows = read_source(str(data.source))
        rows = rows[rows[data.series].isin(rows[data.series].unique()[:500])]
    job = open_job(load_recipe(path, short), rows)
    fitted = job.fit(job.build(), [])
    assert fitted.history[0].loss > 0
    assert fitted.best_epoch == 1


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_what_it_does_its_command_and_its_measured_figure(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    header = text.partition("task:")[0]
    assert f"seq2seq-kit train recipes/{path.name}" in header
    assert re.search(r"^# Measured: .*(RMSE|accuracy|exact match|error rate) [\d.,]+.* s on 2 cores", header, re.M)
    assert len(text.splitlines()) <= 40


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_resolved_recipe_reads_back_as_itself(path: Path, tmp_path: Path) -> None:
    recipe = load_recipe(path)
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(tmp_path / "recipe.yaml") == recipe


def test_the_table_of_recipes_has_them_all() -> None:
    table = (ROOT / "recipes" / "README.md").read_text(encoding="utf-8")
    assert len(RECIPES) > 0
    for path in RECIPES:
        assert f"[{path.stem}]({path.name})" in table
