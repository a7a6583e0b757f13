"""Damaged, odd and hostile tables: `write_table(folder, number)` writes the file that its number stands for."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 60
JSON_LINES = 100_000
CELLS = [
    *(
        "",
        " ",
        "NA",
        "null",
        "nan",
        "-",
        "?",
        "inf",
        "-inf",
        "1e200",
        "1e308",
        "1e400",
        "9" * 400,
        "1,5",
        "1.234,5",
        "1 234",
        "5%",
    ),
    *(
        "0x1F",
        "true",
        "1+2j",
        "€ 5",
        '"',
        "'",
        "=1+1",
        "\x00",
        "\x1b[31m",
        "<b>",
        "\u202e",
        "١٢",
        "1_000",
        "--1",
        "1e",
        "P1D",
        "\u066b",
    ),
]
TIMES = [
    *(
        "",
        "2024-13-45",
        "0000-00-00",
        "9999-12-31",
        "1677-09-21",
        "01/02/2024",
        "13/02/2024",
        "2024-W05-1",
        "24:00",
        "now",
        "1e18",
    ),
    *(
        "2024-01-01T00:00:00Z",
        "2024-01-01 00:00:00+14:00",
        "2024-01-01T00:00:60",
        "1704067200",
        "-1",
        "tomorrow",
        "2024-02-30",
    ),
    *(
        "31.12.2024 23:59",
        "2024-03-31 02:30:00 Europe/Berlin",
        "Jan 5, 2024",
        "20240101",
        "2024-01-01 00:00:00.123456789123",
    ),
]


JSON_CELLS: list[object] = [
    *(
        None,
        True,
        False,
        0,
        -0.0,
        7,
        2**53 + 1,
        2**63,
        10**30,
        -(10**4000),
        1e308,
        float("nan"),
        float("inf"),
        -float("inf"),
    ),
    *([], {}, [1, 2], {"a": {"b": [1]}}, "\ud800", "\u2028", "\x00", "x" * 10_000, 1704067200, 1704067200000, 45292.5),
]


def write_table(folder: Path, number: int) -> Path:
    """Writes a table of `time`, `shop`, `load` and `temp`, hourly, damaged; equal numbers give equal files.

    Those from `JSON_LINES` on are files of JSON Lines.
    """
    rng = random.Random(number)
    return (rng.choice(_WAYS) if number < JSON_LINES else _json_lines)(folder, rng)


def _frame(rng: random.Random) -> pd.DataFrame:
    time = pd.date_range("2024-01-01", periods=ROWS, freq="h")
    noise = np.random.default_rng(rng.randrange(2**32))
    return pd.DataFrame(
        {"time": time, "shop": "a", "load": noise.normal(10, 1, ROWS), "temp": noise.normal(0, 1, ROWS)}
    )


def _text(rng: random.Random) -> str:
    frame = _frame(rng).astype(str)
    for _ in range(rng.choice([0, 1, 1, 3, 30])):
        column = rng.choice(list(frame))
        frame.loc[rng.randrange(ROWS), column] = rng.choice(TIMES if column == "time" else CELLS)
    what = rng.choice(
        [
            *["nothing"] * 12,
            "rows shuffled",
            "row twice",
            "column twice",
            "no header",
            "empty",
            "header only",
            "one row",
        ]
    )
    if what == "rows shuffled":
        frame = frame.sample(frac=1, random_state=rng.randrange(1000))
    elif what == "row twice":
        frame = pd.concat([frame, frame.tail(rng.choice([1, 5]))])
    elif what == "column twice":
        frame = pd.concat([frame, frame[["load"]]], axis=1)
    elif what in ("header only", "one row"):
        frame = frame.head(1 if what == "one row" else 0)
    text = frame.to_csv(index=False, sep=rng.choice([*"," * 12, ";", "\t", "|", " "]), header=what != "no header")
    return "" if what == "empty" else text


def _csv(folder: Path, rng: random.Random) -> Path:
    lines = _text(rng).split("\n")
    for _ in range(rng.choice([0, 0, 0, 0, 1, 3])):
        place = rng.randrange(len(lines))
        lines[place] = rng.choice(
            [lines[place] + ",,,", lines[place][: len(lines[place]) // 2], '"', "x" * 10_000, "", "# note"]
        )
    text = rng.choice([*[""] * 8, "Report of 2024\n\n", "sep=;\n", "\ufeff"]) + rng.choice(
        [*["\n"] * 6, "\r\n", "\r"]
    ).join(lines)
    content = bytearray(
        text.encode(rng.choice([*["utf-8"] * 12, "utf-16", "latin-1", "cp1252", "utf-32"]), errors="replace")
    )
    for _ in range(rng.choice([*[0] * 8, 5, 500]) if content else 0):
        content[rng.randrange(len(content))] = rng.randrange(256)
    path = folder / rng.choice([*["t.csv"] * 12, "t.txt", "t.tsv", "t", "t.CSV", "t.json", "t.xlsx"])
    path.write_bytes(content)
    return path


def _json_lines(folder: Path, rng: random.Random) -> Path:
    rows = [dict(row) for row in _frame(rng).assign(time=lambda frame: frame["time"].astype("str")).to_dict("records")]
    for _ in range(rng.choice([0, 1, 1, 3, 30])):
        row = rng.choice(rows)
        column = rng.choice(["time", "shop", "load", "temp"])
        row[column] = rng.choice([*(TIMES if column == "time" else CELLS), *JSON_CELLS])
    for _ in range(rng.choice([0, 0, 1, 40])):
        rng.choice(rows).pop(rng.choice(["time", "shop", "load", "temp"]), None)
    lines = [json.dumps(row, ensure_ascii=rng.random() < 0.5) for row in rows]
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        place = rng.randrange(len(lines))
        broken = [
            lines[place][: len(lines[place]) // 2],
            "",
            " ",
            "null",
            "[]",
            "{}",
            "7",
            "[" * 50_000,
            '{"a":' * 5_000,
            "{'a': 1}",
        ]
        lines[place] = rng.choice([*broken, lines[place] * 2, '{"load": 1, "load": 2}', '{"load": 1e999}', "\u2028"])
    text = rng.choice([*[""] * 8, "\ufeff", "[\n"]) + rng.choice([*["\n"] * 6, "\r\n", "\r"]).join(lines)
    content = bytearray(text.encode(rng.choice([*["utf-8"] * 24, "utf-16", "latin-1"]), errors="replace"))
    for _ in range(rng.choice([*[0] * 16, 1, 5, 500]) if content else 0):
        content[rng.randrange(len(content))] = rng.randrange(256)
    packed = rng.random() < 0.1
    path = folder / ("t.jsonl.gz" if packed else rng.choice(["t.jsonl", "t.ndjson"]))
    path.write_bytes(gzip.compress(content)[: rng.choice([None, None, 40])] if packed else content)
    return path


def _packed(folder: Path, rng: random.Random) -> Path:
    content = _text(rng).encode()
    ending = rng.choice(["gz", "bz2", "xz", "zip", "tar", "zst", "tar.gz"])
    packers: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    if ending in packers and rng.random() < 0.6:
        content = packers[ending](content)
    elif ending == "zip" and rng.random() < 0.6:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in ["t.csv", "u.csv"][: rng.choice([0, 1, 2])]:
                archive.writestr(name, content)
        content = buffer.getvalue()
    elif ending.startswith("tar") and rng.random() < 0.6:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("t.csv"))
        content = buffer.getvalue()
    if rng.random() < 0.4:
        content = content[: rng.randrange(len(content) + 1)]
    path = folder / f"t.csv.{ending}"
    path.write_bytes(content)
    return path


def odd_columns(rng: random.Random, numbers: np.ndarray, unit: str) -> list[pa.Array]:
    """Columns of types that a table of numbers seldom has; `unit` is that of times and durations."""
    whole = list(range(len(numbers)))
    return [
        pa.array([timedelta(seconds=each) for each in whole], pa.duration(unit)),
        pa.array([None, *(timedelta(seconds=each) for each in whole[1:])], pa.duration(unit)),
        pa.array([b"\x01\x02" for _ in whole]),
        pa.array([Decimal(each) for each in whole], pa.decimal128(10, 2)),
        pa.array([[1.0] for _ in whole]),
        pa.array([{"a": 1} for _ in whole]),
        pa.array([str(each) for each in whole]).dictionary_encode(),
        pa.array([each % 2 == 0 for each in whole]),
        pa.array([None, *whole[1:]], pa.int64()),
        pa.array([2**63 + each for each in whole], pa.uint64()),
        pa.array(np.clip(numbers, -6e4, 6e4).astype("float16")),
        pa.array([None] * len(numbers), pa.null()),
        pa.array([float("inf"), *map(float, whole[1:])]),
        pa.array(whole, pa.date32()),
        pa.array(whole, pa.time32("s")),
        pa.array(whole, pa.timestamp(unit, tz=rng.choice([None, "UTC", "Europe/Berlin", "America/Sao_Paulo"]))),
        pa.array([10**12 * each for each in whole], pa.timestamp("s")),
    ]


def _parquet(folder: Path, rng: random.Random) -> Path:
    frame = _frame(rng)
    unit = rng.choice(["s", "ms", "us", "ns"])
    column = rng.choice(["load", "time", "shop"])
    odd = odd_columns(rng, frame["load"].to_numpy(), unit)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if rng.random() < 0.2:
        frame = frame.assign(time=pd.period_range("2024-01-01", periods=ROWS, freq="h"))
        table = pa.Table.from_pandas(frame, preserve_index=False)
    elif rng.random() < 0.8:
        table = table.set_column(table.schema.get_field_index(column), column, rng.choice(odd))
    path = folder / "t.parquet"
    pq.write_table(table, path)
    content = bytearray(path.read_bytes())
    if rng.random() < 0.3:
        del content[rng.randrange(len(content)) :]
    for _ in range(rng.choice([0, 0, 0, 0, 3, 50]) if content else 0):
        content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(content)
    return path


_WAYS = [_csv, _csv, _packed, _parquet, _parquet]
