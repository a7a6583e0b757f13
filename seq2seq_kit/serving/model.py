"""The model that is served: an export where there can be one, otherwise the bundle itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.bundles.exports import is_export
from seq2seq_kit.errors import BundleError, KitError
from seq2seq_kit.opening import bundle_folder, load, load_quietly
from seq2seq_kit.processes import end_with_parent

_ONLY_BUNDLE = ("export_unsupported", "export_not_runnable", "export_differs", "missing_package")


def find_model(run: str, tracking_uri: str | None, folder: Path, say: Callable[[str], None]) -> tuple[str, Bundle]:
    """The folder to load, and the model. What is no folder is fetched once: an alias may move before a worker starts anew.

    Args:
        run: Folder of an export or a bundle, or a run.
        tracking_uri: As in `train`.
        folder: For an export, where `run` is none, and for the bundle, where `run` is no folder.
        say: Is told what takes a while.

    Raises:
        BundleError: The model is missing or damaged.
        TrackingError: No such run.
    """
    if is_export(run):
        return run, load(run)
    if not os.path.isdir(run):  # noqa: PTH112 (a Path raises where no folder can have the name)
        run = fetch_aside(run, tracking_uri, folder / "bundle")
    say("exporting the model")
    out = str(folder / "exported")
    try:
        export_aside(run, tracking_uri, out)
        return out, load(out)
    except KitError as error:
        if error.code not in _ONLY_BUNDLE:
            raise
        say(f"served by the bundle, with TensorFlow, because it cannot be exported: {error}")
    return run, load_quietly(run, tracking_uri)


def fetch_aside(run: str, tracking_uri: str | None, out: Path) -> str:
    """Fetches a run's bundle in a process of its own, for MLflow would stay in this one's memory; gives its folder.

    Raises:
        KitError: As `bundle_folder`, or the process was ended.
    """
    _aside(f"fetches {run}", _fetch, run, tracking_uri, str(out))
    return str(out)


def export_aside(run: str, tracking_uri: str | None, out: str) -> None:
    """Exports in a process of its own: TensorFlow would stay in this one's memory.

    Raises:
        KitError: As `load` and `Bundle.export`, or the process was ended.
    """
    _aside(f"exports {run}", _export, run, tracking_uri, out)


def _aside(
    does: str, call: Callable[[str, str | None, str], None], run: str, tracking_uri: str | None, out: str
) -> None:
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
            pool.submit(call, run, tracking_uri, out).result()
    except BrokenProcessPool:
        raise BundleError(
            f"the process that {does} was ended before it was done: by somebody, or by the system for its memory. Export "
            "the model by itself (`seq2seq-kit export RUN --out FOLDER`), where there is more of it, and give the folder",
            code="export_ended",
        ) from None


def _fetch(run: str, tracking_uri: str | None, out: str) -> None:
    with bundle_folder(run, tracking_uri=tracking_uri) as folder:
        shutil.copytree(folder, out)


def _export(run: str, tracking_uri: str | None, out: str) -> None:
    load_quietly(run, tracking_uri).export(out)
