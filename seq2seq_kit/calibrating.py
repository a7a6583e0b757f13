"""Intervals for a model that was trained without: calibrated on rows that it has not seen, not trained again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_kit.bundles.base import rows_given
from seq2seq_kit.bundles.intervals import IntervalBundle
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.opening import load
from seq2seq_kit.tasks import open_job
from seq2seq_kit.tasks.digest import digest_of
from seq2seq_kit.tasks.last_fit import refuse_seen_rows
from seq2seq_kit.tasks.windows import WindowJob

if TYPE_CHECKING:
    from seq2seq_kit.bundles.own_classes import CustomObjects
    from seq2seq_kit.data.sources.given import Given


def calibrate(
    run: str | Path | IntervalBundle,
    *,
    levels: Sequence[float],
    data: Given | str | Path | None = None,
    out: str | Path | None = None,
    custom_objects: CustomObjects | None = None,
    tracking_uri: str | None = None,
) -> IntervalBundle:
    """The model of a run with conformal intervals of other levels; nothing is trained.

    Args:
        run: A bundle, its folder, or the id of a run.
        levels: In percent.
        data: Rows that the model was not trained on (or their file); None: the calibration part of the run's own source, where
            its recipe has `data.split.calibration`.
        out: Folder that the bundle is written to.
        custom_objects: As in `load`.
        tracking_uri: As in `train`.

    Raises:
        ArgumentError: The model makes no forecasts, a level is wrong, there are no rows to calibrate on, or the model has learned
            from them.
        DataError: The rows do not fit, or are too few for a level.
        BundleError: The bundle could not be written.
    """
    bundle = load(run, custom_objects=custom_objects, tracking_uri=tracking_uri) if isinstance(run, str | Path) else run
    if not isinstance(bundle, IntervalBundle):
        raise ArgumentError(f"this bundle is {bundle.what}; intervals are those of forecasts", code="not_supported")
    made = _on_own_rows(bundle, levels) if data is None else _on_rows(bundle, levels, data)
    if out is not None:
        made.save(out)
    return made


def _on_rows(bundle: IntervalBundle, levels: Sequence[float], data: Given | str | Path) -> IntervalBundle:
    named = isinstance(data, str | Path)
    rows = bundle.read(str(data)) if isinstance(data, str | Path) else rows_given(bundle.recipe, data)
    origin = str(data) if named else "the data"
    used = [name for name in rows.columns if name not in bundle.ignored_columns(rows)]
    known = bundle.info.get("data_sha256")
    if known is not None and any(digest_of(rows, columns) == known for columns in (used, list(rows.columns))):
        raise ArgumentError(
            f"{origin}: these are the rows that the model was trained on. Intervals by such rows are too narrow. Give others, or "
            "train with a calibration part: `levels` in the recipe",
            code="trained_rows",
        )
    return bundle.calibrate(rows, levels=levels, origin=origin)


def _on_own_rows(bundle: IntervalBundle, levels: Sequence[float]) -> IntervalBundle:
    split = getattr(bundle.recipe.data, "split", None)
    if not getattr(split, "calibrated", False):
        raise ArgumentError(
            "the run has no calibration part (data.split.calibration), so no rows that neither training nor validation has seen. "
            "Give such rows: --data FILE, or `data`",
            code="no_calibration_rows",
        )
    refuse_seen_rows(bundle)
    bundle.refuse_levels(levels)
    job = open_job(bundle.recipe)
    if digest_of(job.source, job.columns) != bundle.info.get("data_sha256"):
        raise ArgumentError(
            f"{bundle.recipe.source} has changed since the training, so its calibration part is another. Give rows that the "
            "model was not trained on: --data FILE, or `data`",
            code="data_changed",
        )
    assert isinstance(job, WindowJob)
    return bundle.fit_intervals(job.seen_by(bundle).prepared, levels)
