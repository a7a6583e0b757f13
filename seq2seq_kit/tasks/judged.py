"""What labels say of a run's detector: read and checked before the training, used for figures after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from seq2seq_kit.anomalies.comparison import Comparison, Rows, compare
from seq2seq_kit.anomalies.detection import Detection
from seq2seq_kit.anomalies.labels import flags_of, labelled_rows
from seq2seq_kit.anomalies.row_errors import RowErrors, newest_rows, row_errors
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.data.on_disk.row_groups import FrameOnDisk
from seq2seq_kit.data.windows.labels import row_labels
from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.data.windows.shown import without_rows
from seq2seq_kit.evaluation import Evaluation
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.fields import Recipe, Table


def labels_of(recipe: Recipe, source: pd.DataFrame | FrameOnDisk, prepared: Prepared) -> np.ndarray | None:
    """Whether each prepared row is labelled as anomalous, shape `(rows,)`; None where the recipe has no labels.

    Raises:
        DataError: See `labelled_rows`.
    """
    data = recipe.data
    labels: str | None = getattr(data, "labels", None)
    if not isinstance(data, Table) or labels is None or not isinstance(source, pd.DataFrame):
        return None
    return labelled_rows(labels, prepared.table, source, data, origin=prepared.table.origin)


def check_labels(
    recipe: Recipe, source: pd.DataFrame | FrameOnDisk, prepared: Prepared, *, detects: bool, test: np.ndarray
) -> list[Finding]:
    """The finding on labels that cannot judge, before anything is trained; errors as of `labels_of`.

    `detects` tells whether the model gets a detector, `test` the `(first, end)` of the test rows, shape `(stretches, 2)`.
    """
    labelled = labels_of(recipe, source, prepared)
    if labelled is None:
        return []
    if not detects:
        said = "data.labels judge a detector, and this recipe asks for none"
        return [
            Finding("labels_judge_nothing", "warning", said, "Add the section `detect: {}`, or leave data.labels out")
        ]
    rows = np.concatenate([labelled[first:end] for first, end in test])
    if rows.any() and not rows.all():
        return []
    which = "every" if len(rows) and rows.all() else "no"
    said = f"{which} test row is labelled as anomalous ({int(labelled.sum()):,} of all {len(labelled):,} rows are)"
    advice = "There will be no figures of anomalies. Choose data.split so that the test rows hold some of both"
    return [Finding("labels_judge_nothing", "warning", said, advice)]


def labelled_detection(
    found: Detection, recipe: Recipe, source: pd.DataFrame | FrameOnDisk, prepared: Prepared
) -> Detection:
    """The detection of some of the prepared rows with their labels, where the recipe has any."""
    labelled = labels_of(recipe, source, prepared)
    if labelled is None:
        return found
    rows = row_labels(prepared, np.flatnonzero(labelled))
    names = found.scores.iloc[:, : len(rows.columns)].set_axis(rows.columns, axis=1)  # answers may be called otherwise
    return replace(found, labelled=flags_of(names, rows))


def judge_bundle(bundle: WindowBundle, prepared: Prepared, labelled: np.ndarray, *, seed: int) -> Comparison | None:
    """The figures of a bundle's detector and of baselines on the test rows; None where no test row, or every one, is labelled.

    Args:
        bundle: With a detector.
        prepared: All rows, as the bundle was trained on them.
        labelled: Whether each is labelled, shape `(rows,)`.
        seed: Of the random score.
    """
    prepared = bundle.detected(prepared)
    errors = bundle.row_errors(prepared, "test")
    found = row_labels(prepared, np.flatnonzero(labelled))
    detector = bundle.require_detector()
    return compare(
        flags_of(errors.labels, found),
        detector.score(errors.errors, errors.segment)[0],
        detector,
        train=_rows(prepared, _unpredicted(newest_rows(prepared, "train"), "train")),
        val=_rows(prepared, _unpredicted(prepared, "val")),
        test=_rows(prepared, errors),
        steps=bundle.window_steps,
        seed=seed,
    )


def unlabelled_board(bundle: WindowBundle, board: Evaluation, prepared: Prepared, labelled: np.ndarray) -> Evaluation:
    """The evaluation of the windows that hold no labelled row; the given one where none or all of the windows are left.

    Args:
        bundle: What is evaluated.
        board: Its evaluation on all windows of a part.
        prepared: All rows, as the bundle was trained on them.
        labelled: Whether each is labelled, shape `(rows,)`.
    """
    normal = without_rows(prepared, labelled)
    if normal.count(board.part) in (0, board.windows):
        return board
    return replace(bundle.evaluate_part(normal, board.part), unlabelled=True)


def _unpredicted(prepared: Prepared, part: str) -> RowErrors:
    """The rows that windows of a part reach; nothing is predicted."""
    windows = prepared.windows[part]
    shape = (windows.shape.output_steps, len(prepared.columns.targets))
    return row_errors(lambda _prepared, _part, chunk: np.zeros((len(chunk), *shape)), prepared, part)


def _rows(prepared: Prepared, errors: RowErrors) -> Rows:
    scale, center = prepared.target_scale[errors.series], prepared.target_center[errors.series]
    return Rows((errors.actual - center) / scale, errors.segment)
