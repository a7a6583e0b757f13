"""A trial's process may die, grow, dawdle or fail: whatever it does is told in words, and nothing of it is left."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from seq2seq_kit.errors import DataError, RecipeError
from seq2seq_kit.executing import executor as executor_module
from seq2seq_kit.executing.executor import Executor, LocalExecutor, RunningTrial, start_server
from seq2seq_kit.executing.process import BatchBegan, EpochEnded, Failure, Message, Outcome, settle
from seq2seq_kit.sweeps.trial_process import TrialTask, run_trial
from seq2seq_kit.tasks.digest import digest_of
from seq2seq_kit.validation import resolve
from tests.conftest import forecast_recipe, hourly_frame

FOR_EVER = 10**6  # epochs
PATIENCE = 120.0  # seconds for a process on a busy machine

Event = tuple[RunningTrial, Message]


@pytest.fixture
def executors() -> Iterator[Callable[..., LocalExecutor]]:
    """Makes executors, which are closed in the end."""
    opened: list[LocalExecutor] = []

    def make(workers: int = 2, **named: Any) -> LocalExecutor:
        opened.append(LocalExecutor(workers, run=run_trial, smaller="Search smaller values", **named))
        return opened[-1]

    yield make
    for executor in opened:
        executor.close()


def task(
    folder: Path, *, data: pd.DataFrame | None = None, model: dict[str, Any] | None = None, **training: Any
) -> TrialTask:
    """One epoch of the small forecast, kept as long as it is better than nothing."""
    recipe = forecast_recipe()
    recipe["training"] |= {"epochs": 1, "patience": None} | training
    recipe["model"] |= model or {}
    rows = hourly_frame(300) if data is None else data
    digest = digest_of(rows, ["time"])
    return TrialTask(resolve(recipe, ()), "val_loss", None, "min", None, None, rows, folder, "r" * 32, ["time"], digest)


def listen(executor: Executor, *, until: type[Message] | None = None) -> Iterator[Event]:
    """What happens until nothing runs any more, or up to the first message of a kind."""
    end = time.monotonic() + PATIENCE
    while executor.free < executor.workers:
        assert time.monotonic() < end, "still at work"
        for event in executor.wait(0.2):
            yield event
            if until is not None and isinstance(event[1], until):
                return


def endings(executor: Executor) -> dict[str, Message]:
    """How each trial ended, by the name of its folder."""
    return {
        running.task.folder.name: message
        for running, message in listen(executor)
        if isinstance(message, Outcome | Failure)
    }


def failure(message: Message) -> Failure:
    assert isinstance(message, Failure)
    return message


@pytest.mark.slow
def test_a_trial_tells_its_epochs_and_leaves_its_model_and_nothing_else(
    executors: Callable[..., Executor], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    executor = executors(1)
    assert executor.free == 1
    running = executor.start(task(tmp_path / "one", epochs=2))
    assert executor.free == 0
    heard = [message for _, message in listen(executor)]
    epochs = [message for message in heard if isinstance(message, EpochEnded)]
    assert [(each.fold, each.epoch.number, each.epoch.of) for each in epochs] == [(1, 1, 2), (1, 2, 2)]
    outcome = heard[-1]
    assert isinstance(outcome, Outcome)
    assert outcome.score == min(each.epoch.val_loss for each in epochs)
    assert outcome.fits[0].history == [each.epoch for each in epochs]
    assert outcome.memory > 100e6
    assert (tmp_path / "one" / "bundle" / "model.keras").is_file()
    assert executor.free == 1
    assert not psutil.pid_exists(running.pid)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


@pytest.mark.slow
def test_what_becomes_of_a_trial_is_told_by_kind_and_in_words(
    executors: Callable[..., Executor], tmp_path: Path
) -> None:
    empty = hourly_frame(300)
    empty["load"] = np.nan
    trials = [
        task(tmp_path / "nan", learning_rate=1e30),
        # As large as 640 GB: it cannot be had, and is refused at once.
        task(tmp_path / "huge", model={"encoder_units": [200_000]}),
        replace(task(tmp_path / "bug"), metric="val_unheard_of"),
        task(tmp_path / "data", data=empty),
        task(tmp_path / "column", data=hourly_frame(300).drop(columns="heat")),
        replace(task(tmp_path / "beaten"), to_beat=0.0),
    ]
    executor = executors(2)
    found: dict[str, Message] = {}
    while trials or executor.free < executor.workers:
        while trials and executor.free:
            executor.start(trials.pop(0))
        found |= {one.task.folder.name: message for one, message in executor.wait(0.2)}
    assert isinstance(found.pop("beaten"), Outcome)
    ended = {name: failure(message) for name, message in found.items()}
    assert {name: one.kind for name, one in ended.items()} == {
        "nan": "failed",
        "huge": "failed",
        "bug": "bug",
        "data": "invalid",
        "column": "invalid",
    }
    assert "the training loss became nan in epoch 1" in ended["nan"].reason
    assert "Try a smaller training.learning_rate (now 1e+30)" in ended["nan"].reason
    assert ended["huge"].reason.startswith("out of memory: ")
    assert "the model has at least 160,000,8" in ended["huge"].reason
    assert ended["bug"].reason.startswith("Traceback")
    assert "KeyError: 'val_unheard_of'" in ended["bug"].reason
    assert isinstance(ended["data"].error, DataError)
    assert isinstance(ended["column"].error, DataError)
    assert "heat" in str(ended["column"].error)
    assert not (tmp_path / "beaten" / "bundle").exists()  # its model is not better than the best one


@pytest.mark.slow
def test_a_trial_that_is_killed_takes_too_long_or_grows_is_ended_with_the_reason(
    executors: Callable[..., LocalExecutor], tmp_path: Path
) -> None:
    executor, late = executors(3), executors(1, minutes=0.05)
    killed, large, left = (
        executor.start(task(tmp_path / name, epochs=FOR_EVER)) for name in ("killed", "large", "left")
    )
    late.start(task(tmp_path / "late", epochs=FOR_EVER))
    assert endings(late) == {"late": Failure("time", "it took longer than sweep.trial_minutes: 0.05")}
    assert (tmp_path / "late" / "stderr.txt").is_file()
    waiting = {"killed", "large", "left"}
    while waiting:
        waiting -= {
            one.task.folder.name
            for one, message in listen(executor, until=EpochEnded)
            if isinstance(message, EpochEnded)
        }
    for each in (large, left):  # Ctrl-C goes to every process of a terminal; these leave it to the sweep
        os.kill(each.pid, signal.SIGINT)
    (tmp_path / "killed" / "stderr.txt").write_text("one\ntwo\nthree\nthe last word\n")
    os.kill(killed.pid, signal.SIGKILL)
    ended = [event for event in listen(executor, until=Failure) if not isinstance(event[1], BatchBegan)]
    reason = "its process was ended by SIGKILL; perhaps memory ran out. Its last words on standard error: "
    assert ended[-1] == (killed, Failure("killed", reason + "two | three | the last word"))
    assert executor.running == [large, left]
    processes = [psutil.Process(each.pid) for each in (large, left)]
    assert large.peak > 100e6
    executor.kill(left)
    assert not processes[1].is_running()
    executor.share = 50_000_000
    stopped = failure(endings(executor)["large"])
    assert stopped.kind == "memory"
    assert stopped.reason.startswith(
        f"out of memory: it held {large.peak / 1e9:.1f} GB, and the share of each of 3 workers is 0.1 GB. "
    )
    assert stopped.reason.endswith("Search smaller values, or call with fewer --workers")
    assert not processes[0].is_running()


def test_closing_a_executor_leaves_no_process(executors: Callable[..., LocalExecutor], tmp_path: Path) -> None:
    executor = executors(2)
    started = [executor.start(task(tmp_path / name, epochs=FOR_EVER)) for name in ("one", "other")]
    processes = [psutil.Process(each.pid) for each in started]
    assert all(process.is_running() for process in processes)
    executor.close()
    assert executor.free == 2
    assert not [process for process in processes if process.is_running()]


def tell_threads(pipe: Connection, folder: Path) -> None:
    """What a trial's process is like once it has settled; runs in one."""
    settle(folder)
    import tensorflow as tf

    threads = tf.config.threading
    pipe.send(
        (threads.get_intra_op_parallelism_threads(), threads.get_inter_op_parallelism_threads(), dict(os.environ))
    )


