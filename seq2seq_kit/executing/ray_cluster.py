"""A Ray cluster for the time of a call: one that runs already and is joined, or one of this machine that ends with the call."""

from __future__ import annotations

import logging
import math
import os
import secrets
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

import seq2seq_kit
from seq2seq_kit.errors import ArgumentError, ClusterError
from seq2seq_kit.processes import brief_folder
from seq2seq_kit.quiet import held_back

_CONNECT_SECONDS = 3.0
_END_SECONDS = 3.0
_NAMESPACE = "seq2seq-kit"
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(
    [0, 0, 0, 4, 0, 0, 0, 0, 0]
)  # of HTTP/2, with settings that are empty
_QUIET: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.ERROR}


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is part of.

    Attributes:
        address: Host and port of its head.
        nodes: CPUs and GPUs of each.
        folder: Ray's files, of a cluster that ends with the call; else None.
        ours: Whether this process has joined it for the call.
    """

    address: str
    nodes: tuple[tuple[float, float], ...]
    folder: Path | None
    ours: bool

    @property
    def gpus(self) -> bool:
        """Whether there are any."""
        return any(gpus >= 1 for _, gpus in self.nodes)

    @property
    def cpus(self) -> float:
        """Of all its nodes together, or if some have GPUs, of those: workers with and without one would give other digits."""
        return sum(cpus for cpus, gpus in self.nodes if gpus >= 1 or not self.gpus)

    def gpus_each(self, workers: int, cpus: float) -> float:
        """The largest share of a GPU that all workers of so many CPUs can have: a whole one, a half, a third; 0 without any."""
        if not self.gpus:
            return 0.0
        places = [(own // cpus, gpus // 1) for own, gpus in self.nodes if gpus >= 1]
        wanted, shared = min(workers, sum(place for place, _ in places)), 1
        while sum(min(place, gpus * shared) for place, gpus in places) < wanted:
            shared += 1
        return math.floor(1e4 / shared) / 1e4  # Ray counts in ten-thousandths

    @property
    def answers(self) -> bool:
        """Whether its head can be reached, however busy it is."""
        return _answers(self.address, greeted=False)

    def close(self) -> None:
        """Leaves the cluster; one of this machine ends, and its files are removed."""
        import ray

        started = _started_in(self.folder) if self.folder else []
        if self.ours:
            ray.shutdown()
        for each in psutil.wait_procs(started, timeout=_END_SECONDS)[1]:  # some wait for the head, which may be dead
            with suppress(psutil.Error):
                each.kill()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def open_cluster(address: str | None, workers: int) -> Cluster:
    """Joins the cluster at an address, or starts one on this machine; a program that is part of one already stays there.

    Args:
        address: `HOST:PORT` of the head, as `ray start --head` says it; None: on this machine.
        workers: CPUs of a cluster that is started.

    Raises:
        ArgumentError: Ray is not installed; the address is no `HOST:PORT`, or that of a second cluster.
        ClusterError: Nobody answers there, the token is another one, or the versions of Ray or Python differ.
    """
    if find_spec("ray") is None:
        raise ArgumentError(
            "the executor is ray, and the package ray is not installed. Install it: pip install 'seq2seq-kit[ray]'; "
            "or leave --executor (in a recipe sweep.executor) out to use processes of this machine",
            code="ray_not_installed",
        )
    keep_environment()
    token = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ) or (
        Path.home() / ".ray" / "auth_token"
    ).exists()
    if address is not None and token:
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # which Ray reads as it is imported
    import ray

    folder, ours = None, not ray.is_initialized()
    if ours:
        _silence()
        with _unchanged_signals():
            if address is None:
                folder = _start(workers)
            else:
                _join(address)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    found = ray.get_runtime_context().gcs_address
    if address is not None and not ours and not _same(address, found):
        raise ArgumentError(
            f"this program is part of the cluster at {found} already, and can join no second one. Received: {address}. Leave the "
            "address out, or call ray.shutdown() before",
            code="bad_address",
        )
    each = tuple((node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0)) for node in nodes)
    return Cluster(found, each, folder, ours)


def _same(address: str, other: str) -> bool:
    """Whether two addresses are those of one server, however its host is called."""
    (host, _, port), (other_host, _, other_port) = address.rpartition(":"), other.rpartition(":")
    try:
        return port == other_port and socket.gethostbyname(host) == socket.gethostbyname(other_host)
    except OSError:
        return address == other


def keep_environment() -> None:
    """Makes workers use the environment that they are in, before Ray is imported, which reads it then.

    Where the driver was begun by `uv run` Ray would begin each worker by it, too, in a folder where that finds no project.
    """
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")


def _start(workers: int) -> Path:
    import ray

    folder = brief_folder()
    # Ray listens on every address of the machine, so it keeps its token; given here, none is written into the home folder.
    if not {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    # Memory is watched by the workers, by trial and with words.
    own = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_memory_monitor_refresh_ms": "0"}
    own |= {"TMPDIR": str(folder), "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    try:
        with _environment(own):
            ray.init(
                address="local",
                num_cpus=workers,
                include_dashboard=False,
                namespace=_NAMESPACE,
                _temp_dir=str(folder),
                _node_ip_address="127.0.0.1",
                **_QUIET,
            )
    except BaseException as error:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(error, Exception):
            raise
        raise ClusterError(
            f"no Ray cluster could be started on this machine: {_first_line(error)}. Leave --executor (in a recipe "
            "sweep.executor) out to use processes of this machine",
            code="ray_not_started",
        ) from error
    return folder


def _join(address: str) -> None:
    import ray
    from ray.exceptions import AuthenticationError

    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdecimal():
        raise ArgumentError(
            f"--address is HOST:PORT of the cluster's head, as `ray start --head` says it. Received: {address!r}",
            code="bad_address",
        )
    if not _answers(address):
        raise ClusterError(
            f"no Ray cluster answers at {address}. Look whether it runs there (`ray status --address {address}`), and at host "
            "and port; to start one: ray start --head",
            code="cluster_unreachable",
        )
    try:
        # Where it is not let in, Ray writes a line a second to descriptor 2 until it gives up, after about 20.
        with _environment({"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}), held_back(shown=False):
            ray.init(
                address=address,
                namespace=_NAMESPACE,
                **_QUIET,
                runtime_env={"py_modules": [str(Path(seq2seq_kit.__file__).parent)]},
            )
    except (AuthenticationError, ConnectionError) as error:
        # Something answers there, and does not speak to this process.
        raise ClusterError(
            f"the cluster at {address} does not let this process in: {_first_line(error)}. If it has a token, set "
            "RAY_AUTH_TOKEN, or copy ~/.ray/auth_token from its head; else look whether a Ray cluster is there",
            code="cluster_token",
        ) from error
    except (RuntimeError, ValueError) as error:
        if "ersion mismatch" in str(error):
            said = " ".join(str(error).split())
            raise ClusterError(
                f"{said} Install the same versions on this machine and all nodes", code="versions_differ"
            ) from error
        raise ClusterError(
            f"the cluster at {address} cannot be joined: {_first_line(error)}. Call it on one of its nodes: on this "
            f"machine `ray start --address {address}` makes it one",
            code="cluster_unreachable",
        ) from error


def _started_in(folder: Path) -> list[psutil.Process]:
    """The processes of a cluster that this process has started with its files in a folder."""
    roots = []
    for each in psutil.Process().children():
        with suppress(psutil.Error):
            if str(folder) in " ".join(each.cmdline()):
                roots += [each, *each.children(recursive=True)]
    return roots


def _silence() -> None:
    """What matters is raised; Ray writes into standard output whatever a node that dies has logged."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    from ray._private import worker

    worker._worker_logs_enabled = False


def _answers(address: str, *, greeted: bool = True) -> bool:
    """Whether a server of the kind that Ray's head is answers there: joining anything else would wait for minutes."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS) as connection:
            if not greeted or os.environ.get("RAY_USE_TLS", "0") == "1":
                return True
            connection.sendall(_GREETING)
            return connection.recv(9)[3:4] == b"\x04"  # the answer begins with settings, too
    except (OSError, ValueError, OverflowError):
        return False


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Variables for the processes that are started meanwhile; one that the user has set stays."""
    added = {name: value for name, value in values.items() if name not in os.environ or name == "TMPDIR"}
    before = {name: os.environ.get(name) for name in added}
    os.environ |= added
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _unchanged_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself, for good."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(TypeError):  # one that was not set from Python
                signal.signal(number, handler)
