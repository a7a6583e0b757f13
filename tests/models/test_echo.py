"""The six shapes: what goes in and out, how large they are, that they learn their sequence, and that nothing else is true."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models import build_echo, compile_free_run
from seq2seq_kit.models.acceleration import accelerate
from seq2seq_kit.models.echo import SHAPES
from seq2seq_kit.tasks.echo.bundle import echo_inputs, echo_targets

SEQUENCE = np.array([0.0, 0.2, 0.4, 0.6, 0.8])

# Shape: what the whole sequence becomes, what comes out, layers, parameters, epochs. The parameters of the fourth and fifth
# follow from the formula (one feature in, five units, one value out); their epochs were measured, the others are known.
FAMILY: dict[str, tuple[tuple[int, ...], tuple[int, ...], list[str], int, int]] = {
    "one_to_one": ((5, 1, 1), (5, 1), ["LSTM", "Dense"], 140 + 6, 1000),
    "many_to_one": ((1, 5, 1), (1, 5), ["LSTM", "Dense"], 140 + 30, 500),
    "many_to_many": ((1, 5, 1), (1, 5, 1), ["LSTM", "TimeDistributed"], 140 + 6, 1000),
    "one_to_many": ((1, 1), (1, 5, 1), ["RepeatVector", "LSTM", "TimeDistributed"], 140 + 6, 400),
    "feedback": ((1, 5, 1), (1, 5, 1), ["LSTM", "TimeDistributed"], 140 + 6, 400),
    "one_step": ((1, 1, 5), (1, 5), ["LSTM", "Dense"], 220 + 30, 400),
}
ENOUGH = 1e-4  # mean squared error; the largest error is then below 0.025
every_shape = pytest.mark.parametrize("shape", SHAPES)


def fitted(shape: str, *, epochs: int, seed: int, cell: str = "lstm") -> keras.Model:
    """A model after at most so many passes over the sequence, fewer once it is learnt with room to spare.

    They are `fit`'s steps, all in one graph call, which takes a second.
    """
    keras.utils.set_random_seed(seed)
    model = build_echo(shape=shape, steps=5, cell=cell)  # type: ignore[arg-type]
    inputs, targets = tf.constant(echo_inputs(shape, SEQUENCE)), tf.constant(echo_targets(shape, SEQUENCE))
    optimizer = keras.optimizers.Adam(1e-2)
    optimizer.build(model.trainable_variables)

    @tf.function
    def train() -> None:
        loss = tf.constant(1.0)
        for _ in tf.range(epochs):
            if loss < ENOUGH:
                break
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(inputs, training=True) - targets) ** 2)
            optimizer.apply_gradients(
                zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
            )

    train()
    return model


def echo_of(model: keras.Model, shape: str) -> np.ndarray:
    if shape == "feedback":
        return compile_free_run(model)(SEQUENCE[:1, None], 5).ravel()
    return np.asarray(model(echo_inputs(shape, SEQUENCE))).ravel()


@every_shape
def test_shapes_layers_and_parameters_are_the_family_s(shape: str) -> None:
    given, written, layers, parameters, _ = FAMILY[shape]
    model = build_echo(shape=shape, steps=5)  # type: ignore[arg-type]
    inputs = echo_inputs(shape, SEQUENCE)
    assert inputs.shape == given
    assert model.input_shape[1:] == given[1:]
    assert model(inputs).shape == written == echo_targets(shape, SEQUENCE).shape
    assert [type(layer).__name__ for layer in model.layers[1:]] == layers
    assert model.count_params() == parameters
    assert model.get_layer("recurrent").return_sequences == (layers[-1] == "TimeDistributed")
    assert not model.compiled


@pytest.mark.slow
@every_shape
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_echo_is_learnt_to_one_decimal_within_its_epochs(shape: str, seed: int) -> None:
    echo = echo_of(fitted(shape, epochs=FAMILY[shape][-1], seed=seed), shape)
    np.testing.assert_array_equal(np.round(np.abs(echo.astype(np.float64)), 1), SEQUENCE)
    assert np.abs(echo - SEQUENCE).max() < 0.05


def test_an_untrained_model_does_not_echo() -> None:
    keras.utils.set_random_seed(0)
    assert np.abs(echo_of(build_echo(shape="many_to_many", steps=5), "many_to_many") - SEQUENCE).max() > 0.05


@pytest.mark.slow
def test_a_gru_learns_too() -> None:
    assert np.abs(echo_of(fitted("feedback", epochs=400, seed=0, cell="gru"), "feedback") - SEQUENCE).max() < 0.05


@pytest.mark.parametrize(
    ("shape", "inputs", "outputs"),
    [
        ("one_to_one", (1, 2), (2,)),
        ("many_to_one", (4, 2), (8,)),
        ("many_to_many", (4, 2), (4, 2)),
        ("one_to_many", (2,), (4, 2)),
        ("feedback", (4, 2), (4, 2)),
        ("one_step", (1, 8), (8,)),
    ],
)
def test_several_values_at_each_step(shape: Any, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
    model = build_echo(shape=shape, steps=4, features=2, units=3, cell="gru")
    assert model.input_shape[1:] == inputs
    assert model.output_shape[1:] == outputs


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"shape": "many_to_few"}, "shape must be one of 'one_to_one', .*Received: shape='many_to_few'"),
        ({"steps": 0}, "steps must be a whole number of at least 1. Received: steps=0"),
        ({"features": 1.5}, "features must .*Received: features=1.5"),
        ({"units": True}, "units must .*Received: units=True"),
        ({"cell": "rnn"}, "cell must be one of 'lstm', 'gru'. Received: cell='rnn'"),
    ],
)
def test_an_argument_out_of_range_is_named(wrong: dict[str, Any], said: str) -> None:
    arguments: dict[str, Any] = {"shape": "many_to_many", "steps": 5} | wrong
    with pytest.raises(ArgumentError, match=said):
        build_echo(**arguments)


@every_shape
def test_a_saved_model_gives_the_same(shape: Any, tmp_path: Path) -> None:
    model = build_echo(shape=shape, steps=5)
    model.save(tmp_path / "model.keras")
    loaded = accelerate(keras.models.load_model(tmp_path / "model.keras", safe_mode=True))
    inputs = np.random.default_rng(0).normal(size=(3, *model.input_shape[1:])).astype(np.float32)
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    if shape == "feedback":
        np.testing.assert_array_equal(
            compile_free_run(loaded)(inputs[:, 0], 7), compile_free_run(model)(inputs[:, 0], 7)
        )


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_free_running_is_the_model_on_its_own_outputs(cell: Any) -> None:
    keras.utils.set_random_seed(0)
    model = build_echo(shape="feedback", steps=6, features=2, units=4, cell=cell)
    first = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    ran = compile_free_run(model)(first, 6)
    # Teacher forcing on what came out must bring out the same: the states by hand are the layer's own.
    late = np.concatenate([first[:, None], ran[:, :-1]], axis=1)
    np.testing.assert_allclose(model(late), ran, atol=1e-6)
    assert ran.shape == (3, 6, 2)


def test_free_running_takes_any_number_of_steps_and_begins_anew_each_time() -> None:
    run = compile_free_run(build_echo(shape="feedback", steps=5))
    first = np.ones((1, 1))  # from a zero an untrained layer never leaves zero
    long, again = run(first, 23), run(first, 4)
    assert len(np.unique(long)) > 10
    assert long.shape == (1, 23, 1)
    np.testing.assert_allclose(long[:, :4], again, atol=1e-7)
    with pytest.raises(ArgumentError, match=r"steps must .*Received: steps=0"):
        run(SEQUENCE[:1, None], 0)


def test_free_running_refuses_a_model_of_another_shape() -> None:
    with pytest.raises(ArgumentError, match=r"build_echo\(shape='feedback'\). Received: many_to_many"):
        compile_free_run(build_echo(shape="many_to_many", steps=5))


def head_of(make: Callable[[], keras.layers.Layer]) -> keras.Model:
    inputs = keras.Input((5, 3))
    hidden = keras.layers.LSTM(4, return_sequences=True)(inputs)
    return keras.Model(inputs, make()(hidden))


def test_dense_and_time_distributed_dense_have_equal_weights_and_outputs() -> None:
    plain = head_of(lambda: keras.layers.Dense(2))
    wrapped = head_of(lambda: keras.layers.TimeDistributed(keras.layers.Dense(2)))
    shapes = [tuple(weight.shape) for weight in plain.weights]
    assert [tuple(weight.shape) for weight in wrapped.weights] == shapes
    assert plain.count_params() == wrapped.count_params()
    wrapped.set_weights(plain.get_weights())
    sequences = np.random.default_rng(0).normal(size=(6, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(wrapped(sequences), plain(sequences), atol=1e-6)

    def gradients(model: keras.Model) -> list[np.ndarray]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(sequences) ** 2)
        return [gradient.numpy() for gradient in tape.gradient(loss, model.trainable_variables)]

    for one, other in zip(gradients(plain), gradients(wrapped), strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)
