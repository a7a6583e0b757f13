"""Private and replaced members of Keras are named in one module; without one of them plain Keras trains, and the run says so."""

import inspect
import re
import textwrap
from types import FunctionType
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from seq2seq_kit.explanation import recurrences_of, slow_layers
from seq2seq_kit.models import accelerate, build_encoder_decoder, keras_compat
from seq2seq_kit.models.acceleration import kernel_of
from seq2seq_kit.models.counts import first_shape
from seq2seq_kit.models.precision import computing_in
from seq2seq_kit.training.stepping import steps_per_call
from tests.conftest import ROOT
from tests.models.accelerated import takes_the_kernel
from tests.training.test_fit import fitted, small

METHODS: dict[str, tuple[Any, str]] = {
    "LSTM.inner_loop": (keras.layers.LSTM, "inner_loop"),
    "RepeatVector.call": (keras.layers.RepeatVector, "call"),
    "Dense.call": (keras.layers.Dense, "call"),
    "TimeDistributed.call": (keras.layers.TimeDistributed, "call"),
    "Model.make_train_function": (keras.Model, "make_train_function"),
    "Layer._flatten_layers": (keras.Layer, "_flatten_layers"),
}
# How the members look in code; `_repeated` is the kit's own mark on a tensor.
NAMES = ["inner_loop", "_flatten_layers", "_keras_logits", "train_function", "test_function", "_inbound_nodes"]
NAMES += ["get_dropout_mask", "supports_jit", '"_repeated"', r"\.call = "]


def change(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Gives a method an argument more, as a later Keras might."""
    before = getattr(owner, name)

    def later(self: Any, *arguments: Any, **named: Any) -> Any:
        return before(self, *arguments, **named)

    known = inspect.signature(before)
    more = inspect.Parameter("later", inspect.Parameter.KEYWORD_ONLY, default=None)
    later.__signature__ = known.replace(parameters=[*known.parameters.values(), more])  # type: ignore[attr-defined]
    monkeypatch.setattr(owner, name, later)


def remove_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Keras without `inner_loop`: the same code under another name."""
    owners = (keras.layers.LSTM, keras.layers.GRU, keras.layers.RNN)
    for owner, name in [*((owner, "inner_loop") for owner in owners), (keras.layers.RNN, "call")]:
        function: FunctionType = vars(owner)[name]
        source = textwrap.dedent(inspect.getsource(function)).replace("inner_loop", "all_steps")
        found: dict[str, Any] = {}
        exec(source.replace("super()", "super(type(self), self)"), function.__globals__, found)
        ((renamed, method),) = found.items()
        if name != renamed:
            monkeypatch.delattr(owner, name)
        monkeypatch.setattr(owner, renamed, method, raising=False)


def trained(**training: Any) -> tuple[keras.Model, list[np.ndarray], list[str]]:
    """A tiny model after two epochs, its weights, and what a run would say."""
    recipe, prepared, model = small(epochs=2, patience=None, **training)
    precision = recipe.training.precision
    findings = slow_layers(recurrences_of(model, precision), precision)
    assert {finding.code for finding in findings} <= {"keras_loop"}
    fitted(recipe, prepared, model)
    return model, model.get_weights(), [finding.text for finding in findings]


def assert_same(one: list[np.ndarray], other: list[np.ndarray], tolerance: float = 1e-4) -> None:
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=tolerance)


@pytest.fixture(scope="module")
def expected() -> list[np.ndarray]:
    """The weights with all members in place, of which no run says anything."""
    assert keras_compat.changes() == []
    _, weights, texts = trained()
    assert texts == []
    return weights


@pytest.mark.slow
@pytest.mark.parametrize("member", list(METHODS))
def test_where_a_method_has_changed_plain_keras_trains_the_same_weights_and_it_is_said(
    member: str, expected: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch, *METHODS[member])
    reason = keras_compat.lacks(member)
    assert re.fullmatch(rf"Keras {keras.__version__} has other arguments \(.*, later\) of {member}", reason)
    model, received, texts = trained()
    assert_same(received, expected)
    assert any(reason in text for text in texts)
    replaced = {f"{type(layer).__name__}.{name}" for layer in model._flatten_layers() for name in vars(layer)}
    assert member not in replaced
    if member != "Layer._flatten_layers":
        assert {"LSTM.inner_loop", "RepeatVector.call"} - {member} <= replaced
    if member == "Model.make_train_function":
        assert steps_per_call(model, 32) == 1


