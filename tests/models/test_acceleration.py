"""An accelerated layer computes what Keras' own does, forward and backward, is saved as that, and says which way it takes."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit.kernels import compiling
from seq2seq_kit.models import build_encoder_decoder
from seq2seq_kit.models.acceleration import accelerate, portable, way_of
from seq2seq_kit.models.layers import Repeat

CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
cells = pytest.mark.parametrize("cell", list(CELLS))


def pair(cell: str, units: int, features: int, **named: Any) -> tuple[Any, Any]:
    """Keras' own layer and an accelerated one, with the same weights."""
    named = {"bias_initializer": "random_normal", "dtype": "float32"} | named
    own, ours = (CELLS[cell](units, seed=0, **named) for _ in range(2))
    for layer in (own, ours):
        layer.build((None, None, features))
    ours.set_weights(own.get_weights())
    return own, accelerate(ours)


def run(
    layer: Any, x: tf.Tensor, *, mask: Any = None, states: list[tf.Tensor] | None = None, training: bool = True
) -> list[np.ndarray]:
    """Outputs and the gradients of a weighted sum of them: of the inputs, the weights and the first states."""
    with tf.GradientTape() as tape:
        tape.watch([x, *(states or [])])
        outputs = layer(x, mask=mask, initial_state=states, training=training)
        outputs = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
        rng = np.random.default_rng(1)
        loss = tf.add_n([tf.reduce_sum(each * rng.normal(size=each.shape).astype(x.dtype.name)) for each in outputs])
    gradients = tape.gradient(loss, [x, *layer.trainable_variables, *(states or [])])
    return [np.asarray(each) for each in [*outputs, *gradients]]


def assert_same(ours: list[np.ndarray], own: list[np.ndarray], tolerance: float) -> None:
    for one, other in zip(ours, own, strict=True):
        scale = max(1.0, float(np.abs(other).max(initial=0.0)))  # gradients of long sequences are large sums
        np.testing.assert_allclose(one / scale, other / scale, rtol=0, atol=tolerance)


def takes_the_kernel(function: Any) -> list[Any]:
    """The kernel's nodes in the graph of a function."""
    return [
        node for node in function.graph.as_graph_def(add_shapes=False).node if node.op.startswith("Seq2seqKitRecurrent")
    ]


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


@pytest.mark.parametrize("batch", [1, 2, 3, 31, 64, 65, 200])
def test_predict_takes_any_batch(batch: int) -> None:
    model = build_encoder_decoder(input_steps=6, output_steps=3, input_features=2)
    x = np.random.default_rng(0).normal(size=(200, 6, 2)).astype(np.float32)
    whole = np.asarray(model(x))
    np.testing.assert_allclose(model.predict(x, batch_size=batch, verbose=0), whole, atol=1e-6)


def test_a_batch_of_nothing_gives_nothing() -> None:
    model = build_encoder_decoder(input_steps=6, output_steps=3, input_features=2)
    assert model(np.zeros((0, 6, 2), np.float32)).shape == (0, 3, 1)


