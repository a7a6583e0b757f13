"""The line in which requests wait for the thread that computes: of bounded length, each for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

from seq2seq_kit.serving.refusing import RefusedError

Found = TypeVar("Found")


class Line:
    """Requests of one process. One of them is computed at a time: the rows of each are all that a core can do.

    Args:
        most: Requests that wait or are computed at once.
        timeout: Seconds of each, from its first byte to its answer.
    """

    def __init__(self, most: int, timeout: float) -> None:
        self.most, self.timeout, self.count = most, timeout, 0
        self._calls: SimpleQueue[_Work] = SimpleQueue()
        # A daemon: what nobody waits for any more does not keep the process at its end.
        Thread(target=self._compute, name="compute", daemon=True).start()

    def require_place(self) -> None:
        """Raises `RefusedError` where the line is full."""
        if self.count >= self.most:
            said = f"{self.most} requests are waiting already. Try again in a moment"
            raise RefusedError(said, code="too_busy", status=503, headers={"Retry-After": "1"})

    @asynccontextmanager
    async def place(self, began: float) -> AsyncIterator[Place]:
        """A place in the line, for a request that began at a time of the event loop.

        Raises:
            RefusedError: The line is full, or the time is over. What is computed by then goes on, and keeps its place.
        """
        self.require_place()
        self.count += 1
        place = Place(self._calls)
        try:
            async with asyncio.timeout_at(began + self.timeout):
                yield place
        except TimeoutError:
            said = f"the answer took more than {self.timeout:g} s. Send fewer rows at a time, or try again later"
            raise RefusedError(said, code="request_timeout", status=504) from None
        finally:
            if place.work is None or place.work.done():
                self.count -= 1
            else:
                loop = asyncio.get_running_loop()
                place.work.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))

    def _leave(self) -> None:
        self.count -= 1

    def _compute(self) -> None:
        while True:
            self._calls.get().run()


class Place:
    """One request's place in the line."""

    def __init__(self, calls: SimpleQueue[_Work]) -> None:
        self._calls = calls
        self.work: Future[object] | None = None

    async def compute(self, call: Callable[[], Found]) -> Found:
        """What a call gives, in its turn."""
        self.work = Future()
        self._calls.put(_Work(call, self.work))
        return await asyncio.wrap_future(self.work)  # type: ignore[arg-type]


class _Work:
    """A call that waits for its turn; the body in it goes as soon as nobody waits for its answer."""

    def __init__(self, call: Callable[[], object], future: Future[object]) -> None:
        self._waits: tuple[Callable[[], object], Future[object]] | None = (call, future)
        future.add_done_callback(self._forget)

    def run(self) -> None:
        """The call, unless it was given up."""
        if self._waits is None:
            return
        call, future = self._waits
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    def _forget(self, _: object) -> None:
        self._waits = None  # the future, too: asyncio keeps the frames of who waited for it