def test_a_trial_computes_in_one_thread(tmp_path: Path) -> None:
    context = start_server()
    ours, theirs = context.Pipe()
    process = context.Process(target=tell_threads, args=(theirs, tmp_path / "settled"), daemon=True)
    with executor_module._without_main():
        process.start()
    theirs.close()
    assert ours.poll(PATIENCE)
    within, beside, environment = ours.recv()
    process.join()
    assert (within, beside) == (1, 1)
    assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "1"


def test_the_free_memory_is_shared_out(
    executors: Callable[..., LocalExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "free_memory", lambda: 10_000_000_000)
    assert executors(4).share == 2_250_000_000  # a tenth is left to all else
    assert executors(1).share == 9_000_000_000


def test_the_free_memory_is_that_of_the_machine_at_most() -> None:
    assert 0 < executor_module.free_memory() <= psutil.virtual_memory().total


def test_errors_of_the_kit_come_through_the_pipe_as_they_are(
    executors: Callable[..., Executor], tmp_path: Path
) -> None:
    executor = executors(1)
    given = task(tmp_path / "one")
    recipe = given.recipe.model_copy(update={"data": given.recipe.data.model_copy(update={"source": "no.such_source"})})
    executor.start(replace(given, recipe=recipe, data=None))
    ended = failure(endings(executor)["one"])
    assert ended.kind == "invalid"
    assert type(ended.error) in (DataError, RecipeError)
    assert "no.such_source" in str(ended.error)
    assert ended.error is not None
    assert ended.error.code  # which travels, too
