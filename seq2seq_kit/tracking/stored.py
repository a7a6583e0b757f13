"""A run as MLflow holds it, with the files that show it."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from seq2seq_kit.errors import TrackingError
from seq2seq_kit.tracking.client import Tracking

_SHOWN = ("figures", "sweep", "recipe.yaml", "sweep.yaml", "members.csv")


@dataclass(frozen=True)
class StoredRun:
    """A run.

    Attributes:
        run_id: Its whole id.
        title: Its experiment and its name.
        status: FINISHED, FAILED, KILLED or RUNNING.
        tags: Of the run.
        metrics: Of the run, the newest value of each.
    """

    run_id: str
    title: str
    status: str
    tags: dict[str, str]
    metrics: dict[str, float]


def read_run(tracking: Tracking, run: str, folder: Path) -> StoredRun:
    """A run; its figures, pages and recipe are copied into `folder`, those that it has.

    Raises:
        TrackingError: No such run.
    """
    record, tags = tracking.reopen(run)
    for name in _SHOWN:
        with suppress(TrackingError):  # a run that was cut short has not all of them
            tracking.fetch(record.run_id, name, folder)
    found = tracking.client.get_run(record.run_id)
    experiment = tracking.client.get_experiment(record.experiment_id).name
    title = f"{experiment}: {found.info.run_name}"
    return StoredRun(record.run_id, title, str(found.info.status), tags, dict(found.data.metrics))
