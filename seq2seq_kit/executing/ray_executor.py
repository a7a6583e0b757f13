"""Trials on a Ray cluster: the executor of the process that runs the sweep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_kit.executing.process import BatchBegan, EpochEnded, Outcome
from seq2seq_kit.executing.ray_actors import Actors
from seq2seq_kit.executing.ray_cluster import open_cluster
from seq2seq_kit.executing.ray_worker import Worker

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_KEPT = "Finished trials are kept: resume the sweep when it runs again, or with --executor local"


class RayExecutor(Actors):
    """At most `workers` trials at a time on the nodes of a cluster; see `Executor`.

    Args:
        workers: How many trials may run at a time; None: as many as the cluster has CPUs.
        address: Of the cluster's head; None: a cluster of this machine for the time of the sweep.
        run: What a process does with its task; a function of a module.
        smaller: What to do about a task that takes too much memory, as a message says it.
        minutes: Longest time of a trial; None: no limit.
        shared: An attribute of tasks that is the same large object in all of them: it goes to each node once.
        brings: The folder below a task's own that is brought back from its node.
        say: Is told what a user should know.
        default: CPUs of a cluster of this machine, where `workers` does not say it.
        kind: The class of its workers.
        cpus: Of each of them.

    Raises:
        ArgumentError: The cluster has fewer CPUs than there are to be workers.
        ClusterError: It cannot be reached.
    """

    def __init__(
        self,
        workers: int | None,
        *,
        address: str | None,
        run: Callable[[Any, Connection], Outcome],
        smaller: str,
        minutes: float | None = None,
        shared: str = "data",
        brings: str = "bundle",
        say: Callable[[str], None],
        default: int = 1,
        kind: type = Worker,
        cpus: float = 1.0,
    ) -> None:
        given = {"run": run, "smaller": smaller, "minutes": minutes, "shared": shared, "brings": brings}
        super().__init__(
            open_cluster(address, workers or default),
            workers,
            kind=kind,
            given=given | {"folder": str(Path.cwd())},
            under_way=(BatchBegan, EpochEnded),
            kept=_KEPT,
            say=say,
            shared=shared,
            cpus=cpus,
        )
