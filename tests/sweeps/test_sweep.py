"""A sweep leaves a tree of runs that holds every figure once, and a winner that is what its trial was."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seq2seq_kit.runs import train
from seq2seq_kit.sweeps import SweepResult, best_recipe, sweep
from seq2seq_kit.sweeps.status import Silent
from seq2seq_kit.tracking.client import Tracking, open_tracking
from seq2seq_kit.tracking.ui import open_ui
from tests.conftest import forecast_recipe, hourly_frame
from tests.untyped import load, load_recipe, read_bundle

TRIALS = 6
SPACE: dict[str, Any] = {
    "model.encoder_units": {"choice": [[4], [6, 4]]},
    "training.learning_rate": {"choice": [0.01, 0.03, 1e30]},
    "training.epochs": {"int": {"min_value": 1, "max_value": 3}},
}
ROWS = hourly_frame(400)


def swept(**section: Any) -> dict[str, Any]:
    """The small forecast over units, learning rates (one of which makes the loss NaN) and epochs."""
    recipe = forecast_recipe()
    recipe["training"] |= {"epochs": 2, "patience": None}
    return recipe | {"sweep": {"tuner": "random", "max_trials": TRIALS, "space": SPACE} | section}


class Notes(Silent):
    """Writes down what the sweep said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.most = 0

    def say(self, text: str) -> None:
        self.said.append(text)

    def on_status(self, status: Any) -> None:
        self.most = max(self.most, len(status.running))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of SQLite."""
    return tmp_path_factory.mktemp("sweeps") / "mlruns"


@pytest.fixture(scope="module")
def notes() -> Notes:
    """What the sweep said."""
    return Notes()


@pytest.fixture(scope="module")
def found(place: Path, notes: Notes) -> SweepResult:
    """A sweep by four workers."""
    return sweep(swept(), data=ROWS, workers=4, tracking_uri=str(place), reporter=notes)


@pytest.fixture(scope="module")
def tracked(found: SweepResult, place: Path) -> Tracking:
    """Its store."""
    return open_tracking(str(place))


def runs_below(tracked: Tracking, run_id: str) -> list[Any]:
    """The runs right below a run, by their start."""
    run = tracked.client.get_run(run_id)
    below = f"tags.`mlflow.parentRunId` = '{run_id}'"
    return list(tracked.client.search_runs([run.info.experiment_id], below, order_by=["attributes.start_time ASC"]))


def artifacts_of(tracked: Tracking, run_id: str, folder: str | None = None) -> set[str]:
    return {file.path for file in tracked.client.list_artifacts(run_id, folder)}


def check_tree(found: SweepResult, tracked: Tracking) -> None:
    """Every trial is a run below the sweep's with all that it has been, each epoch once."""
    children = {int(run.data.tags["sweep.trial"]): run for run in runs_below(tracked, found.run_id)}
    assert sorted(children) == [trial.number for trial in found.trials]
    assert len({run.info.run_id for run in children.values()}) == len(found.trials)
    for trial in found.trials:
        run, values = children[trial.number], dict[str, Any](trial.values)
        assert run.info.run_id == trial.run_id
        assert run.info.status == {"finished": "FINISHED", "failed": "FAILED"}[trial.state]
        assert run.data.tags["sweep.state"] == trial.state
        assert json.loads(run.data.tags["sweep.values"]) == trial.values
        assert json.loads(run.data.params["model.encoder_units"]) == trial.values["model.encoder_units"]
        assert float(run.data.params["training.learning_rate"]) == trial.values["training.learning_rate"]
        curve = tracked.client.get_metric_history(run.info.run_id, "epoch/val_loss")
        if trial.state == "finished":
            assert [point.step for point in curve] == list(range(1, values["training.epochs"] + 1))
            assert trial.epochs == len(curve)
            assert trial.score == run.data.metrics["sweep/objective"] == min(point.value for point in curve)
            assert trial.best_epoch is not None
            assert curve[trial.best_epoch - 1].value == trial.score
            assert run.data.metrics["sweep/memory_mb"] > 100
        else:
            assert "sweep/objective" not in run.data.metrics


