"""What is as large as a number can be, no number, or masked by too few steps: as from Keras' own loop, or refused as by it."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import slow_but
from tests.models.accelerated import cells, pair, run

SHAPE = (4, 6, 3)


def values(scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(0).normal(size=SHAPE) * scale).astype(np.float32)


@cells
@pytest.mark.parametrize("scale", [1e10, 1e30, 1e36])
def test_gates_that_are_shut_keep_out_the_largest_inputs(cell: str, scale: float) -> None:
    """They were open by 2e-35, and weights got gradients of 1e3 where Keras gives none."""
    own, ours = pair(cell, 5, 3, return_sequences=True)
    for layer in (own, ours):
        layer.set_weights([np.random.default_rng(1).normal(size=each.shape) for each in layer.get_weights()])
    received, expected = (run(layer, tf.constant(values(scale))) for layer in (ours, own))
    assert not expected[2].any()  # the gradient of the weights of the inputs
    for one, other in zip(received, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@cells
@pytest.mark.parametrize("odd", [np.nan, np.inf])
@pytest.mark.parametrize("backwards", [False, True])
def test_no_number_at_a_masked_step_gives_the_gradients_of_keras(cell: str, odd: float, backwards: bool) -> None:
    own, ours = pair(cell, 5, 3, return_sequences=True, go_backwards=backwards)
    x, mask = values(), np.ones(SHAPE[:2], bool)
    x[1, 2, 0], x[3, 4, 2] = odd, -odd
    mask[1, 2] = mask[3, 4] = mask[0, 1] = False
    received, expected = (run(layer, tf.constant(x), mask=tf.constant(mask)) for layer in (ours, own))
    assert np.isfinite(expected[0]).all()
    assert np.isnan(expected[2]).any()
    for one, other in zip(received, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)


def test_no_number_in_the_state_before_a_masked_step_gives_the_gradients_of_keras() -> None:
    own, ours = pair("lstm", 5, 3)
    h, c = np.zeros((2, 4, 5), np.float32)
    c[2, 1] = np.inf
    mask = np.arange(6) >= np.array([[0], [3], [6], [1]])
    states = [tf.constant(h), tf.constant(c)]
    received, expected = (
        run(layer, tf.constant(values()), mask=tf.constant(mask), states=states) for layer in (ours, own)
    )
    assert np.isnan(expected[2]).any()
    for one, other in zip(received, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)


@cells
@pytest.mark.parametrize("shape", slow_but([(4, 0), (1, 0), (0, 0), (4, 5), (1, 5)], (4, 0), (1, 5)))
@pytest.mark.parametrize("graph", slow_but([False, True], True))
def test_a_mask_of_too_few_steps_is_refused_as_by_keras(cell: str, shape: tuple[int, int], graph: bool) -> None:
    """One of no steps was taken for none at all."""
    signature = [tf.TensorSpec((None, None, 3)), tf.TensorSpec((None, None), tf.bool)]
    for layer in pair(cell, 5, 3):
        function: Any = layer.call
        if graph:
            function = tf.function(lambda x, mask, layer=layer: layer(x, mask=mask), input_signature=signature)
        with pytest.raises(tf.errors.OpError):
            function(tf.constant(values()), mask=tf.ones(shape, tf.bool))


@cells
@pytest.mark.parametrize("backwards", [False, True])
def test_a_mask_of_more_steps_counts_in_a_graph_as_in_keras(cell: str, backwards: bool) -> None:
    signature = [tf.TensorSpec((None, None, 3)), tf.TensorSpec((None, None), tf.bool)]
    mask = tf.constant(np.random.default_rng(2).random((4, 9)) < 0.5)
    own, ours = (
        tf.function(lambda x, mask, layer=layer: layer(x, mask=mask), input_signature=signature)(values(), mask)
        for layer in pair(cell, 5, 3, go_backwards=backwards, return_sequences=True)
    )
    np.testing.assert_allclose(ours, own, atol=1e-6)
