"""The kit as a recipe runs it: its builders, its batches, its `fit`, its compiled forward pass; no MLflow."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from peers.shapes import LEARNING_RATE, Shape

from seq2seq_kit.data.windows.batches import Layout, as_tensor, make_batches
from seq2seq_kit.data.windows.ranges import WindowShape, make_windows
from seq2seq_kit.models import build_autoencoder, build_encoder_decoder
from seq2seq_kit.models.inference import compile_forward
from seq2seq_kit.recipe.fields import Training
from seq2seq_kit.training.fit import Fit, fit

_MANY = 1_000_000  # epochs; whoever is told of their beginning ends the fit


def build(shape: Shape) -> keras.Model:
    """The builder's model, not compiled; an addition's gives logits, as the kit's translators do."""
    layers: dict[str, Any] = {"encoder_units": shape.units, "decoder_units": shape.units, "cell": shape.cell}
    if shape.kind == "autoencode":
        return build_autoencoder(input_steps=shape.input_steps, input_features=shape.features, **layers)
    return build_encoder_decoder(
        input_steps=shape.input_steps,
        output_steps=shape.output_steps,
        input_features=shape.features,
        output_features=shape.output_features,
        **layers,
    )


class Sequences:
    """Sequences as windows of a series, side by side; what `fit` wants to know of its examples."""

    def __init__(self, shape: Shape, rows: np.ndarray, *, shuffled: bool = True) -> None:
        forecast = WindowShape.forecast(input_steps=shape.input_steps, output_steps=shape.output_steps)
        autoencode = WindowShape.autoencode(input_steps=shape.input_steps)
        kind = autoencode if shape.kind == "autoencode" else forecast
        whole = np.array([[0, len(rows), 0]])
        self.windows = make_windows(whole, whole[:, :2], kind, stride=shape.rows)
        names = [f"c{position}" for position in range(shape.features)]
        self.layout = Layout(names, shape.features, [], list(range(shape.output_features)))
        self.series, self.shuffled = as_tensor(rows), shuffled

    def count(self, part: str) -> int:
        """Sequences."""
        return self.windows.count

    def batches(
        self, part: str, batch_size: int, *, shuffle_seed: int | None = None, first_epoch: int = 0
    ) -> tf.data.Dataset:
        """Batches as a recipe's windows come."""
        seed = shuffle_seed if self.shuffled else None
        batches = make_batches(self.series, self.windows, self.layout, batch_size=batch_size, shuffle_seed=seed)
        return batches if self.shuffled else batches.repeat()

    def arrays(self, part: str, numbers: np.ndarray) -> list[np.ndarray]:
        """Nobody asks for them here."""
        raise NotImplementedError


def run_fit(
    model: keras.Model, shape: Shape, sequences: Sequences, *, epochs: int, begin: Callable[[], None] = lambda: None
) -> Fit:
    """The kit's `fit` with nothing to validate on, as the other peers have nothing."""
    training = Training(learning_rate=LEARNING_RATE, batch_size=shape.batch, epochs=epochs, patience=None)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True) if shape.kind == "addition" else None
    return fit(
        model,
        sequences,
        training,
        seed=0,
        loss=loss,
        begin_epoch=lambda epoch: begin(),
        validate=lambda: 0.0,
    )


class Peer:
    """One model."""

    batches = (0,)  # a bundle chooses by itself

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        keras.utils.set_random_seed(0)
        self.model = build(shape)
        self.forward: Any = None

    def fit(self, rows: np.ndarray, begin: Callable[[], None]) -> None:
        """Trains epoch after epoch until `begin`, called at the beginning of each, raises."""
        run_fit(self.model, self.shape, Sequences(self.shape, rows), epochs=_MANY, begin=begin)

    def infer(self, x: np.ndarray, batch: int) -> np.ndarray:
        """Outputs of all sequences, as a bundle computes them."""
        self.forward = self.forward or compile_forward(self.model)
        outputs: np.ndarray = self.forward([x])
        return outputs

    def versions(self) -> dict[str, str]:
        """Packages that the figures depend on."""
        return {"TensorFlow": tf.__version__, "Keras": keras.version()}
