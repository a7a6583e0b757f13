"""A served model answers or refuses whatever is sent to it: no failure, nothing raised in its log, no hang, no growing memory.

By hand, more of it: `python -m tests.fuzz.test_requests 0 5000`. It prints what became of the requests and each that failed.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

import psutil
import pytest

from seq2seq_kit.text import printable
from tests.conftest import ROOT
from tests.fuzz.campaign import campaign
from tests.fuzz.requests import Request, write_request
from tests.serving.conftest import export_untrained

CASES = 300
TIMEOUT = 5  # of the server, in seconds; whoever stalls waits for it
HANGS = 60.0
MOST_BYTES = 200_000  # of a body; rows may unfold to twenty times of it
GROWS = 60_000_000  # bytes by which the process may be larger at the end; 20 times a body, parts of it several times
BUSY = (501, 503, 504)  # what a server may say of itself, beside 500


@dataclass
class Server:
    """A running server, what it has printed and its process."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    def memory(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)


@contextmanager
def running(exported: Path, log: Path) -> Iterator[Server]:
    """A server whose output goes to a file, so that no pipe fills."""
    words = [str(exported), "--port", "0", "--max-body", f"{MOST_BYTES}", "--timeout", f"{TIMEOUT}"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "seq2seq_kit", "serve", *words],
            cwd=ROOT,
            stdout=out,
            stderr=out,
            env=dict(os.environ),
        )
    try:
        until = time.monotonic() + 120
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        yield Server(int(found[1]), log, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def outcome(server: Server, number: int) -> str:
    """What becomes of a request: the status and the code of its refusal; anything else is raised."""
    request = write_request(number)
    printed = server.log.stat().st_size
    found = asked(server.port, request)
    told = answered(server.port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert told.startswith("200"), f"{request.said}: afterwards /healthz says {told}"
    with server.log.open("rb") as log:
        log.seek(printed)
        said = log.read().decode(errors="replace")
    assert "Traceback" not in said, f"{request.said}\n{said}"
    return found


def asked(port: int, request: Request) -> str:
    """Sends a request and reads its answer, as far as there is one."""
    with socket.create_connection(("127.0.0.1", port), timeout=HANGS) as line:
        try:
            line.sendall(request.head + b"\r\n\r\n")
            for piece in request.pieces:
                line.sendall(piece)
                time.sleep(request.pause)
            if request.ends == "half":
                line.shutdown(socket.SHUT_WR)
        except OSError:  # it has answered, and closed before it had all
            pass
        return "the client left" if request.ends == "leaves" else read_answer(line, request)


def answered(port: int, sent: bytes) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=HANGS) as line:
        line.sendall(sent)
        return read_answer(line, Request("health", sent))


def read_answer(line: socket.socket, request: Request) -> str:
    """Status and code of an answer, which must be of the form that is promised."""
    method = request.head.split(b" ", 1)[0].decode(errors="replace")
    try:
        answer = HTTPResponse(line, method=method)
        answer.begin()
        body = answer.read()
    except TimeoutError:
        raise AssertionError(f"{request.said}: no answer within {HANGS:g} s") from None
    except (HTTPException, OSError):  # it was no request that HTTP knows
        return "closed without an answer"
    status, kind = answer.status, answer.headers.get_content_type()
    assert status < 500 or status in BUSY, f"{request.said}: {status} {body[:500]!r}"
    if kind != "application/json" or method == "HEAD":
        return f"{status}"
    words = json.loads(body, parse_constant=lambda word: pytest.fail(f"{request.said}: the answer holds {word}"))
    if status < 400 or "code" not in words:
        return f"{status}"
    assert set(words) == {"code", "message"}, words
    assert len(words["message"]) < 20_000, f"{request.said}: {len(words['message'])} letters"
    assert words["message"] == printable(words["message"], lines=True), f"{request.said}: {words['message']!r}"
    return f"{status} {words['code']}"


@pytest.mark.slow
def test_a_server_stands_whatever_is_sent_to_it(tmp_path: Path) -> None:
    exported = export_untrained(tmp_path)
    with running(exported, tmp_path / "log") as server:
        found = Counter(outcome(server, number) for number in range(CASES // 2))
        before = server.memory()
        found += Counter(outcome(server, number) for number in range(CASES // 2, CASES))
        assert server.memory() - before < GROWS, f"{before:,} {server.memory():,}"
    assert server.process.returncode == 0
    assert found["200"] > CASES / 30, found
    assert sum(count for what, count in found.items() if what.startswith("4")) > CASES / 4, found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        with running(export_untrained(Path(scratch)), Path(scratch, "log")) as server:
            with suppress(Exception):
                outcome(server, 0)
            before = server.memory()
            status = campaign(lambda number: outcome(server, number))
            print(f"{before / 1e6:.0f} MB before, {server.memory() / 1e6:.0f} MB afterwards")
        sys.exit(status)
