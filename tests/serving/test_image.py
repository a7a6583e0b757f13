"""The context of an image: what stands in it, and that an environment made as its Dockerfile says answers as the model does."""

import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from seq2seq_kit.cli.main import main
from seq2seq_kit.errors import ArgumentError, BundleError
from seq2seq_kit.serving import image, pins
from seq2seq_kit.serving.image import TOKEN, write_image
from seq2seq_kit.serving.pins import pinned
from tests.conftest import ROOT, hourly_frame
from tests.serving.conftest import JSON, as_records

NOBODY = 65534


@pytest.fixture(scope="module")
def context(exported: Path) -> Iterator[Path]:
    """The context of an exported model, in a folder that every user can read."""
    folder = Path(tempfile.mkdtemp(prefix="seq2seq-kit-image-"))
    folder.chmod(0o755)
    yield write_image(str(exported), folder / "context").path
    shutil.rmtree(folder)


def lines_of(context: Path) -> list[tuple[str, str]]:
    """Instructions of the Dockerfile with what they are told."""
    text = (context / "Dockerfile").read_text(encoding="utf-8")
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")]


def told(context: Path, instruction: str) -> str:
    (found,) = (rest for name, rest in lines_of(context) if name == instruction)
    return found


def test_a_context_has_what_its_dockerfile_copies_and_no_source_tree(context: Path) -> None:
    copied = [words for name, rest in lines_of(context) if name == "COPY" for words in shlex.split(rest)[:-1]]
    for name in copied:
        assert (context / name).exists()
    assert sorted(path.name for path in context.iterdir()) == sorted([".dockerignore", "Dockerfile", *copied])
    ignored = (context / ".dockerignore").read_text().splitlines()
    assert ignored == ["*", *(f"!{name}" for name in copied)]
    assert re.fullmatch(r"python:\d+\.\d+\.\d+\S*-slim-bookworm", told(context, "FROM"))
    assert told(context, "USER") == "10001"
    with zipfile.ZipFile(next(context.glob("*.whl"))) as wheel:
        needs = wheel.read("seq2seq_kit-0.1.0.dist-info/METADATA").decode()
        assert not [
            name for name in wheel.namelist() if not name.startswith("seq2seq_kit") or name.endswith((".pyc", ".so"))
        ]
    pins = (context / "constraints.txt").read_text()
    for absent in ("tensorflow", "keras", "mlflow", "matplotlib"):
        assert absent not in needs
        assert f"\n{absent}==" not in pins
    assert "onnxruntime==" in pins
    assert TOKEN not in told(context, "ENV")


def test_the_same_model_gives_the_same_context(context: Path, exported: Path, tmp_path: Path) -> None:
    again = write_image(str(exported), tmp_path / "again").path
    for path in context.rglob("*"):
        if path.is_file():
            assert (again / path.relative_to(context)).read_bytes() == path.read_bytes()


def test_without_arrow_and_parquet_there_is_no_pyarrow(context: Path, exported: Path, tmp_path: Path) -> None:
    assert main(["image", str(exported), "--out", str(tmp_path / "out"), "--json-only"]) == 0
    assert "pyarrow==" in (context / "constraints.txt").read_text()
    assert "pyarrow==" not in (tmp_path / "out" / "constraints.txt").read_text()


def test_all_that_a_package_needs_is_pinned() -> None:
    assert {"fastapi", "starlette", "anyio", "pydantic-core"} <= set(pinned(["fastapi"]))
    with pytest.raises(ArgumentError) as caught:
        pinned(["no-such-package"])
    assert caught.value.code == "missing_package"


def test_what_can_be_no_image_is_refused(context: Path, exported: Path, tmp_path: Path) -> None:
    for base in ("python", "python:latest", "python:3.11\nRUN x", "python:"):
        with pytest.raises(ArgumentError) as caught:
            write_image(str(exported), tmp_path / "out", base=base)
        assert caught.value.code == "base_not_pinned"
    with pytest.raises(BundleError) as there:
        write_image(str(exported), context)
    assert there.value.code == "export_exists"
    damaged = tmp_path / "damaged"
    shutil.copytree(exported, damaged)
    (damaged / "network.onnx").write_bytes(b"")
    assert main(["image", str(damaged), "--out", str(tmp_path / "out")]) == 1
    assert [*tmp_path.iterdir()] == [damaged]


