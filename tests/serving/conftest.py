"""A real server in a process of its own, on an exported model that was not trained."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from seq2seq_kit import load
from seq2seq_kit.tasks import open_job, parse_recipe
from seq2seq_kit.tasks.windows import WindowJob
from tests.conftest import ROOT, forecast_recipe, hourly_frame
from tests.exports.bundled import untrained

JSON = "application/json"


@dataclass
class Answer:
    """Status, headers and body of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["code"])


@dataclass
class Server:
    """A running server."""

    port: int
    process: subprocess.Popen[str]

    def ask(
        self, path: str, body: bytes | Any = None, *, method: str = "POST", kind: str = JSON, **headers: str
    ) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        plain = body is None or isinstance(body, bytes | Iterator)
        sent = body if plain else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, sent, ({"Content-Type": kind} if kind else {}) | named)
        got = connection.getresponse()
        found = Answer(got.status, dict(got.getheaders()), got.read())
        connection.close()
        return found

    def get(self, path: str) -> Answer:
        return self.ask(path, method="GET", kind="")


@contextmanager
def served(*words: str, **environment: str) -> Iterator[Server]:
    """`seq2seq-kit serve` with these words, at a free port; ended by SIGTERM afterwards."""
    command = [sys.executable, "-m", "seq2seq_kit", "serve", *words, "--port", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    try:
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("serving "):
                break
        assert "http://" in said, said
        yield Server(int(said.split("http://")[1].split(":")[1].split()[0]), process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0


def export_untrained(folder: Path) -> Path:
    """The folder of an exported forecast with intervals and a detector, made within this one."""
    frame, recipe = hourly_frame(400), forecast_recipe() | {"levels": [80], "detect": {}}
    bundle = untrained(recipe, frame)
    job = open_job(parse_recipe(recipe), frame).seen_by(bundle)
    assert isinstance(job, WindowJob)
    usual = hourly_frame(400, seed=1)
    usual = usual.assign(time=usual.time + pd.Timedelta(days=364))  # behind the training
    bundle = bundle.fit_intervals(job.prepared, [80]).calibrate(usual)
    bundle.export(folder / "out", frame=frame)
    return folder / "out"


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an exported forecast with intervals and a detector."""
    return export_untrained(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def bundle(exported: Path) -> Any:
    """The same model in this process."""
    return load(exported)


@pytest.fixture(scope="session")
def server(exported: Path) -> Iterator[Server]:
    """A server of it that takes bodies of 200 kB."""
    with served(str(exported), "--max-body", "200kB") as running:
        yield running


@pytest.fixture
def frame() -> pd.DataFrame:
    """Rows to forecast from."""
    return hourly_frame(60, seed=2)


def as_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as a client writes them."""
    written = frame.assign(time=frame["time"].dt.strftime("%Y-%m-%dT%H:%M:%S"))
    return [{str(name): value for name, value in row.items()} for row in written.to_dict("records")]
