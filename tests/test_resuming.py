"""A training that is killed is resumed at the next epoch, as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from seq2seq_kit.errors import ArgumentError, DataError, KitWarning, TrackingError, TrainingError
from seq2seq_kit.results import Silent, TrainResult
from seq2seq_kit.runs import load
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.training.checkpoint import Checkpoint, State, only_user
from seq2seq_kit.training.fit import Epoch
from tests import conftest as small
from tests import forked
from tests.conftest import ROOT, forecast_recipe, hourly_frame
from tests.conftest import resume_unseen as resume
from tests.conftest import train_unseen as train
from tests.tasks.classify.conftest import texts_recipe, words_frame


class KilledError(Exception):
    """Stands for what ends a process: nothing of the run is put in order after it."""


class Killer(Silent):
    """Ends a training when an epoch has ended."""

    def __init__(self, after: int) -> None:
        self.after, self.epochs, self.said = after, list[Epoch](), list[str]()

    def say(self, text: str) -> None:
        self.said.append(text)

    def on_epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        if epoch.number == self.after:
            raise KilledError


def rough(**training: Any) -> dict[str, Any]:
    """A forecast with everything that has a state: dropout, plateau, early stopping, shuffling."""
    recipe = forecast_recipe()
    recipe["model"] |= {"dropout": 0.2, "output_dropout": 0.2}
    recipe["training"] |= {"epochs": 6, "schedule": "plateau", "patience": 2, "learning_rate": 0.05} | training
    recipe["training"]["deterministic"] = True
    return recipe


def figures(result: TrainResult) -> list[tuple[float, ...]]:
    return [(each.loss, each.val_loss, each.learning_rate, *each.metrics.values()) for each in result.fit.history]


def cut(recipe: dict[str, Any], data: pd.DataFrame | None, store: Path, *, after: int = 2) -> str:
    """Trains up to an epoch; the run's id."""
    with pytest.raises(KilledError):
        train(recipe, data=data, tracking_uri=str(store), reporter=Killer(after))
    return str(open_tracking(str(store)).runs(1)["run"].iloc[0])


def translate() -> dict[str, Any]:
    recipe = small.translate_recipe(bridge="attention", dropout=0.2)
    recipe["training"] |= {"epochs": 4, "teacher_forcing": [1.0, 0.5], "schedule": "cosine"}
    return recipe


def feedback() -> dict[str, Any]:
    recipe = forecast_recipe(inputs=["load"], calendar=[])
    recipe["model"] |= {"bridge": "state"}
    recipe["training"] |= {"epochs": 4, "teacher_forcing": [1.0, 0.3]}
    return recipe


def echo() -> dict[str, Any]:
    model = {"shape": "one_to_one", "units": 4}
    data = {"sequence": [0.1, 0.2, 0.3, 0.4]}
    return {"task": "echo", "data": data, "model": model, "training": {"epochs": 4, "batch_size": 3}}


