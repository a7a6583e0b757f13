"""A next-step model gives the same whether a sequence goes through at once or step by step, with its states in between."""

from typing import Any

import keras
import numpy as np
import pytest

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models.next_step import Stepper, build_next_step

KINDS: list[dict[str, Any]] = [
    {"units": [5, 4]},
    {"units": [6], "cell": "gru"},
    {"units": [4, 3], "cell": "gru", "dropout": 0.3},
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=["lstm", "gru", "gru-dropout"])


def made(kind: dict[str, Any], *, known: int = 1) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_next_step(input_features=2 + known, output_features=2, **kind)


def rows(sequences: int, steps: int, width: int = 3) -> np.ndarray:
    return np.random.default_rng(steps).normal(size=(sequences, steps, width)).astype(np.float32)


@every_kind
def test_step_by_step_is_the_whole_sequence_at_once(kind: dict[str, Any]) -> None:
    model, read = made(kind), rows(3, 7)
    walk = Stepper(model).walk(read, np.zeros((3, 0, 1)))
    at_once = np.asarray(model([read, np.ones((3, 7), np.float32)]))
    np.testing.assert_allclose(walk.read, at_once, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(walk.newest, at_once[:, -1], rtol=1e-5, atol=1e-6)


@every_kind
def test_chunks_of_two_and_three_steps_are_five(kind: dict[str, Any]) -> None:
    stepper, read, none = Stepper(made(kind)), rows(4, 5), np.zeros((4, 0, 1))
    whole = stepper.walk(read, none)
    first = stepper.walk(read[:, :2], none)
    second = stepper.walk(read[:, 2:], none, first.states)
    np.testing.assert_allclose(np.concatenate([first.read, second.read], axis=1), whole.read, rtol=1e-5, atol=1e-6)
    for state, expected in zip(second.states, whole.states, strict=True):
        np.testing.assert_allclose(state, expected, rtol=1e-5, atol=1e-6)
    cold = stepper.walk(read[:, 2:], none)
    assert np.abs(cold.read[:, 0] - second.read[:, 0]).max() > 1e-3  # the states carry something


@every_kind
def test_feeding_back_is_reading_the_own_output(kind: dict[str, Any]) -> None:
    stepper, read, known = Stepper(made(kind)), rows(2, 4), rows(2, 3, 1)
    walk = stepper.walk(read, known)
    assert walk.ahead.shape == (2, 3, 2)
    last, states = walk.newest, walk.states
    for step in range(3):
        own = stepper.walk(np.concatenate([last[:, None], known[:, step : step + 1]], axis=-1), known[:, :0], states)
        np.testing.assert_allclose(own.newest, walk.ahead[:, step], rtol=1e-5, atol=1e-6)
        last, states = own.newest, own.states


def test_without_a_step_the_states_tell_the_newest_prediction() -> None:
    stepper = Stepper(made(KINDS[0]))
    walk = stepper.walk(rows(2, 4), np.zeros((2, 0, 1)))
    again = stepper.walk(np.zeros((2, 0, 3)), np.zeros((2, 0, 1)), walk.states)
    assert again.read.shape == (2, 0, 2)
    np.testing.assert_allclose(again.newest, walk.newest, rtol=1e-6)


@pytest.mark.parametrize("sequences", [1, 2, 3_000])
def test_any_number_of_sequences_and_nothing_known_ahead(sequences: int) -> None:
    stepper = Stepper(made(KINDS[1], known=0))
    read = rows(sequences, 3, 2)
    walk = stepper.walk(read, np.zeros((sequences, 2, 0)))
    assert walk.ahead.shape == (sequences, 2, 2)
    alone = stepper.walk(read[-1:], np.zeros((1, 2, 0)))
    np.testing.assert_allclose(walk.ahead[-1:], alone.ahead, rtol=1e-5, atol=1e-6)


def test_states_have_names_and_widths() -> None:
    assert Stepper(made({"units": [5, 4]})).names == ["layer_0 h", "layer_0 c", "layer_1 h", "layer_1 c"]
    stepper = Stepper(made({"units": [5, 4], "cell": "gru"}))
    assert (stepper.names, stepper.widths) == (["layer_0 h", "layer_1 h"], [5, 4])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_features": 0}, r"input_features must be a whole number of at least 1\. Received: input_features=0"),
        ({"output_features": 4}, r"at most input_features \(3\)\. Received: output_features=4"),
        ({"units": []}, r"units must be a list .* Received: units=\[\]"),
        ({"dropout": 1.5}, r"dropout must be in \[0, 1\)\. Received: dropout=1\.5"),
        ({"cell": "rnn"}, "cell must be one of 'lstm', 'gru'"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        build_next_step(**({"input_features": 3} | arguments))
