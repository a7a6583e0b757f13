"""Trains a finished run again by its own recipe and compares the two trainings."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_kit.errors import ArgumentError, DataError
from seq2seq_kit.opening import checked, open_training
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.recipe.ensemble_fields import seeds_of
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.replaying.differences import (
    Difference,
    compare_curves,
    compare_data,
    compare_figures,
    compare_predictions,
    compare_versions,
)
from seq2seq_kit.replaying.result import Judged, ReplayResult, judge
from seq2seq_kit.replaying.rows import changes_of
from seq2seq_kit.replaying.spread import LEAST_SEEDS, Spread
from seq2seq_kit.reports.notes import describe_run
from seq2seq_kit.results import Reporter, TrainResult, reporter_at_hand
from seq2seq_kit.runs import carry_out
from seq2seq_kit.tasks import load_recipe
from seq2seq_kit.tasks.digest import digest_of, has_digest
from seq2seq_kit.tasks.job import Job
from seq2seq_kit.tasks.members_apart import fitting
from seq2seq_kit.text import for_markdown
from seq2seq_kit.tracking.client import Tracking, open_tracking
from seq2seq_kit.tracking.facts import RunFacts, read_facts
from seq2seq_kit.tracking.naming import first_tags
from seq2seq_kit.tracking.resuming import checkpoint_of
from seq2seq_kit.training.own import Own, own_in

if TYPE_CHECKING:
    from seq2seq_kit.bundles.own_classes import CustomObjects
    from seq2seq_kit.data.sources.given import Given

OF, KIND, VERDICT = "replay.of", "replay.kind", "replay.verdict"
_MOST_SEEDS = 100


def replay(
    run: str,
    *,
    data: Given | str | Path | None = None,
    seeds: int = 0,
    tolerance: float | None = None,
    custom_objects: CustomObjects | None = None,
    tracking_uri: str | None = None,
    reporter: Reporter | None = None,
) -> ReplayResult:
    """Trains a run again, as a run of its own that is linked to it, and says whether the same came out.

    Args:
        run: Id of a finished training or sweep (of whose winner the recipe is trained), or the beginning of one.
        data: Rows, or what else `data.source` may name, instead of the recipe's source; they may be others than the original's,
            which the verdict then says. None: the recipe's source, which must hold the rows of then.
        seeds: So many further trainings with other seeds where the numbers differ by more than rounding, to know what a seed
            changes; 0: none.
        tolerance: Relative difference of the figures that is taken for none; it is told as such.
        custom_objects: As in `load`, for the run that `training.start_from` names.
        tracking_uri: As in `train`.
        reporter: Is told how the trainings go.

    Returns:
        The result; its `verdict` is `identical`, `rounding`, `spread`, `tolerance`, `different`, or after Ctrl-C `interrupted`.

    Raises:
        TrackingError: No such run.
        ArgumentError: It is no finished training, a program handed over its model or loss, or an argument is out of its range.
        DataError: The rows are not those of then, and `data` is not given.
        RecipeError: The rows were handed over by a program, and `data` is not given.
        BundleError: The bundle of the run is damaged.
    """
    _require_in_range(run, seeds, tolerance)
    reporter = reporter or reporter_at_hand()
    tracking = open_tracking(tracking_uri, say=reporter.say, create=False, write=True)
    how = _How(tracking, custom_objects, tracking_uri, reporter)
    with tempfile.TemporaryDirectory() as folder:
        original = read_facts(tracking, run, Path(folder))
        recipe = _recipe_of(original, data)
        rows = None if isinstance(data, str | Path) else data
        reporter.say(f"training the run {original.run_id} again")
        job, digest = _open(recipe, rows, how)
        then = _digest_then(original, job, digest)
        compared = compare_data((then, digest), [] if then == digest else changes_of(original, job))
        if not compared.same and data is None:
            raise DataError(
                f"{recipe.source} holds {compared.said}. Expected the rows that the run {original.run_id} was trained on. "
                "Restore them, or say that other rows are meant: --data FILE, or `data`; the verdict then says so",
                code="data_changed",
            )
        trained = _train(job, digest, how, original, rows, kind="replay")
        differences, now = [compared], None
        if not trained.interrupted:
            now = read_facts(tracking, trained.run_id, Path(folder) / "replay")
            differences += _compare(original, now, trained)
        return _concluded(original, now, differences, trained, seeds, tolerance, rows, how)


class _How:
    """What every training of a replay is given."""

    def __init__(
        self, tracking: Tracking, custom_objects: CustomObjects | None, uri: str | None, reporter: Reporter
    ) -> None:
        self.tracking, self.custom_objects, self.uri, self.reporter = tracking, custom_objects, uri, reporter


def _require_in_range(run: str, seeds: int, tolerance: float | None) -> None:
    if os.path.isdir(run):  # noqa: PTH112 (as in `opening.load`)
        said = f"{run} is a bundle, which holds neither curves nor figures. Expected the id of its run"
        raise ArgumentError(said, code="not_a_training")
    whole = isinstance(seeds, int) and not isinstance(seeds, bool)
    if not whole or not (seeds == 0 or LEAST_SEEDS <= seeds <= _MOST_SEEDS):
        said = f"seeds must be 0, or a whole number from {LEAST_SEEDS} to {_MOST_SEEDS}: a spread takes so many"
        raise ArgumentError(f"{said}. Received: seeds={seeds!r}", code="invalid_argument")
    if tolerance is not None and not 0 < tolerance < 1:
        said = f"tolerance is a relative difference above 0 and below 1. Received: tolerance={tolerance!r}"
        raise ArgumentError(said, code="invalid_argument")


def _recipe_of(original: RunFacts, data: object) -> Recipe:
    """The recipe of a run, with another source where one is named.

    Raises:
        ArgumentError: A program handed over what the recipe does not hold.
    """
    overrides = {"data.source": str(data)} if isinstance(data, str | Path) else {}
    recipe = load_recipe(original.bundle / "recipe.yaml", overrides)
    if lacking := own_in(recipe):
        raise ArgumentError(
            f"the run {original.run_id} was trained with a {' and a '.join(lacking)} that a program handed over, which no run "
            "holds. Expected a run that its recipe alone trains. Train it again by that program",
            code="own_missing",
        )
    return recipe.model_copy(update={"name": recipe.name or recipe.task, "sweep": None})


def _open(recipe: Recipe, rows: Given | None, how: _How) -> tuple[Job, str]:
    """A job and the digest of its rows."""
    job = open_training(recipe, rows, Own(), custom_objects=how.custom_objects, tracking_uri=how.uri)
    return job, digest_of(job.source, job.columns)


def _digest_then(original: RunFacts, job: Job, digest: str) -> str | None:
    """The digest of a run's rows as it would be written now: earlier versions left files beside them out of it."""
    return digest if has_digest(job.source, job.columns, original.digest) else original.digest


