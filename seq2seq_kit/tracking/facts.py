"""What a finished training left in MLflow, as far as another one can be compared with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.bundles.files import read_golden
from seq2seq_kit.errors import ArgumentError, TrackingError
from seq2seq_kit.tracking.calls import kit_errors
from seq2seq_kit.tracking.client import Tracking
from seq2seq_kit.tracking.resuming import BACKTEST, SWEEP

if TYPE_CHECKING:
    from mlflow.entities import Run

CURVES = "epoch/"
_SPEED = "sequences_per_second"
_OTHER_ROWS = ("sweep.folds", "sweep.backtest", "sweep.refit")
_FIGURES = ("val/", "test/", "val_baselines/", "test_baselines/", "members/")


@dataclass(frozen=True)
class RunFacts:
    """A finished training.

    Attributes:
        run_id: Its whole id.
        experiment: Name of its experiment.
        tags: Of the run.
        digest: Of its data.
        rows: How many rows it was given; None where the store does not say.
        types: Type of each column of them by name, as MLflow calls it.
        versions: Of the packages that it was trained with, and the kernels of its recurrent layers.
        curves: By name, each figure of the fit by epoch, without its speed.
        figures: Of the model, the baselines and the members, by name.
        golden: Inputs whose output was stored with the model.
        output: That output.
        state: What was stored beside the model.
        bundle: Folder with the copy of the bundle.
    """

    run_id: str
    experiment: str
    tags: Mapping[str, str]
    digest: str | None
    rows: int | None
    types: Mapping[str, str]
    versions: Mapping[str, str]
    curves: Mapping[str, Mapping[int, float]]
    figures: Mapping[str, float]
    golden: list[np.ndarray]
    output: np.ndarray
    state: Mapping[str, object]
    bundle: Path


def read_facts(tracking: Tracking, run: str, folder: Path) -> RunFacts:
    """Reads a finished training; its bundle is copied into `folder` and its model is not loaded.

    Raises:
        TrackingError: No such run, or it has no bundle.
        ArgumentError: It is no training, or it has not ended by itself.
        BundleError: Its bundle is damaged.
    """
    found = tracking.find(run)
    require_whole(found)
    run_id = found.info.run_id
    bundle = tracking.fetch(run_id, "bundle", folder)
    stored = read_golden(bundle)
    curves, figures = {}, {}
    with kit_errors(tracking.uri):
        experiment = tracking.client.get_experiment(found.info.experiment_id).name
        for key, value in found.data.metrics.items():
            if key.startswith(CURVES) and not key.endswith(_SPEED):
                history = tracking.client.get_metric_history(run_id, key)
                curves[key] = {each.step: each.value for each in history}
            elif key.startswith(_FIGURES):
                figures[key] = value
    rows, types = _rows_of(found)
    versions = {name: str(number) for name, number in stored.head["versions"].items()}
    kernels = {"kernels": found.data.tags["recurrence"]} if "recurrence" in found.data.tags else {}
    info = stored.head["info"]
    return RunFacts(
        run_id=run_id,
        experiment=experiment,
        tags=dict(found.data.tags),
        digest=info.get("data_sha256"),
        rows=rows,
        types=types,
        versions=versions | kernels,
        curves=curves,
        figures=figures,
        golden=stored.inputs,
        output=stored.output,
        state=stored.state,
        bundle=bundle,
    )


def require_whole(run: Run) -> None:
    """Refuses a run that is no training, or that has not ended by itself.

    Raises:
        ArgumentError: Likewise.
    """
    tags, run_id = run.data.tags, run.info.run_id
    kind = tags.get(SWEEP)
    if kind not in (None, "sweep") or BACKTEST in tags:
        other = kind or f"{tags[BACKTEST]} of a backtest" if kind or tags[BACKTEST] != "backtest" else "backtest"
        hint = f". Replay the winner of its sweep, {tags.get('mlflow.parentRunId')}" if kind else ""
        raise ArgumentError(f"the run {run_id} is a {other}. Expected a training{hint}", code="not_a_training")
    given = {key for key, value in run.data.params.items() if value not in ("null", "false")}
    if kind and (asked := [key for key in _OTHER_ROWS if any(f"{each}.".startswith(f"{key}.") for each in given)]):
        raise ArgumentError(
            f"the run {run_id} is a sweep with {' and '.join(asked)}, so its figures are of several trainings on other rows than "
            f"the recipe's. Expected the run of one training. Write the winner's recipe (`seq2seq-kit sweep --best {run_id}`), "
            "train it and replay that run",
            code="replay_not_supported",
        )
    if run.info.status != "FINISHED" or tags.get("ended") == "interrupted":
        how = f"Finish it: `{tags['resume']}`" if "resume" in tags else "Train its recipe again"
        raise ArgumentError(
            f"the run {run_id} was cut short or is not finished ({run.info.status}), so there is no whole training to compare "
            f"with. Expected a finished one. {how}",
            code="run_unfinished",
        )


def _rows_of(run: Run) -> tuple[int | None, dict[str, str]]:
    """Count and types of the rows that a run was given, as far as MLflow holds them."""
    inputs = run.inputs.dataset_inputs if run.inputs else []
    if not inputs:
        return None, {}
    try:
        profile = json.loads(inputs[0].dataset.profile or "{}")
        schema = json.loads(inputs[0].dataset.schema or "{}").get("mlflow_colspec", [])
        types = {str(each["name"]): str(each["type"]) for each in schema if "name" in each}
        return profile.get("num_rows"), types
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        said = f"what MLflow holds of the data of the run {run.info.run_id} is damaged: {error}. Restore a copy of the store"
        raise TrackingError(said, code="store_damaged") from None
