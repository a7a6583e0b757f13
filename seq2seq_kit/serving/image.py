"""A model as the context of a container image: its export, this package without TensorFlow, exact versions, a Dockerfile."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seq2seq_kit.bundles.exports import copy_export, is_export
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.exports.placing import put, refuse_existing
from seq2seq_kit.opening import load
from seq2seq_kit.serving.model import export_aside
from seq2seq_kit.serving.pins import packages_of, pinned
from seq2seq_kit.serving.wheel import write_wheel

TOKEN = "SEQ2SEQ_KIT_TOKEN"
_BASE = "python:{version}-slim-bookworm"
_PINNED = re.compile(r"[\w./:-]+(:(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})", re.ASCII)
_ASKS = (
    "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=3); "
    "c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"
)
_DOCKERFILE = """\
# {title}: a server of predictions, without TensorFlow. Build and run it where Docker is:
#   docker build -t {tag} .
#   docker run --rm -p 127.0.0.1:8000:8000 -e {token}=... {tag}
# It speaks plain HTTP: before others may ask it, put a proxy with TLS before it.
FROM {base}
ENV PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 PORT=8000 WORKERS=1
WORKDIR /app
RUN useradd --system --no-create-home --uid 10001 served
COPY constraints.txt {wheel} ./
RUN pip install --no-cache-dir -c constraints.txt ./{wheel}
COPY model model
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD {health}
# The token comes from the environment; without it the server ends at once.
CMD {command}
"""


@dataclass(frozen=True)
class Context:
    """The context of an image.

    Attributes:
        path: Its folder.
        base: The image that it begins with.
        bytes: Of all its files.
    """

    path: Path
    base: str
    bytes: int


def write_image(
    run: str,
    out: str | Path,
    *,
    base: str | None = None,
    json_only: bool = False,
    tracking_uri: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Context:
    """Writes a Dockerfile and all that it needs into a new folder.

    Args:
        run: Folder of an export or a bundle, a run, or a registered model. What is no export is exported first.
        out: The folder.
        base: Image to begin with, pinned by tag or digest; default: Python's slim one of the version that runs here.
        json_only: Leaves pyarrow out, 160 MB: the server then reads and writes JSON only.
        tracking_uri: As in `train`.
        say: Is told what takes a while.

    Raises:
        ArgumentError: The base is not pinned, there is none for the Python that runs here, or a package is not installed.
        BundleError: The model is missing or damaged, cannot be exported or be run from its export, or the folder exists.
        TrackingError: No such run.
    """
    base = _own_base() if base is None else base
    if not _PINNED.fullmatch(base):
        said = "the base of an image is pinned by a tag or a digest, such as python:3.11.7-slim-bookworm"
        raise ArgumentError(f"{said}. Received: {base!r}. Give another --base", code="base_not_pinned")
    path = Path(out)
    refuse_existing(path)
    put(path, lambda partial: _write(run, partial, base, json_only, tracking_uri, say))
    return Context(path, base, sum(each.stat().st_size for each in path.rglob("*") if each.is_file()))


def _own_base() -> str:
    """The image of the Python that runs here; one built from a development tree calls itself `3.11.7+`."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info.releaselevel != "final":
        raise ArgumentError(
            f"the Python that runs here is a pre-release of {version} ({sys.version_info.releaselevel}), for which no image can "
            "be expected to stay. Run this in a released Python, or give another --base, such as python:3.11.7-slim-bookworm",
            code="base_not_pinned",
        )
    return _BASE.format(version=version)


def _write(
    run: str, folder: Path, base: str, json_only: bool, tracking_uri: str | None, say: Callable[[str], None]
) -> None:
    folder.mkdir()
    model = folder / "model"
    if is_export(run):
        copy_export(run, model)
    else:
        say("exporting the model")
        export_aside(run, tracking_uri, str(model))
    bundle = load(model)  # as the server will: digests, graphs, golden output
    packages = packages_of(bundle, json_only=json_only)
    versions = pinned(packages)
    wheel = write_wheel(folder, packages)
    lines = "".join(f"{name}=={version}\n" for name, version in versions.items())
    (folder / "constraints.txt").write_text(lines, encoding="utf-8")
    title = bundle.recipe.name or bundle.recipe.task
    serve = f"exec seq2seq-kit serve model --host 0.0.0.0 --port $PORT --workers $WORKERS --token-env {TOKEN}"
    text = _DOCKERFILE.format(
        title=re.sub(r"[^\w .-]", "_", title),
        tag=re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "model",
        token=TOKEN,
        base=base,
        wheel=wheel.name,
        health=json.dumps(["python", "-c", _ASKS]),
        command=json.dumps(["sh", "-c", serve]),
    )
    (folder / "Dockerfile").write_text(text, encoding="utf-8")
    kept = ("constraints.txt", wheel.name, "model")
    (folder / ".dockerignore").write_text("*\n" + "".join(f"!{name}\n" for name in kept), encoding="utf-8")
    for path in folder.rglob(
        "*"
    ):  # COPY keeps modes, and the container's user is another: a strict umask would lock it out
        path.chmod(0o755 if path.is_dir() else 0o644)
