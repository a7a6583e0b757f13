"""The body of a request, up to a stated size."""

from __future__ import annotations

from fastapi import Request

from seq2seq_kit.serving.refusing import RefusedError

_DROPPED = (
    8  # times the size that is read and dropped, so that a client that does not listen while it sends gets the answer
)


async def read_body(request: Request, most: int) -> bytes:
    """The bytes of a body.

    Raises:
        RefusedError: They are more than `most`.
    """
    told = request.headers.get("content-length", "")
    size = int(told) if told.isdigit() else 0
    if size > most and (size > _DROPPED * most or request.headers.get("expect")):
        raise _too_large(most)
    pieces, read = list[bytes](), 0
    async for piece in request.stream():
        read += len(piece)
        if read <= most:
            pieces.append(piece)
        else:
            pieces.clear()
        if read > _DROPPED * most:
            break
    if read > most:
        raise _too_large(most)
    return b"".join(pieces)


def _too_large(most: int) -> RefusedError:
    said = f"a body may have {most:,} bytes. Send fewer rows at a time, or have the server take more: --max-body"
    return RefusedError(said, code="body_too_large", status=413)
