"""A run into MLflow's registry: it gets an alias only if it beats the version that has it, and the baselines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.errors import ArgumentError, KitError, TrackingError
from seq2seq_kit.evaluation import MODEL, Board, ErrorBoard
from seq2seq_kit.evaluation.base import signed
from seq2seq_kit.evaluation.labels import LabelBoard
from seq2seq_kit.findings import Finding
from seq2seq_kit.opening import load
from seq2seq_kit.quiet import load_tensorflow
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.digest import has_digest
from seq2seq_kit.tasks.last_fit import refuse_seen_rows
from seq2seq_kit.tracking.client import Tracking, open_tracking
from seq2seq_kit.tracking.registry import Version, add_version, holder
from seq2seq_kit.tracking.tested import Tested, read_tested

if TYPE_CHECKING:
    from seq2seq_kit.bundles.own_classes import CustomObjects

# What says which rows are those of a test, beside the columns.
_ROWS = ("source", "query", "table", "sheet", "format", "test_source", "split", "window_stride")
_SAME = 1e-9


@dataclass(frozen=True)
class Registration:
    """What became of a run that was to be registered.

    Attributes:
        name: Of the registered model.
        alias: That it was to have.
        version: That has the alias now; None where there is none.
        registered: Whether that is the run's.
        challenger: Figures of the run.
        incumbent: Version and figures of the one that had the alias, the same error on the same rows; None: there was none.
        findings: Why it was not registered, or was by force.
    """

    name: str
    alias: str
    version: str | None
    registered: bool
    challenger: Tested
    incumbent: tuple[Version, float] | None
    findings: list[Finding] = field(default_factory=list)

    def table(self) -> pd.DataFrame:
        """The challenger, the incumbent and the best baseline: `model`, `version`, `run`, `error`, `skill`."""
        tested = self.challenger
        mine = self.version if self.registered else ""
        rows = [("challenger", mine, tested.run_id, tested.error)]
        if self.incumbent:
            version, error = self.incumbent
            rows.append(("incumbent", version.number, version.run_id, error))
        rows.append((tested.baseline, "", "", tested.baseline_error))
        frame = pd.DataFrame(rows, columns=["model", "version", "run", "error"])
        return frame.assign(skill=[tested.skill_of(error) for error in frame["error"]])


def register(
    run: str,
    *,
    alias: str,
    name: str | None = None,
    force: bool = False,
    custom_objects: CustomObjects | None = None,
    tracking_uri: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Registration:
    """Registers the served model of a run and gives it an alias, if it is better than what there is.

    It has to beat its best baseline and the version that has the alias, by the error that skill compares, on the same test rows:
    by the stored figures where both runs had them, else by an evaluation of both on the test rows of this run.

    Args:
        run: Id of a finished run, or a name of the registry.
        alias: `champion`.
        name: Of the registered model; default: the recipe's name.
        force: Registers whatever the figures say; they are told all the same.
        custom_objects: As in `load`.
        tracking_uri: As in `train`.
        say: Is told what takes a while.

    Raises:
        ArgumentError: Name or alias is none that MLflow takes, or the two cannot be compared.
        TrackingError: No such run, or it is not finished.
    """
    tracking = open_tracking(tracking_uri, create=False, write=True)
    with TemporaryDirectory() as folder:
        tested = read_tested(tracking, run, Path(folder))
    name = name or tested.recipe.name or tested.recipe.task
    before = holder(tracking, name, alias)
    if before is not None and before.run_id == tested.run_id:
        return Registration(name, alias, before.number, True, tested, None)
    findings = _against_baselines(tested)
    error = None
    if before is not None:
        try:
            error = _error_of(before, tested, _Loading(tracking, custom_objects, tracking_uri, say))
            findings += _against_incumbent(tested, before, alias, error)
        except (KitError, ValueError) as why:
            if not force:
                raise
            findings.append(_not_compared(before, why))
    incumbent = None if before is None else (before, math.nan if error is None else error)
    if findings and not force:
        number = None if before is None else before.number
        return Registration(name, alias, number, False, tested, incumbent, findings)
    with tracking.lock():
        now = holder(tracking, name, alias)
        if now != before:
            said = f"while the run was compared, another version of {name} was given the alias {alias}"
            raise TrackingError(f"{said}. Call it again: the run has to beat that one", code="alias_moved")
        paragraphs, tags, by_alias = _told(tested, incumbent, findings, alias)
        made = add_version(tracking, tested.run, name, alias, paragraphs=paragraphs, tags=tags, alias_tags=by_alias)
    return Registration(name, alias, made.number, True, tested, incumbent, findings)


@dataclass(frozen=True)
class _Loading:
    """How models of a store are loaded."""

    tracking: Tracking
    custom_objects: CustomObjects | None
    uri: str | None
    say: Callable[[str], None]

    def load(self, run: str) -> Bundle:
        return load(run, custom_objects=self.custom_objects, tracking_uri=self.uri)


def _against_baselines(tested: Tested) -> list[Finding]:
    """Why a run is no better than its baselines."""
    found = []
    if tested.part != "test":
        said = f"the figures of the run {tested.run_id} are of its validation part, which chose the model: it has no test rows"
        found.append(
            Finding("not_tested", "warning", said, "Train with test rows (data.split), or register it with --force")
        )
    if not tested.skill > 0:
        said = f"the run {tested.run_id} does not beat its baseline {tested.baseline}: {tested.words}"
        advice = "Improve the model, use the baseline, or register it with --force"
        found.append(Finding("loses_to_baselines", "warning", said, advice))
    return found


def _against_incumbent(tested: Tested, before: Version, alias: str, error: float) -> list[Finding]:
    """Why a run is no better than the version that has the alias."""
    if tested.error < error:
        return []
    said = (
        f"the run {tested.run_id} does not beat version {before.number} of {before.name}, the {alias}: {tested.compares} "
        f"{tested.error:.6g} against {error:.6g}, skill {signed(tested.skill)} against {signed(tested.skill_of(error))}, on the "
        "same test rows"
    )
    return [Finding("loses_to_incumbent", "warning", said, "Improve the model, or register it with --force")]


def _not_compared(before: Version, why: Exception) -> Finding:
    said = f"the run was not compared with version {before.number} of {before.name}: {why}"
    return Finding("incumbent_not_compared", "warning", said, "Registered by --force; compare the two by hand")


def _error_of(before: Version, tested: Tested, loading: _Loading) -> float:
    """The error of the incumbent on the challenger's test rows.

    Raises:
        ArgumentError: The two cannot be compared.
    """
    with TemporaryDirectory() as folder:
        other = read_tested(loading.tracking, f"models:/{before.name}/{before.number}", Path(folder))
    if tested.same_rows(other):
        return other.error
    loading.say("evaluating both models on the test rows of the run")
    try:
        return _evaluated(tested, other, loading)
    except (KitError, ValueError) as error:
        raise ArgumentError(
            f"the run {tested.run_id} cannot be compared with version {before.number} of {before.name} (run {other.run_id}) on "
            "the same test rows. Their stored figures are of other rows or columns, and they cannot be evaluated again: "
            f"{error}. Train both on a source that can be read again, with the same `data.split`, or register with --force",
            code="not_comparable",
        ) from None


def _evaluated(tested: Tested, other: Tested, loading: _Loading) -> float:
    """The incumbent's error, in the challenger's scale, where both are evaluated again."""
    if tested.recipe.source is None:
        raise ArgumentError("the run was trained on rows that a program handed over", code="missing_source")
    load_tensorflow()
    job, mine = open_job(tested.recipe), loading.load(tested.run_id)
    if not has_digest(job.source, job.columns, mine.info.get("data_sha256")):
        raise ArgumentError(f"{tested.recipe.source} has changed since the training of the run", code="data_changed")
    theirs = loading.load(other.run_id)
    for bundle in (mine, theirs):
        refuse_seen_rows(bundle)
    board = job.report(mine, tested.part)
    again = open_job(_on_rows_of(tested.recipe, other.recipe)).report(theirs, tested.part)
    if not same_truth(board, again):
        said = f"the two predict other values: {board.title} of {tested.run_id}, {again.title} of {other.run_id}"
        raise ArgumentError(said, code="not_comparable")
    if isinstance(board, ErrorBoard) and isinstance(again, ErrorBoard):
        return board.error_in(again.sums[MODEL])
    return again.error_of()


def _on_rows_of(wanted: Recipe, recipe: Recipe) -> Recipe:
    """A recipe with the rows of another: its source, its parts, its windows' stride."""
    given = {key: getattr(wanted.data, key) for key in _ROWS if hasattr(wanted.data, key) and hasattr(recipe.data, key)}
    data = recipe.data.model_copy(update=given)
    return recipe.model_copy(update={"data": data, "seed": wanted.seed})


