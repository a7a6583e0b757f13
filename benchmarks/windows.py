"""Windows a second and memory, 10 million rows x 7 columns at 100 -> 10, beside `keras.utils.timeseries_dataset_from_array`.

    python benchmarks/windows.py            # the whole table, alternating, about ten minutes
    python benchmarks/windows.py --rows 1000000 --rounds 1

Each measurement is a process of its own. Memory is the largest resident set while batches are read, less what the process
held before the series was made (TensorFlow loaded and warmed up), as a multiple of the series' own bytes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

BATCH, OUTPUT_STEPS, COLUMNS = 128, 10, 7
WARM_UP, MEASURED = 50, 400


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--input-steps", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--one", choices=["kit", "keras"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.rows, options.input_steps[0])))
        return
    print("| input_steps | reader | windows/s, median (range) | memory / series, median | ratio of windows/s |")
    print("| ---: | --- | ---: | ---: | ---: |")
    for input_steps in options.input_steps:
        found: dict[str, list[dict[str, float]]] = {"kit": [], "keras": []}
        for _ in range(options.rounds):
            for who, runs in found.items():
                runs.append(in_own_process(who, options.rows, input_steps))
        speeds = {who: [run["windows_per_second"] for run in runs] for who, runs in found.items()}
        peer = statistics.median(speeds["keras"])
        for who, runs in found.items():
            speed = statistics.median(speeds[who])
            memory = statistics.median(run["memory"] for run in runs)
            spread = f"{min(speeds[who]):,.0f} to {max(speeds[who]):,.0f}"
            print(
                f"| {input_steps} | {who} | {speed:,.0f} ({spread}) | {memory:.2f} | {speed / peer:.2f} |", flush=True
            )


def in_own_process(who: str, rows: int, input_steps: int) -> dict[str, float]:
    """One measurement in a fresh interpreter."""
    command = [sys.executable, __file__, "--one", who, "--rows", str(rows), "--input-steps", str(input_steps)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def measure(who: str, rows: int, input_steps: int) -> dict[str, float]:
    """Reads shuffled batches of a generated series."""
    import numpy as np
    import psutil

    from seq2seq_kit.data.windows.batches import aligned

    reader = {"kit": kit_batches, "keras": keras_batches}[who]
    for _ in reader(np.zeros((5_000, COLUMNS), np.float32), input_steps).take(5):
        pass
    process = psutil.Process()
    before = process.memory_info().rss
    series = aligned((rows, COLUMNS))
    np.random.default_rng(0).standard_normal(out=series, dtype=np.float32)
    peak, began = 0, 0.0
    for number, _ in enumerate(reader(series, input_steps).take(WARM_UP + MEASURED), start=1):
        if number == WARM_UP:
            began = time.perf_counter()
        if number % 25 == 0:
            peak = max(peak, process.memory_info().rss)
    seconds = time.perf_counter() - began
    return {"windows_per_second": MEASURED * BATCH / seconds, "memory": (peak - before) / series.nbytes}


def kit_batches(series: Any, input_steps: int) -> Any:
    """This kit's batches."""
    import numpy as np

    from seq2seq_kit.data.windows.batches import Layout, as_tensor, make_batches
    from seq2seq_kit.data.windows.ranges import WindowShape, make_windows

    shape = WindowShape.forecast(input_steps=input_steps, output_steps=OUTPUT_STEPS)
    windows = make_windows(np.array([[0, len(series), 0]]), np.array([[0, len(series)]]), shape)
    layout = Layout([f"c{position}" for position in range(COLUMNS)], COLUMNS, [], [0])
    return make_batches(as_tensor(series), windows, layout, batch_size=BATCH, shuffle_seed=0)


def keras_batches(series: Any, input_steps: int) -> Any:
    """Keras' windows of inputs and targets in one, cut apart as its documentation shows."""
    import keras

    dataset = keras.utils.timeseries_dataset_from_array(
        series, None, sequence_length=input_steps + OUTPUT_STEPS, batch_size=BATCH, shuffle=True, seed=0
    )
    return dataset.map(lambda window: (window[:, :input_steps], window[:, input_steps:, :1])).prefetch(2)


if __name__ == "__main__":
    main()
