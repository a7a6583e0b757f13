"""The kit on a GPU: which kernel is taken, speed beside plain Keras, mixed precision, and a bundle that moves to a CPU.

    python benchmarks/gpu.py

Four checks, each with its figures in Markdown, and exit code 1 if one fails: the training graph of a forecast holds cuDNN's
operations; training is within 5 % of plain Keras on the same pipeline; with `mixed_float16` the loss stays finite; a bundle
trained here predicts the same on a CPU (a process that sees no GPU). Without a GPU it says so and exits with 2.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from seq2seq_kit.explanation import recurrences_of, ways_of
from seq2seq_kit.models import build_encoder_decoder

HERE = Path(__file__).resolve().parent
SHAPES = ("forecast", "wide", "long")
OPERATION = "CudnnRNN"
_TOLERANCE = 0.05  # of plain Keras' speed
_APART = 1e-3  # scaled units; a GPU rounds differently
_STEPS = 60


def main() -> None:
    """Runs the checks and prints what they found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        print("TensorFlow sees no GPU here; nothing was checked", file=sys.stderr)
        raise SystemExit(2)
    name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    print(f"{name}, TensorFlow {tf.__version__}, Keras {keras.version()}\n", flush=True)
    checks = {
        "cuDNN's kernel is taken": check_kernel(),
        "mixed precision": check_mixed(),
        "the bundle predicts the same on a CPU": check_bundle(),
        "within 5 % of plain Keras": check_speed(options.rounds),
    }
    print("\n| check | result |\n| --- | --- |")
    for check, fine in checks.items():
        print(f"| {check} | {'yes' if fine else '**no**'} |")
    raise SystemExit(0 if all(checks.values()) else 1)


def forecaster() -> keras.Model:
    """LSTM(64) -> RepeatVector(10) -> LSTM(64), ready to fit."""
    keras.utils.set_random_seed(0)
    model = build_encoder_decoder(input_steps=100, output_steps=10, input_features=1)
    model.compile("adam", "mse", jit_compile=False)
    return model


def operations(model: keras.Model) -> list[str]:
    """Names of cuDNN's operations in a training step's graph, functions within it included."""

    @tf.function
    def step(x: tf.Tensor, y: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.cast(model(x, training=True), tf.float32) - y))
        gradients: list[tf.Tensor] = tape.gradient(loss, model.trainable_variables)
        return gradients

    graph = step.get_concrete_function(tf.TensorSpec((64, 100, 1)), tf.TensorSpec((64, 10, 1))).graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return [node.op for node in nodes if node.op.startswith(OPERATION)]


def check_kernel() -> bool:
    """Whether the graph holds cuDNN's operations, forward and backward."""
    model = forecaster()
    found = operations(model)
    print(
        f"- way of every layer: {ways_of(recurrences_of(model))}; operations in the graph: {', '.join(found) or 'none'}"
    )
    return any("Backprop" in each for each in found) and any("Backprop" not in each for each in found)


def check_mixed() -> bool:
    """Trains some steps in half precision, with single precision beside it."""
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.normal(size=(64 * _STEPS, 100, 1)), axis=1).astype(np.float32) / 10
    y = x[:, -10:]
    losses, speeds = {}, {}
    for policy in ("float32", "mixed_float16"):
        keras.mixed_precision.set_global_policy(policy)
        try:
            model = forecaster()
            model.fit(x[:64], y[:64], batch_size=64, verbose=0)
            began = time.perf_counter()
            losses[policy] = model.fit(x, y, batch_size=64, epochs=2, verbose=0).history["loss"][-1]
            speeds[policy] = 2 * len(x) / (time.perf_counter() - began)
        finally:
            keras.mixed_precision.set_global_policy("float32")
    for policy, loss in losses.items():
        print(f"- {policy}: loss {loss:.4f} after {2 * _STEPS} steps, {speeds[policy]:,.0f} sequences/s")
    return all(np.isfinite(loss) for loss in losses.values())


def check_bundle() -> bool:
    """Trains a small recipe here and predicts here and in a process without a GPU."""
    from seq2seq_kit import train

    times = pd.date_range("2024-01-01", periods=2_000, freq="h")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"time": times, "load": 30 * np.sin(np.arange(2_000) / 4) + rng.normal(size=2_000)})
    section = {"time": "time", "every": "1h", "inputs": ["load"], "targets": ["load"], "input_steps": 48}
    recipe = {"task": "forecast", "name": "gpu_check", "data": section | {"output_steps": 6}, "training": {"epochs": 2}}
    script = (
        "import sys, pandas as pd; from seq2seq_kit import load; import tensorflow as tf; "
        "assert not tf.config.list_physical_devices('GPU'); "
        "load(sys.argv[1]).predict(pd.read_parquet(sys.argv[2]), all_windows=True).to_parquet(sys.argv[3])"
    )
    with tempfile.TemporaryDirectory() as folder:
        bundle = train(recipe, data=frame, tracking_uri=f"{folder}/runs").bundle
        saved = bundle.save(f"{folder}/bundle")
        frame.to_parquet(f"{folder}/rows.parquet")
        here = bundle.predict(frame, all_windows=True)
        paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        arguments = [str(saved), f"{folder}/rows.parquet", f"{folder}/there.parquet"]
        subprocess.run([sys.executable, "-c", script, *arguments], check=True, env=environment)
        there = pd.read_parquet(f"{folder}/there.parquet")
    apart = float(np.abs(here["load"] - there["load"]).max() / frame["load"].std())
    print(
        f"- predictions of {len(here):,} steps on the GPU and on a CPU differ by at most {apart:.1e} standard deviations"
    )
    return apart < _APART


def check_speed(rounds: int) -> bool:
    """`layers.py` with the kit, plain Keras, and Keras on the kit's kind of pipeline."""
    command = [
        sys.executable,
        str(HERE / "layers.py"),
        "--peers",
        "kit",
        "keras",
        "keras_data",
        "--rounds",
        str(rounds),
    ]
    ran = subprocess.run([*command, "--shapes", *SHAPES], capture_output=True, text=True, check=True)
    print(f"\n{ran.stdout}")
    ratios = ratios_of(ran.stdout, "kit / keras_data")
    print(f"- kit / keras_data in training: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
    return bool(ratios) and min(ratios) >= 1 - _TOLERANCE


def ratios_of(text: str, column: str) -> list[float]:
    """A column of the first Markdown table that has it."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    head = next((position for position, cells in enumerate(lines) if column in cells), None)
    if head is None:
        return []
    place = lines[head].index(column)
    found = []
    for cells in lines[head + 2 :]:
        if len(cells) != len(lines[head]) or cells[0].startswith("geometric"):
            break
        found.append(float(cells[place]))
    return found


if __name__ == "__main__":
    main()
