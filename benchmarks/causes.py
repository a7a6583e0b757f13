"""Whether an alarm names its cause: faults of single sensors of a generated pump, found without labels.

    python benchmarks/causes.py                 # three seeds of recipes/detect_machine.yaml, about two minutes on 2 cores

A fault is found if an event shares a row with it; its cause is named if the first column of the worst such event is the sensor
that went wrong. An event that shares no row with a fault is a false alarm. Labels are read here only, after everything is fitted.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

HEAD = "| seed | faults | found | cause named first | events | false alarms | expected | seconds |"


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    options = parser.parse_args()
    from seq2seq_kit import train
    from seq2seq_kit.data import read_source

    frame = read_source("generated.machine")
    print(HEAD)
    print("| ---: " * HEAD.count(" | ") + "| ---: |")
    with tempfile.TemporaryDirectory() as store:
        for seed in options.seeds:
            overrides = [f"seed={seed}", *([f"training.epochs={options.epochs}"] if options.epochs else [])]
            result = train(ROOT / "recipes" / "detect_machine.yaml", overrides=overrides, tracking_uri=store)
            test = frame[frame.time >= frame.time.iloc[round(len(frame) * 0.75)]]
            found = result.bundle.detect(test)
            counts = judged(found.events, test)
            expected = found.detector.alarms_per_week * found.detector.units(len(test))
            print(
                f"| {seed} | " + " | ".join(map(str, counts)) + f" | {expected:.1f} | {result.seconds:.0f} |",
                flush=True,
            )


def judged(events: pd.DataFrame, frame: pd.DataFrame) -> tuple[int, int, int, int, int]:
    """Faults, those found, those whose cause is named first, events, false alarms."""
    at = frame.set_index("time")
    wrong = (at.cause != "").to_numpy()
    number = np.where(wrong, np.cumsum(wrong & ~np.roll(wrong, 1)), 0)
    worst: dict[int, tuple[float, bool]] = {}
    false = 0
    for event in events.to_dict("records"):
        rows = (at.index >= event["start"]) & (at.index <= event["end"]) & wrong
        false += not rows.any()
        for fault in np.unique(number[rows]):
            right = event["column_1"] == at.cause[number == fault].iloc[0]
            worst[fault] = max(worst.get(fault, (0.0, False)), (float(event["score"]), right))
    return number.max(), len(worst), sum(right for _, right in worst.values()), len(events), false


if __name__ == "__main__":
    main()
