"""Categories in the models: vectors for codes, what is hidden in training, what the linear skip sees."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models import build_autoencoder, build_encoder_decoder, build_feedback_forecaster, split_autoencoder
from seq2seq_kit.models.categories import Indicators, SplitCategories
from seq2seq_kit.models.decoding import compile_free_forecast
from seq2seq_kit.models.precision import computing_in
from tests.conftest import slow_but

SMALL: dict[str, Any] = {
    "input_steps": 6,
    "output_steps": 4,
    "input_features": 5,
    "future_features": 3,
    "encoder_units": [5],
    "decoder_units": [5],
    "categories": [4, 6, 3],
    "future_categories": 2,
}


def arrays(batch: int = 7) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    past, future = rng.normal(size=(batch, 6, 5)), rng.normal(size=(batch, 4, 3))
    past[..., 2:] = np.stack([rng.integers(0, size, (batch, 6)) for size in (4, 6, 3)], axis=-1)
    future[..., 1:] = np.stack([rng.integers(0, size, (batch, 4)) for size in (4, 6)], axis=-1)
    return [past.astype("float32"), future.astype("float32")]


def test_numbers_and_codes_are_taken_apart() -> None:
    inputs = np.array([[[0.5, 2.0, 1.0], [0.25, 0.0, 9.0], [1.5, -3.0, np.nan]]], "float32")
    numbers, first, second = SplitCategories([3, 4])(inputs)
    np.testing.assert_array_equal(numbers, inputs[..., :1])
    np.testing.assert_array_equal(first, [[2, 0, 1]])
    np.testing.assert_array_equal(second, [[1, 1, 0]])


def test_a_share_of_the_sequences_is_hidden_in_training_alone() -> None:
    layer, inputs = SplitCategories([5], hidden=0.25, seed=1), np.full((4_000, 3, 1), 4.0, "float32")
    _, codes = layer(inputs, training=True)
    codes = np.asarray(codes)
    assert set(np.unique(codes)) == {1, 4}
    assert (codes == codes[:, :1]).all()
    assert (codes[:, 0] == 1).mean() == pytest.approx(0.25, abs=0.03)
    assert (np.asarray(layer(inputs, training=False)[1]) == 4).all()


def test_codes_beyond_the_columns_share_the_last_one() -> None:
    np.testing.assert_array_equal(Indicators(3)(np.array([[0, 2, 7]]))[0], [[1, 0, 0], [0, 0, 1], [0, 0, 1]])
    np.testing.assert_array_equal(Indicators(3, newest=True)(np.array([[0, 2, 1]])), [[[0, 1, 0]]])


@pytest.mark.parametrize(
    "more",
    slow_but(
        [{}, {"linear_skip": True, "fixed_categories": 1}, {"segment_steps": 2}, {"normalise": "last"}],
        {"linear_skip": True, "fixed_categories": 1},
    ),
)
@pytest.mark.parametrize("channels", ["joint", "independent"])
def test_every_form_depends_on_the_codes(channels: Any, more: dict[str, Any]) -> None:
    keras.utils.set_random_seed(0)
    model = build_encoder_decoder(**SMALL, channels=channels, output_features=2, **more)
    past, future = arrays()
    given = model([past, future])
    for array, column in ((past, 2), (past, 3), (past, 4), (future, 1), (future, 2)):
        kept = array[:, -1, column].copy()
        array[:, -1, column] = (kept + 1) % 3
        assert np.abs(np.asarray(model([past, future]) - given)).max() > 0
        array[:, -1, column] = kept


def test_one_table_serves_encoder_and_decoder_and_has_the_stated_width() -> None:
    model = build_encoder_decoder(**SMALL)
    assert [model.get_layer(f"category_{number}").output_dim for number in range(3)] == [2, 3, 2]
    assert [layer.name for layer in model.layers if isinstance(layer, keras.layers.Embedding)] == [
        "category_0",
        "category_1",
        "category_2",
    ]
    wide = build_encoder_decoder(**SMALL, embedding_units=7)
    assert {wide.get_layer(f"category_{number}").output_dim for number in range(3)} == {7}
    assert build_autoencoder(input_steps=6, input_features=2, categories=[400]).get_layer("category_0").output_dim == 50


@pytest.mark.parametrize("build", ["repeat", "attention", "autoencoder"])
def test_a_saved_model_gives_the_same(build: str, tmp_path: Path) -> None:
    past, future = arrays()
    given: Any = None
    if build == "repeat":
        model, given = build_encoder_decoder(**SMALL, linear_skip=True, fixed_categories=1), [past, future]
    elif build == "attention":
        model = build_feedback_forecaster(**SMALL, bridge="attention")
        given = [past, future, np.zeros((7, 4, 1), "float32")]
    else:
        given = past
        model = build_autoencoder(input_steps=6, input_features=5, categories=[4, 6, 3], encoder_units=[5])
        assert model.output_shape == (None, 6, 2)
        assert split_autoencoder(model)[0].output_shape == (None, 5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(given), model(given), atol=1e-6)


def test_a_free_running_decoder_reads_the_vectors_of_the_future() -> None:
    model = build_feedback_forecaster(**SMALL)
    past, future = arrays()
    free = np.asarray(compile_free_forecast(model)(past, future))
    # Given its own outputs as the true ones, the trained form writes the same.
    np.testing.assert_allclose(model([past, future, free]), free, atol=1e-6)
    future[:, 0, 1] = (future[:, 0, 1] + 1) % 4
    assert np.abs(np.asarray(compile_free_forecast(model)(past, future)) - free).max() > 0


def test_codes_are_exact_in_half_precision() -> None:
    model = build_autoencoder(input_steps=6, input_features=2, categories=[2_000], encoder_units=[4], embedding_units=1)
    table = model.get_layer("category_0")
    table.set_weights([np.arange(2_000.0)[:, None] % 2])
    past = np.zeros((1, 6, 2), "float32")
    inner = keras.Model(model.inputs[0], table.output)
    for code in (1_000.0, 1_001.0):
        past[..., 1] = code
        with computing_in(model, "mixed_bfloat16"):
            assert float(np.asarray(inner(past), "float32")[0, 0, 0]) == code % 2


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"categories": [1]}, "categories"),
        ({"categories": [3] * 5}, "categories"),
        ({"future_categories": 4}, "future_categories"),
        ({"future_features": 1}, "future_categories"),
        ({"fixed_categories": 4}, "fixed_categories"),
        ({"skip_categories": [3]}, "skip_categories"),
        ({"embedding_units": 0}, "embedding_units"),
    ],
)
def test_arguments_that_do_not_fit_are_named(more: dict[str, Any], name: str) -> None:
    with pytest.raises(ArgumentError, match=name):
        build_encoder_decoder(**(SMALL | more))
