"""One run from recipe to record: data, checks, fit, evaluation, figures, bundle, MLflow; loading and evaluating it again."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from seq2seq_kit.bundles.base import Bundle, rows_given
from seq2seq_kit.bundles.files import own_classes_in
from seq2seq_kit.bundles.own_classes import CustomObjects, classes_of_keras
from seq2seq_kit.bundles.rescue import rescue
from seq2seq_kit.bundles.serving import requirements
from seq2seq_kit.data.sources.files import READ
from seq2seq_kit.errors import TrackingError, TrainingError
from seq2seq_kit.evaluation import Board, no_test_part
from seq2seq_kit.explanation import kernels_of, recurrences_of, slow_layers
from seq2seq_kit.findings import Finding
from seq2seq_kit.opening import checked, load, open_training
from seq2seq_kit.recipe import dump_recipe
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.loading import Overrides
from seq2seq_kit.reports.logged import final_metrics, final_tags, step_curves
from seq2seq_kit.reports.notes import describe_run
from seq2seq_kit.results import Announcer, Reporter, Silent, TrainResult, reporter_at_hand
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.beginning import origin_of, own_classes
from seq2seq_kit.tasks.digest import digest_of, has_digest
from seq2seq_kit.tasks.ensembles import judge_members, kept
from seq2seq_kit.tasks.job import Job
from seq2seq_kit.tasks.last_fit import fit_last, refuse_seen_rows, refuse_seen_start
from seq2seq_kit.tasks.members_apart import FitJob, fitting, one_by_one
from seq2seq_kit.tasks.rows import data_name
from seq2seq_kit.tracking.client import RunRecord, open_tracking
from seq2seq_kit.tracking.naming import experiment_of, first_tags, named, params_of
from seq2seq_kit.tracking.resuming import RESUME, checkpoint_of
from seq2seq_kit.training.checkpoint import Checkpoint
from seq2seq_kit.training.fit import Fit, Observer, seed_everything
from seq2seq_kit.training.own import Own, OwnLoss, OwnMetric
from seq2seq_kit.validation import resolve

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.data.sources.given import Given
    from seq2seq_kit.models.own import OwnModel


def train(
    recipe: str | Path | Mapping[str, object] | Recipe,
    *,
    overrides: Overrides = (),
    data: Given | None = None,
    model: OwnModel | None = None,
    loss: OwnLoss | None = None,
    metrics: Sequence[OwnMetric] = (),
    callbacks: Sequence[keras.callbacks.Callback] = (),
    custom_objects: CustomObjects | None = None,
    tracking_uri: str | None = None,
    reporter: Reporter | None = None,
    workers: int = 1,
) -> TrainResult:
    """Trains by recipe and leaves a run in MLflow. A `sweep` section is left out: it is read by `seq2seq-kit sweep` only.

    Args:
        recipe: A YAML file, the same as nested mappings, or a recipe read before.
        overrides: Dotted keys that replace the recipe's: `{"training.epochs": 5}` or `["training.epochs=5"]`.
        data: Rows to train on instead of the recipe's `data.source`: a pandas DataFrame or Series, a Polars or Arrow table.
        model: Instead of the recipe's (docs/keras.md): a Keras model, or a function that is called with those of `input_steps`,
            `output_steps`, `input_features`, `output_features`, `future_features` that it takes, and returns one.
        loss: Instead of `training.loss`: Keras', its name, or a function of the actual and the predicted values.
        metrics: Watched beside the loss; `epoch/NAME` and `epoch/val_NAME` of the run.
        callbacks: Of Keras, called after the kit's own.
        custom_objects: As in `load`, for the run that `training.start_from` names.
        tracking_uri: A folder, a SQLite URI or a server; default: `MLFLOW_TRACKING_URI`, else the folder `mlruns`.
        reporter: Is told how the run goes.
        workers: Members of an ensemble that are trained at a time, each in a process of its own (docs/ensembles.md).

    Returns:
        The result; `result.fit.ended` is `interrupted` after Ctrl-C, with the best weights up to then.

    Raises:
        RecipeError: The recipe has problems; all are listed.
        DataError: The data does not fit the recipe.
        ArgumentError: Model, loss, metrics or callbacks do not fit the data or the task, or the run to start from does not;
            several workers for one model.
        TrainingError: The loss became NaN.
        TrackingError: The store is locked or unreachable.
        BundleError: The bundle could not be written; the message says where the trained model was put instead.
    """
    began = time.perf_counter()
    reporter = reporter or reporter_at_hand()
    recipe = resolve(recipe, overrides)
    # The name is written out, so that the stored recipe trains into the same experiment; a run is no sweep.
    recipe = recipe.model_copy(update={"name": recipe.name or recipe.task, "sweep": None})
    own = Own(model, loss, metrics, callbacks)
    job = open_training(own.noted_in(recipe), data, own, custom_objects=custom_objects, tracking_uri=tracking_uri)
    digest = digest_of(job.source, job.columns)
    fit = fitting(job, data=data, digest=digest, workers=workers)
    refuse_seen_start(job.start, digest)
    findings = checked(job, reporter.find)
    tracking = open_tracking(tracking_uri, say=reporter.say)
    name, differs = named(job.recipe, tracking.previous(experiment_of(job.recipe)))
    record = tracking.start(experiment_of(job.recipe), name=name, tags=first_tags(job.recipe) | {"differs": differs})
    with checkpoint_of(record) as checkpoint:
        checkpoint.begin(dump_recipe(job.recipe), digest)
        return carry_out(
            job, findings, digest, record=record, checkpoint=checkpoint, reporter=reporter, began=began, fit=fit
        )


def carry_out(
    job: Job,
    findings: list[Finding],
    digest: str,
    *,
    record: RunRecord,
    checkpoint: Checkpoint,
    reporter: Reporter,
    began: float,
    fit: FitJob = one_by_one,
) -> TrainResult:
    """From a job to the end of its run, which has begun; the checkpoint is removed where nothing is left to resume."""
    recipe, resume = job.recipe, f"seq2seq-kit train --resume {record.run_id}"
    try:
        record.params(params_of(recipe))
        record.dataset(job.source, source=recipe.source or "a DataFrame", name=data_name(recipe), digest=digest)
        seed_everything(recipe.seed, deterministic=recipe.training.deterministic)
        model = job.make()
        recurrences = recurrences_of(model, recipe.training.precision)
        record.tags({"recurrence": kernels_of(recurrences), RESUME: resume})
        for finding in [*slow_layers(recurrences, recipe.training.precision), job.estimate(model)]:
            findings.append(finding)
            reporter.find(finding)
        fitted = fit(job, model, [reporter, record], checkpoint)
        result = conclude(
            job,
            kept(model, fitted),
            fitted,
            record=record,
            digest=digest,
            findings=findings,
            reporter=reporter,
            seconds=lambda: time.perf_counter() - began,
            watching=[reporter],
            checkpoint=checkpoint,
        )
        if fitted.lost:
            raise TrainingError(f"{fitted.lost}. Resume it: {resume}", code="worker_lost")
    except BaseException as error:
        close(record, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", error)
        if not isinstance(error, TrainingError):  # which another try would meet again
            reporter.say(f"resume it: {resume}")
        raise
    if result.interrupted:
        record.end("KILLED")
        return result
    record.untag([RESUME])
    record.end("FINISHED")
    checkpoint.remove()
    return result


def conclude(
    job: Job,
    model: keras.Model,
    fitted: Fit,
    *,
    record: RunRecord,
    digest: str,
    findings: list[Finding],
    reporter: Announcer,
    seconds: Callable[[], float],
    val: Board | None = None,
    note: Callable[[TrainResult], str] = describe_run,
    watching: Sequence[Observer] = (),
    checkpoint: Checkpoint | None = None,
) -> TrainResult:
    """From a fitted model to a logged result: baselines, evaluation, findings, figures, bundle.

    Args:
        job: The recipe with its data.
        model: With the weights that are kept.
        fitted: How they came about.
        record: The run that it is for.
        digest: Of the data.
        findings: Those of data and model; those of the result are appended.
        reporter: Is told how it goes.
        seconds: Wall time of the run up to the call.
        val: Evaluation on the validation part, where it is not this model's.
        note: The text at the top of the run's page.
        watching, checkpoint: Of a last fit on all rows, see `fit_last`.

    Raises:
        BundleError: Something failed after the fit; the message says where the trained model was saved.
    """
    info = origin_of(fitted, digest, record.run_id) | own_classes(job, model)
    with rescue(job.bundle(model, info, peers=False), reporter.say):
        reporter.say("fitting the baselines and evaluating")
        bundle, told = job.detecting(job.bundle(model, info))
        bundle = job.remembered(bundle)
        own = val is None
        val = val if val is not None else job.report(bundle, "val")
        board = val if job.evaluated == "val" else job.report(bundle, "test")
        members = judge_members(job, bundle, fitted, *([val] * own), board)
        judged = job.judged(bundle)
        normal = job.unlabelled(bundle, board)
        normal_val = normal if val is board else job.unlabelled(bundle, val) if own else val
        told += judged.findings() if judged else []
        told += [*no_test_part(board.part), *job.examine(fitted, normal_val, normal)]
        last = fit_last(job, bundle, fitted, watching, checkpoint, say=reporter.say)
        for finding in [*told, *last.findings]:
            findings.append(finding)
            reporter.find(finding)
        known = (job.recipe, fitted, val, board, findings, last.bundle, record.run_id, record.tracking.uri)
        result = TrainResult(*known, seconds(), judged=judged, members=members, last_fit=last.fit)
        reporter.say("logging the run: figures, bundle, models")
        _log(result, job, record, note(result), shown=bundle)
        return result


def evaluate(
    run: str | Path | Bundle,
    *,
    data: Given | str | Path | None = None,
    beams: int | None = None,
    update: bool = False,
    custom_objects: CustomObjects | None = None,
    tracking_uri: str | None = None,
) -> Board:
    """Repeats the result table of a run.

    Args:
        run: A bundle, its folder, or the id of a run.
        data: Other rows (or their file); None: the test rows of the recipe's own source, or the validation rows of one without.
        beams: Beam width of a translator; None: greedy search.
        update: Moves the intervals of forecasts by each actual value once it is known, see `bundle.update`.
        custom_objects: As in `load`.
        tracking_uri: As in `train`.
    """
    bundle = load(run, custom_objects=custom_objects, tracking_uri=tracking_uri) if isinstance(run, str | Path) else run
    if beams is not None:
        bundle = bundle.with_beams(beams)
    bundle = bundle.with_updates() if update else bundle
    if data is not None:
        rows = bundle.read(str(data)) if isinstance(data, str | Path) else rows_given(bundle.recipe, data)
        return bundle.evaluate(rows, origin=str(data) if isinstance(data, str | Path) else "the data")
    refuse_seen_rows(bundle)
    job = open_job(bundle.recipe)
    if not has_digest(job.source, job.columns, bundle.info.get("data_sha256")):
        told = f"{bundle.recipe.source} has changed since the training; the figures are of its present rows"
        warnings.warn(told, stacklevel=2)
    return job.report(bundle, job.evaluated)


def _log(result: TrainResult, job: Job, record: RunRecord, note: str, *, shown: Bundle) -> None:
    """Logs everything that the run's page shows; its figures are of the bundle `shown`, the one that was judged."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        bundle = result.bundle.save(folder / "bundle")
        record.metrics(final_metrics(result))
        for key, curve in step_curves(result):
            record.curve(key, curve)
        record.tags(final_tags(result))
        record.note(note)
        result.figures.update(job.draw(shown, result.fit, result.board, folder / "figures"))
        (folder / "recipe.yaml").write_text(dump_recipe(result.recipe), encoding="utf-8")
        for table, rows in result.tables():
            rows.to_csv(folder / f"{table}.csv", index=False)
        if read := getattr(job.source, "attrs", {}).get(READ):
            pd.DataFrame(read).to_csv(folder / "data_files.csv", index=False)
        record.files(folder)
        if classes_of_keras(own_classes_in(result.bundle.info)) is None:
            return  # MLflow would have to import classes that only the program has
        params = getattr(result.bundle, "served_params", {})
        record.models(bundle, job.served(result.bundle), requirements(result.recipe), params)


def close(record: RunRecord, status: str, error: BaseException) -> None:
    """Marks a run that ended in an error; a store that cannot be reached then must not hide that error."""
    with suppress(TrackingError):
        record.tags({"error": f"{type(error).__name__}: {error}"})
        record.end(status)


__all__ = ["Announcer", "Reporter", "Silent", "TrainResult", "conclude", "evaluate", "load", "train"]
