"""What a recipe would train, told without training: layers, parameters, steps of the recurrence, kernels, time, memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from seq2seq_kit.recipe import Recipe
from seq2seq_kit.recipe.loading import Overrides
from seq2seq_kit.tasks import open_job
from seq2seq_kit.training import estimate_seconds
from seq2seq_kit.validation import resolve

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.models.counts import LayerCount

_BYTES = 4  # float32
# Copies of the parameters that a training step holds: weights, gradients, and the optimizer's moments.
_COPIES = {"adam": 4, "adamw": 4, "rmsprop": 3, "sgd": 2}


@dataclass(frozen=True)
class Recurrence:
    """One recurrent layer at work.

    Attributes:
        layer: Its name.
        steps: How often its cell runs one after the other for a sequence; None: as often as the sequence has steps.
        directions: 2 where it reads both ways.
        fast: Whether it takes cuDNN's kernel on this machine.
        why: Which way it takes and the reason.
    """

    layer: str
    steps: int | None
    directions: int
    fast: bool
    why: str


@dataclass(frozen=True)
class Memory:
    """Bytes that a training holds, estimated; TensorFlow itself, about half a gigabyte, comes on top.

    Attributes:
        parameters: Weights, gradients and the optimizer's moments.
        activations: What the layers compute for one batch and keep for the backward pass.
        data: The rows.
    """

    parameters: int
    activations: int
    data: int

    @property
    def total(self) -> int:
        """The sum."""
        return self.parameters + self.activations + self.data


@dataclass(frozen=True)
class Explanation:
    """A recipe's model before its training.

    Attributes:
        recipe: Resolved.
        model: Name of the model.
        rows: Each layer from input to output.
        parameters: Of all layers together.
        recurrences: Each recurrent layer.
        unit: What is counted: `windows`, `sequences`.
        counts: Number of them by part.
        seconds_per_epoch: Upper estimate, from a forward pass of one batch.
        memory: Estimated.
    """

    recipe: Recipe
    model: str
    rows: list[LayerCount]
    parameters: int
    recurrences: list[Recurrence]
    unit: str
    counts: dict[str, int]
    seconds_per_epoch: float
    memory: Memory


def explain(
    recipe: str | Path | Mapping[str, Any] | Recipe, *, overrides: Overrides = (), data: pd.DataFrame | None = None
) -> Explanation:
    """Builds a recipe's model and says what a training of it will be; trains nothing, writes nothing.

    Args:
        recipe: As for `train`.
        overrides: As for `train`.
        data: Rows instead of the recipe's `data.source`.

    Raises:
        RecipeError: The recipe has problems; all are listed.
        DataError: The data does not fit the recipe.

    Example:
        >>> echo = {"task": "echo", "data": {"sequence": [0.0, 0.2, 0.4, 0.6, 0.8]}}
        >>> [row.how for row in explain(echo).rows if row.how]
        ['4 x ((1 + 1) x 5 + 5^2) = 140', '(5 + 1) x 1 = 6']
    """
    from seq2seq_kit.models.counts import explain_layers

    recipe = resolve(recipe, overrides)
    job = open_job(recipe, data)
    model = job.build()
    rows = explain_layers(model)
    training = recipe.training
    batch = min(training.batch_size, job.examples.count("train"))
    length = _longest(job.examples.arrays("train", np.arange(batch)))
    return Explanation(
        recipe=recipe,
        model=model.name,
        rows=rows,
        parameters=model.count_params(),
        recurrences=recurrences_of(model),
        unit=job.unit,
        counts={part: job.examples.count(part) for part in ("train", "val", "test")},
        seconds_per_epoch=estimate_seconds(model, job.examples, training) / training.epochs,
        memory=Memory(
            parameters=model.count_params() * _BYTES * _COPIES[training.optimizer],
            activations=batch
            * _BYTES
            * sum(_kept(layer, row, length) for layer, row in zip(model.layers, rows, strict=True)),
            data=int(job.source.memory_usage(deep=True).sum()),
        ),
    )


def recurrences_of(model: keras.Model) -> list[Recurrence]:
    """Each recurrent layer of a model, wrapped ones included, with the steps that it runs and the kernel that it takes."""
    import keras
    import tensorflow as tf

    from seq2seq_kit.models.counts import first_shape, wrapped_in

    gpu = bool(tf.config.list_physical_devices("GPU"))
    masked = any(
        isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False) for layer in model.layers
    )
    found = []
    for layer in model.layers:
        inner, shape = layer, first_shape(layer, "input")
        while (wrapped := wrapped_in(inner)) is not None:
            # Of what TimeDistributed wraps, one step of its own is the whole input.
            shape = shape[1:] if isinstance(inner, keras.layers.TimeDistributed) else shape
            inner = wrapped
        if isinstance(inner, keras.layers.RNN):
            directions = 2 if isinstance(layer, keras.layers.Bidirectional) else 1
            fast, why = kernel_of(inner, gpu=gpu, masked=masked)
            found.append(Recurrence(layer.name, shape[0], directions, fast, why))
    return found


def kernel_of(layer: Any, *, gpu: bool, masked: bool = False) -> tuple[bool, str]:
    """Whether a recurrent layer takes cuDNN's kernel, and the reason; the conditions are those of Keras 3 on TensorFlow.

    Args:
        layer: An RNN layer, not wrapped.
        gpu: Whether there is a GPU.
        masked: Whether a mask comes with its inputs.
    """
    slow = "Keras' own loop (tf.while_loop of small operations, step after step)"
    hindrances = _hindrances(layer)
    if hindrances:
        return False, f"{slow}: {', '.join(hindrances)}" + ("" if gpu else "; and no GPU")
    if not gpu:
        return False, f"{slow}: no GPU here; on one this layer takes cuDNN's kernel"
    return True, "cuDNN's kernel, a whole sequence at once" + (
        "; every mask must be right-padded, no row all masked" if masked else ""
    )


def _hindrances(layer: Any) -> list[str]:
    """What keeps a layer from cuDNN, in the recipe's words."""
    import keras

    if not isinstance(layer, keras.layers.LSTM | keras.layers.GRU):
        return [f"{type(layer).__name__} has no kernel of its own"]
    found = []
    if layer.activation is not keras.activations.tanh:
        found.append("its activation is not tanh")
    if layer.recurrent_activation is not keras.activations.sigmoid:
        found.append("its recurrent activation is not sigmoid")
    if layer.recurrent_dropout:
        found.append("recurrent_dropout is not 0")
    if layer.unroll:
        found.append("it is unrolled")
    if not layer.use_bias:
        found.append("it has no bias")
    if isinstance(layer, keras.layers.GRU) and not layer.reset_after:
        found.append("reset_after is False")
    if layer.use_cudnn is False:
        found.append("use_cudnn is False")
    return found


def _longest(arrays: Sequence[np.ndarray]) -> int:
    """Steps that stand for an open length."""
    return max((array.shape[1] for array in arrays if array.ndim > 1), default=1)


def _kept(layer: Any, row: LayerCount, length: int) -> int:
    """Numbers that one example leaves behind in a layer: its outputs, and what the gates of a recurrent cell computed."""
    import keras

    from seq2seq_kit.models.counts import wrapped_in

    outputs = int(np.prod([size or length for size in row.outputs]))
    inner = wrapped_in(layer) or layer
    if not isinstance(inner, keras.layers.LSTM | keras.layers.GRU):
        return outputs
    # An LSTM keeps four gates and two states a step, a GRU three gates and one state.
    numbers = 6 if isinstance(inner, keras.layers.LSTM) else 4
    directions = 2 if isinstance(layer, keras.layers.Bidirectional) else 1
    return outputs + directions * numbers * inner.units * (row.inputs[0] or length)


__all__ = ["Explanation", "Memory", "Recurrence", "explain"]
