"""Rows a second and memory of many files scored by one model: `score_files`, by verb, rows, files and processes.

    python benchmarks/score.py                                  # one file of 1 and of 10 million rows, one process
    python benchmarks/score.py --rows 100000000 --files 10 --workers 2 --verbs predict
    python benchmarks/score.py --rows 1000000 --in-turn         # 100 series that take turns
    python benchmarks/score.py --apart --workers 2              # 100 series one after the other, shared by two processes

The files (hours of two columns, in row groups of 262,144 rows; several are copies of one) are generated in a temporary
folder. The models (LSTMs of 32 units, 48 rows to 12, and an autoencoder of 24 rows) are trained for an epoch first. Each line is
a process of its own that loads the model and scores, with its children. Peak memory is the largest sum over them of what each
holds alone and its share of what they hold together (PSS, Linux only), looked at three times a second; seconds are those of
`score_files`, with loading the model and starting processes.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

GROUP = 2**18
VERBS: dict[str, tuple[str, dict[str, Any]]] = {
    "predict": ("forecast", {}),
    "predict --all-windows": ("forecast", {"all_windows": True}),
    "detect": ("forecast", {}),
    "encode --stride 24": ("autoencode", {"stride": 24}),
    "encode": ("autoencode", {}),
}


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000], help="in all files together")
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--verbs", nargs="+", choices=list(VERBS), default=["predict", "detect", "encode --stride 24"])
    parser.add_argument("--in-turn", action="store_true", help="100 series, a row of each after the other")
    parser.add_argument("--apart", action="store_true", help="100 series, one after the other")
    parser.add_argument("--folder", type=Path, help="for the files; default: the system's temporary folder")
    parser.add_argument("--one", nargs=4, metavar=("VERB", "MODEL", "FILES", "WORKERS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        verb, model, files, workers = options.one
        score(verb, model, Path(files), int(workers))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        models = train_models(Path(folder), by_series=options.in_turn or options.apart)
        print("| verb | rows | files | processes | seconds | rows/s | rows of answers | peak memory, MB |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for rows in options.rows:
            files = Path(folder) / str(rows)
            files.mkdir()
            series = 100 if options.in_turn or options.apart else 0
            write_rows(files / "0.parquet", rows // options.files, series, apart=options.apart)
            for number in range(1, options.files):
                shutil.copyfile(files / "0.parquet", files / f"{number}.parquet")
            for verb in options.verbs:
                told, peak = measured(verb, models[VERBS[verb][0]], files, options.workers)
                cells = [f"{rows:,}", str(options.files), str(options.workers), f"{told['seconds']:.0f}"]
                cells += [f"{rows / told['seconds']:,.0f}", f"{told['written']:,}", f"{peak / 1e6:,.0f}"]
                print(f"| {verb} | {' | '.join(cells)} |", flush=True)


def train_models(folder: Path, *, by_series: bool) -> dict[str, Path]:
    """A forecast with a detector and an autoencoder, in folders."""
    import pandas as pd

    from seq2seq_kit import train

    write_rows(folder / "train.parquet", 4_000, 2 if by_series else 0)
    frame = pd.read_parquet(folder / "train.parquet")
    data: dict[str, Any] = {"time": "time", "every": "1h", "inputs": ["load", "heat"]}
    data |= {"series": "site"} if by_series else {}
    training = {"epochs": 1}
    units = {"encoder_units": [32], "decoder_units": [32]}
    recipes: dict[str, dict[str, Any]] = {
        "forecast": {"data": data | {"targets": ["load"], "input_steps": 48, "output_steps": 12}, "detect": {}},
        "autoencode": {"data": data | {"input_steps": 24}},
    }
    found = {}
    for task, recipe in recipes.items():
        made = train(
            recipe | {"task": task, "model": units, "training": training}, data=frame, tracking_uri=str(folder)
        )
        found[task] = made.bundle.save(folder / task)
    return found


def write_rows(path: Path, rows: int, series: int, *, apart: bool = False) -> None:
    """Hours with a daily wave; of several series a row of each after the other, or one series `apart` from the next."""
    writer: pq.ParquetWriter | None = None
    for first in range(0, rows, GROUP):
        number = np.arange(first, min(first + GROUP, rows))
        rng, count = np.random.default_rng(first), max(series, 1)
        site, hours = np.divmod(number, -(-rows // count)) if apart else (number % count, number // count)
        wave = np.sin(2 * np.pi * (hours % 24) / 24)
        columns: dict[str, Any] = {"time": np.datetime64("1990-01-01", "us") + hours * np.timedelta64(1, "h")}
        if series:
            columns["site"] = pa.array(np.char.add("s", site.astype(str))).dictionary_encode()
        columns["load"] = 100 + 30 * wave + rng.normal(scale=3, size=len(number))
        columns["heat"] = 10 - 5 * wave + rng.normal(scale=0.5, size=len(number))
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def measured(verb: str, model: Path, files: Path, workers: int) -> tuple[dict[str, float], int]:
    """What the process says of its run, and the peak of its memory and its children's in bytes."""
    call = [sys.executable, __file__, "--one", verb, str(model), str(files), str(workers)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        peak, tree = 0, psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, held_by(tree))
            time.sleep(0.3)
        assert process.stdout is not None
        told: dict[str, float] = json.loads(process.stdout.read().splitlines()[-1])
        return told, peak


def held_by(tree: psutil.Process) -> int:
    """PSS of a process and its children."""
    held = 0
    try:
        for each in (tree, *tree.children(recursive=True)):
            held += each.memory_full_info().pss
    except psutil.Error:  # one has just ended
        pass
    return held


def score(verb: str, model: str, files: Path, workers: int) -> None:
    """Scores, in a process of its own."""
    from seq2seq_kit import score_files

    with tempfile.TemporaryDirectory(dir=files.parent) as out:
        options = VERBS[verb][1]
        result = score_files(model, verb.split()[0], files, out, workers=workers, options=options)
        result.raise_failed()
    print(json.dumps({"seconds": result.seconds, "written": sum(each.written for each in result.files)}))


if __name__ == "__main__":
    main()
