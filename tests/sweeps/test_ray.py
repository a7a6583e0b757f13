"""Trials on a real Ray cluster of three nodes on this machine: as with local processes, whichever part of it is killed."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from ruamel.yaml import YAML

from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import ArgumentError, ClusterError, DataError
from seq2seq_kit.executing import ray_cluster
from seq2seq_kit.executing.executor import Executor
from seq2seq_kit.executing.process import EpochEnded, Failure
from seq2seq_kit.executing.ray_executor import RayExecutor
from seq2seq_kit.executing.ray_places import on_node
from seq2seq_kit.executing.ray_worker import About, Reply, Worker, versions
from seq2seq_kit.processes import brief_folder
from seq2seq_kit.sweeps import SweepResult, resume_sweep, sweep
from seq2seq_kit.sweeps.status import Silent, Status
from seq2seq_kit.sweeps.trial_process import run_trial
from seq2seq_kit.tracking.client import open_tracking
from tests.conftest import ROOT
from tests.raylets import Raylets, a_cluster, family_of, gone, workers_of_ray

# The same tests as for processes of this machine, with the fixture below.
from tests.sweeps.test_executor import (  # noqa: F401
    FOR_EVER,
    PATIENCE,
    endings,
    failure,
    listen,
    task,
    test_a_trial_tells_its_epochs_and_leaves_its_model_and_nothing_else,
    test_errors_of_the_kit_come_through_the_pipe_as_they_are,
    test_what_becomes_of_a_trial_is_told_by_kind_and_in_words,
)
from tests.sweeps.test_robust import ROWS, lines_of, started, steps
from tests.sweeps.test_robust import swept as robust
from tests.sweeps.test_sweep import runs_below

TRIALS, EPOCHS = 3, 40

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def raylets() -> Iterator[Raylets]:
    """See `Raylets`; this process is a driver of it."""
    with a_cluster() as made:
        yield made


@pytest.fixture
def executors(raylets: Raylets) -> Iterator[Callable[..., Executor]]:
    """Makes executors on the cluster, which are closed in the end."""
    opened: list[RayExecutor] = []

    def make(workers: int = 2, **named: Any) -> RayExecutor:
        smaller = "Search smaller values"
        opened.append(
            RayExecutor(workers, address=None, run=run_trial, smaller=smaller, say=raylets.said.append, **named)
        )
        until = time.monotonic() + PATIENCE
        while opened[-1].free < workers:
            assert time.monotonic() < until
            assert not list(opened[-1].wait(0.2))
        return opened[-1]

    yield make
    for executor in opened:
        executor.close()


def swept(**section: Any) -> dict[str, Any]:
    """The small forecast with a random search."""
    recipe = robust(**section)
    recipe["training"]["epochs"] = EPOCHS
    return recipe


class Killer(Silent):
    """Kills a node, then a worker of one that stands, each in the middle of a trial's epochs."""

    def __init__(self, raylets: Raylets) -> None:
        self.said = list[str]()
        self.kills = [raylets.kill_node, lambda: raylets.worker("Worker").kill()]

    def say(self, text: str) -> None:
        self.said.append(text)

    def on_status(self, status: Status) -> None:
        if self.kills and any(3 < each.epoch < EPOCHS - 10 for each in status.running):
            self.kills.pop(0)()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    """The sweep with processes of this machine."""
    folder = tmp_path_factory.mktemp("local")
    return sweep(swept(max_trials=TRIALS), data=ROWS, workers=2, tracking_uri=str(folder / "mlruns"))


def seen(result: SweepResult) -> list[tuple[Any, ...]]:
    """Trials, their runs and their epochs in MLflow, without what differs from run to run."""
    tracked = open_tracking(result.tracking_uri)
    runs = {int(run.data.tags["sweep.trial"]): run for run in runs_below(tracked, result.run_id)}

    def logged(run: Any) -> tuple[Any, ...]:
        return run.info.run_name, run.info.status, steps(tracked, run)

    return [
        (
            trial.number,
            trial.values,
            trial.state,
            trial.score,
            trial.best_epoch,
            trial.epochs,
            *logged(runs[trial.number]),
        )
        for trial in result.trials
    ]


