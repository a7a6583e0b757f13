"""A real Ray cluster of three nodes on this machine, for tests that kill parts of it."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil

from seq2seq_kit.executing import ray_cluster
from seq2seq_kit.processes import brief_folder

# Ray 2.60's own, which wait for a head that was killed for a minute
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")


@dataclass
class Raylets:
    """A cluster of a head without CPUs and two nodes with one each, and what its executors said."""

    cluster: Any
    nodes: list[Any]
    said: list[str] = field(default_factory=list)

    def add(self, **resources: int) -> None:
        self.nodes.append(self.cluster.add_node(**{"num_cpus": 1, **resources}))

    def kill_node(self) -> None:
        """Kills the newest node, and adds one in its place."""
        self.nodes.pop().kill_raylet()
        self.add()

    def worker(self, kind: str) -> psutil.Process:
        """One of Ray's workers on a node that stands: those of a killed one may outlive it for a while."""
        raylets = [_pid(each) for each in self.nodes]
        return next(each for each in workers_of_ray(kind) if each.ppid() in raylets)

    def kill_node_of(self, worker: psutil.Process) -> None:
        """Kills the node of one of Ray's workers, and adds one in its place."""
        found = [each for each in self.nodes if _pid(each) == worker.ppid()]
        self.nodes.append(self.nodes.pop(self.nodes.index(found[0])))
        self.kill_node()


def _pid(node: Any) -> int:
    """Of the raylet of a node, the parent of its workers."""
    return int(node.all_processes["raylet"][0].process.pid)


@contextmanager
def a_cluster() -> Iterator[Raylets]:
    """See `Raylets`; this process is a driver of it."""
    ray_cluster.keep_environment()
    import ray
    from ray.cluster_utils import Cluster

    logging.getLogger("ray").setLevel(logging.ERROR)
    folder = brief_folder()
    os.environ["RAY_TMPDIR"] = str(folder)
    cluster = None
    try:
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        made = Raylets(cluster, [])
        for _ in range(2):
            made.add()
        with ray_cluster._unchanged_signals():
            ray.init(address=cluster.address, configure_logging=False, logging_level=logging.ERROR, log_to_driver=False)
        ray_cluster._silence()
        yield made
    finally:
        ray.shutdown()
        if cluster:
            cluster.shutdown()
        del os.environ["RAY_TMPDIR"]
        shutil.rmtree(folder)


def workers_of_ray(kind: str) -> list[psutil.Process]:
    """Ray's workers on this machine, of which each is one of ours."""
    return [each for each in psutil.process_iter() if each.name().startswith(f"ray::{kind}")]


def gone(processes: list[psutil.Process]) -> bool:
    """Whether they end within a while."""
    return not psutil.wait_procs(processes, timeout=40)[1]


def family_of(process: Any) -> list[psutil.Process]:
    """All processes that a program with a cluster of its own has started, but Ray's agents."""
    return [each for each in psutil.Process(process.pid).children(recursive=True) if each.name() not in AGENTS]