@pytest.mark.slow
def test_every_trial_is_a_run_below_the_sweeps_with_all_its_epochs(found: SweepResult, tracked: Tracking) -> None:
    assert len(found.trials) == TRIALS
    assert {trial.state for trial in found.trials} == {"finished", "failed"}
    check_tree(found, tracked)
    run = tracked.client.get_run(found.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["sweep.kind"] == "sweep"
    assert run.data.tags["sweep.ended"] == found.ended == "done"
    assert "mlflow.parentRunId" not in run.data.tags


def test_trials_run_beside_each_other(found: SweepResult, notes: Notes) -> None:
    assert notes.most == 4


def test_the_first_trial_is_the_recipe_itself_and_no_other_one_is(found: SweepResult, tracked: Tracking) -> None:
    own = {"model.encoder_units": [8], "training.learning_rate": 0.01, "training.epochs": 2}
    assert [trial.values == own for trial in found.trials] == [True] + [False] * (TRIALS - 1)
    names = [run.info.run_name for run in runs_below(tracked, found.run_id)]
    assert names[0] == "1: default"
    assert [name.partition(" ")[0] for name in names] == [f"{number}:" for number in range(1, TRIALS + 1)]


def test_a_trial_that_failed_says_why_in_its_run_and_in_the_table(found: SweepResult, tracked: Tracking) -> None:
    failed = [trial for trial in found.trials if trial.state == "failed"]
    assert failed
    for trial in failed:
        assert trial.values["training.learning_rate"] == 1e30
        assert trial.score is None
        assert "the training loss became nan in epoch 1" in trial.reason
        assert tracked.client.get_run(trial.run_id).data.tags["error"] == trial.reason
    table = found.table()
    assert list(table["trial"]) == [trial.number for trial in found.trials]
    assert list(table["reason"]) == [trial.reason for trial in found.trials]
    assert table["objective"].min() == found.best.score
    assert table.loc[table["state"] == "failed", "objective"].isna().all()


def test_the_best_is_the_smallest_and_has_its_place_in_the_sweeps_run(found: SweepResult, tracked: Tracking) -> None:
    scores = [trial.score for trial in found.trials if trial.score is not None]
    assert found.best.score == min(scores)
    run = tracked.client.get_run(found.run_id)
    assert run.data.metrics["sweep/objective"] == found.best.score
    assert run.data.metrics["sweep/as_it_stands"] == found.trials[0].score
    assert run.data.metrics["sweep/trials_finished"] == len(scores)
    assert run.data.metrics["sweep/trials_failed"] == TRIALS - len(scores)
    assert run.data.tags["best_trial"] == str(found.best.number)
    curve = tracked.client.get_metric_history(found.run_id, "sweep/best_so_far")
    assert [point.value for point in curve] == sorted((point.value for point in curve), reverse=True)
    assert curve[-1].value == found.best.score


def test_the_sweeps_run_holds_table_figures_recipes_bundle_and_note(
    found: SweepResult, tracked: Tracking, tmp_path: Path
) -> None:
    top = artifacts_of(tracked, found.run_id)
    assert {"sweep", "sweep.yaml", "recipe.yaml", "bundle", "figures"} <= top
    names = artifacts_of(tracked, found.run_id, "sweep")
    assert {"sweep/trials.csv", "sweep/overview.png"} <= names
    pages = {Path(name).stem for name in names if name.endswith(".html")}
    assert {"best_so_far", "parallel_coordinates", "pairs"} <= pages
    fetched = Path(tracked.client.download_artifacts(found.run_id, "", str(tmp_path)))
    assert list(pd.read_csv(fetched / "sweep" / "trials.csv")["run"]) == [trial.run_id for trial in found.trials]
    assert load_recipe(fetched / "sweep.yaml") == found.recipe
    winner = load_recipe(fetched / "recipe.yaml")
    assert winner == found.best_recipe
    assert winner.sweep is None
    note = tracked.client.get_run(found.run_id).data.tags["mlflow.note.content"]
    assert f"{found.best.score:.4g}" in note
    assert found.run_id in note


def test_the_winner_has_the_weights_that_won(found: SweepResult, tracked: Tracking, tmp_path: Path) -> None:
    assert found.winner is not None
    own = read_bundle(tracked.fetch(found.best.run_id, "bundle", tmp_path))
    for mine, its in zip(found.winner.bundle.model.get_weights(), own.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    loaded = load(found.run_id, tracking_uri=str(tracked.uri))
    assert len(loaded.predict(ROWS)) == 6
    assert [epoch.val_loss for epoch in found.winner.fit.history][found.winner.fit.best_epoch - 1] == found.best.score
    # The loss is the mean squared error of scaled targets, so the figure follows from the evaluation on val.
    scale = ROWS["load"].iloc[: int(len(ROWS) * 0.7)].std(ddof=0)
    winner: Any = found.winner
    assert (winner.val.overall().rmse / scale) ** 2 == pytest.approx(found.best.score, rel=0.02)


def test_the_test_rows_are_looked_at_for_the_winner_only(found: SweepResult, tracked: Tracking) -> None:
    for trial in found.trials:
        run = tracked.client.get_run(trial.run_id)
        assert not [key for key in run.data.metrics if key.startswith("test")]
        assert artifacts_of(tracked, trial.run_id) <= {"bundle", "fits.json", "recipe.yaml"}
    assert tracked.client.get_run(found.run_id).data.metrics["test/rmse"] > 0
    assert len(tracked.client.get_metric_history(found.run_id, "test/rmse")) == 1


@pytest.mark.slow
def test_training_the_best_recipe_repeats_its_score(found: SweepResult, place: Path, tmp_path: Path) -> None:
    written = best_recipe(found.run_id, out=tmp_path / "best.yaml", tracking_uri=str(place))
    assert written.trial == found.best
    assert (tmp_path / "best.yaml").read_text(encoding="utf-8") == written.text
    assert written.text.startswith(f"# trial {found.best.number}, the best of ")
    again = train(tmp_path / "best.yaml", data=ROWS, tracking_uri=str(place))
    assert again.fit.best_epoch == found.best.best_epoch
    # A trial computes in one thread; sums over several may come out differently in the last digits of a float32.
    score = again.fit.history[again.fit.best_epoch - 1].val_loss
    assert score == pytest.approx(found.best.score, rel=1e-5)


@pytest.mark.slow
def test_a_random_sweep_repeats_exactly_however_many_workers_there_are(found: SweepResult, place: Path) -> None:
    again = sweep(swept(), data=ROWS, workers=1, tracking_uri=str(place))
    assert again.run_id != found.run_id
    assert [trial.values for trial in again.trials] == [trial.values for trial in found.trials]
    assert [trial.score for trial in again.trials] == [trial.score for trial in found.trials]
    assert again.best.number == found.best.number


@pytest.fixture(scope="module")
def folded(place: Path) -> SweepResult:
    """Two trials on two folds each, the winner trained once more."""
    space = {"model.encoder_units": SPACE["model.encoder_units"]}
    recipe = swept(folds=2, refit=True, max_trials=2, space=space)
    return sweep(recipe, data=ROWS, workers=2, tracking_uri=str(place))


@pytest.mark.slow
def test_a_fold_is_a_run_below_its_trial(folded: SweepResult, tracked: Tracking) -> None:
    assert [trial.state for trial in folded.trials] == ["finished"] * 2
    for trial in folded.trials:
        folds = runs_below(tracked, trial.run_id)
        assert [run.info.run_name for run in folds] == ["fold 1", "fold 2"]
        assert [run.info.status for run in folds] == ["FINISHED"] * 2
        for number, run in enumerate(folds):
            curve = tracked.client.get_metric_history(run.info.run_id, "epoch/val_loss")
            assert [point.step for point in curve] == [1, 2]
            assert min(point.value for point in curve) == run.data.metrics["sweep/objective"] == trial.folds[number]
            assert not [key for key in run.data.metrics if key.startswith("test")]
        own = tracked.client.get_run(trial.run_id).data.metrics
        assert trial.score == own["sweep/objective"] == pytest.approx(sum(trial.folds) / 2, rel=1e-12)
        assert trial.spread == own["sweep/objective_spread"] == pytest.approx(np.std(trial.folds, ddof=1))
        assert not [key for key in own if key.startswith("epoch/")]
    assert "spread" in folded.table()


def test_a_refit_says_so_and_is_another_model(folded: SweepResult, tracked: Tracking, tmp_path: Path) -> None:
    assert folded.winner is not None
    (said,) = [finding for finding in folded.winner.findings if finding.code == "refit"]
    assert "trained once more on train and validation rows" in said.text
    assert said.text in tracked.client.get_run(folded.run_id).data.tags["finding.refit"]
    trial = read_bundle(tracked.fetch(folded.best.run_id, "bundle", tmp_path))
    mine, its = folded.winner.bundle.model.get_weights(), trial.model.get_weights()
    assert [one.shape for one in mine] == [other.shape for other in its]
    assert not any(np.array_equal(one, other) for one, other in zip(mine, its, strict=True) if one.any())
    assert len(folded.winner.fit.history) == folded.best.best_epoch


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server."""
    with open_ui(tracking_uri=str(tmp_path_factory.mktemp("server") / "mlruns")) as running:
        yield running.address.partition("/#")[0]


@pytest.mark.slow
def test_four_workers_lose_nothing_on_a_server(server: str) -> None:
    found = sweep(swept(max_trials=4), data=ROWS, workers=4, tracking_uri=server)
    assert found.tracking_uri == server
    assert [trial.state for trial in found.trials].count("finished") >= 2
    tracked = open_tracking(server)
    check_tree(found, tracked)
    assert {"sweep", "bundle"} <= artifacts_of(tracked, found.run_id)