def same_truth(board: Board, other: Board) -> bool:
    """Whether two evaluations are of the same true values, as far as their sums tell."""
    if type(board) is not type(other) or board.title != other.title or board.compares != other.compares:
        return False
    if isinstance(board, ErrorBoard) and isinstance(other, ErrorBoard):
        mine, theirs = board.sums[MODEL], other.sums[MODEL]
        if board.targets != other.targets or mine.shape != theirs.shape or (mine.cells != theirs.cells).any():
            return False
        first, second = (each.truth + each.cells * each.center[:, None, :] for each in (mine, theirs))
        return bool(np.allclose(first, second, rtol=_SAME, atol=_SAME * float(np.abs(first).max(initial=0.0))))
    if isinstance(board, LabelBoard) and isinstance(other, LabelBoard):
        counts = [dict(zip(each.labels, each.confusion_of().sum(axis=1), strict=True)) for each in (board, other)]
        return counts[0] == counts[1]
    return True


def _told(
    tested: Tested, incumbent: tuple[Version, float] | None, findings: list[Finding], alias: str
) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """What the registry says of a version: in paragraphs, and as tags, of the run and of how it came to the alias."""
    lines = [f"Run {tested.run_id}: {tested.words}. {tested.evaluated}"]
    tags: dict[str, float | str] = {
        "run": tested.run_id,
        "error": tested.error,
        "skill": tested.skill,
        "baseline": tested.baseline,
    }
    tags |= {"baseline_error": tested.baseline_error}
    by_alias: dict[str, float | str] = {"forced": "yes" if findings else "no"}
    if incumbent is not None:
        version, error = incumbent
        skill = tested.skill_of(error)
        figures = "not compared" if math.isnan(error) else f"{tested.compares} {error:.6g}, skill {signed(skill)}"
        lines.append(
            f"Before it version {version.number} (run {version.run_id}) was {alias}: {figures}, same test rows."
        )
        by_alias |= {"incumbent_version": version.number, "incumbent_run": version.run_id}
        by_alias |= {"incumbent_error": error, "incumbent_skill": skill}
    if findings:
        lines.append(f"Registered as {alias} by force: " + " ".join(map(str, findings)))
    return lines, _texts(tags), _texts(by_alias)


def _texts(tags: Mapping[str, float | str]) -> dict[str, str]:
    return {key: f"{value:.6g}" if isinstance(value, float) else str(value) for key, value in tags.items()}
