"""One run from recipe to record: data, checks, fit, evaluation, figures, bundle, MLflow. What the command line calls."""

from __future__ import annotations

import hashlib
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from seq2seq_kit import plots
from seq2seq_kit.bundle import Bundle
from seq2seq_kit.bundle_files import read_bundle, versions
from seq2seq_kit.data import Prepared, prepare, read_source
from seq2seq_kit.data.checks import check_data
from seq2seq_kit.errors import BundleError, KitError, TrackingError
from seq2seq_kit.evaluation import (
    MODEL,
    Evaluation,
    examine_autoencoder,
    examine_forecast,
    fit_autoencode_baselines,
    fit_forecast_baselines,
    naive_error,
)
from seq2seq_kit.findings import Finding
from seq2seq_kit.notes import count_of, describe_run
from seq2seq_kit.recipe import ForecastRecipe, Recipe, dump_recipe
from seq2seq_kit.recipe.loading import Overrides
from seq2seq_kit.serving import requirements, served_examples
from seq2seq_kit.tracking import RunRecord, git_revision, open_tracking
from seq2seq_kit.training import Epoch, Fit, Observer, build_model, estimate_seconds, fit, seed_everything
from seq2seq_kit.validation import read_rows, resolve

if TYPE_CHECKING:
    import keras

_LONG_SECONDS = 1800
_EXAMPLES = 24  # windows in the interactive page; the picture shows the first of a spread of six


class Reporter(Observer, Protocol):
    """Told how a run goes; the command line's shows it, a program may leave it out."""

    def say(self, text: str) -> None:
        """A stage begins that takes a while, or something worth knowing happened."""

    def find(self, finding: Finding) -> None:
        """A finding on data or result."""


class Silent:
    """The reporter of a program that wants to hear nothing; findings stand in the result."""

    def say(self, text: str) -> None: ...

    def find(self, finding: Finding) -> None: ...

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None: ...

    def on_epoch(self, epoch: Epoch) -> None: ...


@dataclass(frozen=True)
class TrainResult:
    """What a training came to.

    Attributes:
        recipe: Resolved, as it was trained.
        fit: How the fit went.
        val: Evaluation on the validation windows.
        test: Evaluation on the test windows.
        findings: What the kit has to say about data and result.
        bundle: The trained model, ready to predict.
        run_id: Id of the MLflow run.
        tracking_uri: Where that run is.
        seconds: Wall time of everything.
    """

    recipe: Recipe
    fit: Fit
    val: Evaluation
    test: Evaluation
    findings: list[Finding]
    bundle: Bundle
    run_id: str
    tracking_uri: str
    seconds: float


