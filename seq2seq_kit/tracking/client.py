"""The only module that speaks to MLflow: one run for each training, logged explicitly, nothing twice."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from seq2seq_kit.data.on_disk.row_groups import FrameOnDisk
from seq2seq_kit.errors import TrackingError
from seq2seq_kit.recipe.loading import flattened
from seq2seq_kit.tracking.store import LocalStore, local_store
from seq2seq_kit.training.fit import Epoch

# Telemetry is off unless the user turns it on; MLflow reads this when it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# MLflow's own logger speaks of migrations and environments; what matters is said by the kit.
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # drawn where tqdm is installed

_TAG_LENGTH = 5_000
_PARAM_LENGTH = 6_000
_PARAMS_AT_ONCE = 100  # MLflow's own limit
_LEAST_PREFIX = 6  # letters of a run id that are enough to name it
_SEARCHED_RUNS = 5_000
_LOOKED_AT = 200
_SHOWN_ROWS = 1_000


def open_tracking(uri: str | None, *, say: Callable[[str], None] = lambda text: None, create: bool = True) -> Tracking:
    """Connects to the store, creating a local one on first use.

    Args:
        uri: As in `store.local_store`.
        say: Told what takes a while.
        create: Whether a local store that is not there may be made; reading needs one that is.

    Raises:
        TrackingError: The store is absent, locked, unreachable or not writable.
    """
    local = local_store(uri)
    if local:
        new = local.is_new
        if new and not create:
            raise TrackingError(
                f"there are no runs in {local.folder}: it has no mlflow.db. Call from the folder where the runs are, or name "
                "it with --tracking-uri"
            )
        local.prepare()
        if new:
            say(f"creating the MLflow store in {local.folder.name}/ (once, a few seconds)")
    address = local.uri if local else uri or os.environ["MLFLOW_TRACKING_URI"]
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    import mlflow

    given = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}
    mlflow.set_tracking_uri(address)
    mlflow.set_registry_uri(address)
    # MLflow writes its address into the environment too, where the next call would take it for the user's choice.
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ.update(given)
    client = mlflow.MlflowClient(address, address)
    with _explained(address):
        client.search_experiments(max_results=1)
    return Tracking(address, local, client)


@dataclass(frozen=True)
class Tracking:
    """A connection to a store."""

    uri: str
    local: LocalStore | None
    client: Any

    def start(self, experiment: str, *, name: str, tags: Mapping[str, str], parent: str | None = None) -> RunRecord:
        """Starts a run, in an experiment that is made if need be; below the run with the id `parent` if there is one."""
        with _explained(self.uri):
            found = self.client.get_experiment_by_name(experiment)
            if found is not None and found.lifecycle_stage == "deleted":
                raise TrackingError(
                    f"the experiment {experiment} was deleted in MLflow; restore it there, or set another name"
                )
            identity = found.experiment_id if found else self._create(experiment)
            above = {"mlflow.parentRunId": parent} if parent else {}
            run = self.client.create_run(identity, run_name=name, tags=dict(tags) | above)
        return RunRecord(self, identity, run.info.run_id)

    def reopen(self, run_id: str) -> tuple[RunRecord, dict[str, str]]:
        """A run that is to be gone on with, and its tags; the id may be the beginning of one.

        Raises:
            TrackingError: No such run.
        """
        run = self._find(run_id)
        return RunRecord(self, run.info.experiment_id, run.info.run_id), dict(run.data.tags)

    def children(self, record: RunRecord) -> list[tuple[RunRecord, dict[str, str]]]:
        """The runs right below a run, with their tags, oldest first."""
        found: list[tuple[RunRecord, dict[str, str]]] = []
        token = None
        with _explained(self.uri):
            while True:
                page = self.client.search_runs(
                    [record.experiment_id],
                    f"tags.`mlflow.parentRunId` = '{record.run_id}'",
                    max_results=_SEARCHED_RUNS,
                    order_by=["attributes.start_time ASC"],
                    page_token=token,
                )
                found += [(RunRecord(self, record.experiment_id, run.info.run_id), dict(run.data.tags)) for run in page]
                token = page.token
                if not token:
                    return found

    def fetch(self, run_id: str, artifact: str, folder: Path) -> Path:
        """Copies an artifact of a run into `folder`.

        Raises:
            TrackingError: No such run, or the run has no such artifact.
        """
        run = self._find(run_id)
        run_id = run.info.run_id
        with _explained(self.uri):
            if not any(file.path == artifact for file in self.client.list_artifacts(run_id)):
                raise TrackingError(f"the run {run_id} ({run.info.status}) has no {artifact}; was it cut short?")
            return Path(self.client.download_artifacts(run_id, artifact, str(folder)))

    def runs(self, most: int = 20) -> pd.DataFrame:
        """The newest runs: id, name, experiment, status, result on test, start; of a sweep, its own run and not its trials."""
        with _explained(self.uri):
            experiments = {found.experiment_id: found.name for found in self.client.search_experiments()}
            runs = list(islice(self._newest(list(experiments)), most))
        rows = [
            {
                "run": run.info.run_id,
                "name": run.info.run_name,
                "experiment": experiments[run.info.experiment_id],
                "status": run.info.status,
                "result": run.data.tags.get("result", ""),
                "started": pd.Timestamp(run.info.start_time, unit="ms").strftime("%m-%d %H:%M"),
            }
            for run in runs
        ]
        return pd.DataFrame(rows, columns=["run", "name", "experiment", "status", "result", "started"])

    def newest_run(self) -> tuple[str, str] | None:
        """Ids of the experiment with the newest run and of that run, or None."""
        with _explained(self.uri):
            run = next(self._newest([found.experiment_id for found in self.client.search_experiments()]), None)
        return (run.info.experiment_id, run.info.run_id) if run else None

    def _newest(self, experiments: Sequence[str]) -> Iterator[Any]:
        """Runs that stand below no other, the newest first. MLflow cannot search for a tag that is absent."""
        token = None
        while True:
            page = self.client.search_runs(
                list(experiments), order_by=["attributes.start_time DESC"], max_results=_LOOKED_AT, page_token=token
            )
            yield from (run for run in page if "mlflow.parentRunId" not in run.data.tags)
            token = page.token
            if not token:
                return

    def _find(self, run_id: str) -> Any:
        """A run by its id, or by the beginning of it."""
        import mlflow

        with _explained(self.uri):
            try:
                return self.client.get_run(run_id)
            except mlflow.exceptions.MlflowException as error:
                ids = [found.experiment_id for found in self.client.search_experiments()]
                runs = self.client.search_runs(ids, max_results=_SEARCHED_RUNS)
                matching = (
                    [run for run in runs if run.info.run_id.startswith(run_id)] if len(run_id) >= _LEAST_PREFIX else []
                )
                if len(matching) == 1:
                    return matching[0]
                found = f"{len(matching)} runs begin with {run_id}" if matching else f"there is no run {run_id}"
                raise TrackingError(
                    f"{found} in {self.uri}, and no folder has that name. `seq2seq-kit list runs` shows the runs at hand"
                ) from error

    def _create(self, experiment: str) -> str:
        # The kind opens the UI in its model-training view instead of the one for language models.
        tags = {"mlflow.experimentKind": "custom_model_development"}
        place = str(self.local.artifacts) if self.local else None
        return self.client.create_experiment(experiment, artifact_location=place, tags=tags)


@dataclass
class RunRecord:
    """One run being written. Watches a fit as an observer; what a busy store refuses is kept and sent with the next epoch."""

    tracking: Tracking
    experiment_id: str
    run_id: str
    waiting: list[Any] = field(default_factory=list)

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
        """Nothing is logged for a batch."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Losses, learning rate and speed of an epoch."""
        # MLflow groups charts by what stands before the slash, in alphabetical order: the curves come first.
        values = {
            "epoch/loss": epoch.loss,
            "epoch/val_loss": epoch.val_loss,
            "epoch/learning_rate": epoch.learning_rate,
            "epoch/sequences_per_second": epoch.sequences_per_second,
        } | {f"epoch/{key}": value for key, value in epoch.metrics.items()}
        self._queue(values, epoch.number)
        try:
            self._send()
        except TrackingError as error:
            warnings.warn(f"{error}. The figures are kept and sent with the next epoch", stacklevel=2)

    def params(self, values: Mapping[str, Any]) -> None:
        """Flattened parameters: `{"model": {"dropout": 0.1}}` becomes `model.dropout`."""
        from mlflow.entities import Param

        flat = [Param(key, _text(value)[:_PARAM_LENGTH]) for key, value in flattened(values)]
        with _explained(self.tracking.uri):
            for first in range(0, len(flat), _PARAMS_AT_ONCE):
                self.tracking.client.log_batch(self.run_id, params=flat[first : first + _PARAMS_AT_ONCE])

    def metrics(self, values: Mapping[str, float], *, step: int = 0) -> None:
        """Figures of the run; what is not a finite number has no place in MLflow's charts and is left out."""
        self._queue(values, step)
        self._send()

    def curve(self, key: str, values: Iterable[float]) -> None:
        """A figure for each output step, counted from 1."""
        for step, value in enumerate(values, start=1):
            self._queue({key: value}, step)
        self._send()

    def tags(self, values: Mapping[str, str]) -> None:
        """Words to filter by."""
        from mlflow.entities import RunTag

        with _explained(self.tracking.uri):
            tags = [RunTag(key, value[:_TAG_LENGTH]) for key, value in values.items()]
            self.tracking.client.log_batch(self.run_id, tags=tags)

    def untag(self, names: Iterable[str]) -> None:
        """Takes tags away that no longer hold."""
        with _explained(self.tracking.uri):
            for name in names:
                self.tracking.client.delete_tag(self.run_id, name)

    def note(self, markdown: str) -> None:
        """The text at the top of the run's page."""
        self.tags({"mlflow.note.content": markdown})

    def files(self, folder: Path, place: str | None = None) -> None:
        """Every file of a folder, as an artifact."""
        with _explained(self.tracking.uri):
            self.tracking.client.log_artifacts(self.run_id, str(folder), place)

    def dataset(self, frame: pd.DataFrame | FrameOnDisk, *, source: str, name: str, digest: str) -> None:
        """The data set as an input of the run, with the digest of its content."""
        import mlflow

        # MLflow looks at every cell to tell the columns' types, all timestamps one by one; the first rows say the same.
        shown = frame.iloc[:_SHOWN_ROWS]

        with _explained(self.tracking.uri), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow advises on integer columns, which matters for serving only
            dataset = mlflow.data.from_pandas(shown, source=source, name=name, digest=digest)
            entity = dataset._to_mlflow_entity()
            if len(shown) < len(frame):
                counts = {"num_rows": len(frame), "num_elements": len(frame) * len(frame.columns)}
                about = (entity.name, entity.digest, entity.source_type, entity.source, entity.schema)
                entity = mlflow.entities.Dataset(*about, json.dumps(counts))
            inputs = mlflow.entities.DatasetInput(entity, [mlflow.entities.InputTag("mlflow.data.context", "training")])
            self.tracking.client.log_inputs(self.run_id, datasets=[inputs])

    def models(self, bundle: Path, examples: Mapping[str, tuple[Any, Any]], pins: Sequence[str]) -> None:
        """The bundle as two pyfuncs with signature, input example and requirements.

        Args:
            bundle: The bundle's folder.
            examples: `frames`: rows that it can predict from and its answer, for the model `model`; `tensors`: arrays
                for the bare network and its output, for the model `network`, whose signature has the batch size -1.
            pins: Requirements, `name==version`.
        """
        import mlflow

        package = Path(__file__).parent
        with _explained(self.tracking.uri), warnings.catch_warnings(), _one_run(self.run_id):
            warnings.simplefilter("ignore")
            for serve, (example, answer) in examples.items():
                mlflow.pyfunc.log_model(
                    name="model" if serve == "frames" else "network",
                    python_model=str(package / "mlflow_model.py"),
                    # By its name the model knows how to serve; a `model_config` would become a parameter of the run.
                    artifacts={serve: str(bundle)},
                    code_paths=[str(package)],
                    signature=mlflow.models.infer_signature(example, answer),
                    input_example=example,
                    pip_requirements=list(pins),
                )

    def epochs(self) -> int:
        """Epochs that were logged already."""
        with _explained(self.tracking.uri):
            return len(self.tracking.client.get_metric_history(self.run_id, "epoch/val_loss"))

    def open(self) -> None:
        """Marks a run that was closed as running again."""
        with _explained(self.tracking.uri):
            self.tracking.client.update_run(self.run_id, status="RUNNING")

    def end(self, status: str) -> None:
        """Closes the run as FINISHED, FAILED or KILLED."""
        with _explained(self.tracking.uri):
            self.tracking.client.set_terminated(self.run_id, status=status)

    def _queue(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        finite = {key: float(value) for key, value in values.items() if abs(float(value)) < float("inf")}
        self.waiting += [Metric(key, value, now, step) for key, value in finite.items()]

    def _send(self) -> None:
        with _explained(self.tracking.uri):
            for first in range(0, len(self.waiting), 1000):  # MLflow takes at most 1,000 at once
                self.tracking.client.log_batch(self.run_id, metrics=self.waiting[first : first + 1000])
        self.waiting.clear()


def git_revision(folder: Path) -> str | None:
    """The commit that a folder is at, with `-dirty` if files differ from it; None outside a repository."""
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


@contextmanager
def impatient() -> Iterator[None]:
    """A server that does not answer is asked twice and no more; by itself MLflow tries for minutes, deaf to everything else."""
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    given = name in os.environ
    os.environ.setdefault(name, "1")
    try:
        yield
    finally:
        if not given:
            os.environ.pop(name, None)


@contextmanager
def _one_run(run_id: str) -> Iterator[None]:
    """MLflow's model logging writes to the process's active run; makes `run_id` that one and leaves the run open."""
    import mlflow

    while mlflow.active_run() is not None:
        mlflow.end_run()
    with mlflow.start_run(run_id=run_id):
        yield
    mlflow.MlflowClient().update_run(run_id, status="RUNNING")


@contextmanager
def _explained(uri: str) -> Iterator[None]:
    """MLflow's and the database's errors in the kit's words."""
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:  # requests, sqlalchemy and MLflow share no base
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "database is locked" in str(error):
            raise TrackingError(f"{uri} is locked by another process; wait for its write to end, or stop it") from error
        raise TrackingError(f"MLflow at {uri} did not take a call: {said[:300]}") from error


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
