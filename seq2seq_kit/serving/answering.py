"""From the bytes of a request to those of its answer: what the computing thread does."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from starlette.responses import Response

from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.serving.arrow_bodies import read_arrow, read_parquet, write_arrow, write_parquet
from seq2seq_kit.serving.counts import Counts
from seq2seq_kit.serving.json_bodies import Columns, cells, columns_of, dumped, read_json, records, rows_of
from seq2seq_kit.serving.refusing import RefusedError
from seq2seq_kit.serving.states import Streams
from seq2seq_kit.serving.verbs import Asked, Option, read_options

JSON, ARROW, PARQUET = "application/json", "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
_READ = {ARROW: read_arrow, PARQUET: read_parquet}
_WRITTEN = {ARROW: write_arrow, PARQUET: write_parquet}


class Answers:
    """Answers of a model.

    Args:
        bundle: The model.
        verbs: That are served, with their options.
        streams: Of the model, if it can have such.
        most: Bytes of a body.
        counts: Counts rows.
    """

    def __init__(
        self,
        bundle: Bundle,
        verbs: Mapping[str, Mapping[str, Option]],
        streams: Streams | None,
        most: int,
        counts: Counts,
    ) -> None:
        self._asked, self._verbs, self._streams, self._most, self._counts = Asked(bundle), verbs, streams, most, counts
        data = bundle.recipe.data
        written, time = (
            getattr(data, "time_format", None) or getattr(data, "time_zone", None),
            getattr(data, "time", None),
        )
        self._time = time if isinstance(time, str) and not written else None
        forecasts = getattr(bundle, "forecasts", None)
        if forecasts is not None:  # `update` is not served, so nobody will ask for them
            forecasts.most = 0

    def answer(self, verb: str, body: bytes, headers: Mapping[str, str], query: list[tuple[str, str]]) -> Response:
        """The answer of a verb.

        Raises:
            KitError: The request does not fit.
        """
        kind = _kind(headers, (JSON, ARROW, PARQUET))
        wanted = _wanted(headers["accept"], kind)
        options = read_options(verb, self._verbs[verb], query)
        rows, by_column = self._read(kind, body)
        count = len(rows) if not isinstance(rows, dict) else len(next(iter(rows.values()), ()))
        self._counts.rows(verb, count)
        found, notes = self._asked(verb, rows, options)
        if wanted != JSON:
            return Response(_WRITTEN[wanted](pd.DataFrame(found), notes), media_type=wanted)
        columns = columns_of(found) if isinstance(found, pd.DataFrame) else {name: cells(found[name]) for name in found}
        told = {"columns": columns} if by_column else {"rows": records(columns)}
        return Response(dumped(told | {"notes": notes}), media_type=JSON)

    def _read(self, kind: str, body: bytes) -> tuple[pd.DataFrame | Columns | list[str], bool]:
        """The rows of a body, and whether it has them by column in JSON."""
        return (
            rows_of(read_json(body), self._most, time=self._time)
            if kind == JSON
            else (_READ[kind](body, self._most), False)
        )

    def stream(self, body: bytes, headers: Mapping[str, str], query: list[tuple[str, str]]) -> Response:
        """The answer to a piece of a stream.

        Raises:
            KitError: The request does not fit.
        """
        assert self._streams is not None
        _kind(headers, (JSON,))
        read_options("stream", {}, query)
        return Response(dumped(self._streams.answer(read_json(body))), media_type=JSON)


def _kind(headers: Mapping[str, str], known: tuple[str, ...]) -> str:
    kind = headers["content-type"].partition(";")[0].strip().lower()
    if kind not in known:
        said = f"a body must be of the type {' or '.join(known)}. Received: Content-Type {kind[:100] or '(none)'}"
        raise RefusedError(said, code="unsupported_body", status=415)
    if headers["content-encoding"].strip().lower() not in ("", "identity"):
        said = f"a body must be sent as it is. Received: Content-Encoding {headers['content-encoding'][:100]}"
        raise RefusedError(said, code="unsupported_body", status=415)
    return kind


def _wanted(accept: str, kind: str) -> str:
    """The type of the answer: that of the body, unless the client asks for another."""
    asked = [part.partition(";")[0].strip().lower() for part in accept.split(",") if part.strip()]
    if not asked or kind in asked or {"*/*", "application/*"} & set(asked):
        return kind
    for each in asked:
        if each in (JSON, ARROW, PARQUET):
            return each
    said = f"the answer may be {JSON}, {ARROW} or {PARQUET}. Received: Accept {accept[:100]}"
    raise RefusedError(said, code="unsupported_answer", status=406)
