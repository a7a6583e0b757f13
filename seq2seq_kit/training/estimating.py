"""How long a fit will take, from a few steps."""

from __future__ import annotations

import time
from itertools import repeat
from typing import TYPE_CHECKING

from seq2seq_kit.recipe.fields import FitSettings
from seq2seq_kit.training.fit import Examples

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

_MOST_TIMED, _SECONDS_TIMED = 12, 0.5  # steps of an estimate, and when to stop taking more of them


def estimate_seconds(model: keras.Model, examples: Examples, training: FitSettings) -> float:
    """Estimate of a fit of all epochs, from a few training steps: measured on this machine as busy as it is now.

    The steps compute gradients and apply none, and what they change beside the weights (dropout's seeds) is put back. A step of
    validation is taken for a third of one of training: the backward pass does about twice the forward pass's work.
    """
    import numpy as np
    import tensorflow as tf

    from seq2seq_kit.models.precision import computing_in

    count = examples.count("train")
    size = min(training.batch_size, count)
    # Sequences of any length are sorted by it, the shortest first; windows are read as they lie, which is less from a disk.
    seed = 0 if any(None in tensor.shape[1:] for tensor in model.inputs) else None
    batches = (batch for _ in repeat(None) for batch in examples.batches("train", size, shuffle_seed=seed))
    before = [variable.numpy() for variable in model.variables]

    # Traced once for sequences of any length; a batch of another length would be traced while the clock runs.
    @tf.function(input_signature=[tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs])
    def step(*inputs: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            outputs = model(list(inputs) if len(inputs) > 1 else inputs[0], training=True)
            loss = tf.reduce_mean(tf.square(tf.cast(outputs, tf.float32)))
        # Reduced, so that the graph drops none of them.
        found = [each for each in tape.gradient(loss, model.trainable_variables) if each is not None]
        return tf.add_n([tf.reduce_sum(tf.abs(tf.convert_to_tensor(each))) for each in found])

    def timed() -> float:
        began = time.perf_counter()
        step(*tf.nest.flatten(next(batches)[0])).numpy()
        return time.perf_counter() - began

    with computing_in(model, training.precision):
        timed()  # traces the graph
    timed()  # and begins it
    taken: list[float] = []
    while len(taken) < _MOST_TIMED and sum(taken) < _SECONDS_TIMED:
        taken.append(timed())
    for variable, value in zip(model.variables, before, strict=True):
        variable.assign(value)
    return training.epochs * float(np.mean(taken)) / size * (count + examples.count("val") / 3)
