"""What segments, pyramids, channels, normalised windows and handed-over states do to a model, and what the builders refuse."""

from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models import build_autoencoder, build_encoder_decoder, split_autoencoder


def built(**arguments: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    small: dict[str, Any] = {
        "input_steps": 8,
        "output_steps": 4,
        "input_features": 3,
        "encoder_units": [5],
        "decoder_units": [5],
    }
    return build_encoder_decoder(**small | arguments)


def windows(features: int = 3, steps: int = 8) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(6, steps, features)).astype(np.float32)


def outputs_of(model: keras.Model, layer: str, *inputs: np.ndarray) -> np.ndarray:
    part = keras.Model(model.inputs if len(inputs) > 1 else model.input, model.get_layer(layer).output)
    return np.asarray(part(list(inputs) if len(inputs) > 1 else inputs[0]))


def test_each_layer_of_a_pyramid_runs_over_half_the_steps() -> None:
    model = built(input_steps=24, encoder_units=[4, 3, 2], pyramid=2, bidirectional=True)
    shapes = [model.get_layer(f"encoder_{position}").input.shape for position in range(3)]
    assert shapes == [(None, 24, 3), (None, 12, 16), (None, 6, 12)]


def test_the_recurrence_runs_over_segments_and_writes_them() -> None:
    model = built(segment_steps=2, future_features=1)
    assert model.get_layer("encoder_0").input.shape == (None, 4, 5)
    assert model.get_layer("bridge_future").output.shape == (None, 2, 5 + 2)
    assert model.output_shape == (None, 4, 1)


def test_a_known_future_stands_beside_its_own_segment() -> None:
    model = built(segment_steps=2, future_features=2)
    future = np.random.default_rng(1).normal(size=(6, 4, 2)).astype(np.float32)
    beside = outputs_of(model, "bridge_future", windows(), future)[..., 5:]
    np.testing.assert_array_equal(beside, future.reshape(6, 2, 4))


def test_the_output_layer_writes_the_steps_of_a_segment_in_their_order() -> None:
    model = built(segment_steps=2, output_features=3)
    decoded = outputs_of(model, "decoder_0", windows())
    kernel, bias = (weight.numpy() for weight in model.get_layer("output").weights)
    by_segment = decoded @ kernel + bias
    expected = np.stack(
        [by_segment[:, 0, :3], by_segment[:, 0, 3:], by_segment[:, 1, :3], by_segment[:, 1, 3:]], axis=1
    )
    np.testing.assert_allclose(np.asarray(model(windows())), expected, rtol=1e-5, atol=1e-6)


