"""Bridges: how one latent vector becomes an input for each step that the decoder writes, all steps at once.

A new one is a function here with a line in `BRIDGES`, its name in the schema (`ForecastModel.bridge`), and a test. Bridges to
autoregressive decoders (`state`, `attention`) are models of another shape and stand in `feedback.py` and `decoding.py`.
"""

from collections.abc import Callable

import keras
import tensorflow as tf


def repeat(latent: tf.Tensor, steps: int) -> tf.Tensor:
    """`(batch, width)` -> `(batch, steps, width)`: the same vector at every step."""
    return keras.layers.RepeatVector(steps, name="bridge")(latent)


# From the value of the argument `bridge` to a function of latent vector and number of steps.
BRIDGES: dict[str, Callable[[tf.Tensor, int], tf.Tensor]] = {"repeat": repeat}
