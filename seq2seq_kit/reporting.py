"""A run of MLflow as one page that can be sent and opened anywhere."""

import tempfile
from pathlib import Path

from seq2seq_kit.reports.page import write_page
from seq2seq_kit.reports.run_page import run_page
from seq2seq_kit.tracking.client import open_tracking
from seq2seq_kit.tracking.stored import read_run


def report(run: str, *, out: str | Path = "report.html", tracking_uri: str | None = None) -> Path:
    """Writes a run as one HTML page: result against the baselines, findings, figures, interactive examples, recipe, versions.

    Args:
        run: Id of a run or a sweep, or the beginning of one.
        out: File to write.
        tracking_uri: As in `train`.

    Returns:
        The file.

    Raises:
        TrackingError: No such run.
        ArgumentError: The file cannot be written.
    """
    tracking = open_tracking(tracking_uri, create=False)
    with tempfile.TemporaryDirectory() as folder:
        found = read_run(tracking, run, Path(folder))
        text = run_page(
            found.run_id,
            found.title,
            tags=found.tags,
            metrics=found.metrics,
            status=found.status,
            files=Path(folder),
        )
    return write_page(text, out)
