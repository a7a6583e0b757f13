"""M4 Hourly: the recipe `forecast_m4_hourly` with the competition's figures, beside its baselines and published ones.

    python benchmarks/m4.py --data FOLDER                          # trains the recipe
    python benchmarks/m4.py --data FOLDER --write m4_hourly.csv    # only writes the long table that it reads

The folder has Hourly-train.csv and Hourly-test.csv of M4-methods/Dataset (github.com/Mcompetitions). The forecast starts at the
end of each training series. sMAPE is the mean over series and steps of 200 |y - f| / (|y| + |f|), MASE the mean over series of
their MAE over that of the hour a day before within the training rows (Makridakis, Spiliotis and Assimakopoulos 2020).
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pandas as pd
from layers import machine
from tables import m4_hourly

RECIPE = Path(__file__).resolve().parent.parent / "recipes" / "forecast_m4_hourly.yaml"
STEPS, DAY = 48, 24
# Of the competition's result files and of GIFT-Eval's (August 2026): sMAPE, MASE.
PUBLISHED = {
    "TiRex, zero-shot": (7.85, 0.72),
    "Chronos-2, zero-shot": (8.47, 0.79),
    "ES-RNN, the competition's winner": (9.3, 0.89),
    "seasonal naive": (13.9, 1.19),
    "PatchTST": (14.3, 1.40),
    "Keras RNN of the competition": (14.7, 3.05),
    "DeepAR": (16.4, 3.53),
    "xLSTM-Mixer": (25.4, 3.34),
}


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="where the two files are")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the long table and end")
    parser.add_argument("--series", type=int, help="only the first so many series")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes the training")
    parser.add_argument("--tracking-uri", default="mlruns")
    options = parser.parse_args()
    frame = m4_hourly(options.data)
    if options.series:
        frame = frame[frame["series"].isin(frame["series"].unique()[: options.series])].reset_index(drop=True)
    if options.write:
        frame.to_csv(options.write, index=False)
        print(f"{len(frame):,} rows written to {options.write}")
        return
    began = time.perf_counter()
    from seq2seq_kit import train
    from seq2seq_kit.tasks.forecast.bundle import ForecastBundle
    from seq2seq_kit.tasks.registry import load_recipe

    recipe = load_recipe(RECIPE, options.set)
    result = train(recipe, data=frame, tracking_uri=options.tracking_uri)
    minutes = (time.perf_counter() - began) / 60
    bundle = result.bundle
    assert isinstance(bundle, ForecastBundle)
    known = frame[frame.groupby("series").cumcount(ascending=False) >= STEPS]
    print(f"{machine()}. {minutes:.1f} minutes.\n")
    print("| forecast | sMAPE | MASE |\n|---|---:|---:|")
    for name in (None, "ridge", "seasonal naive"):
        forecast = bundle.predict(known, baseline=name)
        smape, mase = figures(frame, forecast)
        print(f"| {name or 'this recipe'} | {smape:.2f} | {mase:.3f} |")
    for name, (smape, mase) in PUBLISHED.items():
        print(f"| published: {name} | {smape:.2f} | {mase:.2f} |")


def figures(frame: pd.DataFrame, forecast: pd.DataFrame) -> tuple[float, float]:
    """sMAPE and MASE of the last steps of each series; `forecast` as of `predict`."""
    smapes, mases = [], []
    ahead = dict(list(forecast.groupby("series")))
    for name, rows in frame.groupby("series", sort=False):
        values, said = rows["value"].to_numpy(), ahead[name]["value"].to_numpy()
        past, actual = values[:-STEPS], values[-STEPS:]
        off = np.abs(actual - said)
        smapes.append(np.mean(200 * off / (np.abs(actual) + np.abs(said))))
        mases.append(off.mean() / np.abs(past[DAY:] - past[:-DAY]).mean())
    return float(np.mean(smapes)), float(np.mean(mases))


if __name__ == "__main__":
    main()
