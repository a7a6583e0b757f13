"""The processes that answer: uvicorn in this one or in several, and an end at which every request still gets its answer."""

from __future__ import annotations

import asyncio
import logging
import selectors
import signal
import socket
import threading
import time
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

import h11
import uvicorn

from seq2seq_kit.opening import load_quietly
from seq2seq_kit.processes import end_with_parent
from seq2seq_kit.serving.gate import Gate
from seq2seq_kit.serving.refusing import RefusedError
from seq2seq_kit.serving.settings import Settings

_LOG = logging.getLogger("uvicorn.error")
_TAKE_SECONDS = 1.0  # at most, in which connections are taken that had arrived
_DRAIN_SECONDS = 3.0  # at most, in which open connections are told that the server ends
_OTHERS_SECONDS = 1.0  # in which every worker has closed the port
_GRACE_SECONDS = 10.0  # beyond the time limit of a request, in which a worker ends
_LOOK_SECONDS = 0.2
_TOO_SOON_SECONDS = 10.0  # for a worker to end


class Server(uvicorn.Server):
    """uvicorn, which would close connections at its end that a request has just arrived at."""

    def __init__(self, config: uvicorn.Config, gate: Gate) -> None:
        super().__init__(config)
        self._gate = gate

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn has it, but that what is no HTTP is told in a line."""
        asyncio.get_running_loop().set_exception_handler(_told)
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes no new connections, answers on those that are open and closes each with its answer; then ends."""
        self._gate.ending = True
        await self._take_waiting()
        for server in self.servers:
            server.close()
        # A client whose connection is closed connects anew; all workers are to refuse it, none to take it that is about to end.
        await self._without_connections(_OTHERS_SECONDS)
        self._gate.closing = True
        await self._without_connections(_DRAIN_SECONDS)
        await super().shutdown(sockets)

    async def _take_waiting(self) -> None:
        """Takes the connections that have arrived: one that still waits when the port is closed is reset."""
        until = time.monotonic() + _TAKE_SECONDS
        with selectors.DefaultSelector() as arriving:
            for listening in {each.fileno() for server in self.servers for each in server.sockets}:
                arriving.register(listening, selectors.EVENT_READ)
            while time.monotonic() < until:
                await asyncio.sleep(0.001)  # a timer's turn comes after that of connections that have arrived
                if not arriving.select(0):
                    return

    async def _without_connections(self, seconds: float) -> None:
        """Waits until there are none, and no longer than this."""
        until = time.monotonic() + seconds
        while self.server_state.connections and time.monotonic() < until:
            await asyncio.sleep(0.02)


def _told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What asyncio logs; h11 raises where a damaged chunk follows an answer, and asyncio closes the connection."""
    if isinstance(context.get("exception"), h11.ProtocolError):
        _LOG.warning("a connection was closed: what arrived is no HTTP")
    else:
        loop.default_exception_handler(context)


def answer_here(settings: Settings, listening: socket.socket) -> None:
    """Answers in this process, until SIGTERM or SIGINT."""
    from seq2seq_kit.serving.app import build_app

    gate = build_app(load_quietly(settings.model, settings.tracking_uri), settings)
    config = uvicorn.Config(
        gate,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=int(settings.timeout) + 1,
    )
    with suppress(KeyboardInterrupt):  # uvicorn passes its signal on when all is answered
        Server(config, gate).run(sockets=[listening])


def answer_in_workers(settings: Settings, listening: socket.socket, workers: int) -> None:
    """Answers in so many processes, until SIGTERM or SIGINT. One that ends by itself is started again.

    Raises:
        RefusedError: They end as soon as they have started.
    """
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    started = [(time.monotonic(), _started(settings, listening)) for _ in range(workers)]
    lived = False  # whether one has: a later one that ends at once may have met a request that takes too much memory
    try:
        while not ended.wait(_LOOK_SECONDS):
            for place, (since, worker) in enumerate(started):
                lived = lived or time.monotonic() - since >= _TOO_SOON_SECONDS
                if worker.is_alive():
                    continue
                if not lived:
                    said = f"a process that answers ended with {worker.exitcode} as soon as it had started; see above"
                    raise RefusedError(f"{said}. With --workers 1 there is none", code="worker_ended")
                started[place] = (time.monotonic(), _started(settings, listening))
    finally:
        listening.close()  # what arrives from now on would wait for nobody
        for _, worker in started:
            worker.terminate()
        for _, worker in started:
            worker.join(settings.timeout + _GRACE_SECONDS)
            worker.kill()  # of one that did not end; nothing otherwise
        for number, handler in before.items():
            signal.signal(number, handler)


def _started(settings: Settings, listening: socket.socket) -> SpawnProcess:
    worker = get_context("spawn").Process(target=_work, args=(settings, listening))
    worker.start()
    return worker


def _work(settings: Settings, listening: socket.socket) -> None:
    end_with_parent()
    answer_here(settings, listening)
