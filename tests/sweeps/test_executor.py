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
from seq2seq_kit.sweeps import executor as pool_module
from seq2seq_kit.sweeps.executor import Pool, Running, start_server
from seq2seq_kit.sweeps.trial_process import Outcome, Task, _settle
from seq2seq_kit.tasks.job import digest_of
from seq2seq_kit.validation import resolve
from tests.conftest import forecast_recipe, hourly_frame

FOR_EVER = 10**6  # epochs
PATIENCE = 120.0  # seconds for a process on a busy machine

Heard = tuple[str, Any]


@pytest.fixture
def pools() -> Iterator[Callable[..., Pool]]:
    """Makes pools, which are closed in the end."""
    opened: list[Pool] = []

    def make(workers: int = 2, **named: Any) -> Pool:
        opened.append(Pool(workers, **named))
        return opened[-1]

    yield make
    for pool in opened:
        pool.close()


def task(
    folder: Path, *, data: pd.DataFrame | None = None, model: dict[str, Any] | None = None, **training: Any
) -> Task:
    """One epoch of the small forecast, kept as long as it is better than nothing."""
    recipe = forecast_recipe()
    recipe["training"] |= {"epochs": 1, "patience": None} | training
    recipe["model"] |= model or {}
    rows = hourly_frame(300) if data is None else data
    digest = digest_of(rows, ["time"])
    return Task(resolve(recipe, ()), "val_loss", None, "min", None, rows, folder, "r" * 32, ["time"], digest)


def listen(pool: Pool, *, until: str = "") -> Iterator[tuple[Running, str, Any]]:
    """What happens until nothing runs any more, or up to the first message of a kind."""
    end = time.monotonic() + PATIENCE
    while pool.running:
        assert time.monotonic() < end, f"still at work: {[each.task.folder.name for each in pool.running]}"
        for event in pool.wait(0.2):
            yield event
            if event[1] == until:
                return


def endings(pool: Pool) -> dict[str, Heard]:
    """How each trial ended, by the name of its folder."""
    return {
        running.task.folder.name: (kind, value)
        for running, kind, value in listen(pool)
        if kind not in ("batch", "epoch")
    }


