"""A run of the baselines alone: `model: none`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2seq_kit import load, train
from seq2seq_kit.errors import RecipeError
from seq2seq_kit.tasks import open_job
from tests.conftest import forecast_recipe, hourly_frame
from tests.untyped import parse_recipe


def alone(**data: Any) -> dict[str, Any]:
    recipe = forecast_recipe(**data)
    del recipe["training"]
    return recipe | {"model": "none"}


@pytest.mark.slow
def test_a_run_of_baselines_is_logged_and_its_bundle_forecasts_by_the_best(tmp_path: Path) -> None:
    frame = hourly_frame(400)
    result = train(alone(), data=frame, tracking_uri=str(tmp_path / "runs"))
    bundle: Any = load(result.run_id, tracking_uri=str(tmp_path / "runs"))
    errors = {name: result.val.error_of(name) for name in result.val.baselines}
    assert bundle.chosen == min(errors, key=lambda name: errors[name])
    assert result.val.error_of() == errors[bundle.chosen]
    assert [finding.code for finding in result.findings if finding.code == "no_model"]
    assert not [finding for finding in result.findings if finding.code == "no_epoch_finished"]
    own, asked = bundle.predict(frame), bundle.predict(frame, baseline=bundle.chosen)
    np.testing.assert_array_equal(own["load"], asked["load"])
    other = next(name for name in errors if name != bundle.chosen)
    assert not np.allclose(bundle.predict(frame, baseline=other)["load"], own["load"])


@pytest.mark.parametrize("data", [{}, {"targets": ["heat", "load"], "calendar": []}])
def test_its_keras_model_is_ridge(data: dict[str, Any]) -> None:
    job: Any = open_job(parse_recipe(alone(**data)), hourly_frame(400))
    model = job.build()
    job.fit(model, [])
    bundle = job.bundle(model, {})
    prepared, windows = job.prepared, np.arange(job.prepared.count("test"))
    scaled = bundle.forward(prepared.arrays("test", windows))
    np.testing.assert_allclose(
        prepared.restore(scaled, "test", windows), job.ridge(prepared, "test", windows), rtol=2e-4
    )


def test_the_word_and_its_stored_form_are_the_same_recipe() -> None:
    first = parse_recipe(alone())
    assert parse_recipe(first.model_dump(exclude_none=True)) == first


@pytest.mark.parametrize("more", [{"task": "autoencode"}, {"framing": "next_step"}])
def test_other_tasks_have_a_model(more: dict[str, Any]) -> None:
    recipe = alone()
    recipe["data"] |= {key: value for key, value in more.items() if key == "framing"}
    recipe |= {key: value for key, value in more.items() if key == "task"}
    with pytest.raises(RecipeError, match="for forecasts over a horizon") as caught:
        parse_recipe(recipe)
    assert [problem.code for problem in caught.value.problems] == ["not_without_model"]


def test_there_is_nothing_to_search() -> None:
    space = {"training.epochs": {"choice": [1, 2]}}
    with pytest.raises(RecipeError, match="nothing to search"):
        parse_recipe(alone() | {"sweep": {"space": space}})
