"""What surrounds an answer: the token, the line, the time limit, and where a server may listen."""

import asyncio
import gc
import json
import re
import threading
import weakref
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import seq2seq_kit as kit
from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.serving.app import build_app
from seq2seq_kit.serving.arrow_bodies import read_arrow, read_parquet
from seq2seq_kit.serving.counts import STATUSES, Counts
from seq2seq_kit.serving.gate import Gate
from seq2seq_kit.serving.json_bodies import cells, read_json, rows_of
from seq2seq_kit.serving.line import Line
from seq2seq_kit.serving.refusing import RefusedError
from seq2seq_kit.serving.settings import Settings, is_loopback, listen, require_token_beyond_loopback
from seq2seq_kit.serving.verbs import OPTIONS
from tests.conftest import ROOT
from tests.serving.conftest import JSON, Answer, as_records


def settings(folder: Path, **changes: Any) -> Settings:
    usual: dict[str, Any] = {"token_env": None, "most_bytes": 10**6, "timeout": 30.0, "waiting": 8}
    return Settings(**({"model": "", "counts": str(folder), "tracking_uri": None} | usual | changes))


async def ask(
    gate: Gate, path: str, body: bytes = b"", *, method: str = "POST", more: bool = False, **headers: str
) -> Answer:
    """A request as a server would pass it to the application; `more`: of which more was to come, and never does."""
    sent: list[Any] = []
    named = {"content-type": JSON} | headers
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }
    messages = iter([{"type": "http.request", "body": body, "more_body": more}])

    async def receive() -> Any:
        try:
            return next(messages)
        except StopIteration:
            await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    await gate(scope, receive, send)
    head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], head, b"".join(each.get("body", b"") for each in sent[1:]))


@pytest.fixture
def rows(frame: pd.DataFrame) -> bytes:
    return json.dumps(as_records(frame)).encode()


def test_who_shows_no_token_or_another_gets_nothing(
    bundle: Any, rows: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_TOKEN", "open-sesame")
    gate = build_app(bundle, settings(tmp_path, token_env="OUR_TOKEN"))
    shows: list[dict[str, Any]] = [
        {"authorization": shown} for shown in ("open-sesame", "Bearer open-sesam", "Bearer é")
    ]
    for shown in ({}, *shows):
        told = asyncio.run(ask(gate, "/predict", rows, **shown))
        assert (told.status, told.code) == (401, "wrong_token")
        assert asyncio.run(ask(gate, "/metrics", method="GET", **shown)).status == 401
    assert asyncio.run(ask(gate, "/healthz", method="GET")).status == 200
    assert asyncio.run(ask(gate, "/predict", rows, authorization="Bearer open-sesame")).status == 200


@pytest.mark.parametrize("token", [None, "", "two words", "ünlesbar", "line\n"])
def test_a_token_that_no_header_can_hold_is_told(
    token: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OUR_TOKEN", raising=False)
    if token is not None:
        monkeypatch.setenv("OUR_TOKEN", token)
    with pytest.raises(ArgumentError, match="OUR_TOKEN must hold the token") as caught:
        settings(tmp_path, token_env="OUR_TOKEN").token()
    assert caught.value.code == "no_token"
    assert token is None or len(token) < 2 or token not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", ""])
def test_an_address_that_others_reach_needs_a_token(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ArgumentError, match="needs a token") as caught:
        require_token_beyond_loopback(host, None)
    assert caught.value.code == "token_required"
    require_token_beyond_loopback(host, "OUR_TOKEN")
    for own in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        require_token_beyond_loopback(own, None)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--host", "0.0.0.0"], "token_required"),
        (["--host", "0.0.0.0", "--token-env", "NOT_SET"], "no_token"),
        (["--host", "203.0.113.7", "--token-env", "NOT_SET"], "port_in_use"),
        (["--host", "no such host", "--token-env", "NOT_SET"], "bad_host"),
        (["--port", "65536"], "bad_port"),
        (["--port", "-1"], "bad_port"),
        (["--max-body", "much"], "invalid_option"),
        (["--max-body", "0"], "invalid_option"),
        (["--timeout", "0"], "invalid_option"),
        (["--timeout", "nan"], "invalid_option"),
        (["--workers", "0"], "invalid_option"),
    ],
)
def test_a_wrong_call_is_told_before_anything_is_loaded(
    words: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "nowhere", "--port", "0", *words]) == 2
    assert f"error[{code}]" in capsys.readouterr().err


