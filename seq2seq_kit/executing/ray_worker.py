"""What happens on a node of a Ray cluster: a worker that runs one trial at a time in a process of that node.

The process is the one of local trials, forked and watched by the same code; a worker only tells of it.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import os
import platform
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import seq2seq_kit
from seq2seq_kit.executing.executor import LocalExecutor, start_process
from seq2seq_kit.executing.process import Message, Outcome, Task
from seq2seq_kit.processes import end_with_parent, keep_own_folder, machine, shared_folder

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# What scores, answers and tasks on their way depend on.
_PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "pyarrow")
_LISTEN_SECONDS = 1.0  # the longest that a call hears of nothing; a trial that is to be stopped waits as long
_LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class About:
    """A node, as its worker finds it.

    Attributes:
        name: Its host, for messages.
        machine: Which machine, boot and space of process ids it is.
        node: Ray's id of the node.
        versions: Of Python, the kit and the packages that scores depend on.
        kernel: Why it has no compiled kernel; empty if it has one.
    """

    name: str
    machine: str
    node: str
    versions: dict[str, str]
    kernel: str


@dataclass(frozen=True)
class Reply:
    """What a worker tells after a call.

    Attributes:
        pid: Of the trial's process; 0 if none was started.
        messages: Of the trial, in order; those of its process.
        files: Of a trial that has ended: bytes by path below its folder.
    """

    pid: int
    messages: list[Any]
    files: dict[str, bytes] = field(default_factory=dict)


class Worker:
    """One place for trials on a node; its methods are called one after the other, from another machine.

    Args:
        run: As in `LocalExecutor`.
        smaller: Likewise.
        minutes: Likewise.
        workers: Of the sweep; those for which the node has CPUs share its memory.
        folder: Current folder of whoever runs the sweep, which relative paths of data start from; taken if the node has it.
        shared: The attribute of a task that comes by itself.
        brings: The folder below a task's own that is brought back.
    """

    def __init__(
        self,
        run: Callable[[Any, Connection], Outcome],
        *,
        smaller: str,
        minutes: float | None,
        workers: int,
        folder: str,
        shared: str,
        brings: str,
    ) -> None:
        import ray

        self.folder = settle_on_node(folder)
        self.shared, self.brings, self.numbers = shared, brings, itertools.count()
        node = ray.get_runtime_context().get_node_id()
        cpus = next((each["Resources"].get("CPU", 1) for each in ray.nodes() if each["NodeID"] == node), 1)
        sharing = max(1, min(workers, int(cpus)))
        self.executor = LocalExecutor(1, run=run, smaller=smaller, minutes=minutes, sharing=sharing)

    def about(self) -> About:
        """The node; after the call a trial can begin at once."""
        return about_node()

    def call(self, task: Task | None, shared: object, *, stop: bool = False) -> Reply:
        """Stops the trial that runs if that is asked, starts a task if one is given, and listens for a while.

        Args:
            task: A dataclass; its `folder` is replaced by one of this node.
            shared: The attribute of the task that came by itself.
            stop: Whether the trial that runs is to end.
        """
        if stop:
            self.executor.close()
        if task is not None:
            own: Any = task
            folder = self.folder / str(next(self.numbers))
            self.executor.start(replace(own, **{"folder": folder, self.shared: shared}))
        running, messages = next(iter(self.executor.running), None), list[Message]()
        until = time.monotonic() + _LISTEN_SECONDS
        while self.executor.running and not messages and time.monotonic() < until:
            messages = [message for _, message in self.executor.wait(_LOOK_SECONDS)]
        if running is None:
            return Reply(0, [])
        files: dict[str, bytes] = {}
        if not self.executor.running:
            root = running.task.folder
            found = [path for path in (root / self.brings).rglob("*") if path.is_file()]
            files = {path.relative_to(root).as_posix(): path.read_bytes() for path in found}
            shutil.rmtree(root, ignore_errors=True)
        return Reply(running.pid, messages, files)

    def end(self) -> None:
        """Ends the trial that runs and removes all files."""
        self.executor.close()
        clear_node(self.folder)


def settle_on_node(folder: str) -> Path:
    """A folder for the files of this process, which Ray has started on a node.

    Args:
        folder: Its current one from now on, if the node has it.
    """
    with suppress(OSError):
        os.chdir(folder)
    keep_own_folder()
    # The server that processes are forked from imports the kit before it is told of this process's paths.
    root = str(Path(seq2seq_kit.__file__).parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return Path(tempfile.mkdtemp())


def about_node() -> About:
    """The node that this process is on; after the call one can be forked at once."""
    import ray

    process, pipe = start_process(_tell_kernel)
    kernel = pipe.recv()
    process.join()
    return About(socket.gethostname(), machine(), ray.get_runtime_context().get_node_id(), versions(), kernel)


def clear_node(folder: Path) -> None:
    """Removes the files of this process, which Ray ends without its last functions; `folder`: of `settle_on_node`."""
    shutil.rmtree(folder if shared_folder() == folder.parent else folder.parent, ignore_errors=True)


def versions() -> dict[str, str]:
    """Versions of this process that must be the same on all nodes."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2]), "seq2seq_kit": seq2seq_kit.__version__}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "none"
    return found


def _tell_kernel(pipe: Connection) -> None:
    end_with_parent()
    from seq2seq_kit.kernels.compiling import library

    pipe.send(library().reason)
