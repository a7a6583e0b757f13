"""Workers that train one model, in real processes of this machine."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from seq2seq_kit.errors import TrainingError
from seq2seq_kit.executing.executor import LocalExecutor
from seq2seq_kit.results import Silent
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.cluster import Cluster
from seq2seq_kit.tasks.digest import digest_of
from seq2seq_kit.tasks.workers import fit_together
from seq2seq_kit.training.callbacks import Epoch
from seq2seq_kit.training.checkpoint import Checkpoint
from seq2seq_kit.training.fit import seed_everything
from tests.conftest import forecast_recipe, hourly_frame, resume_unseen, train_unseen
from tests.untyped import parse_recipe

ROWS, EPOCHS = 400, 4
pytestmark = pytest.mark.slow


def shared(workers: int = 2, **training: Any) -> dict[str, Any]:
    recipe = forecast_recipe()
    recipe["training"] |= {"epochs": EPOCHS, "workers": workers, "deterministic": True} | training
    return recipe | {"name": "shared"}


class Watched(Silent):
    """Keeps the epochs; does something at one."""

    def __init__(self, then: Any = None) -> None:
        self.epochs: list[Epoch] = []
        self.then = then

    def on_epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        if self.then:
            self.then(epoch)


def weights_of(result: Any) -> list[np.ndarray]:
    return [np.asarray(weight) for weight in result.bundle.model.get_weights()]


def figures_of(history: list[Epoch]) -> list[tuple[float, float]]:
    return [(epoch.loss, epoch.val_loss) for epoch in history]


@pytest.fixture
def pids(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids of the processes that are started, worker 0's first."""
    found: list[int] = []
    start = LocalExecutor.start

    def noted(self: LocalExecutor, task: Any) -> Any:
        started = start(self, task)
        found.append(started.pid)
        return started

    monkeypatch.setattr(LocalExecutor, "start", noted)
    return found


