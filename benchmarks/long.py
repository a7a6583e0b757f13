"""What long windows cost, and what they bring: 100, 500 and 2,000 steps in, step by step, as a pyramid and in segments.

    python benchmarks/long.py                                     # everything, about twenty minutes on 2 cores
    python benchmarks/long.py --input-steps 500 --rounds 0        # trains once each, no speeds by turns
    python benchmarks/long.py --input-steps 20 40 --rows 1500 --units 4 --epochs 1 --rounds 1   # does it run?

The recipe is `forecast_traffic`: 10 hours ahead, hour, week and weekend known for them. Every row of the table is trained on the
same targets and tested on the same windows: rows that only the longest window reads are cut off at the table's beginning, and
the inputs of validation and test windows begin in the part before. `plain` is LSTM(64) over all steps, `pyramid` two such layers,
the second over half the steps, `segments` one over pieces of 10 steps.

Each training is a process of its own: all epochs, the best one by validation kept, RMSE on the test windows. Memory is the
largest resident set up to the end of the fit, less what the process held with TensorFlow loaded. Baselines see the same windows,
so ridge's error depends on `input_steps`; they are fitted once for each. Speeds are taken by turns after that: in each round
every model trains some batches in a fresh process, three epochs of which the first does not count, and every other round goes
the other way round. The second table has speeds only: `plain` by the kit's kernel and by Keras' own loop, `pyramid` and the same
two layers over all steps.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from jobs import versions
from layers import machine, resident, spread

HERE = Path(__file__).resolve().parent
OUTPUT_STEPS, SEGMENT, BATCH = 10, 10, 32
VARIANTS = ("plain", "pyramid", "segments")
LOOP = "plain by Keras' loop"
PEERS = {"plain": LOOP, "pyramid": "two layers over all steps"}  # whose speed stands beside
SPEED_EPOCHS = 3
SPEED_STEPS = 2**20  # of all windows of an epoch that is timed, together
LOOP_SHARE = 4  # Keras' loop does so many times less
LEAST_BATCHES = 4
MB = 1e6


def main() -> None:
    """Prints the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input-steps", type=int, nargs="+", default=[100, 500, 2_000])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3, help="of the speeds; 0: those of the trainings")
    parser.add_argument("--rows", type=int, help="the oldest rows only; the figures then mean nothing")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="the second table, too")
    parser.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(**options.one)))
        return
    shared = {"longest": max(options.input_steps), "units": options.units, "rows": options.rows}
    plan = [(steps, variant) for steps in options.input_steps for variant in options.variants]
    baselines = {
        steps: in_own_process("baselines", input_steps=steps, variant="segments", epochs=1, **shared)
        for steps in options.input_steps
    }
    trained = {}
    for steps, variant in plan:
        trained[steps, variant] = in_own_process(
            "train", input_steps=steps, variant=variant, epochs=options.epochs, **shared
        )
    peers = {one: (one[0], PEERS[one[1]]) for one in plan if options.peers and options.rounds and one[1] in PEERS}
    speeds: dict[tuple[int, str], list[float]] = {one: [] for one in [*plan, *peers.values()]}
    for number in range(options.rounds):
        for steps, variant in list(speeds)[:: -1 if number % 2 else 1]:
            found = in_own_process("speed", input_steps=steps, variant=variant, epochs=SPEED_EPOCHS, **shared)
            speeds[steps, variant].append(statistics.median(found["speeds"][1:]))
    if not options.rounds:
        speeds = {one: found["speeds"] for one, found in trained.items()}
    report(trained, baselines, speeds)
    if peers:
        report_peers(peers, speeds)
    words = f"{options.epochs} epochs, {options.units} units, batches of {BATCH}, {options.rounds} rounds"
    print(f"\n{time.strftime('%Y-%m-%d')}, {machine()}; {versions()}; {words}.")


def report(
    trained: dict[tuple[int, str], dict[str, Any]],
    baselines: dict[int, dict[str, Any]],
    speeds: dict[tuple[int, str], list[float]],
) -> None:
    """A row for each training, and below it what is the same for all."""
    print(
        "| input_steps | variant | steps of the encoder's layers | parameters | sequences/s: median (range) | memory, MB "
        "| fit, s | best epoch | RMSE | best baseline | its RMSE | skill |"
    )
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: |")
    for (steps, variant), found in trained.items():
        peers = baselines[steps]["rmse"]
        best = min(peers, key=lambda name: peers[name])  # over the same windows, so skill never flatters
        cells = [f"{steps:,}", variant, found["layers"], f"{found['parameters']:,}", spread(speeds[steps, variant])]
        cells += [f"{found['memory'] / MB:,.0f}", f"{found['seconds']:,.0f}", f"{found['best_epoch']}"]
        cells += [f"{found['rmse']:.1f}", best, f"{peers[best]:.1f}", f"{1 - found['rmse'] / peers[best]:+.3f}"]
        print(f"| {' | '.join(cells)} |", flush=True)
    for steps, found in baselines.items():
        print(
            f"\nBaselines at {steps:,} steps: {', '.join(f'{name} {rmse:.1f}' for name, rmse in found['rmse'].items())}."
        )
    parts = {json.dumps(found["targets"]): found["windows"] for found in trained.values()}
    if len(parts) > 1:
        raise SystemExit(f"all rows of the table must have the same targets. Received sums of them: {', '.join(parts)}")
    train, val, test = next(iter(parts.values()))
    print(
        f"\n{train:,} windows to train on, {val:,} to choose the epoch, {test:,} to test, the same targets in every row."
    )


