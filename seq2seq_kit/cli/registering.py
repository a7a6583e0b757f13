"""`register`: a run into MLflow's registry, if it is better; its exit status tells other programs."""

from __future__ import annotations

import argparse
from functools import partial

ABOUT = "give a run an alias in MLflow's registry, if it beats the version that has it and the baselines"
_NOT_BETTER = 3


def arguments(verb: argparse.ArgumentParser) -> None:
    """What the verb takes."""
    verb.add_argument("run", metavar="RUN", help="id of a finished run")
    verb.add_argument("--alias", required=True, metavar="ALIAS", help="such as champion")
    verb.add_argument("--name", metavar="NAME", help="of the registered model; default: the recipe's name")
    verb.add_argument("--force", action="store_true", help="register it whatever the figures say, with a note")
    verb.add_argument("--tracking-uri", help="folder or server; default: MLFLOW_TRACKING_URI, else mlruns/")


def register(options: argparse.Namespace) -> int:
    """Registers a run; 0, or 3 where it does not beat what there is."""
    from rich.console import Console

    from seq2seq_kit import registering
    from seq2seq_kit.cli.progress import print_finding, print_line, print_table

    found = registering.register(
        options.run,
        alias=options.alias,
        name=options.name,
        force=options.force,
        tracking_uri=options.tracking_uri,
        say=partial(print, flush=True),
    )
    console, tested = Console(), found.challenger
    cells = [
        [row["model"], row["version"], row["run"][:8], f"{row['error']:.6g}", f"{row['skill']:+.3f}"]
        for row in found.table().to_dict("records")
    ]
    print_table(console, ["", "version", "run", tested.compares, "skill"], cells, title=tested.evaluated, figures=False)
    for finding in found.findings:
        print_finding(console, finding)
    if not found.registered:
        left = "no version has" if found.version is None else f"version {found.version} keeps"
        print_line(console, f"not registered; {left} the alias {found.alias} of {found.name}")
        return _NOT_BETTER
    print_line(console, f"version {found.version} of {found.name} is {found.alias}: models:/{found.name}@{found.alias}")
    return 0
