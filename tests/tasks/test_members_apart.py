"""Members of an ensemble that are trained several at a time, in processes of their own."""

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import resuming, runs
from seq2seq_kit.errors import ArgumentError, TrainingError
from seq2seq_kit.executing.process import EpochEnded
from seq2seq_kit.models.ensemble import members_of
from seq2seq_kit.results import Silent
from seq2seq_kit.tasks import members_apart, open_job
from seq2seq_kit.tasks.members_apart import fitting, one_by_one
from seq2seq_kit.training.checkpoint import Checkpoint
from seq2seq_kit.training.fit import Epoch
from seq2seq_kit.training.own import Own
from tests.conftest import forecast_recipe, hourly_frame, train_unseen, unseen
from tests.untyped import parse_recipe

ROWS = 700


def rough(members: int = 2, **training: Any) -> dict[str, Any]:
    """Of trainings that draw: dropout, shuffling."""
    recipe = forecast_recipe()
    recipe["model"] |= {"dropout": 0.2}
    recipe["training"] |= {"epochs": 2} | training
    return recipe | {"seed": 5, "ensemble": members, "name": "apart"}


def weights_of(result: Any) -> list[np.ndarray]:
    return [np.asarray(weight) for member in members_of(result.bundle.model) for weight in member.get_weights()]


class Watched(Silent):
    """Keeps the epochs and how far the batches were said to be; does something at an epoch."""

    def __init__(self, then: Any = None) -> None:
        self.epochs: list[tuple[int, int]] = []
        self.passed: list[float] = []
        self.then = then

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
        self.passed.append(((epoch - 1) * steps + step - 1) / (of * steps))

    def on_epoch(self, epoch: Epoch) -> None:
        self.epochs.append((epoch.member, epoch.number))
        if self.then:
            self.then(epoch)


@pytest.mark.parametrize(
    ("recipe", "workers", "told"),
    [
        (forecast_recipe(), 2, "a recipe of one model"),
        (rough(), 0, "a whole number from 1. Received: 0"),
        (rough(), True, "Received: True"),
        (rough(), 1.5, "Received: 1.5"),
    ],
)
def test_workers_that_there_is_no_use_for_are_refused(recipe: dict[str, Any], workers: Any, told: str) -> None:
    with pytest.raises(ArgumentError, match=told) as found:
        fitting(open_job(parse_recipe(recipe), hourly_frame(ROWS)), data=None, digest="", workers=workers)
    assert found.value.code == "invalid_argument"


def test_a_programs_own_parts_are_not_sent_to_processes() -> None:
    job = open_job(parse_recipe(rough()), hourly_frame(ROWS)).bring(Own(loss=lambda truth, found: found - truth), None)
    assert fitting(job, data=None, digest="", workers=1) is one_by_one
    with pytest.raises(ArgumentError, match="its own loss, which cannot be sent"):
        fitting(job, data=None, digest="", workers=2)


def test_weights_that_could_not_be_written_are_told_and_not_trained_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = hourly_frame(ROWS)
    job = open_job(parse_recipe(rough()), frame)
    fit = fitting(job, data=frame, digest="", workers=2)
    monkeypatch.setattr(members_apart._Members, "run", lambda self, pressed: None)
    with pytest.raises(TrainingError, match="could not be written") as found:
        fit(job, job.make(), [], Checkpoint(tmp_path))
    assert found.value.code == "checkpoint_not_written"


def test_an_interrupt_that_is_not_noted_keeps_what_has_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: object, pressed: object) -> None:
        raise KeyboardInterrupt

    frame, asked = hourly_frame(ROWS), list[object]()
    job = open_job(parse_recipe(rough(3)), frame)
    fit = fitting(job, data=frame, digest="", workers=2)
    monkeypatch.setattr(members_apart._Members, "run", interrupted)
    monkeypatch.setattr(members_apart, "_finished", lambda checkpoint, place: place < 2)
    monkeypatch.setattr(members_apart, "fit_members", lambda *_, only, **__: asked.append(only))
    fit(job, job.make(), [], Checkpoint(tmp_path))
    assert asked == [2]


def test_epochs_that_a_process_repeats_are_told_once(tmp_path: Path) -> None:
    watched = Watched()
    task = members_apart.MemberTask(parse_recipe(rough()), None, "", 0, tmp_path, None, tmp_path)
    members = members_apart._Members({0: task}, [watched], 1, 2)
    for number in (1, 2, 2, 3):
        epoch = Epoch(number, 3, 0.1, 0.1, 0.01, 1.0, 10.0)
        members._handle(SimpleNamespace(task=task, pid=0), EpochEnded(1, epoch))
    members.executor.close()
    assert watched.epochs == [(1, 1), (1, 2), (1, 3)]