def variational() -> dict[str, Any]:
    recipe = small.autoencode_recipe()
    recipe["model"] |= {"latent": "variational", "kl_weight": 0.02, "kl_warmup": 2, "noise": 0.2}
    recipe["training"] |= {"epochs": 4}
    return recipe


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "data"),
    [
        (rough, hourly_frame),
        (variational, hourly_frame),
        (feedback, hourly_frame),
        (translate, small.reversed_words),
        (lambda: small.next_step_recipe(), lambda: hourly_frame(400)),
        (lambda: small.whole_recipe(), small.waves_frame),
        (lambda: small.tag_values_recipe(), small.levelled_frame),
        (texts_recipe, words_frame),
        (echo, lambda: None),
    ],
    ids=["forecast", "variational", "feedback", "translate", "next_step", "whole", "tag", "classify", "echo"],
)
def test_a_resumed_training_has_the_figures_of_one_in_a_piece(
    recipe: Callable[[], dict[str, Any]], data: Callable[[], pd.DataFrame | None], store: Path
) -> None:
    values = recipe()
    values["training"]["deterministic"] = True
    whole = train(values, data=data(), tracking_uri=str(store))
    run = cut(values, data(), store)
    killer = Killer(0)
    resumed = resume(run[:10], data=data(), tracking_uri=str(store), reporter=killer)
    assert resumed.run_id == run
    assert [epoch.number for epoch in killer.epochs] == [epoch.number for epoch in whole.fit.history][2:]
    assert figures(resumed) == figures(whole)
    assert (resumed.fit.best_epoch, resumed.fit.ended) == (whole.fit.best_epoch, whole.fit.ended)
    for own, other in zip(resumed.bundle.model.get_weights(), whole.bundle.model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    logged = open_tracking(str(store)).client.get_metric_history(run, "epoch/val_loss")
    assert [(each.step, each.value) for each in logged] == [(each.number, each.val_loss) for each in whole.fit.history]
    load(run, tracking_uri=str(store))


CHILD = """
import os, signal, sys
from seq2seq_kit.results import Silent
from seq2seq_kit.runs import train

class Killer(Silent):
    def on_epoch(self, epoch):
        if epoch.number == 3:
            os.kill(os.getpid(), signal.SIGKILL)

train(sys.argv[1], reporter=Killer())
"""


@pytest.mark.slow
def test_a_training_on_row_groups_that_was_killed_is_resumed_to_the_last_digit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hourly_frame().to_parquet("load.parquet", row_group_size=90)
    recipe = rough(epochs=4)
    recipe["data"] |= {"source": "load.parquet", "read": "row_groups"}
    with Path("recipe.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(recipe, file)
    assert call("-c", CHILD, "recipe.yaml", cwd=tmp_path).returncode == -signal.SIGKILL
    whole = train("recipe.yaml")
    (run,) = set(open_tracking(None).runs()["run"]) - {whole.run_id}
    killer = Killer(0)
    resumed = resume(run, reporter=killer)
    assert [epoch.number for epoch in killer.epochs] == [4]
    assert figures(resumed) == figures(whole)
    for own, other in zip(resumed.bundle.model.get_weights(), whole.bundle.model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


def call(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return forked.run([sys.executable, *arguments], cwd=cwd)


@pytest.mark.slow
def test_a_killed_process_is_resumed_by_the_command_line_to_the_last_digit(tmp_path: Path) -> None:
    hourly_frame().to_csv(tmp_path / "load.csv", index=False)
    recipe = rough()
    recipe["data"]["source"] = "load.csv"
    with (tmp_path / "recipe.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(recipe, file)
    assert call("-c", CHILD, "recipe.yaml", cwd=tmp_path).returncode == -signal.SIGKILL
    tracking = open_tracking(str(tmp_path / "mlruns"))
    run = tracking.runs()["run"].iloc[0]
    tracking.client.set_terminated(run, "KILLED")
    listed = call("-m", "seq2seq_kit", "list", "runs", cwd=tmp_path)
    assert f"seq2seq-kit train --resume {run}" in listed.stdout
    done = call("-m", "seq2seq_kit", "train", "--resume", run, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"resuming the run {run} after epoch 3 of 6" in done.stdout
    assert call("-m", "seq2seq_kit", "train", "recipe.yaml", cwd=tmp_path).returncode == 0
    runs = tracking.runs()
    assert runs["status"].tolist() == ["FINISHED", "FINISHED"]
    assert runs["resume"].tolist() == ["", ""]
    logged = [
        {
            key: [each.value for each in tracking.client.get_metric_history(run, key)]
            for key in ("epoch/loss", "epoch/val_loss", "epoch/learning_rate", "test/rmse")
        }
        for run in runs["run"]
    ]
    assert len(logged[0]["epoch/loss"]) >= 4
    assert logged[0] == logged[1]
    assert not list((tmp_path / "mlruns").rglob("state.npz"))


@pytest.mark.slow
def test_what_cannot_be_resumed_is_told(tmp_path: Path) -> None:
    frame = hourly_frame(300)
    uri = str(tmp_path / "mlruns")
    recipe = forecast_recipe()
    run = cut(recipe, frame, tmp_path / "mlruns")
    (state,) = (tmp_path / "mlruns").rglob("state.npz")
    with pytest.raises(DataError) as changed:
        resume(run, data=frame.assign(load=frame["load"] + 1), tracking_uri=uri)
    assert changed.value.code == "data_changed"
    with only_user(state.parent, run), pytest.raises(TrainingError) as used:
        resume(run, data=frame, tracking_uri=uri)
    assert used.value.code == "run_in_use"
    whole = state.read_bytes()
    state.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TrainingError) as damaged:
        resume(run, data=frame, tracking_uri=uri)
    assert damaged.value.code == "checkpoint_damaged"
    assert str(state) in str(damaged.value)
    state.write_bytes(whole)
    assert resume(run, data=frame, tracking_uri=uri).fit.ended == "epochs"
    with pytest.raises(ArgumentError, match=run) as finished:
        resume(run, data=frame, tracking_uri=uri)
    assert finished.value.code == "run_finished"

    tracking = open_tracking(uri)
    foreign = tracking.start("other", name="foreign", tags={})
    foreign.end("FAILED")
    with pytest.raises(TrackingError) as none:
        resume(foreign.run_id, tracking_uri=uri)
    assert none.value.code == "no_checkpoint"
    swept = tracking.start("other", name="swept", tags={"sweep.kind": "sweep"})
    with pytest.raises(ArgumentError, match=f"sweep --resume {swept.run_id}") as sweep:
        resume(swept.run_id, tracking_uri=uri)
    assert sweep.value.code == "not_a_training"


class FailsToLog(Silent):
    """Fails after the fit, as where the disk is full."""

    def say(self, text: str) -> None:
        if text.startswith("logging"):
            raise OSError("no space left")


@pytest.mark.slow
def test_a_fit_that_has_ended_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = rough(epochs=4)
    whole = train(recipe, data=hourly_frame(), tracking_uri="mlruns")
    with pytest.raises(Exception, match="no space left"):
        train(recipe, data=hourly_frame(), tracking_uri="mlruns", reporter=FailsToLog())
    run = open_tracking("mlruns").runs(1)["run"].iloc[0]
    killer = Killer(0)
    resumed = resume(run, data=hourly_frame(), tracking_uri="mlruns", reporter=killer)
    assert killer.epochs == []
    assert figures(resumed) == figures(whole)
    assert resumed.test.skill == whole.test.skill


class Interrupts(Silent):
    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
        if epoch == 3:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupted_training_keeps_its_checkpoint(tmp_path: Path) -> None:
    uri = str(tmp_path / "mlruns")
    whole = train(rough(), data=hourly_frame(), tracking_uri=uri)
    stopped = train(rough(), data=hourly_frame(), tracking_uri=uri, reporter=Interrupts())
    assert stopped.fit.ended == "interrupted"
    assert open_tracking(uri).runs(1)["resume"].tolist() == [f"seq2seq-kit train --resume {stopped.run_id}"]
    assert figures(resume(stopped.run_id, data=hourly_frame(), tracking_uri=uri)) == figures(whole)


def some_state(epochs: int = 1) -> State:
    history = [Epoch(number, 9, 0.1, 0.2, 0.3, 0.4, 0.5, {"accuracy": 0.1 + 0.2}) for number in range(1, epochs + 1)]
    weights: list[np.ndarray] = [np.array([[1.5, 2.5]], np.float32), np.array(7), np.zeros((0, 3), np.float32)]
    return State(history, 1 / 3, False, [{"best": 1 / 3, "wait": 1, "best_epoch": 0}], weights, weights[:1])


def test_a_state_reads_back_as_it_was(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.load() is None
    for epochs in (1, 2):
        checkpoint.save(some_state(epochs))
    read, written = checkpoint.load(), some_state(2)
    assert read is not None
    assert (read.history, read.seconds, read.callbacks) == (written.history, written.seconds, written.callbacks)
    for own, other in zip(read.variables + read.best_weights, written.variables + written.best_weights, strict=True):
        np.testing.assert_array_equal(own, other, strict=True)
    assert [each.name for each in tmp_path.iterdir()] == ["state.npz"]


def test_a_state_that_cannot_be_written_leaves_the_former_and_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(some_state(1))

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("numpy.savez", full)
    with pytest.warns(KitWarning, match="epoch 2 could not be written"):
        checkpoint.save(some_state(2))
    read = checkpoint.load()
    assert read is not None
    assert len(read.history) == 1


@pytest.mark.parametrize("hostile", [b"", b"PK\x03\x04", b"\x93NUMPY", b"no zip"])
def test_a_damaged_state_is_an_error_of_the_kit(hostile: bytes, tmp_path: Path) -> None:
    (tmp_path / "state.npz").write_bytes(hostile)
    with pytest.raises(TrainingError, match="damaged"):
        Checkpoint(tmp_path).load()


def test_nothing_in_a_state_is_unpickled(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    values = {"history": [], "variables": 1, "best_weights": 0, "seconds": 0.0, "ended": False, "callbacks": []}
    arrays: dict[str, Any] = {"variable.0": np.array([Hostile()], object)}
    arrays["state"] = np.frombuffer(json.dumps(values).encode(), np.uint8)
    np.savez(tmp_path / "state.npz", **arrays)
    with pytest.raises(TrainingError, match="damaged"):
        Checkpoint(tmp_path).load()
    assert not (tmp_path / "ran").exists()


HOLDER = """
import sys, time
from pathlib import Path
from seq2seq_kit.training.checkpoint import only_user
with only_user(Path(sys.argv[1]), "r"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_checkpoint_is_free_again_when_its_process_is_killed(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TrainingError) as used, only_user(tmp_path, "r"):
            pass
        assert used.value.code == "run_in_use"
        holder.kill()
    ended = time.monotonic()
    with only_user(tmp_path, "r"):
        assert time.monotonic() - ended < 5
