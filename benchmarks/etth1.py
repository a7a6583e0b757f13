"""ETTh1: the recipe `forecast_etth1` over seeds and horizons, and what each of its parts brings.

    python benchmarks/etth1.py --source PATH/ETTh1.csv                    # both tables, about an hour on 2 cores
    python benchmarks/etth1.py --source PATH/ETTh1.csv --horizons 96      # the recipe as it stands, part by part

The file is ETT-small/ETTh1.csv of ETDataset (github.com/zhouhaoyi/ETDataset). The usual protocol: 96 hours in, 12, 4 and 4
months of 30 days, every test window, errors in standard deviations of the training rows over all steps and columns. Each training
is a process of its own; its best validation epoch is evaluated on test once. Mean over the seeds, and the range.
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

RECIPE = Path(__file__).resolve().parent.parent / "recipes" / "forecast_etth1.yaml"
HORIZONS = (24, 48, 96, 192, 336, 720)

# The README's model: LSTM(64) -> RepeatVector -> LSTM(64) -> TimeDistributed(Dense) over all columns at once.
PLAIN: dict[str, Any] = {
    "model.encoder_units": [64],
    "model.decoder_units": [64],
    "model.segment_steps": 1,
    "model.channels": "joint",
    "model.normalise": "none",
    "model.position_embedding": False,
    "model.decoder_state": "zeros",
    "model.output_dropout": 0.0,
}
# Each step gives up one more of the plain model's settings for the recipe's.
STEPS = {
    "plain: LSTM(64), `RepeatVector`, LSTM(64)": (),
    "+ `normalise`": ("model.normalise",),
    "+ `channels: independent`": ("model.channels",),
    "+ `segment_steps`": ("model.segment_steps",),
    "+ `decoder_state`, `position_embedding`": ("model.decoder_state", "model.position_embedding"),
    "+ `output_dropout`, the recipe's units": tuple(PLAIN),
}


def main() -> None:
    """Prints the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="ETTh1.csv")
    parser.add_argument("--horizons", type=int, nargs="*", default=HORIZONS, help="output steps; none: no such table")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument("--no-ablation", action="store_true", help="only the horizons")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes every training")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(train(json.loads(options.one), options.set)))
        return
    trained: dict[str, list[dict[str, float]]] = {}

    def of(overrides: dict[str, Any]) -> list[dict[str, float]]:
        key = json.dumps(overrides, sort_keys=True)
        if key not in trained:
            trained[key] = [ask(options, overrides | {"seed": seed}) for seed in options.seeds]
        return trained[key]

    if options.horizons:
        print(
            "| hours ahead | recipe: MSE | MAE | plain: MSE | MAE | ridge: MSE | a day ago: MSE | recipe, min | plain, min |"
        )
        print("| ---: " * 9 + "|")
    for hours in options.horizons:
        ahead = {"data.output_steps": hours}
        recipe, plain = of(ahead), of(ahead | PLAIN)
        cells = [told(recipe, "mse"), told(recipe, "mae"), told(plain, "mse"), told(plain, "mae")]
        cells += [f"{recipe[0][name]:.3f}" for name in ("ridge", "day")] + [minutes(recipe), minutes(plain)]
        print(f"| {hours} | " + " | ".join(cells) + " |", flush=True)
    if not options.no_ablation:
        print("\n| 96 hours ahead | MSE | MAE | parameters | minutes |\n| --- | ---: | ---: | ---: | ---: |")
        left = dict(PLAIN)
        for name, keys in STEPS.items():
            for key in keys:
                left.pop(key, None)
            found = of({"data.output_steps": 96} | left)
            cells = [told(found, "mse"), told(found, "mae"), f"{found[0]['parameters']:,}", minutes(found)]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    print(f"\n{time.strftime('%Y-%m-%d')}, {machine()}; seeds {', '.join(map(str, options.seeds))}.")


def ask(options: argparse.Namespace, overrides: dict[str, Any]) -> dict[str, float]:
    """One training in a process of its own."""
    changed = json.dumps(overrides | {"data.source": str(Path(options.source).resolve())})
    command = [sys.executable, __file__, "--source", options.source, "--one", changed]
    for change in options.set:
        command += ["--set", change]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{changed} failed:\n{ran.stderr[-3000:]}")
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    print(f"{time.strftime('%H:%M:%S')} {changed}: {found}", file=sys.stderr, flush=True)
    return found


def train(overrides: dict[str, Any], changes: list[str]) -> dict[str, float]:
    """Trains by recipe and evaluates on test."""
    from seq2seq_kit import train as by_recipe
    from seq2seq_kit.tasks.registry import load_recipe

    recipe = load_recipe(RECIPE, [*(f"{key}={json.dumps(value)}" for key, value in overrides.items()), *changes])
    with tempfile.TemporaryDirectory() as folder:
        result = by_recipe(recipe, tracking_uri=folder)
    scores = {name: result.test.overall(name) for name in result.test.names}
    day = next(name for name in scores if name.startswith("seasonal naive"))
    return {
        "mse": scores["model"].rmse ** 2,
        "mae": scores["model"].mae,
        "val": result.val.overall().rmse ** 2,
        "ridge": scores["ridge"].rmse ** 2,
        "day": scores[day].rmse ** 2,
        "parameters": result.bundle.model.count_params(),
        "epoch": result.fit.best_epoch,
        "epochs": len(result.fit.history),
        "minutes": result.fit.seconds / 60,
    }


def told(found: list[dict[str, float]], figure: str) -> str:
    """Mean and range over the seeds."""
    values = [each[figure] for each in found]
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def minutes(found: list[dict[str, float]]) -> str:
    """Of fitting, all epochs."""
    return f"{statistics.mean(each['minutes'] for each in found):.1f}"


if __name__ == "__main__":
    main()
