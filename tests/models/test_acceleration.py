"""An accelerated layer computes what Keras' own does, forward and backward, and is saved as that."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit.models import build_encoder_decoder
from seq2seq_kit.models.acceleration import accelerate, portable
from seq2seq_kit.models.layers import Repeat
from tests.models.accelerated import CELLS, assert_same, cells, gradients_that_run, pair, run, takes_the_kernel


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(
    cell=st.sampled_from(["lstm", "gru"]),
    dtype=st.sampled_from(["float32", "float64"]),
    batch=st.integers(1, 70),
    steps=st.integers(1, 7),
    features=st.integers(1, 40),
    units=st.integers(1, 70),
    mask=st.sampled_from(["none", "right", "left", "any", "all"]),
    with_states=st.booleans(),
    return_sequences=st.booleans(),
    go_backwards=st.booleans(),
    zeros=st.booleans(),
    use_bias=st.booleans(),
    training=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_outputs_and_gradients_are_those_of_keras_own_loop(
    cell: str,
    dtype: str,
    batch: int,
    steps: int,
    features: int,
    units: int,
    mask: str,
    with_states: bool,
    return_sequences: bool,
    go_backwards: bool,
    zeros: bool,
    use_bias: bool,
    training: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    shape = {"return_sequences": return_sequences, "go_backwards": go_backwards, "zero_output_for_mask": zeros}
    own, ours = pair(cell, units, features, dtype=dtype, use_bias=use_bias, return_state=True, **shape)
    x = tf.constant(rng.normal(size=(batch, steps, features)), dtype)
    lengths = rng.integers(0, steps + 1, size=(batch, 1))  # some rows have no step at all
    masks = {
        "none": None,
        "right": np.arange(steps) < lengths,
        "left": np.arange(steps) >= lengths,
        "any": rng.random((batch, steps)) < 0.5,
        "all": np.zeros((batch, steps), bool),
    }
    states = None
    if with_states:
        states = [tf.constant(rng.normal(size=(batch, units)), dtype) for _ in range(2 if cell == "lstm" else 1)]
    received, expected = (run(layer, x, mask=masks[mask], states=states, training=training) for layer in (ours, own))
    assert_same(received, expected, 1e-5 if dtype == "float32" else 1e-12)


@cells
def test_large_batches_are_cut_into_pieces_that_add_up(cell: str) -> None:
    own, ours = pair(cell, 33, 5, return_sequences=True)
    x = tf.constant(np.random.default_rng(0).normal(size=(300, 40, 5)), tf.float32)
    assert_same(run(ours, x), run(own, x), 1e-5)


@cells
def test_gradients_are_the_differences_of_the_outputs(cell: str) -> None:
    """Against finite differences in double precision, so that an error that Keras shares would show."""
    _, layer = pair(cell, 4, 3, dtype="float64", return_sequences=True)
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(3, 5, 3)), rng.normal(size=(3, 5, 4))
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]], bool)

    def loss(inputs: np.ndarray) -> float:
        return float(tf.reduce_sum(layer(tf.constant(inputs), mask=mask, training=True) * weights))

    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        total = tf.reduce_sum(layer(tensor, mask=mask, training=True) * weights)
    gradients = tape.gradient(total, [tensor, *layer.trainable_variables])
    step = 1e-6
    for place in np.ndindex(x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        slope = (loss(moved[0]) - loss(moved[1])) / (2 * step)
        assert float(gradients[0][place]) == pytest.approx(slope, abs=1e-7)
    for variable, gradient in zip(layer.trainable_variables, gradients[1:], strict=True):
        values = variable.numpy()
        for place in list(np.ndindex(values.shape))[::7]:
            slopes = []
            for sign in (1, -1):
                changed = values.copy()
                changed[place] += sign * step
                variable.assign(changed)
                slopes.append(loss(x))
            variable.assign(values)
            assert np.asarray(gradient)[place] == pytest.approx((slopes[0] - slopes[1]) / (2 * step), abs=1e-7)


@cells
def test_what_is_no_number_stays_so_and_in_its_own_row(cell: str) -> None:
    _, layer = pair(cell, 20, 3, return_sequences=True)
    x = np.zeros((5, 4, 3), np.float32)
    x[1, 2, 0], x[3, 1, 1] = np.nan, np.inf
    outputs = np.asarray(layer(x))
    assert np.isnan(outputs[1, 2:]).all()
    assert np.isfinite(outputs[1, :2]).all()
    assert np.isfinite(outputs[[0, 2, 4]]).all()
    large = np.asarray(layer(np.full((2, 4, 3), 1e30, np.float32)))
    assert np.abs(large).max() <= 1


@cells
def test_the_same_inputs_are_dropped(cell: str) -> None:
    own, ours = pair(cell, 6, 4, dropout=0.5, return_sequences=True)
    x = tf.ones((8, 5, 4))
    received, expected = run(ours, x), run(own, x)
    assert_same(received, expected, 1e-5)
    assert (received[1] == 0).any()  # the gradient of an input that was dropped


@pytest.mark.parametrize("bridge", [keras.layers.RepeatVector, Repeat])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@cells
def test_a_repeated_vector_is_multiplied_once(cell: str, dropout: float, bridge: Any) -> None:
    layers = pair(cell, 6, 4, return_sequences=True, dropout=dropout)
    vector = keras.Input((4,))
    own, ours = (keras.Model(vector, layer(bridge(7)(vector))) for layer in layers)
    accelerate(ours)
    assert_same(run_model(ours), run_model(own), 1e-5)
    signature = tf.TensorSpec((None, 4))
    traced = tf.function(lambda x: ours(x, training=True), input_signature=[signature]).get_concrete_function()
    (node,) = takes_the_kernel(traced)
    assert node.attr["repeated"].b


def run_model(model: keras.Model) -> list[np.ndarray]:
    x = tf.constant(np.random.default_rng(0).normal(size=(9, 4)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = model(x, training=True)
        loss = tf.reduce_sum(outputs * np.random.default_rng(1).normal(size=outputs.shape).astype(np.float32))
    return [np.asarray(each) for each in [outputs, *tape.gradient(loss, [x, *model.trainable_variables])]]


def test_what_is_added_to_a_repeated_vector_is_not_lost() -> None:
    own = build_encoder_decoder(input_steps=5, output_steps=4, input_features=2, position_embedding=True)
    x = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    with portable():
        expected = np.asarray(own(x))
    np.testing.assert_allclose(np.asarray(own(x)), expected, atol=1e-5)
    assert np.abs(expected[:, 0] - expected[:, 1]).max() > 1e-4


@pytest.mark.parametrize("merge", ["concat", "sum"])
@cells
def test_both_directions_are_accelerated(cell: str, merge: str) -> None:
    inputs = keras.Input((None, 3))
    layer = keras.layers.Bidirectional(CELLS[cell](5, return_sequences=True), merge_mode=merge)
    model = keras.Model(inputs, layer(inputs))
    x = np.random.default_rng(0).normal(size=(4, 6, 3)).astype(np.float32)
    expected = np.asarray(model(x))
    accelerate(model)
    np.testing.assert_allclose(np.asarray(model(x)), expected, atol=1e-5)
    traced = tf.function(model, input_signature=[tf.TensorSpec((None, None, 3))]).get_concrete_function()
    assert sorted(node.attr["backwards"].b for node in takes_the_kernel(traced)) == [False, True]


@pytest.mark.slow
@cells
@pytest.mark.parametrize("asked", [True, False])
def test_a_graph_computes_the_gradient_of_inputs_only_where_somebody_asks(cell: str, asked: bool) -> None:
    own, ours = pair(cell, 5, 3)
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 6, 3)), tf.float32)

    def gradients(layer: Any) -> Any:
        @tf.function
        def compute(given: tf.Tensor) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(given)
                loss = tf.reduce_sum(tf.sin(layer(given)))
            return tape.gradient(loss, [*layer.trainable_variables, *([given] if asked else [])])

        return compute

    received, expected = ([np.asarray(each) for each in gradients(layer)(x)] for layer in (ours, own))
    assert_same(received, expected, 1e-5)
    graph = gradients(ours).get_concrete_function(tf.TensorSpec((None, 6, 3))).graph
    assert gradients_that_run(graph) == ([False, True] if asked else [False])


def test_the_inputs_of_a_second_layer_get_their_gradient_with_the_others() -> None:
    inputs = keras.Input((6, 3))
    hidden = keras.layers.LSTM(4, return_sequences=True)(inputs)
    model = accelerate(keras.Model(inputs, keras.layers.LSTM(5)(hidden)))

    @tf.function
    def gradients(given: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(given, training=True))
        return tape.gradient(loss, model.trainable_variables)

    graph = gradients.get_concrete_function(tf.TensorSpec((None, 6, 3))).graph
    assert gradients_that_run(graph) == [True, False]  # the second layer's; the first layer's inputs are nobody's


@pytest.mark.parametrize("steps", [6, None])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_dense_layer_at_every_step_is_one_product(wrapped: bool, steps: int | None) -> None:
    def model() -> keras.Model:
        inputs = keras.Input((steps, 3))
        dense = keras.layers.Dense(2, activation="softmax")
        return keras.Model(inputs, keras.layers.TimeDistributed(dense)(inputs) if wrapped else dense(inputs))

    own, ours = model(), accelerate(model())
    ours.set_weights(own.get_weights())
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 6, 3)), tf.float32)
    assert ours(x).shape == (4, 6, 2)
    np.testing.assert_allclose(ours(x), own(x), rtol=0, atol=1e-6)
    graph = tf.function(ours).get_concrete_function(tf.TensorSpec((None, steps, 3)))
    assert graph.structured_outputs.shape.as_list() == [None, steps, 2]
    products = [node.op for node in graph.graph.as_graph_def().node if "MatMul" in node.op or "While" in node.op]
    assert products == ["MatMul"]


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("graph", [True, False])
def test_losses_of_certain_probabilities_are_those_of_keras(graph: bool, activation: str, wrapped: bool) -> None:
    """Keras takes them from the logits, which nothing clips, where it finds them."""
    losses = {"softmax": keras.losses.categorical_crossentropy, "sigmoid": keras.losses.binary_crossentropy}
    x, y = tf.constant([[[40.0], [-40.0]]]), tf.constant([[[0.0, 1.0], [0.0, 1.0]]])

    def found(speed: Any) -> list[np.ndarray]:
        inputs = keras.Input((2, 1))
        dense = keras.layers.Dense(2, activation=activation, use_bias=False)
        model = speed(keras.Model(inputs, keras.layers.TimeDistributed(dense)(inputs) if wrapped else dense(inputs)))
        model.set_weights([np.array([[1.0, -1.0]], np.float32)])

        def compute() -> Any:
            with tf.GradientTape() as tape:
                loss = losses[activation](y, model(x))
            return [loss, *tape.gradient(loss, model.trainable_variables)]

        return [np.asarray(each) for each in (tf.function(compute)() if graph else compute())]

    assert_same(found(accelerate), found(lambda model: model), 1e-5)


@cells
def test_a_stateful_layer_goes_on_where_it_was(cell: str) -> None:
    own, ours = (CELLS[cell](4, stateful=True) for _ in range(2))
    x = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    first = own(x), accelerate(ours)(x)
    ours.set_weights(own.get_weights())
    for layer in (own, ours):
        layer.reset_state()
    results = [[np.asarray(layer(x)) for _ in range(2)] for layer in (own, ours)]
    assert first[0].shape == (2, 4)
    np.testing.assert_allclose(results[1], results[0], atol=1e-6)
    assert np.abs(results[1][0] - results[1][1]).max() > 1e-3


@pytest.mark.slow
@cells
def test_several_hundred_steps_of_training_end_at_the_same_loss(cell: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 10, 2)).astype(np.float32)
    y = np.cumsum(x, axis=1)[:, -3:, :1]
    many = np.tile(x, (150, 1, 1)), np.tile(y, (150, 1, 1))
    losses = []
    for fast in (False, True):
        keras.utils.set_random_seed(3)
        inputs = keras.Input((10, 2))
        code = CELLS[cell](12)(inputs)
        decoded = CELLS[cell](12, return_sequences=True)(keras.layers.RepeatVector(3)(code))
        model = keras.Model(inputs, keras.layers.Dense(1)(decoded))
        if fast:
            accelerate(model)
        model.compile(keras.optimizers.Adam(3e-3), "mse", jit_compile=False)
        first = model.evaluate(x, y, verbose=0)
        model.fit(*many, batch_size=32, epochs=1, shuffle=False, verbose=0)
        losses.append((first, model.evaluate(x, y, verbose=0)))
    assert losses[0][1] < 0.3 * losses[0][0]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2, 3, 31, 64, 65, 200])
def test_predict_takes_any_batch(batch: int) -> None:
    model = build_encoder_decoder(input_steps=6, output_steps=3, input_features=2)
    x = np.random.default_rng(0).normal(size=(200, 6, 2)).astype(np.float32)
    whole = np.asarray(model(x))
    np.testing.assert_allclose(model.predict(x, batch_size=batch, verbose=0), whole, atol=1e-6)


def test_a_batch_of_nothing_gives_nothing() -> None:
    model = build_encoder_decoder(input_steps=6, output_steps=3, input_features=2)
    assert model(np.zeros((0, 6, 2), np.float32)).shape == (0, 3, 1)
