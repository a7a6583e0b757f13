"""Training sequences per second of one model by 1, 2, ... workers (`training.workers`), the same batches on each.

    python benchmarks/workers.py                     # hourly traffic, 100 -> 10 steps: 1 and 2 workers, three rounds
    python benchmarks/workers.py --units 256         # wider layers, whose steps take longer
    python benchmarks/workers.py --workers 1 2 4

One worker is the usual fit in one process, which computes in as many threads as the machine has cores; N workers
compute in as many threads together. The fits alternate. The first epoch of each, in which it traces its graph, is left out;
what is told is the median over the others of all rounds (smallest to largest), without validation. The losses of the last
epoch stand beside it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from sweep import RECIPE as SWEEP

RECIPE: dict[str, Any] = {
    "task": "forecast",
    "name": "workers_benchmark",
    "data": SWEEP["data"],
    "model": {"encoder_units": [64], "decoder_units": [64], "linear_skip": False},
    "training": {"learning_rate": 1e-3, "batch_size": 64, "epochs": 4, "patience": None},
}


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--units", type=int, default=64, help="of encoder and decoder")
    parser.add_argument("--batch", type=int, default=64, help="of all workers together")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    recipe = RECIPE | {"model": RECIPE["model"] | {"encoder_units": [options.units], "decoder_units": [options.units]}}
    training = RECIPE["training"] | {"batch_size": options.batch, "epochs": options.epochs}
    speeds: dict[int, list[float]] = {workers: [] for workers in options.workers}
    losses: dict[int, float] = {}
    for _ in range(options.rounds):
        for workers in options.workers:
            fitted = fit(recipe | {"training": training | {"workers": workers}})
            speeds[workers] += [epoch.sequences_per_second for epoch in fitted.history[1:]]
            losses[workers] = fitted.history[-1].loss
    print("| workers | sequences/s: median (range) | times one worker | loss of the last epoch |")
    print("| ---: | ---: | ---: | ---: |")
    first = statistics.median(speeds[options.workers[0]])
    for workers, found in speeds.items():
        middle = statistics.median(found)
        told = f"{middle:,.0f} ({min(found):,.0f} to {max(found):,.0f})"
        print(f"| {workers} | {told} | {middle / first:.2f} | {losses[workers]:.7f} |")


def fit(recipe: dict[str, Any]) -> Any:
    """A fit of the recipe without run, evaluation and figures."""
    from seq2seq_kit.tasks import open_job
    from seq2seq_kit.tasks.digest import digest_of
    from seq2seq_kit.tasks.members_apart import fitting
    from seq2seq_kit.training.checkpoint import Checkpoint
    from seq2seq_kit.training.fit import seed_everything
    from seq2seq_kit.validation import resolve

    job = open_job(resolve(recipe))
    seed_everything(job.recipe.seed, deterministic=False)
    together = fitting(job, data=None, digest=digest_of(job.source, job.columns), workers=1)
    with tempfile.TemporaryDirectory() as folder:
        return together(job, job.make(), [], Checkpoint(Path(folder)))


if __name__ == "__main__":
    main()
