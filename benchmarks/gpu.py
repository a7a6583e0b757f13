"""The kit on a GPU: which kernel is taken, speed beside plain Keras, mixed precision, and a bundle that moves to a CPU.

    python benchmarks/gpu.py

Six checks, each with its figures in Markdown, and exit code 1 if one fails. With each `training.precision`: the training graph
of a forecast holds cuDNN's operations exactly where `explain` says so; the gradients of LSTM and GRU layers are those of float32
but for rounding; the loss falls; the bundle predicts the same on a CPU (a process that sees none). Other forms of models are
trained and moved likewise. And training is within 5 % of plain Keras on the same pipeline. Without a GPU it says so and exits
with 2.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, get_args

os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # the peers of layers.py need some of the memory, too

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from seq2seq_kit import TrainResult, load, train
from seq2seq_kit.explanation import kernels_of, recurrences_of
from seq2seq_kit.models import build_encoder_decoder, keras_compat
from seq2seq_kit.models.precision import computing_in
from seq2seq_kit.recipe.fields import Precision

HERE = Path(__file__).resolve().parent
SHAPES = ("forecast", "wide", "long")
OPERATION = "CudnnRNN"
_CELLS = (keras.layers.LSTM, keras.layers.GRU)
_TOLERANCE = 0.05  # of plain Keras' speed
_APART = 1e-3  # scaled units; a GPU rounds differently
_GRADIENTS_APART = 0.2  # of their length; half precision has three digits, and a hundred steps add up what is lost
_ROWS, _EPOCHS = 8_000, 3  # the first epoch is slow: its first step is traced
_SECTION = {"time": "time", "every": "1h", "inputs": ["load"]}
# By name what a recipe has beside an autoencoder's, and the verb that is compared.
FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "autoencoder with noise": ({"model": {"noise": 0.2, "latent_dim": 8}}, "encode"),
    "variational autoencoder": ({"model": {"latent": "variational", "latent_dim": 8}}, "reconstruct"),
    "autoencoder that forecasts": ({"data": {"forecast_steps": 1, "backcast_steps": 1}}, "reconstruct"),
    "quantile forecast": (
        {
            "task": "forecast",
            "levels": [80, 95],
            "intervals": "quantile",
            "data": {"targets": ["load"], "output_steps": 6},
        },
        "predict",
    ),
}


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
    precisions = get_args(Precision)
    kernels = [check_kernel(precision) for precision in precisions]
    gradients = [check_gradients(precision) for precision in precisions]
    with tempfile.TemporaryDirectory() as folder:
        results = {precision: trained(precision, Path(folder)) for precision in precisions}
        learnt = [check_losses(precision, result) for precision, result in results.items()]
        same = [check_bundle(precision, result, Path(folder)) for precision, result in results.items()]
        forms = [check_form(name, Path(folder)) for name in FORMS]
    checks = {
        "cuDNN's kernel is taken where explain says so": all(kernels),
        "gradients are those of float32": all(gradients),
        "training learns": all(learnt),
        "the bundle predicts the same on a CPU": all(same),
        "and so do other forms": all(forms),
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


def check_kernel(precision: str) -> bool:
    """Whether the graph holds cuDNN's operations, forward and backward, where `kernels_of` says so, and none elsewhere."""
    model = forecaster()
    with computing_in(model, precision):
        found = operations(model)
    kernels = kernels_of(recurrences_of(model, precision))
    print(f"- {precision}: kernel of every layer: {kernels}; operations in the graph: {', '.join(found) or 'none'}")
    backward = [each for each in found if "Backprop" in each]
    if kernels == "cudnn":
        return 0 < len(backward) < len(found)
    return not found and precision == "mixed_bfloat16"


def check_gradients(precision: str) -> bool:
    """Whether an LSTM's and a GRU's gradients are those of Keras' loop in float32, as the kit traces a training step."""
    x = np.random.default_rng(0).normal(size=(64, 100, 1)).astype(np.float32)
    fine = []
    for cell in ("lstm", "gru"):
        keras.utils.set_random_seed(0)
        model = build_encoder_decoder(input_steps=100, output_steps=10, input_features=1, cell=cell)
        # On a GPU float32 alone takes cuDNN's kernel; the reference is Keras' loop.
        with keras_compat.without_cudnn([layer for layer in model.layers if isinstance(layer, _CELLS)]):
            exact = _gradients(model, x, "float32")
        far = max(_apart(a, b) for a, b in zip(_gradients(model, x, precision), exact, strict=True))
        print(f"- {precision}: gradients of {cell} layers differ from float32's by at most {far:.1e} of their length")
        fine.append(far < _GRADIENTS_APART)
    return all(fine)


