"""What `TF_CONFIG` says, and what it must not say."""

import json
import socket
from typing import Any

import pytest

from seq2seq_kit.errors import ArgumentError, TrainingError
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.cluster import Cluster, cluster_for, cluster_here
from seq2seq_kit.tasks.members_apart import fitting, one_by_one
from seq2seq_kit.tasks.worker_process import require_alike
from tests.conftest import forecast_recipe, hourly_frame
from tests.training.test_shared_step import together
from tests.untyped import parse_recipe

TWO = ["127.0.0.1:7000", "127.0.0.1:7001"]


def config(index: Any = 0, role: str = "worker", **cluster: Any) -> dict[str, str]:
    return {"TF_CONFIG": json.dumps({"cluster": cluster or {"worker": TWO}, "task": {"type": role, "index": index}})}


def test_workers_are_numbered_as_tensorflow_does() -> None:
    first, second = cluster_here(config(0)), cluster_here(config("1"))
    assert first
    assert second
    assert (first.addresses, first.rank, second.rank) == (TWO, 0, 1)
    with_chief = {"worker": TWO[1:], "chief": TWO[:1]}
    assert [cluster_here(config(0, role, **with_chief)).rank for role in ("chief", "worker")] == [0, 1]  # type: ignore[union-attr]
    assert cluster_here({}) is None
    assert cluster_here(config(0, worker=TWO[:1])) is None, "a single worker is no cluster"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"TF_CONFIG": "workers"}, "cannot be read"),
        ({"TF_CONFIG": "[1]"}, "cannot be read"),
        ({"TF_CONFIG": json.dumps({"cluster": {"worker": TWO}})}, "cannot be read"),
        (config(2), "names no worker 2"),
        (config(-1), "names no worker -1"),
        (config(0, "chief"), "names no chief 0"),
        (config(0, "ps", ps=TWO), "it names ps"),
        (config(0, worker=["host", "other:1"]), "host is no HOST:PORT"),
        (config(0, worker=["a:1", "b:70000"]), "b:70000 is no HOST:PORT"),
        (config(0, worker=["a:1", "a:1"]), "two workers have the same address"),
    ],
)
def test_what_is_no_cluster_of_workers_is_refused(given: dict[str, str], told: str) -> None:
    with pytest.raises(ArgumentError, match=told) as found:
        cluster_here(given)
    assert found.value.code == "tf_config"


def test_a_cluster_has_as_many_workers_as_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", config(0)["TF_CONFIG"])
    assert cluster_for(2) is not None
    for workers in (1, 3):
        with pytest.raises(ArgumentError, match=f"training.workers: {workers}") as found:
            cluster_for(workers)
        assert found.value.code == "tf_config"


def test_a_port_that_is_taken_is_told_before_anything_starts() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        cluster = Cluster([f"127.0.0.1:{port}", "127.0.0.1:1"], 0, "")
        with pytest.raises(ArgumentError, match=f"the port {port} of worker 0 cannot be used") as found:
            cluster.require_free()
        assert found.value.code == "port_in_use"
        assert Cluster(cluster.addresses, 1, "").silent == [], "worker 0 is heard"
    cluster.require_free()
    assert cluster.silent == [1]


def job_of(**training: Any) -> Any:
    recipe = forecast_recipe()
    recipe["training"] |= training
    return open_job(parse_recipe(recipe), hourly_frame(120))


def test_words_for_members_and_for_workers_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentError, match=r"training\.workers: 2, which share one model\. Received: 3"):
        fitting(job_of(workers=2), data=None, digest="", workers=3)
    monkeypatch.setenv("TF_CONFIG", config(1)["TF_CONFIG"])
    with pytest.raises(ArgumentError, match="the run is worker 0's") as found:
        fitting(job_of(workers=2), data=None, digest="", workers=1)
    assert found.value.code == "not_worker_0"
    with pytest.raises(ArgumentError, match=r"as many as training\.workers: 1"):
        fitting(job_of(), data=None, digest="", workers=1)
    monkeypatch.delenv("TF_CONFIG")
    assert fitting(job_of(), data=None, digest="", workers=1) is one_by_one


def test_workers_of_another_recipe_or_other_rows_are_refused() -> None:
    recipe = job_of(workers=2).recipe
    other = recipe.model_copy(update={"seed": 7})
    named = recipe.model_copy(update={"name": "elsewhere"})
    together(2, lambda group: require_alike([recipe, named][group.rank], "a", group))
    for what, recipes, digests in (("recipe", [recipe, other], "aa"), ("rows", [recipe, recipe], "ab")):
        with pytest.raises(TrainingError, match=f"worker 1 has other {what}") as found:
            together(2, lambda group, r=recipes, d=digests: require_alike(r[group.rank], d[group.rank], group))  # type: ignore[misc]
        assert found.value.code == "workers_disagree"
