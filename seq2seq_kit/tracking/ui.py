"""MLflow's UI on the kit's store: few processes, on loopback, at an address that opens the newest run's experiment."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from types import TracebackType
from typing import IO, Self
from urllib.error import URLError
from urllib.request import urlopen

from seq2seq_kit.errors import TrackingError
from seq2seq_kit.tracking.view import OPENS_VIEW

HOST = "127.0.0.1"
_START_SECONDS = 90


@dataclass(frozen=True)
class Ui:
    """A running UI; use as a context manager, or call `stop`.

    Attributes:
        address: Opens the model-training view at the experiment of the newest run.
        newest_run: Opens that run in the same view (MLflow's own links fall back to its view for language models).
        process: The server.
        log: Its output; shown if it does not start.
    """

    address: str
    newest_run: str | None
    process: subprocess.Popen[bytes]
    log: IO[bytes]

    def wait(self) -> None:
        """Waits until the server ends."""
        self.process.wait()

    def stop(self) -> None:
        """Ends the server and its worker, also the worker of a server that was killed."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        if self.process.stdin:
            self.process.stdin.close()
        self.log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def open_ui(
    *, tracking_uri: str | None = None, port: int | None = None, say: Callable[[str], None] = lambda text: None
) -> Ui:
    """Starts MLflow's UI on a local store.

    Args:
        tracking_uri: As in `train`; a server has a UI of its own, at its own address.
        port: A port on loopback; None: a free one.
        say: Is told what takes a while.

    Raises:
        TrackingError: The port is in use, the store is a server or locked, or MLflow did not start.
    """
    from seq2seq_kit.tracking.client import open_tracking

    tracking = open_tracking(tracking_uri, say=say, write=False)
    if tracking.local is None:
        raise TrackingError(
            f"{tracking.uri} is a server with a UI of its own: open that address in a browser", code="store_is_a_server"
        )
    if tracking.local.writable:  # an archive on a medium that is read only can be looked at, too
        tracking.local.prepare()
        tracking.close_dead()
    port = _claim(port)
    newest = tracking.newest_run()
    if newest:
        tracking.show(newest[0])
    options = {"backend-store-uri": tracking.local.uri, "default-artifact-root": str(tracking.local.artifacts)}
    options |= {"host": HOST, "port": str(port), "workers": "1"}
    command = [sys.executable, "-m", "seq2seq_kit.tracking.serve", "server"]
    command += [word for name, value in options.items() for word in (f"--{name}", value)]
    # By default MLflow starts fifteen processes; its job runner is for evaluating language models.
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    say(f"starting MLflow's UI on {tracking.local.folder.name}/ (about ten seconds)")
    log = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the server)
    process = subprocess.Popen(
        command, env=settings | os.environ, stdout=log, stderr=log, stdin=subprocess.PIPE, start_new_session=True
    )
    site, view = f"http://{HOST}:{port}/#/experiments", "?workflowType=machine_learning"
    address = f"{site}/{newest[0]}/runs{view}&{OPENS_VIEW}" if newest else f"{site}{view}"
    ui = Ui(address, f"{site}/{newest[0]}/runs/{newest[1]}{view}" if newest else None, process, log)
    try:
        _await(ui, port)
    except BaseException:
        ui.stop()
        raise
    return ui


def _claim(port: int | None) -> int:
    if port is not None and not 1 <= port <= 65535:
        raise TrackingError(
            f"--port must be between 1 and 65535. Received: {port}. Leave it out to get a free one", code="bad_port"
        )
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port or 0))
        except OSError as error:
            raise TrackingError(
                f"port {port} on {HOST} is in use or not allowed ({error.strerror}). Leave --port out to get a free one",
                code="port_in_use",
            ) from None
        return int(probe.getsockname()[1])


def _await(ui: Ui, port: int) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if ui.process.poll() is not None:
            ui.log.seek(0)
            said = ui.log.read().decode(errors="replace").strip()
            raise TrackingError(
                f"MLflow's UI did not start (exit {ui.process.returncode}): {said[-500:]}", code="ui_not_started"
            )
        try:
            with urlopen(f"http://{HOST}:{port}/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (URLError, HTTPException, OSError):
            time.sleep(0.2)
    raise TrackingError(
        f"MLflow's UI did not answer within {_START_SECONDS} s; is the machine very busy? Try again",
        code="ui_not_started",
    )
