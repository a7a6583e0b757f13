"""The forecaster that reads its own output: sizes, what each step sees, and training on some of its own outputs."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit.bundles import files as bundle_files
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models.feedback import StepBefore, build_feedback_forecaster, reads_own_output, with_own_outputs
from seq2seq_kit.models.translator import build_translator

SMALL: dict[str, Any] = {
    "input_steps": 6,
    "output_steps": 4,
    "input_features": 3,
    "encoder_units": [4],
    "decoder_units": [4],
}
CASES: dict[str, dict[str, Any]] = {
    "state": {},
    "state, gru, future": {"cell": "gru", "future_features": 2},
    "attention, stacked": {"bridge": "attention", "encoder_units": [4, 3], "decoder_units": [4, 3]},
    "attention, both directions, pyramid": {
        "bridge": "attention",
        "encoder_units": [3, 2],
        "decoder_units": [6, 4],
        "bidirectional": True,
        "pyramid": 2,
        "output_features": 2,
        "future_features": 1,
        "target_positions": [2, 0],
    },
}
every_case = pytest.mark.parametrize("name", CASES)
GATES, BIASES = {"lstm": 4, "gru": 3}, {"lstm": 1, "gru": 2}


def built(name: str, **more: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_feedback_forecaster(**SMALL | CASES[name] | more)


def inputs_of(name: str) -> list[np.ndarray]:
    arguments, rng = SMALL | CASES[name], np.random.default_rng(0)
    shapes = [(3, 6, 3), (3, 4, arguments.get("future_features", 0)), (3, 4, arguments.get("output_features", 1))]
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes if shape[2]]


def parameters(arguments: dict[str, Any]) -> int:
    """The textbook count, layer by layer."""
    directions, cell = 2 if arguments.get("bidirectional") else 1, arguments.get("cell", "lstm")
    outputs = arguments.get("output_features", 1)

    def recurrent(width: int, units: int) -> int:
        return int(GATES[cell] * units * (width + units + BIASES[cell]))

    width, total = arguments["input_features"], 0
    for position, units in enumerate(arguments["encoder_units"]):
        total += directions * recurrent(width * (arguments.get("pyramid", 1) if position else 1), units)
        width = directions * units
    memory, width = width, outputs + arguments.get("future_features", 0)
    for units in arguments["decoder_units"]:
        total += recurrent(width, units)
        width = units
    if arguments.get("bridge") == "attention":
        total += memory * width + (memory + width + 1) * width
    return total + (width + 1) * outputs


@every_case
def test_shapes_and_sizes_follow_from_the_arguments(name: str) -> None:
    model, arguments = built(name), SMALL | CASES[name]
    assert model.count_params() == parameters(arguments)
    assert model.output_shape == (None, 4, arguments.get("output_features", 1))
    names = ["inputs", "future", "answers"] if arguments.get("future_features") else ["inputs", "answers"]
    assert [tensor.name for tensor in model.inputs] == names
    assert {"step_before", "output", "encoder_0", "decoder_0"} < {layer.name for layer in model.layers}
    assert reads_own_output(model)


@pytest.mark.slow
@every_case
def test_a_saved_model_loads_with_equal_outputs(name: str, tmp_path: Path) -> None:
    model = built(name)
    model.save(tmp_path / "model.keras")
    loaded = bundle_files._load_model(
        tmp_path / "model.keras", 10**6, {"info": {}, "versions": {}}
    )  # lets in only what the kit's models are made of
    np.testing.assert_array_equal(loaded(inputs_of(name)), model(inputs_of(name)))


@every_case
def test_each_step_sees_the_answers_before_it_only(name: str) -> None:
    model, inputs = built(name), inputs_of(name)
    before = np.asarray(model(inputs))
    for step in range(4):
        changed = [*inputs[:-1], inputs[-1].copy()]
        changed[-1][:, step] += 1
        moved = np.abs(np.asarray(model(changed)) - before).max(axis=(0, 2))
        assert moved[: step + 1].max() == 0
        assert moved[step + 1 :].min(initial=1) > 0


def test_the_first_step_sees_the_newest_target() -> None:
    layer = StepBefore([2, 0])
    past = np.arange(18.0, dtype=np.float32).reshape(1, 6, 3)
    answers = np.array([[[1, 2], [np.nan, 4], [5, 6]]], np.float32)
    np.testing.assert_array_equal(layer([past, answers]), [[[17, 15], [1, 2], [0, 4]]])
    assert StepBefore.from_config(layer.get_config()).columns == [2, 0]


def fitted_step(model: keras.Model, name: str, learning_rate: float = 0.01) -> float:
    model.compile(optimizer=keras.optimizers.Adam(learning_rate), loss="mse", run_eagerly=True)
    targets = np.random.default_rng(5).normal(size=inputs_of(name)[-1].shape)
    return float(model.train_on_batch(inputs_of(name), targets))


@pytest.mark.slow
@every_case
@pytest.mark.parametrize("own", [False, True])
def test_a_training_step_changes_every_weight(name: str, own: bool) -> None:
    model = built(name)
    before = [weight.numpy() for weight in model.trainable_weights]
    trained = model
    if own:
        trained, mix = with_own_outputs(model, seed=0)
        mix.ratio.assign(0.5)
    assert np.isfinite(fitted_step(trained, name))
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert not np.array_equal(weight.numpy(), old), weight.path


@every_case
def test_only_true_outputs_are_the_model_itself(name: str) -> None:
    model = built(name)
    trained, mix = with_own_outputs(model, seed=0)
    inputs = inputs_of(name)
    np.testing.assert_allclose(trained(inputs, training=True), model(inputs), rtol=1e-5, atol=1e-6)
    mix.ratio.assign(0.0)
    np.testing.assert_allclose(trained(inputs, training=False), model(inputs), rtol=1e-5, atol=1e-6)
    assert {id(weight) for weight in model.trainable_weights} == {id(weight) for weight in trained.trainable_weights}


@every_case
def test_only_own_outputs_are_those_of_a_first_pass(name: str) -> None:
    model, inputs = built(name), inputs_of(name)
    trained, mix = with_own_outputs(model, seed=0)
    mix.ratio.assign(0.0)
    second = np.asarray(trained(inputs, training=True))
    own = np.asarray(model(inputs))
    np.testing.assert_allclose(second, model([*inputs[:-1], own]), rtol=1e-5, atol=1e-6)
    assert np.abs(second - own)[:, 1:].max() > 1e-4


@pytest.mark.parametrize("bridge", ["state", "attention"])
@pytest.mark.parametrize("embedding", [None, 3])
def test_a_translator_reads_its_own_tokens_too(bridge: str, embedding: int | None) -> None:
    keras.utils.set_random_seed(0)
    model = build_translator(
        source_tokens=6,
        target_tokens=5,
        output_steps=4,
        bridge=bridge,  # type: ignore[arg-type]
        embedding_dim=embedding,
        encoder_units=[4],
        decoder_units=[4],
    )
    for weight in model.trainable_weights:
        weight.assign(4 * weight.numpy())
    source = np.array([[1, 2, 3, 4], [5, 4, 0, 0]], np.int32)
    previous = np.array([[0, 1, 2, 3], [0, 4, 3, 0]], np.int32)
    trained, mix = with_own_outputs(model, seed=0)
    np.testing.assert_allclose(
        trained([source, previous], training=True), model([source, previous]), rtol=1e-5, atol=1e-6
    )
    mix.ratio.assign(0.0)
    first = np.asarray(model([source, previous])).argmax(axis=-1)
    own = np.concatenate([np.zeros((2, 1), int), first[:, :-1]], axis=1).astype(np.int32)
    expected = np.asarray(model([source, own]))
    np.testing.assert_allclose(trained([source, previous], training=True), expected, rtol=1e-5, atol=1e-6)
    assert np.abs(expected - np.asarray(model([source, previous]))).max() > 1e-3


def test_other_models_read_nothing_of_their_own() -> None:
    repeat = build_translator(source_tokens=4, target_tokens=4, output_steps=2, encoder_units=[2], decoder_units=[2])
    assert not reads_own_output(repeat)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"bridge": "repeat"}, r"bridge must be one of 'state', 'attention'\. Received: bridge='repeat'"),
        ({"input_steps": 0}, "input_steps must be .*Received: input_steps=0"),
        ({"output_steps": None}, "output_steps must be .*Received: output_steps=None"),
        ({"input_features": 0}, "input_features must be .*Received: input_features=0"),
        ({"output_features": 1.0}, "output_features must be .*Received: output_features=1.0"),
        ({"output_features": 4}, r"output_features must be at most input_features \(3\).*Received: output_features=4"),
        ({"future_features": -1}, "future_features must be .*Received: future_features=-1"),
        ({"bidirectional": 1}, "bidirectional must be True or False"),
        ({"pyramid": 0}, "pyramid must be .*Received: pyramid=0"),
        ({"dropout": 1}, r"dropout must be in \[0, 1\)"),
        ({"recurrent_dropout": -1}, r"recurrent_dropout must be in \[0, 1\)"),
        ({"kernel_l2": -1}, "kernel_l2 must be a finite number"),
        ({"cell": "rnn"}, "cell must be one of"),
        ({"encoder_units": []}, "encoder_units must be a list"),
        ({"decoder_units": [5]}, r"decoder_units must be \[4\]: with bridge='state'.*Received: decoder_units=\[5\]"),
        ({"bidirectional": True}, r"decoder_units must be \[8\], twice as wide"),
        ({"target_positions": [3]}, r"target_positions must be a list of 1 different positions below 3"),
        ({"target_positions": [0, 1]}, r"target_positions must be a list of 1 different positions"),
        (
            {"pyramid": 4, "encoder_units": [4, 4], "decoder_units": [4, 4]},
            r"input_steps must be a multiple of 4 \(pyramid=4 over 2 encoder layers\), such as 4 or 8\. Received: .*=6",
        ),
    ],
)
def test_a_bad_argument_is_refused_by_name_and_value(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        built("state", **arguments)
