"""`replay`: a run trained again, and the verdict; its exit status tells other programs."""

from __future__ import annotations

import argparse

ABOUT = "train a finished run again, and say whether the same comes out"
DIFFERENT, _INTERRUPTED = 3, 130
_REQUIRED = ["identical", "rounding", "tolerance"]


def arguments(verb: argparse.ArgumentParser) -> None:
    """What the verb takes."""
    verb.add_argument("run", metavar="RUN", help="id of a finished training or sweep")
    verb.add_argument("--data", metavar="FILE", help="rows instead of the recipe's source; they may be others")
    verb.add_argument(
        "--seeds",
        type=int,
        default=0,
        metavar="K",
        help="trainings with other seeds, where the numbers differ, to know what a seed changes; default: 0",
    )
    verb.add_argument(
        "--tolerance", type=float, metavar="SHARE", help="difference of the figures that is taken for none"
    )
    verb.add_argument(
        "--require",
        choices=_REQUIRED,
        default="tolerance",
        help="worst verdict with exit status 0; default: any but different",
    )
    verb.add_argument("--out", metavar="FILE", help="write what was compared (CSV or Parquet)")
    verb.add_argument("--tracking-uri", help="folder or server; default: MLFLOW_TRACKING_URI, else mlruns/")


def replay(options: argparse.Namespace) -> int:
    """Trains a run again; 0, or 3 where the verdict is worse than required."""
    from rich.console import Console

    from seq2seq_kit.cli import rows
    from seq2seq_kit.cli.progress import TrainingConsole, print_line, print_table
    from seq2seq_kit.quiet import load_tensorflow
    from seq2seq_kit.tracking.store import local_store

    rows.check_ending(options.out)
    local_store(options.tracking_uri)  # a place that no store can have is reported before TensorFlow is imported
    load_tensorflow()
    from seq2seq_kit import replaying

    console = Console()
    with TrainingConsole(console) as reporter:
        result = replaying.replay(
            options.run,
            data=options.data,
            seeds=options.seeds,
            tolerance=options.tolerance,
            tracking_uri=options.tracking_uri,
            reporter=reporter,
        )
    cells = [[each.what, _far(each.largest), each.said] for each in result.differences]
    print_table(console, ["", "apart", "what differs"], cells, title=f"Replay of {result.original}", figures=False)
    print_line(console, result.said)
    print_line(console, f"run {result.run_id}  {result.trained.seconds:.0f} s")
    if options.out:
        rows.write_frame(result.table(), options.out)
    if result.verdict == "interrupted":
        return _INTERRUPTED
    return 0 if result.at_least(options.require) else DIFFERENT


def _far(largest: float | None) -> str:
    if largest is None:
        return "not compared"
    return "differs" if largest == float("inf") else f"{largest:.2g}"
