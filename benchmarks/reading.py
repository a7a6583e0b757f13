"""Seconds to read a large table of text, beside pandas alone, which neither checks nor orders nor cuts anything.

    python benchmarks/reading.py                  # two million rows of ten series, 75 MB; about five minutes on 2 cores
    python benchmarks/reading.py --rows 2000 --rounds 1

`pandas` is `read_csv` and `to_datetime`. `prepared` is the kit from the file to scaled windows, before a training; `drafted` is
`init` from the file to a recipe. Times are ISO 8601 (`iso`) or day first with decimal commas (`day first`). The three take turns.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from layers import machine

from seq2seq_kit import draft_recipe
from seq2seq_kit.data import read_source
from seq2seq_kit.data.windows.prepare import prepare
from seq2seq_kit.recipe.fields import HorizonData

SERIES = 10
FORMS = {"iso": ("%Y-%m-%d %H:%M", ",", "."), "day first": ("%d.%m.%Y %H:%M", ";", ",")}


def write(path: Path, rows: int, form: str, separator: str, decimal: str) -> None:
    """Minutes of ten sites below each other, two columns of numbers."""
    rng, minutes = np.random.default_rng(0), np.arange(rows // SERIES)
    times = pd.date_range("2000-01-20", periods=len(minutes), freq="min").strftime(form)
    wave = 100 + 20 * np.sin(2 * np.pi * minutes / 1440)
    frames = [
        pd.DataFrame(
            {
                "time": times,
                "site": f"s{number}",
                "load": (wave + rng.normal(size=len(minutes))).round(3),
                "temp": (wave / 5 + rng.normal(size=len(minutes))).round(2),
            }
        )
        for number in range(SERIES)
    ]
    pd.concat(frames).to_csv(path, index=False, sep=separator, decimal=decimal)


def ways(path: Path, form: str, separator: str, decimal: str) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    written = {} if separator == "," else {"format": {"delimiter": separator, "decimal": decimal}}
    columns = {"time": "time", "every": "1min", "series": "site", "inputs": ["load", "temp"], "targets": ["load"]}
    steps = {"input_steps": 60, "output_steps": 10, "window_stride": 60}
    data = HorizonData.model_validate({"source": str(path)} | columns | steps | written)

    def pandas_alone() -> object:
        frame = pd.read_csv(path, sep=separator, decimal=decimal)
        return frame.assign(time=pd.to_datetime(frame["time"], format=form))

    def prepared() -> object:
        return prepare(data, read_source(str(path), texts=["site"], form=data.format))

    return {"pandas": pandas_alone, "prepared": prepared, "drafted": lambda: draft_recipe(path)}


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print("| times | pandas, s | prepared, s | drafted, s | prepared / pandas | drafted / pandas |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for name, form in FORMS.items():
            path = Path(folder) / f"{name}.csv"
            write(path, given.rows, *form)
            works, taken = ways(path, *form), {"pandas": [0.0], "prepared": [0.0], "drafted": [0.0]}
            for _ in range(given.rounds):
                for way, work in works.items():
                    began = time.perf_counter()
                    work()
                    taken[way].append(time.perf_counter() - began)
            middle = {way: statistics.median(seconds[1:]) for way, seconds in taken.items()}
            ratios = (f"{middle[way] / middle['pandas']:.1f}" for way in ("prepared", "drafted"))
            print(
                f"| {name} | {' | '.join(f'{each:.1f}' for each in middle.values())} | {' | '.join(ratios)} |",
                flush=True,
            )
    print(f"\n{time.strftime('%Y-%m-%d')}, {machine()}; {given.rows:,} rows, {given.rounds} rounds.")


if __name__ == "__main__":
    main()
