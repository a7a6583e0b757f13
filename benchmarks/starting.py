"""Seconds of a short command as a user waits for it, most of which Python spends on importing TensorFlow and on ending.

    python benchmarks/starting.py             # predict and train, five rounds, about five minutes on 2 cores

`own` is the command as it is typed: its process runs nothing but the kit. `guest` is the same command called from Python with the
same arguments, as in a notebook, where the kit leaves Python's garbage collector and what Keras imports as they are. They
alternate, and every other round begins with the other one.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from layers import machine

GUEST = "import sys; from seq2seq_kit.cli.main import main; sys.exit(main(sys.argv[1:]))"
RECIPE = """\
task: forecast
name: small
data:
  {source: hours.csv, time: time, every: 1h, inputs: [load], targets: [load], input_steps: 24, output_steps: 6}
model: {encoder_units: [8], decoder_units: [8]}
training: {epochs: 2}
"""
WAYS = {"own": ["-m", "seq2seq_kit"], "guest": ["-c", GUEST]}


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hours = np.arange(600)
        times = pd.date_range("2024-01-01", periods=len(hours), freq="h")
        load = 100 + 30 * np.sin(2 * np.pi * hours / 24) + np.random.default_rng(0).normal(scale=3, size=len(hours))
        pd.DataFrame({"time": times, "load": load}).to_csv(folder / "hours.csv", index=False)
        (folder / "small.yaml").write_text(RECIPE, encoding="utf-8")
        told, _ = timed(folder, "own", ["train", "small.yaml"])
        run = re.findall("^run ([0-9a-f]{32})", told, re.MULTILINE)[0]
        print("| command | own, s: median (range) | guest, s: median (range) | guest / own |")
        print("| --- | ---: | ---: | ---: |")
        for command in (["predict", run, "--data", "hours.csv"], ["train", "small.yaml"]):
            taken: dict[str, list[float]] = {way: [] for way in WAYS}
            for number in range(rounds):
                for way in list(WAYS)[:: 1 if number % 2 else -1]:
                    taken[way].append(timed(folder, way, command)[1])
            middle = {way: statistics.median(each) for way, each in taken.items()}
            cells = [f"{middle[way]:.1f} ({min(each):.1f} to {max(each):.1f})" for way, each in taken.items()]
            print(f"| {command[0]} | {' | '.join(cells)} | {middle['guest'] / middle['own']:.2f} |", flush=True)
    print(f"\n{time.strftime('%Y-%m-%d')}, {machine()}; {rounds} rounds.")


def timed(folder: Path, way: str, arguments: list[str]) -> tuple[str, float]:
    """What a process prints, and the seconds from its start to its end."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *WAYS[way], *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout, time.perf_counter() - began


if __name__ == "__main__":
    main()
