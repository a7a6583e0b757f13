"""`training.leave_out`: the worst training examples are left out of a second fit, told, and only those."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import train
from seq2seq_kit.errors import RecipeError
from seq2seq_kit.results import TrainResult
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.leaving_out import rms_by_example, window_stretches
from seq2seq_kit.training.callbacks import Epoch
from seq2seq_kit.training.fit import Fit, seed_everything
from tests.conftest import (
    autoencode_recipe,
    forecast_recipe,
    hourly_frame,
    next_step_recipe,
    resume_unseen,
    train_unseen,
    waves_frame,
    whole_recipe,
)
from tests.test_resuming import KilledError, Killer, feedback
from tests.training.test_fit import Interrupter, Recorder
from tests.untyped import parse_recipe


def robust(recipe: dict[str, Any], share: float = 0.1, **training: Any) -> dict[str, Any]:
    return recipe | {"training": recipe["training"] | {"leave_out": share} | training}


def broken_frame(rows: int = 600) -> pd.DataFrame:
    """A fault of eleven rows among the training rows."""
    frame = hourly_frame(rows)
    frame.loc[100:110, "load"] += 500.0
    return frame


def opened(recipe: dict[str, Any], frame: pd.DataFrame) -> Any:
    seed_everything(0, deterministic=False)
    return open_job(parse_recipe(recipe), frame)


@pytest.fixture(scope="module")
def run(store: Path) -> TrainResult:
    return train(robust(autoencode_recipe()), data=broken_frame(), tracking_uri=str(store))


@pytest.mark.slow
def test_the_windows_of_the_fault_are_left_out_told_and_listed(run: TrainResult) -> None:
    job = open_job(run.recipe, broken_frame())
    assert len(run.fit.left_out) == round(0.1 * job.examples.count("train"))
    rows = job.prepared.windows["train"].target_rows(np.array(run.fit.left_out))  # type: ignore[attr-defined]
    touching = ((rows >= 100) & (rows <= 110)).any(axis=1)
    assert touching[:20].all()
    (finding,) = [each for each in run.findings if each.code == "left_out"]
    count = job.examples.count("train")
    assert f"{len(run.fit.left_out)} of {count} training windows (10.1 %)" in str(finding)
    assert "2024-01-04" in str(finding)  # where the first window begins that holds row 100
    client = mlflow.MlflowClient(run.tracking_uri)
    assert client.get_run(run.run_id).data.metrics["fit/left_out"] == len(run.fit.left_out)
    listed = pd.read_csv(client.download_artifacts(run.run_id, "figures/left_out.csv"))
    assert list(listed.columns) == ["first_time", "last_time"]
    assert len(listed) == len(run.fit.left_out)


@pytest.mark.slow
def test_the_second_fit_is_one_of_the_rest_from_the_same_start() -> None:
    recipe = robust(autoencode_recipe(), epochs=2, deterministic=True)
    recipe["model"] |= {"dropout": 0.3, "noise": 0.1}
    job = opened(recipe, broken_frame())
    twice = job.fit(job.build(), [])
    again = opened(recipe, broken_frame())
    rest = again.leavable.without(np.array(twice.left_out))
    assert rest.count("train") == job.examples.count("train") - len(twice.left_out)
    assert (rest.count("val"), rest.count("test")) == (job.examples.count("val"), job.examples.count("test"))
    from seq2seq_kit.training.fit import fit

    alone = fit(again.build(), rest, again.recipe.training, seed=again.recipe.seed)
    assert losses(alone) == pytest.approx(losses(twice), rel=1e-5)
    assert Fit.from_json(twice.to_json()) == twice


def losses(fitted: Fit) -> list[float]:
    return [value for epoch in fitted.history for value in (epoch.loss, epoch.val_loss)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "frame", "told"),
    [
        (whole_recipe, waves_frame, "w"),
        (forecast_recipe, broken_frame, "2024-01-0"),
        (feedback, broken_frame, "2024-01-0"),
        (lambda: forecast_recipe(series="site"), lambda: hourly_frame(300, series=("a", "b")), " to 2024-"),
    ],
    ids=["whole", "forecast", "feedback", "series"],
)
def test_other_tasks_leave_out_too(
    recipe: Callable[[], dict[str, Any]], frame: Callable[[], pd.DataFrame], told: str
) -> None:
    recorder = Recorder()
    job = opened(robust(recipe(), epochs=2, patience=None), frame())
    fitted = job.fit(job.build(), [recorder])
    assert [epoch.number for epoch in recorder.epochs] == [1, 2]  # of the second fit alone
    assert [epoch for epoch, _, step, _ in recorder.batches if step == 1] == [1, 2, 1, 2]
    assert len(fitted.left_out) == round(0.1 * job.examples.count("train"))
    assert told in " ".join(job.leavable.told(fitted.left_out))
    assert len(job.leavable.table(fitted.left_out)) == len(fitted.left_out)


@pytest.mark.slow
def test_an_interrupted_first_fit_is_the_result() -> None:
    job = opened(robust(autoencode_recipe()), broken_frame(400))
    fitted = job.fit(job.build(), [Interrupter(epoch=2)])
    assert (fitted.ended, fitted.left_out, len(fitted.history)) == ("interrupted", [], 1)


class KilledInTheFirst(Killer):
    """Ends a training in the second epoch of the first fit."""

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
        if epoch == 2 and not self.epochs:
            raise KilledError


@pytest.mark.slow
@pytest.mark.parametrize("killer", [lambda: KilledInTheFirst(0), lambda: Killer(1)], ids=["first_fit", "second_fit"])
def test_a_killed_training_resumes_in_the_fit_that_it_was_in(killer: Callable[[], Killer], store: Path) -> None:
    recipe = robust(autoencode_recipe(), epochs=3, deterministic=True, patience=None)
    whole = train_unseen(recipe, data=broken_frame(), tracking_uri=str(store))
    with pytest.raises(KilledError):
        train_unseen(recipe, data=broken_frame(), tracking_uri=str(store), reporter=killer())
    newest = mlflow.MlflowClient(whole.tracking_uri).search_runs(
        [mlflow.MlflowClient(whole.tracking_uri).get_run(whole.run_id).info.experiment_id], max_results=1
    )[0]
    resumed = resume_unseen(newest.info.run_id, data=broken_frame(), tracking_uri=str(store))
    assert resumed.fit.left_out == whole.fit.left_out
    assert losses(resumed.fit) == losses(whole.fit)


def test_stretches_join_windows_that_overlap_and_keep_the_worst_first() -> None:
    job = opened(autoencode_recipe(), hourly_frame(200))
    assert window_stretches(job.prepared, [90, 3, 91, 10, 40]) == [
        "2024-01-04 18:00:00 to 2024-01-05 18:00:00",
        "2024-01-01 03:00:00 to 2024-01-02 09:00:00",
        "2024-01-02 16:00:00 to 2024-01-03 15:00:00",
    ]


def test_errors_are_of_known_cells() -> None:
    error = np.array([[[3.0, np.nan], [np.nan, 4.0]], [[np.nan, np.nan], [np.nan, np.nan]]])
    assert rms_by_example(error).tolist() == pytest.approx([np.sqrt(12.5), 0.0])


@pytest.mark.parametrize("bad", [-0.01, 0.5, 1, "0.1"])
def test_a_share_that_is_none_is_refused(bad: object) -> None:
    with pytest.raises(RecipeError, match=r"leave_out"):
        parse_recipe(robust(autoencode_recipe(), bad))  # type: ignore[arg-type]


def test_rows_on_disk_and_other_tasks_do_not_leave_out() -> None:
    with pytest.raises(RecipeError) as refused:
        parse_recipe(robust(autoencode_recipe(source="rows.parquet", read="row_groups")))
    assert ("training.leave_out", "conflicting_keys") in [(each.key, each.code) for each in refused.value.problems]
    with pytest.raises(RecipeError, match="leave_out"):
        parse_recipe(robust(next_step_recipe()))


def test_old_recipes_leave_nothing_out_and_epochs_read_back() -> None:
    assert parse_recipe(autoencode_recipe()).training.leave_out == 0.0
    epoch = Epoch(1, 1, 0.5, 0.5, 0.1, 1.0, 10.0)
    stored = Fit([epoch], 1, "epochs", 1.0).to_json()
    del stored["left_out"]  # of before
    assert Fit.from_json(stored).left_out == []