def test_a_node_and_a_worker_that_die_cost_nothing_but_time(
    raylets: Raylets, local: SweepResult, tmp_path: Path
) -> None:
    killer = Killer(raylets)
    recipe = swept(max_trials=TRIALS, executor="ray")
    result = sweep(recipe, data=ROWS, workers=2, tracking_uri=str(tmp_path / "mlruns"), reporter=killer)
    assert killer.kills == []
    assert any("was lost; it begins again on another" in text for text in killer.said)
    assert any("its Ray worker on the node" in text and text.endswith("it is tried once more") for text in killer.said)
    assert seen(result) == seen(local)
    assert result.winner is not None
    assert local.winner is not None
    assert result.winner.test.skill == local.winner.test.skill
    assert gone(workers_of_ray("Worker"))


def test_a_trial_that_is_killed_or_takes_too_long_is_ended_with_the_reason(
    executors: Callable[..., Executor], tmp_path: Path
) -> None:
    executor = executors(2)
    first, other, late = (task(tmp_path / name, epochs=FOR_EVER) for name in ("first", "other", "late"))
    killed, stopped = executor.start(first), executor.start(other)
    waiting = {"first", "other"}
    while waiting:
        heard = listen(executor, until=EpochEnded)
        waiting -= {one.task.folder.name for one, message in heard if isinstance(message, EpochEnded)}
    process = psutil.Process(stopped.pid)
    executor.kill(stopped)
    os.kill(killed.pid, signal.SIGKILL)
    ended = [message for one, message in listen(executor, until=Failure) if one is killed]
    assert failure(ended[-1]).kind == "killed"
    assert failure(ended[-1]).reason.startswith("its process was ended by SIGKILL; perhaps memory ran out")
    assert not list(listen(executor))  # of the one that is stopped nothing is told
    assert gone([process])
    executor.close()
    limited = executors(1, minutes=0.05)
    limited.start(late)
    assert endings(limited) == {"late": Failure("time", "it took longer than sweep.trial_minutes: 0.05")}
    limited.close()
    little = executors(1, kind=Small)
    little.start(task(tmp_path / "large", epochs=FOR_EVER))
    (large,) = endings(little).values()
    assert failure(large).kind == "memory"
    assert "the share of each of 1 workers is 0.1 GB. Search smaller values" in failure(large).reason


class Small(Worker):
    """A worker of a node that has next to no memory free."""

    def call(self, task: Any, shared: object, *, stop: bool = False) -> Reply:
        self.executor.share = 50_000_000
        return super().call(task, shared, stop=stop)


def test_closing_an_executor_leaves_no_process(executors: Callable[..., Executor], tmp_path: Path) -> None:
    executor = executors(1)
    running = executor.start(task(tmp_path / "one", epochs=FOR_EVER))
    next(listen(executor, until=EpochEnded))
    processes = [psutil.Process(running.pid), *workers_of_ray("Worker")]
    assert len(processes) == 2
    executor.close()
    assert gone(processes)


def test_more_workers_than_cpus_are_refused_with_their_number(raylets: Raylets) -> None:
    with pytest.raises(ArgumentError, match=r"has 2 CPUs on 3 nodes.*--workers 5") as caught:
        RayExecutor(5, address=None, run=run_trial, smaller="", say=raylets.said.append)
    assert caught.value.code == "too_few_cpus"


