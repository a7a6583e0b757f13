"""A served model answers as the model does, refuses what it cannot read, and loses nothing when it ends."""

import asyncio
import io
import json
import os
import shutil
import signal
import socket
import tarfile
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uvicorn

from seq2seq_kit import load, opening
from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import BundleError
from seq2seq_kit.exports.refusing import refused
from seq2seq_kit.serving import model, processes
from seq2seq_kit.serving.settings import listen
from seq2seq_kit.serving.verbs import verbs_of
from seq2seq_kit.tasks.translate import exported
from seq2seq_kit.tracking import client
from tests.conftest import ROOT, hourly_frame
from tests.serving.conftest import JSON, Server, as_records, served

ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
CLOSE: Any = {"rtol": 1e-6, "atol": 1e-6}

pytestmark = pytest.mark.slow


def arrow_of(frame: pd.DataFrame, **options: Any) -> bytes:
    sink, table = io.BytesIO(), pa.Table.from_pandas(frame, preserve_index=False)
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet_of(frame: pd.DataFrame, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink, **options)
    return sink.getvalue()


def test_a_forecast_is_the_models_in_every_form(server: Server, bundle: Any, frame: pd.DataFrame) -> None:
    expected = bundle.predict(frame)
    rows = server.ask("/predict", as_records(frame))
    assert rows.status == 200
    columns = server.ask("/predict", {str(name): [row[str(name)] for row in as_records(frame)] for name in frame}).json
    packed = server.ask("/predict", arrow_of(frame), kind=ARROW)
    filed = server.ask("/predict", parquet_of(frame), kind=PARQUET)
    found = [
        pd.DataFrame(rows.json["rows"]),
        pd.DataFrame(columns["columns"]),
        pa.ipc.open_stream(packed.body).read_all().to_pandas(),
        pq.read_table(io.BytesIO(filed.body)).to_pandas(),
        pd.DataFrame(server.ask("/predict", arrow_of(frame), kind=ARROW, accept=JSON).json["rows"]),
    ]
    for each in found:
        times = each.assign(time=pd.to_datetime(each["time"]))
        pd.testing.assert_frame_equal(times, expected, check_dtype=False, **CLOSE)
    assert packed.headers["content-type"] == ARROW


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("steps=3&levels=", {"steps": 3, "levels": ()}),
        ("levels=80&quantiles=true", {"levels": [80], "quantiles": True}),
        ("samples=2&seed=3", {"samples": 2, "seed": 3}),
        ("all_windows=true", {"all_windows": True}),
    ],
)
def test_options_are_those_of_the_verb(
    query: str, options: dict[str, Any], server: Server, bundle: Any, frame: pd.DataFrame
) -> None:
    found = pd.DataFrame(server.ask(f"/predict?{query}", as_records(frame)).json["rows"])
    expected = bundle.predict(frame, **options)
    pd.testing.assert_frame_equal(
        found.assign(time=pd.to_datetime(found["time"])), expected, check_dtype=False, **CLOSE
    )


def test_events_and_scores_are_those_of_detect(server: Server, bundle: Any) -> None:
    frame = hourly_frame(120, seed=3)
    frame.loc[80:84, "load"] = 400.0
    expected = bundle.detect(frame)
    assert len(expected.events)
    told = server.ask("/detect", as_records(frame)).json
    assert [row["severity"] for row in told["rows"]] == pytest.approx(list(expected.events["severity"]), rel=1e-6)
    scores = server.ask("/detect?table=scores", as_records(frame)).json["rows"]
    assert [row["score"] for row in scores] == pytest.approx(list(expected.scores["score"]), rel=1e-6)
    assert scores[0]["event"] is None


