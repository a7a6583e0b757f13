"""A forecast behind HTTP beside `mlflow models serve` and a hand-written FastAPI and Keras server: requests a second, p50, p99.

    python benchmarks/serve.py                        # trains forecast_traffic for an epoch first; four minutes on 2 cores
    python benchmarks/serve.py --workers 1 2          # the kit with so many processes
    python benchmarks/serve.py --soak 100000          # instead: memory over so many requests, and what SIGTERM loses

Each request is a forecast of 10 hours from 100 rows as records in JSON; each client sends its next one when it has the answer.
Servers run one after the other, on the cores that the clients run on, too. All have the same weights; their answers are compared.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pandas as pd
import psutil

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = (1, 8, 64)
READY_SECONDS = 180
JSON = "application/json"


@dataclass
class Target:
    """A server: how it is started, where it answers, and where it is ready."""

    command: list[str]
    path: str
    health: str
    body: bytes
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Load:
    """What clients measured: milliseconds of each answer, and requests without one."""

    milliseconds: list[float] = field(default_factory=list)
    wrong: int = 0
    lost: int = 0
    seconds: float = 0.0


class Client(asyncio.Protocol):
    """One connection that sends the same request again and again; HTTP/1.1 as far as these servers answer it."""

    def __init__(self, request: bytes, load: Load, more: Any, done: asyncio.Future[None]) -> None:
        self._request, self._load, self._more, self._done = request, load, more, done
        self._began, self._buffer, self._open = 0.0, bytearray(), False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def _send(self) -> None:
        if not self._more():
            self._transport.close()
            return
        self._open, self._began = True, time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = bytes(self._buffer).partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        size = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), None)
        if not found or size is None or len(body) < size:
            return
        self._load.milliseconds.append((time.perf_counter() - self._began) * 1e3)
        self._load.wrong += b" 200 " not in lines[0]
        self._buffer.clear()
        self._open = False
        if b"connection: close" in lines:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._load.lost += self._open
        if not self._done.done():
            self._done.set_result(None)


async def press(port: int, request: bytes, clients: int, *, seconds: float = 0.0, count: int = 0) -> Load:
    """So many clients for so many seconds or requests; they end when the server does."""
    load, loop = Load(), asyncio.get_running_loop()
    until, left = time.perf_counter() + seconds, count

    def more() -> bool:
        nonlocal left
        left -= 1
        return left >= 0 if count else time.perf_counter() < until

    async def one() -> None:
        done = loop.create_future()
        with suppress(OSError):
            await loop.create_connection(lambda: Client(request, load, more, done), "127.0.0.1", port)
            await done

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(clients)))
    load.seconds = time.perf_counter() - began
    return load


def posted(target: Target, port: int) -> bytes:
    """The bytes of a request."""
    fields = {"Host": f"127.0.0.1:{port}", "Content-Type": JSON, "Content-Length": len(target.body)}
    lines = [f"POST {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "\r\n"]
    return "\r\n".join(lines).encode() + target.body


@contextmanager
def running(target: Target, port: int) -> Iterator[psutil.Process]:
    """The server, once it answers; it is ended afterwards."""
    command = [word.replace("PORT", str(port)) for word in target.command]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env=os.environ | target.environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            until = time.monotonic() + READY_SECONDS
            while True:
                if process.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    raise SystemExit(f"{' '.join(command)} did not start: {log.read().decode()[-2000:]}")
                with suppress(URLError, OSError):
                    urlopen(f"http://127.0.0.1:{port}{target.health}", timeout=2).read()
                    break
                time.sleep(0.2)
            yield psutil.Process(process.pid)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def forecast_of(target: Target, port: int) -> np.ndarray:
    """What a server answers, as an array."""
    request = Request(f"http://127.0.0.1:{port}{target.path}", target.body, {"Content-Type": JSON})
    found = json.loads(urlopen(request, timeout=60).read())
    rows = found if isinstance(found, list) else found.get("rows") or found["predictions"]
    return np.array([row["traffic_volume"] for row in rows])


def targets(folder: Path, workers: list[int]) -> dict[str, Target]:
    """The servers, all with the weights of one run."""
    from seq2seq_kit import load, train

    store = folder / "mlruns"
    if (folder / "run").is_file():
        bundle: Any = load((folder / "run").read_text(), tracking_uri=str(store))
    else:
        recipe = str(ROOT / "recipes" / "forecast_traffic.yaml")
        run = train(recipe, overrides={"training.epochs": 1}, tracking_uri=str(store))
        bundle = run.bundle
        bundle.export(folder / "exported")
        (folder / "run").write_text(run.run_id)
    np.savez(folder / "weights.npz", **{f"w{place:02}": each for place, each in enumerate(bundle.model.get_weights())})
    hours = pd.date_range("2018-01-01", periods=100, freq="h")
    volume = (3000 + 1000 * np.sin(np.arange(100) / 4)).round(1)
    frame = pd.DataFrame({"datetime": hours.strftime("%Y-%m-%dT%H:%M:%S"), "traffic_volume": volume})
    records = frame.to_dict("records")
    plain = json.dumps(records).encode()
    python = [sys.executable, "-m"]
    programs = str(Path(sys.executable).parent)  # MLflow starts a program by its name
    environment = {"PYTHONPATH": str(ROOT), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    found = {}
    for count in workers:
        command = [*python, "seq2seq_kit", "serve", str(folder / "exported"), "--port", "PORT", "--workers", str(count)]
        found[f"`seq2seq-kit serve`, {count} worker{'s' * (count > 1)}"] = Target(
            command, "/predict", "/healthz", plain, environment
        )
    scaler = bundle.scaler.only(["traffic_volume"])
    own = {
        "MODEL": str(folder / "weights.npz"),
        "MEAN": str(float(scaler.center[0, 0])),
        "SCALE": str(float(scaler.scale[0, 0])),
    }
    by_hand = [*python, "uvicorn", "--app-dir", str(ROOT / "benchmarks" / "handwritten"), "serve:app", "--port", "PORT"]
    by_hand += ["--log-level", "warning", "--no-access-log"]
    for call in ("predict", "function"):
        name = {"predict": "FastAPI and `model.predict`", "function": "FastAPI and a compiled function"}[call]
        found[name] = Target(by_hand, "/predict", "/openapi.json", plain, own | {"CALL": call})
    # A run logs two models: for frames, and for the bare network's arrays.
    (model,) = [path.parent for path in store.rglob("MLmodel") if "frames:" in path.read_text()]
    mlflow = [*python, "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local", "--port", "PORT"]
    split = json.dumps({"dataframe_records": records}).encode()
    found["`mlflow models serve`"] = Target(mlflow, "/invocations", "/ping", split, environment)
    return found


def compare(found: dict[str, Target], seconds: float) -> None:
    """The table."""
    print(
        "| server | "
        + " | ".join(f"{count} client{'s' * (count > 1)}: requests/s, p50, p99 ms" for count in CLIENTS)
        + " | MB |"
    )
    print("| --- |" + " ---: |" * (len(CLIENTS) + 1))
    answers = {}
    for name, target in found.items():
        port = free_port()
        with running(target, port) as process:
            answers[name] = forecast_of(target, port)
            request, cells = posted(target, port), []
            asyncio.run(press(port, request, 8, seconds=2.0))
            for clients in CLIENTS:
                load = asyncio.run(press(port, request, clients, seconds=seconds))
                hundredths = statistics.quantiles(load.milliseconds, n=100)
                rate = len(load.milliseconds) / load.seconds
                bad = f" ({load.wrong} refused, {load.lost} lost)" if load.wrong or load.lost else ""
                cells.append(f"{rate:,.0f}, {statistics.median(load.milliseconds):.1f}, {hundredths[98]:.1f}{bad}")
            print(f"| {name} | {' | '.join(cells)} | {memory(process):.0f} |", flush=True)
    first = next(iter(answers.values()))
    for name, answer in answers.items():
        assert np.allclose(answer, first, rtol=1e-3), f"{name} answers {answer}, the first {first}"


def memory(process: psutil.Process) -> float:
    """Resident megabytes of a process and its children."""
    every = [process, *process.children(recursive=True)]
    return sum(each.memory_info().rss for each in every) / 1e6


def soak(target: Target, count: int, clients: int) -> None:
    """Memory before, on the way and after; then SIGTERM under load, and what was lost by it."""
    port = free_port()
    with running(target, port) as process:
        request = posted(target, port)
        asyncio.run(press(port, request, clients, count=2_000))
        print(f"after 2,000 requests: {memory(process):.1f} MB")
        wrong = lost = 0
        for part in range(1, 11):
            load = asyncio.run(press(port, request, clients, count=count // 10))
            wrong, lost = wrong + load.wrong, lost + load.lost
            print(
                f"after {2_000 + part * count // 10:,}: {memory(process):.1f} MB, {wrong} refused, {lost} lost",
                flush=True,
            )

        async def ended() -> Load:
            pressed = asyncio.ensure_future(press(port, request, clients, seconds=20.0))
            await asyncio.sleep(2.0)
            process.send_signal(signal.SIGTERM)
            return await pressed

        load = asyncio.run(ended())
        print(f"SIGTERM under load: {len(load.milliseconds):,} answered, {load.wrong} refused, {load.lost} lost")
        print(f"ended with {process.wait(10)} after {load.seconds - 2:.1f} s")


def main() -> None:
    """Prints the table, or the soak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="processes of the kit's server")
    parser.add_argument("--only", help="servers whose names hold this")
    parser.add_argument("--folder", help="keep the trained model here, and take it from here the next time")
    parser.add_argument("--soak", type=int, help="so many requests to the kit's server instead")
    parser.add_argument("--clients", type=int, default=16, help="of the soak")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = targets(Path(options.folder or temporary), options.workers)
        if options.soak:
            soak(next(iter(found.values())), options.soak, options.clients)
        else:
            compare({name: each for name, each in found.items() if (options.only or "") in name}, options.seconds)


if __name__ == "__main__":
    main()
