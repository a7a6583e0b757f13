"""Layers that say which steps count, and the one that mixes true outputs with the model's own."""

import keras
import numpy as np
import pytest

from seq2seq_kit.models.masks import DropMask, MixPrevious, WithMask

TRUE = np.array([[0, 1, 2, 3], [0, 3, 2, 1]], dtype=np.int32)
OWN = np.eye(9, dtype=np.float32)[np.array([[5, 6, 7, 8], [8, 7, 6, 5]])]


def mixed(ratio: float, previous: np.ndarray, own: np.ndarray, *, training: bool = True) -> np.ndarray:
    layer = MixPrevious(seed=0)
    layer.ratio.assign(ratio)
    return np.asarray(layer([previous, own], training=training))


def test_a_ratio_of_one_leaves_the_true_outputs() -> None:
    np.testing.assert_array_equal(mixed(1.0, TRUE, OWN), TRUE)


def test_a_ratio_of_zero_puts_the_own_outputs_one_step_later() -> None:
    np.testing.assert_array_equal(mixed(0.0, TRUE, OWN), [[0, 5, 6, 7], [0, 8, 7, 6]])
    values, own = np.arange(8.0).reshape(1, 4, 2), 100 + np.arange(8.0).reshape(1, 4, 2)
    np.testing.assert_array_equal(mixed(0.0, values, own), [[[0, 1], [100, 101], [102, 103], [104, 105]]])


def test_in_between_each_step_is_the_one_or_the_other() -> None:
    values = np.zeros((200, 50, 2), np.float32)
    out = mixed(0.3, values, np.ones_like(values))[:, 1:]
    assert set(np.unique(out)) == {0.0, 1.0}
    assert (out[..., 0] == out[..., 1]).all()
    assert out.mean() == pytest.approx(0.7, abs=0.02)


def test_outside_of_training_nothing_is_mixed() -> None:
    np.testing.assert_array_equal(mixed(0.0, TRUE, OWN, training=False), TRUE)


def test_values_of_padded_steps_become_zero_even_where_they_are_no_number() -> None:
    values = np.array([[[1.0], [np.nan], [3.0]]], np.float32)
    valid = np.array([[1.0, 0.0, 1.0]], np.float32)
    np.testing.assert_array_equal(WithMask()([values, valid]), [[[1.0], [0.0], [3.0]]])
    np.testing.assert_array_equal(WithMask().compute_mask([values, valid]), [[True, False, True]])


def test_behind_a_dropped_mask_there_is_none() -> None:
    numbers = keras.Input((None,), dtype="int32")
    masked = keras.layers.Embedding(5, 2, mask_zero=True)(numbers)
    free = DropMask()(masked)
    assert masked._keras_mask is not None
    assert getattr(free, "_keras_mask", None) is None
    both = keras.Model(numbers, [masked, free])(np.array([[1, 0]]))
    np.testing.assert_array_equal(both[0], both[1])