def test_a_stream_in_pieces_says_what_one_of_a_whole_says(server: Server, bundle: Any) -> None:
    frame = hourly_frame(120, seed=3)
    frame.loc[80:84, "load"] = 400.0
    stream = bundle.event_stream()
    update, last = stream.feed(frame), stream.finish()
    scores, closed, state = list[Any](), list[Any](), ""
    for first in range(0, 120, 40):
        body = {"rows": as_records(frame[first : first + 40]), "state": state or None, "finish": first == 80}
        told = server.ask("/stream", body)
        assert told.status == 200, told.body
        scores, closed, state = scores + told.json["scores"], closed + told.json["closed"], told.json["state"]
    both = pd.concat([update.scores, last.scores])
    assert [row["score"] for row in scores] == pytest.approx(list(both["score"]), rel=1e-6)
    assert len(closed) == len(update.closed) + len(last.closed) > 0
    other = state[:60] + ("A" if state[60] != "A" else "B") + state[61:]
    for wrong in (other, "", "x", 5, "é", state[:-8]):
        assert server.ask("/stream", {"rows": as_records(frame[:1]), "state": wrong}).code == "invalid_stream_state"
    assert server.ask("/stream", {"state": state}).code == "invalid_body"
    assert server.ask("/stream", {"rows": ["a text"]}).code == "invalid_body"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_body"),
        (b"{", "invalid_body"),
        (b"[]", "invalid_body"),
        (b"{}", "invalid_body"),
        (b"[" * 100_000, "invalid_body"),
        (b'{"load": [' + b"9" * 5_000 + b"]}", "invalid_body"),
        (b'[{"time": "2024-01-01", "load": NaN}]', "invalid_body"),
        (b'[{"load": 1, "load": 2}]', "invalid_body"),
        (b'[{"load": [1]}]', "invalid_body"),
        (b'{"load": [1], "heat": []}', "invalid_body"),
        (b'[{"time": "\\ud800", "load": 1}]', "invalid_body"),
        (b'[{"time": "\xff", "load": 1}]', "invalid_body"),
        (b"null", "invalid_body"),
        (b"3", "invalid_body"),
        (b'["a text"]', "not_supported"),
        (b'[{"time": "2024-01-01", "lod": 1, "heat": 1}]', "missing_column"),
        (b'{"time": [], "load": [], "heat": []}', "empty_table"),
        (b'[{"time": "2024-01-01", "load": "x", "heat": 1}]', "not_a_number"),
        (b'[{"time": "2024-01-01", "load": 1e999, "heat": 1}]', "not_a_number"),
        (b'[{"time": "2024-13-01", "load": 1, "heat": 1}]', "invalid_timestamp"),
        (b'[{"time": true, "load": 1, "heat": 1}]', "invalid_timestamp"),
        (b'[{"time": "2024-01-01", "load": 1, "heat": 1}]', "series_too_short"),
    ],
)
def test_a_body_that_cannot_be_read_is_told(body: bytes, code: str, server: Server) -> None:
    told = server.ask("/predict", body)
    assert (told.status, told.code) == (400, code)
    assert set(told.json) == {"code", "message"}


def test_a_wrong_cell_is_told_by_row_and_column_as_the_command_line_does(
    server: Server, exported: Path, frame: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = frame.astype({"load": object})
    wrong.loc[41, "load"] = "many"
    told = server.ask("/predict", as_records(wrong)).json
    assert "row 42, column load: expected a number. Received: 'many'" in told["message"]
    wrong.to_csv(tmp_path / "wrong.csv", index=False)
    assert main(["predict", str(exported), "--data", str(tmp_path / "wrong.csv")]) == 2
    assert f"error[{told['code']}]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("steps=x", "invalid_argument"),
        ("steps=-1", "invalid_argument"),
        ("steps=0", "invalid_argument"),
        ("steps=99999999999999999999", "invalid_argument"),
        ("steps=1&steps=2", "invalid_argument"),
        ("levels=a", "invalid_argument"),
        ("levels=1e999", "unknown_level"),
        ("levels=81", "unknown_level"),
        ("quantiles=perhaps", "invalid_argument"),
        ("baseline=nobody", "unknown_baseline"),
        ("stesp=3", "not_supported"),
        ("labels=/etc/passwd", "not_supported"),
    ],
)
def test_a_wrong_option_is_told(query: str, code: str, server: Server, frame: pd.DataFrame) -> None:
    told = server.ask(f"/predict?{query}", as_records(frame))
    assert (told.status, told.code) == (400, code), told.body


def test_other_paths_types_and_sizes_are_refused(server: Server, frame: pd.DataFrame) -> None:
    rows = as_records(frame)
    assert server.get("/predict").status == 405
    assert (server.ask("/encode", rows).status, server.ask("/encode", rows).code) == (404, "no_such_path")
    assert (server.get("/docs").status, server.get("/openapi.json").status) == (404, 200)
    for kind in ("", "text/plain", "application/x-www-form-urlencoded"):
        told = server.ask("/predict", rows, kind=kind)
        assert (told.status, told.code) == (415, "unsupported_body")
    assert server.ask("/predict", rows, content_encoding="gzip").status == 415
    assert server.ask("/predict", rows, accept="image/png").status == 406
    assert server.ask("/stream", arrow_of(frame), kind=ARROW).status == 415
    for body in (b" " * 200_001, b" " * 1_000_000, (b" " * 50_000 for _ in range(6))):  # the last one in pieces
        told = server.ask("/predict", body)
        assert (told.status, told.code) == (413, "body_too_large")
    assert server.ask("/predict", rows).status == 200


