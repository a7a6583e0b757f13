"""Calls of MLflow: its errors as the kit's, few retries where a server is silent, and its notion of an active run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from seq2seq_kit.errors import TrackingError
from seq2seq_kit.tracking.mlflow_schema import refused_schema


@contextmanager
def kit_errors(uri: str) -> Iterator[None]:
    """Errors of MLflow, the database and the network become a TrackingError that names the store."""
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:  # requests, sqlalchemy and MLflow share no base
        text = str(error) or type(error).__name__
        if "database is locked" in text:
            raise TrackingError(
                f"{uri} is locked by another process; wait for its write to end, or stop it", code="store_locked"
            ) from error
        if (refused := refused_schema(text, uri)) is not None:
            raise TrackingError(refused, code="store_schema_refused") from error
        raise TrackingError(
            f"the request to MLflow at {uri} failed: {text.splitlines()[0][:300]}", code="tracking_request_failed"
        ) from error


@contextmanager
def impatient() -> Iterator[None]:
    """A server that does not answer is tried twice; by default MLflow retries for minutes and cannot be interrupted."""
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    given = name in os.environ
    os.environ.setdefault(name, "1")
    try:
        yield
    finally:
        if not given:
            os.environ.pop(name, None)


@contextmanager
def active_run(run_id: str) -> Iterator[None]:
    """MLflow's model logging writes to the process's active run; makes `run_id` that one and leaves the run open."""
    import mlflow

    while mlflow.active_run() is not None:
        mlflow.end_run()
    with mlflow.start_run(run_id=run_id):
        yield
    mlflow.MlflowClient().update_run(run_id, status="RUNNING")