def report_peers(peers: dict[tuple[int, str], tuple[int, str]], speeds: dict[tuple[int, str], list[float]]) -> None:
    """Speeds of what trains the same or a like model another way."""
    print("\n| input_steps | variant | sequences/s: median (range) | beside it | its sequences/s | ratio |")
    print("| ---: | --- | ---: | --- | ---: | ---: |")
    for one, peer in peers.items():
        ratio = statistics.median(speeds[one]) / statistics.median(speeds[peer])
        cells = [f"{one[0]:,}", one[1], spread(speeds[one]), peer[1], spread(speeds[peer]), f"{ratio:.2f}"]
        print(f"| {' | '.join(cells)} |")


def in_own_process(what: str, **asked: Any) -> dict[str, Any]:
    """One measurement in a fresh interpreter."""
    command = [sys.executable, __file__, "--one", json.dumps({"what": what} | asked)]
    environment = os.environ | ({"SEQ2SEQ_KIT_KERNEL": "off"} if asked["variant"] == LOOP else {})
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{what} of {asked} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    words = f"{what}, {asked['input_steps']} steps, {asked['variant']}: {time.perf_counter() - began:.0f} s"
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(
    what: str, *, input_steps: int, variant: str, epochs: int, longest: int, units: int, rows: int | None
) -> dict[str, Any]:
    """What is asked of this process: `baselines`, `train` or `speed`."""
    import numpy as np
    import tensorflow as tf

    from seq2seq_kit.data.tables.splits import PARTS
    from seq2seq_kit.tasks import open_job
    from seq2seq_kit.tasks.registry import parse_recipe
    from seq2seq_kit.training.fit import seed_everything

    frame, split = read_rows(input_steps, longest, rows)
    recipe = recipe_of(input_steps, variant, epochs=epochs, units=units, split=split)
    if what == "speed":
        recipe["data"]["window_stride"] = stride_of(input_steps, variant, windows=split["train"] - input_steps)
    tf.linalg.matmul(tf.ones((8, 8)), tf.ones((8, 8)))  # starts its threads
    before = resident("VmRSS")
    job: Any = open_job(parse_recipe(recipe), frame)
    seed_everything(0, deterministic=False)
    model = job.build()
    if what == "baselines":
        board = job.report(job.bundle(model, {}), "test")
        return {"rmse": {name: board.overall(name).rmse for name in board.baselines}}
    fitted = job.fit(model, [])
    memory = resident("VmHWM") - before
    found = {"memory": memory, "speeds": [epoch.sequences_per_second for epoch in fitted.history]}
    if what == "speed":
        return found
    board = job.report(job.bundle(model, {}, peers=False), "test")
    layers = [layer for layer in model.layers if layer.name.startswith("encoder_") and "join" not in layer.name]
    return found | {
        "rmse": board.overall().rmse,
        "best_epoch": fitted.best_epoch,
        "seconds": fitted.seconds,
        "parameters": model.count_params(),
        "layers": ", ".join(f"{layer.input.shape[1]:,}" for layer in layers),
        "windows": [job.examples.count(part) for part in PARTS],
        "targets": [float(np.nansum(job.examples.truth(part))) for part in PARTS],
    }


def read_rows(input_steps: int, longest: int, rows: int | None) -> tuple[Any, dict[str, int]]:
    """The table without the oldest rows, which only a longer window reads, and its parts: the newest 15 % are the test."""
    from seq2seq_kit.data import read_source

    frame = read_source("autots.traffic_hourly").iloc[:rows]
    later = round(0.15 * len(frame))
    first = longest - input_steps
    split = {"train": len(frame) - 2 * later - first, "val": later, "test": later}
    return frame.iloc[first:].reset_index(drop=True), split


def recipe_of(input_steps: int, variant: str, *, epochs: int, units: int, split: dict[str, int]) -> dict[str, Any]:
    """`recipes/forecast_traffic.yaml` with another window, model and number of epochs."""
    from seq2seq_kit.validation import resolve

    recipe: dict[str, Any] = resolve(HERE.parent / "recipes" / "forecast_traffic.yaml").model_dump(
        mode="json", exclude={"sweep"}
    )
    assert recipe["data"]["output_steps"] == OUTPUT_STEPS
    assert recipe["training"]["batch_size"] == BATCH
    encoder = [units, units] if variant in ("pyramid", PEERS["pyramid"]) else [units]
    recipe["data"] |= {"input_steps": input_steps, "split": split}
    recipe["model"] |= {"encoder_units": encoder, "decoder_units": [units]}
    recipe["model"] |= {"pyramid": 2} if variant == "pyramid" else {}
    recipe["model"] |= {"segment_steps": SEGMENT} if variant == "segments" else {}
    recipe["training"] |= {"epochs": epochs}
    return recipe


def stride_of(input_steps: int, variant: str, *, windows: int) -> int:
    """Rows between the windows of an epoch that is only timed: short ones take all windows, long ones a share of them."""
    wanted = SPEED_STEPS // (input_steps * (LOOP_SHARE if variant == LOOP else 1))
    return max(1, windows // max(wanted, LEAST_BATCHES * BATCH))


if __name__ == "__main__":
    main()
