"""Inputs whose outputs are stored beside a model, so that a bundle can tell whether it still answers as it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

_GOLDEN_LENGTHS = (8, 5, 3)


def standard_normal(model: keras.Model) -> list[np.ndarray]:
    """Golden inputs for a model of numbers."""
    from seq2seq_kit.models.inference import forward_inputs

    rng = np.random.default_rng(0)
    shapes = [(len(_GOLDEN_LENGTHS), *(size or 8 for size in tensor.shape[1:])) for tensor in forward_inputs(model)]
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def golden_sequences(features: int) -> list[np.ndarray]:
    """Golden inputs for a model of padded sequences: values, and which steps are there."""
    lengths = np.array(_GOLDEN_LENGTHS)
    values = np.random.default_rng(0).standard_normal((len(lengths), lengths.max(), features)).astype(np.float32)
    return [values, (np.arange(lengths.max()) < lengths[:, None]).astype(np.float32)]
