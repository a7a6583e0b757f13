"""Damaged, odd and hostile requests to a served model: `write_request(number)` is the one that its number stands for."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from urllib.parse import quote

from tests.fuzz.bodies import ARROW, JSON, PARQUET, WAYS, Body, sound_json, stream

VERBS = ["/predict", "/predict", "/predict", "/detect", "/detect", "/score"]
OPTIONS = [
    "steps",
    "levels",
    "quantiles",
    "samples",
    "seed",
    "baseline",
    "all_windows",
    "table",
    "threshold",
    "at",
    "k",
    "evil",
]
SETTINGS = [
    *("", "0", "-1", "3", "1e3", "80", "80,95", "true", "TRUE", "nan", "inf", "1e999", "9" * 400, "0x10", "scores"),
    *("events", "ridge", "last value", "../x", "\x00", "\x1b[2J", "a" * 3_000, "\uff11", "None", "[]", " 80 ", ",,,"),
]
METHODS = [
    *["POST"] * 4,
    *["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT", "FOO", "post", "PRI"],
    "",
]
PATHS = [
    *["/predict"] * 4,
    *("/predict/", "//predict", "/../etc/passwd", "*", "http://evil.example/predict", "/" + "a" * 20_000, "/%00"),
    *("/healthz", "/metrics", "/openapi.json", "/docs", "", "/predict#x", "/predict?" + "a=1&" * 3_000, "/\x1b[2J"),
    *("/é", "/%ff?%ff=%ff"),
]
VERSIONS = [*["HTTP/1.1"] * 8, "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/9.9", "", "FTP/1.1"]
HOSTS = [
    *["localhost"] * 8,
    "evil.example",
    "",
    "[::1",
    "localhost:99999",
    "a@localhost",
    "127.0.0.1",
    "localhost, evil",
]
H2C = ["Upgrade: h2c", "Connection: Upgrade", "HTTP2-Settings: AAMAAABk"]
WEBSOCKET = [
    *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
]
HEADERS = [
    *[list[str]()] * 6,
    *([f"X-{number}: 1" for number in range(count)] for count in (200, 20_000)),
    *([line] for line in ("X: " + "a" * 100_000, "no colon", ": empty", "X: \x00", "Expect: 100-continue", " folded")),
    *([line] for line in ("Content-Length: 5", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip")),
    *([line] for line in ("Host: evil.example", "Cookie: " + "a" * 5_000)),
    *(H2C, WEBSOCKET),
]
ACCEPTED = [*[""] * 20, JSON, ARROW, PARQUET, "*/*", "image/png", "a" * 5_000, ",,;q=", "\x7f"]
ENCODINGS = [*[""] * 20, "gzip", "identity", "zstd, br"]


@dataclass(frozen=True)
class Request:
    """What is sent.

    Attributes:
        said: For messages.
        head: Request line and headers, without the empty line.
        pieces: Of the body, sent one by one.
        pause: Seconds between them.
        ends: What the client does after the last one: `waits`, `half` closes its side, or `leaves`.
    """

    said: str
    head: bytes
    pieces: tuple[bytes, ...] = ()
    pause: float = 0.0
    ends: str = "waits"


def write_request(number: int) -> Request:
    """Equal numbers give equal requests, to `localhost`."""
    rng = random.Random(number)
    way = rng.random()
    if way < 0.70:
        made = _posted(rng.choice(WAYS)(rng), rng)
    elif way < 0.77:
        made = _posted(stream(rng), rng, path="/stream")
    else:
        made = _transport(rng) if way < 0.92 else _chunked(rng)
    return replace(made, said=f"case {number}: {made.said}")


def _path(rng: random.Random) -> str:
    names = [rng.choice(OPTIONS) for _ in range(rng.choice([0, 0, 0, 0, 0, 1, 1, 2, 30]))]
    query = "&".join(f"{name}={quote(rng.choice(SETTINGS))}" for name in names)
    return rng.choice(VERBS) + (f"?{query}" if query else "")


def _head(lines: list[str]) -> bytes:
    return "\r\n".join(lines).encode("utf-8", "replace")


def _posted(body: Body, rng: random.Random, path: str = "") -> Request:
    lines = [f"POST {path or _path(rng)} HTTP/1.1", "Host: localhost", f"Content-Type: {body.kind}"]
    for name, value in (("Accept", rng.choice(ACCEPTED)), ("Content-Encoding", rng.choice(ENCODINGS))):
        lines += [f"{name}: {value}"] if value else []
    return Request(body.said, _head([*lines, f"Content-Length: {len(body.content)}"]), (body.content,))


def _transport(rng: random.Random) -> Request:
    """What is wrong below the body: methods, paths, versions, lengths, headers, and clients that leave."""
    body = sound_json(rng)
    size = len(body)
    length: object = rng.choice([*[size] * 6, 0, 1, size - 5, size + 5, -1, 10**9, 10**30, "x", "1e3", "+5", ""])
    more = rng.choice(HEADERS)
    first = f"{rng.choice(METHODS)} {rng.choice(PATHS)} {rng.choice(VERSIONS)}".rstrip()
    lines = [first, f"Host: {rng.choice(HOSTS)}", f"Content-Type: {JSON}", f"Content-Length: {length}", *more]
    ends = rng.choice(["waits", "waits", "half", "leaves"]) if length == size and not more else "half"
    pieces = tuple(body[start : start + 999] for start in range(0, size, 999)) if rng.random() < 0.3 else (body,)
    said = f"{first[:60]!r}, length {length} of {size}, {str(more)[:60]}"
    return Request(said, _head(lines), pieces, rng.choice([0.0, 0.001]), ends)


def _chunked(rng: random.Random) -> Request:
    body, size = sound_json(rng), rng.choice([1, 100, 5_000, 10**9])
    size = size if len(body) / size < 3_000 else 100
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    chunks, end = [b"%x\r\n%s\r\n" % (len(part), part) for part in parts], b"0\r\n\r\n"
    hows = ["whole", "whole", "no end", "bad size", "huge size", "trailers", "extensions", "endless", "stalls"]
    what = rng.choice(hows)
    if what in ("no end", "stalls"):
        end = b""
    elif what == "bad size":
        wrong = [b"zz\r\n", b"-5\r\nabcde\r\n", b"\r\n\r\n", b"5\r\nab\r\n"]
        chunks[rng.randrange(len(chunks))] = rng.choice(wrong)
    elif what == "huge size":
        chunks.append(b"f" * rng.choice([8, 15, 16, 40]) + b"\r\nabc\r\n")
    elif what == "trailers":
        end = b"0\r\n" + b"X-Evil: 1\r\n" * rng.choice([1, 20_000]) + b"\r\n"
    elif what == "extensions":
        chunks[0] = chunks[0].replace(b"\r\n", b";" + b"a" * rng.choice([5, 100_000]) + b"\r\n", 1)
    elif what == "endless":
        chunks += [b"2710\r\n" + b" " * 10_000 + b"\r\n"] * 300
    lines = [f"POST {_path(rng)} HTTP/1.1", "Host: localhost", f"Content-Type: {JSON}", "Transfer-Encoding: chunked"]
    stalls = what == "stalls" and rng.random() < 0.2  # until the server's patience ends
    ends = "half" if what in ("no end", "stalls", "huge size") and not stalls else "waits"
    return Request(f"chunked, {what}", _head(lines), (*chunks, end), 0.0, ends)