def test_only_what_the_export_names_gets_into_the_image(exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    shutil.copytree(exported, folder)
    named = {path.name for path in folder.iterdir()}
    secret = tmp_path / "id_ed25519"
    secret.write_text("PRIVATE KEY")
    for name in (".env", "token.txt"):
        (folder / name).write_text("secret")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (folder / "key").symlink_to(secret)
    (folder / "home").symlink_to(tmp_path)
    made = write_image(str(folder), tmp_path / "out").path
    assert {path.name for path in (made / "model").iterdir()} == named

    (folder / "requirements.txt").unlink()
    (folder / "requirements.txt").symlink_to(exported / "requirements.txt")
    with pytest.raises(BundleError, match=r"requirements\.txt is a link") as linked:
        write_image(str(folder), tmp_path / "linked")
    assert linked.value.code == "bundle_damaged"
    shutil.copytree(exported, tmp_path / "crafted")
    head = json.loads((exported / "export.json").read_text())
    head["sha256"]["../id_ed25519"] = hashlib.sha256(secret.read_bytes()).hexdigest()
    (tmp_path / "crafted" / "export.json").write_text(json.dumps(head))
    with pytest.raises(BundleError, match="is no name of a file in the folder"):
        write_image(str(tmp_path / "crafted"), tmp_path / "outside")


def test_the_containers_user_can_read_what_a_strict_user_writes(exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported, tmp_path / "export")
    for path in (tmp_path / "export").iterdir():
        path.chmod(0o600)
    (tmp_path / "export").chmod(0o700)
    before = os.umask(0o077)
    try:
        made = write_image(str(tmp_path / "export"), tmp_path / "out").path
    finally:
        os.umask(before)
    for path in made.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


Version = namedtuple("Version", "major minor micro releaselevel serial")


def test_the_base_is_that_of_the_python_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "python_version", lambda: "3.11.7+")  # as one from a development tree says
    monkeypatch.setattr(sys, "version_info", Version(3, 11, 7, "final", 0))
    assert image._own_base() == "python:3.11.7-slim-bookworm"
    monkeypatch.setattr(sys, "version_info", Version(3, 15, 0, "candidate", 1))
    with pytest.raises(ArgumentError, match=r"a pre-release of 3\.15\.0 \(candidate\)") as caught:
        write_image("nowhere", "nowhere")
    assert caught.value.code == "base_not_pinned"


def test_a_package_that_is_asked_for_again_with_extras_brings_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = {
        "first": ["both", "second"],
        "second": ["both[fast]"],
        "both": ["always", "quick; extra == 'fast'"],
        "always": [],
        "quick": [],
    }
    monkeypatch.setattr(pins, "distribution", lambda name: SimpleNamespace(requires=needs[name]))
    monkeypatch.setattr(pins, "version", lambda name: "1.0")
    assert [*pinned(["first"])] == sorted(needs)
    assert [*pinned(["both", "both[fast]"])] == ["always", "both", "quick"]
    assert [*pinned(["both[fast]", "both"])] == ["always", "both", "quick"]


def test_a_container_is_published_to_this_machine_only(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["image", str(exported), "--out", str(tmp_path / "out")]) == 0
    page = (ROOT / "docs/deploy.md").read_text()
    for text in (capsys.readouterr().out, (tmp_path / "out" / "Dockerfile").read_text(), page):
        assert re.findall(r"-p ([\w.:]+)", text) == ["127.0.0.1:8000:8000"] * text.count("-p ")
        assert "docker run --rm -p 127.0.0.1:8000:8000" in text
        assert "proxy with TLS" in text


