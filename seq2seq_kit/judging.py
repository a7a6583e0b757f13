"""What labels say of a trained model's detector, on the test rows of its own source or on others; nothing is fitted on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from seq2seq_kit.bundles.base import Bundle, rows_given
from seq2seq_kit.bundles.detecting import DetectingBundle
from seq2seq_kit.opening import load
from seq2seq_kit.tasks import open_job

if TYPE_CHECKING:
    from seq2seq_kit.anomalies.comparison import Comparison
    from seq2seq_kit.data.sources.given import Given


def judge(
    run: str | Path | Bundle,
    *,
    data: Given | str | Path | None = None,
    labels: str | None = None,
    tracking_uri: str | None = None,
) -> Comparison | None:
    """The figures of a detector beside labels.

    Args:
        run: A bundle, its folder, or the id of a run.
        data: Other rows (or their file); None: the test rows of the recipe's own source, with baselines beside the detector.
        labels: A column of 0 and 1, or a file of intervals; None: `data.labels` of the recipe.
        tracking_uri: As in `train`.

    Returns:
        None where there are no labels or no detector, or where no row or every one is labelled.

    Raises:
        ArgumentError: Labels are given, and the model has no detector.
        DataError: The rows or the labels do not fit.
    """
    bundle = load(run, tracking_uri=tracking_uri) if isinstance(run, str | Path) else run
    detects = isinstance(bundle, DetectingBundle) and bundle.detector is not None
    if labels is None and not (detects and getattr(bundle.recipe.data, "labels", None)):
        return None
    if data is not None:
        rows = bundle.read(str(data)) if isinstance(data, str | Path) else rows_given(bundle.recipe, data)
        origin = str(data) if isinstance(data, str | Path) else "the data"
        return bundle.detect(rows, labels=labels, origin=origin).judged
    if not detects:
        bundle.detect(pd.DataFrame())  # says why not
    recipe = bundle.recipe
    if labels is not None:
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"labels": labels})})
    return open_job(recipe).judged(bundle)