@pytest.mark.slow
def test_without_the_loop_keras_own_runs_and_it_is_said(
    expected: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    remove_the_loop(monkeypatch)
    reason = f"Keras {keras.__version__} has no LSTM.inner_loop"
    model, received, texts = trained()
    assert_same(received, expected)
    assert kernel_of(model.get_layer("encoder_0")).reason == reason
    assert any(text.endswith(f"encoder_0, decoder_0: {reason}") for text in texts)
    traced = tf.function(model, input_signature=[tf.TensorSpec((None, *model.input_shape[1:]))]).get_concrete_function()
    assert not takes_the_kernel(traced)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_without_the_mask_of_dropout_a_layer_with_dropout_takes_the_loop(
    cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind: Any = {"lstm": keras.layers.LSTMCell, "gru": keras.layers.GRUCell}[cell]
    change(monkeypatch, kind, "get_dropout_mask")
    build: Any = build_encoder_decoder
    kernels = {}
    for dropout in (0.0, 0.2):
        model = build(input_steps=6, output_steps=3, input_features=2, cell=cell, dropout=dropout)
        kernels[dropout] = kernel_of(model.get_layer("encoder_0"))
        model.compile("adam", "mse", jit_compile=False)
        model.fit(np.ones((8, 6, 2), np.float32), np.ones((8, 3, 1), np.float32), verbose=0)
    assert kernels[0.0].name == "compiled"
    assert kernels[0.2].reason.endswith(f"of {kind.__name__}.get_dropout_mask")


@pytest.mark.slow
@pytest.mark.parametrize("wrapped", [True, False])
def test_without_logits_on_probabilities_a_dense_layer_is_left_alone(
    wrapped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.activations, "softmax", lambda x, axis=-1: tf.nn.softmax(x, axis))
    assert keras_compat.lacks("_keras_logits").endswith("has no _keras_logits")
    inputs = keras.Input((4, 3))
    dense = keras.layers.Dense(2, activation=keras.activations.softmax)
    layer = keras.layers.TimeDistributed(dense) if wrapped else dense
    model = accelerate(keras.Model(inputs, layer(inputs)))
    assert "call" not in {*vars(dense), *vars(layer)}
    model.compile("adam", "categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(8, 4, 3)).astype(np.float32)
    model.fit(x, np.eye(2, dtype=np.float32)[np.zeros((8, 4), int)], verbose=0)
    plain = accelerate(keras.Model(inputs, keras.layers.Dense(2)(inputs)))
    assert "call" in vars(plain.layers[1])  # only what gives probabilities


@pytest.mark.slow
def test_without_the_switch_of_cudnn_bfloat16_leaves_recurrent_layers_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for kind in (keras.layers.LSTM, keras.layers.GRU):
        monkeypatch.setattr(kind, "__init__", lambda self, units, own=kind.__init__, **named: own(self, units, **named))
    reason = f"Keras {keras.__version__} has no use_cudnn"
    model, _, texts = trained(precision="mixed_bfloat16")
    assert any(reason in text for text in texts)
    with computing_in(model, "mixed_bfloat16"):
        types = {layer.name: layer.compute_dtype for layer in model.layers}
    assert (types["encoder_0"], types["bridge"]) == ("float32", "bfloat16")


@pytest.mark.slow
def test_where_training_cannot_be_replaced_half_precision_is_float32(
    expected: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch, keras.Model, "make_train_function")
    _, received, texts = trained(precision="mixed_float16")
    assert_same(received, expected, 1e-3)
    assert any("in float32 whatever training.precision says" in text for text in texts)


def test_layers_are_found_without_keras_own_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = keras.Input((5, 4, 2))
    inner = keras.layers.Bidirectional(keras.layers.LSTM(3), name="both")
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.TimeDistributed(inner)(inputs)))
    expected = {id(layer) for layer in model._flatten_layers()}
    change(monkeypatch, keras.Layer, "_flatten_layers")
    found = keras_compat.flatten_layers(model)
    assert found[0] is model
    assert len(found) == len({id(layer) for layer in found})
    assert {id(layer) for layer in found} == expected
    accelerate(model)
    assert "inner_loop" in vars(inner.forward_layer)


def test_a_shape_that_keras_does_not_tell_is_empty() -> None:
    class Called(keras.layers.Layer):
        """One that is called in several places, of a Keras that keeps no nodes."""

        @property
        def input(self) -> None:
            raise ValueError("the layer has several inputs")

    assert first_shape(Called(), "input") == ()
    vector, twice = keras.Input((3,)), keras.layers.Dense(2)
    keras.Model(vector, [twice(vector), twice(vector)])
    assert first_shape(twice, "input") == (3,)


def test_no_other_module_names_these_members() -> None:
    compat = ROOT / "seq2seq_kit" / "models" / "keras_compat.py"
    own = compat.read_text(encoding="utf-8")
    assert all(re.search(name, own) for name in NAMES)
    pattern = re.compile("|".join([*NAMES, r"\.use_cudnn\b", r"keras\.src", r"keras\._"]))
    named = {
        f"{path.name}: {line.strip()}"
        for path in sorted((ROOT / "seq2seq_kit").rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if path != compat and pattern.search(line)
    }
    assert named == set()
