"""A sweep of 20 trials beside plain KerasTuner in one process, and the memory of many trials.

    python benchmarks/sweep.py                  # wall time, alternating, three rounds, about twenty minutes on 2 cores
    python benchmarks/sweep.py --memory         # resident memory after each of 50 small trials
    python benchmarks/sweep.py --executor ray   # two workers on Ray beside two local ones, alternating
    python benchmarks/sweep.py --executor ray --stride 1 --trials 16   # trials that take twice as long
    python benchmarks/sweep.py --sleeping 200   # trials that only sleep and tell, on so many workers of Ray
    python benchmarks/sweep.py --sleeping 200 --actors 8   # as many messages, from fewer processes

Both sides search the same values: KerasTuner's random oracle with the same seed over the same space, after one trial of the
recipe as it stands. Both train the same Keras model on the same windows of `autots.traffic_hourly`. The peer is KerasTuner's
`RandomSearch` with a `HyperModel` whose `fit` takes the epochs, fed with arrays, as its documentation shows it.
Each measurement is a process of its own; its time is that from the call to the last trial's score (`search`), and to the end of
the process (`all`: for the kit with the winner's evaluation, figures and logging, for the peer with nothing more).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

SPACE: dict[str, Any] = {
    "model.encoder_units": {"choice": [[16], [32], [64]]},
    "model.decoder_units": {"choice": [[16], [32], [64]]},
    "training.epochs": {"int": {"min_value": 3, "max_value": 9, "step": 3}},
}
STRIDE = 4
RECIPE: dict[str, Any] = {
    "task": "forecast",
    "name": "sweep_benchmark",
    "data": {
        "source": "autots.traffic_hourly",
        "time": "datetime",
        "every": "1h",
        "inputs": ["traffic_volume"],
        "targets": ["traffic_volume"],
        "input_steps": 100,
        "output_steps": 10,
        "missing": "interpolate",
        "window_stride": STRIDE,
    },
    "model": {"encoder_units": [32], "decoder_units": [32]},
    "training": {"learning_rate": 5e-3, "batch_size": 64, "epochs": 5, "patience": None},
    "sweep": {"tuner": "random", "max_trials": 20, "space": SPACE},
}
MEMORY_SPACE: dict[str, Any] = {"model.encoder_units": {"choice": [[units] for units in range(4, 54)]}}


def main() -> None:
    """Prints the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=0, help="default: 20, with --memory 50")
    parser.add_argument("--stride", type=int, default=STRIDE, help="of the windows: 1 makes trials take twice as long")
    parser.add_argument("--memory", action="store_true", help="measure memory instead of time")
    parser.add_argument("--executor", choices=["local", "ray"], default="local", help="ray: beside local processes")
    parser.add_argument("--sleeping", type=int, metavar="WORKERS", help="a simulation; see benchmarks/sleeping.py")
    parser.add_argument("--actors", type=int, help="of a simulation: as many stand for all its workers")
    parser.add_argument("--one", choices=["kit", "ray", "kerastuner"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    trials = options.trials or (50 if options.memory else 20)
    if options.one:
        recipe = _recipe(trials, memory=options.memory, stride=options.stride)
        if options.one == "kerastuner":
            measured = measure_kerastuner(recipe)
        else:
            measured = measure_kit(recipe, "ray" if options.one == "ray" else "local")
        print(json.dumps(measured))
    elif options.sleeping:
        from sleeping import report_sleeping

        report_sleeping(
            RECIPE, options.sleeping, options.trials or 3 * options.sleeping, options.actors or options.sleeping
        )
    elif options.memory:
        report_memory(trials)
    else:
        report_time(trials, options.rounds, "ray" if options.executor == "ray" else "kerastuner", options.stride)


def report_time(trials: int, rounds: int, other: str, stride: int) -> None:
    """Wall time, memory and best value of both, alternating."""
    found: dict[str, list[dict[str, Any]]] = {"kit": [], other: []}
    for _ in range(rounds):
        for who, runs in found.items():
            runs.append(in_own_process(who, trials, stride=stride))
            print(f"<!-- {who}: {json.dumps({k: v for k, v in runs[-1].items() if k != 'memories'})} -->", flush=True)
    print(
        "| sweep | search, s: median (range) | all, s: median (range) | all processes together, MB | "
        "one that trains, MB: first, last trial | best val_loss |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for who, runs in found.items():
        cells = [_spread([run[key] for run in runs]) for key in ("search", "all")]
        together = statistics.median(run["peak"] for run in runs) / 1e6
        first, last = (statistics.median(run["memories"][place] for run in runs) / 1e6 for place in (0, -1))
        best = sorted({f"{run['best']:.5f}" for run in runs})
        print(f"| {who} | {cells[0]} | {cells[1]} | {together:,.0f} | {first:,.0f}, {last:,.0f} | {', '.join(best)} |")
    for key in ("search", "all"):
        peer, kit = (statistics.median(run[key] for run in found[who]) for who in (other, "kit"))
        print(f"\n{key}: {other} takes {peer / kit:.2f} times as long")


def report_memory(trials: int) -> None:
    """Resident memory of the process that trains, at the end of some of the trials."""
    shown = [number for number in (1, 10, 20, 30, 40, 50) if number <= trials]
    print("| sweep | " + " | ".join(f"trial {number}" for number in shown) + " |")
    print("| --- |" + " ---: |" * len(shown))
    for who in ("kit", "kerastuner"):
        memories = in_own_process(who, trials, memory=True)["memories"]
        cells = [f"{memories[number - 1] / 1e6:,.0f} MB" for number in shown]
        print(f"| {who} | " + " | ".join(cells) + " |", flush=True)


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def _recipe(trials: int, *, memory: bool, stride: int) -> dict[str, Any]:
    sweep = {**RECIPE["sweep"], "max_trials": trials}
    if not memory:
        return {**RECIPE, "data": {**RECIPE["data"], "window_stride": stride}, "sweep": sweep}
    data = {**RECIPE["data"], "input_steps": 24, "window_stride": 24}
    training = {**RECIPE["training"], "epochs": 1}
    return {**RECIPE, "data": data, "training": training, "sweep": {**sweep, "space": MEMORY_SPACE, "tuner": "grid"}}


def in_own_process(who: str, trials: int, *, memory: bool = False, stride: int = STRIDE) -> dict[str, Any]:
    """One sweep in a fresh interpreter and an empty folder."""
    command = [sys.executable, __file__, "--one", who, "--trials", str(trials), "--stride", str(stride)]
    command += ["--memory"] if memory else []
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    paths = [str(Path(__file__).resolve().parent.parent), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with Path(folder, "out").open("w") as out, Path(folder, "said").open("w") as said:
            process = subprocess.Popen(command, stdout=out, stderr=said, env=environment, cwd=folder)
            peak = 0
            while process.poll() is None:
                peak = max(peak, resident(process.pid))
                time.sleep(5)  # adding up the pages of five processes is work for the machine, too
        seconds = time.perf_counter() - began
        if process.returncode:
            raise SystemExit(f"{who} ended with {process.returncode}:\n{Path(folder, 'said').read_text()[-3000:]}")
        measured: dict[str, Any] = json.loads(Path(folder, "out").read_text().splitlines()[-1])
    return {**measured, "all": seconds, "peak": peak}


def resident(root: int) -> int:
    """Memory of a process and all below it, shared pages counted once (proportional set size), in bytes."""
    import psutil

    total = 0
    try:
        for each in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]:
            with suppress(psutil.Error):
                total += each.memory_full_info().pss
    except psutil.NoSuchProcess:
        return 0
    return total


def measure_kit(recipe: dict[str, Any], executor: str) -> dict[str, Any]:
    """The kit's sweep, with as many workers as there are cores. `trials`: from the first trial's end to the last one's."""
    began = time.perf_counter()

    from seq2seq_kit.sweeps import sweep
    from seq2seq_kit.sweeps.status import Silent

    class Clock(Silent):
        def on_trial(self, trial: Any, best: bool) -> None:
            self.last = time.perf_counter() - began
            if trial.number == 1:
                self.first = self.last

    clock = Clock()
    result = sweep(recipe, tracking_uri="mlruns", reporter=clock, executor=executor)
    memories = [trial.memory for trial in result.trials]
    return {
        "search": clock.last,
        "trials": clock.last - clock.first,
        "best": result.best.score,
        "memory": max(memories),
        "memories": memories,
    }


def measure_kerastuner(recipe: dict[str, Any]) -> dict[str, Any]:
    """KerasTuner alone."""
    began = time.perf_counter()
    import keras
    import keras_tuner
    import numpy as np
    import psutil

    from seq2seq_kit.models import build_encoder_decoder
    from seq2seq_kit.tasks import open_job
    from seq2seq_kit.validation import resolve

    read = resolve(recipe)
    job = open_job(read)
    windows: Any = job.examples
    parts = {part: np.arange(windows.count(part)) for part in ("train", "val")}
    x, x_val = (windows.arrays(part, numbers)[0] for part, numbers in parts.items())
    y, y_val = (windows.scaled_targets(part, numbers) for part, numbers in parts.items())
    batch, epochs, space = read.training.batch_size, read.training.epochs, recipe["sweep"]["space"]
    memories: list[int] = []

    def build(encoder: int, decoder: int) -> keras.Model:
        model = build_encoder_decoder(
            input_steps=read.data.input_steps,
            output_steps=read.data.output_steps,
            input_features=1,
            output_features=1,
            encoder_units=[encoder],
            decoder_units=[decoder],
        )
        model.compile(optimizer=keras.optimizers.Adam(read.training.learning_rate), loss="mse")
        return model

    class Searched(keras_tuner.HyperModel):
        def build(self, hp: Any) -> keras.Model:
            units = [choice[0] for choice in space["model.encoder_units"]["choice"]]
            encoder = hp.Choice("model.encoder_units", units)
            decoder = hp.Choice("model.decoder_units", units) if "model.decoder_units" in space else 32
            if "training.epochs" in space:
                hp.Int("training.epochs", **space["training.epochs"]["int"])
            return build(encoder, decoder)

        def fit(self, hp: Any, model: keras.Model, *arguments: Any, **named: Any) -> Any:
            count = hp.get("training.epochs") if "training.epochs" in space else epochs
            history = model.fit(*arguments, epochs=count, batch_size=batch, **named)
            memories.append(psutil.Process().memory_info().rss)
            return history

    keras.utils.set_random_seed(0)
    default = build(read.model.encoder_units[0], read.model.decoder_units[0])
    history = default.fit(x, y, validation_data=(x_val, y_val), epochs=epochs, batch_size=batch, verbose=0)
    memories.append(psutil.Process().memory_info().rss)
    kind = keras_tuner.GridSearch if recipe["sweep"]["tuner"] == "grid" else keras_tuner.RandomSearch
    trials = recipe["sweep"]["max_trials"]
    tuner = kind(Searched(), objective="val_loss", max_trials=trials - 1, seed=1, directory="tuned")
    tuner.search(x, y, validation_data=(x_val, y_val), verbose=0)
    best = min(min(history.history["val_loss"]), tuner.oracle.get_best_trials()[0].score)
    peak = max(memories)
    return {"search": time.perf_counter() - began, "best": best, "memory": peak, "memories": memories}


if __name__ == "__main__":
    main()
