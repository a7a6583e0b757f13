"""Which kernel a layer uses, and what files, graphs and machines make of it."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from seq2seq_kit.kernels import compiling
from seq2seq_kit.models import build_encoder_decoder
from seq2seq_kit.models.acceleration import accelerate, kernel_of, portable
from tests.models.accelerated import CELLS, cells, pair, takes_the_kernel


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert (kernel_of(layer).name, kernel_of(layer).reason) == ("loop", reason)
    accelerate(layer)
    traced = tf.function(layer, input_signature=[tf.TensorSpec((None, 5, 3))]).get_concrete_function()
    assert not takes_the_kernel(traced)


@pytest.mark.parametrize(
    "layer", [keras.layers.LSTM(2), keras.layers.GRU(2), keras.layers.LSTM(2, use_bias=False, use_cudnn=False)]
)
def test_what_nothing_keeps_takes_the_kernel(layer: Any) -> None:
    assert kernel_of(layer).name == "compiled"
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
                    assert (kernel_of(layer).name == "cudnn") == own
                    seen.add(own)
    assert seen == {True, False}
    assert kernel_of(keras.layers.LSTM(2, use_cudnn=False)).reason == "use_cudnn is False"


def test_without_a_kernel_models_run_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_encoder_decoder(input_steps=6, output_steps=3, input_features=2)
    x = np.random.default_rng(0).normal(size=(4, 6, 2)).astype(np.float32)
    fast = np.asarray(model(x))
    absent = compiling.Library(None, "no C compiler was found for the compiled kernel; install gcc or clang")
    monkeypatch.setattr("seq2seq_kit.models.acceleration.library", lambda: absent)
    assert kernel_of(model.get_layer("encoder_0")).reason == absent.reason
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


@cells
@pytest.mark.parametrize(
    "arguments",
    [
        {"return_sequences": 1},
        {"return_sequences": 1, "go_backwards": 1},
        {"return_sequences": 0, "use_bias": 0},
        {"return_sequences": 1, "unroll": 1},
        {"return_sequences": np.True_, "zero_output_for_mask": 1, "stateful": 0},
    ],
    ids=str,
)
def test_truth_values_are_taken_as_in_keras(cell: str, arguments: dict[str, Any]) -> None:
    x = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    layer = CELLS[cell](4, **arguments)
    layer.build(x.shape)
    expected = layer(x)
    with tf.GradientTape() as tape:
        found = accelerate(layer)(x, training=True)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert all(each is not None for each in tape.gradient(found, layer.trainable_weights))


@cells
def test_a_mask_of_one_row_is_one_for_all_sequences(cell: str) -> None:
    x = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    mask = tf.constant([[True, False, True, True, False]])
    layer = CELLS[cell](4, return_sequences=True)
    expected = layer(x, mask=mask)
    np.testing.assert_allclose(accelerate(layer)(x, mask=mask), expected, atol=1e-6)


@pytest.mark.slow
@cells
def test_xla_takes_keras_loop(cell: str) -> None:
    x = tf.random.stateless_normal((3, 5, 2), seed=(0, 1))
    layer = accelerate(CELLS[cell](4, return_sequences=True))
    expected = layer(x)

    @tf.function(jit_compile=True)
    def compiled() -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            found = layer(x)
        return found, tape.gradient(found, layer.trainable_weights)

    found, gradients = compiled()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert all(np.abs(each).max() > 0 for each in gradients)
