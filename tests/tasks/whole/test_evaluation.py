"""Figures of whole sequences: over the cells that are there, beside means and cosines."""

import numpy as np
import pytest

from seq2seq_kit.evaluation.stored import dump_baselines
from seq2seq_kit.tasks.whole.data import Sequences, prepare_sequences
from seq2seq_kit.tasks.whole.evaluation import (
    Cosines,
    OwnMeans,
    TrainingMeans,
    evaluate_sequences,
    fit_sequence_baselines,
    restore_sequence_baselines,
)
from seq2seq_kit.tasks.whole.task import WholeJob
from tests.conftest import waves_frame, whole_recipe
from tests.untyped import parse_recipe


@pytest.fixture(scope="module")
def sequences() -> Sequences:
    return prepare_sequences(parse_recipe(whole_recipe()).data, waves_frame(60))


def test_the_coefficients_are_those_of_a_cosine_transform() -> None:
    column = np.random.default_rng(0).normal(size=9)
    place = (np.arange(9) + 0.5) / 9
    basis = np.array([np.cos(np.pi * place * k) for k in range(9)])
    basis /= np.linalg.norm(basis, axis=1, keepdims=True)  # the orthonormal DCT-II
    expected = basis[:4].T @ (basis[:4] @ column)
    np.testing.assert_allclose(Cosines([4], [0.0]).rebuild(column[:, None])[:, 0], expected, atol=1e-12)


def test_as_many_coefficients_as_cells_rebuild_everything() -> None:
    truth = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(Cosines([5, 9], [0.0, 0.0]).rebuild(truth), truth, atol=1e-10)


def test_missing_cells_are_passed_over() -> None:
    place = (np.arange(10) + 0.5) / 10
    whole = 3 + 2 * np.cos(np.pi * place)
    holed = whole.copy()
    holed[[2, 3, 9]] = np.nan
    np.testing.assert_allclose(Cosines([2], [0.0]).rebuild(holed[:, None])[:, 0], whole, atol=1e-10)
    empty = np.full((4, 1), np.nan)
    assert OwnMeans([7.0]).rebuild(empty).ravel().tolist() == [7.0] * 4


def test_the_baselines_have_as_many_numbers_as_the_latent_vector(sequences: Sequences) -> None:
    means, own, cosines = fit_sequence_baselines(sequences, latent_dim=5)
    assert isinstance(cosines, Cosines)
    assert cosines.counts == [3, 2]
    assert (means.name, own.name, cosines.name) == ("training mean", "own mean", "cosines (5)")
    rows = np.concatenate([sequences.truth(number) for number in sequences.parts["train"]])
    np.testing.assert_allclose(means.rebuild(np.zeros((3, 2))), np.tile(rows.mean(axis=0), (3, 1)))
    np.testing.assert_allclose(own.rebuild(np.array([[1.0, 5.0], [3.0, 7.0]])), [[2.0, 6.0], [2.0, 6.0]])
    narrow = fit_sequence_baselines(sequences, latent_dim=1)[2]
    np.testing.assert_allclose(narrow.rebuild(np.ones((3, 2)))[:, 1], np.full(3, rows[:, 1].mean()))


def test_baselines_come_back_from_json(sequences: Sequences) -> None:
    peers = fit_sequence_baselines(sequences, latent_dim=4)
    words = dump_baselines(peers)[0]
    assert restore_sequence_baselines(words, 2) == peers
    for number in range(len(peers)):
        with pytest.raises(ValueError, match="does not fit 3 columns"):
            restore_sequence_baselines(words[number : number + 1], 3)
    for counts in ([2], [2, -1], [2, 2**40]):
        with pytest.raises(ValueError, match="does not fit 2 columns"):
            restore_sequence_baselines([words[2] | {"counts": counts}], 2)


def rows_of(sequences: Sequences, part: str) -> np.ndarray:
    return np.concatenate([sequences.truth(number) for number in sequences.parts[part]])


def test_errors_are_over_cells_in_scaled_units(sequences: Sequences) -> None:
    def off_by_two(numbers: np.ndarray) -> list[np.ndarray]:
        return [sequences.truth(number) + np.array([2.0, 0.0]) for number in numbers]

    board = evaluate_sequences(sequences, "test", off_by_two, [TrainingMeans([10.0, 0.0])])
    scale = sequences.prepared.scaler.scale[0]
    assert board.metrics()["rmse"] == pytest.approx(2 / scale[0] / np.sqrt(2))
    assert board.metrics()["mae"] == pytest.approx(2 / scale[0] / 2)
    cells = int(sequences.lengths[sequences.parts["test"]].sum())
    table = board.table().set_index(["forecaster", "target"])
    assert table.loc[("model", "x"), "rmse"] == pytest.approx(2.0)
    assert table.loc[("model", "y"), "rmse"] == 0.0
    assert table.loc[("model", ""), "cells"] == 2 * cells
    np.testing.assert_allclose(board.by_sequence["model"], 2 / scale[0] / np.sqrt(2))
    assert board.names == ["model", "training mean"]
    # Skill counts each column alike, in units of its own spread: that of y is all right.
    spread = rows_of(sequences, "test").std(axis=0)
    peer = np.sqrt(np.mean((rows_of(sequences, "test") - [10.0, 0.0]) ** 2, axis=0)) / spread
    assert board.error_of() == pytest.approx(2 / spread[0] / 2)
    assert board.skill == pytest.approx(1 - (2 / spread[0] / 2) / peer.mean())
    assert f"{len(sequences.parts['test'])} test sequences of" in board.title


def test_a_model_that_returns_the_mean_is_told(sequences: Sequences) -> None:
    peers = fit_sequence_baselines(sequences, latent_dim=4)
    mean = peers[0]
    boards = [
        evaluate_sequences(sequences, part, lambda numbers: [mean.rebuild(sequences.truth(n)) for n in numbers], peers)
        for part in ("val", "test")
    ]
    codes = [finding.code for finding in WholeJob.diagnose(boards[0], boards[1], [1.0, 0.9], all_epochs=False)]
    assert codes[:2] == ["returns_the_mean", "loses_to_baseline"]
    right = [
        evaluate_sequences(sequences, part, lambda numbers: [sequences.truth(n) + 1e-3 for n in numbers], peers)
        for part in ("val", "test")
    ]
    assert WholeJob.diagnose(right[0], right[1], [1.0, 0.9], all_epochs=False) == []
