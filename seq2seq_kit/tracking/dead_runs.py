"""Runs whose process was killed: MLflow has them RUNNING for ever; the kit's next command closes them.

Each run that the kit starts or opens again is marked with its process. Only processes of this machine, since its last boot, are
judged: of others nothing is known.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from seq2seq_kit.processes import began, is_alive, machine

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_MACHINE, _PROCESS, _BEGAN = "process.machine", "process.id", "process.began"


def process_tags() -> dict[str, str]:
    """Which process writes a run."""
    return {_MACHINE: machine(), _PROCESS: str(os.getpid()), _BEGAN: f"{began():.2f}"}


def is_dead(tags: Mapping[str, str]) -> bool:
    """Whether the process of a run is known to have ended."""
    if tags.get(_MACHINE) != machine():
        return False
    try:
        return not is_alive(int(tags[_PROCESS]), float(tags[_BEGAN]))
    except (KeyError, ValueError):
        return False


def close_dead(client: MlflowClient, run: Run) -> None:
    """Marks a run KILLED and says what was saved of it: its epochs, and its best one so far."""
    run_id, tags = run.info.run_id, run.data.tags
    losses = client.get_metric_history(run_id, "epoch/val_loss")
    if losses and "result" not in tags:
        best = min(losses, key=lambda each: each.value)
        last = max(each.step for each in losses)
        text = f"killed in epoch {last + 1}; best val_loss {best.value:.5g} at epoch {best.step}"
        client.set_tag(run_id, "result", text)
    client.set_tag(run_id, "error", f"its process {tags[_PROCESS]} was killed")
    client.set_terminated(run_id, status="KILLED")
