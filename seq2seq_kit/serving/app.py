"""The application: a path for each verb of a model, its health, its counters and its description."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from seq2seq_kit import __version__
from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.errors import ArgumentError, KitError
from seq2seq_kit.serving.answering import Answers
from seq2seq_kit.serving.counts import CONTENT_TYPE, Counts
from seq2seq_kit.serving.gate import Endpoint, Gate, response_of
from seq2seq_kit.serving.json_bodies import dumped
from seq2seq_kit.serving.line import Line
from seq2seq_kit.serving.reading import Bodies
from seq2seq_kit.serving.refusing import RefusedError
from seq2seq_kit.serving.settings import Settings
from seq2seq_kit.serving.states import Streams
from seq2seq_kit.serving.verbs import Option, verbs_of

_JSON = "application/json"
_LOG = logging.getLogger("uvicorn.error")


def build_app(bundle: Bundle, settings: Settings) -> Gate:
    """The application around a model.

    Args:
        bundle: Answers.
        settings: Of the server.

    Raises:
        ArgumentError: The token is missing.
    """
    streams = _streams(bundle, settings.most_bytes)
    verbs = verbs_of(bundle)
    paths = [*verbs, *(["stream"] if streams else []), "healthz", "metrics", "openapi.json"]
    line, counts = Line(settings.waiting, settings.timeout), Counts(Path(settings.counts), paths)
    bodies = Bodies(settings.most_bytes, settings.waiting * settings.most_bytes, settings.timeout)
    answers = Answers(bundle, verbs, streams, settings.most_bytes, counts)
    gate: Gate
    title = bundle.recipe.name or bundle.recipe.task
    app = FastAPI(
        title=title, version=__version__, description=bundle.what, docs_url=None, redoc_url=None, redirect_slashes=False
    )  # their pages need a network
    asked = {f"/{verb}": _asked(partial(answers.answer, verb), line, bodies, counts) for verb in verbs}
    if streams:
        asked["/stream"] = _asked(answers.stream, line, bodies, counts)
    for path, endpoint in asked.items():
        app.add_api_route(path, endpoint, **_described(path[1:], verbs.get(path[1:], {})))

    @app.get("/healthz")
    async def healthz() -> Response:
        facts = {"status": "ending" if gate.ending else "ok", "task": bundle.recipe.task, "verbs": [*verbs]}
        return Response(dumped(facts), 503 if gate.ending else 200, media_type=_JSON)

    @app.get("/metrics")
    async def metrics() -> Response:
        counts.waiting(line.count)
        return Response(counts.text(), headers={"Content-Type": CONTENT_TYPE})

    @app.exception_handler(HTTPException)
    async def nothing_there(request: Request, error: HTTPException) -> Response:
        offered = ", ".join(f"/{path}" for path in paths)
        said = f"{request.method} {request.url.path[:100]} is not offered. This model answers {offered}"
        refusal = RefusedError(f"{said}; verbs are asked by POST", code="no_such_path", status=error.status_code)
        return response_of(refusal)

    gate = Gate(app, counts, settings.token(), asked)
    return gate


def _asked(
    work: Callable[[bytes, Mapping[str, str], list[tuple[str, str]]], Response],
    line: Line,
    bodies: Bodies,
    counts: Counts,
) -> Endpoint:
    """A path that reads a body, waits in the line and answers, with an error as JSON."""

    async def asked(request: Request) -> Response:
        try:
            line.require_place()  # before anything is read in vain
            began = asyncio.get_running_loop().time()
            body = await bodies.read(request)
            async with line.place(began) as place:
                counts.waiting(line.count)
                headers = {
                    name: request.headers.get(name, "") for name in ("content-type", "accept", "content-encoding")
                }
                return await place.compute(partial(work, body, headers, request.query_params.multi_items()))
        except KitError as error:
            return response_of(error)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception:
            _LOG.exception("a request could not be answered")
            said = "the server failed at this request; its log says where"
            return response_of(RefusedError(said, code="server_failed", status=500))
        finally:
            counts.waiting(line.count)

    return asked


def _streams(bundle: Bundle, most: int) -> Streams | None:
    """Streams of a model that can have such."""
    if not isinstance(bundle, WindowBundle) or bundle.detector is None or "detect" not in bundle.verbs:
        return None
    try:
        return Streams(bundle, most)
    except ArgumentError:
        return None


def _described(path: str, options: Mapping[str, Option]) -> dict[str, Any]:
    """What OpenAPI says of a path."""
    kinds = {"text": "string", "numbers": "string", "count": "integer", "number": "number", "yes": "boolean"}
    parameters = [
        {"name": name, "in": "query", "description": option.about, "schema": {"type": kinds[option.kind]}}
        for name, option in options.items()
    ]
    types = (
        [_JSON]
        if path == "stream"
        else [_JSON, "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"]
    )
    content = {kind: {"schema": {} if kind == _JSON else {"type": "string", "format": "binary"}} for kind in types}
    responses = {"200": {"description": "the answer", "content": content}}
    for status, about in (
        (400, "the request is wrong"),
        (408, "the body arrived too slowly"),
        (413, "the body is too large"),
        (415, "the body is of another type"),
        (503, "too many requests are waiting"),
        (504, "the answer took too long"),
    ):
        responses[str(status)] = {"description": f"{about}: {{code, message}}", "content": {_JSON: {"schema": {}}}}
    extra = {"requestBody": {"required": True, "content": content}, "parameters": parameters, "responses": responses}
    return {"methods": ["POST"], "response_model": None, "openapi_extra": extra, "name": path}