@pytest.mark.slow
def test_processes_train_what_one_process_trains(tmp_path: Path) -> None:
    frame, watched = hourly_frame(ROWS), Watched()
    one = train_unseen(rough(), data=frame, tracking_uri=str(tmp_path / "mlruns"))
    both = train_unseen(rough(), data=frame, tracking_uri=str(tmp_path / "mlruns"), workers=2, reporter=watched)
    for ours, theirs in zip(weights_of(both), weights_of(one), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert sorted(watched.epochs) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert watched.passed == sorted(watched.passed), "progress goes backwards"
    assert max(watched.passed) < 1
    client = mlflow.MlflowClient(both.tracking_uri)
    curves = [client.get_metric_history(both.run_id, f"epoch/member_{member}_val_loss") for member in (1, 2)]
    assert [[point.step for point in curve] for curve in curves] == [[1, 2], [1, 2]], "each epoch is logged once"
    assert [each.best_epoch for each in both.fit.members] == [each.best_epoch for each in one.fit.members]


@pytest.mark.slow
def test_a_member_whose_loss_is_no_number_ends_the_run_with_its_own_code(tmp_path: Path) -> None:
    frame = hourly_frame(ROWS)
    recipe = rough(learning_rate=1e30, clip_norm=None)
    with pytest.raises(TrainingError, match=r"member \d: ") as found:
        train_unseen(recipe, data=frame, tracking_uri=str(tmp_path / "mlruns"), workers=2)
    assert found.value.code == "loss_not_finite"


@pytest.mark.slow
def test_a_killed_process_goes_on_once_and_ctrl_c_keeps_what_has_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2seq_kit.executing.executor import LocalExecutor

    started: list[Any] = []
    killed: list[int] = []
    start = LocalExecutor.start

    def noted(self: LocalExecutor, task: Any) -> Any:
        started.append(start(self, task))
        return started[-1]

    monkeypatch.setattr(LocalExecutor, "start", noted)

    def first_has_ended() -> bool:
        state = Checkpoint(started[0].task.checkpoint).load()
        return state is not None and state.ended

    def disturb(epoch: Epoch) -> None:
        if epoch.number != 1 or epoch.member == 2:
            return
        last = next(each for each in reversed(started) if each.task.place == epoch.member - 1)
        if epoch.member == 3:
            os.kill(last.pid, signal.SIGSTOP)  # it must not end before the first one, which was begun twice
            until = time.monotonic() + 300
            while not first_has_ended() and time.monotonic() < until:
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)
        elif not killed:
            killed.append(last.pid)
            os.kill(last.pid, signal.SIGKILL)

    frame, store, recipe = hourly_frame(ROWS), str(tmp_path / "mlruns"), rough(3, epochs=12)
    cut = train_unseen(recipe, data=frame, tracking_uri=store, workers=2, reporter=Watched(disturb))
    assert cut.interrupted
    assert [each.task.place for each in started].count(0) == 2, "the first member was not started again"
    assert len(cut.fit.members) in (1, 2)
    assert "ensemble_incomplete" in [finding.code for finding in cut.findings]
    with unseen():
        whole = resuming.resume(cut.run_id, data=frame, tracking_uri=store, workers=2)
    assert len(whole.fit.members) == 3
    client = mlflow.MlflowClient(whole.tracking_uri)
    for member in (1, 2, 3):
        steps = [point.step for point in client.get_metric_history(whole.run_id, f"epoch/member_{member}_val_loss")]
        assert steps == list(range(1, 13)), "each epoch is logged once, also of a process that was killed"
    straight = train_unseen(recipe, data=frame, tracking_uri=store)
    for ours, theirs in zip(weights_of(whole), weights_of(straight), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_changed_rows_are_told_by_the_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "load.csv"
    hourly_frame(ROWS).to_csv(path, index=False)
    recipe = rough()
    recipe["data"] |= {"source": str(path)}
    job = open_job(parse_recipe(recipe))
    wrong = pd.read_csv(path)
    wrong["load"] += 1
    wrong.to_csv(path, index=False)
    monkeypatch.setattr(runs, "open_training", lambda *_, **__: job)
    with pytest.raises(Exception, match="the data has changed since the training began") as found:
        train_unseen(recipe, tracking_uri=str(tmp_path / "mlruns"), workers=2)
    assert getattr(found.value, "code", "") == "data_changed"