def test_a_trial_tells_its_epochs_and_leaves_its_model_and_nothing_else(
    pools: Callable[..., Pool], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pool = pools(1)
    assert pool.free == 1
    running = pool.start(task(tmp_path / "one", epochs=2))
    assert pool.free == 0
    heard = [(kind, value) for _, kind, value in listen(pool)]
    epochs = [value for kind, value in heard if kind == "epoch"]
    assert [(fold, epoch["number"], epoch["of"]) for fold, epoch in epochs] == [(1, 1, 2), (1, 2, 2)]
    kind, outcome = heard[-1]
    assert kind == "done"
    assert isinstance(outcome, Outcome)
    assert outcome.score == min(epoch["val_loss"] for _, epoch in epochs)
    assert outcome.fits[0]["history"] == [epoch for _, epoch in epochs]
    assert outcome.memory > 100e6
    assert (tmp_path / "one" / "bundle" / "model.keras").is_file()
    assert pool.free == 1
    assert not running.process.is_alive()
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_what_becomes_of_a_trial_is_told_by_kind_and_in_words(pools: Callable[..., Pool], tmp_path: Path) -> None:
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
    pool = pools(2)
    found: dict[str, Heard] = {}
    while trials or pool.running:
        while trials and pool.free:
            pool.start(trials.pop(0))
        found |= {one.task.folder.name: (kind, value) for one, kind, value in pool.wait(0.2)}
    assert {name: kind for name, (kind, _) in found.items()} == {
        "nan": "failed",
        "huge": "failed",
        "bug": "broken",
        "data": "wrong",
        "column": "wrong",
        "beaten": "done",
    }
    assert "the training loss became nan in epoch 1" in found["nan"][1]
    assert "Try a smaller training.learning_rate (now 1e+30)" in found["nan"][1]
    assert found["huge"][1].startswith("out of memory: ")
    assert "[800000,200000]" in found["huge"][1]
    assert found["bug"][1].startswith("Traceback")
    assert "KeyError: 'val_unheard_of'" in found["bug"][1]
    assert isinstance(found["data"][1], DataError)
    assert isinstance(found["column"][1], DataError)
    assert "heat" in str(found["column"][1])
    assert not (tmp_path / "beaten" / "bundle").exists()  # its model is not better than the best one
    assert (tmp_path / "beaten" / "stderr.txt").is_file()


def test_a_trial_that_is_killed_takes_too_long_or_grows_is_ended_with_the_reason(
    pools: Callable[..., Pool], tmp_path: Path
) -> None:
    pool, late = pools(3), pools(1, minutes=0.05)
    killed, large, left = (pool.start(task(tmp_path / name, epochs=FOR_EVER)) for name in ("killed", "large", "left"))
    late.start(task(tmp_path / "late", epochs=FOR_EVER))
    assert endings(late) == {"late": ("late", "it took longer than sweep.trial_minutes: 0.05")}
    waiting = {"killed", "large", "left"}
    while waiting:
        waiting -= {running.task.folder.name for running, kind, _ in listen(pool, until="epoch") if kind == "epoch"}
    for each in (large, left):  # Ctrl-C goes to every process of a terminal; these leave it to the sweep
        os.kill(each.process.pid, signal.SIGINT)
    (tmp_path / "killed" / "stderr.txt").write_text("one\ntwo\nthree\nthe last word\n")
    os.kill(killed.process.pid, signal.SIGKILL)
    ended = [(running, kind, value) for running, kind, value in listen(pool, until="died") if kind != "batch"]
    assert ended[-1] == (
        killed,
        "died",
        "its process was ended by SIGKILL; perhaps memory ran out. It said last: two | three | the last word",
    )
    assert pool.running == [large, left]
    processes = [psutil.Process(each.process.pid) for each in (large, left)]
    assert large.peak > 100e6
    pool.end(left)
    assert not processes[1].is_running()
    pool.share = 50_000_000
    kind, said = endings(pool)["large"]
    assert kind == "large"
    assert said.startswith(
        f"out of memory: it held {large.peak / 1e9:.1f} GB, and the share of each of 3 workers is 0.1 GB. "
    )
    assert said.endswith("Search smaller values, or call with fewer --workers")
    assert not processes[0].is_running()


def test_closing_a_pool_leaves_no_process(pools: Callable[..., Pool], tmp_path: Path) -> None:
    pool = pools(2)
    started = [pool.start(task(tmp_path / name, epochs=FOR_EVER)) for name in ("one", "other")]
    processes = [psutil.Process(each.process.pid) for each in started]
    assert all(process.is_running() for process in processes)
    pool.close()
    assert pool.free == 2
    assert not [process for process in processes if process.is_running()]


def tell_threads(pipe: Connection, folder: Path) -> None:
    """What a trial's process is like once it has settled; runs in one."""
    _settle(pipe, folder)
    import tensorflow as tf

    threads = tf.config.threading
    pipe.send(
        (threads.get_intra_op_parallelism_threads(), threads.get_inter_op_parallelism_threads(), dict(os.environ))
    )


def test_a_trial_computes_in_one_thread(tmp_path: Path) -> None:
    context = start_server()
    ours, theirs = context.Pipe()
    process = context.Process(target=tell_threads, args=(theirs, tmp_path / "settled"), daemon=True)
    with pool_module._without_main():
        process.start()
    theirs.close()
    assert ours.poll(PATIENCE)
    within, beside, environment = ours.recv()
    process.join()
    assert (within, beside) == (1, 1)
    assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "1"


def test_the_free_memory_is_shared_out(pools: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "free_memory", lambda: 10_000_000_000)
    assert pools(4).share == 2_250_000_000  # a tenth is left to all else
    assert pools(1).share == 9_000_000_000


def test_the_free_memory_is_that_of_the_machine_at_most() -> None:
    assert 0 < pool_module.free_memory() <= psutil.virtual_memory().total


def test_errors_of_the_kit_come_through_the_pipe_as_they_are(pools: Callable[..., Pool], tmp_path: Path) -> None:
    pool = pools(1)
    given = task(tmp_path / "one")
    recipe = given.recipe.model_copy(update={"data": given.recipe.data.model_copy(update={"source": "no.such_source"})})
    pool.start(replace(given, recipe=recipe, data=None))
    kind, value = endings(pool)["one"]
    assert kind == "wrong"
    assert type(value) in (DataError, RecipeError)
    assert "no.such_source" in str(value)
