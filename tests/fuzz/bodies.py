"""Damaged, odd and hostile bodies of requests: JSON, Arrow and Parquet, each with what was done and the type it goes by."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.conftest import hourly_frame
from tests.fuzz.bundles import VALUES, change_json
from tests.fuzz.tables import CELLS, TIMES, odd_columns

JSON, ARROW, PARQUET = "application/json", "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
NAMES = [
    *("", " ", "time", "step", "series", "__proto__", "__class__", "<script>alert(1)</script>", "load\x00"),
    *("x" * 5_000, "../../etc/passwd", "$load_$", "\u202eload", "load\r\nX-Evil: 1", "load; DROP TABLE"),
    *("\x1b[31m", "\U0001f4a9", "\uff4c\uff4f\uff41\uff44"),
]


class Body(NamedTuple):
    """What is sent, what was done to it, and its `Content-Type`."""

    said: str
    content: bytes
    kind: str


def rows_of(rng: random.Random) -> pd.DataFrame:
    """Rows that a model reads."""
    frame = hourly_frame(rng.choice([1, 30, 60, 60, 60, 400]), seed=rng.randrange(100))
    if rng.random() < 0.3:
        frame.loc[frame.index[len(frame) // 2 :], "load"] = rng.choice([0.0, 1e6, 400.0])
    return frame


def records_of(rng: random.Random) -> list[dict[str, Any]]:
    """The same as a client writes them."""
    frame = rows_of(rng).assign(time=lambda rows: rows["time"].dt.strftime("%Y-%m-%dT%H:%M:%S"))
    found: list[dict[str, Any]] = json.loads(frame.to_json(orient="records"))
    return found


def sound_json(rng: random.Random) -> bytes:
    """A body that is answered."""
    return json.dumps(records_of(rng)).encode()


def changed(rng: random.Random) -> Body:
    """JSON with a value elsewhere, gone, twice or nested."""
    rows = records_of(rng)
    words: Any = rows if rng.random() < 0.6 else {name: [row.get(name) for row in rows] for name in rows[0]}
    done = "as it is"
    for _ in range(rng.choice([0, 1, 1, 1, 3])):
        done = change_json(words, rng)
    return Body(f"JSON, {done}", json.dumps(words).encode(), JSON)


def odd_cells(rng: random.Random) -> Body:
    """JSON with odd cells and names."""
    rows = records_of(rng)
    for _ in range(rng.choice([1, 1, 3, 30])):
        name = rng.choice(["time", "load", "heat"])
        rng.choice(rows)[name] = rng.choice([*(TIMES if name == "time" else CELLS), *VALUES])
    if rng.random() < 0.3:
        old, new = rng.choice(["time", "load", "heat"]), rng.choice(NAMES)
        rows = [{new if name == old else name: cell for name, cell in row.items()} for row in rows]
    elif rng.random() < 0.3:
        rows = [row | dict.fromkeys(rng.sample(NAMES, 3), rng.choice(VALUES)) for row in rows]
    return Body("JSON, odd cells", json.dumps(rows).encode(), JSON)


def odd_text(rng: random.Random) -> Body:
    """What is no JSON, or hardly."""
    sound = sound_json(rng).decode()
    many = json.dumps({f"c{number}": [1] for number in range(20_000)})
    wide = json.dumps([{f"c{number}": number} for number in range(3_000)])
    texts = [
        *("", "null", "0", '"', "[]", "{}", "[[]]", "[{}]", "{" * 1_000, "[" * 100_000, '{"a":' * 5_000, "1e999999"),
        *("\ufeff" + sound, sound[: len(sound) // 2], sound + sound, sound + "\x00", "-Infinity", many, wide),
        *(sound.replace('"load"', '"load":1,"load"'), "[[1, 2], [3, 4]]", json.dumps(["12+30"] * 1_000)),
        *('[{"load":' + "9" * 100_000 + "}]", '[{"load":1e' + "9" * 50 + "}]", '["' + "x" * 100_000 + '"]'),
        *("[" + "1," * 50_000 + "1]", '{"time":["\\ud800"],"load":[1],"heat":[1]}'),
    ]
    contents = [each.encode() for each in texts]
    contents += [sound.encode("utf-16"), sound.encode("utf-32"), b"\xff\xfe", gzip.compress(sound.encode())]
    body = bytearray(rng.choice(contents))
    for _ in range(rng.choice([0, 0, 1, 20]) if body else 0):
        body[rng.randrange(len(body))] = rng.randrange(256)
    return Body("JSON, odd text", bytes(body), JSON)


def tabular(rng: random.Random) -> Body:
    """Arrow or Parquet: an odd column or name, another way of writing, damage."""
    table = _odd_table(rng)
    small = len(table) < 1_000
    sink, kind = io.BytesIO(), rng.choice([ARROW, PARQUET])
    if kind == ARROW:
        options = pa.ipc.IpcWriteOptions(compression=rng.choice([None, None, None, "zstd", "lz4"]))
        with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
            for _ in range(rng.choice([1, 1, 1, 50])):
                writer.write_table(table, max_chunksize=rng.choice([1, 7, 10_000_000]) if small else None)
    else:
        codec = rng.choice(["snappy", "none", "none", "zstd", "gzip", "brotli"])
        rows, own = rng.choice([1, 10_000_000]) if small else None, rng.random() < 0.7
        pq.write_table(table, sink, compression=codec, row_group_size=rows, store_schema=own)
    body = bytearray(sink.getvalue())
    what = rng.choice(["whole", "whole", "cut", "flipped", "flipped", "repeated"])
    if what == "cut":
        del body[rng.randrange(len(body)) :]
    elif what == "repeated":
        body += bytes(body)
    elif what == "flipped":
        for _ in range(rng.choice([1, 5, 50])):
            body[rng.randrange(len(body))] = rng.randrange(256)
    return Body(f"{kind}, {what}", bytes(body), kind)


def _odd_table(rng: random.Random) -> pa.Table:
    frame, odd = rows_of(rng), rng.random()
    table = pa.Table.from_pandas(frame, preserve_index=rng.random() < 0.2)
    if odd < 0.3:
        name, unit = rng.choice(["time", "load", "heat"]), rng.choice(["s", "ms", "us", "ns"])
        column = rng.choice(odd_columns(rng, frame["load"].to_numpy(), unit))
        return table.set_column(table.schema.get_field_index(name), name, column)
    if odd < 0.5:
        return table.rename_columns([rng.choice([name, *NAMES]) for name in table.column_names])
    if odd < 0.6:
        numbers = pa.array(np.zeros(len(frame), np.int8))
        return table.append_column("long", pa.DictionaryArray.from_arrays(numbers, pa.array(["x" * 100_000])))
    if odd < 0.7:
        return pa.table({"load": pa.nulls(rng.choice([10, 1_000_000, 11_000_000]))})
    return table


def stream(rng: random.Random) -> Body:
    """A piece of a stream, with a state of somebody's."""
    words: dict[str, Any] = {"rows": records_of(rng), "finish": rng.choice([True, False, None, 1, "yes"])}
    state = base64.b64encode(rng.randbytes(rng.choice([0, 10, 100, 5_000]))).decode()
    words |= {"state": rng.choice([None, state, "é", "=" * 50, *VALUES])} if rng.random() < 0.7 else {}
    done = change_json(words, rng) if rng.random() < 0.6 else "as it is"
    return Body(f"stream, {done}", json.dumps(words).encode(), JSON)


def lying(rng: random.Random) -> Body:
    """A type that the body is not of."""
    frame, sink = rows_of(rng), io.BytesIO()
    frame.to_parquet(sink, index=False)
    bomb = gzip.compress(bytes(10**7))
    kinds = [*(JSON, ARROW, PARQUET) * 2, "", "text/csv", "application/json; charset=utf-16", "APPLICATION/JSON"]
    content = rng.choice([sound_json(rng), sink.getvalue(), frame.to_csv().encode(), bomb])
    kind = rng.choice([*kinds, "multipart/form-data", "a" * 5_000])
    return Body(f"goes by the type {kind[:40]!r}", content, kind)


WAYS: list[Callable[[random.Random], Body]] = [changed, changed, odd_cells, odd_cells, odd_text, *[tabular] * 3, lying]