def _gradients(model: keras.Model, x: np.ndarray, precision: str) -> list[np.ndarray]:
    with computing_in(model, precision), tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(tf.cast(model(x, training=True), tf.float32) - 0.5))
    return [tf.cast(gradient, tf.float32).numpy() for gradient in tape.gradient(loss, model.trainable_variables)]


def _apart(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def hours() -> pd.DataFrame:
    """A wave with noise."""
    times = pd.date_range("2024-01-01", periods=_ROWS, freq="h")
    noise = np.random.default_rng(0).normal(size=_ROWS)
    return pd.DataFrame({"time": times, "load": 30 * np.sin(np.arange(_ROWS) / 4) + noise})


def trained(precision: str, folder: Path) -> TrainResult:
    """A forecast of `hours`, trained by recipe."""
    recipe: dict[str, Any] = {
        "task": "forecast",
        "name": "gpu_check",
        "data": _SECTION | {"targets": ["load"], "input_steps": 100, "output_steps": 10},
        "model": {"linear_skip": False},  # which would start as the ridge forecast, so that nothing is left to learn
        "training": {"epochs": _EPOCHS, "precision": precision},
    }
    return train(recipe, data=hours(), tracking_uri=str(folder / "runs"))


def check_form(name: str, folder: Path) -> bool:
    """Whether another form of model learns on the GPU and gives the same on a CPU."""
    changes, verb = FORMS[name]
    data = _SECTION | {"input_steps": 48} | changes.get("data", {})
    recipe = {"task": "autoencode", "name": "gpu_form", "training": {"epochs": _EPOCHS}} | changes | {"data": data}
    result = train(recipe, data=hours(), tracking_uri=str(folder / "forms"))
    losses = [epoch.val_loss for epoch in result.fit.history]
    apart = _apart_from_cpu(result, verb, folder / name.replace(" ", "_"))
    print(
        f"- {name}: validation loss {losses[0]:.4f}, then {losses[-1]:.4f}; `{verb}` there and on a CPU differ by {apart:.1e}"
    )
    return losses[-1] < losses[0] and apart < _APART


def check_losses(precision: str, result: TrainResult) -> bool:
    """Whether the loss fell; one that is not finite has ended the training with an error before."""
    first, *_, last = result.fit.history
    print(
        f"- {precision}: loss {first.loss:.4f}, after {_EPOCHS} epochs {last.loss:.4f} (validation {last.val_loss:.4f}), "
        f"{last.sequences_per_second:,.0f} sequences/s"
    )
    return last.loss < first.loss


def check_bundle(precision: str, result: TrainResult, folder: Path) -> bool:
    """Whether what was trained here predicts the same in a process without a GPU."""
    apart = _apart_from_cpu(result, "predict", folder / precision, all_windows=True)
    print(f"- {precision}: predictions on the GPU and on a CPU differ by at most {apart:.1e} standard deviations")
    return apart < _APART


def _apart_from_cpu(result: TrainResult, verb: str, folder: Path, **options: bool) -> float:
    """Largest difference between a verb's numbers here and in a process without a GPU, in standard deviations of each column."""
    script = (
        "import sys, json, pandas as pd; from seq2seq_kit import load; import tensorflow as tf; "
        "assert not tf.config.list_physical_devices('GPU'); "
        "found = getattr(load(sys.argv[1]), sys.argv[4])(pd.read_parquet(sys.argv[2]), **json.loads(sys.argv[5])); "
        "found.to_parquet(sys.argv[3])"
    )
    saved = result.bundle.save(folder)
    rows, there = folder.with_suffix(".rows"), folder.with_suffix(".there")
    hours().to_parquet(rows)
    # TensorFloat-32, TensorFlow's default for products of matrices on newer cards, has three digits; a CPU has none of it.
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    here = getattr(load(saved), verb)(hours(), **options).select_dtypes("float")
    tf.config.experimental.enable_tensor_float_32_execution(before)
    paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    words = [str(saved), str(rows), str(there), verb, json.dumps(options)]
    subprocess.run([sys.executable, "-c", script, *words], check=True, env=environment)
    return float((np.abs(here - pd.read_parquet(there)[here.columns]).max() / here.std()).max())


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
    ran = subprocess.run([*command, "--shapes", *SHAPES], capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"layers.py ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}")
    print(f"\n{ran.stdout}")
    ratios = ratios_of(ran.stdout, "kit / keras_data")
    print(f"- kit / keras_data in training: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
    return bool(ratios) and min(ratios) >= 1 - _TOLERANCE


def ratios_of(text: str, column: str) -> list[float]:
    """A column of the first Markdown table that has it."""
    lines = iter(text.splitlines())
    head = next((found for found in map(_cells, lines) if column in found), None)
    if head is None:
        return []
    rows = takewhile(lambda line: line.startswith("|"), islice(lines, 1, None))  # the first is the rule below the head
    return [float(_cells(row)[head.index(column)]) for row in rows]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


if __name__ == "__main__":
    main()
