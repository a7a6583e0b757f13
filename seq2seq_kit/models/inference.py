"""Running a model forward over arrays, batch by batch, with flat memory.

`model.predict` sets up a data pipeline for each call and grows memory in a loop; one compiled function does neither.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

Forward = Callable[[Sequence[np.ndarray]], np.ndarray]


def compile_forward(model: keras.Model, *, batch_size: int = 1024) -> Forward:
    """A function from input arrays to the output array.

    Args:
        model: Any functional model with one output.
        batch_size: Sequences that run at once; the result does not depend on it beyond float rounding.

    Returns:
        A function that takes one float32 array for each model input, `(sequences, ...)`, and returns `(sequences, ...)`.
    """
    signature = [tf.TensorSpec(tensor.shape, tf.float32) for tensor in model.inputs]

    @tf.function(input_signature=signature)
    def step(*inputs: tf.Tensor) -> tf.Tensor:
        return model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)

    # One graph for every batch size; calling the concrete function keeps TensorFlow from counting traces of other models.
    run = step.get_concrete_function()

    def forward(arrays: Sequence[np.ndarray]) -> np.ndarray:
        count = len(arrays[0])
        outputs = np.empty((count, *model.output_shape[1:]), dtype=np.float32)
        for first in range(0, count, batch_size):
            pieces = [np.asarray(array[first : first + batch_size], dtype=np.float32) for array in arrays]
            outputs[first : first + batch_size] = run(*map(tf.constant, pieces)).numpy()
        return outputs

    return forward
