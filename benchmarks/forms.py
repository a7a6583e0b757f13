"""Forms of an autoencoder on generated series with injected faults, which stand among the training rows, too.

    python benchmarks/forms.py                     # three seeds, about ten minutes on 2 cores
    python benchmarks/forms.py --seeds 1 --rows 1500 --epochs 2

Two columns of a machine with a daily and a weekly rhythm; a fault replaces half a day to a day and a half of both by a level and
a ramp of its own. A share of the training rows is of faults of the same kind as those of the test rows. What is shown is the area
under the precision-recall curve of the rows' errors (mean over columns of the absolute error, the median over the windows that
reach a row) against the injected rows of the test part, mean and spread over seeds; no label is used for anything else. A random
score gets the share of the faulty rows, about 0.05.
"""

import argparse

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from seq2seq_kit import parse_recipe
from seq2seq_kit.anomalies.row_errors import row_errors
from seq2seq_kit.tasks import open_job
from seq2seq_kit.training.fit import seed_everything

FORMS: dict[str, dict[str, object]] = {
    "plain": {},
    "plain, leave_out 0.02": {"training.leave_out": 0.02},
    "plain, leave_out 0.05": {"training.leave_out": 0.05},
    "plain, leave_out 0.1": {"training.leave_out": 0.1},
    "plain, leave_out 0.2": {"training.leave_out": 0.2},
    "noise 0.2": {"model.noise": 0.2},
    "variational": {"model.latent": "variational", "model.kl_warmup": 5},
    "forecast 1, backcast 1": {"data.forecast_steps": 1, "data.backcast_steps": 1},
    "the same, leave_out 0.2": {"data.forecast_steps": 1, "data.backcast_steps": 1, "training.leave_out": 0.2},
}


def machine(rows: int, share: float, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of an hour, and which of them are of a fault; none lie in the validation part, which is from 60 to 75 %."""
    hour = np.arange(rows)
    day, week = np.sin(2 * np.pi * hour / 24), np.sin(2 * np.pi * hour / 168)
    load = 50 + 10 * day + 4 * week + rng.normal(scale=1.0, size=rows)
    heat = 20 + 3 * np.roll(day, 3) - 2 * week + rng.normal(scale=0.4, size=rows)
    faulty = np.zeros(rows, dtype=bool)
    for first, end, part in ((0, int(0.6 * rows), share), (int(0.75 * rows), rows, 0.05)):
        while faulty[first:end].mean() < part:
            length = int(rng.integers(12, 36))
            at = int(rng.integers(first, end - length))
            faulty[at : at + length] = True
            load[at : at + length] = 44 + rng.normal(scale=1.0, size=length)
            heat[at : at + length] = 17 + 6 * np.linspace(0, 1, length) + rng.normal(scale=0.4, size=length)
    times = pd.date_range("2024-01-01", periods=rows, freq="h")
    return pd.DataFrame({"time": times, "load": load, "heat": heat}), faulty


def precision(form: dict[str, object], frame: pd.DataFrame, faulty: np.ndarray, *, epochs: int, seed: int) -> float:
    """The area under the precision-recall curve of the test rows."""
    data = {"time": "time", "every": "1h", "inputs": ["load", "heat"], "input_steps": 24}
    data |= {"split": {"val": 0.15, "test": 0.25}}
    recipe = {
        "task": "autoencode",
        "seed": seed,
        "data": data,
        "model": {"encoder_units": [32], "decoder_units": [32], "latent_dim": 6},
        "training": {"epochs": epochs, "patience": None, "learning_rate": 0.003},
    }
    for key, value in form.items():
        section, name = key.split(".")
        recipe[section][name] = value
    job = open_job(parse_recipe(recipe), frame)
    seed_everything(seed, deterministic=False)
    model = job.make()
    job.fit(model, [])
    bundle = job.bundle(model, {}, peers=False)
    found = row_errors(bundle.forecast, job.prepared, "test")
    at = pd.Index(frame["time"]).get_indexer(found.labels["time"])
    return float(average_precision_score(faulty[at], np.abs(found.errors).mean(axis=1)))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--shares", type=float, nargs="*", default=[0.0, 0.05])
    parser.add_argument("--forms", nargs="*", default=list(FORMS), choices=list(FORMS))
    options = parser.parse_args()
    print("| form | " + " | ".join(f"faults in {share:.0%} of the training rows" for share in options.shares) + " |")
    print("| --- |" + " ---: |" * len(options.shares))
    for form in options.forms:
        cells = []
        for share in options.shares:
            scores = []
            for seed in range(options.seeds):
                frame, faulty = machine(options.rows, share, np.random.default_rng(seed))
                scores.append(precision(FORMS[form], frame, faulty, epochs=options.epochs, seed=seed))
            cells.append(f"{np.mean(scores):.3f} ({min(scores):.3f} to {max(scores):.3f})")
        print(f"| {form} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
