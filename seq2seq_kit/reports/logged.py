"""A result as metrics, curves and tags of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.evaluation import MODEL
from seq2seq_kit.reports.notes import headline
from seq2seq_kit.text import metric_keys

if TYPE_CHECKING:
    from seq2seq_kit.results import TrainResult


def final_metrics(result: TrainResult) -> dict[str, float]:
    """Figures of the model on val and test, of the baselines on test (on val where there is no test part), and of the fit."""
    board = result.board
    # MLflow lists metrics in alphabetical order: what answers "which is better" comes first. Without a slash: a group of charts
    # of their own would push the curves down.
    values = {"_error": board.error_of(), "_skill": board.skill}
    values["_baseline_error"] = board.error_of(board.best_baseline)
    for each in (result.val, board):
        values |= {f"{each.part}/{key}": value for key, value in each.metrics().items()}
        values[f"{each.part}/skill"] = each.skill
    peers = f"{board.part}_baselines"
    for name, own in metric_keys(board.names[1:]).items():
        values |= {f"{peers}/{own}_{key}": value for key, value in board.metrics(name).items()}
    if result.judged:
        values |= {f"{board.part}/{key}": value for key, value in result.judged.figures().items()}
        for name, own in metric_keys(list(result.judged.about)).items():
            values |= {f"{peers}/{own}_{key}": value for key, value in result.judged.figures(name).items()}
    values |= {"fit/best_epoch": float(result.fit.best_epoch), "fit/seconds": result.fit.seconds}
    if result.members:
        values |= {f"members/{key}": value for key, value in result.members.metrics().items()}
    if result.last_fit:
        values["fit/last_fit_seconds"] = result.last_fit.seconds
    if result.fit.left_out:
        values["fit/left_out"] = float(len(result.fit.left_out))
    return values | {"fit/seconds_of_the_whole_run": result.seconds}


def step_curves(result: TrainResult) -> Iterator[tuple[str, np.ndarray]]:
    """The error by output step of the model and of each baseline, with the metric's name."""
    keys = metric_keys(result.board.names[1:])
    for name, curve in result.board.curves().items():
        own = "" if name == MODEL else f"{keys[name]}_"
        yield f"{result.board.part}_by_step/{own}{result.board.headline}", curve


def final_tags(result: TrainResult) -> dict[str, str]:
    """How the fit ended, the result in a line, and each finding."""
    verb = result.bundle.verbs[0]
    tags = {
        "use": f"seq2seq-kit {verb} {result.run_id} --data new.csv --out {verb}.csv",
        "ended": result.fit.ended,
        "result": headline(result.board),
        "best_baseline": result.board.best_baseline,
        "baselines": json.dumps(result.board.baselines),
        "evaluated": f"{result.board.title}. {result.board.units} Skill compares {result.board.compares}.",
        "beats_baselines": "yes" if result.board.skill > 0 else "no",
    }
    if result.last_fit and result.last_fit.ended != "interrupted":
        tags["last_fit"] = f"all rows, epochs: {result.last_fit.best_epoch}; the figures are of the model before it"
    for finding in result.findings:
        key = f"finding.{finding.code}"
        tags[key] = f"{tags[key]} | {finding}" if key in tags else str(finding)
    return tags