def test_a_lost_worker_keeps_the_best_weights_and_a_resumed_run_is_that_of_one_process(
    tmp_path: Path, pids: list[int]
) -> None:
    frame, store = hourly_frame(ROWS), str(tmp_path / "mlruns")
    recipe = parse_recipe(shared(1))
    job = open_job(recipe, frame)
    seed_everything(recipe.seed, deterministic=False)
    one = job.fit(model := job.make(), [])

    def lose(epoch: Epoch) -> None:
        if epoch.number == 2:
            os.kill(pids[1], signal.SIGKILL)

    with pytest.raises(TrainingError, match=r"worker 1 of 2: its process was ended by SIGKILL") as found:
        train_unseen(shared(), data=frame, tracking_uri=store, reporter=Watched(lose))
    assert found.value.code == "worker_lost"
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    (run,) = client.search_runs([each.experiment_id for each in client.search_experiments()])
    assert run.info.status == "FAILED"
    assert {"bundle", "checkpoint"} <= {each.path for each in client.list_artifacts(run.info.run_id)}
    assert "worker_lost" not in run.data.tags["error"]
    assert "was lost" in run.data.tags["error"]
    assert run.info.run_id in str(found.value), "the command that resumes"
    done = len(client.get_metric_history(run.info.run_id, "epoch/val_loss"))
    assert 2 <= done < EPOCHS

    watched = Watched()
    whole = resume_unseen(run.info.run_id, data=frame, tracking_uri=store, reporter=watched)
    assert [epoch.number for epoch in watched.epochs] == list(range(done + 1, EPOCHS + 1))
    assert [point.step for point in client.get_metric_history(run.info.run_id, "epoch/val_loss")] == [1, 2, 3, 4]
    assert client.get_run(run.info.run_id).info.status == "FINISHED"
    np.testing.assert_allclose(figures_of(whole.fit.history), figures_of(one.history), rtol=1e-4)
    assert whole.fit.best_epoch == one.best_epoch
    for ours, theirs in zip(weights_of(whole), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_ctrl_c_keeps_the_best_weights_and_leaves_no_process(tmp_path: Path, pids: list[int]) -> None:
    def interrupt(epoch: Epoch) -> None:
        if epoch.number == 1:
            os.kill(os.getpid(), signal.SIGINT)

    watched = Watched(interrupt)
    cut = train_unseen(
        shared(epochs=200, patience=None),
        data=hourly_frame(ROWS),
        tracking_uri=str(tmp_path / "mlruns"),
        reporter=watched,
    )
    assert cut.interrupted
    assert not cut.fit.lost
    assert 1 <= cut.fit.best_epoch <= len(cut.fit.history) < 200
    assert figures_of(cut.fit.history)[: len(watched.epochs)] == figures_of(watched.epochs)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_loss_that_is_no_number_has_the_code_of_one_process(tmp_path: Path) -> None:
    recipe = shared(learning_rate=1e30, clip_norm=None)
    with pytest.raises(TrainingError, match="loss became") as found:
        train_unseen(recipe, data=hourly_frame(ROWS), tracking_uri=str(tmp_path / "mlruns"))
    assert found.value.code == "loss_not_finite"


def free_ports(count: int) -> list[int]:
    import socket

    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def test_a_worker_that_never_comes_is_named(tmp_path: Path) -> None:
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    config = json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": 0}})
    frame = hourly_frame(ROWS)
    job = open_job(parse_recipe(shared()), frame)
    with pytest.raises(TrainingError, match=f"Nobody listens for worker 1 at {addresses[1]}") as found:
        fit_together(
            job,
            job.make(),
            [],
            Checkpoint(tmp_path),
            data=frame,
            digest=digest_of(job.source, job.columns),
            cluster=Cluster(addresses, 0, config),
            join_seconds=3,
        )
    assert found.value.code == "worker_missing"


class Machine:
    """A folder with the rows and the recipe, in which commands are started as `TF_CONFIG` asks for: all on loopback."""

    def __init__(self, folder: Path, rank: int, addresses: list[str], recipe: dict[str, Any]) -> None:
        self.place = folder / f"{rank}"
        self.place.mkdir()
        hourly_frame(ROWS).to_csv(self.place / "load.csv", index=False)
        recipe = recipe | {"data": recipe["data"] | {"source": "load.csv"}}
        (self.place / "shared.yaml").write_text(json.dumps(recipe))
        self.config = json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}})

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "seq2seq_kit", "train", *words],
            cwd=self.place,
            env=os.environ | {"TF_CONFIG": self.config, "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def ended(started: list[subprocess.Popen[str]]) -> list[str]:
    """What each has printed, once all have ended."""
    try:
        return [each.communicate(timeout=500)[0] for each in started]
    finally:
        for each in started:
            with suppress(ProcessLookupError):
                os.killpg(each.pid, signal.SIGKILL)


def only_run(place: Path) -> tuple[Any, dict[int, float]]:
    """The run of a store and its losses by epoch."""
    client = mlflow.MlflowClient(f"sqlite:///{place}/mlruns/mlflow.db")
    (run,) = client.search_runs([each.experiment_id for each in client.search_experiments()])
    points = client.get_metric_history(run.info.run_id, "epoch/loss")
    assert len({point.step for point in points}) == len(points), "an epoch was logged twice"
    return run, {point.step: point.value for point in points}


def curve_of_one(recipe: dict[str, Any]) -> list[float]:
    recipe = recipe | {"training": recipe["training"] | {"workers": 1}}
    job = open_job(parse_recipe(recipe), hourly_frame(ROWS))
    seed_everything(job.recipe.seed, deterministic=False)
    return [epoch.loss for epoch in job.fit(job.make(), []).history]


def test_a_machine_that_dies_ends_the_run_which_both_resume_to_what_one_process_trains(tmp_path: Path) -> None:
    recipe = shared(epochs=20, patience=None, batch_size=8)
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    machines = [Machine(tmp_path, rank, addresses, recipe) for rank in (0, 1)]
    started = [each.start("shared.yaml") for each in machines]
    assert started[0].stdout is not None
    heard = []
    for line in started[0].stdout:
        heard.append(line)
        if line.startswith("epoch") and " 3/20 " in line:
            break
    os.killpg(started[1].pid, signal.SIGKILL)
    told = "".join(heard) + ended(started)[0]
    assert started[0].returncode == 1, told
    assert "error[worker_lost]" in told
    assert "worker 0 lost the others: Collective ops is aborted by: " in told
    assert f"nobody listens at {addresses[1]} (worker 1)" in told
    run, before = only_run(machines[0].place)
    assert run.info.status == "FAILED"
    assert 3 <= len(before) < 20

    again = [machines[0].start("--resume", run.info.run_id), machines[1].start("shared.yaml")]
    said = ended(again)
    assert [each.returncode for each in again] == [0, 0], said
    assert "2 workers trained it together: of each batch of 8 every worker computed 4" in said[0]
    assert "worker 1 has done its share" in said[1]
    assert not (machines[1].place / "mlruns").exists(), "worker 1 has written a run"
    whole, losses = only_run(machines[0].place)
    assert (whole.info.run_id, whole.info.status) == (run.info.run_id, "FINISHED")
    assert before.items() <= losses.items()
    np.testing.assert_allclose([losses[epoch] for epoch in range(1, 21)], curve_of_one(recipe), rtol=1e-3)