def train(
    recipe: str | Path | Mapping[str, Any] | Recipe,
    *,
    overrides: Overrides = (),
    data: pd.DataFrame | None = None,
    tracking_uri: str | None = None,
    reporter: Reporter | None = None,
) -> TrainResult:
    """Trains by recipe and leaves a run in MLflow.

    Args:
        recipe: A YAML file, the same as nested mappings, or a recipe read before.
        overrides: Dotted keys that replace the recipe's: `{"training.epochs": 5}` or `["training.epochs=5"]`.
        data: Rows to train on instead of the recipe's `data.source`.
        tracking_uri: A folder, a SQLite URI or a server; default: `MLFLOW_TRACKING_URI`, else the folder `mlruns`.
        reporter: Is told how the run goes.

    Returns:
        The result; `result.fit.ended` is `interrupted` after Ctrl-C, with the best weights up to then.

    Raises:
        RecipeError: The recipe has problems; all are listed.
        DataError: The data does not fit the recipe.
        TrainingError: The loss became NaN.
        TrackingError: The store is locked or unreachable.
        BundleError: The bundle could not be written; the message says where the trained model was put instead.
    """
    began = time.perf_counter()
    reporter = reporter or Silent()
    recipe = resolve(recipe, overrides)
    # Written out, so that the stored recipe trains into the same experiment.
    recipe = recipe.model_copy(update={"name": recipe.name or recipe.task})
    prepared, source, digest = _read(recipe, data)
    findings = check_data(prepared)
    for finding in findings:
        reporter.find(finding)
    tracking = open_tracking(tracking_uri, say=reporter.say)
    record = tracking.start(str(recipe.name), name=_run_name(recipe), tags=_first_tags(recipe))
    try:
        record.params(recipe.model_dump(mode="json", exclude={"name"}))
        record.dataset(source, source=recipe.data.source or "a DataFrame", name=_data_name(recipe), digest=digest)
        seed_everything(recipe.seed, deterministic=recipe.training.deterministic)
        model = build_model(recipe, prepared)
        findings.append(_estimate(prepared, model, recipe))
        reporter.find(findings[-1])
        fitted = fit(model, prepared, recipe.training, seed=recipe.seed, observers=[reporter, record])
        info = _origin(fitted, digest, record.run_id)
        with _rescue(Bundle(recipe, model, prepared.scaler, [], {}, info), reporter):
            bundle, val, test = _evaluated(recipe, prepared, model, info, reporter)
            for finding in _examined(recipe, fitted, val, test):
                findings.append(finding)
                reporter.find(finding)
            seconds = time.perf_counter() - began
            result = TrainResult(recipe, fitted, val, test, findings, bundle, record.run_id, tracking.uri, seconds)
            reporter.say("logging the run: figures, bundle, models")
            _log(result, prepared, source, record)
    except BaseException as error:
        _close(record, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", error)
        raise
    record.end("KILLED" if fitted.ended == "interrupted" else "FINISHED")
    return result


def load(run: str | Path, *, tracking_uri: str | None = None) -> Bundle:
    """A trained model, from a bundle's folder or from a run.

    Args:
        run: Path of a bundle, or id of a run.
        tracking_uri: As in `train`.

    Raises:
        BundleError: Damaged or foreign.
        TrackingError: No such run.
    """
    if Path(run).is_dir():
        return read_bundle(run)
    if Path(run).suffix or "/" in str(run):
        raise BundleError(f"there is no folder {run}. Expected the folder of a bundle, or the id of a run")
    tracking = open_tracking(tracking_uri, create=False)
    with tempfile.TemporaryDirectory() as folder:
        return read_bundle(tracking.fetch(str(run), "bundle", Path(folder)))


def evaluate(
    run: str | Path | Bundle, *, data: pd.DataFrame | str | Path | None = None, tracking_uri: str | None = None
) -> Evaluation:
    """Repeats the result table of a run.

    Args:
        run: A bundle, its folder, or the id of a run.
        data: Other rows (or their file); None: the test rows of the recipe's own source.
        tracking_uri: As in `train`.
    """
    bundle = run if isinstance(run, Bundle) else load(run, tracking_uri=tracking_uri)
    if data is not None:
        frame = data if isinstance(data, pd.DataFrame) else read_source(str(data))
        return bundle.evaluate(frame, origin="the data" if isinstance(data, pd.DataFrame) else str(data))
    prepared, _, digest = _read(bundle.recipe, None)
    if digest != bundle.info.get("data_sha256"):
        warnings.warn(
            f"{bundle.recipe.data.source} has changed since the training; the figures are of its present rows",
            stacklevel=2,
        )
    return bundle.evaluate_part(prepared, "test")


def _read(recipe: Recipe, data: pd.DataFrame | None) -> tuple[Prepared, pd.DataFrame, str]:
    """The prepared data, the frame it came from and a digest of the frame's content."""
    frame, origin = read_rows(recipe, data)
    prepared = prepare(recipe.data, frame, origin=origin)
    names = [name for name in (recipe.data.series, recipe.data.time) if name] + prepared.table.columns
    hashed = pd.util.hash_pandas_object(frame[names], index=False).to_numpy()
    # MLflow takes digests of up to 36 characters
    return prepared, frame, hashlib.sha256(hashed.tobytes()).hexdigest()[:32]


def _estimate(prepared: Prepared, model: keras.Model, recipe: Recipe) -> Finding:
    counts = ", ".join(f"{windows.count:,} {part}" for part, windows in prepared.windows.items())
    seconds, epochs = estimate_seconds(model, prepared, recipe.training), count_of(recipe.training.epochs, "epoch")
    duration = f"{seconds / 60:.1f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"
    text = f"{model.count_params():,} parameters; windows: {counts}; about {duration} for {epochs}"
    advice = (
        "If that is too long: a larger window_stride or batch_size, fewer epochs" if seconds > _LONG_SECONDS else ""
    )
    return Finding("estimated_time", "note", text, advice)


def _origin(fitted: Fit, digest: str, run_id: str) -> dict[str, Any]:
    """Where a bundle comes from."""
    return {
        "run_id": run_id,
        "data_sha256": digest,
        "trained": pd.Timestamp.now(tz="UTC").isoformat(timespec="seconds"),
        "best_epoch": fitted.best_epoch,
    }


def _evaluated(
    recipe: Recipe, prepared: Prepared, model: keras.Model, info: dict[str, Any], reporter: Reporter
) -> tuple[Bundle, Evaluation, Evaluation]:
    reporter.say("fitting the baselines and evaluating")
    naive: dict[str, np.ndarray] = {}
    if isinstance(recipe, ForecastRecipe):
        baselines = fit_forecast_baselines(prepared)
        naive = dict(zip(prepared.table.series, naive_error(prepared), strict=True))
    else:
        latent = int(model.get_layer("bridge").input.shape[-1])
        baselines = fit_autoencode_baselines(prepared, latent_dim=latent)
    bundle = Bundle(recipe, model, prepared.scaler, list(baselines), naive, info)
    return bundle, bundle.evaluate_part(prepared, "val"), bundle.evaluate_part(prepared, "test")


def _examined(recipe: Recipe, fitted: Fit, val: Evaluation, test: Evaluation) -> list[Finding]:
    if not fitted.best_epoch:
        text = "interrupted before the first epoch had ended: the weights are hardly trained and no validation has chosen them"
        return [Finding("no_epoch_finished", "warning", text, "Do not use this model; train again")]
    losses = [epoch.val_loss for epoch in fitted.history]
    examine = examine_forecast if isinstance(recipe, ForecastRecipe) else examine_autoencoder
    return examine(val, test, losses, all_epochs=fitted.ended == "epochs")


def _log(result: TrainResult, prepared: Prepared, source: pd.DataFrame, record: RunRecord) -> None:
    """Everything that the run page shows."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        bundle = result.bundle.save(folder / "bundle")
        record.metrics(_final_metrics(result))
        for name in result.test.sums:
            key = "test_by_step/rmse" if name == MODEL else f"test_by_step/{_metric_name(name)}_rmse"
            record.curve(key, result.test.by_step(name))
        record.tags(_last_tags(result))
        record.note(describe_run(result))
        _draw(result, prepared, folder / "figures")
        (folder / "recipe.yaml").write_text(dump_recipe(result.recipe), encoding="utf-8")
        result.test.table().to_csv(folder / "test_scores.csv", index=False)
        result.val.table().to_csv(folder / "val_scores.csv", index=False)
        record.files(folder)
        record.models(bundle, served_examples(result.bundle, prepared, source), requirements())


@contextmanager
def _rescue(bundle: Bundle, reporter: Reporter) -> Iterator[None]:
    """What goes wrong after the fit costs no trained model: it is saved to the first place that takes it."""
    try:
        yield
    except BaseException as error:
        told = _put_aside(bundle)
        if isinstance(error, KitError | OSError):
            raise BundleError(f"{error}\n{told}") from error
        reporter.say(told)
        raise


def _put_aside(bundle: Bundle) -> str:
    for parent in (Path.cwd(), Path(tempfile.gettempdir())):
        try:
            saved = bundle.save(parent / f"bundle-{bundle.info['run_id'][:8]}")
        except BundleError:
            continue
        verb = "predict" if bundle.recipe.task == "forecast" else "score"
        return f"The trained model is not lost: it was saved to {saved}, and `seq2seq-kit {verb} {saved}` takes it"
    return "The trained model could not be saved anywhere else either"


def _draw(result: TrainResult, prepared: Prepared, folder: Path) -> None:
    bundle, forecast = result.bundle, isinstance(result.recipe, ForecastRecipe)
    predictors = {MODEL: bundle.forecast} | {peer.name: peer for peer in bundle.baselines}
    word = "Forecasts" if forecast else "Reconstructions"
    title = f"{word} of the test windows: {result.recipe.name or result.recipe.task}"
    figures = {
        "loss_curves": plots.plot_losses(result.fit),
        word.lower(): plots.plot_examples(plots.pick_examples(prepared, "test", predictors, count=6), title=title),
        "error_by_step": plots.plot_error_by_step(result.test),
        "model": plots.plot_model(bundle.model),
    }
    plots.save(figures, folder)
    many = plots.pick_examples(prepared, "test", predictors, count=_EXAMPLES)
    plots.write_interactive(many, folder / f"{word.lower()}.html", title=title)


def _final_metrics(result: TrainResult) -> dict[str, float]:
    values: dict[str, float] = {}
    for part in (result.val, result.test):
        scores = part.overall()
        values |= {f"{part.part}/{key}": getattr(scores, key) for key in ("mae", "rmse", "mase", "r2")}
        values[f"{part.part}/skill"] = part.skill
    for name in result.test.baselines:
        scores = result.test.overall(name)
        values |= {f"test_baselines/{_metric_name(name)}_{key}": getattr(scores, key) for key in ("mae", "rmse")}
    fit = {
        "best_epoch": result.fit.best_epoch,
        "seconds": result.fit.seconds,
        "seconds_of_the_whole_run": result.seconds,
    }
    return values | {f"fit/{key}": float(value) for key, value in fit.items()}


def _metric_name(name: str) -> str:
    return "".join(letter if letter.isalnum() else " " for letter in name).strip().replace("  ", " ").replace(" ", "_")


def _first_tags(recipe: Recipe) -> dict[str, str]:
    revision = git_revision(Path.cwd())
    tags = {"task": recipe.task, "data": recipe.data.source or "DataFrame", "seed": str(recipe.seed)}
    tags["versions"] = ", ".join(f"{name} {number}" for name, number in versions().items())
    tags["mlflow.source.name"] = "seq2seq-kit train"
    return tags | ({"mlflow.source.git.commit": revision} if revision else {})


def _last_tags(result: TrainResult) -> dict[str, str]:
    tags = {
        "ended": result.fit.ended,
        "best_baseline": result.test.best_baseline,
        "beats_baselines": "yes" if result.test.skill > 0 else "no",
    }
    for finding in result.findings:
        key = f"finding.{finding.code}"
        tags[key] = f"{tags[key]} | {finding}" if key in tags else str(finding)
    return tags


def _run_name(recipe: Recipe) -> str:
    # MLflow's UI cuts names at about 17 characters; what tells runs of one experiment apart comes first.
    units = "-".join(map(str, recipe.model.encoder_units))
    return f"{recipe.model.cell}{units} e{recipe.training.epochs} s{recipe.seed}"


def _data_name(recipe: Recipe) -> str:
    return Path(recipe.data.source).name if recipe.data.source else "DataFrame"


def _close(record: RunRecord, status: str, error: BaseException) -> None:
    """Marks a run that ended in an error; a store that cannot be reached then must not hide that error."""
    try:
        record.tags({"error": f"{type(error).__name__}: {error}"})
        record.end(status)
    except TrackingError:
        pass


__all__ = ["Reporter", "TrainResult", "evaluate", "load", "train"]
