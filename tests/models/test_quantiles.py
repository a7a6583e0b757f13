"""A model that writes quantiles: they do not cross, whatever the weights, and the median is what it would write otherwise."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.metrics import mean_pinball_loss

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models.encoder_decoder import build_encoder_decoder
from seq2seq_kit.models.inference import compile_forward, compile_points
from seq2seq_kit.training.objective import pinball_loss

SIZES: dict[str, Any] = {"input_steps": 6, "output_steps": 4, "input_features": 3, "output_features": 2}
FORMS: dict[str, dict[str, Any]] = {
    "joint": {},
    "segments": {"segment_steps": 2},
    "independent channels": {"channels": "independent"},
    "mean and deviation": {"normalise": "mean_std", "linear_skip": True},
    "all of it": {"channels": "independent", "segment_steps": 2, "normalise": "mean_std", "linear_skip": True},
}


def shaken(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(0)
    model.set_weights([weight + rng.normal(scale=2.0, size=weight.shape) for weight in model.get_weights()])
    return model


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_quantiles_never_cross_and_the_median_is_that_of_a_model_of_one_number(form: dict[str, Any]) -> None:
    layers: dict[str, Any] = SIZES | {"encoder_units": [4], "decoder_units": [4]} | form
    model = shaken(build_encoder_decoder(**layers, quantiles=5))
    inputs = np.random.default_rng(1).normal(scale=3.0, size=(7, 6, 3)).astype(np.float32)
    written = compile_forward(model)([inputs])
    assert written.shape == (7, 4, 2, 5)
    assert (np.diff(written, axis=-1) >= 0).all()
    plain = build_encoder_decoder(**layers)
    for layer in plain.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    np.testing.assert_allclose(compile_points(model)([inputs]), compile_forward(plain)([inputs]), rtol=1e-4, atol=1e-4)


def test_the_spread_follows_the_deviation_of_a_window() -> None:
    model = build_encoder_decoder(**SIZES, normalise="mean_std", quantiles=3)
    inputs = np.random.default_rng(1).normal(size=(1, 6, 3)).astype(np.float32)
    small, large = (compile_forward(model)([inputs * factor]) for factor in (1.0, 10.0))
    widths = [found[..., 2] - found[..., 0] for found in (small, large)]
    np.testing.assert_allclose(widths[1], 10 * widths[0], rtol=1e-3)


def test_a_model_that_writes_quantiles_is_saved_and_read(tmp_path: Path) -> None:
    model = shaken(build_encoder_decoder(**SIZES, **FORMS["all of it"], quantiles=3))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    inputs = np.ones((2, 6, 3), dtype=np.float32)
    np.testing.assert_allclose(again(inputs), model(inputs), rtol=1e-5)


@pytest.mark.parametrize("count", [1, 4, -3])
def test_a_number_of_quantiles_without_a_median_is_refused(count: int) -> None:
    with pytest.raises(ArgumentError, match="quantiles"):
        build_encoder_decoder(**SIZES, quantiles=count)


def test_the_loss_is_twice_the_pinball_loss_of_known_cells() -> None:
    rng = np.random.default_rng(0)
    truth, found = rng.normal(size=(5, 4, 2)), rng.normal(size=(5, 4, 2, 3))
    at = (0.1, 0.5, 0.9)
    truth[0, 0, 0] = np.nan
    known = ~np.isnan(truth)
    expected = 2 * np.mean(
        [mean_pinball_loss(truth[known], found[known][:, k], alpha=each) for k, each in enumerate(at)]
    )
    assert float(pinball_loss(at, weighted=False)(truth, found)) == pytest.approx(expected)
    by_step = pinball_loss(at, weighted=True)(truth, found)
    assert tuple(by_step.shape) == (5, 4)
