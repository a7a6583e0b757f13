"""A label with a recall of 0 is told, whether it is never predicted or never correctly."""

from typing import Any

import numpy as np
import pytest

from seq2seq_kit.evaluation.base import MODEL
from seq2seq_kit.evaluation.labels import LabelBoard, labels_not_learned
from seq2seq_kit.tasks.classify.evaluation import LabelEvaluation
from seq2seq_kit.tasks.tag.evaluation import TagEvaluation

LABELS = ["good", "silent", "wrong", "absent"]
# Columns: `silent` is never predicted, `wrong` is, but only where `good` is true; `absent` is in no row.
COUNTS = np.array([[5, 0, 2, 0], [3, 0, 0, 0], [4, 0, 0, 0], [0, 0, 0, 0]])


def boards() -> list[LabelBoard]:
    """The same confusion matrix as that of a tagger and of a classifier."""
    truth = np.repeat(np.arange(4), COUNTS.sum(axis=1))
    predicted = np.concatenate([np.repeat(np.arange(4), row) for row in COUNTS])
    predictions: Any = {MODEL: np.eye(4)[predicted]}
    return [
        TagEvaluation("test", {MODEL: COUNTS}, LABELS, {}),
        LabelEvaluation("test", truth, predictions, {}, LABELS),
    ]


@pytest.mark.parametrize("board", boards(), ids=["tag", "classify"])
def test_a_label_that_is_never_predicted_is_told_apart_from_one_that_is_never_correct(board: LabelBoard) -> None:
    assert {finding.code: finding.text.split(": ")[1] for finding in labels_not_learned(board)} == {
        "labels_never_given": "silent",
        "labels_never_correct": "wrong",
    }


def test_a_model_that_finds_some_of_each_label_has_no_such_finding() -> None:
    assert labels_not_learned(TagEvaluation("test", {MODEL: np.eye(4, dtype=int)}, LABELS, {})) == []


@pytest.mark.parametrize("board", boards(), ids=["tag", "classify"])
def test_metrics_of_labels_come_out_of_the_confusion_matrix(board: LabelBoard) -> None:
    assert board.metrics()["accuracy"] == pytest.approx(5 / 14)
    assert board.error_of() == pytest.approx(9 / 14)
    good = board.by_label().set_index("label").loc["good"]
    assert [good["precision"], good["recall"]] == pytest.approx([5 / 12, 5 / 7])
    assert board.table()[board.of].tolist() == [14, 7, 3, 4, 0]
