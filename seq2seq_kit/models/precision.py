"""Half precision for training: a float32 model whose layers compute in another type while a training step is traced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from seq2seq_kit.models import keras_compat
from seq2seq_kit.models.categories import SplitCategories
from seq2seq_kit.models.drawing import DrawLatent
from seq2seq_kit.models.layers import Denormalise, Normalise

_FUSED = (keras.layers.LSTM, keras.layers.GRU)
# A window's level and spread are taken from the numbers as they are; half precision has three digits or fewer.
# Nor does it hold every code, or the variance whose logarithm is 12.
_EXACT = (keras.layers.InputLayer, Normalise, Denormalise, SplitCategories, DrawLatent)


@contextmanager
def computing_in(model: keras.Model, precision: str) -> Iterator[None]:
    """What is traced in here computes by Keras' dtype policy `precision`; weights are float32 under all of them.

    In bfloat16 recurrent layers leave cuDNN's kernel alone, whose gradients are wrong there.

    Before and after it the model is what it was, so it is saved, validated and asked in float32. The layer `output` and what
    comes after it stay in float32 here, too, as Keras' guide on mixed precision has it: the loss needs the digits.

    Args:
        model: A float32 model.
        precision: `float32`, `mixed_float16` or `mixed_bfloat16`.

    Example:
        >>> inputs = keras.Input((100, 1))
        >>> model = keras.Model(inputs, keras.layers.LSTM(8)(inputs))
        >>> with computing_in(model, "mixed_bfloat16"):
        ...     str(model(keras.ops.zeros((2, 100, 1))).dtype)
        "<dtype: 'bfloat16'>"
    """
    layers = [] if precision == "float32" else _halved(model)
    # In bfloat16 the gradients of cuDNN's LSTM and GRU are wrong by as much as they are long, its outputs right: measured on an
    # H100 (TensorFlow 2.21, cuDNN 9.19; `benchmarks/gpu.py`). Keras' loop is slower and right.
    looped = [layer for layer in layers if precision == "mixed_bfloat16" and isinstance(layer, _FUSED)]
    if looped and keras_compat.lacks("use_cudnn"):  # they stay in float32, in which cuDNN is right
        exact = {id(inner) for layer in looped for inner in keras_compat.flatten_layers(layer)}
        layers, looped = [layer for layer in layers if id(layer) not in exact], []
    policies = [layer.dtype_policy for layer in layers]
    try:
        for layer in layers:
            layer.dtype_policy = precision
        with keras_compat.without_cudnn(looped):
            yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy


def _halved(model: keras.Model) -> list[keras.Layer]:
    """The layers before `output`, with the layers in them; all where none has that name."""
    names = [layer.name for layer in model.layers]
    before = model.layers[: names.index("output")] if "output" in names else model.layers
    return [inner for layer in before if not isinstance(layer, _EXACT) for inner in keras_compat.flatten_layers(layer)]
