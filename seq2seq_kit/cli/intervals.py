"""The verbs of intervals, and the options that ask a forecast for them."""

from __future__ import annotations

import argparse
import shlex

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.text import printable


def predict_options(verb: argparse.ArgumentParser) -> None:
    """What `predict` may be asked for."""
    verb.add_argument("--levels", type=float, nargs="*", metavar="PERCENT", help="intervals; default: the recipe's")
    verb.add_argument("--quantiles", action="store_true", help="quantiles by probability instead of intervals by level")
    verb.add_argument("--samples", type=int, metavar="N", help="so many sample paths instead: all steps ahead together")
    verb.add_argument("--seed", type=int, metavar="N", help="of the sample paths; default: 0")


def calibrate_options(verb: argparse.ArgumentParser) -> None:
    """What `calibrate` is told."""
    verb.add_argument("run", metavar="RUN", help="id of a run, or path of a bundle")
    verb.add_argument("--levels", type=float, nargs="+", metavar="PERCENT", required=True, help="such as 80 95")
    verb.add_argument("--data", metavar="FILE", help="rows not trained on; default: the run's own calibration part")
    verb.add_argument("--out", metavar="FOLDER", required=True, help="new folder for the model with its intervals")


def update_options(verb: argparse.ArgumentParser) -> None:
    """What `update` is told."""
    verb.add_argument("run", metavar="RUN", help="id of a run, or path of a bundle")
    verb.add_argument("--forecasts", metavar="FILE", required=True, help="what `predict` wrote, oldest forecast first")
    verb.add_argument("--data", metavar="FILE", required=True, help="rows with the actual values")
    verb.add_argument("--rate", type=float, help="how far one miss moves a level, in (0, 1); default: 0.02")
    verb.add_argument(
        "--out", metavar="FOLDER", required=True, help="new folder for the model with its moved intervals"
    )


def calibrate(options: argparse.Namespace) -> None:
    """Writes a run's model with intervals of other levels."""
    from seq2seq_kit import calibrating
    from seq2seq_kit.bundles.intervals import IntervalBundle
    from seq2seq_kit.opening import load_quietly

    bundle = load_quietly(options.run, options.tracking_uri)
    if not isinstance(bundle, IntervalBundle):
        raise ArgumentError(f"this bundle is {bundle.what}; intervals are those of forecasts", code="not_supported")
    made = calibrating.calibrate(bundle, levels=options.levels, data=options.data, out=options.out)
    assert made.intervals is not None
    print(f"calibrated on {made.intervals.windows:,} windows, written to {options.out}")
    print(printable(f"  seq2seq-kit predict {shlex.quote(options.out)} --data new.csv --out predict.csv"))


def update(options: argparse.Namespace) -> None:
    """Writes a run's model with intervals moved by what became of its forecasts."""
    from seq2seq_kit.bundles.intervals import IntervalBundle
    from seq2seq_kit.data import read_source
    from seq2seq_kit.intervals.adaptive import RATE
    from seq2seq_kit.opening import load_quietly

    bundle = load_quietly(options.run, options.tracking_uri)
    if not isinstance(bundle, IntervalBundle):
        said = f"this bundle is {bundle.what}; intervals are those of forecasts"
        raise ArgumentError(said, code="not_supported")
    forecasts = read_source(options.forecasts, texts=bundle.as_written)
    rate = RATE if options.rate is None else options.rate
    moved = bundle.update(bundle.read(options.data), forecasts=forecasts, rate=rate, origin=options.data)
    moved.save(options.out)
    said = f"{len(forecasts):,} rows of forecasts read; the intervals were moved by those whose actual values are known"
    print(printable(f"{said}, written to {options.out}"))
