"""What a forecast recipe gets that leaves the form of its model open, and that others keep their meaning."""

from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.recipe import dump_recipe, trial_recipe
from seq2seq_kit.recipe.yaml import read_yaml
from seq2seq_kit.tasks import load_recipe
from tests.conftest import ROOT, forecast_recipe
from tests.untyped import parse_recipe

OPEN: dict[str, Any] = {"encoder_units": [8], "decoder_units": [8]}


def model_of(model: dict[str, Any] | None, sweep: dict[str, Any] | None = None, **data: Any) -> tuple[bool, str]:
    recipe = forecast_recipe(**data)
    del recipe["model"]
    recipe |= {} if model is None else {"model": model}
    recipe |= {} if sweep is None else {"sweep": {"space": sweep}}
    found = parse_recipe(recipe).model
    return found.linear_skip, found.normalise


def test_an_open_model_begins_as_a_line_and_follows_the_level() -> None:
    assert model_of(None) == model_of({}) == model_of(OPEN) == model_of({"cell": "gru"}) == (True, "last")


def test_what_is_said_stands() -> None:
    assert model_of({"normalise": "none"}) == (True, "none")
    assert model_of({"normalise": "mean_std"}) == (True, "mean_std")
    assert model_of({"linear_skip": False}) == (False, "last")


@pytest.mark.parametrize(
    "data", [{"missing": "mask"}, {"inputs": ["heat"]}, {"known_future": ["load"], "targets": ["heat"]}]
)
def test_a_window_without_a_newest_value_is_not_normalised(data: dict[str, Any]) -> None:
    normalise = "last" if "known_future" in data else "none"
    assert model_of(OPEN, **data) == (True, normalise)


@pytest.mark.parametrize("bridge", ["state", "attention"])
def test_an_autoregressive_decoder_is_as_it_was(bridge: str) -> None:
    assert model_of({"bridge": bridge}) == (False, "none")


def test_a_stored_recipe_of_before_keeps_its_meaning() -> None:
    recipe = forecast_recipe()
    stored = parse_recipe(recipe).model.model_dump()
    del stored["linear_skip"]  # which nobody wrote then
    assert model_of(stored) == (False, "none")


def test_a_resolved_recipe_reads_as_itself(tmp_path: Path) -> None:
    recipe = forecast_recipe()
    del recipe["model"]
    resolved = parse_recipe(recipe)
    path = tmp_path / "small_forecast.yaml"
    path.write_text(dump_recipe(resolved))
    assert load_recipe(path) == resolved


def test_a_sweep_over_what_they_depend_on_leaves_them_off() -> None:
    bridges = {"model.bridge": {"choice": ["repeat", "state"]}}
    assert model_of(OPEN, bridges) == (False, "none")
    assert model_of(OPEN, {"data.inputs": {"choice": [["load"], ["heat"]]}}) == (True, "none")
    recipe = forecast_recipe() | {"model": OPEN, "sweep": {"space": {"model.linear_skip": {"boolean": {}}}}}
    trial: Any = trial_recipe(parse_recipe(recipe), {"model.linear_skip": False})
    assert (trial.model.linear_skip, trial.model.normalise) == (False, "last")


def test_every_forecast_of_the_kit_says_what_it_wants() -> None:
    said = []
    for path in sorted((ROOT / "recipes").glob("forecast_*.yaml")):
        loaded: Any = load_recipe(path)
        written: Any = read_yaml(path.read_text(), str(path))
        if hasattr(loaded.model, "linear_skip") and loaded.model.bridge == "repeat":
            said.append(path.stem)
            assert {"linear_skip", "normalise"} <= set(written["model"])
    assert len(said) >= 5
