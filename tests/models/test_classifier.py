"""The classifier: sizes by the textbook's formula, names, saving, and indifference to padding."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit import bidirectional_parameters, build_classifier, dense_parameters, gru_parameters, lstm_parameters
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models.classifier import class_loss

CASES: dict[str, tuple[dict[str, Any], int]] = {
    "values": ({"input_features": 2}, lstm_parameters(2, 4) + dense_parameters(4, 3)),
    "gru, stacked": (
        {"input_features": 2, "cell": "gru", "encoder_units": [5, 4]},
        gru_parameters(2, 5) + gru_parameters(5, 4) + dense_parameters(4, 3),
    ),
    "tokens, both directions": (
        {"tokens": 9, "embedding_dim": 3, "bidirectional": True, "dropout": 0.2, "output_dropout": 0.2},
        9 * 3 + bidirectional_parameters(lstm_parameters(3, 4)) + dense_parameters(8, 3),
    ),
}


def built(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    arguments: dict[str, Any] = {"outputs": 3, "encoder_units": [4]} | CASES[name][0]
    return build_classifier(**arguments)


def inputs(model: keras.Model, steps: int) -> list[np.ndarray]:
    """Sequences of 6, 3 and 1 steps, padded to `steps`."""
    rng = np.random.default_rng(0)
    valid = np.arange(steps) < np.array([6, 3, 1])[:, None]
    if model.inputs[0].name == "tokens":
        tokens = np.zeros((3, steps), np.int32)
        tokens[:, :6] = rng.integers(1, 9, size=(3, 6))
        return [tokens * valid]
    values = np.full((3, steps, 2), 7.0, np.float32)  # what stands in padding does not matter
    values[:, :6] = rng.normal(size=(3, 6, 2))
    return [values, valid.astype(np.float32)]


def called(model: keras.Model, arrays: list[np.ndarray]) -> np.ndarray:
    return np.asarray(model(arrays if len(arrays) > 1 else arrays[0], training=False))


@pytest.mark.parametrize("name", CASES)
def test_the_parameter_count_is_the_textbook_s(name: str) -> None:
    assert built(name).count_params() == CASES[name][1]


@pytest.mark.parametrize("name", CASES)
def test_the_layers_are_named_and_the_end_has_no_steps(name: str) -> None:
    model = built(name)
    names = [layer.name for layer in model.layers]
    assert names[-1] == "output"
    assert "encoder_0" in names
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize("name", CASES)
def test_padding_changes_nothing(name: str) -> None:
    model = built(name)
    np.testing.assert_allclose(called(model, inputs(model, 11)), called(model, inputs(model, 6)), atol=1e-5)
    alone = [array[1:2, :3] for array in inputs(model, 6)]
    np.testing.assert_allclose(called(model, alone), called(model, inputs(model, 6))[1:2], atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_a_saved_model_is_the_same(name: str, tmp_path: Path) -> None:
    model = built(name)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(called(loaded, inputs(model, 6)), called(model, inputs(model, 6)), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"outputs": 0, "input_features": 2}, "outputs"),
        ({"outputs": 2}, "input_features"),
        ({"outputs": 2, "tokens": 5, "output_dropout": 1.0}, "output_dropout"),
        ({"outputs": 2, "tokens": 5, "encoder_units": []}, "encoder_units"),
        ({"outputs": 2, "tokens": 5, "bidirectional": 1}, "bidirectional"),
    ],
)
def test_arguments_out_of_range_are_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        build_classifier(**arguments)


def test_the_loss_weighs_each_sequence_by_its_true_label() -> None:
    rng = np.random.default_rng(0)
    logits, truth = rng.normal(size=(5, 3)).astype(np.float32), np.array([0, 2, 2, 1, 0], np.float32)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    each = -np.log(shares[np.arange(5), truth.astype(int)])
    weights = np.array([1.0, 3.0, 0.5])
    found = float(class_loss(weights)(truth[:, None], logits))
    assert found == pytest.approx((each * weights[truth.astype(int)]).mean(), rel=1e-5)
    assert float(class_loss(np.ones(3))(truth[:, None], logits)) == pytest.approx(each.mean(), rel=1e-5)
