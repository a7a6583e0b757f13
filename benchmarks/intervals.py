"""Intervals: what they hold on the test rows of three tables, and how good they are beside those of conformal ridge.

    python benchmarks/intervals.py --etth1 PATH/ETTh1.csv            # all three tables, about half an hour on 2 cores
    python benchmarks/intervals.py --tables traffic                  # without a file of one's own

The recipes `forecast_traffic`, `forecast_weather` and `forecast_etth1` with `levels: [80, 95]` and a calibration part of 10 % of
the rows (of ETTh1 half of val, so that train and test are those of the usual protocol). Each training is a process of its own.
Every figure is of test, once with the intervals as they were calibrated and once moved by each actual value from when it is known
(`evaluate --update`): the share of the actual values in each level, overall and at the step that is farthest off, and WQL. Mean
over the seeds; of the step the one that is farthest off of any seed.
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

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from layers import machine

RECIPES = Path(__file__).resolve().parent.parent / "recipes"
SPLITS: dict[str, dict[str, Any]] = {
    "traffic": {"data.split": {"val": 0.1, "calibration": 0.1, "test": 0.15}},
    "weather": {"data.split": {"val": 0.1, "calibration": 0.1, "test": 0.15}},
    "etth1": {"data.split": {"train": 8640, "val": 1440, "calibration": 1440, "test": 2880}},
}
LEVELS = (80, 95)


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--etth1", metavar="FILE", help="ETTh1.csv; without it this table is left out")
    parser.add_argument("--tables", nargs="+", choices=list(SPLITS), default=list(SPLITS))
    parser.add_argument("--kinds", nargs="+", default=["conformal"], help="of `intervals`")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes every training")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(train(**json.loads(options.one), changes=options.set)))
        return
    heads = [f"in {level} %, farthest step" for level in LEVELS]
    heads += ["RMSE", "of ridge", "WQL", "of conformal ridge", "of conformal seasonal naive"]
    print("| table | intervals | " + " | ".join(heads) + " |\n| --- | --- |" + " ---: |" * len(heads))
    for table in options.tables:
        if table == "etth1" and not options.etth1:
            continue
        for kind in options.kinds:
            found = [ask(options, table, kind, seed) for seed in options.seeds]
            for how in ("as calibrated", "updated"):
                print(
                    f"| {table} | {kind}, {how} | " + " | ".join(cells([each[how] for each in found])) + " |",
                    flush=True,
                )
    print(f"\n{time.strftime('%Y-%m-%d')}, {machine()}; seeds {', '.join(map(str, options.seeds))}.")


def cells(found: list[dict[str, float]]) -> list[str]:
    """The figures of one line, over the seeds."""

    def mean(figure: str) -> float:
        return statistics.mean(each[figure] for each in found)

    shown = []
    for level in LEVELS:
        steps = [each[f"step_{level}"] for each in found]
        farthest = max(steps, key=lambda share: abs(share - level / 100))
        shown.append(f"{100 * mean(f'all_{level}'):.1f}, {100 * farthest:.1f}")
    shown += [f"{mean('rmse'):.4g}", f"{mean('ridge_rmse'):.4g}"]
    spread = [each["wql"] for each in found]
    shown += [f"{mean('wql'):.4f} ({min(spread):.4f} to {max(spread):.4f})"]
    return [*shown, f"{mean('ridge_wql'):.4f}", f"{mean('naive_wql'):.4f}"]


def ask(options: argparse.Namespace, table: str, kind: str, seed: int) -> dict[str, Any]:
    """One training in a process of its own."""
    overrides = SPLITS[table] | {"levels": list(LEVELS), "intervals": kind, "seed": seed}
    if table == "etth1":
        overrides["data.source"] = str(Path(options.etth1).resolve())
    command = [sys.executable, __file__, "--one", json.dumps({"table": table, "overrides": overrides})]
    for change in options.set:
        command += ["--set", change]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{table} {overrides} failed:\n{ran.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    print(f"{time.strftime('%H:%M:%S')} {table} {kind} {seed}: {found}", file=sys.stderr, flush=True)
    return found


def train(table: str, overrides: dict[str, Any], changes: list[str]) -> dict[str, Any]:
    """Trains by recipe and evaluates on test, with and without updates."""
    from seq2seq_kit import evaluate
    from seq2seq_kit import train as by_recipe
    from seq2seq_kit.tasks.registry import load_recipe

    given = [*(f"{key}={json.dumps(value)}" for key, value in overrides.items()), *changes]
    with tempfile.TemporaryDirectory() as folder:
        result = by_recipe(load_recipe(RECIPES / f"forecast_{table}.yaml", given), tracking_uri=folder)
        updated = evaluate(result.bundle, update=True)
    return {"as calibrated": figures(result.test), "updated": figures(updated)}


def figures(test: Any) -> dict[str, float]:
    """What the table shows of an evaluation."""
    naive = next((name for name in test.names if name.startswith("seasonal naive")), "last value")
    found = {"rmse": test.metrics()["rmse"], "ridge_rmse": test.metrics("ridge")["rmse"]}
    for level in LEVELS:
        by_step = test.intervals.coverage_by_step("model", level)
        found[f"all_{level}"] = test.intervals.sums["model"].coverage(level)
        found[f"step_{level}"] = max(by_step, key=lambda share, level=level: abs(share - level / 100))
    for name, forecaster in (("", "model"), ("ridge_", "ridge"), ("naive_", naive)):
        found[f"{name}wql"] = test.metrics(forecaster)["wql"]
    return found


if __name__ == "__main__":
    main()
