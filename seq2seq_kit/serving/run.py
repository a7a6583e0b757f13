"""A server from its model to its end."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.serving.model import find_model
from seq2seq_kit.serving.settings import Settings, listen, require_token_beyond_loopback

WAITING = 128


@dataclass(frozen=True)
class Where:
    """Where a server listens, and for how many at a time.

    Attributes:
        host: Loopback, or with a token any other address of this machine.
        port: 0 is a free one.
        workers: Processes that answer.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1


def serve(
    run: str,
    *,
    where: Where,
    tracking_uri: str | None = None,
    token_env: str | None = None,
    most_bytes: int = 10_000_000,
    timeout: float = 30.0,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Serves a model until SIGTERM or Ctrl-C, after which what is under way is still answered.

    Args:
        run: Folder of an export or a bundle, or a run. What is no export is exported first; what cannot be is served by the
            bundle, with TensorFlow.
        where: Address and number of processes.
        tracking_uri: As in `train`.
        token_env: Name of the environment variable with the token that each request has to show.
        most_bytes: Of a body.
        timeout: Seconds of a request.
        say: Is told where it listens.

    Raises:
        ArgumentError: A package is missing, the port is taken, or an address that others can reach has no token.
        BundleError: The model is missing or damaged.
        TrackingError: No such run.
    """
    for name, value in (("--workers", where.workers), ("--max-body", most_bytes), ("--timeout", timeout)):
        if not (value > 0 and math.isfinite(value)):
            raise ArgumentError(f"{name} must be a number above 0. Received: {value}", code="invalid_option")
    try:
        from fastapi import FastAPI  # noqa: F401

        from seq2seq_kit.serving.processes import answer_here, answer_in_workers
    except ImportError as error:
        said = f"`serve` needs the package {error.name}, which is not installed"
        raise ArgumentError(
            f"{said}. Install the extra: pip install 'seq2seq-kit[serve]'", code="missing_package"
        ) from None
    require_token_beyond_loopback(where.host, token_env)
    # A request of few rows is no work for two threads, and each worker has a core.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with listen(where.host, where.port) as listening, tempfile.TemporaryDirectory() as folder:
        settings = Settings(run, folder, tracking_uri, token_env, most_bytes, timeout, WAITING)
        settings.token()
        model, bundle = find_model(run, tracking_uri, Path(folder), say)
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        say(f"serving {bundle.recipe.name or bundle.recipe.task} at http://{shown}:{port}\nCtrl-C ends it")
        del bundle
        settings = replace(settings, model=model)
        if where.workers > 1:
            answer_in_workers(settings, listening, where.workers)
        else:
            answer_here(settings, listening)
