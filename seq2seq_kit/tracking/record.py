"""One run as it is written to MLflow: parameters, metrics, tags, files, the data set and the models that can be served."""

from __future__ import annotations

import json
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from seq2seq_kit.data.on_disk.row_groups import FrameOnDisk
from seq2seq_kit.errors import TrackingError
from seq2seq_kit.packing import packed_package
from seq2seq_kit.recipe.loading import flattened
from seq2seq_kit.text import param_keys
from seq2seq_kit.tracking.calls import active_run, kit_errors
from seq2seq_kit.tracking.dead_runs import process_tags
from seq2seq_kit.training.fit import Epoch

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric
    from mlflow.models import ModelSignature

# MLflow's limits: letters of a tag and of a parameter, parameters and metrics in one request.
_TAG_LENGTH, _PARAM_LENGTH = 5_000, 6_000
_PARAMS_AT_ONCE, _METRICS_AT_ONCE = 100, 1_000
_SHOWN_ROWS = 1_000


class Connection(Protocol):
    """A store that a run is written to; see `client.Tracking`."""

    @property
    def uri(self) -> str: ...

    @property
    def client(self) -> MlflowClient: ...


@dataclass
class RunRecord:
    """One run being written. As an observer of a fit it logs each epoch.

    Attributes:
        tracking: The store.
        experiment_id, run_id: MLflow's ids.
        waiting: Metrics that a locked or unreachable store has not taken yet; they are sent with the next ones.
        logged: Epochs of a resumed run that were logged before, by member (0: the only model): they may be trained again.
    """

    tracking: Connection
    experiment_id: str
    run_id: str
    waiting: list[Metric] = field(default_factory=list)
    logged: Mapping[int, int] = field(default_factory=dict)

    def on_batch(self, epoch: int, of: int, step: int, steps: int) -> None:
        """Nothing is logged for a batch."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Losses, learning rate and speed of an epoch."""
        if epoch.number <= self.logged.get(epoch.member, 0):
            return
        own = _curves(epoch.member)
        # MLflow groups charts by the part before the slash, in alphabetical order: the curves come first.
        values = {
            f"{own}loss": epoch.loss,
            f"{own}val_loss": epoch.val_loss,
            f"{own}learning_rate": epoch.learning_rate,
            f"{own}sequences_per_second": epoch.sequences_per_second,
        } | {f"{own}{key}": value for key, value in epoch.metrics.items()}
        self._queue(values, epoch.number)
        try:
            self._send()
        except TrackingError as error:
            warnings.warn(f"{error}. The figures are kept and sent with the next epoch", stacklevel=2)

    def params(self, values: Mapping[str, object]) -> None:
        """Flattened parameters: `{"model": {"dropout": 0.1}}` becomes `model.dropout`."""
        from mlflow.entities import Param

        flat = [Param(key, text) for key, text in as_params(values).items()]
        with self._client() as client:
            for first in range(0, len(flat), _PARAMS_AT_ONCE):
                client.log_batch(self.run_id, params=flat[first : first + _PARAMS_AT_ONCE])

    def metrics(self, values: Mapping[str, float], *, step: int = 0) -> None:
        """Metrics of the run; MLflow's charts cannot draw NaN and infinity, which are left out."""
        self._queue(values, step)
        self._send()

    def curve(self, key: str, values: Iterable[float]) -> None:
        """A metric for each output step, counted from 1."""
        for step, value in enumerate(values, start=1):
            self._queue({key: value}, step)
        self._send()

    def tags(self, values: Mapping[str, str]) -> None:
        """Texts to filter runs by."""
        from mlflow.entities import RunTag

        with self._client() as client:
            client.log_batch(self.run_id, tags=[RunTag(key, value[:_TAG_LENGTH]) for key, value in values.items()])

    def untag(self, names: Iterable[str]) -> None:
        """Removes tags that no longer hold."""
        with self._client() as client:
            for name in names:
                client.delete_tag(self.run_id, name)

    def note(self, markdown: str) -> None:
        """The text at the top of the run's page."""
        self.tags({"mlflow.note.content": markdown})

    def files(self, folder: Path, place: str | None = None) -> None:
        """Every file of a folder, as an artifact."""
        with self._client() as client:
            client.log_artifacts(self.run_id, str(folder), place)

    def dataset(self, frame: pd.DataFrame | FrameOnDisk, *, source: str, name: str, digest: str) -> None:
        """The data set as an input of the run, with the digest of its content."""
        import mlflow

        # MLflow reads every cell to infer the columns' types, each timestamp by itself; the first rows have the same types.
        shown = frame.iloc[:_SHOWN_ROWS]
        with self._client() as client, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow advises on integer columns, which matters for serving only
            try:
                about = mlflow.data.from_pandas(shown, source=source, name=name, digest=digest).to_dict()
            except mlflow.MlflowException:  # it knows no place of this kind, such as a database
                about = mlflow.data.from_pandas(shown, name=name, digest=digest).to_dict()
                about |= {"source_type": source.partition(":")[0], "source": json.dumps({"uri": source})}
            if len(shown) < len(frame):
                counts = {"num_rows": len(frame), "num_elements": len(frame) * len(frame.columns)}
                about["profile"] = json.dumps(counts)
            names = ("name", "digest", "source_type", "source", "schema", "profile")
            entity = mlflow.entities.Dataset(**{name: about[name] for name in names})
            inputs = mlflow.entities.DatasetInput(entity, [mlflow.entities.InputTag("mlflow.data.context", "training")])
            client.log_inputs(self.run_id, datasets=[inputs])

    def models(
        self,
        bundle: Path,
        examples: Mapping[str, tuple[object, object]],
        pins: Sequence[str],
        params: Mapping[str, str | int],
    ) -> None:
        """The bundle as two pyfuncs with signature, input example and requirements.

        Args:
            bundle: The bundle's folder.
            examples: `frames`: rows that it can predict from and its answer, for the model `model`; `tensors`: arrays
                for the bare network and its output, for the model `network`, whose signature has the batch size -1.
            pins: Requirements, `name==version`.
            params: What the model of frames may be asked for, with what is meant if it is left out.
        """
        import mlflow

        with (
            self._client(),
            warnings.catch_warnings(),
            active_run(self.run_id),
            tempfile.TemporaryDirectory() as folder,
        ):
            warnings.simplefilter("ignore")
            # One file: a server takes each of the package's five hundred files as a request of its own.
            code = Path(folder) / "seq2seq_kit.zip"
            code.write_bytes(packed_package())
            for serve, (example, answer) in examples.items():
                mlflow.pyfunc.log_model(
                    name="model" if serve == "frames" else "network",
                    python_model=str(Path(__file__).with_name("mlflow_model.py")),
                    # The artifact's name says how to serve; a `model_config` would become a parameter of the run.
                    artifacts={serve: str(bundle)},
                    code_paths=[str(code)],
                    signature=_signature(example, answer, params if serve == "frames" else {}),
                    input_example=example,
                    pip_requirements=list(pins),
                )

    def epochs(self, member: int = 0) -> int:
        """Number of the last epoch that is logged, of an ensemble those of one member; 0 if none is."""
        with self._client() as client:
            curve = client.get_metric_history(self.run_id, f"{_curves(member)}val_loss")
            return max((each.step for each in curve), default=0)

    def open(self) -> None:
        """Marks a run that was closed as running again, in this process."""
        self.tags(process_tags())
        with self._client() as client:
            client.update_run(self.run_id, status="RUNNING")

    def place(self) -> str:
        """Where the run's files are: a path, or an address."""
        with self._client() as client:
            return str(client.get_run(self.run_id).info.artifact_uri)

    def status(self) -> str:
        """RUNNING, FINISHED, FAILED or KILLED."""
        with self._client() as client:
            return str(client.get_run(self.run_id).info.status)

    def end(self, status: str) -> None:
        """Closes the run as FINISHED, FAILED or KILLED."""
        with self._client() as client:
            client.set_terminated(self.run_id, status=status)

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        with kit_errors(self.tracking.uri):
            yield self.tracking.client

    def _queue(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        finite = {key: float(value) for key, value in values.items() if abs(float(value)) < float("inf")}
        self.waiting += [Metric(key, value, now, step) for key, value in finite.items()]

    def _send(self) -> None:
        with self._client() as client:
            for first in range(0, len(self.waiting), _METRICS_AT_ONCE):
                client.log_batch(self.run_id, metrics=self.waiting[first : first + _METRICS_AT_ONCE])
        self.waiting.clear()


def _curves(member: int) -> str:
    """What the names of a fit's curves begin with."""
    return f"epoch/member_{member}_" if member else "epoch/"


def as_params(values: Mapping[str, object]) -> dict[str, str]:
    """Nested values by MLflow's keys, as MLflow stores them."""
    given = dict(flattened(values))
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()}
    return {key: texts[name][:_PARAM_LENGTH] for name, key in param_keys(given).items()}


def _signature(example: object, answer: object, params: Mapping[str, str | int]) -> ModelSignature:
    """MLflow's signature; a column of texts may come as anything: times as timestamps, names of series as numbers."""
    from mlflow.models import infer_signature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    found = infer_signature(example, answer, params=dict(params) or None)
    if isinstance(example, pd.DataFrame):
        columns = [
            ColSpec(AnyType(), each.name, required=each.required) if each.type == DataType.string else each
            for each in found.inputs.inputs
        ]
        found.inputs = Schema(columns)
    return found
