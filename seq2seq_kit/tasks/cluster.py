"""The workers that `TF_CONFIG` names, TensorFlow's way to say who trains together on which machine."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from seq2seq_kit.errors import ArgumentError

VARIABLE = "TF_CONFIG"
_ROLES = ("chief", "worker")  # in TensorFlow's order
_PROBE_SECONDS = 2.0
_EXAMPLE = '{"cluster": {"worker": ["10.0.0.1:7000", "10.0.0.2:7000"]}, "task": {"type": "worker", "index": 0}}'


@dataclass(frozen=True)
class Cluster:
    """Workers of several machines.

    Attributes:
        addresses: `HOST:PORT` of each, worker 0 first.
        rank: Which one this process is.
        config: `TF_CONFIG` as it was set.
    """

    addresses: list[str]
    rank: int
    config: str

    @property
    def silent(self) -> list[int]:
        """The other workers at whose address nobody listens now."""
        return [rank for rank, each in enumerate(self.addresses) if rank != self.rank and not _listens(each)]

    def require_free(self) -> None:
        """Refuses an own port that another process uses.

        Raises:
            ArgumentError: It does.
        """
        port = int(self.addresses[self.rank].rpartition(":")[2])
        with socket.socket() as probe:
            if os.name == "posix":  # as TensorFlow's server, which takes one that was left a moment ago
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
                raise ArgumentError(
                    f"{VARIABLE}: the port {port} of worker {self.rank} cannot be used: {error.strerror}. Expected a free one "
                    "above 1023. Choose another one on every machine, or end the process that has it",
                    code="port_in_use",
                ) from None


def cluster_here(environ: Mapping[str, str] = os.environ) -> Cluster | None:
    """The cluster that `TF_CONFIG` names; None without it, or where it names this process alone.

    Raises:
        ArgumentError: It cannot be read, or it names something else than workers.
    """
    config = environ.get(VARIABLE, "")
    if not config.strip():
        return None
    try:
        read = json.loads(config)
        cluster, task = read.get("cluster") or {}, read.get("task") or {}
        named = {role: [str(each) for each in cluster[role]] for role in cluster if cluster[role]}
        role, index = str(task["type"]), int(task["index"])
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise _wrong(f"it cannot be read ({error})") from None
    if sum(map(len, named.values())) <= 1:
        return None
    if other := sorted({role, *named} - set(_ROLES)):
        raise _wrong(f"it names {', '.join(other)}")
    if len(named.get("chief", [])) > 1 or not 0 <= index < len(named.get(role, [])):
        raise _wrong(f"it names no {role} {index}")
    addresses = [each for kind in _ROLES for each in named.get(kind, [])]
    for each in addresses:
        host, _, port = each.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise _wrong(f"{each} is no HOST:PORT")
    if len(set(addresses)) < len(addresses):
        raise _wrong("two workers have the same address")
    return Cluster(addresses, index + (len(named.get("chief", [])) if role == "worker" else 0), config)


def cluster_for(workers: int) -> Cluster | None:
    """The cluster of a training of so many workers; None where this machine has all of them.

    Raises:
        ArgumentError: As of `cluster_here`, or it names another number of them.
    """
    cluster = cluster_here()
    if cluster is not None and len(cluster.addresses) != workers:
        raise ArgumentError(
            f"{VARIABLE} names {len(cluster.addresses)} workers. Expected as many as training.workers: {workers}. Set "
            f"training.workers={len(cluster.addresses)}, or unset {VARIABLE} to train on this machine alone",
            code="tf_config",
        )
    return cluster


def _wrong(what: str) -> ArgumentError:
    said = f"{VARIABLE}: {what}. Expected JSON of workers such as {_EXAMPLE}. Correct or unset it"
    return ArgumentError(said, code="tf_config")


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE_SECONDS):
        return True
    return False
