"""What every request passes, whatever its path: the token, the counters, and the end of the server."""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import h11
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seq2seq_kit.errors import KitError
from seq2seq_kit.serving.counts import Counts
from seq2seq_kit.serving.json_bodies import dumped
from seq2seq_kit.serving.refusing import RefusedError, status_of
from seq2seq_kit.serving.settings import is_loopback
from seq2seq_kit.text import printable

Endpoint = Callable[[Request], Awaitable[Response]]

_OPEN = "/healthz"  # whoever watches the server has no token


class Gate:
    """The application with what surrounds it.

    Args:
        app: Answers.
        counts: Counts each answer.
        token: Which each request has to show; None: nobody asks.
        asked: What answers a POST to a path; the application describes it, and need not be passed on the way to it, which would
            be an eighth of a small request.

    Attributes:
        ending: Whether the server is about to end and takes no new connections.
        closing: Whether connections are closed with their next answer, which they still get.
    """

    def __init__(self, app: ASGIApp, counts: Counts, token: str | None, asked: Mapping[str, Endpoint]) -> None:
        self._app, self._counts, self._asked = app, counts, asked
        self._expected = None if token is None else f"Bearer {token}".encode()
        self.ending = self.closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self.closing:
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
            # Uvicorn has refused the rest of the request meanwhile, and closes the connection.
            with suppress(h11.LocalProtocolError):
                await send(message)

        try:
            answer = self._refusal(scope)
            if answer is None and scope["method"] == "POST" and scope["path"] in self._asked:
                answer = await self._asked[scope["path"]](Request(scope, receive))
            await (answer or self._app)(scope, receive, counted)
        finally:
            self._counts.count(scope["path"].lstrip("/"), status, time.perf_counter() - began)

    def _refusal(self, scope: Scope) -> Response | None:
        if self._expected is None:
            # A page of somebody else's, whose name was made to point to this machine, asks by that name.
            hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            return None if all(is_loopback(_name_of(host)) for host in hosts) else _OTHER_HOST
        if scope["path"] == _OPEN:
            return None
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        return None if len(shown) == 1 and hmac.compare_digest(shown[0], self._expected) else _NO_TOKEN


def response_of(error: KitError) -> Response:
    """An error as an answer."""
    headers = error.headers if isinstance(error, RefusedError) else {}
    # What a client reads of its own request may go to its terminal.
    content = dumped({"code": error.code, "message": printable(str(error), lines=True)})
    return Response(content, status_of(error), headers, "application/json")


def _name_of(host: str) -> str:
    """A `Host` without its port and without the brackets of an IPv6 address."""
    return host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0].lower()


_SAID = "the request shows no token, or another. Send the header `Authorization: Bearer TOKEN`"
_NO_TOKEN = response_of(
    RefusedError(_SAID, code="wrong_token", status=401, headers={"WWW-Authenticate": "Bearer"}),
)
_OTHER_HOST = response_of(
    RefusedError(
        "without a token this server answers by the names localhost, 127.0.0.1 and [::1] only. Ask by one of them, or start it "
        "with --token-env",
        code="wrong_host",
    )
)
