"""Training and inference of recurrent models: the kit beside plain Keras, PyTorch and Keras on JAX.

    python benchmarks/layers.py                              # everything, about twenty-five minutes on 2 cores
    python benchmarks/layers.py --shapes forecast gru --rounds 3
    python benchmarks/layers.py --quick --peers kit keras    # tiny models: does it run?
    python benchmarks/layers.py --check                      # kit and Keras reach the same loss from the same weights

PyTorch and JAX are no dependencies of the kit. They may live in environments of their own:

    python -m venv ~/torch && ~/torch/bin/pip install torch==2.13.0 numpy
    python -m venv ~/jax && ~/jax/bin/pip install keras==3.15.1 'jax[cpu]' numpy
    python benchmarks/layers.py --torch-python ~/torch/bin/python --jax-python ~/jax/bin/python

Each peer and shape is a process of its own (`peers/worker.py`). They take turns: in each round every peer trains one epoch while
the others wait. An epoch is one of a long `fit`, from its beginning to the beginning of the next, so what Keras does at the end
of an epoch belongs to it. `keras_data` is Keras on a `tf.data` pipeline without autotuning: where it is much faster than `keras`,
the difference is what autotuning costs, not the layers. Then the peers take turns in predicting: the kit as a bundle does, each
of the others in batches of 32, 128, 512 or 1,024, whatever it is fastest with. The first step is timed before: `fit` of one batch
by a fresh model, tracing and compiling included, imports not. Memory is the largest resident set of the whole process.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from peers.shapes import INFERENCE_EPOCHS, SHAPES, Shape
from peers.worker import PEERS

HERE = Path(__file__).resolve().parent
PACKAGES = {"kit": "tensorflow", "keras": "tensorflow", "keras_data": "tensorflow", "torch": "torch", "jax": "jax"}
_BUSY = 10.0  # percent of the processors that may be busy while every peer waits; OpenMP loses most to a busy neighbour


@dataclass
class Result:
    """What was measured of one peer at one shape.

    Attributes:
        first: Seconds to the end of the first step.
        peak: Largest resident set, bytes.
        training: Sequences a second of each round.
        inference: Sequences a second of each round.
        versions: Packages that the figures depend on.
    """

    first: float = math.nan
    peak: int = 0
    training: list[float] = field(default_factory=list)
    inference: list[float] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)


class Worker:
    """A process that works when it is told to."""

    def __init__(self, peer: str, shape: Shape, python: str) -> None:
        self.peer = peer
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed with the process)
        # Peers wait for their turn side by side: on a GPU none may take all of its memory.
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        paths = [str(HERE.parent)] if peer == "kit" else []
        environment["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH", "")])])
        command = [python, str(HERE / "peers" / "worker.py"), "--peer", peer, "--shape", json.dumps(asdict(shape))]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True, env=environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.process.kill()
        self.process.communicate()
        self.said.close()

    def ask(self, word: str = "") -> dict[str, Any]:
        """Says a word and waits for the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if word:
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.said.seek(0)
            raise SystemExit(f"{self.peer} ended with {self.process.wait()} at {word!r}:\n{self.said.read()[-3000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main() -> None:
    """Prints the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=[shape.name for shape in SHAPES], metavar="NAME", default=[])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--rounds", type=int, default=0, help="default: 5, with --quick 2")
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter that can import torch")
    parser.add_argument("--jax-python", default=sys.executable, help="an interpreter that can import keras and jax")
    parser.add_argument("--quick", action="store_true", help="tiny models; the figures mean nothing")
    parser.add_argument("--check", action="store_true", help="compare losses of kit and Keras instead of speeds")
    parser.add_argument("--steps", type=int, default=20, help="training steps of --check")
    options = parser.parse_args()
    shapes = [shape for shape in SHAPES if not options.shapes or shape.name in options.shapes]
    shapes = [shape.tiny() for shape in shapes] if options.quick else shapes
    if options.check:
        report_check(shapes, options.steps)
        return
    pythons = {"torch": options.torch_python, "jax": options.jax_python}
    peers, missing = {}, []
    for peer in options.peers:
        python = pythons.get(peer, sys.executable)
        if has(python, PACKAGES[peer]):
            peers[peer] = python
        else:
            missing.append(peer)
    if not peers:
        raise SystemExit(f"nothing to measure: no interpreter can import {', '.join(missing)}")
    rounds = options.rounds or (2 if options.quick else 5)
    found, busy = {}, {}
    for shape in shapes:
        found[shape.label], busy[shape.label] = measure(shape, peers, rounds)
        report_progress(shape, found[shape.label])
    report_speeds("Training", "training", found, list(peers))
    report_speeds("Inference", "inference", found, list(peers))
    report_costs(found, list(peers))
    report_machine(found, missing, rounds, busy)


def has(python: str, package: str) -> bool:
    """Whether an interpreter finds a package."""
    question = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    try:
        return subprocess.run([python, "-c", question], check=False).returncode == 0
    except OSError as error:
        raise SystemExit(f"{python} must be a Python interpreter. Received: {error}") from None


def measure(shape: Shape, peers: dict[str, str], rounds: int) -> tuple[dict[str, Result], float]:
    """All peers at one shape; and the largest share of the processors that was busy while all of them waited, percent."""
    import psutil

    busy = 0.0
    results = {peer: Result() for peer in peers}
    with ExitStack() as open_workers:
        workers: dict[str, Worker] = {}
        for peer, python in peers.items():
            workers[peer] = open_workers.enter_context(Worker(peer, shape, python))
            results[peer].versions = workers[peer].ask()["versions"]
            results[peer].first = workers[peer].ask("first")["seconds"]
        counts = {"training": shape.sequences, "inference": INFERENCE_EPOCHS * shape.sequences}
        for word, (speeds, count) in zip(("train", "infer"), counts.items(), strict=True):
            for number in range(rounds + 1):
                # Every other round goes the other way round, so that nobody always follows the same one.
                for peer in list(peers)[:: 1 if number % 2 else -1]:
                    seconds = workers[peer].ask(word)["seconds"]
                    if number:  # the first one warms up
                        getattr(results[peer], speeds).append(count / seconds)
                busy = max(busy, psutil.cpu_percent(0.5))
        for peer, worker in workers.items():
            results[peer].peak = worker.ask("end")["peak"]
    return results, busy


def report_progress(shape: Shape, results: dict[str, Result]) -> None:
    """Medians so far, for who waits."""
    medians = {peer: round(statistics.median(result.training)) for peer, result in results.items()}
    print(f"{time.strftime('%H:%M:%S')} {shape.label}: {medians}", file=sys.stderr, flush=True)


def report_speeds(title: str, what: str, found: dict[str, dict[str, Result]], peers: list[str]) -> None:
    """A table of speeds, and how many times faster the kit is than each of the others."""
    others = [peer for peer in peers if peer != "kit"] if "kit" in peers else []
    print(f"\n{title}, sequences/s: median (range)\n")
    columns = ["shape", *peers, *(f"kit / {peer}" for peer in others)]
    print("| " + " | ".join(columns) + " |")
    print("| --- |" + " ---: |" * (len(columns) - 1))
    ratios: dict[str, list[float]] = {peer: [] for peer in others}
    for label, results in found.items():
        medians = {peer: statistics.median(getattr(results[peer], what)) for peer in peers}
        cells = [spread(getattr(results[peer], what)) for peer in peers]
        for peer in others:
            ratios[peer].append(medians["kit"] / medians[peer])
            cells.append(f"{ratios[peer][-1]:.2f}")
        print(f"| {label} | " + " | ".join(cells) + " |")
    for peer, values in ratios.items():
        print(
            f"\n{title}, kit / {peer}: geometric mean {statistics.geometric_mean(values):.2f}, least {min(values):.2f}"
        )


def report_costs(found: dict[str, dict[str, Result]], peers: list[str]) -> None:
    """A table of what comes before the first step, and of memory."""
    print("\nTime to the first step, s, and peak memory, MB\n")
    columns = ["shape", *(f"{peer}, s" for peer in peers), *(f"{peer}, MB" for peer in peers)]
    print("| " + " | ".join(columns) + " |")
    print("| --- |" + " ---: |" * (len(columns) - 1))
    for label, results in found.items():
        cells = [f"{results[peer].first:.2f}" for peer in peers]
        cells += [f"{results[peer].peak / 1e6:,.0f}" for peer in peers]
        print(f"| {label} | " + " | ".join(cells) + " |")


def report_machine(
    found: dict[str, dict[str, Result]], missing: list[str], rounds: int, busy: dict[str, float]
) -> None:
    """Where, when and with what; and what a reader should know before believing a figure."""
    versions: dict[str, str] = {}
    for results in found.values():
        for result in results.values():
            versions |= result.versions
    words = ", ".join(f"{name} {number}" for name, number in versions.items())
    print(f"\n{time.strftime('%Y-%m-%d')}, {machine()}; {words}; {rounds} rounds.")
    if missing:
        print(f"Left out, because no interpreter was given that can import them: {', '.join(missing)}.")
    disturbed = {label: share for label, share in busy.items() if share > _BUSY}
    if disturbed:
        shares = ", ".join(f"{share:.0f} % at {label}" for label, share in disturbed.items())
        print(f"The machine was busy with other work while every peer waited (do not trust these figures): {shares}.")


def machine() -> str:
    """Processor, cores and the vector instructions that matter."""
    facts: dict[str, str] = {}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), value.strip())
    flags = facts.get("flags", "").split()
    vectors = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_tile") if name in flags]
    words = [f"{os.cpu_count()} cores", facts.get("model name", platform.processor() or platform.machine())]
    return f"{', '.join(words)} ({', '.join(vectors) or 'vector instructions not known'})"


def report_check(shapes: list[Shape], steps: int) -> None:
    """A table of losses; an error if they differ."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.path.insert(0, str(HERE.parent))
    from peers.check import check

    print("| shape | steps | loss, kit | loss, Keras | relative difference | largest difference of a weight |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    differ = []
    for shape in shapes:
        row, same = check(shape, steps)
        print(row, flush=True)
        differ += [] if same else [shape.name]
    if differ:
        raise SystemExit(f"kit and Keras do not do the same work at: {', '.join(differ)}")


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def resident(which: str) -> int:
    """Bytes of this process' resident set: `VmRSS` now, `VmHWM` the largest so far."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(which):
            return int(line.split()[1]) * 1024
    raise SystemExit("memory is read from /proc/self/status, which this system does not have")


if __name__ == "__main__":
    main()
