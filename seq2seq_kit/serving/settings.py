"""What a server is told by the command line, and where it listens."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass

from seq2seq_kit.errors import ArgumentError


@dataclass(frozen=True)
class Settings:
    """A server's settings.

    Attributes:
        model: Folder of an export or of a bundle, or a run.
        counts: Folder for the counters of all workers.
        tracking_uri: As in `train`.
        token_env: The environment variable that holds the token; None: no token is asked for.
        most_bytes: Of a body.
        timeout: Seconds for a request.
        waiting: Requests of a worker that may wait.
    """

    model: str
    counts: str
    tracking_uri: str | None
    token_env: str | None
    most_bytes: int
    timeout: float
    waiting: int

    def token(self) -> str | None:
        """The token; None if none is asked for.

        Raises:
            ArgumentError: The environment has none, or one that no header can hold.
        """
        if self.token_env is None:
            return None
        token = os.environ.get(self.token_env, "")
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            said = f"the environment variable {self.token_env} must hold the token: letters, digits and signs of ASCII"
            raise ArgumentError(f"{said}. Received: {'nothing' if not token else 'something else'}", code="no_token")
        return token


def require_token_beyond_loopback(host: str, token_env: str | None) -> None:
    """Raises `ArgumentError` for a host that others can reach, unless a token is asked for."""
    if token_env is None and not is_loopback(host):
        raise ArgumentError(
            f"--host {host} lets other machines ask this model, so it needs a token: put one into an environment variable and "
            "name it, --token-env NAME. Or leave --host out: the server then answers this machine only",
            code="token_required",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """A socket that connections arrive at; 0 is a free port.

    Raises:
        ArgumentError: The port is in use or not allowed, or the host is none of this machine.
    """
    if not 0 <= port <= 65535:
        said = f"--port must be between 1 and 65535, or 0 for a free one. Received: {port}"
        raise ArgumentError(said, code="bad_port")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # With its protocol: asyncio asks for it before it sends small answers at once, which otherwise wait 40 ms.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        said = f"--host {host} is no address of this machine ({error}). Leave it out for 127.0.0.1"
        raise ArgumentError(said, code="bad_host") from None
    try:
        if os.name == "posix":  # elsewhere it would let two servers have one port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        said = (
            f"port {port} on {host} is in use or not allowed ({error.strerror}). Give another --port; 0 is a free one"
        )
        raise ArgumentError(said, code="port_in_use") from None
    return listening
