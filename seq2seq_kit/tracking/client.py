"""A connection to MLflow: opens a store, starts runs, finds and lists them. `record.py` writes one run."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from seq2seq_kit.arguments import require_place
from seq2seq_kit.errors import TrackingError
from seq2seq_kit.processes import shared_folder
from seq2seq_kit.tracking.calls import impatient, kit_errors
from seq2seq_kit.tracking.dead_runs import close_dead, is_dead, process_tags
from seq2seq_kit.tracking.making import LOCK, lock
from seq2seq_kit.tracking.mlflow_schema import OWN, WRITTEN_BY
from seq2seq_kit.tracking.record import RunRecord
from seq2seq_kit.tracking.registry import is_registered, run_of
from seq2seq_kit.tracking.store import LocalStore, local_store
from seq2seq_kit.tracking.view import view_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_LEAST_PREFIX = 6  # letters of a run id that are enough to name it
_NAME_LENGTH = 250  # of a run; a list of many layers or columns is longer
_OTHER_RUNS = ("sweep.kind", "backtest.kind", "replay.kind")  # tags of runs that are no trainings
_SEARCHED_RUNS, _PAGE_OF_RUNS = 5_000, 200  # the most that MLflow gives at once; a page of the newest


def open_tracking(
    uri: str | None, *, say: Callable[[str], None] = lambda text: None, create: bool = True, write: bool | None = None
) -> Tracking:
    """Connects to the store; a local one is created on first use.

    Args:
        uri: As in `store.local_store`.
        say: Is told what takes a while.
        create: Whether a local store may be created; without it an absent one is an error.
        write: Whether it is going to be written to; default: as `create`. A store that is only read is not changed.

    Raises:
        TrackingError: The store is absent, half made, locked, unreachable, of another MLflow, or not writable.
    """
    if uri is not None:
        require_place("tracking_uri", uri, "the address of a store, such as sqlite:///runs/mlflow.db")
    local = local_store(None if uri is None else os.fspath(uri))
    write = create if write is None else write
    _quieten()
    if local:
        if local.is_new:
            if not create:
                raise TrackingError(
                    f"there are no runs in {local.folder}: it has no mlflow.db. Call from the folder where the runs are, or "
                    "name it with --tracking-uri",
                    code="store_not_found",
                )
            say(f"creating the MLflow store in {local.folder.name}/ (once, a few seconds)")
            local.make()
        if write:
            local.prepare()
    address = local.uri if local else uri or os.environ["MLFLOW_TRACKING_URI"]
    import mlflow

    given = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}
    mlflow.set_tracking_uri(address)
    mlflow.set_registry_uri(address)
    # MLflow writes its address into the environment too, where the next call would take it for the user's choice.
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ.update(given)
    with kit_errors(address):
        client = mlflow.MlflowClient(address, address)
        client.search_experiments(max_results=1)
    tracking = Tracking(address, local, client)
    if write:
        tracking.close_dead()
    return tracking


def _quieten() -> None:
    """MLflow logs a traceback before it raises; what it raises is told in a sentence."""
    import mlflow  # noqa: F401  (which sets the levels when it is imported)

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Tracking:
    """A connection to a store."""

    uri: str
    local: LocalStore | None
    client: MlflowClient

    def start(self, experiment: str, *, name: str, tags: Mapping[str, str], parent: str | None = None) -> RunRecord:
        """Starts a run, as a child of the run with the id `parent` if one is given; the experiment is created if it is new."""
        with kit_errors(self.uri):
            found = self.client.get_experiment_by_name(experiment)
            if found is not None and found.lifecycle_stage == "deleted":
                raise TrackingError(
                    f"the experiment {experiment} was deleted in MLflow; restore it there, or set another name",
                    code="experiment_deleted",
                )
            identity = found.experiment_id if found else self._create(experiment)
            own = process_tags() | {WRITTEN_BY: version("mlflow")}
            own |= {"mlflow.parentRunId": parent} if parent else {}
            run = self.client.create_run(identity, run_name=name[:_NAME_LENGTH], tags=dict(tags) | own)
        return RunRecord(self, identity, run.info.run_id)

    def previous(self, experiment: str) -> dict[str, str] | None:
        """Parameters of the newest training of an experiment, not of a sweep or backtest; None where there is none."""
        with kit_errors(self.uri):
            found = self.client.get_experiment_by_name(experiment)
            runs = self._newest([found.experiment_id]) if found else iter(())
            trainings = (run for run in islice(runs, _PAGE_OF_RUNS) if not {*_OTHER_RUNS} & {*run.data.tags})
            run = next(trainings, None)
        return dict(run.data.params) if run else None

    def show(self, experiment_id: str) -> None:
        """Keeps the kit's view of the list of runs with an experiment that has none; a store that refuses it goes without."""
        if self.local and not self.local.writable:
            return
        with suppress(TrackingError), kit_errors(self.uri):
            tags = self.client.get_experiment(experiment_id).tags
            for key, value in view_tags().items():
                if tags.get(key) != value:
                    self.client.set_experiment_tag(experiment_id, key, value)

    def reopen(self, run_id: str) -> tuple[RunRecord, dict[str, str]]:
        """A run to resume, and its tags; the id may be the beginning of one.

        Raises:
            TrackingError: No such run.
        """
        run = self.find(run_id)
        return RunRecord(self, run.info.experiment_id, run.info.run_id), dict(run.data.tags)

    def children(self, record: RunRecord) -> list[tuple[RunRecord, dict[str, str]]]:
        """The child runs of a run, with their tags, oldest first."""
        below = f"tags.`mlflow.parentRunId` = '{record.run_id}'"
        with kit_errors(self.uri):
            found = list(self._search([record.experiment_id], "ASC", below, page=_SEARCHED_RUNS))
        return [(RunRecord(self, record.experiment_id, run.info.run_id), dict(run.data.tags)) for run in found]

    def fetch(self, run_id: str, artifact: str, folder: Path) -> Path:
        """Copies an artifact of a run into `folder`.

        Raises:
            TrackingError: No such run, or the run has no such artifact.
        """
        run = self.find(run_id)
        run_id = run.info.run_id
        with kit_errors(self.uri):
            moved = self.local.found_here(run.info.artifact_uri) if self.local else None
            if self.local and moved and self.local.writable:
                self.local.prepare()
                moved = None
            names = [file.path for file in self.client.list_artifacts(run_id)] if not moved else []
            if artifact not in names and not (moved and (moved / artifact).exists()):
                raise TrackingError(
                    f"the run {run_id} ({run.info.status}) has no {artifact}; was it cut short?",
                    code="missing_artifact",
                )
            if not moved:
                return Path(self.client.download_artifacts(run_id, artifact, str(folder)))
            copy = shutil.copytree if (moved / artifact).is_dir() else shutil.copyfile
            return Path(copy(moved / artifact, folder / artifact))

    def lock(self) -> AbstractContextManager[None]:
        """Held while something is looked at and then written, so that no other process of this machine does the same."""
        folder = self.local.folder if self.local else None
        mine = f"{zlib.crc32(str(Path.home()).encode()):08x}"
        return lock(folder / LOCK if folder else shared_folder() / f"seq2seq-kit-{mine}.lock")

    def close_dead(self) -> None:
        """Marks the runs of this machine's dead processes KILLED; where the store cannot be written, the next command does."""
        if self.local and not self.local.writable:
            return
        with suppress(TrackingError), kit_errors(self.uri):
            running = self._search(self._experiments(), "ASC", "attributes.status = 'RUNNING'", page=_PAGE_OF_RUNS)
            dead = [run.info.run_id for run in running if is_dead(run.data.tags)]
            if not dead:
                return
            with self.lock():
                for run_id in dead:
                    run = self.client.get_run(run_id)  # another process may have taken it up meanwhile
                    if run.info.status == "RUNNING" and is_dead(run.data.tags):
                        close_dead(self.client, run)

    def runs(self, most: int = 20) -> pd.DataFrame:
        """The newest runs: id, name, experiment, status, result on test, start, and what resumes one that was cut short.

        Of a sweep its own run and not its trials.
        """
        with kit_errors(self.uri):
            experiments = self._experiments()
            runs = list(islice(self._newest(experiments), most))
        rows = [
            {
                "run": run.info.run_id,
                "name": run.info.run_name,
                "experiment": experiments[run.info.experiment_id],
                "status": run.info.status,
                "result": run.data.tags.get("result", ""),
                "started": pd.Timestamp(run.info.start_time, unit="ms").strftime("%m-%d %H:%M"),
                "resume": "" if run.info.status in ("FINISHED", "RUNNING") else run.data.tags.get("resume", ""),
            }
            for run in runs
        ]
        return pd.DataFrame(rows, columns=["run", "name", "experiment", "status", "result", "started", "resume"])

    def newest_run(self) -> tuple[str, str] | None:
        """Ids of the experiment with the newest run and of that run, or None."""
        with kit_errors(self.uri):
            run = next(self._newest(self._experiments()), None)
        return (run.info.experiment_id, run.info.run_id) if run else None

    def _experiments(self) -> dict[str, str]:
        """Names of the experiments by their ids."""
        return {found.experiment_id: found.name for found in self.client.search_experiments()}

    def _newest(self, experiments: Iterable[str]) -> Iterator[Run]:
        """Runs without a parent, the newest first. MLflow cannot search for a tag that is absent."""
        found = self._search(experiments, "DESC", page=_PAGE_OF_RUNS)
        return (run for run in found if "mlflow.parentRunId" not in run.data.tags)

    def _search(
        self, experiments: Iterable[str], order: Literal["ASC", "DESC"], condition: str = "", *, page: int
    ) -> Iterator[Run]:
        """The runs of some experiments by their start, requested in pages of so many."""
        ids, by, token = list(experiments), [f"attributes.start_time {order}"], None
        while True:
            found = self.client.search_runs(ids, condition, max_results=page, order_by=by, page_token=token)
            yield from found
            token = found.token
            if not token:
                return

    def find(self, run_id: str) -> Run:
        """A run by its id, by the beginning of it, or by a name of the registry, `models:/load@champion`.

        Raises:
            TrackingError: No such run.
        """
        import mlflow

        if is_registered(run_id):
            return run_of(self.client, self.uri, run_id)
        with kit_errors(self.uri):
            try:
                return self.client.get_run(run_id)
            except mlflow.exceptions.MlflowException as error:
                runs = self._search(self._experiments(), "DESC", page=_SEARCHED_RUNS)
                long = len(run_id) >= _LEAST_PREFIX
                matching = [run for run in runs if run.info.run_id.startswith(run_id)] if long else []
                if len(matching) == 1:
                    return matching[0]
                found = f"{len(matching)} runs begin with {run_id}" if matching else f"there is no run {run_id}"
                found += "" if long else f" (the beginning of an id needs at least {_LEAST_PREFIX} characters)"
                raise TrackingError(
                    f"{found} in {self.uri}, and no folder has that name. `seq2seq-kit list runs` shows the runs at hand",
                    code="ambiguous_run_id" if matching else "unknown_run",
                ) from error

    def _create(self, experiment: str) -> str:
        # With this kind the UI opens in its view for model training instead of the one for language models.
        tags = {"mlflow.experimentKind": "custom_model_development", OWN: "1"} | view_tags()
        place = str(self.local.artifacts) if self.local else None
        try:
            return self.client.create_experiment(experiment, artifact_location=place, tags=tags)
        except Exception:
            found = self.client.get_experiment_by_name(experiment)
            if found is None:
                raise
            return found.experiment_id  # another process was faster


def git_revision(folder: Path) -> str | None:
    """The commit that a folder is at, with `-dirty` if files differ from it; None outside a repository."""
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


__all__ = ["RunRecord", "Tracking", "git_revision", "impatient", "open_tracking"]
