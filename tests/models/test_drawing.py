"""Noise and drawn latent vectors: there in training and gone in use, with the penalty that the formula says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models import build_autoencoder, build_whole_autoencoder, split_autoencoder
from seq2seq_kit.models.drawing import AddNoise, DrawLatent, drawn_latent
from seq2seq_kit.models.inference import compile_forward
from seq2seq_kit.models.precision import computing_in

SMALL: dict[str, Any] = {
    "input_steps": 6,
    "input_features": 2,
    "latent_dim": 3,
    "encoder_units": [8],
    "decoder_units": [8],
}
WHOLE: dict[str, Any] = {key: value for key, value in SMALL.items() if key != "input_steps"}
BUILDERS = [(build_autoencoder, SMALL), (build_whole_autoencoder, WHOLE)]
each_builder = pytest.mark.parametrize(("build", "small"), BUILDERS, ids=["windows", "whole"])


def arrays(model: keras.Model, count: int = 5, features: int = 2) -> Any:
    values = np.random.default_rng(0).normal(size=(count, 6, features)).astype("float32")
    return [values, np.ones((count, 6), "float32")] if len(model.inputs) > 1 else values


def divergence(mean: np.ndarray, log_variance: np.ndarray) -> float:
    """By numbers: the expectation of log q - log p over a fine grid of each component, whose distribution is normal."""
    grid = np.linspace(-12, 12, 200_001)
    total = 0.0
    for m, v in zip(mean.ravel(), np.exp(log_variance.ravel()), strict=True):
        density = np.exp(-((grid - m) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)
        ratio = -((grid - m) ** 2) / (2 * v) - np.log(v) / 2 + grid**2 / 2
        total += float((density * ratio).sum() * (grid[1] - grid[0]))
    return total / len(mean)


def test_noise_has_its_deviation_is_on_the_first_columns_and_in_training_alone() -> None:
    layer, inputs = AddNoise(0.5, 2, seed=1), np.zeros((2_000, 4, 3), "float32")
    noisy = np.asarray(layer(inputs, training=True))
    assert noisy[..., :2].std() == pytest.approx(0.5, rel=0.02)
    assert noisy[..., :2].mean() == pytest.approx(0.0, abs=0.02)
    assert not noisy[..., 2].any()
    assert not np.asarray(layer(inputs, training=False)).any()
    assert not np.array_equal(noisy, np.asarray(layer(inputs, training=True)))


def test_the_divergence_is_that_of_the_formula() -> None:
    rng = np.random.default_rng(0)
    mean, log_variance = (rng.normal(scale=scale, size=(4, 3)).astype("float32") for scale in (1.0, 0.7))
    layer = DrawLatent(0.25, seed=0)
    layer([mean, log_variance], training=True)
    expected = divergence(mean.astype("float64"), log_variance.astype("float64"))
    assert float(layer.divergence) == pytest.approx(expected, rel=1e-4)
    assert [float(loss) for loss in layer.losses] == pytest.approx([0.25 * expected], rel=1e-4)
    layer([mean, log_variance], training=False)
    assert layer.losses == []
    layer([np.zeros((2, 3), "float32"), np.zeros((2, 3), "float32")], training=True)
    assert float(layer.divergence) == 0.0


def test_draws_have_the_distribution_s_mean_and_deviation() -> None:
    mean, deviation = np.array([1.0, -2.0]), np.array([0.5, 2.0])
    inputs = [np.tile(each, (20_000, 1)).astype("float32") for each in (mean, 2 * np.log(deviation))]
    layer = DrawLatent(seed=3)
    drawn = np.asarray(layer(inputs, training=True))
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(drawn.std(axis=0), deviation, rtol=0.03)
    np.testing.assert_array_equal(np.asarray(layer(inputs, training=False)), inputs[0])


def test_the_weight_rises_over_the_warm_up_and_stays() -> None:
    layer = DrawLatent(0.8, kl_warmup=3)
    weights = []
    for epoch in range(1, 7):
        layer.begin_epoch(epoch)
        weights.append(layer.weight)
    assert weights == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])
    assert layer.weights == []  # the weight is no parameter


@each_builder
def test_layers_have_their_documented_names_and_shapes(
    build: Callable[..., keras.Model], small: dict[str, Any]
) -> None:
    plain = {layer.name for layer in build(**small).layers}
    model = build(**small, noise=0.1, latent="variational")
    assert {layer.name for layer in model.layers} - plain == {"noise", "latent_mean", "latent_log_variance"}
    assert model.get_layer("bridge").output.shape[-1] == 3
    assert model.output_shape[-1] == 2
    wide = build(**small | {"latent_dim": None, "bidirectional": True}, latent="variational")
    assert wide.get_layer("latent").output.shape == (None, 16)
    assert drawn_latent(wide) is wide.get_layer("latent")
    assert drawn_latent(build(**small)) is None


@each_builder
def test_training_draws_and_use_is_the_same_every_time(
    build: Callable[..., keras.Model], small: dict[str, Any]
) -> None:
    for drawing in ({"noise": 0.5}, {"latent": "variational"}):
        model = build(**small, **drawing)
        given = arrays(model)
        assert not np.array_equal(model(given, training=True), model(given, training=True))
        used = np.asarray(model(given, training=False))
        np.testing.assert_array_equal(used, model(given, training=False))
        np.testing.assert_allclose(
            compile_forward(model)(given if isinstance(given, list) else [given]), used, atol=1e-6
        )


def test_the_inputs_are_noisy_and_the_codes_of_categories_are_not() -> None:
    keras.utils.set_random_seed(0)
    model = build_autoencoder(**SMALL | {"input_features": 4, "output_features": 2}, categories=[4], noise=0.5)
    given = arrays(model, features=4)
    given[..., 3] = 2.0
    noise = keras.Model(model.inputs[0], model.get_layer("noise").output)
    noisy = np.asarray(noise(given, training=True))
    assert noisy.shape == (5, 6, 3)  # codes have been taken aside
    assert (noisy[..., :2] != given[..., :2]).all()
    np.testing.assert_array_equal(noisy[..., 2], given[..., 2])


@pytest.mark.slow
@each_builder
def test_a_variational_latent_learns_a_toy_problem(build: Callable[..., keras.Model], small: dict[str, Any]) -> None:
    keras.utils.set_random_seed(0)
    model = build(**small, latent="variational", kl_weight=1e-3, noise=0.05)
    phase = np.random.default_rng(1).uniform(0, 6, (256, 1, 1))
    waves = np.sin(phase + np.arange(6)[None, :, None] + np.array([0.0, 1.5])).astype("float32")
    given = [waves, np.ones((256, 6), "float32")] if len(model.inputs) > 1 else waves
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse")
    model.fit(given, waves, epochs=30, batch_size=32, verbose=0)
    rebuilt = np.asarray(model(given, training=False))
    assert float(((rebuilt - waves) ** 2).mean()) < 0.1 * waves.var()
    read = model.inputs if len(model.inputs) > 1 else model.inputs[0]
    encoder = keras.Model(read, model.get_layer("latent").output)
    assert np.asarray(encoder(given, training=False)).std(axis=0).max() > 0.3  # it carries something


def test_saved_models_and_halves_are_the_same_model(tmp_path: Path) -> None:
    model = build_autoencoder(**SMALL, noise=0.2, latent="variational", kl_weight=0.5, kl_warmup=4)
    given = arrays(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(loaded(given, training=False), model(given, training=False), atol=1e-6)
    layer = loaded.get_layer("latent")
    assert (layer.kl_weight, layer.kl_warmup, loaded.get_layer("noise").deviation) == (0.5, 4, 0.2)
    encoder, decoder = split_autoencoder(loaded)
    np.testing.assert_allclose(decoder(encoder(given)), loaded(given, training=False), atol=1e-6)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_in_half_precision_the_divergence_is_computed_in_float32(precision: str) -> None:
    model = build_autoencoder(**SMALL, noise=0.2, latent="variational", kl_weight=0.5)
    with computing_in(model, precision):
        model(arrays(model), training=True)
        assert model.get_layer("latent").divergence.dtype == "float32"
        assert np.isfinite(float(model.losses[0]))


@pytest.mark.parametrize(
    ("argument", "bad"), [("noise", -0.1), ("latent", "vae"), ("kl_weight", None), ("kl_warmup", 1.5)]
)
def test_a_bad_argument_is_refused_by_name_and_value_of_whole_sequences_too(argument: str, bad: object) -> None:
    with pytest.raises(ArgumentError) as refused:
        build_whole_autoencoder(**WHOLE | {argument: bad})
    assert f"{argument}={bad!r}" in str(refused.value)
