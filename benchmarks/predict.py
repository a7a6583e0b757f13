"""Predictions: a single window beside `model.predict`, a million windows in flat memory, ten thousand calls without growth.

    python benchmarks/predict.py                # everything, about five minutes on 2 cores
    python benchmarks/predict.py --calls 200    # fewer single windows

The models are as they begin, which costs what a trained one costs: LSTM(64) -> RepeatVector(10) -> LSTM(64), 100 steps in.
`bundle.predict` gets a DataFrame of 100 rows: checks, scaling, calendar, model, original units, a DataFrame back.
`bundle.forward` and `model.predict` get arrays that are scaled already. They take turns of fifty calls.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pandas as pd
import psutil

WARM = 50
BLOCK = 50  # calls of a kind in a row
CHUNKS = (100_000, 1_000_000)


def main() -> None:
    """Prints the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000, help="timed single windows of each kind")
    parser.add_argument("--many", type=int, default=10_000, help="calls whose memory is watched")
    parser.add_argument("--windows", type=int, nargs="+", default=CHUNKS, help="windows that are scored at once")
    parser.add_argument("--score", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.score:
        print(json.dumps(score(options.score)))
        return
    report_single(options.calls)
    report_many(options.many)
    print("\n| windows scored | seconds | windows/s | result, MB | peak above the model, the rows and the result, MB |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for count in options.windows:
        told = subprocess.run(
            [sys.executable, __file__, "--score", str(count)], capture_output=True, text=True, check=True
        )
        found = json.loads(told.stdout.splitlines()[-1])
        rate = count / found["seconds"]
        print(f"| {count:,} | {found['seconds']:.0f} | {rate:,.0f} | {found['result']:.0f} | {found['extra']:.0f} |")


def report_single(calls: int) -> None:
    """Milliseconds of one window, the kinds alternating."""
    print("| one window | with calendar, ms: median (90 % below) | without | \n| --- | ---: | ---: |")
    cells: dict[str, list[str]] = {}
    for calendar in (["hour", "weekend"], []):
        bundle, frame = forecaster(calendar), rows(100)
        arrays = [np.ones((1, *tensor.shape[1:]), np.float32) for tensor in bundle.model.inputs]
        kinds = {
            "`bundle.predict(frame)`": lambda bundle=bundle, frame=frame: bundle.predict(frame),
            "`bundle.forward(arrays)`": lambda bundle=bundle, arrays=arrays: bundle.forward(arrays),
            "`model.predict(arrays)`": lambda bundle=bundle, arrays=arrays: bundle.model.predict(
                arrays if len(arrays) > 1 else arrays[0], verbose=0
            ),
        }
        for name, times in timed(kinds, calls).items():
            tenth = statistics.quantiles(times, n=10)[-1]
            cells.setdefault(name, []).append(f"{statistics.median(times):.2f} ({tenth:.2f})")
    for name, found in cells.items():
        print(f"| {name} | {' | '.join(found)} |")


def report_many(calls: int) -> None:
    """Resident memory before and after many calls."""
    bundle, frame = forecaster(["hour", "weekend"]), rows(100)
    for _ in range(WARM):
        bundle.predict(frame)
    own = psutil.Process()
    before = own.memory_info().rss
    for _ in range(calls):
        bundle.predict(frame)
    after = own.memory_info().rss
    print(f"\n{calls:,} calls of `bundle.predict`: {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB after")


def score(windows: int) -> dict[str, float]:
    """Scores windows of every row; memory above what the process held before, less the result."""
    from seq2seq_kit.tasks import open_job
    from seq2seq_kit.tasks.registry import parse_recipe

    recipe = {
        "task": "autoencode",
        "data": {"inputs": ["load"], "input_steps": 100},
        "model": {"encoder_units": [64], "decoder_units": [64]},
    }
    job = open_job(parse_recipe(recipe), rows(2_000))
    bundle: Any = job.bundle(job.build(), {})
    frame = rows(windows + 99)
    bundle.score(frame.head(5_000))
    own = psutil.Process()
    before, began = own.memory_info().rss, time.perf_counter()
    result = bundle.score(frame)
    seconds = time.perf_counter() - began
    assert len(result) == windows
    size = int(result.memory_usage(deep=True).sum())
    return {"seconds": seconds, "result": size / 1e6, "extra": (peak() - before - size) / 1e6}


def peak() -> int:
    """Largest resident set so far, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def forecaster(calendar: list[str]) -> Any:
    """A bundle of the model as it begins."""
    from seq2seq_kit.tasks import open_job
    from seq2seq_kit.tasks.registry import parse_recipe

    recipe = {
        "task": "forecast",
        "data": {
            "time": "time",
            "every": "1h",
            "inputs": ["load"],
            "targets": ["load"],
            "calendar": calendar,
            "input_steps": 100,
            "output_steps": 10,
        },
        "model": {"encoder_units": [64], "decoder_units": [64]},
    }
    job = open_job(parse_recipe(recipe), rows(2_000))
    return job.bundle(job.build(), {})


def rows(count: int) -> pd.DataFrame:
    """Hours with a daily wave."""
    times = pd.date_range("2000-01-01", periods=count, freq="h")
    wave = 100 + 30 * np.sin(2 * np.pi * np.asarray(times.hour) / 24) + np.random.default_rng(0).normal(size=count)
    return pd.DataFrame({"time": times, "load": wave})


def timed(kinds: dict[str, Callable[[], object]], calls: int) -> dict[str, list[float]]:
    """Milliseconds of each call, the kinds taking turns."""
    took: dict[str, list[float]] = {name: [] for name in kinds}
    for call in kinds.values():
        for _ in range(WARM):
            call()
    while min(map(len, took.values())) < calls:
        for name, call in kinds.items():
            for _ in range(min(BLOCK, calls)):
                began = time.perf_counter()
                call()
                took[name].append((time.perf_counter() - began) * 1e3)
    return took


if __name__ == "__main__":
    main()
