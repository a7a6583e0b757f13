"""Plain Keras as its users write it: `fit` and `predict` on arrays. On JAX with `KERAS_BACKEND=jax`, the same code."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from peers.shapes import INFERENCE_BATCHES, LEARNING_RATE, Shape, cut

_MANY = 1_000_000  # epochs; whoever is told of their beginning ends the fit


def build(shape: Shape) -> keras.Model:
    """LSTM or GRU layers, RepeatVector, as many again, Dense at each step; compiled."""
    layer = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[shape.cell]
    inputs = keras.Input((shape.input_steps, shape.features))
    outputs = inputs
    for position, units in enumerate(shape.units):
        outputs = layer(units, return_sequences=position < len(shape.units) - 1)(outputs)
    outputs = keras.layers.RepeatVector(shape.output_steps)(outputs)
    for units in shape.units:
        outputs = layer(units, return_sequences=True)(outputs)
    activation = "softmax" if shape.kind == "addition" else None
    outputs = keras.layers.TimeDistributed(keras.layers.Dense(shape.output_features, activation=activation))(outputs)
    model = keras.Model(inputs, outputs)
    loss = "categorical_crossentropy" if shape.kind == "addition" else "mse"
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss=loss)
    return model


class Peer:
    """One model."""

    batches = INFERENCE_BATCHES

    def __init__(self, shape: Shape, *, dataset: bool = False) -> None:
        """`dataset`: from a `tf.data` pipeline without autotuning, as the few write it who know of its cost."""
        self.shape, self.dataset = shape, dataset
        keras.utils.set_random_seed(0)
        self.model = build(shape)

    def fit(self, rows: np.ndarray, begin: Callable[[], None]) -> None:
        """Trains epoch after epoch until `begin`, called at the beginning of each, raises."""
        x, y = cut(self.shape, rows)
        called = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begin())
        given: dict[str, Any] = {"x": x, "y": y, "batch_size": self.shape.batch}
        if self.dataset:
            given = {"x": _without_autotuning(x, y, self.shape.batch)}
        self.model.fit(**given, epochs=_MANY, callbacks=[called], verbose=0)

    def infer(self, x: np.ndarray, batch: int) -> np.ndarray:
        """Outputs of all sequences."""
        outputs: np.ndarray = self.model.predict(x, batch_size=batch, verbose=0)
        return outputs

    def versions(self) -> dict[str, str]:
        """Packages that the figures depend on."""
        found = {"Keras": keras.version()}
        if keras.backend.backend() == "jax":
            import jax

            return found | {"JAX": jax.__version__}
        import tensorflow as tf

        return found | {"TensorFlow": tf.__version__}


def _without_autotuning(x: np.ndarray, y: np.ndarray, batch: int) -> Any:
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x)).batch(batch).prefetch(2)
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
