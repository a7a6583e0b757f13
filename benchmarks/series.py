"""Many short series beside one long one: seconds of each stage of a run, for each window, in one process.

    python benchmarks/series.py            20,000 series of 40 rows, and one series of as many windows
    python benchmarks/series.py --series 500 --epochs 1

The ratio is what counts: same recipe, same number of training windows, same machine at the same time.
"""

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pandas as pd

from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.registry import parse_recipe

ROWS = 40
T = TypeVar("T")


def frame_of(series: int, rows: int) -> pd.DataFrame:
    """Hours of a pattern of seven and noise, long format."""
    rng = np.random.default_rng(0)
    time_of = np.tile(np.arange(rows), series)
    level = np.repeat(rng.uniform(50, 150, series), rows)
    sold = level * (1 + 0.3 * np.sin(2 * np.pi * time_of / 7)) + rng.normal(scale=5, size=series * rows)
    times = pd.date_range("2000-01-01", periods=rows, freq="h").to_numpy()
    return pd.DataFrame({"hour": np.tile(times, series), "shop": np.repeat(np.arange(series), rows), "sold": sold})


def stages(frame: pd.DataFrame, *, grouped: bool, epochs: int) -> tuple[dict[str, float], int]:
    """Seconds of each stage, and the number of training windows."""
    data = {"time": "hour", "every": "1h", "inputs": ["sold"], "targets": ["sold"], "input_steps": 7, "output_steps": 3}
    recipe = parse_recipe(
        {
            "task": "forecast",
            "data": data | {"calendar": ["hour"]} | ({"series": "shop"} if grouped else {}),
            "model": {"encoder_units": [16], "decoder_units": [16]},
            "training": {"epochs": epochs, "patience": None, "batch_size": 256},
        }
    )
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], T]) -> T:
        began = time.perf_counter()
        result = work()
        seconds[name] = time.perf_counter() - began
        return result

    job = timed("prepare", lambda: open_job(recipe, frame))
    timed("check", job.check)
    model = job.build()
    timed("fit", lambda: job.fit(model, []))
    bundle = timed("baselines", lambda: job.bundle(model, {}))
    timed("evaluate", lambda: job.report(bundle, "test"))
    timed("predict", lambda: bundle.predict(frame, all_windows=True))
    return seconds, job.examples.count("train")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--series", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    stages(frame_of(20, ROWS), grouped=True, epochs=1)  # what is imported and compiled once
    many, windows = stages(frame_of(options.series, ROWS), grouped=True, epochs=options.epochs)
    rows = round((windows + 9) / 0.7)
    one, as_many = stages(frame_of(1, rows), grouped=False, epochs=options.epochs)
    print(
        f"{options.series:,} series of {ROWS} rows: {windows:,} training windows; one series of {rows:,} rows: {as_many:,}"
    )
    print(f"{'':12}{'many':>10}{'one':>10}{'ratio by window':>18}")
    for name in [*many, "in all"]:
        first, second = (sum(each.values()) if name == "in all" else each[name] for each in (many, one))
        print(f"{name:12}{first:9.2f}s{second:9.2f}s{first / windows / (second / as_many):18.2f}")


if __name__ == "__main__":
    main()
