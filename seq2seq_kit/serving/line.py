"""The line in which requests wait for the thread that computes: of bounded length, each for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from seq2seq_kit.serving.refusing import RefusedError

Found = TypeVar("Found")


class Line:
    """Requests of one process. One of them is computed at a time: the rows of each are all that a core can do.

    Args:
        most: Requests that are read, wait or are computed at once.
        timeout: Seconds of each, from its first byte to its answer.
    """

    def __init__(self, most: int, timeout: float) -> None:
        self.most, self.timeout, self.count = most, timeout, 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compute")

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """A place in the line.

        Raises:
            RefusedError: The line is full, or the time is over. What is computed by then goes on, and keeps its place.
        """
        if self.count >= self.most:
            said = f"{self.most} requests are waiting already. Try again in a moment"
            raise RefusedError(said, code="too_busy", status=503, headers={"Retry-After": "1"})
        self.count += 1
        place = Place(self._thread)
        try:
            async with asyncio.timeout(self.timeout):
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


class Place:
    """One request's place in the line."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self.work: Future[object] | None = None

    async def compute(self, call: Callable[[], Found]) -> Found:
        """What a call gives, in its turn."""
        work = self._thread.submit(call)
        self.work = work  # type: ignore[assignment]
        return await asyncio.wrap_future(work)