def test_the_saved_model_opens_where_this_package_is_unknown(tmp_path: Path) -> None:
    model = build_encoder_decoder(input_steps=6, output_steps=3, input_features=2, bidirectional=True)
    x = np.random.default_rng(0).normal(size=(4, 6, 2)).astype(np.float32)
    model.save(tmp_path / "model.keras")
    with portable():
        model.export(tmp_path / "exported", verbose=False)
    np.savez(tmp_path / "arrays.npz", x=x, y=np.asarray(model(x)))
    script = f"""
import sys, numpy as np, keras, tensorflow as tf
stored = np.load(r"{tmp_path / "arrays.npz"}")
model = keras.models.load_model(r"{tmp_path / "model.keras"}")
np.testing.assert_allclose(model.predict(stored["x"], verbose=0), stored["y"], atol=1e-5)
exported = tf.saved_model.load(r"{tmp_path / "exported"}")
served = exported.serve(stored["x"])
np.testing.assert_allclose(served, stored["y"], atol=1e-5)
assert not [name for name in sys.modules if name.startswith("seq2seq_kit")]
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)


def test_a_model_exported_with_the_kernel_runs_where_the_kernel_is(tmp_path: Path) -> None:
    model = build_encoder_decoder(input_steps=6, output_steps=3, input_features=2)
    model.export(tmp_path / "exported", verbose=False)
    x = np.random.default_rng(0).normal(size=(4, 6, 2)).astype(np.float32)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    served = exported.serve(x)
    np.testing.assert_allclose(served, model(x), atol=1e-6)


@cells
def test_weights_go_both_ways(cell: str, tmp_path: Path) -> None:
    def fresh() -> keras.Model:
        inputs = keras.Input((5, 2), name="inputs")
        return keras.Model(inputs, CELLS[cell](4, name="recurrent")(inputs), name="model")

    own, ours = fresh(), accelerate(fresh())
    x = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    assert ours.to_json() == own.to_json()
    assert [weight.path for weight in ours.weights] == [weight.path for weight in own.weights]
    own.save_weights(tmp_path / "own.weights.h5")
    ours.load_weights(tmp_path / "own.weights.h5")
    np.testing.assert_allclose(ours(x), own(x), atol=1e-6)
    ours.save_weights(tmp_path / "ours.weights.h5")
    other = fresh()
    other.load_weights(tmp_path / "ours.weights.h5")
    np.testing.assert_allclose(other(x), own(x), atol=1e-6)


def test_accelerating_again_changes_nothing() -> None:
    _, layer = pair("lstm", 3, 2)
    before = layer.inner_loop
    assert accelerate(layer).inner_loop is before


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (keras.layers.LSTM(2, activation="relu"), "its activation is not tanh"),
        (keras.layers.LSTM(2, recurrent_activation="hard_sigmoid"), "its recurrent activation is not sigmoid"),
        (keras.layers.GRU(2, recurrent_dropout=0.1), "recurrent_dropout is not 0"),
        (keras.layers.GRU(2, unroll=True), "it is unrolled"),
        (keras.layers.GRU(2, reset_after=False), "reset_after is False"),
        (keras.layers.LSTM(2, dtype="mixed_float16"), "it computes in float16"),
        (keras.layers.LSTM(2, implementation=1), "implementation is 1"),
        (keras.layers.SimpleRNN(2), "SimpleRNN has no kernel of its own"),
    ],
)
def test_what_keeps_a_layer_from_the_kernel_is_named_and_keras_loop_is_taken(layer: Any, reason: str) -> None:
    assert (way_of(layer).name, way_of(layer).reason) == ("loop", reason)
    accelerate(layer)
    traced = tf.function(layer, input_signature=[tf.TensorSpec((None, 5, 3))]).get_concrete_function()
    assert not takes_the_kernel(traced)


@pytest.mark.parametrize(
    "layer", [keras.layers.LSTM(2), keras.layers.GRU(2), keras.layers.LSTM(2, use_bias=False, use_cudnn=False)]
)
def test_what_nothing_keeps_takes_the_kernel(layer: Any) -> None:
    assert way_of(layer).name == "compiled"
    accelerate(layer)
    traced = tf.function(layer, input_signature=[tf.TensorSpec((None, 5, 3))]).get_concrete_function()
    assert len(takes_the_kernel(traced)) == 1


def test_on_a_gpu_the_conditions_are_the_ones_that_keras_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras decides by the same arguments; on a machine that claims a GPU both say the same."""
    rnn = import_module("keras.src.backend.tensorflow.rnn")  # the package has a function of the same name
    monkeypatch.setattr(rnn, "_is_gpu_available", lambda: True)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["one"])
    seen = set()
    for activation in ("tanh", "relu"):
        for gate in ("sigmoid", "hard_sigmoid"):
            for unroll in (False, True):
                for use_bias in (False, True):
                    arguments = {"activation": activation, "recurrent_activation": gate, "use_bias": use_bias}
                    layer = keras.layers.LSTM(2, unroll=unroll, **arguments)
                    own = rnn.cudnn_ok(layer.activation, layer.recurrent_activation, unroll, use_bias)
                    assert (way_of(layer).name == "cudnn") == own
                    seen.add(own)
    assert seen == {True, False}
    assert way_of(keras.layers.LSTM(2, use_cudnn=False)).reason == "use_cudnn is False"


def test_without_a_kernel_models_run_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_encoder_decoder(input_steps=6, output_steps=3, input_features=2)
    x = np.random.default_rng(0).normal(size=(4, 6, 2)).astype(np.float32)
    fast = np.asarray(model(x))
    absent = compiling.Library(None, "no C compiler was found for the compiled kernel; install gcc or clang")
    monkeypatch.setattr("seq2seq_kit.models.acceleration.library", lambda: absent)
    assert way_of(model.get_layer("encoder_0")).reason == absent.reason
    np.testing.assert_allclose(np.asarray(model(x)), fast, atol=1e-5)


@cells
def test_what_only_keras_takes_goes_to_keras(cell: str) -> None:
    own, ours = pair(cell, 3, 2, return_sequences=True)
    x = np.arange(24).reshape(2, 6, 2)
    np.testing.assert_allclose(ours(x), own(x), atol=1e-6)
    of_three = np.ones((2, 6, 1), bool)
    values = tf.constant(x, tf.float32)
    np.testing.assert_allclose(ours(values, mask=of_three), own(values, mask=of_three), atol=1e-6)
    first = CELLS[cell](3, implementation=1, dropout=0.2, use_cudnn=False)
    assert accelerate(first)(values, training=True).shape == (2, 3)


def test_wrong_shapes_are_refused_and_not_computed() -> None:
    operations = compiling.library().operations
    zeros = tf.zeros
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"dimension 1 of input 5 must be 8\. Received: 4"):
        operations.seq2seq_kit_recurrent(
            zeros((1, 3, 2)),
            3,
            zeros((1, 2)),
            zeros((1, 2)),
            zeros((2, 8)),
            zeros((2, 4)),
            zeros(8),
            zeros((0, 0), tf.bool),
        )
