"""The verb `serve`."""

from __future__ import annotations

import argparse
import re
from functools import partial

from seq2seq_kit.errors import ArgumentError

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def arguments(verb: argparse.ArgumentParser) -> None:
    """What the verb takes."""
    verb.add_argument("run", metavar="RUN", help="id of a run, or path of a bundle or of an exported folder")
    verb.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine only; others need a token")
    verb.add_argument("--port", type=int, default=8000, help="default: 8000; 0 is a free one")
    verb.add_argument(
        "--token-env", metavar="NAME", help="environment variable with the token that requests have to show"
    )
    verb.add_argument("--max-body", metavar="SIZE", default="10MB", help="largest body of a request; default: 10MB")
    verb.add_argument("--timeout", metavar="SECONDS", type=float, default=30.0, help="of a request; default: 30")
    verb.add_argument("--workers", type=int, default=1, help="processes that answer; default: 1")
    verb.add_argument("--tracking-uri", help="folder or server; default: MLFLOW_TRACKING_URI, else mlruns/")


def serve(options: argparse.Namespace) -> None:
    """Serves a model over HTTP."""
    from seq2seq_kit.serving.run import Where, serve

    serve(
        options.run,
        where=Where(options.host, options.port, options.workers),
        tracking_uri=options.tracking_uri,
        token_env=options.token_env,
        most_bytes=_bytes(options.max_body),
        timeout=options.timeout,
        say=partial(print, flush=True),
    )


def _bytes(size: str) -> int:
    found = re.fullmatch(r"(\d{1,12})\s*(|B|KB|MB|GB)", size.strip().upper(), re.ASCII)
    if found is None:
        raise ArgumentError(f"--max-body must be a size such as 10MB. Received: {size}", code="invalid_option")
    return int(found[1]) * _UNITS[found[2]]


def image_arguments(verb: argparse.ArgumentParser) -> None:
    """What `image` takes."""
    verb.add_argument("run", metavar="RUN", help="id of a run, or path of a bundle or of an exported folder")
    verb.add_argument("--out", metavar="FOLDER", required=True, help="new folder")
    verb.add_argument(
        "--base", metavar="IMAGE", help="default: python:VERSION-slim-bookworm, of the Python that runs here"
    )
    verb.add_argument("--json-only", action="store_true", help="without Arrow and Parquet, 160 MB less")
    verb.add_argument("--tracking-uri", help="folder or server; default: MLFLOW_TRACKING_URI, else mlruns/")


def image(options: argparse.Namespace) -> None:
    """A Dockerfile with its context."""
    from seq2seq_kit.serving.image import TOKEN, write_image

    done = write_image(
        options.run,
        options.out,
        base=options.base,
        json_only=options.json_only,
        tracking_uri=options.tracking_uri,
        say=partial(print, flush=True),
    )
    print(f"wrote {done.path}, {done.bytes:,} bytes, from {done.base}")
    print(f"  docker build -t NAME {done.path}\n  docker run --rm -p 127.0.0.1:8000:8000 -e {TOKEN}=... NAME")
    print("plain HTTP, for this machine only: before others may ask it, put a proxy with TLS before it")
