"""Figures of labels by their formulas, worked by hand; and the obvious labels."""

import json

import numpy as np
import pytest

from seq2seq_kit.data.sequences.ragged import NO_LABEL, Field, Ragged
from seq2seq_kit.evaluation.labels import count_labels
from seq2seq_kit.tasks.tag.data import Tagged
from seq2seq_kit.tasks.tag.evaluation import (
    LabelOfToken,
    LineOfRow,
    MostFrequentLabel,
    TagBaseline,
    TagEvaluation,
    dump_tag_baselines,
    fit_tag_baselines,
    restore_tag_baselines,
)

# rows: true a, b, c; columns: given
COUNTS = np.array([[6, 2, 0], [1, 3, 0], [0, 4, 0]])


def board(**counts: np.ndarray) -> TagEvaluation:
    names = {name.replace("_", " "): each for name, each in counts.items()}
    return TagEvaluation("test", names, ["a", "b", "c"], dict.fromkeys(names, "what it does"), {"model": 0.7})


def test_precision_recall_and_f1_are_their_formulas() -> None:
    table = board(model=COUNTS).by_label()
    np.testing.assert_allclose(table["precision"], [6 / 7, 3 / 9, 0])
    np.testing.assert_allclose(table["recall"], [6 / 8, 3 / 4, 0])
    np.testing.assert_allclose(table["f1"], [2 * 6 / (7 + 8), 2 * 3 / (9 + 4), 0])
    for row in range(2):
        precision, recall = table["precision"][row], table["recall"][row]
        assert table["f1"][row] == pytest.approx(2 * precision * recall / (precision + recall))
    assert table["steps"].tolist() == [8, 4, 4]


def test_overall_figures_are_over_all_steps_and_over_the_labels_that_are_there() -> None:
    figures = board(model=COUNTS).metrics()
    assert figures["accuracy"] == pytest.approx(9 / 16)
    assert figures["macro_f1"] == pytest.approx((12 / 15 + 6 / 13 + 0) / 3)
    assert figures["loss"] == 0.7
    absent = board(model=np.array([[4, 0, 1], [0, 5, 0], [0, 0, 0]])).metrics()
    assert absent["macro_f1"] == pytest.approx((8 / 9 + 1 + 0) / 3)  # nothing is truly c, but it was given
    unseen = board(model=np.array([[5, 0, 0], [0, 5, 0], [0, 0, 0]])).metrics()
    assert unseen["macro_f1"] == 1  # c has no part in it


def test_skill_is_against_the_baseline_with_the_fewest_errors() -> None:
    worse, better = np.diag([4, 4, 4]) + np.eye(3, k=1, dtype=int) * 2, np.diag([4, 5, 6])
    evaluation = board(model=COUNTS, weak=worse, strong=np.array([[8, 0, 0], [1, 3, 0], [2, 0, 2]]))
    assert evaluation.best_baseline == "strong"
    assert evaluation.skill == pytest.approx(1 - (7 / 16) / (3 / 16))
    assert evaluation.skill_against("weak") == pytest.approx(1 - (7 / 16) / (4 / 16))
    assert np.isnan(board(model=COUNTS, perfect=better).skill)
    assert np.isnan(evaluation.metrics("strong")["loss"])


def test_the_table_has_a_row_for_each_forecaster_and_label() -> None:
    table = board(model=COUNTS, weak=COUNTS.T).table()
    assert table["forecaster"].tolist() == ["model"] * 4 + ["weak"] * 4
    assert table["label"].tolist() == ["", "a", "b", "c"] * 2
    assert table["steps"].tolist()[:4] == [16, 8, 4, 4]
    assert board(model=COUNTS).title == "16 labelled test steps, 3 labels"


def test_labels_are_counted_by_truth_and_answer() -> None:
    truth = np.array([0, 1, NO_LABEL, 1, 2])
    counted = count_labels(truth, np.array([0, 2, 1, 1, 0]), 3)
    assert counted.tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 0]]


def tagged(words: list[list[str]], labels: list[list[int]]) -> Tagged:
    """Sequences of words, the last one in the test part."""
    truth = Ragged.of(labels)
    tokens = np.array([word for sequence in words for word in sequence], dtype=object)
    rows = Ragged(np.arange(len(tokens)), truth.starts, truth.lengths)
    last = len(words) - 1
    parts = {"train": np.arange(last), "val": np.arange(0), "test": np.array([last])}
    return Tagged([Field(truth, 0)], truth, parts, ["a", "b", "c"], rows, tokens)