@pytest.fixture(scope="module")
def environment(context: Path) -> Path:
    """A clean environment in which the lines `RUN pip` were run, by uv, whose cache spares downloads."""
    python = next((path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if Path(path).is_file()), None)
    if shutil.which("uv") is None or python is None:
        pytest.skip(
            "uv, or a Python in /usr/bin or /usr/local/bin, is missing: a clean environment is made by the one of the other"
        )
    place = context.parent / "environment"
    made = subprocess.run(["uv", "venv", "-q", "--python", python, str(place)], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    (installs,) = (rest for name, rest in lines_of(context) if name == "RUN" and rest.startswith("pip "))
    command = installs.replace(
        "pip install --no-cache-dir", f"uv pip install --compile-bytecode --python {place}/bin/python"
    )
    done = subprocess.run(["sh", "-c", command], cwd=context, capture_output=True, text=True)
    if re.search("dns error|error sending request|Could not connect", done.stderr):
        pytest.skip(f"the registry of packages cannot be reached: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    return place


@pytest.mark.slow
def test_a_server_made_as_the_dockerfile_says_answers_as_the_model_does(
    context: Path, environment: Path, bundle: Any
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    said = dict(word.split("=", 1) for word in shlex.split(told(context, "ENV")))
    given = said | {"PATH": f"{environment}/bin:/usr/bin:/bin", "PORT": port, TOKEN: "a-token"}
    command = json.loads(next(rest for name, rest in lines_of(context) if name == "CMD"))
    health = json.loads(told(context, "HEALTHCHECK").split(" CMD ", 1)[1])
    # As a user without rights and without a home, where this one may become another.
    other: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    alone = subprocess.run(command, cwd=context, env=given | {TOKEN: ""}, capture_output=True, text=True, **other)
    assert alone.returncode == 2
    assert "error[no_token]" in alone.stderr

    server = subprocess.Popen(command, cwd=context, env=given, **other)
    try:
        frame = hourly_frame(60, seed=2)
        body = json.dumps(as_records(frame))
        headers = {"Content-Type": JSON, "Authorization": "Bearer a-token"}
        until = time.monotonic() + 60
        while subprocess.run(health, env=given, capture_output=True, **other).returncode:
            assert server.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        connection = HTTPConnection("127.0.0.1", int(port), timeout=30)
        connection.request("POST", "/predict", body, headers)
        answer = connection.getresponse()
        found = pd.DataFrame(json.loads(answer.read())["rows"])
        connection.request("POST", "/predict", body, {"Content-Type": JSON})
        assert connection.getresponse().status == 401
        connection.close()
    finally:
        server.terminate()
        assert server.wait(30) == 0
    expected = bundle.predict(frame)
    found["time"] = pd.to_datetime(found["time"])
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-6)
    packages = {path.name for path in (environment / "lib").glob("python*/site-packages/*")}
    assert "onnxruntime" in packages
    assert not {"tensorflow", "keras", "mlflow", "onnx"} & packages
    assert subprocess.run(health, env=given, capture_output=True).returncode != 0


@pytest.mark.slow
def test_no_use_of_the_runtime_is_told_to_others(context: Path, environment: Path, tmp_path: Path) -> None:
    model = str(context / "model")
    code = f"from seq2seq_kit import load; load({model!r})"
    given = {"HOME": str(tmp_path), "PATH": f"{environment}/bin:/usr/bin:/bin"}
    done = subprocess.run(["python", "-c", code], env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [*tmp_path.rglob("*")] == []


@pytest.mark.slow
def test_several_processes_score_files_where_no_tensorflow_is(
    context: Path, environment: Path, bundle: Any, tmp_path: Path
) -> None:
    frames = {f"{seed}.csv": hourly_frame(60, seed=seed) for seed in range(3)}
    for name, frame in frames.items():
        frame.to_csv(tmp_path / name, index=False)
    words = ["predict", str(context / "model"), "--data", "*.csv", "--out", "out/", "--workers", "2"]
    given = {"HOME": str(tmp_path), "PATH": f"{environment}/bin:/usr/bin:/bin"}
    command = ["python", "-m", "seq2seq_kit", *words]
    done = subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "by 2 processes" in done.stdout + done.stderr
    for name, frame in frames.items():
        found = pd.read_csv(tmp_path / "out" / name, parse_dates=["time"])
        pd.testing.assert_frame_equal(found, bundle.predict(frame), check_dtype=False, rtol=1e-6)
