"""The linear map beside the recurrent layers: what it adds, and that a model can begin as any line."""

from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models import build_encoder_decoder
from seq2seq_kit.models.counts import explain_layers
from seq2seq_kit.models.linear_skip import LINEAR_SKIP, scale_correction, set_linear_skip

SMALL: dict[str, Any] = {
    "input_steps": 6,
    "output_steps": 4,
    "input_features": 3,
    "output_features": 2,
    "future_features": 1,
    "encoder_units": [5],
    "decoder_units": [5],
    "linear_skip": True,
}


def arrays(seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(7, 6, 3)).astype("float32"), rng.normal(size=(7, 4, 1)).astype("float32")]


def with_line(model: keras.Model, channels: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    width = model.get_layer(LINEAR_SKIP).get_weights()[0].shape
    weights, offset, own = rng.normal(size=width), rng.normal(size=width[1]), rng.normal(size=(channels, width[1]))
    set_linear_skip(model, weights, offset, own if channels > 1 else None)
    return weights, offset, own


def test_the_map_adds_nothing_before_it_is_set() -> None:
    model = build_encoder_decoder(**SMALL)
    plain = build_encoder_decoder(**SMALL | {"linear_skip": False})
    plain.set_weights([weight for weight in model.get_weights() if weight.shape not in ((22, 8), (8,))])
    np.testing.assert_allclose(model(arrays()), plain(arrays()), atol=1e-6)


def test_a_model_that_was_given_a_line_is_that_line() -> None:
    model = build_encoder_decoder(**SMALL)
    weights, offset, _ = with_line(model)
    window, future = arrays()
    seen = np.concatenate([window.reshape(7, -1), future.reshape(7, -1)], axis=1)
    np.testing.assert_allclose(model(arrays()), (seen @ weights + offset).reshape(7, 4, 2), atol=1e-4)


def test_independent_channels_share_the_weights_and_have_an_offset_each() -> None:
    model = build_encoder_decoder(**SMALL | {"channels": "independent", "segment_steps": 2})
    weights, offset, own = with_line(model, channels=2)
    window, future = arrays()
    for channel in (0, 1):
        seen = np.concatenate([window[..., [channel, 2]].reshape(7, -1), future.reshape(7, -1)], axis=1)
        expected = seen @ weights + offset + own[channel]
        np.testing.assert_allclose(np.asarray(model(arrays()))[..., channel], expected, atol=1e-4)


@pytest.mark.parametrize("normalise", ["last", "mean_std"])
def test_the_line_is_one_of_normalised_windows(normalise: str) -> None:
    model = build_encoder_decoder(**SMALL | {"normalise": normalise})
    with_line(model)
    window, future = arrays()
    moved = np.asarray(model([window + np.float32(100), future]))
    np.testing.assert_allclose(moved, np.asarray(model([window, future])) + 100, atol=2e-2)


@pytest.mark.slow
def test_the_line_is_kept_and_the_rest_is_trained() -> None:
    model = build_encoder_decoder(**SMALL | {"channels": "independent"})
    with_line(model, channels=2)
    before = {layer.name: [weight.copy() for weight in layer.get_weights()] for layer in model.layers}
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(arrays(), np.ones((7, 4, 2), "float32"), epochs=3, verbose=0)
    moved = {
        layer.name
        for layer in model.layers
        for old, new in zip(before[layer.name], layer.get_weights(), strict=True)
        if not np.array_equal(old, new)
    }
    assert moved >= {"encoder_0", "decoder_0", "output"}
    assert not {name for name in moved if name.startswith(LINEAR_SKIP)}


def test_a_factor_scales_what_is_added_to_the_line() -> None:
    model = build_encoder_decoder(**SMALL | {"normalise": "mean_std"})
    with_line(model)
    line = np.asarray(model(arrays()))
    rng = np.random.default_rng(2)
    model.get_layer("output").set_weights(
        [rng.normal(size=weight.shape) for weight in model.get_layer("output").get_weights()]
    )
    whole = np.asarray(model(arrays()))
    assert np.abs(whole - line).max() > 0.1
    scale_correction(model, 0.3)
    np.testing.assert_allclose(model(arrays()), line + 0.3 * (whole - line), atol=1e-4)


def test_a_window_of_any_length_has_no_line() -> None:
    with pytest.raises(ArgumentError, match="input_steps must be a number of steps for linear_skip=True"):
        build_encoder_decoder(**SMALL | {"input_steps": None})


def test_its_parameters_are_explained() -> None:
    rows = {row.name: row for row in explain_layers(build_encoder_decoder(**SMALL))}
    assert rows[LINEAR_SKIP].how == "(22 + 1) x 8 = 184"
