"""A run whose rows stay in their file: the same run as from memory, but for the order of its windows."""

import json
import os
import re
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import evaluate, validate
from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.errors import DataError, RecipeError
from seq2seq_kit.runs import train
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tracking.client import open_tracking
from tests.conftest import autoencode_recipe, forecast_recipe, hourly_frame
from tests.untyped import TrainResult, parse_recipe

RECIPES: dict[str, Any] = {"forecast": forecast_recipe, "autoencode": autoencode_recipe}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("rows") / "hours.parquet"
    hourly_frame(700).to_parquet(found, row_group_size=90)
    return found


@pytest.fixture(scope="module", params=list(RECIPES))
def result(request: pytest.FixtureRequest, path: Path, store: Path) -> TrainResult:
    patch = pytest.MonkeyPatch()
    patch.setattr("seq2seq_kit.data.on_disk.row_groups.LEAST_ROWS", 1)
    patch.setattr("seq2seq_kit.data.on_disk.batches.BUFFER_BYTES", 1)
    try:
        recipe = RECIPES[request.param](source=str(path), read="row_groups")
        recipe["name"] = f"row_groups_{request.param}"
        return train(recipe, tracking_uri=str(store))
    finally:
        patch.undo()


@pytest.mark.slow
def test_training_goes_on_to_a_smaller_loss(result: TrainResult) -> None:
    assert [epoch.number for epoch in result.fit.history] == [1, 2, 3]
    assert result.fit.history[-1].loss < result.fit.history[0].loss
    assert result.fit.history[-1].val_loss < result.fit.history[0].val_loss


@pytest.mark.parametrize("part", ["val", "test"])
def test_the_evaluation_is_that_of_rows_in_memory(result: TrainResult, path: Path, part: str) -> None:
    recipe: Any = result.recipe
    in_memory = recipe.model_copy(update={"data": recipe.data.model_copy(update={"read": "memory"})})
    job = open_job(in_memory, pd.read_parquet(path))
    expected = job.report(result.bundle, part).table()
    found = getattr(result, part).table()
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5)
    # The baselines and MASE's denominators, too, are fitted to the same numbers.
    fitted: Any = job.bundle(result.bundle.model, {})
    assert [peer.about for peer in fitted.baselines] == [peer.about for peer in result.bundle.baselines]
    pd.testing.assert_frame_equal(job.report(fitted, part).table(), expected, rtol=1e-5)


def test_the_record_is_that_of_any_run(result: TrainResult, store: Path) -> None:
    tracking = open_tracking(str(store))
    run = tracking.client.get_run(result.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["data.read"] == "row_groups"
    dataset = run.inputs.dataset_inputs[0].dataset
    assert dataset.digest == result.bundle.info["data_sha256"]
    assert json.loads(dataset.profile) == {"num_rows": 700, "num_elements": 2100}
    names = [column["name"] for column in json.loads(dataset.schema)["mlflow_colspec"]]
    assert names == ["time", "load", "heat"]
    assert run.data.tags["mlflow.note.content"].startswith(f"## row_groups_{result.recipe.task}: ")
    models = mlflow.search_logged_models(experiment_ids=[run.info.experiment_id], output_format="list")
    assert {model.name for model in models} == {"model", "network"}


def test_evaluating_the_run_again_gives_its_table(result: TrainResult, store: Path) -> None:
    again = evaluate(result.run_id, tracking_uri=str(store))
    pd.testing.assert_frame_equal(again.table(), result.test.table(), rtol=1e-9)


def test_the_bundle_takes_frames_as_any_bundle_does(result: TrainResult) -> None:
    assert isinstance(result.bundle, Bundle)
    answer = result.bundle.answer(hourly_frame(100))
    assert len(answer) == (6 if result.recipe.task == "forecast" else 77)
    assert np.isfinite(answer.select_dtypes("number").to_numpy()).all()


def test_validate_tells_the_rows_and_windows(path: Path) -> None:
    found, expected = (validate(forecast_recipe(source=str(path), read=read)) for read in ("row_groups", "memory"))
    assert (found.rows, found.windows) == (700, expected.windows)
    assert found.findings == expected.findings


class Breaking:
    """Damages a file when the first epoch has ended."""

    def __init__(self, path: Path, how: str) -> None:
        self.path, self.how = path, how

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None: ...

    def on_epoch(self, epoch: Any) -> None:
        about, content = self.path.stat(), self.path.read_bytes()
        if self.how == "cut":
            self.path.write_bytes(content[:-5000])
        elif self.how == "moved":
            self.path.unlink()
        else:  # a disk goes bad without a word
            self.path.write_bytes(content[:4] + bytes(len(content) - 5000) + content[-4996:])
            os.utime(self.path, ns=(about.st_atime_ns, about.st_mtime_ns))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("cut", r"hours\.parquet was changed while it was read; let no one write to it"),
        ("moved", r"hours\.parquet cannot be read any more: No such file or directory; leave it where it is"),
        ("worn", r"hours\.parquet, row groups \d to \d: cannot be read: "),
    ],
    ids=["cut", "moved", "worn"],
)
def test_a_file_that_goes_bad_during_the_fit_is_told_as_bad_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, said: str
) -> None:
    monkeypatch.setattr("seq2seq_kit.data.on_disk.row_groups.LEAST_ROWS", 1)
    monkeypatch.setattr("seq2seq_kit.data.on_disk.batches.BUFFER_BYTES", 1)
    path = tmp_path / "hours.parquet"
    hourly_frame(700).to_parquet(path, row_group_size=90)
    job = open_job(parse_recipe(forecast_recipe(source=str(path), read="row_groups")))
    with pytest.raises(DataError, match=f"^{re.escape(str(tmp_path))}/{said}") as caught:
        job.fit(job.build(), [Breaking(path, how)])
    assert "Traceback" not in str(caught.value)
    assert caught.value.__suppress_context__, "no page of TensorFlow's above it"


def test_a_frame_has_no_row_groups(path: Path) -> None:
    recipe = parse_recipe(forecast_recipe(source=str(path), read="row_groups"))
    with pytest.raises(
        RecipeError, match=r"Received: a DataFrame as `data`\. Leave `data` out, or set data\.read: memory"
    ):
        open_job(recipe, hourly_frame(700))


@pytest.mark.slow
def test_a_decoder_that_reads_its_own_output_is_trained_from_row_groups(path: Path) -> None:
    recipe = forecast_recipe(source=str(path), read="row_groups")
    recipe["model"] = {"bridge": "state", "encoder_units": [4], "decoder_units": [4]}
    recipe["training"]["epochs"] = 1
    job = open_job(parse_recipe(recipe))
    assert np.isfinite([epoch.val_loss for epoch in job.fit(job.build(), []).history]).all()


def test_folds_and_joined_parts_of_a_file_are_those_of_memory(path: Path) -> None:
    disk, memory = (
        open_job(parse_recipe(forecast_recipe(source=str(path), read=read))) for read in ("row_groups", "memory")
    )
    for ours, theirs in [*zip(disk.folds(2), memory.folds(2), strict=True), (disk.joined(), memory.joined())]:
        for part in ("train", "val"):
            assert ours.examples.count(part) == theirs.examples.count(part)
            chosen = np.arange(10)
            for one, other in zip(
                ours.examples.arrays(part, chosen), theirs.examples.arrays(part, chosen), strict=True
            ):
                np.testing.assert_allclose(one, other, atol=1e-6)