def _train(
    job: Job, digest: str, how: _How, original: RunFacts, rows: Given | None, *, kind: str, parent: str | None = None
) -> TrainResult:
    """A training as a run in the experiment of the original."""
    began, seed = time.perf_counter(), f" s{job.recipe.seed}" if kind == "seed" else ""
    tags = first_tags(job.recipe) | {OF: original.run_id, KIND: kind, "mlflow.source.name": "seq2seq-kit replay"}
    findings = checked(job, how.reporter.find)
    name = f"{kind} of {original.run_id[:8]}{seed}"
    record = how.tracking.start(original.experiment, name=name, tags=tags, parent=parent)
    with checkpoint_of(record) as checkpoint:
        checkpoint.begin(dump_recipe(job.recipe), digest)
        fit = fitting(job, data=rows, digest=digest, workers=1)
        return carry_out(
            job, findings, digest, record=record, checkpoint=checkpoint, reporter=how.reporter, began=began, fit=fit
        )


def _compare(original: RunFacts, now: RunFacts, trained: TrainResult) -> list[Difference]:
    try:
        output = trained.bundle.forward(original.golden)
    except Exception:  # a model of other inputs: TensorFlow has many words for that
        output = None
    return [
        compare_versions(original.versions, now.versions),
        compare_curves(original.curves, now.curves),
        compare_figures(original.figures, now.figures),
        compare_predictions(original.output, output),
    ]


