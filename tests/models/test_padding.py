"""Padding never counts: not in an output, a loss, a metric, a gradient or a latent vector, however much of it there is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_kit.models.labels import LabelAccuracy, label_loss
from seq2seq_kit.models.next_step import build_next_step
from seq2seq_kit.models.translator import build_translator
from seq2seq_kit.models.whole import build_whole_autoencoder, encoder_of
from seq2seq_kit.training.objective import value_loss
from tests.conftest import slow_but

# Keras warns of a softmax over one source step, which is rightly 1.
pytestmark = pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")

TOKENS, OUTPUT_STEPS, FEATURES = 6, 4, 2
TRANSLATORS: dict[str, dict[str, Any]] = {
    "repeat": {"encoder_units": [4], "decoder_units": [5]},
    "repeat, both directions, pyramid": {
        "encoder_units": [3, 4, 3],
        "decoder_units": [4],
        "bidirectional": True,
        "pyramid": 2,
    },
    "state, gru, embedding": {
        "bridge": "state",
        "cell": "gru",
        "encoder_units": [4, 3],
        "decoder_units": [4, 3],
        "embedding_dim": 3,
    },
    "state, both directions": {"bridge": "state", "encoder_units": [3], "decoder_units": [6], "bidirectional": True},
    "attention": {"bridge": "attention", "encoder_units": [4], "decoder_units": [4]},
    "attention, both directions, pyramid": {
        "bridge": "attention",
        "encoder_units": [2, 3],
        "decoder_units": [4, 6],
        "bidirectional": True,
        "pyramid": 2,
        "embedding_dim": 3,
    },
}
STEPS: dict[str, dict[str, Any]] = {
    "next step, lstm": {"units": [4, 3]},
    "next step, gru": {"units": [4], "cell": "gru"},
}
WHOLES: dict[str, dict[str, Any]] = {
    "whole": {"encoder_units": [4], "decoder_units": [4], "latent_dim": 3},
    "whole, both directions, pyramid": {
        "encoder_units": [3, 4],
        "decoder_units": [4, 3],
        "latent_dim": 2,
        "bidirectional": True,
        "pyramid": 2,
    },
    "whole, gru": {"encoder_units": [4, 3], "decoder_units": [4], "cell": "gru"},
}
CASES = [*TRANSLATORS, *STEPS, *WHOLES]

lengths_of_a_batch = st.lists(st.integers(1, 7), min_size=1, max_size=4)
checked = settings(
    max_examples=4, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
every_case = pytest.mark.parametrize("name", CASES, ids=lambda name: name.replace(", ", "-").replace(" ", "_"))


@dataclass(frozen=True)
class Batch:
    """Padded arrays, and which outputs count."""

    inputs: list[np.ndarray]
    targets: np.ndarray
    counted: np.ndarray


@cache
def model_of(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    if name in TRANSLATORS:
        return build_translator(
            source_tokens=TOKENS, target_tokens=TOKENS, output_steps=OUTPUT_STEPS, **TRANSLATORS[name]
        )
    if name in STEPS:
        return build_next_step(input_features=FEATURES + 1, output_features=FEATURES, **STEPS[name])
    return build_whole_autoencoder(input_features=FEATURES, **WHOLES[name])


def padded(sequences: list[np.ndarray], steps: int, fill: float) -> np.ndarray:
    rows = np.full((len(sequences), steps, *sequences[0].shape[1:]), fill, dtype=sequences[0].dtype)
    for row, sequence in zip(rows, sequences, strict=True):
        row[: len(sequence)] = sequence
    return rows


def batch_of(name: str, lengths: list[int], extra: int, rows: list[int] | None = None) -> Batch:
    """The same sequences whatever `extra` is; `rows` picks some of them, padded to the longest of those."""
    rng = np.random.default_rng(sum(lengths))
    if name in TRANSLATORS:
        sources = [rng.integers(1, TOKENS, size=length).astype(np.int32) for length in lengths]
        answers = [rng.integers(0, TOKENS, size=1 + length % OUTPUT_STEPS).astype(np.int32) for length in lengths]
        sources, answers = _picked(sources, rows), _picked(answers, rows)
        feedback = TRANSLATORS[name].get("bridge", "repeat") != "repeat"
        steps = max(map(len, answers)) + extra if feedback else OUTPUT_STEPS
        inputs = [padded(sources, max(map(len, sources)) + extra, 0)]
        if feedback:
            inputs.append(padded([np.concatenate([[0], each[:-1]]).astype(np.int32) for each in answers], steps, 0))
        targets = padded(answers, steps, -1)
        return Batch(inputs, targets, targets >= 0)
    width = FEATURES + 1 if name in STEPS else FEATURES
    values = _picked([rng.normal(size=(length, width)).astype(np.float32) for length in lengths], rows)
    truths = [each[:, :FEATURES] + 1 for each in values]
    steps = max(map(len, values)) + extra
    # What stands in the padding is no zero: a model that looked at it would show it.
    inputs = [padded(values, steps, 7.0), padded([np.ones(len(each), np.float32) for each in values], steps, 0.0)]
    targets = padded(truths, steps, np.nan)
    return Batch(inputs, targets, ~np.isnan(targets).any(axis=-1))


def _picked(values: list[np.ndarray], rows: list[int] | None) -> list[np.ndarray]:
    return values if rows is None else [values[row] for row in rows]


def loss_of(name: str) -> Callable[[Any, Any], Any]:
    return label_loss if name in TRANSLATORS else value_loss("mse", masked=True)


def run(name: str, batch: Batch) -> tuple[np.ndarray, float, list[np.ndarray]]:
    """Outputs, loss and gradients."""
    model = model_of(name)
    inputs = [tf.constant(array) for array in batch.inputs]
    with tf.GradientTape() as tape:
        outputs = model(inputs if len(inputs) > 1 else inputs[0], training=True)
        loss = loss_of(name)(tf.constant(batch.targets), outputs)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    assert all(gradient is not None for gradient in gradients)
    dense = [np.asarray(tf.convert_to_tensor(gradient)) for gradient in gradients]
    return np.asarray(outputs), float(loss), dense


def close(left: Any, right: Any) -> None:
    np.testing.assert_allclose(left, right, rtol=2e-4, atol=2e-6)


@pytest.mark.slow
@every_case
@checked
@given(lengths=lengths_of_a_batch, extra=st.integers(1, 6))
def test_more_padding_changes_no_output_loss_or_gradient(name: str, lengths: list[int], extra: int) -> None:
    short, long = batch_of(name, lengths, 0), batch_of(name, lengths, extra)
    outputs, loss, gradients = run(name, short)
    padded_outputs, padded_loss, padded_gradients = run(name, long)
    close(padded_outputs[:, : outputs.shape[1]][short.counted], outputs[short.counted])
    close(padded_loss, loss)
    for gradient, padded_gradient in zip(gradients, padded_gradients, strict=True):
        assert np.isfinite(padded_gradient).all()
        close(padded_gradient, gradient)


@pytest.mark.slow
@every_case
@checked
@given(lengths=st.lists(st.integers(1, 7), min_size=2, max_size=4))
def test_a_sequence_alone_and_in_a_batch_gives_the_same(name: str, lengths: list[int]) -> None:
    together = batch_of(name, lengths, 0)
    outputs, loss, _ = run(name, together)
    total = 0.0
    for row in range(len(lengths)):
        alone = batch_of(name, lengths, 0, [row])
        own, own_loss, _ = run(name, alone)
        close(own[0][alone.counted[0]], outputs[row][together.counted[row]])
        total += own_loss * alone.counted.sum()
    close(loss, total / together.counted.sum())


@pytest.mark.slow
@pytest.mark.parametrize("name", list(TRANSLATORS))
@checked
@given(lengths=lengths_of_a_batch, extra=st.integers(1, 6))
def test_more_padding_changes_no_metric(name: str, lengths: list[int], extra: int) -> None:
    shares = []
    for more in (0, extra):
        batch, metric = batch_of(name, lengths, more), LabelAccuracy()
        metric.update_state(tf.constant(batch.targets), tf.constant(run(name, batch)[0]))
        shares.append(float(metric.result()))
    assert shares[0] == shares[1]


@pytest.mark.parametrize("name", list(WHOLES))
@checked
@given(lengths=lengths_of_a_batch, extra=st.integers(1, 6))
def test_a_latent_vector_does_not_depend_on_the_padding(name: str, lengths: list[int], extra: int) -> None:
    encoder = encoder_of(model_of(name))
    short, long = (np.asarray(encoder(batch_of(name, lengths, more).inputs)) for more in (0, extra))
    close(long, short)


@pytest.mark.parametrize("name", list(WHOLES))
def test_a_latent_vector_depends_on_the_last_step(name: str) -> None:
    # So that the test before is not passed by an encoder that looks at nothing.
    encoder, batch = encoder_of(model_of(name)), batch_of(name, [5, 3], 2)
    before = np.asarray(encoder(batch.inputs))
    batch.inputs[0][1, 2] += 1.0
    after = np.asarray(encoder(batch.inputs))
    assert np.abs(after[1] - before[1]).max() > 1e-4
    close(after[0], before[0])


@pytest.mark.parametrize("name", slow_but(CASES, "attention", "next step, gru", "whole"))
def test_the_padded_batch_is_told_apart_from_one_without_a_mask(name: str) -> None:
    # The same numbers, taken for real steps, change the loss: what the tests above hold equal is not equal by itself.
    batch = batch_of(name, [6, 2, 3], 3)
    _, loss, _ = run(name, batch)
    inputs, targets = [array.copy() for array in batch.inputs], batch.targets.copy()
    if name in TRANSLATORS:
        inputs[0][inputs[0] == 0] = 1
    else:
        inputs[1][:] = 1.0
        targets[np.isnan(targets)] = 0.0
    _, unmasked, _ = run(name, Batch(inputs, targets, batch.counted))
    assert abs(unmasked - loss) > 1e-5
