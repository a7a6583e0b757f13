"""Several training steps in one call of TensorFlow: what Python does between two steps costs a small model more than a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from seq2seq_kit.errors import TrainingError

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

_SECONDS_PER_CALL = 0.25  # for a Ctrl-C is heard between two calls
_OPERATIONS_PER_SECOND = 20e9  # of a slow machine
_MOST_STEPS = 16


def steps_per_call(model: keras.Model, batch_size: int, precision: str = "float32", *, open_steps: int = 100) -> int:
    """Training steps for one call: as many as a slow machine is estimated to do in a quarter of a second, from 1 to 16.

    One where a layer runs Keras' own loop, whose speed nobody can tell from the work.

    Args:
        model: Built by the kit, accelerated.
        batch_size: Sequences of a step.
        precision: What the steps compute in, see `models.precision`.
        open_steps: What stands for the length of sequences that the model leaves open.
    """
    import keras

    from seq2seq_kit.models import keras_compat
    from seq2seq_kit.models.acceleration import kernel_of
    from seq2seq_kit.models.counts import first_shape
    from seq2seq_kit.models.precision import computing_in

    recurrent = [layer for layer in keras_compat.flatten_layers(model) if isinstance(layer, keras.layers.RNN)]
    with computing_in(model, precision):
        looped = any(kernel_of(layer).name == "loop" for layer in recurrent)
    if looped or keras_compat.lacks(keras_compat.OWN_STEPS):
        return 1

    work = 0
    for layer in model.layers:
        if weights := layer.count_params():
            shape = first_shape(layer, "input")
            work += weights * ((shape[0] or open_steps) if len(shape) == 2 else 1 if shape else open_steps)
    # Twice the multiplications forward, twice that again backward.
    return max(1, min(_MOST_STEPS, int(_SECONDS_PER_CALL * _OPERATIONS_PER_SECOND / (6 * batch_size * max(work, 1)))))


def longest(arrays: Sequence[np.ndarray]) -> int:
    """Steps of a model's inputs: what stands for a length that the model leaves open."""
    return max((array.shape[1] for array in arrays if array.ndim > 1), default=1)


def step_together(
    model: keras.Model,
    steps: int,
    precision: str = "float32",
    *,
    step: Callable[[object], tf.Tensor] | None = None,
) -> None:
    """Gives a compiled model a training function that does `model.steps_per_execution` steps in a loop of the graph.

    Keras' own function reads into the next epoch where the steps of an epoch are no multiple of it and the batches have no end.

    Args:
        model: Compiled; fitted with `steps_per_epoch=steps`.
        steps: Of an epoch.
        precision: What the steps compute in, see `models.precision`.
        step: Takes one step on a batch; default: the model's own `train_step`. A step of several workers ends with its result.

    Raises:
        TrainingError: There is a `step`, and this Keras takes no other function than its own.
    """
    import tensorflow as tf

    from seq2seq_kit.models import keras_compat
    from seq2seq_kit.models.precision import computing_in

    if reason := keras_compat.lacks(keras_compat.OWN_STEPS):
        if step is not None:
            said = (
                f"training.workers: several workers cannot train one model, because {reason}. Set training.workers: 1"
            )
            raise TrainingError(said, code="workers_not_supported")
        return  # Keras trains, step by step
    most = int(model.steps_per_execution)
    position = 0

    @tf.function(reduce_retracing=True)
    def run(iterator: Iterator[object], count: tf.Tensor) -> dict[str, tf.Tensor]:
        def body(number: tf.Tensor) -> tf.Tensor:
            # Only while it is traced: validation and everything else asks the float32 model.
            with computing_in(model, precision):
                done = step(next(iterator)) if step else model.train_step(next(iterator))
            # Workers wait for each other in a step, so none may begin the next one before.
            with tf.control_dependencies([done] if step else []):
                return number + 1

        tf.while_loop(lambda number: number < count, body, [tf.constant(0)])
        return model.get_metrics_result()

    def train(iterator: Iterator[object]) -> dict[str, tf.Tensor]:
        nonlocal position
        count = min(most, steps - position)
        position = (position + count) % steps
        return run(iterator, tf.constant(count))

    keras_compat.replace_training(model, train)


def step_singly(model: keras.Model) -> None:
    """Gives a model Keras' own training function back, for whoever fits it next."""
    from seq2seq_kit.models.keras_compat import restore_training

    restore_training(model)