def test_packed_and_crafted_tables_are_refused(server: Server, frame: pd.DataFrame) -> None:
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(50_000, np.int8)), pa.array(["x" * 10_000]))
    unfolding = pa.table({"time": long})
    sink, written = io.BytesIO(), io.BytesIO()
    with pa.ipc.new_stream(sink, unfolding.schema) as writer:
        writer.write_table(unfolding)
    pq.write_table(unfolding, written, store_schema=False)
    nulls = io.BytesIO()
    pq.write_table(pa.table({"load": pa.nulls(20_000_000)}), nulls)
    nested = arrow_of(pd.DataFrame({"load": [[1.0]]}))
    for kind, body in (
        *((ARROW, arrow_of(frame, compression=codec)) for codec in ("zstd", "lz4")),
        *((ARROW, body) for body in (b"", b"{}", sink.getvalue(), nested, arrow_of(frame)[:-300])),
        *((PARQUET, body) for body in (b"", b"PAR1", written.getvalue(), nulls.getvalue(), parquet_of(frame)[:-9])),
        (PARQUET, parquet_of(frame, compression="zstd")),
    ):
        told = server.ask("/predict", body, kind=kind)
        assert (told.status, told.code) == (400, "invalid_body"), told.body
    rng = np.random.default_rng(0)
    for kind, body in ((ARROW, arrow_of(frame)), (PARQUET, parquet_of(frame))) * 30:
        damaged = bytearray(body)
        damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
        assert server.ask("/predict", bytes(damaged), kind=kind).status in (200, 400)
    assert server.get("/healthz").json["status"] == "ok"


def test_counters_tell_what_was_answered(server: Server, frame: pd.DataFrame) -> None:
    def count(name: str) -> float:
        lines = server.get("/metrics").body.decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    name = 'seq2seq_kit_requests_total{path="predict",status="200"}'
    rows, before = count('seq2seq_kit_rows_total{path="predict"}'), count(name)
    server.ask("/predict", as_records(frame))
    assert count(name) == before + 1
    assert count('seq2seq_kit_rows_total{path="predict"}') == rows + len(frame)
    assert count('seq2seq_kit_request_seconds_bucket{path="predict",le="+Inf"}') == count(
        'seq2seq_kit_request_seconds_count{path="predict"}'
    )
    assert count("seq2seq_kit_workers") == 1
    assert server.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


def test_two_servers_on_one_port_are_told(server: Server, exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(exported), "--port", str(server.port)]) == 2
    said = capsys.readouterr().err
    assert "error[port_in_use]" in said
    assert f"port {server.port} on 127.0.0.1 is in use" in said


