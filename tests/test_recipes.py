"""Every recipe on disk: parsed, built, fitted for a step, and listed with its figure."""

import re
from pathlib import Path

import pytest

from seq2seq_kit.data import prepare, read_source
from seq2seq_kit.recipe import dump_recipe, load_recipe
from seq2seq_kit.tasks.windows import build_model
from seq2seq_kit.training import fit
from tests.conftest import ROOT

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


def test_the_core_recipes_are_there() -> None:
    names = {path.stem for path in RECIPES}
    assert names >= {"forecast_traffic", "forecast_weather", "forecast_co2", "autoencode_weather", "autoencode_sine"}
    assert names >= {"forecast_traffic_segments", "forecast_weather_stacked", "forecast_etth1"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_built_and_fitted_for_a_step(path: Path) -> None:
    # As the file has it, but for windows so far apart that one epoch is a step or two.
    recipe = load_recipe(path, {"training.epochs": 1, "data.window_stride": 97, "training.batch_size": 512})
    assert recipe.data.source is not None
    if recipe.data.source.endswith(".csv") and not Path(recipe.data.source).exists():
        pytest.skip(
            f"{recipe.data.source} is public but not ours to ship; the recipe's header says where it comes from"
        )
    prepared = prepare(recipe.data, read_source(recipe.data.source), origin=recipe.data.source)
    fitted = fit(build_model(recipe, prepared), prepared, recipe.training, seed=0)
    assert fitted.history[0].loss > 0
    assert fitted.best_epoch == 1


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_what_it_does_its_command_and_its_measured_figure(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    header = text.partition("task:")[0]
    assert f"seq2seq-kit train recipes/{path.name}" in header
    assert re.search(r"^# Measured: .*RMSE [\d.,]+.* s on 2 cores", header, re.M)
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
