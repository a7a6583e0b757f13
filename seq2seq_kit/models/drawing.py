"""Layers that draw in training and give the same answer every time in use: noise on what is read, a latent vector that is drawn.

Registered with Keras like those in layers.py. What is drawn follows the seed, and the state of their generators is part of a
checkpoint.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from seq2seq_kit.models.arguments import non_negative, positive_int, refuse_shape
from seq2seq_kit.models.keras_compat import Tensor
from seq2seq_kit.models.layers import PACKAGE, Shape, width_of

LATENTS = ("plain", "variational")
KL_WEIGHT = 0.001


@keras.saving.register_keras_serializable(package=PACKAGE)
class AddNoise(keras.layers.Layer):
    """Adds normal noise to the first columns of a sequence, in training only.

    What is to be rebuilt stays clean, so the model learns to take the noise away (Vincent et al. 2008, "Extracting and composing
    robust features with denoising autoencoders").

    Args:
        deviation: Standard deviation of the noise, at least 0.
        columns: Columns that get it; the others, such as flags of missing cells, are left as they are.
        seed: Of the noise.

    Input shape:
        `(batch, time, features)`.

    Output shape:
        The same, with its mask.
    """

    def __init__(self, deviation: float, columns: int, seed: int | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.deviation = non_negative("deviation", deviation)
        self.columns = positive_int("columns", columns)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        if width_of(input_shape[-1]) < self.columns:
            refuse_shape(f"AddNoise needs at least {self.columns} columns", input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        if not training or not self.deviation:
            return inputs
        shape = (ops.shape(inputs)[0], ops.shape(inputs)[1], self.columns)
        noise = keras.random.normal(shape, stddev=self.deviation, dtype=inputs.dtype, seed=self.seed_generator)
        return inputs + ops.pad(noise, [[0, 0], [0, 0], [0, inputs.shape[-1] - self.columns]])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"deviation": self.deviation, "columns": self.columns, "seed": self.seed}


@keras.saving.register_keras_serializable(package=PACKAGE)
class DrawLatent(keras.layers.Layer):
    """A latent vector drawn from a normal distribution in training, and its mean in use (Kingma and Welling 2014).

    In training the Kullback-Leibler divergence of the distribution from a standard normal one, the mean over the batch of
    `sum(mean^2 + variance - log(variance) - 1) / 2` in nats, is added to the loss with a weight. Validation and use know neither
    the draw nor the penalty.

    Args:
        kl_weight: Weight of the divergence beside the loss, at least 0.
        kl_warmup: Epochs over which the weight rises in equal steps (Bowman et al. 2016), for whoever calls `begin_epoch`.
        seed: Of the draws.

    Input shape:
        A list of the means and the logarithms of the variances, `(batch, width)` each.

    Output shape:
        `(batch, width)`.
    """

    def __init__(
        self, kl_weight: float = KL_WEIGHT, kl_warmup: int = 0, seed: int | None = None, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.kl_weight = non_negative("kl_weight", kl_weight)
        self.kl_warmup = positive_int("kl_warmup", kl_warmup, least=0)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        # Read anew by steps that are traced once; TensorFlow's own, because one of Keras would be a parameter of the model.
        self._scale = tf.Variable(self.kl_weight, trainable=False, dtype=tf.float32)
        self.divergence: Any = None

    def build(self, input_shape: Sequence[Shape]) -> None:
        mean, log_variance = input_shape
        if tuple(mean) != tuple(log_variance):
            refuse_shape("DrawLatent needs as many means as variances", mean)

    def call(self, inputs: Sequence[Tensor], training: bool | None = None) -> Tensor:
        mean, log_variance = inputs
        each = ops.square(mean) + ops.exp(log_variance) - log_variance - 1.0
        # Of this very call, for a metric that Keras computes right after it.
        self.divergence = ops.mean(ops.sum(each, axis=-1)) / 2.0
        if not training:
            return mean
        self.add_loss(self._scale * self.divergence)
        drawn = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.seed_generator)
        return mean + ops.exp(log_variance / 2.0) * drawn

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return tuple(input_shape[0])

    def begin_epoch(self, epoch: int) -> None:
        """Sets the weight of an epoch, counted from 1: a share of `kl_weight` up to epoch `kl_warmup`, all of it after that."""
        self._scale.assign(self.kl_weight * min(1.0, epoch / (self.kl_warmup + 1)))

    @property
    def weight(self) -> float:
        """What the divergence is multiplied by now."""
        return float(self._scale.numpy())

    def get_config(self) -> dict[str, object]:
        own = {"kl_weight": self.kl_weight, "kl_warmup": self.kl_warmup, "seed": self.seed}
        return super().get_config() | own


def add_noise(inputs: Tensor, deviation: float, columns: int) -> Tensor:
    """The inputs with a layer `noise` behind them, where there is to be any."""
    return AddNoise(deviation, columns, name="noise")(inputs) if non_negative("noise", deviation) else inputs


def make_latent(
    encoded: Tensor, width: int | None, kind: str = "plain", *, kl_weight: float = KL_WEIGHT, kl_warmup: int = 0
) -> Tensor:
    """What the encoder gives, as a latent vector: layer `latent`, if variational made of `latent_mean` and `latent_log_variance`.

    Args:
        encoded: The encoder's last output, `(batch, units)`.
        width: Of the latent vector; None: the encoder's, without a layer of its own where it is plain.
        kind: One of `LATENTS`.
        kl_weight: See `DrawLatent`; likewise `kl_warmup`.
        kl_warmup: See there.
    """
    if kind == "plain":
        return encoded if width is None else keras.layers.Dense(width, name="latent")(encoded)
    width = width or int(encoded.shape[-1])
    mean = keras.layers.Dense(width, name="latent_mean")(encoded)
    # Variances of 1 at first: the draw is as wide as the distribution that it is drawn towards.
    log_variance = keras.layers.Dense(width, kernel_initializer="zeros", name="latent_log_variance")(encoded)
    return DrawLatent(kl_weight, kl_warmup, name="latent")([mean, log_variance])


def drawn_latent(model: keras.Model) -> DrawLatent | None:
    """The layer of a model whose latent vector is variational; None of any other."""
    return next((layer for layer in model.layers if isinstance(layer, DrawLatent)), None)


def divergence_of(layer: DrawLatent) -> keras.Metric:
    """Keras' metric `kl`: the mean divergence of an epoch's sequences, in nats, without its weight."""

    class Divergence(keras.metrics.Mean):
        def update_state(self, truth: Tensor, prediction: Tensor, sample_weight: object = None) -> None:
            super().update_state(layer.divergence, sample_weight=ops.shape(prediction)[0])

    return Divergence(name="kl")


def reconstruction_of(layer: DrawLatent) -> Callable[[dict[str, float]], None]:
    """Puts what an epoch's training loss is without the divergence beside it, as `reconstruction`."""

    def show(logs: dict[str, float]) -> None:
        logs["reconstruction"] = logs["loss"] - layer.weight * logs["kl"]

    return show