def test_an_open_length_that_segments_do_not_divide_ends_in_zeros() -> None:
    model = built(input_steps=None, segment_steps=4)
    padded = np.pad(windows(steps=6), [(0, 0), (0, 2), (0, 0)])
    np.testing.assert_allclose(np.asarray(model(windows(steps=6))), np.asarray(model(padded)), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_decoder_layer_starts_from_its_encoder_layer_s_final_states(cell: str, bidirectional: bool) -> None:
    wide = 2 if bidirectional else 1
    shape: dict[str, Any] = {"encoder_units": [5, 4], "decoder_units": [5 * wide, 4 * wide]}
    model = built(cell=cell, bidirectional=bidirectional, decoder_state="encoder", **shape)
    x, fed = windows(), outputs_of(model, "bridge", windows())
    for position in range(2):
        encoder, decoder = model.get_layer(f"encoder_{position}"), model.get_layer(f"decoder_{position}")
        x, *states = encoder(x)
        half = len(states) // 2
        if bidirectional:
            states = [
                np.concatenate([forward, back], axis=-1)
                for forward, back in zip(states[:half], states[half:], strict=True)
            ]
        assert len(states) == {"lstm": 2, "gru": 1}[cell]
        fed = np.asarray(decoder(fed, initial_state=[np.asarray(state) for state in states]))
        np.testing.assert_allclose(outputs_of(model, f"decoder_{position}", windows()), fed, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["last", "mean_std"])
def test_a_window_at_another_level_is_forecast_at_that_level(method: str) -> None:
    model = built(normalise=method, output_features=2, target_positions=[2, 0])
    moved = windows() + np.array([10.0, 0.0, -20.0], np.float32)
    shift = np.asarray(model(moved)) - np.asarray(model(windows()))
    np.testing.assert_allclose(shift, np.broadcast_to([-20.0, 10.0], shift.shape), atol=1e-3)


def test_a_window_of_another_spread_is_forecast_in_that_spread() -> None:
    model = built(normalise="mean_std", output_features=3)
    np.testing.assert_allclose(np.asarray(model(windows() * 8)), np.asarray(model(windows())) * 8, rtol=1e-3, atol=1e-3)


def test_columns_that_are_not_measured_are_left_as_they_are() -> None:
    model = built(normalise="last", measured_positions=[0, 1])
    normalised, _ = keras.Model(model.input, model.get_layer("normalise").output)(windows())
    np.testing.assert_array_equal(np.asarray(normalised)[..., 2], windows()[..., 2])


def test_an_independent_channel_hears_of_no_other_channel_but_of_the_shared_columns() -> None:
    model = built(
        channels="independent", output_features=2, future_features=1, normalise="last", measured_positions=[0, 1]
    )
    future = np.zeros((6, 4, 1), np.float32)
    before = np.asarray(model([windows(), future]))
    for column, touched in {0: [True, False], 1: [False, True], 2: [True, True]}.items():
        changed = windows()
        changed[:, :4, column] += 1.0
        difference = np.abs(np.asarray(model([changed, future])) - before).max(axis=(0, 1))
        assert (difference > 1e-6).tolist() == touched, column


def test_independent_channels_share_their_weights_and_differ_by_their_vectors() -> None:
    model = built(channels="independent", output_features=3)
    same = np.repeat(windows(1), 3, axis=-1)
    assert np.abs(np.diff(np.asarray(model(same)), axis=-1)).min() > 0
    model.get_layer("channel_embedding").set_weights([np.zeros((3, 5))])
    np.testing.assert_allclose(np.diff(np.asarray(model(same)), axis=-1), 0, atol=1e-6)


def test_a_model_whose_decoder_takes_states_has_no_halves() -> None:
    with pytest.raises(ArgumentError, match=r"takes nothing but the latent vector; here decoder_0 take more"):
        split_autoencoder(built(decoder_state="encoder"))


def test_the_halves_of_an_autoencoder_in_segments_are_the_model() -> None:
    model = build_autoencoder(
        input_steps=12,
        input_features=2,
        latent_dim=3,
        encoder_units=[4, 4],
        segment_steps=3,
        pyramid=2,
        position_embedding=True,
    )
    encoder, decoder = split_autoencoder(model)
    assert encoder.output_shape == (None, 3)
    np.testing.assert_array_equal(np.asarray(decoder(encoder(windows(2, 12)))), np.asarray(model(windows(2, 12))))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"input_steps": 100, "segment_steps": 12, "output_steps": 12},
            r"input_steps must be a multiple of 12 \(segment_steps=12\), such as 96 or 108\. Received: input_steps=100$",
        ),
        (
            {"segment_steps": 8},
            r"output_steps must be a multiple of 8 \(segment_steps=8\), such as 8\. Received: output_steps=4$",
        ),
        (
            {"input_steps": 10, "segment_steps": 2, "pyramid": 2, "encoder_units": [4, 4, 4]},
            r"multiple of 8 \(segment_steps=2, pyramid=2 over 3 encoder layers\), such as 8 or 16\. Received: input_steps=10$",
        ),
        (
            {"decoder_state": "encoder", "encoder_units": [8, 4], "decoder_units": [8]},
            r"decoder_units must be \[8, 4\]: .*decoder_state='encoder'.*Received: decoder_units=\[8\]$",
        ),
        (
            {"decoder_state": "encoder", "bidirectional": True},
            r"decoder_units must be \[10\], twice as wide .*decoder_state='encoder'.*Received: decoder_units=\[5\]$",
        ),
        (
            {"channels": "independent", "output_features": 2, "target_positions": [1, 0]},
            r"target_positions must be the first inputs in their order, \[0, 1\], .*Received: target_positions=\[1, 0\]$",
        ),
        (
            {"channels": "independent", "output_features": 4},
            r"output_features must be at most input_features \(3\), because channels='independent' .*=4$",
        ),
        (
            {"normalise": "last", "output_features": 4},
            r"output_features must be at most input_features \(3\), because normalise='last' .*=4$",
        ),
        (
            {"normalise": "last", "target_positions": [2], "measured_positions": [0, 1]},
            r"measured_positions must hold every target \(\[2\]\) .*Received: measured_positions=\[0, 1\]$",
        ),
    ],
)
def test_shapes_that_do_not_fit_each_other_are_refused_with_what_would_fit(
    arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(ArgumentError, match=said):
        built(**arguments)


def test_an_autoencoder_s_steps_are_checked_too() -> None:
    with pytest.raises(
        ArgumentError, match=r"input_steps must be a multiple of 5 .*, such as 10 or 15\. Received: input_steps=12$"
    ):
        build_autoencoder(input_steps=12, input_features=2, segment_steps=5)
