"""One answer for a sequence, a label or a number: the encoder's last output and a `Dense` head."""

from collections.abc import Callable, Sequence
from typing import Literal

import keras
import numpy as np
from keras import ops

from seq2seq_kit.models.acceleration import accelerate
from seq2seq_kit.models.arguments import boolean, fraction, positive_int, units_list
from seq2seq_kit.models.blocks import Recurrent, encode, padded_values
from seq2seq_kit.models.masks import WithMask


def build_classifier(
    *,
    outputs: int,
    input_features: int | None = None,
    tokens: int | None = None,
    embedding_dim: int = 64,
    encoder_units: Sequence[int] = (64,),
    bidirectional: bool = False,
    output_dropout: float = 0.0,
    cell: Literal["lstm", "gru"] = "lstm",
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    kernel_l2: float = 0.0,
    forget_bias: str = "ones",
    memory_steps: int | None = None,
) -> keras.Model:
    """A sequence of tokens or of values to one vector: logits of labels, or numbers.

    Args:
        outputs: Labels to tell apart, or numbers to predict.
        input_features: Columns of the values; None where the model reads tokens.
        tokens: Numbers of tokens in use, padding included; None where the model reads values.
        embedding_dim: Width of a token's learned vector.
        encoder_units: Units of each recurrent layer, first to last.
        bidirectional: Layers read the sequence in both directions.
        output_dropout: Share of the encoder's output dropped in training, in [0, 1).
        cell: `lstm` or `gru`.
        dropout: Share of each recurrent layer's inputs dropped in training, in [0, 1).
        recurrent_dropout: Share of the recurrent state dropped in training, in [0, 1).
        kernel_l2: L2 penalty on the input kernels of the recurrent layers, at least 0.
        forget_bias: How the gates of the encoder's LSTMs begin: `ones`, or `chrono` for long memory (`Chrono`).
        memory_steps: Longest memory of `chrono`, at least 3; None: the steps that a layer runs over.

    Returns:
        An uncompiled model without an activation at its end. Layers `encoder_0..n` and `output`.

    Input shape:
        `tokens`: `(batch, any)`, whole numbers, padded with 0 on the right; or `values`: `(batch, any, input_features)` and
        `valid`: `(batch, any)`, 1 or 0.

    Output shape:
        `(batch, outputs)`.

    Raises:
        ArgumentError: An argument lies outside its range; the message names it.

    Example:
        >>> build_classifier(outputs=3, tokens=1000, encoder_units=[32], bidirectional=True).output_shape
        (None, 3)
    """
    positive_int("outputs", outputs)
    positive_int("embedding_dim", embedding_dim)
    boolean("bidirectional", bidirectional)
    fraction("output_dropout", output_dropout)
    if tokens is None:
        inputs, read = padded_values(input_features, mask="masked")
    else:
        numbers = keras.Input((None,), dtype="int32", name="tokens")
        embedding = keras.layers.Embedding(positive_int("tokens", tokens), embedding_dim, name="token_embedding")
        inputs, read = [numbers], WithMask(name="masked")([embedding(numbers), numbers])
    recurrent = Recurrent(cell, dropout, recurrent_dropout, kernel_l2, forget_bias, memory_steps)
    latent, _ = encode(read, units_list("encoder_units", encoder_units), recurrent, bidirectional=bidirectional)
    if output_dropout:
        latent = keras.layers.Dropout(output_dropout, name="output_dropout")(latent)
    answer = keras.layers.Dense(outputs, name="output")(latent)
    return accelerate(keras.Model(inputs if len(inputs) > 1 else inputs[0], answer, name="classifier"))


def class_loss(
    weights: Sequence[float] | np.ndarray,
) -> Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]:
    """Mean cross-entropy of one label for each sequence, in nats, each weighted by its true label's weight.

    Args:
        weights: `(labels,)`.

    Returns:
        A loss of true labels, `(batch, 1)`, and logits, `(batch, labels)`.
    """
    of_label = np.asarray(weights, dtype=np.float32)

    def loss(truth: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        labels = ops.cast(ops.reshape(truth, (-1,)), "int32")
        each = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        return ops.mean(each * ops.cast(ops.take(ops.convert_to_tensor(of_label), labels), each.dtype))

    return loss