def _concluded(
    original: RunFacts,
    now: RunFacts | None,
    differences: list[Difference],
    trained: TrainResult,
    seeds: int,
    tolerance: float | None,
    rows: Given | None,
    how: _How,
) -> ReplayResult:
    """The verdict, where it is needed after trainings with other seeds; it is logged with the replay."""
    spread, judged = None, Judged("interrupted", None, "the training was cut short")
    if now is not None:
        then = _told(original.figures, trained)
        own = {name: now.figures.get(name, math.nan) for name in then}
        judged = judge(differences, then, own, tolerance=tolerance)
        if judged.verdict == "different" and judged.first != "data" and seeds:
            spread = _spread(own, original, trained, seeds, rows, how)
            cut = Judged("interrupted", judged.first, "the trainings with other seeds were cut short")
            judged = cut if spread is None else judge(differences, then, own, spread=spread, tolerance=tolerance)
    result = ReplayResult(original.run_id, trained.run_id, judged, differences, trained, spread)
    _log(result, how.tracking)
    return result


def _told(figures: Mapping[str, float], trained: TrainResult) -> dict[str, float]:
    """The error of the original's model on each part."""
    keys = dict.fromkeys(f"{board.part}/{board.headline}" for board in (trained.val, trained.board))
    return {key: figures[key] for key in keys if key in figures}


def _spread(
    own: Mapping[str, float], original: RunFacts, trained: TrainResult, seeds: int, rows: Given | None, how: _How
) -> Spread | None:
    """The figures of the replay and of trainings with other seeds, each a run below the replay's."""
    recipe = trained.recipe
    apart = len(seeds_of(recipe.seed, recipe.ensemble))  # no two ensembles share a member
    used, figures = [recipe.seed], {key: [value] for key, value in own.items()}
    for place in range(1, seeds + 1):
        used.append((recipe.seed + place * apart) % 2**32)
        how.reporter.say(f"seed {used[-1]}, {place} of {seeds}: what a seed changes")
        job, digest = _open(recipe.model_copy(update={"seed": used[-1]}), rows, how)
        found = _train(job, digest, how, original, rows, kind="seed", parent=trained.run_id)
        if found.interrupted:
            return None
        for board in (found.val, found.board):
            if (key := f"{board.part}/{board.headline}") in figures and len(figures[key]) == place:
                figures[key].append(board.metrics().get(board.headline, math.nan))
    return Spread(used, figures)


def _log(result: ReplayResult, tracking: Tracking) -> None:
    """The verdict on the page of the replay's run; the original is left as it is."""
    record, _ = tracking.reopen(result.run_id)
    record.tags({VERDICT: result.verdict, "replay.first": result.judged.first or "", "replay.said": result.said})
    lines = [f"- {each.what}: {for_markdown(each.said)}" for each in result.differences]
    told = "\n".join([f"**Replay of {result.original}: {for_markdown(result.said)}**", "", *lines])
    record.note(f"{told}\n\n{describe_run(result.trained)}")
    if result.trained.interrupted:
        return
    far = {each.what: each.largest for each in result.differences if each.largest is not None}
    record.metrics({f"replay/{what}": largest for what, largest in far.items()})
    with tempfile.TemporaryDirectory() as folder:
        result.table().to_csv(Path(folder) / "replay.csv", index=False)
        record.files(Path(folder))


__all__ = ["replay"]
