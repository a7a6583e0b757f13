"""What a recipe would train, without training it: layers, parameters, steps of the recurrence, kernels, time, memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.recipe.loading import Overrides
from seq2seq_kit.tasks import open_job
from seq2seq_kit.training.estimating import estimate_seconds
from seq2seq_kit.training.stepping import longest
from seq2seq_kit.validation import resolve

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.models.acceleration import Kernel
    from seq2seq_kit.models.counts import LayerCount
    from seq2seq_kit.tasks.registry import Given

_BYTES, _HALF = 4, 2  # float32; float16 and bfloat16
# Copies of the parameters that a training step holds: weights, gradients, and the optimizer's moments.
_COPIES = {"adam": 4, "adamw": 4, "rmsprop": 3, "sgd": 2}


@dataclass(frozen=True)
class Recurrence:
    """One recurrent layer at work.

    Attributes:
        layer: Its name.
        steps: How often its cell runs one after the other for a sequence; None: as often as the sequence has steps.
        directions: 2 where it reads both ways.
        kernel: What computes its steps on this machine: `cudnn`, `compiled` (the kit's kernel on a CPU) or `loop` (Keras' own).
        why: The same in words, with the reason.
    """

    layer: str
    steps: int | None
    directions: int
    kernel: str
    why: str

    @property
    def way(self) -> str:
        """The old name of `kernel`."""
        return self.kernel


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
        seconds_per_epoch: Upper estimate, from a forward pass of one batch; of an ensemble that of one member, likewise the rest.
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

    @property
    def epochs(self) -> int:
        """Epochs in all: `training.leave_out` fits a second time, without the worst examples."""
        again = getattr(self.recipe.training, "leave_out", 0.0) > 0
        return self.recipe.training.epochs * (2 if again else 1)


def explain(
    recipe: str | Path | Mapping[str, object] | Recipe, *, overrides: Overrides = (), data: Given | None = None
) -> Explanation:
    """Builds a recipe's model and describes its training; trains nothing, writes nothing.

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
    length = longest(job.examples.arrays("train", np.arange(batch)))
    return Explanation(
        recipe=recipe,
        model=model.name,
        rows=rows,
        parameters=model.count_params(),
        recurrences=recurrences_of(model, training.precision),
        unit=job.unit,
        counts={part: job.examples.count(part) for part in ("train", "val", "test")},
        seconds_per_epoch=estimate_seconds(model, job.examples, training) / training.epochs,
        memory=Memory(
            parameters=model.count_params() * _BYTES * _COPIES[training.optimizer],
            activations=batch
            * (_BYTES if training.precision == "float32" else _HALF)
            * sum(_kept(layer, row, length) for layer, row in zip(model.layers, rows, strict=True)),
            data=int(job.source.memory_usage(deep=True).sum()),
        ),
    )


def recurrences_of(model: keras.Model, precision: str = "float32") -> list[Recurrence]:
    """Each recurrent layer of a model, wrapped ones included, with the steps that it runs and the kernel that it takes.

    Args:
        model: A float32 model.
        precision: What it computes in where it is looked at: in training the recipe's `training.precision`.
    """
    import keras

    from seq2seq_kit.models.acceleration import kernel_of
    from seq2seq_kit.models.counts import first_shape, wrapped_in
    from seq2seq_kit.models.ensemble import members_of
    from seq2seq_kit.models.precision import computing_in

    model = max(members_of(model), key=lambda member: member.inputs[0].shape[1] or 0)  # alike, but for what they read
    masked = any(
        isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False) for layer in model.layers
    )
    found = []
    with computing_in(model, precision):
        for layer in model.layers:
            inner, shape = layer, first_shape(layer, "input")
            while (wrapped := wrapped_in(inner)) is not None:
                # Of what TimeDistributed wraps, one step of its own is the whole input.
                shape = shape[1:] if isinstance(inner, keras.layers.TimeDistributed) else shape
                inner = wrapped
            if isinstance(inner, keras.layers.RNN):
                directions = 2 if isinstance(layer, keras.layers.Bidirectional) else 1
                kernel, steps = kernel_of(inner), shape[0] if shape else None
                found.append(Recurrence(layer.name, steps, directions, kernel.name, describe(kernel, masked=masked)))
    return found


def describe(kernel: Kernel, *, masked: bool = False) -> str:
    """A recurrent layer's kernel in words, and why no faster one applies.

    Args:
        kernel: Of `models.acceleration.kernel_of`.
        masked: Whether a mask comes with its inputs.
    """
    if kernel.name == "compiled":
        return "the kit's compiled kernel, a whole sequence at once"
    if kernel.name == "cudnn":
        padded = "; every mask must be right-padded, no row all masked" if masked else ""
        return f"cuDNN's kernel, a whole sequence at once{padded}"
    return f"Keras' own loop (tf.while_loop of small operations, step after step): {kernel.reason}"


def kernels_of(recurrences: Sequence[Recurrence]) -> str:
    """The kernels of all layers in a line: `compiled`, or by layer where they differ."""
    names = {run.kernel for run in recurrences}
    return names.pop() if len(names) == 1 else ", ".join(f"{run.layer} {run.kernel}" for run in recurrences) or "none"


def slow_layers(recurrences: Sequence[Recurrence], precision: str = "float32") -> list[Finding]:
    """Findings about layers that run Keras' own loop, and about work that plain Keras does because a part of it has changed.

    Args:
        recurrences: Of `recurrences_of`, for the same precision.
        precision: The recipe's `training.precision`.
    """
    import tensorflow as tf

    from seq2seq_kit.models import keras_compat

    found = []
    if changed := keras_compat.changes():
        said = f"plain Keras does some of the kit's work, because parts of Keras have changed: {'; '.join(changed)}"
        found.append(Finding("keras_loop", "warning", said, "Install the version of Keras that constraints.txt names"))
    reasons: dict[str, list[str]] = {}
    for run in recurrences:
        if run.kernel == "loop":
            reasons.setdefault(run.why.rpartition("): ")[2], []).append(run.layer)
    text = "; ".join(f"{', '.join(layers)}: {reason}" for reason, layers in reasons.items())
    if not text:
        return found
    said = f"Keras' own loop runs these layers, two to four times slower than a fused kernel: {text}"
    if precision != "float32" and not tf.config.get_visible_devices("GPU"):
        advice = "Half precision is for a GPU and TensorFlow sees none: set training.precision: float32 here"
        return [*found, Finding("keras_loop", "warning", said, advice)]
    if precision == "mixed_bfloat16":
        return [*found, Finding("keras_loop", "warning", said, "Set training.precision: mixed_float16, or float32")]
    advice = "If speed matters, change that; docs/performance.md has the figures"
    return [*found, Finding("keras_loop", "note", said, advice)]


def _kept(layer: keras.Layer, row: LayerCount, length: int) -> int:
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
