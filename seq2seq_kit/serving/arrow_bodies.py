"""Bodies as an Arrow stream or a Parquet file, which unfold to a bounded size; and answers of the same form."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from seq2seq_kit.serving.json_bodies import CELL_BYTES, invalid, refuse_size
from seq2seq_kit.serving.refusing import RefusedError

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_ROWS = 10_000_000  # of a body; columns of nothing but nulls take no bytes in it
_CODECS = ("SNAPPY", "UNCOMPRESSED")  # others unfold a thousand times and more


def read_arrow(body: bytes, most: int) -> pd.DataFrame:
    """Rows of an Arrow IPC stream; `most`: bytes of a body.

    Raises:
        RefusedError: It is none, is compressed, has columns that are no cells, or unfolds too far.
    """
    _require_arrow()
    import pyarrow as pa

    try:
        source = pa.BufferReader(pa.py_buffer(body))
        batches, rows = [], 0
        _refuse_packed(body)
        with pa.ipc.open_stream(source) as reader:
            _refuse_types(reader.schema)
            for batch in reader:
                rows += batch.num_rows
                _refuse_rows(rows)
                refuse_size(
                    rows * len(reader.schema) * CELL_BYTES, most
                )  # nothing but nulls takes no bytes in the body
                batches.append(batch)
            table = pa.Table.from_batches(batches, reader.schema)
        return _frame(table, most)
    except (pa.ArrowException, OSError, ValueError, TypeError, IndexError, OverflowError) as error:
        raise invalid(f"the body is no Arrow stream: {str(error)[:200]}") from None


def read_parquet(body: bytes, most: int) -> pd.DataFrame:
    """Rows of a Parquet file; `most`: bytes of a body.

    Raises:
        RefusedError: It is none, is packed by more than Snappy, has columns that are no cells, or unfolds too far.
    """
    _require_arrow()
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(pa.py_buffer(body)) as file:
            about = file.metadata
            _refuse_rows(about.num_rows)
            refuse_size(
                about.num_rows * about.num_columns * CELL_BYTES, most
            )  # a value that all rows share stands once
            groups = [about.row_group(number) for number in range(about.num_row_groups)]
            refuse_size(sum(group.total_byte_size for group in groups), most)
            used = {group.column(place).compression for group in groups for place in range(group.num_columns)}
            if not used <= set(_CODECS):
                raise invalid(
                    f"a Parquet body must be written without compression or with Snappy. Received: {', '.join(sorted(used))}"
                )
            _refuse_types(file.schema_arrow)
            texts = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
        # Texts as numbers of a list, so that one long text that many rows share is seen before it is written out.
        with pq.ParquetFile(pa.py_buffer(body), read_dictionary=texts) as file:
            table = file.read(use_threads=False)
        return _frame(table, most)
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
        raise invalid(f"the body is no Parquet file: {str(error)[:200]}") from None


def write_arrow(frame: pd.DataFrame, notes: list[str]) -> bytes:
    """An Arrow IPC stream; the notes stand in its schema's metadata, as a list in JSON."""
    _require_arrow()
    import pyarrow as pa

    table, sink = _table(frame, notes), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def write_parquet(frame: pd.DataFrame, notes: list[str]) -> bytes:
    """A Parquet file; notes as in `write_arrow`."""
    _require_arrow()
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(_table(frame, notes), sink)
    return sink.getvalue()


def _require_arrow() -> None:
    try:
        import pyarrow.ipc  # noqa: F401
    except ImportError:
        said = "Arrow and Parquet bodies need the package pyarrow on the server. Send JSON, or have it installed there"
        raise RefusedError(said, code="missing_package", status=415) from None


def _table(frame: pd.DataFrame, notes: list[str]) -> pa.Table:
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    return table.replace_schema_metadata({"notes": json.dumps(notes)})


def _frame(table: pa.Table, most: int) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.compute as pc

    table.validate(full=True)  # offsets and numbers of a list may point anywhere
    # What pandas wrote about its types and index is not needed, and is a stranger's.
    table, size = table.replace_schema_metadata(None), table.nbytes
    for place, field in enumerate(table.schema):
        if not pa.types.is_dictionary(field.type):
            continue
        column = table.column(place)
        size += sum(
            pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0 for chunk in column.chunks
        )
        refuse_size(size, most)
        table = table.set_column(place, field.name, column.cast(pa.large_string()))
    refuse_size(size, most)
    frame: pd.DataFrame = table.to_pandas(date_as_object=False, use_threads=False)
    return frame


def _refuse_types(schema: Iterable[pa.Field]) -> None:
    from pyarrow import types

    texts = [types.is_string, types.is_large_string]
    plain = [types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_date, types.is_null]
    for field in schema:
        kind, fits = field.type, [*texts, *plain, types.is_timestamp]
        if types.is_dictionary(kind):
            kind, fits = kind.value_type, texts
        if not any(is_kind(kind) for is_kind in fits):
            raise invalid(
                f"column {field.name!r}: cells must be numbers, texts, times, or true and false. Received: {field.type}"
            )


def _refuse_rows(rows: int) -> None:
    if not 0 <= rows <= _MOST_ROWS:
        raise invalid(f"a body may hold {_MOST_ROWS:,} rows. Received: {rows:,}. Send them in pieces")


def _refuse_packed(body: bytes) -> None:
    """Refuses a stream with compressed batches: a few bytes may unfold into any size."""
    import pyarrow as pa

    reader = pa.ipc.MessageReader.open_stream(pa.py_buffer(body))
    for message in reader:
        if message.type in ("record batch", "dictionary") and _is_packed(message.metadata.to_pybytes(), message.type):
            raise invalid("an Arrow stream must be written without compression")


def _is_packed(metadata: bytes, kind: str) -> bool:
    """Whether a message says that its buffers are compressed, by Arrow's schema of messages (Message.fbs)."""
    message = _follow(metadata, 0)
    header = _field(metadata, message, 2)
    batch = None if header is None else _follow(metadata, header)
    if batch is not None and kind == "dictionary":  # its rows are a batch of their own: id, data
        data = _field(metadata, batch, 1)
        batch = None if data is None else _follow(metadata, data)
    return batch is None or _field(metadata, batch, 3) is not None  # length, nodes, buffers, compression


def _follow(buffer: bytes, place: int) -> int:
    return place + _number(buffer, place, 4)


def _field(buffer: bytes, table: int, number: int) -> int | None:
    """Where a field of a table lies; None where the table has it not."""
    offsets = table - _number(buffer, table, 4, signed=True)
    if 4 + 2 * number >= _number(buffer, offsets, 2):
        return None
    offset = _number(buffer, offsets + 4 + 2 * number, 2)
    return table + offset if offset else None


def _number(buffer: bytes, place: int, size: int, *, signed: bool = False) -> int:
    if not 0 <= place <= len(buffer) - size:
        raise ValueError("a message's metadata is damaged")
    return int.from_bytes(buffer[place : place + size], "little", signed=signed)
