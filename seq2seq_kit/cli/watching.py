"""`watch`: whether new rows are such as those of the training; its exit status tells other programs."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from seq2seq_kit.errors import ArgumentError

ABOUT = "compare new rows with those of the training: inputs, errors, coverage; whether to train again"
DRIFTED = 3
_SHOWN = 12


def add_watch(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds the verb; `add` takes its name, its function and what it is about."""
    verb = add("watch", watch, ABOUT)
    verb.add_argument("run", metavar="RUN", help="id of a run, or path of a bundle")
    verb.add_argument("--data", metavar="FILE", required=True, help="new rows, with ground truth where it is known")
    verb.add_argument("--out", metavar="FILE", help="write every statistic (CSV or Parquet)")
    verb.add_argument("--report", metavar="FILE", help="write a page (HTML)")
    verb.add_argument(
        "--false-alarms", type=float, default=0.05, metavar="SHARE", help="at most so many; default: 0.05"
    )
    verb.add_argument("--reference", metavar="FILE", help="usual rows, not trained on, to compare with instead")
    verb.add_argument("--save", metavar="FOLDER", help="write the model with the reference of --reference")
    verb.add_argument("--tracking-uri", help="folder or server; default: MLFLOW_TRACKING_URI, else mlruns/")


def watch(options: argparse.Namespace) -> int:
    """Compares new rows; 0, or 3 where there is an alarm."""
    from rich.console import Console

    from seq2seq_kit.cli import rows
    from seq2seq_kit.cli.progress import print_finding, print_line, print_table

    rows.check_ending(options.out)
    rows.check_page(options.report, "--report")
    if options.save and not options.reference:
        raise ArgumentError("--save writes what --reference made. Add --reference FILE", code="invalid_option")
    from seq2seq_kit.bundles.drifting import DriftBundle
    from seq2seq_kit.opening import load_quietly
    from seq2seq_kit.reports.notes import figure

    bundle = load_quietly(options.run, options.tracking_uri)
    if options.reference and isinstance(bundle, DriftBundle):
        bundle = bundle.with_reference_rows(bundle.read(options.reference), origin=options.reference)
        if options.save:
            bundle.save(options.save)
    found = bundle.watch(bundle.read(options.data), false_alarms=options.false_alarms, origin=options.data)
    console, table = Console(), found.table()
    for note in found.notes:
        print_line(console, f"note: {note}")
    cells = [
        [
            row["column"],
            row["statistic"],
            *(figure(row[key]) for key in ("usual", "now", "distance")),
            f"{row['p']:.3g}",
        ]
        for row in table.head(_SHOWN).to_dict("records")
    ]
    more = f", the {_SHOWN} farthest of {len(table)}" if len(table) > _SHOWN else ""
    print_table(console, ["column", "statistic", "usual", "now", "distance", "p"], cells, title=f"New rows{more}")
    for each in found.groups:
        print_line(
            console,
            f"{each.what}: {each.rows:,} rows beside {each.alarms.stretches} stretches, an alarm above "
            f"{figure(each.alarms.threshold)}: in at most {found.rate:g} of all cases without a change",
        )
    for finding in found.findings:
        print_finding(console, finding)
    print_line(console, found.advice)
    if options.out:
        rows.write_frame(table, options.out)
    if options.report:
        from seq2seq_kit.reports.drift_page import write_drift_page

        print_line(console, f"wrote {write_drift_page(found, options.report, title=f'Drift: {options.data}')}")
    return DRIFTED if found.drifted else 0
