"""Whole jobs, from the command line to the logged run: a recipe of the kit beside a script that does the same by hand.

    python benchmarks/jobs.py                        # both recipes, three rounds, about fifty minutes on 2 cores
    python benchmarks/jobs.py --epochs 1 --rounds 1  # shortened on both sides alike

The scripts stand in `handwritten/`: same data, windows, model, epochs, batch size, schedule, metrics, naive baselines, an MLflow
store in SQLite, by somebody who knows NumPy, Keras and MLflow. The kit also fits its further baselines, checks the data and draws
more figures; its time includes them. Each run is a process of its own in an empty folder, so imports and a new store are in the
time of both. They alternate, and every other round begins with the other one.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from layers import machine

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Job:
    """A recipe, the script beside it, its epochs, and the figure that both come to."""

    recipe: str
    script: str
    epochs: int
    metric: str


JOBS = {
    "traffic": Job("forecast_traffic.yaml", "traffic.py", 15, "test/rmse"),
    "addition": Job("translate_addition.yaml", "addition.py", 30, "test/exact_match"),
}


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=list(JOBS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="instead of the recipe's, for both")
    options = parser.parse_args()
    print(
        "| job | epochs | kit, s: median (range) | by hand, s: median (range) | by hand / kit | metric | kit | by hand |"
    )
    print("| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |")
    for name in options.jobs:
        print(compare(name, options.epochs or JOBS[name].epochs, options.rounds), flush=True)
    print(f"\n{time.strftime('%Y-%m-%d')}, {machine()}, {versions()}; {options.rounds} rounds.")


def compare(name: str, epochs: int, rounds: int) -> str:
    """A row of the table."""
    job = JOBS[name]
    commands = {
        "kit": [
            "-m",
            "seq2seq_kit",
            "train",
            str(HERE.parent / "recipes" / job.recipe),
            "--set",
            f"training.epochs={epochs}",
        ],
        "hand": [str(HERE / "handwritten" / job.script), "--epochs", str(epochs)],
    }
    seconds: dict[str, list[float]] = {who: [] for who in commands}
    figures: dict[str, float] = {}
    for number in range(rounds):
        for who in list(commands)[:: -1 if number % 2 else 1]:
            taken, figures[who] = run(commands[who], job.metric)
            seconds[who].append(taken)
            print(f"{time.strftime('%H:%M:%S')} {name}, {who}: {taken:.1f} s", file=sys.stderr, flush=True)
    medians = {who: statistics.median(values) for who, values in seconds.items()}
    cells = [f"{medians[who]:.0f} ({min(values):.0f} to {max(values):.0f})" for who, values in seconds.items()]
    ratio = medians["hand"] / medians["kit"]
    ends = f"{job.metric} | {figures['kit']:.4g} | {figures['hand']:.4g}"
    return f"| {name} | {epochs} | {cells[0]} | {cells[1]} | {ratio:.2f} | {ends} |"


def run(command: list[str], metric: str) -> tuple[float, float]:
    """Seconds of a command in an empty folder, and the figure that its run holds in the store there."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - began
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        return seconds, logged(Path(folder, "mlruns", "mlflow.db"), metric)


def logged(store: Path, metric: str) -> float:
    """A metric of the only finished run of a store."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(store)) as connection:
        rows = connection.execute(
            "SELECT value FROM latest_metrics JOIN runs USING (run_uuid) WHERE key = ? AND status = 'FINISHED'",
            (metric,),
        ).fetchall()
    if len(rows) != 1:
        raise SystemExit(f"expected one finished run with {metric} in {store}. Received: {len(rows)}")
    return float(rows[0][0])


def versions() -> str:
    """Of the packages that the time depends on."""
    from importlib.metadata import version

    python = re.match(r"[\d.]+", sys.version)
    assert python is not None
    found = [f"{name} {version(name)}" for name in ("tensorflow", "keras", "mlflow", "numpy")]
    return ", ".join([*found, f"Python {python[0]}"])


if __name__ == "__main__":
    main()
