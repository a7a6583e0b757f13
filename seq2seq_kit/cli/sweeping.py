"""The options of `sweep`."""

import argparse


def add_sweep_options(verb: argparse.ArgumentParser) -> None:
    """How many trials at a time and where, and what else the verb does."""
    verb.add_argument("--workers", type=int, help="trials in parallel, each in its own process; default: the cores")
    said = "where trials run; default: sweep.executor of the recipe"
    verb.add_argument("--executor", choices=["local", "ray"], help=said)
    said = "head of a Ray cluster that runs; default: one of this machine, for the sweep alone"
    verb.add_argument("--address", metavar="HOST:PORT", help=said)
    which = verb.add_mutually_exclusive_group()
    which.add_argument("--resume", metavar="RUN", help="resume the sweep of this run")
    which.add_argument("--best", metavar="RUN", help="write the best recipe of the sweep of this run")
    verb.add_argument("--out", metavar="FILE", help="file that --best writes; default: standard output")
