"""What a stream of events keeps between two requests, as an opaque text that only this model's server reads again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Mapping

import pandas as pd

from seq2seq_kit.anomalies.stream import EventStream
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.serving.json_bodies import UNFOLDS, Cell, columns_of, records, rows_of
from seq2seq_kit.serving.refusing import RefusedError

_PARTS = {"rows", "state", "finish"}
_DIGEST = hashlib.sha256().digest_size


class Streams:
    """Streams of a model: nothing of them is kept here.

    Args:
        bundle: With a detector.
        most: Bytes of a body.

    Raises:
        ArgumentError: The recipe has what no stream can do.
    """

    def __init__(self, bundle: WindowBundle, most: int) -> None:
        self._bundle, self._most = bundle, most
        bundle.event_stream()
        # A state that was changed on its way is refused. The key is no secret, as the model is none, so what a state holds is
        # bounded and checked all the same. Every worker has the same key.
        own = json.dumps(bundle.state()[0], sort_keys=True, default=str).encode()
        self._key = hashlib.sha256(b"seq2seq_kit stream" + own).digest()

    def answer(self, found: object) -> dict[str, list[dict[str, Cell]] | list[str] | str]:
        """What a body's rows make known: `{"rows": ..., "state": what the answer before gave, "finish": true at the end}`.

        Raises:
            KitError: The body has another form, the state is not this model's, or the rows do not fit.
        """
        if not isinstance(found, Mapping) or not set(found) <= _PARTS or not {"rows", "finish"} & set(found):
            said = 'expected {"rows": [...], "state": what the answer before gave, "finish": true at the end}'
            raise RefusedError(f"the body is no piece of a stream: {said}", code="invalid_body")
        state, finish = found.get("state"), found.get("finish", False)
        if type(finish) is not bool:
            raise RefusedError("finish must be true or false", code="invalid_body")
        stream = self._opened(state)
        told: dict[str, list[dict[str, Cell]] | list[str] | str] = {
            "scores": [],
            "opened": [],
            "closed": [],
            "notes": [],
        }
        rows, _ = rows_of(found.get("rows", []), self._most)
        if isinstance(rows, list):
            raise RefusedError("a stream reads rows with columns. Received: a list of texts", code="invalid_body")
        for update in [stream.feed(pd.DataFrame(rows)), *([stream.finish()] if finish else [])]:
            told |= {
                "scores": [*told["scores"], *records(columns_of(update.scores))],
                "opened": [*told["opened"], *records(columns_of(update.opened))],
                "closed": [*told["closed"], *records(columns_of(update.closed))],
                "notes": [*told["notes"], *update.notes],
            }
        return told | {"state": self._blob(stream)}

    def _opened(self, state: object) -> EventStream:
        if state is None:
            return self._bundle.event_stream()
        try:
            content = base64.b64decode(str(state).encode("ascii"), validate=True)
            signed, packed = content[:_DIGEST], content[_DIGEST:]
            if not hmac.compare_digest(signed, self._signed(packed)):
                raise ValueError("it was changed, or is of another model")
            unpacked = zlib.decompressobj()
            text = unpacked.decompress(packed, UNFOLDS * self._most)
            if unpacked.unconsumed_tail:
                raise ValueError(f"it has more than {UNFOLDS * self._most:,} bytes")
            kept = json.loads(text)
        except RecursionError:
            raise ArgumentError("state is nested too deeply", code="invalid_stream_state") from None
        except (ValueError, zlib.error) as error:
            said = f"state must be what the answer before gave, as it was: {error}. Leave it out to begin a new stream"
            raise ArgumentError(said, code="invalid_stream_state") from None
        return self._bundle.event_stream(state=kept)

    def _blob(self, stream: EventStream) -> str:
        packed = zlib.compress(json.dumps(stream.to_json()).encode(), 1)
        return base64.b64encode(self._signed(packed) + packed).decode()

    def _signed(self, packed: bytes) -> bytes:
        return hmac.digest(self._key, packed, "sha256")
