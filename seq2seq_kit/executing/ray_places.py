"""The workers of a Ray cluster as the process that called for them sees them, and what it says of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seq2seq_kit.errors import ClusterError, DataError, KitError
from seq2seq_kit.executing.process import Failure, Message, Task
from seq2seq_kit.executing.ray_cluster import Cluster
from seq2seq_kit.executing.ray_worker import About, versions
from seq2seq_kit.processes import machine


@dataclass(eq=False)
class RayTrial:
    """A trial on a node; `pid` is that of its process where it is on this machine, else 0."""

    task: Task
    pid: int = 0


@dataclass(eq=False)
class Place:
    """A worker: its actor, the call that it has not answered yet, what it is to be told with the next one.

    `doubt`: whether its connection broke, so that what it told last is lost.
    """

    actor: Any
    reply: Any = None
    about: About | None = None
    trial: RayTrial | None = None
    task: Task | None = None
    stop: bool = False
    doubt: bool = False
    losses: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def idle(self) -> bool:
        return self.about is not None and self.reply is None and self.trial is None and not self.stop


def write(files: dict[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def on_node(message: Message, about: About | None) -> Message:
    """A failure in the words of a cluster: what was there for the sweep and is not there for a node is not shared with it."""
    if not isinstance(message, Failure) or about is None or message.error is None:
        return message
    if message.error.code != "file_not_found" or about.machine == machine():
        return message
    text = (
        f"the node {about.name} does not see the data: {message.error}. Put it where every node reads it under the same path, or "
        "give the rows to `sweep(..., data=frame)`, which take them to the nodes"
    )
    return Failure("invalid", text, DataError(text, code="data_not_on_node"))


def stopped(cluster: Cluster, kept: str) -> ClusterError:
    """`kept`: what is not lost, and how to go on."""
    return ClusterError(
        f"the Ray cluster at {cluster.address} has stopped, or no CPU of it is free any more. {kept}",
        code="cluster_stopped",
    )


def error_of(error: Any, place: Place) -> KitError:
    cause = getattr(error, "cause", None)
    if isinstance(cause, KitError):
        return cause
    name = place.about.name if place.about else "of the cluster"
    last = str(error).strip().splitlines()[-1]
    return ClusterError(f"a worker on the node {name} met a bug of the kit or of Ray: {last}", code="worker_bug")


def require_same_versions(about: About) -> None:
    """Refuses a node whose results could differ from those of another.

    Raises:
        ClusterError: It has other versions.
    """
    pairs = {name: (about.versions.get(name), own) for name, own in versions().items()}
    differing = [f"{name} {there} there, {here} here" for name, (there, here) in pairs.items() if there != here]
    if differing:
        raise ClusterError(
            f"the node {about.name} has other versions, so its results could not be compared: {'; '.join(differing)}. "
            "Install the same versions on all nodes",
            code="versions_differ",
        )
