"""An exported forecast beside the bundle: size of the file, one window on ONNX Runtime with one thread, largest difference.

    python benchmarks/export.py                # trains forecast_traffic first: half a minute on 2 quiet cores
    python benchmarks/export.py --run RUN      # of a run, or of a bundle's folder

`model.onnx` gets rows in original units and gives rows in original units; `network.onnx` and `bundle.forward` get and give
scaled arrays. They take turns of fifty calls on the same window. The process has one thread for each of the two libraries.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= dict.fromkeys(["TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"], "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from predict import timed

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Prints the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="a run, or a bundle's folder; default: train recipes/forecast_traffic.yaml")
    parser.add_argument("--calls", type=int, default=1_000, help="timed windows of each kind")
    options = parser.parse_args()
    from seq2seq_kit import load, train

    with tempfile.TemporaryDirectory() as folder:
        if options.run:
            bundle: Any = load(options.run)
        else:
            recipe = ROOT / "recipes" / "forecast_traffic.yaml"
            bundle = train(str(recipe), tracking_uri=f"{folder}/mlruns").bundle
        report(bundle, Path(folder), options.calls)


def report(bundle: Any, folder: Path, calls: int) -> None:
    """Sizes, differences and times of a bundle of windows."""
    began = time.perf_counter()
    done = bundle.export(folder / "exported")
    took = time.perf_counter() - began
    for note in done.notes:
        print(f"note: {note}")
    print(f"exported and compared in {took:.1f} s\n")
    print("| graph | bytes | windows compared | largest difference, the output's units | over the scale |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, parity in done.parity.items():
        size = f"{done.bytes[name]:,} | {parity.compared:,}"
        print(f"| `{name}.onnx` | {size} | {parity.absolute:.2g} | {parity.relative:.1e} |")
    golden = np.load(folder / "exported" / "golden.npz")
    inputs = {name: inputs_of(golden, name) for name in ("model", "network")}
    kinds = {
        "`model.onnx`, original units": session(folder / "exported" / "model.onnx", inputs["model"]),
        "`network.onnx`, scaled": session(folder / "exported" / "network.onnx", inputs["network"]),
        "`bundle.forward`, scaled": lambda: bundle.forward(inputs["network"]),
    }
    print("\n| one window, ms | 10 % below | median | 90 % below |\n| --- | ---: | ---: | ---: |")
    for name, times in timed(kinds, calls).items():
        tenths = statistics.quantiles(times, n=10)
        print(f"| {name} | {tenths[0]:.3f} | {statistics.median(times):.3f} | {tenths[-1]:.3f} |")


def inputs_of(golden: Any, name: str) -> list[np.ndarray]:
    """The first golden window of a graph."""
    places = sorted(key for key in golden if key.startswith(f"{name}_input_"))
    return [golden[place][:1] for place in places]


def session(file: Path, inputs: list[np.ndarray]) -> Callable[[], object]:
    """One run of a graph with one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    made = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    given = dict(zip([each.name for each in made.get_inputs()], inputs, strict=True))
    return lambda: made.run(None, given)


if __name__ == "__main__":
    main()