def test_a_model_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "export.json").write_text("{}")
    assert main(["serve", str(tmp_path), "--port", "0"]) == 1
    assert "error[bundle_damaged]" in capsys.readouterr().err


def held(bundle: Any, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Until the event is set, the model computes."""
    goes_on, own = threading.Event(), type(bundle).predict_columns

    def predict_columns(self: Any, columns: Any) -> Any:
        assert goes_on.wait(30)
        return own(self, columns)

    monkeypatch.setattr(type(bundle), "predict_columns", predict_columns)
    return goes_on


def test_a_full_line_is_told_at_once_and_drains(
    bundle: Any, rows: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, goes_on = build_app(bundle, settings(tmp_path, waiting=2)), held(bundle, monkeypatch)

    async def asked() -> None:
        waiting = [asyncio.ensure_future(ask(gate, "/predict", rows)) for _ in range(2)]
        await asyncio.sleep(0.05)
        full = await ask(gate, "/predict", rows)
        assert (full.status, full.code, full.headers["retry-after"]) == (503, "too_busy", "1")
        assert (await ask(gate, "/healthz", method="GET")).status == 200  # who watches need not wait
        assert b"seq2seq_kit_waiting 2" in (await ask(gate, "/metrics", method="GET")).body
        goes_on.set()
        assert [(await each).status for each in waiting] == [200, 200]
        assert (await ask(gate, "/predict", rows)).status == 200
        assert b"seq2seq_kit_waiting 0" in (await ask(gate, "/metrics", method="GET")).body

    asyncio.run(asked())


def test_who_sends_slowly_holds_no_place(bundle: Any, rows: bytes, tmp_path: Path) -> None:
    gate = build_app(bundle, settings(tmp_path, waiting=2, timeout=1.0))

    async def asked() -> None:
        slow = [asyncio.ensure_future(ask(gate, "/predict", rows[:-9], more=True)) for _ in range(20)]
        await asyncio.sleep(0.05)
        assert b"seq2seq_kit_waiting 0" in (await ask(gate, "/metrics", method="GET")).body
        assert (await ask(gate, "/predict", rows)).status == 200
        for each in await asyncio.gather(*slow):
            assert (each.status, each.code, each.headers["connection"]) == (408, "body_timeout", "close")

    asyncio.run(asked())


def test_bodies_on_their_way_are_bounded_together(bundle: Any, rows: bytes, tmp_path: Path) -> None:
    gate = build_app(bundle, settings(tmp_path, waiting=2, timeout=1.0, most_bytes=len(rows)))

    async def asked() -> None:
        slow = [asyncio.ensure_future(ask(gate, "/predict", rows[:-9], more=True)) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert (await slow[2]).code == "too_busy"  # a third would be more than two whole ones
        assert [(await each).code for each in slow[:2]] == ["body_timeout"] * 2
        assert (await ask(gate, "/predict", rows)).status == 200  # what they held is free again
        assert (await ask(gate, "/predict", rows * 2)).code == "body_too_large"
        assert (await ask(gate, "/predict", rows)).status == 200

    asyncio.run(asked())


def test_what_takes_too_long_is_told_and_keeps_its_place_until_it_is_done(
    bundle: Any, rows: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, goes_on = build_app(bundle, settings(tmp_path, waiting=1, timeout=1.0)), held(bundle, monkeypatch)

    async def asked() -> None:
        late = await ask(gate, "/predict", rows)
        assert (late.status, late.code) == (504, "request_timeout")
        assert (await ask(gate, "/predict", rows)).status == 503
        goes_on.set()
        for _ in range(100):
            await asyncio.sleep(0.02)
            if (await ask(gate, "/predict", rows)).status == 200:
                return
        raise AssertionError("the place was never free again")

    asyncio.run(asked())


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("LocalHost:80", 200),
        ("[::1]:8000", 200),
        ("evil.example:8000", 400),
        ("127.0.0.1.evil.example", 400),
    ],
)
def test_without_a_token_a_page_of_another_name_gets_nothing(
    bundle: Any, rows: bytes, tmp_path: Path, host: str, status: int
) -> None:
    told = asyncio.run(ask(build_app(bundle, settings(tmp_path)), "/predict", rows, host=host))
    assert told.status == status
    assert status == 200 or told.code == "wrong_host"


def test_a_failure_of_ours_is_told_without_its_innards(
    bundle: Any, rows: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any, **named: Any) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(type(bundle), "predict_columns", broken)
    told = asyncio.run(ask(build_app(bundle, settings(tmp_path)), "/predict", rows))
    assert (told.status, told.code) == (500, "server_failed")
    assert "secret" not in told.body.decode()


def test_connections_are_closed_with_their_answer_once_the_server_ends(
    bundle: Any, rows: bytes, tmp_path: Path
) -> None:
    gate = build_app(bundle, settings(tmp_path))
    assert "connection" not in asyncio.run(ask(gate, "/predict", rows)).headers
    gate.ending = gate.closing = True
    told = asyncio.run(ask(gate, "/predict", rows))
    assert (told.status, told.headers["connection"]) == (200, "close")
    assert asyncio.run(ask(gate, "/healthz", method="GET")).status == 503


def test_counters_of_workers_that_have_ended_are_kept(tmp_path: Path) -> None:
    gone = Counts(tmp_path, ["predict"])
    gone.count("predict", 200, 0.003)
    gone.waiting(7)
    (own,) = tmp_path.glob("*.counts")
    own.rename(tmp_path / f"{2**22 + 1}-0.counts")  # of a process that there cannot be
    here = Counts(tmp_path, ["predict"])
    here.count("predict", 200, 0.03)
    here.count("nowhere", 418, 0.03)
    lines = here.text().splitlines()
    assert 'seq2seq_kit_requests_total{path="predict",status="200"} 2' in lines
    assert 'seq2seq_kit_requests_total{path="other",status="0"} 1' in lines
    assert 'seq2seq_kit_request_seconds_bucket{path="predict",le="0.005"} 1' in lines
    assert {"seq2seq_kit_waiting 0", "seq2seq_kit_workers 1"} <= set(lines)


def test_every_status_that_the_server_answers_with_is_counted(tmp_path: Path) -> None:
    texts = "".join(path.read_text() for path in (ROOT / "seq2seq_kit/serving").glob("*.py"))
    given = {int(status) for status in re.findall(r"status(?:_code)?=(\d{3})\b", texts)}
    assert {401, 408, 504} <= given <= set(STATUSES)
    counts = Counts(tmp_path, ["predict"])
    counts.count("predict", 408, 30.0)
    text = counts.text()
    assert 'seq2seq_kit_requests_total{path="predict",status="408"} 1' in text.splitlines()
    (about,) = (line for line in text.splitlines() if line.startswith("# HELP seq2seq_kit_waiting"))
    assert "are read" not in about


def test_a_port_is_had_by_one(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as first, pytest.raises(ArgumentError, match="in use") as caught:
        listen("127.0.0.1", first.getsockname()[1])
    assert caught.value.code == "port_in_use"


def test_plain_rows_are_forecast_without_a_frame_and_all_others_with_one(bundle: Any, frame: pd.DataFrame) -> None:
    plain = {str(name): frame[name].to_numpy() for name in frame}
    found = bundle.predict_columns(plain)
    pd.testing.assert_frame_equal(pd.DataFrame(found), bundle.predict(frame))
    hole, gap = frame["load"].to_numpy(copy=True), frame["time"].to_numpy(copy=True)
    hole[30], gap[50:] = np.nan, gap[50:] + np.timedelta64(1, "h")
    wrong = [{"load": hole}, {"time": gap}, {"time": frame["time"].dt.strftime("%Y-%m-%d %H:%M").to_numpy()}]
    for each in wrong:
        assert bundle.predict_columns(plain | each) is None
    assert bundle.predict_columns({name: column[:5] for name, column in plain.items()}) is None
    assert bundle.predict_columns({"load": plain["load"]}) is None


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ([1.5, 2.0], "f"),
        ([1, 2], "i"),
        ([1, 2.5], "f"),
        ([1, None], ""),
        ([True, False], ""),
        ([2**63, 2**70], ""),
        (["2024-01-01", "2024-01-02"], "M"),
        (["2024-01-01T00:00:00", "2024-01-01 01:00:00"], "M"),
        (["2024-01-01", "2024-01-02T00:00:00"], ""),
        (["2024-01-01T00:00", "2024-01-01T01:00"], ""),
        (["2024-01-01T00:00-05", "2024-01-01T01:00-05"], ""),
        (["2024-01-01T00:00+05", "2024-01-01T01:00+05"], ""),
        (["2024-99-01", "2024-01-02"], ""),
        (["01.02.2024", "02.02.2024"], ""),
    ],
)
def test_a_column_of_json_is_an_array_where_nobody_could_read_it_otherwise(column: list[Any], kind: str) -> None:
    (read,) = rows_of({"time": column}, 10**6, time="time")[0].values()  # type: ignore[union-attr]
    assert (read.dtype.kind if isinstance(read, np.ndarray) else "") == kind


def test_rows_with_other_keys_each_do_not_unfold() -> None:
    found = read_json(json.dumps([{f"k{row}": row} for row in range(2_000)]).encode())
    with pytest.raises(RefusedError, match=r"20,000 bytes in memory\. Received: 32,000,000"):
        rows_of(found, 1_000)


def test_one_key_twice_among_many_is_found_at_once() -> None:
    body = ("{" + ",".join(f'"k{number}":0' for number in range(200_000)) + ',"k199999":0}').encode()
    with pytest.raises(RefusedError, match="'k199999' is given twice"):
        read_json(body)  # in hours, if each key were counted


def test_few_bytes_of_arrow_or_parquet_do_not_unfold() -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    nulls = pa.table({f"c{place}": pa.nulls(10_000) for place in range(20)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, nulls.schema) as writer:
        writer.write_table(nulls)
    with pytest.raises(RefusedError, match="Received: 1,600,000"):
        read_arrow(sink.getvalue().to_pybytes(), 10_000)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"load": np.ones(1_000_000)}), sink)
    body = sink.getvalue().to_pybytes()
    assert len(body) < 20_000
    with pytest.raises(RefusedError, match="Received: 8,000,000"):
        read_parquet(body, 20_000)


def test_an_event_that_is_still_open_leaves_the_other_times_as_they_are() -> None:
    assert cells(pd.to_datetime(pd.Series(["2024-01-01", None]))) == ["2024-01-01T00:00:00", None]


def test_a_body_that_nobody_waits_for_any_more_is_not_kept() -> None:
    class Body:
        pass

    line, goes_on = Line(4, 60.0), threading.Event()

    async def given_up() -> weakref.ref[Body]:
        body = Body()
        with suppress(RefusedError):
            async with line.place(asyncio.get_running_loop().time()) as place:
                await place.compute(partial(id, body))
            raise AssertionError("nothing was computed before it")
        return weakref.ref(body)

    async def asked() -> None:
        async with line.place(asyncio.get_running_loop().time()) as first:
            running = asyncio.ensure_future(first.compute(goes_on.wait))
            await asyncio.sleep(0)  # it is before the other in the line
            line.timeout = 0.2
            kept = await asyncio.ensure_future(given_up())  # as each request has a task of its own
            gc.collect()
            assert kept() is None
            goes_on.set()
            await running

    asyncio.run(asked())


@pytest.mark.parametrize("threads", ["4,2", "", " 3 ", "many"])
def test_how_many_threads_others_take_is_read_as_they_write_it(
    exported: Path, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    assert kit.load(exported).verbs


@pytest.mark.parametrize("text", ["0", "65", "-1", "1.5", "x"])
def test_a_beam_width_has_its_own_bounds(text: str) -> None:
    with pytest.raises(ArgumentError, match=f"from 1 to 64. Received: beams={text}"):
        OPTIONS["beams"].read("beams", text)
    assert OPTIONS["beams"].read("beams", "64") == 64
    assert OPTIONS["steps"].read("steps", "0") == 0