@pytest.mark.parametrize(
    ("nodes", "workers", "expected"),
    [
        ([(8, 0)], 8, 0.0),
        ([(8, 0), (4, 1)], 1, 1.0),
        ([(8, 0), (4, 1)], 3, 0.3333),
        ([(8, 4)], 8, 0.5),
        ([(2, 1), (8, 1)], 10, 0.125),  # halves of the CPUs' number would leave three workers without a place
        ([(8, 0.5)], 2, 0.0),
    ],
)
def test_workers_share_the_gpus_so_that_each_has_a_place(
    nodes: list[tuple[float, float]], workers: int, expected: float
) -> None:
    cluster = ray_cluster.Cluster("", tuple(nodes), None, ours=False)
    assert cluster.gpus_each(workers, 1.0) == expected


def test_workers_go_to_the_node_that_has_a_gpu(raylets: Raylets, executors: Callable[..., Executor]) -> None:
    """The node only says so: nothing is computed there."""
    import ray

    raylets.add(num_cpus=2, num_gpus=1)
    with pytest.raises(
        ArgumentError, match=r"has 2 CPUs on those of its \d nodes that have GPUs.*--workers 3"
    ) as caught:
        executors(3)
    assert caught.value.code == "too_few_cpus"
    executor: Any = executors(2)
    assert executor.cluster.gpus_each(2, 1.0) == 0.5
    assert len({place.about.node for place in executor._places}) == 1
    assert ray.available_resources().get("GPU", 0.0) == 0.0
    executor.close()
    raylets.cluster.remove_node(raylets.nodes.pop())


