"""Where a training step goes: the operations of TensorFlow's own profiler, added up.

    python benchmarks/step.py                      # the shapes `forecast` and `addition` of layers.py
    python benchmarks/step.py --shapes wide --steps 50

The kit's model and Keras' training step on one batch, a hundred times in one graph, so without the input pipeline and without
Python. Operations of one step may run at the same time, so shares can add up to more than the step.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import tensorflow as tf
from layers import machine
from peers.kit import build
from peers.shapes import SHAPES, Shape

# Where the name of an operation puts it, tried in this order.
PARTS = {"Seq2seqKitRecurrent": "kernel", "output": "output layer", "adam": "Adam", "loss": "loss"}
WITHIN = "while/body"  # what the names of a step's operations begin with


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--shapes", nargs="+", choices=[shape.name for shape in SHAPES], default=["forecast", "addition"]
    )
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--tiny", action="store_true", help="tiny models: does it run?")
    options = parser.parse_args()
    names = [*PARTS.values(), "others"]
    print("| shape | step, ms | " + " | ".join(f"{name}, ms" for name in names) + " | operations |")
    print("| --- " + "| ---: " * (len(names) + 2) + "|")
    for shape in SHAPES:
        if shape.name in options.shapes:
            whole, parts, count = profile(shape.tiny() if options.tiny else shape, options.steps)
            cells = [f"{parts[name]:.2f}" for name in names]
            print(f"| {shape.name} | {whole:.2f} | " + " | ".join(cells) + f" | {count:.0f} |", flush=True)
    print(f"\n{time.strftime('%Y-%m-%d')}, {machine()}; TensorFlow {tf.__version__}; means over {options.steps} steps.")


def profile(shape: Shape, steps: int) -> tuple[float, Counter[str], float]:
    """Milliseconds of a step, of each part of it, and the operations that it runs."""
    model = build(shape)
    model.compile("adam", "mse", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(0)
    x, y = (
        tf.constant(rng.random((shape.batch, *tensor.shape[1:])), tf.float32)
        for tensor in (model.inputs[0], model.outputs[0])
    )

    @tf.function
    def run(count: tf.Tensor) -> None:
        for _ in tf.range(count):
            model.train_step((x, y))

    run(tf.constant(5))
    with tempfile.TemporaryDirectory() as folder:
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
        with tf.profiler.experimental.Profile(folder, options=options):
            began = time.perf_counter()
            run(tf.constant(steps))
            whole = time.perf_counter() - began
        (written,) = Path(folder).rglob("*.xplane.pb")
        spent, count = added_up(written)
    return whole / steps * 1e3, Counter({name: ms / steps for name, ms in spent.items()}), count / steps


def added_up(written: Path) -> tuple[Counter[str], int]:
    """Milliseconds by part, and the number of operations, of what the profiler wrote."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2  # not public, and nothing else reads it without a browser

    space, spent, count = xplane_pb2.XSpace(), Counter[str](), 0
    space.ParseFromString(written.read_bytes())
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name
            if not name.startswith(WITHIN):
                continue
            part = next((part for word, part in PARTS.items() if word in name), "others")
            spent[part] += event.duration_ps / 1e9
            count += 1
    return spent, count


if __name__ == "__main__":
    main()
