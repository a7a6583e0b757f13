"""A compiled forward pass gives the model's own outputs, whatever the batch size."""

import gc
import itertools

import keras
import numpy as np
import pytest

from seq2seq_kit.models import build_autoencoder, build_encoder_decoder, inference
from seq2seq_kit.models.inference import compile_forward
from seq2seq_kit.models.keras_compat import forget_operations


def small_model(*, input_steps: int | None = 5, future_features: int = 0, dropout: float = 0.0) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_encoder_decoder(
        input_steps=input_steps,
        output_steps=3,
        input_features=2,
        future_features=future_features,
        encoder_units=[4],
        decoder_units=[4],
        dropout=dropout,
    )


def some_windows(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, *shape)).astype(np.float32)


@pytest.mark.parametrize("batch_size", [1, 4, 10, 1000])
def test_the_batch_size_does_not_change_the_result(batch_size: int) -> None:
    model, windows = small_model(), some_windows(10, 5, 2)
    outputs = compile_forward(model, batch_size=batch_size)([windows])
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs, np.asarray(model(windows)), rtol=1e-5, atol=1e-6)


def test_a_known_future_is_the_second_array() -> None:
    model, windows, future = small_model(future_features=1), some_windows(10, 5, 2), some_windows(10, 3, 1)
    outputs = compile_forward(model, batch_size=4)([windows, future])
    np.testing.assert_allclose(outputs, np.asarray(model([windows, future])), rtol=1e-5, atol=1e-6)


def test_no_window_gives_no_output() -> None:
    assert compile_forward(small_model())([some_windows(0, 5, 2)]).shape == (0, 3, 1)


def test_any_input_length_runs_through_one_function() -> None:
    model = small_model(input_steps=None)
    forward = compile_forward(model)
    for steps in (2, 9):
        windows = some_windows(3, steps, 2)
        np.testing.assert_allclose(forward([windows]), np.asarray(model(windows)), rtol=1e-5, atol=1e-6)


def test_double_precision_is_taken_as_single() -> None:
    windows = some_windows(3, 5, 2)
    forward = compile_forward(small_model())
    np.testing.assert_array_equal(forward([windows.astype(np.float64)]), forward([windows]))


def test_dropout_is_off() -> None:
    forward = compile_forward(small_model(dropout=0.5))
    windows = some_windows(3, 5, 2)
    np.testing.assert_array_equal(forward([windows]), forward([windows]))


def test_weights_set_later_are_used() -> None:
    model, windows = small_model(), some_windows(3, 5, 2)
    forward = compile_forward(model)
    forward([windows])
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    np.testing.assert_array_equal(forward([windows]), np.zeros((3, 3, 1)))


def test_an_autoencoder_gives_back_its_own_shape() -> None:
    model = build_autoencoder(input_steps=4, input_features=3, encoder_units=[4], decoder_units=[4])
    assert compile_forward(model, batch_size=2)([some_windows(5, 4, 3)]).shape == (5, 4, 3)


@pytest.mark.parametrize("future_features", [0, 1])
def test_a_handful_is_computed_as_many_are_and_follows_the_weights(future_features: int) -> None:
    """A few sequences go another way through TensorFlow than many."""
    model = small_model(future_features=future_features)
    forward, given = compile_forward(model), [some_windows(40, 5, 2), some_windows(40, 3, 1)][: 1 + future_features]
    for factor in (1.0, 0.5):
        model.set_weights([weights * factor for weights in model.get_weights()])
        many = forward(given)
        for count in (1, 2, 16, 17):
            few = forward([array[:count] for array in given])
            np.testing.assert_allclose(few, many[:count], rtol=1e-5, atol=1e-6)
            assert few.dtype == many.dtype
            few[:] = 0.0  # is the caller's own memory


def test_what_tensorflow_keeps_of_a_forward_pass_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()  # models of tests before this one would be counted too
    forgotten: list[bool] = []
    monkeypatch.setattr(inference, "forget_operations", lambda: forgotten.append(True))
    monkeypatch.setattr(inference, "_gone", itertools.count(1))
    monkeypatch.setattr(inference, "_FORGET_EVERY", 2)
    for count in (0, 1, 1):
        forward = compile_forward(small_model())
        forward([some_windows(2, 5, 2)])
        del forward
        gc.collect()
        assert len(forgotten) == count
    forget_operations()  # others go on
    assert compile_forward(small_model())([some_windows(2, 5, 2)]).shape == (2, 3, 1)