def test_a_node_with_other_versions_or_without_a_compiler_is_named(
    executors: Callable[..., Executor], raylets: Raylets, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor: Any = executors(1)
    place = executor._places[0]
    about = replace(place.about, name="n7", kernel="no C compiler was found")
    raylets.said.clear()
    executor._welcome(place, about)
    executor._welcome(place, replace(about, name="n8"))
    assert [text.split(":")[0] for text in raylets.said] == [
        "on the node n7 recurrent layers take Keras' own loop, which is slower"
    ]
    other = {**versions(), "keras": "3.12.0"}
    with pytest.raises(ClusterError, match=r"the node n7 has other versions.*: keras 3\.12\.0 there") as caught:
        executor._welcome(place, replace(about, versions=other))
    assert caught.value.code == "versions_differ"


def test_data_that_a_node_does_not_see_is_named() -> None:
    error = DataError("there is no file rows.csv", code="file_not_found")
    elsewhere = About("n7", "another machine", "", {}, "")
    told = on_node(Failure("invalid", str(error), error), elsewhere)
    assert isinstance(told, Failure)
    assert told.error is not None
    assert told.error.code == "data_not_on_node"
    assert "the node n7 does not see the data: there is no file rows.csv" in told.reason


@pytest.mark.parametrize("address", ["nowhere", "ray://127.0.0.1:10001", "127.0.0.1:port"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        ray_cluster._join(address)
    assert caught.value.code == "bad_address"


def test_an_address_where_no_cluster_answers_is_told_within_seconds() -> None:
    """Nobody, or a server of another kind, or one that says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        began = time.monotonic()
        for port in (1, silent.getsockname()[1]):
            with pytest.raises(ClusterError) as caught:
                ray_cluster._join(f"127.0.0.1:{port}")
            assert caught.value.code == "cluster_unreachable"
        assert time.monotonic() - began < 10


def test_ray_that_is_not_installed_is_told_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    ROWS.to_csv("rows.csv", index=False)
    recipe = swept(executor="ray")
    recipe["data"]["source"] = "rows.csv"
    with Path("sweep.yaml").open("w") as file:
        YAML().dump(recipe, file)
    assert main(["sweep", "sweep.yaml"]) == 2
    said = capsys.readouterr().err
    assert "error[ray_not_installed]" in said
    assert "seq2seq-kit[ray]" in said
    assert main(["sweep", "sweep.yaml", "--executor", "local", "--address", "127.0.0.1:6379"]) == 2
    assert "Add --executor ray" in capsys.readouterr().err


def test_a_cluster_with_another_token_is_told_in_words(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    known = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a" * 64, "PYTHONPATH": str(ROOT)}
    folder = brief_folder() / "token"
    options = ["--num-cpus=0", "--node-ip-address=127.0.0.1", "--include-dashboard=false", "--disable-usage-stats"]
    start = [
        str(Path(sys.executable).parent / "ray"),
        "start",
        "--head",
        "--block",
        f"--port={address.rpartition(':')[2]}",
    ]
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    recipe = swept(max_trials=2)
    recipe["data"]["source"] = "rows.csv"
    with (tmp_path / "sweep.yaml").open("w") as file:
        YAML().dump(recipe, file)
    join = f"from seq2seq_kit.executing.ray_cluster import open_cluster; print(open_cluster({address!r}, 1).nodes)"
    called = {
        "b": ["-m", "seq2seq_kit", "sweep", "sweep.yaml", "--executor", "ray", "--address", address],
        "a": ["-c", join],
    }
    with subprocess.Popen([*start, f"--temp-dir={folder}", *options], env=known, stdout=subprocess.DEVNULL) as head:
        try:
            until = time.monotonic() + PATIENCE
            while not ray_cluster._answers(address) and time.monotonic() < until:
                time.sleep(0.2)
            found = {
                token: subprocess.run(
                    [sys.executable, *words],
                    cwd=tmp_path,
                    env=known | {"RAY_AUTH_TOKEN": token * 64},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                for token, words in called.items()
            }
        finally:
            for each in [*psutil.Process(head.pid).children(recursive=True), head]:
                each.kill()
            shutil.rmtree(folder, ignore_errors=True)
    assert (found["a"].returncode, found["a"].stdout) == (0, "((0.0, 0.0),)\n"), found["a"].stderr
    assert found["b"].returncode == 1
    (said,) = found["b"].stderr.strip().splitlines()
    assert said.startswith(f"error[cluster_token]: the cluster at {address} does not let this process in")


def test_a_sweep_outlives_ctrl_c_the_end_of_its_cluster_and_its_own(
    local: SweepResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First Ctrl-C, then the cluster of this machine dies under the sweep, then the sweep itself; what has finished stays."""
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    recipe = swept(max_trials=TRIALS + 1)
    recipe["data"]["source"] = "rows.csv"
    with (tmp_path / "sweep.yaml").open("w") as file:
        YAML().dump(recipe, file)
    store = str(tmp_path / "mlruns")
    words = ["-m", "seq2seq_kit", "sweep", "--executor", "ray", "--workers", "1", "--tracking-uri", store]
    with started(*words, "sweep.yaml", folder=tmp_path) as process:
        out: list[str] = []
        next(line for line in lines_of(process, out) if line.startswith("trial"))
        family = family_of(process)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout is not None
        out.append(process.stdout.read())
        assert process.wait(60) == 130, out
        assert gone(family)
    assert "Traceback" not in "".join(out)
    tracked = open_tracking(store)
    (run_id,) = tracked.runs()["run"]
    assert tracked.client.get_run(run_id).data.tags["sweep.ended"] == "interrupted"
    words += ["--resume", run_id]
    with started(*words, folder=tmp_path) as process:
        next(line for line in lines_of(process, out) if line.startswith("trial"))
        family = psutil.Process(process.pid).children(recursive=True)
        next(each for each in family if each.name() == "gcs_server").kill()
        assert process.stdout is not None
        out.append(process.stdout.read())
        assert process.wait(60) == 1, out
        assert gone(family)
    assert "error[cluster_stopped]" in "".join(out)
    with started(*words, folder=tmp_path) as process:
        next(line for line in lines_of(process, out) if line.startswith("trial"))
        family = family_of(process)
        process.kill()
        assert gone(family)
    monkeypatch.chdir(tmp_path)
    result = resume_sweep(run_id, executor="local", workers=1, tracking_uri=store)
    found = [(trial.state, trial.score) for trial in result.trials]
    assert found[:TRIALS] == [(trial.state, trial.score) for trial in local.trials]
    assert len(found) == TRIALS + 1
    assert found[-1][0] == "finished"
