"""The verbs on many files, where `--out` is a folder."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from glob import has_magic
from pathlib import Path

from seq2seq_kit.errors import ArgumentError

_ONE_FILE = {  # options of a verb that are about a single table
    "future": "--future",
    "text": "--text",
    "scores": "--scores",
    "page": "--page",
    "labels": "--labels",
    "calibrate": "--calibrate",
    "save": "--save",
    "map": "--map",
}


def take_many(verb: argparse.ArgumentParser) -> None:
    """What a verb takes where its `--out` is a folder."""
    about = "processes, where --out is a folder (a file of answers for each file of --data, one alone is shared); default: cores"
    verb.add_argument("--workers", type=int, metavar="N", help=about)
    about = "where they run; ray: on the nodes of a cluster; default: local"
    verb.add_argument("--executor", choices=["local", "ray"], help=about)
    about = "head of a Ray cluster that runs; default: one of this machine, for the call alone"
    verb.add_argument("--address", metavar="HOST:PORT", help=about)
    about = "make answers anew that stand in the folder --out already, made with other settings or not by this command"
    verb.add_argument("--overwrite", action="store_true", help=about)


def wanted(options: argparse.Namespace) -> bool:
    """Whether `--out` is a folder: it is one, ends as one, or has no ending while `--data` names several files.

    Raises:
        ArgumentError: An option of folders stands beside a file.
    """
    out, data = options.out, options.data
    several = bool(data) and (has_magic(data) or os.path.isdir(data))  # noqa: PTH112 (a Path raises for a name that is too long)
    folder = bool(out) and (
        out.endswith(("/", os.sep)) or os.path.isdir(out) or (several and not Path(out).suffix)  # noqa: PTH112
    )
    given = [name for name in ("workers", "executor", "address", "overwrite") if getattr(options, name)]
    if not folder and (given or options.workers is not None):
        option = f"--{next(iter(given), 'workers')}"
        said = f"{option} is for many files, each of which gets one of answers. Name a folder: --out answers/"
        raise ArgumentError(f"{said}; or leave it out", code="invalid_option")
    return folder


def score(verb: str, options: argparse.Namespace, asked: Mapping[str, object]) -> int:
    """Applies a verb to all files; 1 where one of them could not be scored.

    Args:
        verb: Of the bundle.
        options: Of the command line.
        asked: Keywords of the verb; those that are None were not given.
    """
    strange = [name for name in _ONE_FILE if getattr(options, name, None)]
    if strange:
        said = f"{_ONE_FILE[strange[0]]} is about one table, and --out {options.out} is a folder for many"
        raise ArgumentError(f"{said}. Leave it out, or name a file: --out answers.csv", code="invalid_option")
    from rich.console import Console

    from seq2seq_kit.bundles.exports import is_export

    if not is_export(options.run):
        from seq2seq_kit.quiet import load_tensorflow

        load_tensorflow()
    from seq2seq_kit.cli.scoring_progress import ManyConsole, print_scored
    from seq2seq_kit.scoring import score_files

    console = Console()
    with ManyConsole(console) as reporter:
        result = score_files(
            options.run,
            verb,
            options.data,
            options.out,
            workers=options.workers,
            executor=options.executor or "local",
            address=options.address,
            options={name: value for name, value in asked.items() if value is not None},
            overwrite=options.overwrite,
            tracking_uri=options.tracking_uri,
            reporter=reporter,
        )
    print_scored(console, result, options.out)
    return 1 if result.failed else 0
