"""The builders' defaults, the bridge and the two halves of an autoencoder."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models import build_autoencoder, build_encoder_decoder, split_autoencoder
from seq2seq_kit.models.acceleration import accelerate
from seq2seq_kit.models.bridges import BRIDGES


def small_autoencoder(*, latent_dim: int | None = 3, bidirectional: bool = False) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_autoencoder(
        input_steps=5,
        input_features=2,
        latent_dim=latent_dim,
        encoder_units=[6, 4],
        decoder_units=[4, 6],
        bidirectional=bidirectional,
    )


def some_windows(count: int = 7) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 5, 2)).astype(np.float32)


variants = pytest.mark.parametrize(
    ("latent_dim", "bidirectional", "width"),
    [(3, False, 3), (None, False, 4), (3, True, 3), (None, True, 8)],
    ids=["latent", "no_latent", "bidirectional_latent", "bidirectional"],
)


def test_a_hundred_steps_become_ten() -> None:
    model = build_encoder_decoder(input_steps=100, output_steps=10, input_features=4)
    assert model.output_shape == (None, 10, 1)
    # LSTM(64) on 4 columns, LSTM(64) on 64, Dense(1)
    assert model.count_params() == 4 * 64 * (4 + 64 + 1) + 4 * 64 * (64 + 64 + 1) + 65


def test_only_the_last_encoder_layer_gives_up_the_sequence() -> None:
    model = build_encoder_decoder(input_steps=9, output_steps=3, input_features=2, encoder_units=[5, 4, 3])
    shapes = [model.get_layer(f"encoder_{position}").output.shape for position in range(3)]
    assert shapes == [(None, 9, 5), (None, 9, 4), (None, 3)]
    assert model.get_layer("bridge").output.shape == (None, 3, 3)


def test_the_bridge_repeats_the_latent_vector() -> None:
    model = build_encoder_decoder(input_steps=5, output_steps=4, input_features=2, encoder_units=[3], decoder_units=[3])
    repeated = np.asarray(keras.Model(model.input, model.get_layer("bridge").output)(some_windows()))
    assert repeated.shape == (7, 4, 3)
    np.testing.assert_array_equal(repeated, np.repeat(repeated[:, :1], 4, axis=1))


def test_the_known_future_stands_beside_the_latent_vector_at_its_own_step() -> None:
    model = build_encoder_decoder(input_steps=5, output_steps=4, input_features=2, future_features=2, encoder_units=[3])
    future = np.random.default_rng(1).normal(size=(7, 4, 2)).astype(np.float32)
    beside = np.asarray(keras.Model(model.input, model.get_layer("bridge_future").output)([some_windows(), future]))
    np.testing.assert_array_equal(beside[..., 3:], future)


def test_a_later_known_future_changes_no_earlier_output() -> None:
    model = build_encoder_decoder(
        input_steps=5, output_steps=4, input_features=2, future_features=2, decoder_units=[4, 4]
    )
    future = np.zeros((7, 4, 2), np.float32)
    changed = future.copy()
    changed[:, 2] = 1.0
    before, after = (np.asarray(model([some_windows(), each])) for each in (future, changed))
    np.testing.assert_array_equal(after[:, :2], before[:, :2])
    assert (after[:, 2:] != before[:, 2:]).all()


def test_the_output_layer_is_the_same_linear_map_at_every_step() -> None:
    model = build_encoder_decoder(input_steps=5, output_steps=4, input_features=2, decoder_units=[6])
    decoded = np.asarray(keras.Model(model.input, model.get_layer("decoder_0").output)(some_windows()))
    kernel, bias = (weight.numpy() for weight in model.get_layer("output").weights)
    np.testing.assert_allclose(np.asarray(model(some_windows())), decoded @ kernel + bias, rtol=1e-5, atol=1e-6)


@variants
def test_the_decoder_on_the_encoder_is_the_model(latent_dim: int | None, bidirectional: bool, width: int) -> None:
    model = small_autoencoder(latent_dim=latent_dim, bidirectional=bidirectional)
    encoder, decoder = split_autoencoder(model)
    assert encoder.output_shape == (None, width)
    assert decoder.input_shape == (None, width)
    assert decoder.output_shape == (None, 5, 2)
    np.testing.assert_array_equal(np.asarray(decoder(encoder(some_windows()))), np.asarray(model(some_windows())))


@variants
def test_the_halves_hold_all_weights_between_them_and_no_others(
    latent_dim: int | None, bidirectional: bool, width: int
) -> None:
    model = small_autoencoder(latent_dim=latent_dim, bidirectional=bidirectional)
    encoder, decoder = split_autoencoder(model)
    halves = [*encoder.weights, *decoder.weights]
    assert [id(weight) for weight in halves] == [id(weight) for weight in model.weights]


@pytest.mark.slow
def test_training_the_whole_trains_the_halves() -> None:
    model = small_autoencoder()
    encoder, decoder = split_autoencoder(model)
    codes, windows = np.asarray(encoder(some_windows())), np.asarray(decoder(np.ones((1, 3), np.float32)))
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss="mse", jit_compile=False)
    model.train_on_batch(some_windows(), some_windows())
    assert not np.allclose(np.asarray(encoder(some_windows())), codes)
    assert not np.allclose(np.asarray(decoder(np.ones((1, 3), np.float32))), windows)
    np.testing.assert_array_equal(np.asarray(decoder(encoder(some_windows()))), np.asarray(model(some_windows())))


def test_a_loaded_autoencoder_splits_into_the_same_halves(tmp_path: Path) -> None:
    model = small_autoencoder()
    model.save(tmp_path / "model.keras")
    encoder, decoder = split_autoencoder(accelerate(keras.models.load_model(tmp_path / "model.keras")))
    own_encoder, own_decoder = split_autoencoder(model)
    codes = np.asarray(own_encoder(some_windows()))
    np.testing.assert_array_equal(np.asarray(encoder(some_windows())), codes)
    np.testing.assert_array_equal(np.asarray(decoder(codes)), np.asarray(own_decoder(codes)))


def test_a_half_saves_and_loads_by_itself(tmp_path: Path) -> None:
    encoder, _ = split_autoencoder(small_autoencoder())
    encoder.save(tmp_path / "encoder.keras")
    loaded = accelerate(keras.models.load_model(tmp_path / "encoder.keras"))
    np.testing.assert_array_equal(np.asarray(loaded(some_windows())), np.asarray(encoder(some_windows())))


def test_a_forecaster_with_a_known_future_has_no_halves() -> None:
    model = build_encoder_decoder(input_steps=5, output_steps=4, input_features=2, future_features=1)
    with pytest.raises(ArgumentError, match=r"layer named bridge\. Received: layers \['inputs', .*'bridge_future'"):
        split_autoencoder(model)


def test_a_model_without_a_bridge_has_no_halves() -> None:
    plain = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="only")])
    with pytest.raises(ArgumentError, match=r"Received: layers \['only'\]"):
        split_autoencoder(plain)


def test_an_autoencoder_cannot_rebuild_more_columns_than_it_reads() -> None:
    with pytest.raises(
        ArgumentError, match=r"output_features must be at most input_features \(2\). Received: output_features=5"
    ):
        build_autoencoder(input_steps=4, input_features=2, output_features=5)


def test_a_new_bridge_is_a_function_and_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """What CONTRIBUTING.md promises: the builder, a recipe's model and the bundle take it without another change."""

    def ramp(latent: Any, steps: int) -> Any:
        repeated = keras.layers.RepeatVector(steps, name="bridge")(latent)
        return keras.layers.Dense(3, name="bridge_ramp")(repeated)

    monkeypatch.setitem(BRIDGES, "ramp", ramp)
    model = build_encoder_decoder(input_steps=8, output_steps=4, input_features=1, bridge="ramp")
    assert model.output_shape == (None, 4, 1)
    assert model.get_layer("decoder_0").input.shape == (None, 4, 3)
    with pytest.raises(ArgumentError, match=r"bridge must be .*'ramp'.*Received: bridge='raise'"):
        build_encoder_decoder(input_steps=8, output_steps=4, input_features=1, bridge="raise")
