"""Bodies of requests as they arrive: each up to a stated size and for a stated time, all together up to a stated size."""

from __future__ import annotations

import asyncio

from fastapi import Request

from seq2seq_kit.serving.refusing import RefusedError

_DROPPED = (
    8  # times the size that is read and dropped, so that a client that does not listen while it sends gets the answer
)


class Bodies:
    """The bodies that are being read. Who sends slowly holds what it has sent, for a bounded time, and no place in the line.

    Args:
        most: Bytes of a body.
        together: Bytes of all that are not read to their end.
        timeout: Seconds from the first byte of a request to the last of its body.
    """

    def __init__(self, most: int, together: int, timeout: float) -> None:
        self._most, self._together, self._timeout, self._held = most, together, timeout, 0

    async def read(self, request: Request) -> bytes:
        """The bytes of a body.

        Raises:
            RefusedError: They are more than may be, come too slowly, or too many others are on their way.
        """
        told = request.headers.get("content-length", "")
        size = int(told) if told.isdigit() else 0
        if size > self._most and (size > _DROPPED * self._most or request.headers.get("expect")):
            raise _too_large(self._most)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._pieces(request)
        except TimeoutError:
            said = (
                f"the body did not arrive within {self._timeout:g} s. Send fewer rows at a time, or over a faster line"
            )
            raise RefusedError(said, code="body_timeout", status=408, headers={"Connection": "close"}) from None

    async def _pieces(self, request: Request) -> bytes:
        pieces, read, kept = list[bytes](), 0, 0
        try:
            async for piece in request.stream():
                read += len(piece)
                if read > _DROPPED * self._most:
                    break
                if read > self._most:
                    self._held, kept = self._held - kept, 0
                    pieces.clear()
                    continue
                self._held, kept = self._held + len(piece), kept + len(piece)
                if self._held > self._together:
                    said = "too many bodies are on their way already. Try again in a moment"
                    raise RefusedError(said, code="too_busy", status=503, headers={"Retry-After": "1"})
                pieces.append(piece)
        finally:
            self._held -= kept
        if read > self._most:
            raise _too_large(self._most)
        return b"".join(pieces)


def _too_large(most: int) -> RefusedError:
    said = f"a body may have {most:,} bytes. Send fewer rows at a time, or have the server take more: --max-body"
    return RefusedError(said, code="body_too_large", status=413)
