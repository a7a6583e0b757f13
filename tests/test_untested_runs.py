"""Runs of recipes that leave no test rows: every figure is of validation, and nothing is called test."""

from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.reporting import report
from seq2seq_kit.reports.notes import describe_run
from seq2seq_kit.results import TrainResult
from seq2seq_kit.runs import evaluate, train
from seq2seq_kit.tracking.client import open_tracking
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame, next_step_recipe

pytestmark = pytest.mark.slow


def _tag_recipe(**data: Any) -> dict[str, Any]:
    section = {"inputs": ["load"], "labels": "night", "input_steps": 24} | data
    return {"task": "tag", "name": "small_tag", "data": section, "model": {"units": [4]}, "training": {"epochs": 1}}


def _trained(recipe: dict[str, Any], folder: Path) -> TrainResult:
    frame = hourly_frame(400)
    frame["night"] = frame.time.dt.hour.lt(6).map({True: "night", False: "day"})
    return train(recipe, data=frame, overrides=["training.epochs=1"], tracking_uri=str(folder / "runs"))


RECIPES = {
    "forecast": forecast_recipe(split={"val_steps": 40, "test_steps": 0, "calibration_steps": 40}) | {"levels": [80]},
    "next_step": next_step_recipe(split={"test": 0}),
    "autoencode": autoencode_recipe(split={"train": 300, "val": 60, "test": 0}),
    "classify": {
        "task": "classify",
        "name": "small_classify",
        "data": {"inputs": ["load"], "label": "night", "input_steps": 12, "window_stride": 3, "split": {"test": 0}},
        "model": {"encoder_units": [4]},
    },
    "none": forecast_recipe(split={"val": 0.2, "test": 0}) | {"model": "none", "training": {}},
    "tag": _tag_recipe(split={"test": 0}),
}


@pytest.mark.parametrize("kind", list(RECIPES))
def test_a_run_without_test_rows_has_figures_of_validation_alone(kind: str, tmp_path: Path) -> None:
    result = _trained(RECIPES[kind], tmp_path)
    assert result.board is result.val
    with pytest.raises(ArgumentError) as caught:
        result.test  # noqa: B018
    assert caught.value.code == "no_test_part"
    assert "no_test_part" in [finding.code for finding in result.findings]
    note = describe_run(result)
    assert "on validation: " in note.splitlines()[0]
    client = open_tracking(result.tracking_uri).client
    run = client.get_run(result.run_id)
    assert not [key for key in run.data.metrics if key.startswith("test")]
    assert [key for key in run.data.metrics if key.startswith("val_baselines/")]
    assert run.data.tags["result"].startswith("on validation: ")
    kept = [entry.path for entry in client.list_artifacts(result.run_id)]
    assert "val_scores.csv" in kept
    assert not [path for path in kept if path.startswith("test")]
    assert evaluate(result.bundle, data=hourly_frame(200).assign(night="day")).part == "test"
    page = report(result.run_id, out=tmp_path / "run.html", tracking_uri=result.tracking_uri).read_text()
    assert "Result on the validation part" in page
    assert "test windows" not in page + note
    assert "on the test" not in page + note
