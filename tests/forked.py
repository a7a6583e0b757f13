"""Fresh Python processes that need not import TensorFlow: forked from a server that has imported it and done nothing else.

For tests in which what a process of its own answers is the point, and how it was started is not: `run` takes what
`subprocess.run` takes. The import, some five seconds of a processor, is paid once for each process of tests.
"""

import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PRELOADED = ("keras", "tensorflow", "mlflow", "pandas", "seq2seq_kit.models", "seq2seq_kit.training.fit")
_REAL = subprocess.run
_server: subprocess.Popen[bytes] | None = None
_place = ""


def run(
    command: Sequence[str],
    *,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
    check: bool = False,
    nested: bool = False,
    **_: Any,
) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` with `capture_output` and `text` of a command that begins with `sys.executable`.

    Args:
        command: `python FILE ...`, `python -m MODULE ...` or `python -c CODE ...`.
        cwd: Where it runs; here by default.
        env: Its environment; ours by default.
        timeout: Seconds after which it is killed.
        check: Raise where it does not end with 0.
        nested: The Python processes that it starts by `subprocess.run` are forked alike.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = Forked(command, cwd=cwd, env=env, out=out.fileno(), err=err.fileno(), nested=nested)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        said = []
        for each in (out, err):
            each.seek(0)
            said.append(each.read().decode())
    if check and code:
        raise subprocess.CalledProcessError(code, list(command), *said)
    return subprocess.CompletedProcess(list(command), code, *said)


class Forked:
    """A forked process that runs beside this one: what `subprocess.Popen` offers of it.

    Args:
        command: As for `run`, likewise `cwd`, `env` and `nested`.
        out: File that its output goes to.
        err: File of its errors.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        out: int,
        err: int,
        nested: bool = False,
    ) -> None:
        assert command[0] == sys.executable, command
        self.args = list(command)
        self.returncode: int | None = None
        asked = {
            "argv": list(command[1:]),
            "cwd": str(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env),
        }
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(_started())
        body = json.dumps(asked | {"nested": _started() if nested else ""}).encode()
        socket.send_fds(self._line, [len(body).to_bytes(8, "big")], [out, err])
        self._line.sendall(body)
        self._heard = self._line.makefile("r")
        self.pid = int(self._heard.readline())

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it has ended; `subprocess.TimeoutExpired` after so many seconds."""
        if self.returncode is None:
            if not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = int(self._heard.readline())
            self._heard.close()
            self._line.close()
        return self.returncode

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number: int) -> None:
        """Sends it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Sends it SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends it SIGKILL."""
        self.send_signal(signal.SIGKILL)


def any_command(command: Sequence[str], **more: Any) -> subprocess.CompletedProcess[Any]:
    """In place of `subprocess.run`: Python is forked, as is the Python that it starts; others are started."""
    return run(command, nested=True, **more) if command[0] == sys.executable else _REAL(command, **more)


def _started() -> str:
    """Where the server listens, which is begun by the first that asks."""
    global _server, _place
    if not _place:
        folder = tempfile.mkdtemp()
        place = f"{folder}/forks"
        _server = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", place],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert _server.stdout is not None
        assert _server.stdout.readline() == b"ready\n", "the server of forked processes did not begin"
        atexit.register(_end, _server, folder)
        _place = place
    return _place


def _end(server: subprocess.Popen[bytes], folder: str) -> None:
    server.kill()
    server.communicate()
    shutil.rmtree(folder, ignore_errors=True)


def _serve(place: str) -> None:
    """Forks a process for each connection and tells its id and how it ended; only its children come back from here."""
    from seq2seq_kit.processes import killed_with_parent
    from seq2seq_kit.tasks.registry import SPECS

    killed_with_parent()
    for name in (*PRELOADED, *(f"seq2seq_kit.tasks.{spec.job.partition(':')[0]}" for spec in SPECS)):
        import_module(name)
    gc.collect()
    gc.freeze()
    lines: dict[int, socket.socket] = {}

    def ended(*_: object) -> None:
        while lines:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            line = lines.pop(pid)
            with line, contextlib.suppress(BrokenPipeError):
                line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())

    signal.signal(signal.SIGCHLD, ended)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()
        print("ready", flush=True)
        while True:
            line, _ = listener.accept()
            size, fds, _, _ = socket.recv_fds(line, 8, 2)
            with line.makefile("rb") as heard:
                asked = json.loads(heard.read(int.from_bytes(size, "big")))
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
            pid = os.fork()
            if not pid:
                line.close()
                break
            for fd in fds:
                os.close(fd)
            line.sendall(f"{pid}\n".encode())
            lines[pid] = line
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    _become(asked, fds)


def _become(asked: dict[str, Any], fds: Sequence[int]) -> None:
    """What a fresh interpreter of this command would be and do."""
    global _place
    for place, fd in enumerate(fds, 1):
        os.dup2(fd, place)
        os.close(fd)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    if asked["nested"]:
        _place = asked["nested"]
        subprocess.run = any_command  # type: ignore[assignment]
    sys.path[:0] = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    first, *rest = asked["argv"]
    if first == "-m":
        sys.path.insert(0, asked["cwd"])
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.path.insert(0, "")
        sys.argv = ["-c", *rest[1:]]
        sys.modules["__main__"] = main = types.ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), main.__dict__)
    else:
        sys.path.insert(0, str(Path(first).parent))
        sys.argv = [first, *rest]
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    _serve(sys.argv[1])
