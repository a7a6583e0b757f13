"""Every recipe on disk: parsed, built, fitted for a step through its job, and listed with its figure."""

import re
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.recipe import dump_recipe, load_recipe
from seq2seq_kit.tasks import open_job
from tests.conftest import ROOT

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


def test_the_core_recipes_are_there() -> None:
    names = {path.stem for path in RECIPES}
    assert names >= {
        "autoencode_sine",
        "autoencode_weather",
        "echo",
        "forecast_co2",
        "forecast_traffic",
        "forecast_weather",
    }


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_built_and_fitted_for_a_step(path: Path) -> None:
    # As the file has it, but for windows so far apart that one epoch is a step or two.
    short: dict[str, Any] = {"training.epochs": 1, "training.batch_size": 512}
    if "window_stride" in type(load_recipe(path).data).model_fields:
        short["data.window_stride"] = 97
    job = open_job(load_recipe(path, short))
    fitted = job.fit(job.build(), [])
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
