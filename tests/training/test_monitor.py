"""`training.monitor` names the figure whose best epoch is kept."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from seq2seq_kit.errors import DataError, RecipeError
from seq2seq_kit.tasks import open_job
from tests.conftest import forecast_recipe, hourly_frame, levelled_frame, tag_values_recipe
from tests.conftest import train_unseen as train
from tests.untyped import parse_recipe


def monitored(recipe: dict[str, Any], **training: Any) -> dict[str, Any]:
    return recipe | {"training": recipe["training"] | training}


@pytest.mark.slow
@pytest.mark.parametrize("transform", [{}, {"transform": {"load": "log"}}])
def test_a_forecast_keeps_the_epoch_of_the_smallest_mase(transform: dict[str, Any], tmp_path: Path) -> None:
    recipe = forecast_recipe(series="site", **transform)
    recipe = monitored(recipe, monitor="val_mase", epochs=5, learning_rate=0.08, patience=None)
    frame = hourly_frame(300, series=("north", "south"))
    frame.loc[frame["site"] == "south", "load"] *= 50  # whose error in units is all that a pooled loss would see
    result = train(recipe, data=frame, tracking_uri=str(tmp_path / "runs"))
    figures = [epoch.metrics["val_mase"] for epoch in result.fit.history]
    assert result.fit.best_epoch == figures.index(min(figures)) + 1
    assert len(set(figures)) == 5
    assert result.val.metrics()["mase"] == pytest.approx(min(figures), rel=1e-5)


@pytest.mark.slow
def test_a_tagger_keeps_the_epoch_of_the_largest_accuracy(tmp_path: Path) -> None:
    recipe = monitored(tag_values_recipe(), monitor="val_accuracy", epochs=6, learning_rate=0.1, patience=None)
    result = train(recipe, data=levelled_frame(), tracking_uri=str(tmp_path / "runs"))
    figures = [epoch.metrics["val_accuracy"] for epoch in result.fit.history]
    losses = [epoch.val_loss for epoch in result.fit.history]
    assert result.fit.best_epoch == figures.index(max(figures)) + 1
    assert len(set(figures)) > 1, "all epochs are equal, so that any is kept"
    assert result.fit.best_epoch != losses.index(min(losses)) + 1, "the loss would have kept the same one"


@pytest.mark.parametrize(
    ("recipe", "word"),
    [(forecast_recipe(), "val_accuracy"), (forecast_recipe(), "val_mas"), (tag_values_recipe(), "val_mase")],
)
def test_a_figure_that_a_task_does_not_have_is_refused(recipe: dict[str, Any], word: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(monitored(recipe, monitor=word))
    (problem,) = caught.value.problems
    assert problem.key == "training.monitor"
    assert "val_loss" in str(problem)


def test_accuracy_is_of_labels() -> None:
    recipe: dict[str, Any] = {
        "task": "classify",
        "data": {"series": "site", "inputs": ["load"], "target": "heat"},
        "training": {"monitor": "val_accuracy"},
    }
    with pytest.raises(RecipeError) as caught:
        parse_recipe(recipe)
    assert [problem.key for problem in caught.value.problems] == ["training.monitor"]


def test_a_mase_without_a_denominator_is_told_before_anything_is_trained() -> None:
    frame = hourly_frame(400)
    frame["load"] = 100.0 + frame["time"].dt.hour
    recipe = parse_recipe(monitored(forecast_recipe(), monitor="val_mase"))
    with pytest.raises(DataError, match="val_mase has no figure") as caught:
        open_job(recipe, frame).check()
    assert caught.value.code == "no_mase"
    open_job(parse_recipe(forecast_recipe()), frame).check()
    both = pd.concat([frame.assign(site="a"), hourly_frame(400).assign(site="b")])  # the other has one
    open_job(parse_recipe(monitored(forecast_recipe(series="site"), monitor="val_mase")), both).check()
