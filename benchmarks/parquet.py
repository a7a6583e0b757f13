"""Memory and speed of trainings from one Parquet file, beside what `pandas.read_parquet` alone takes.

    python benchmarks/parquet.py                     # 10 million rows x 7 columns of float64, read into memory
    python benchmarks/parquet.py --row-groups        # float32; 10 million rows in memory and by row groups, then 100 million
    python benchmarks/parquet.py --rows 1000000 --large 2000000 --row-groups --rounds 1

The file (a column of timestamps, 7 of numbers) is generated in a temporary folder. Each measurement is a process of its own that
does all of `seq2seq-kit train`: read, check, fit two epochs, evaluate, log. The first epoch has what is done once: the step is
traced, the first row groups are awaited, their memory is taken. Peak memory is the largest resident set that the kernel saw
(VmHWM, Linux only); the table is the frame as pandas holds it. The first row is the fixed cost: the same training on 5,000 rows.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from layers import resident, spread

COLUMNS = [f"c{position}" for position in range(7)]
FIXED_ROWS = 5_000
GROUP_ROWS = 2**20  # what pyarrow writes by default
MB = 1e6


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--large", type=int, default=100_000_000, help="rows that are read by row groups only")
    parser.add_argument("--row-groups", action="store_true", help="beside memory, with columns of float32")
    parser.add_argument("--windows", type=int, default=350_000, help="of an epoch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--folder", type=Path, help="where the files are written; default: the system's temporary folder"
    )
    parser.add_argument("--one", nargs=3, metavar=("WHO", "FILE", "STRIDE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        who, path, stride = options.one
        measured = read_by_pandas(Path(path)) if who == "pandas" else train_by_kit(Path(path), int(stride), who)
        print(json.dumps(measured))
        return
    dtype = "float32" if options.row_groups else "float64"
    plan = [("memory", FIXED_ROWS), ("memory", options.rows)]
    plan += [("row_groups", options.rows), ("row_groups", options.large)] if options.row_groups else []
    plan = list(dict.fromkeys([*plan, ("pandas", FIXED_ROWS), ("pandas", options.rows)]))  # numbers may be the same
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        files = {rows: Path(folder) / f"{rows}.parquet" for rows in sorted({rows for _, rows in plan})}
        for rows, path in files.items():
            write_rows(path, rows, dtype)
        runs: dict[tuple[str, int], list[dict[str, float]]] = {one: [] for one in plan}
        for _ in range(options.rounds):
            for who, rows in plan:
                stride = max(1, round(0.7 * rows / options.windows))
                runs[who, rows].append(in_own_process(who, files[rows], stride))
        show(runs, files, 4 if options.row_groups else 8)


def show(runs: dict[tuple[str, int], list[dict[str, float]]], files: dict[int, Path], cell: int) -> None:
    """Prints medians; a reader's fixed cost is its peak on the small file."""
    print(
        "| reader | rows | file, MB | table, MB | peak, MB | peak / table | less the fixed cost | seconds "
        "| sequences/s, first epoch (range) | second epoch (range) |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for (who, rows), found in runs.items():
        table = rows * (8 + len(COLUMNS) * cell)
        peak_bytes, seconds = (statistics.median(run[key] for run in found) for key in ("peak", "seconds"))
        fixed = statistics.median(run["peak"] for run in runs["pandas" if who == "pandas" else "memory", FIXED_ROWS])
        ratios = f"{peak_bytes / table:.2f} | {(peak_bytes - fixed) / table:.2f}" if rows > FIXED_ROWS else " | "
        epochs = [spread([run[key] for run in found]) if who != "pandas" else "" for key in ("first", "second")]
        sizes = f"{files[rows].stat().st_size / MB:,.0f} | {table / MB:,.0f} | {peak_bytes / MB:,.0f}"
        print(f"| {who} | {rows:,} | {sizes} | {ratios} | {seconds:.0f} | {' | '.join(epochs)} |", flush=True)


def write_rows(path: Path, rows: int, dtype: str) -> None:
    """Daily waves and noise by the second, written one row group after the other."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    kinds = [("time", pa.timestamp("ms")), *((name, pa.from_numpy_dtype(np.dtype(dtype))) for name in COLUMNS)]
    with pq.ParquetWriter(path, pa.schema(kinds)) as writer:
        for first in range(0, rows, GROUP_ROWS):
            row = np.arange(first, min(rows, first + GROUP_ROWS))
            arrays = [pa.array(np.datetime64("2020-01-01", "ms") + row * np.timedelta64(1000, "ms"))]
            for position in range(len(COLUMNS)):
                wave = np.sin(2 * np.pi * row / (600 * (position + 1)))
                arrays.append(pa.array((wave + rng.normal(scale=0.3, size=len(row))).astype(dtype)))
            writer.write_batch(pa.record_batch(arrays, schema=pa.schema(kinds)))


def in_own_process(who: str, path: Path, stride: int) -> dict[str, float]:
    """One measurement in a fresh interpreter."""
    command = [sys.executable, __file__, "--one", who, str(path), str(stride)]
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, env=quiet, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def read_by_pandas(path: Path) -> dict[str, float]:
    """The frame and nothing else."""
    import pandas as pd

    began = time.perf_counter()
    frame = pd.read_parquet(path)
    assert len(frame)
    return {"peak": resident("VmHWM"), "seconds": time.perf_counter() - began}


def train_by_kit(path: Path, stride: int, read: str) -> dict[str, float]:
    """A forecast of one column from all, from the file to the logged run."""
    from seq2seq_kit import train

    recipe: dict[str, Any] = {
        "task": "forecast",
        "data": {
            "source": str(path),
            "read": read,
            "time": "time",
            "every": "1s",
            "inputs": COLUMNS,
            "targets": COLUMNS[:1],
            "input_steps": 100,
            "output_steps": 10,
            "window_stride": stride,
        },
        "model": {"encoder_units": [16], "decoder_units": [16]},
        "training": {"batch_size": 256, "epochs": 2},
    }
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=path.parent) as store:
        fitted = train(recipe, tracking_uri=str(Path(store) / "mlruns")).fit
    first, second = (epoch.sequences_per_second for epoch in fitted.history)
    return {"peak": resident("VmHWM"), "seconds": time.perf_counter() - began, "first": first, "second": second}


if __name__ == "__main__":
    main()