def test_what_is_under_way_is_answered_after_sigterm(exported: Path, frame: pd.DataFrame) -> None:
    """Eight clients send without a pause, by two workers; the server ends on SIGTERM, and each request has its answer."""
    body, answered, lost = json.dumps(as_records(frame)).encode(), [], []

    def press(port: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        while True:
            try:
                if connection.sock is None:
                    connection.connect()
            except OSError:
                return  # it has ended, and says so before anything is sent
            try:
                connection.request("POST", "/predict", body, {"Content-Type": JSON})
                answered.append(json.loads(connection.getresponse().read())["rows"])
            except (OSError, RemoteDisconnected) as error:
                lost.append(repr(error))
                return

    with served(str(exported), "--workers", "2") as running:
        clients = [threading.Thread(target=press, args=(running.port,)) for _ in range(8)]
        for each in clients:
            each.start()
        until = time.monotonic() + 30
        while len(answered) < 50 and time.monotonic() < until:
            time.sleep(0.01)
        running.process.send_signal(signal.SIGTERM)
        for each in clients:
            each.join(30)
        assert running.process.wait(30) == 0
    assert not lost
    assert len(answered) >= 50
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", running.port), timeout=5)


class InThisProcess:
    """In place of a pool of processes."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __enter__(self) -> "InThisProcess":
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, call: Callable[..., None], *given: object) -> SimpleNamespace:
        return SimpleNamespace(result=lambda: call(*given))


@pytest.mark.parametrize(
    ("code", "served"), [("export_differs", True), ("missing_package", True), ("export_not_written", False)]
)
def test_what_an_export_does_not_answer_alike_is_served_by_its_bundle(
    code: str, served: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(run: str, tracking_uri: str | None, out: str) -> None:
        raise BundleError("the graph does not answer as the bundle", code=code)

    monkeypatch.setattr(model, "export_aside", refuse)
    monkeypatch.setattr(model, "load_quietly", lambda run, tracking_uri: f"the bundle of {run}")
    said = list[str]()
    if not served:
        with pytest.raises(BundleError, match="does not answer"):
            model.find_model(str(tmp_path), None, tmp_path, said.append)
        return
    assert model.find_model(str(tmp_path), None, tmp_path, said.append) == (str(tmp_path), f"the bundle of {tmp_path}")
    assert "does not answer as the bundle" in said[-1]


def test_what_cannot_be_run_from_an_export_is_served_by_its_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(ROOT / "tests/fixtures/bundles/translate_attention.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    (head,) = tmp_path.rglob("bundle.json")
    run, said = str(head.parent), list[str]()

    def refuse(bundle: object) -> NoReturn:
        raise refused("a layer of somebody's own cannot be written as ONNX")

    monkeypatch.setattr(exported, "translate_programs", refuse)
    # In this process, which has TensorFlow; a server starts others for it.
    monkeypatch.setattr(model, "ProcessPoolExecutor", InThisProcess)
    monkeypatch.setattr(opening, "load_tensorflow", lambda: None)
    found, bundle = model.find_model(run, None, tmp_path, said.append)
    assert found == run
    assert "it cannot be exported" in said[-1]
    assert "predict" in verbs_of(bundle)
    with pytest.raises(BundleError, match="there is no folder"):
        model.find_model(str(tmp_path / "nowhere"), None, tmp_path, said.append)

    # An alias that moves while the model is exported: all workers serve what was found first, however late they start.
    asked = list[str]()

    def fetch(run: str, name: str, folder: Path) -> Path:
        asked.append(run)
        assert len(asked) == 1
        return Path(shutil.copytree(head.parent, folder / name))

    monkeypatch.setattr(client, "open_tracking", lambda *_, **__: SimpleNamespace(fetch=fetch))
    found, bundle = model.find_model("models:/moving@champion", None, tmp_path, said.append)
    assert (Path(found) / "bundle.json").is_file()
    assert bundle.info == load(found).info
    assert asked == ["models:/moving@champion"]


def end_at_once(*_: object) -> None:
    """In place of an export, in its process."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_an_export_that_is_killed_is_told(
    exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(model, "_export", end_at_once)
    assert main(["serve", str(exported.parent), "--port", "0"]) == 1
    assert "error[export_ended]" in capsys.readouterr().err


def test_connections_that_wait_when_the_port_is_closed_are_taken() -> None:
    """Clients connect in the very turn of the event loop after which the server would close its port."""
    clients, answers, gate = list[socket.socket](), list[bytes](), SimpleNamespace(ending=False, closing=False)

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": b""})

    def ask(each: socket.socket) -> bytes:
        with each:
            each.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return each.recv(12)

    async def end() -> None:
        config = uvicorn.Config(answer, log_level="error", lifespan="off", timeout_graceful_shutdown=5)
        config.load()
        server = processes.Server(config, gate)  # type: ignore[arg-type]
        server.lifespan = config.lifespan_class(config)
        with listen("127.0.0.1", 0) as listening:
            place = listening.getsockname()
            await server.startup(sockets=[listening])
            closing = asyncio.ensure_future(server.shutdown([listening]))
            await asyncio.sleep(0)  # it has begun, and pauses
            asyncio.get_running_loop().call_soon(time.sleep, 0.01)  # its pause is over in the turn of the clients
            asyncio.get_running_loop().call_later(
                0.0001, lambda: clients.extend(socket.create_connection(place, timeout=5) for _ in range(5))
            )
            await asyncio.sleep(0.3)
            answers.extend([await asyncio.to_thread(ask, each) for each in clients])
            await closing

    asyncio.run(end())
    assert answers == [b"HTTP/1.1 200"] * 5
