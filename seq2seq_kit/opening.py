"""What a run begins with: a trained model from its folder or run, and a recipe with its data and what a program brings."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_kit.arguments import require_place
from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.bundles.exports import is_export
from seq2seq_kit.errors import BundleError
from seq2seq_kit.quiet import load_tensorflow
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.tasks import open_job, read_bundle
from seq2seq_kit.tracking.registry import is_registered

if TYPE_CHECKING:
    from seq2seq_kit.bundles.own_classes import CustomObjects
    from seq2seq_kit.data.sources.given import Given
    from seq2seq_kit.findings import Finding
    from seq2seq_kit.tasks.job import Job
    from seq2seq_kit.training.own import Own


def load(run: str | Path, *, custom_objects: CustomObjects | None = None, tracking_uri: str | None = None) -> Bundle:
    """A trained model, from a bundle's folder or from a run.

    Args:
        run: Path of a bundle, id of a run, or a registered model: `models:/load@champion`, `models:/load/3`.
        custom_objects: Classes and functions by name that a program's own model is made of, `{"Gate": Gate}`: those that you
            trust. Nothing else is let in, and no name out of a bundle is imported.
        tracking_uri: As in `train`.

    Returns:
        The bundle of the run's task: `ForecastBundle`, `TranslateBundle`, `TagBundle`, ...

    Raises:
        BundleError: The bundle is damaged, not of this kit, or made of classes that were not handed over.
        TrackingError: No such run.
    """
    with bundle_folder(run, tracking_uri=tracking_uri) as folder:
        return read_bundle(folder, custom_objects)


@contextmanager
def bundle_folder(run: str | Path, *, tracking_uri: str | None = None) -> Iterator[Path]:
    """The folder of a trained model, of a run as long as the context lasts; arguments and errors as of `load`."""
    require_place("run", run, "the folder of a bundle, the id of a run, or models:/NAME@ALIAS")
    registered = is_registered(run)
    if not registered and os.path.isdir(run):  # noqa: PTH112 (a Path raises where no folder can have the name, such as one of 300 letters)
        yield Path(run)
        return
    if not registered and (Path(run).suffix or "/" in str(run)):
        message = f"there is no folder {run}. Expected the folder of a bundle, the id of a run, or models:/NAME@ALIAS"
        raise BundleError(message, code="bundle_missing")
    from seq2seq_kit.tracking.client import open_tracking

    tracking = open_tracking(tracking_uri, create=False)
    with tempfile.TemporaryDirectory() as folder:
        yield tracking.fetch(str(run), "bundle", Path(folder))


def load_quietly(run: str, tracking_uri: str | None = None) -> Bundle:
    """As `load`, without TensorFlow's messages; of an exported folder without TensorFlow."""
    if not is_export(run):
        load_tensorflow()
    return load(run, tracking_uri=tracking_uri)


def open_training(
    recipe: Recipe,
    data: Given | None,
    own: Own,
    *,
    custom_objects: CustomObjects | None = None,
    tracking_uri: str | None = None,
) -> Job:
    """A recipe with its data, what a program brings, and the trained model that it starts from; arguments as in `train`.

    Raises:
        ArgumentError: The task does not take it, the recipe names what is not handed over, or the model does not fit.
    """
    job = open_job(recipe, data)
    run = recipe.training.start_from
    start = (
        None
        if run is None or not job.takes_own
        else load(run, custom_objects=custom_objects, tracking_uri=tracking_uri)
    )
    return job.bring(own, start)


def checked(job: Job, tell: Callable[[Finding], None]) -> list[Finding]:
    """The findings on the data, told."""
    findings = job.check()
    for finding in findings:
        tell(finding)
    return findings