def test_the_commonest_label_is_that_of_the_training_steps() -> None:
    data = tagged([["x", "y", "z"], ["x"], ["x", "x", "x", "x"]], [[1, 0, NO_LABEL], [1], [0, 0, 0, 0]])
    frequent, _ = fit_tag_baselines(data)
    assert frequent == MostFrequentLabel(1)
    assert frequent.give(data, np.array([2, 1])).tolist() == [1, 1, 1, 1, 1]


def test_a_token_gets_its_commonest_label_and_a_strange_one_that_of_rare_tokens() -> None:
    data = tagged(
        [["the", "cat", "the", "a", "a"], ["the", "an", "an", "dog", "ran"], ["sat", "the", "cat", "new"]],
        [[0, 1, 0, 0, 0], [2, 0, 0, 1, 2], [0, 0, 0, 0]],
    )
    _, peer = fit_tag_baselines(data)
    assert isinstance(peer, LabelOfToken)
    assert peer.other == 1  # of cat, dog and ran, which stand there once
    assert peer.label_of == {"the": 0, "a": 0, "an": 0, "ran": 2}
    assert peer.give(data, np.array([2])).tolist() == [1, 0, 1, 1]


def test_steps_without_a_label_teach_no_token() -> None:
    data = tagged([["u", "v"], ["u", "w"], ["u"]], [[NO_LABEL, 0], [1, NO_LABEL], [0]])
    _, peer = fit_tag_baselines(data)
    assert isinstance(peer, LabelOfToken)
    assert {token: peer.label_of.get(token, peer.other) for token in "uv"} == {"u": 1, "v": 0}


def rows_and_labels() -> Tagged:
    """Rows whose label is told by a line, and one column that says the same as another."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(60, 1)).astype(np.float32)
    values = np.concatenate([first, first, rng.normal(size=(60, 1)).astype(np.float32)], axis=1)
    starts, lengths = np.array([0, 25, 50]), np.array([25, 25, 10])
    truth = Ragged((values[:, 0] > 0).astype(np.int32), starts, lengths)
    inputs = [Field(Ragged(values, starts, lengths), 0)]
    parts = {"train": np.array([0, 1]), "val": np.arange(0), "test": np.array([2])}
    return Tagged(inputs, truth, parts, ["low", "high"], Ragged(np.arange(60), starts, lengths))


def test_a_line_on_the_row_is_least_squares_on_the_labels() -> None:
    data = rows_and_labels()
    _, line = fit_tag_baselines(data)
    assert isinstance(line, LineOfRow)
    given, truth = line.give(data, np.array([0, 1, 2])), data.truth.values
    assert (given == truth).mean() > 0.9
    values = data.inputs[0].sequences.values[:50].astype(np.float64)
    design = np.column_stack([values, np.ones(50)])
    wanted = np.eye(2)[truth[:50]]
    gradient = design.T @ (design @ np.array(line.weights) - wanted)
    gradient[:-1] += 1e-3 * 50 * np.array(line.weights)[:-1]
    np.testing.assert_allclose(gradient, 0, atol=1e-8)


def test_baselines_come_back_from_json() -> None:
    peers: list[TagBaseline] = [
        MostFrequentLabel(2),
        LabelOfToken({"the": 0}, 1),
        LineOfRow([[0.5, -1.0, 0.0], [0.0, 2.0, 1.0]]),
    ]
    words = json.loads(json.dumps(dump_tag_baselines(peers)))
    assert restore_tag_baselines(words[:2], 3) == peers[:2]
    assert restore_tag_baselines(words[::2], 3, columns=1) == peers[::2]
    for wrong, columns in ((words[1:2], 1), (words[2:], 2), (words[2:], None)):
        with pytest.raises(ValueError, match="does not fit 3 labels"):
            restore_tag_baselines(wrong, 3, columns=columns)
    with pytest.raises(ValueError, match="does not fit 2 labels"):
        restore_tag_baselines(dump_tag_baselines(peers[:1]), 2)
    fitted = fit_tag_baselines(rows_and_labels())
    assert restore_tag_baselines(json.loads(json.dumps(dump_tag_baselines(fitted))), 2, columns=3) == fitted
