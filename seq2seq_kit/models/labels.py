"""Loss and accuracy of predicted labels, over the steps that have one; -1 marks those that have none."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

from seq2seq_kit.models.keras_compat import Tensor

_NONE = -1


def label_loss(truth: Tensor, logits: Tensor) -> Tensor:
    """Mean cross-entropy over the labelled steps, in nats.

    Args:
        truth: `(batch, steps)`, -1 where there is no label.
        logits: `(batch, steps, labels)`.
    """
    valid, labels = _known(truth)
    each = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    return ops.sum(ops.where(valid, each, 0.0)) / ops.maximum(ops.sum(ops.cast(valid, each.dtype)), 1.0)


def weighted_label_loss(weights: Sequence[float] | np.ndarray) -> Callable[[Tensor, Tensor], Tensor]:
    """`label_loss` with each step weighted by its true label's weight, over the sum of these weights.

    Args:
        weights: `(labels,)`.
    """
    of_label = np.asarray(weights, dtype=np.float32)

    def loss(truth: Tensor, logits: Tensor) -> Tensor:
        valid, labels = _known(truth)
        each = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        weight = ops.cast(ops.take(ops.convert_to_tensor(of_label), labels), each.dtype)
        weight = ops.where(valid, weight, 0.0)
        return ops.sum(each * weight) / ops.maximum(ops.sum(weight), 1e-6)

    return loss


class LabelAccuracy(keras.metrics.Metric):
    """Share of the labelled steps whose most probable label is the true one, over all batches together."""

    def __init__(self, name: str = "accuracy", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)
        self.right = self.add_variable((), "zeros", name="right")
        self.all = self.add_variable((), "zeros", name="all")

    def update_state(self, truth: Tensor, logits: Tensor, sample_weight: object = None) -> None:
        """Adds a batch; shapes as in `label_loss`."""
        valid, labels = _known(truth)
        hit = ops.logical_and(valid, ops.equal(ops.cast(ops.argmax(logits, axis=-1), labels.dtype), labels))
        self.right.assign_add(ops.sum(ops.cast(hit, self.dtype)))
        self.all.assign_add(ops.sum(ops.cast(valid, self.dtype)))

    def result(self) -> Tensor:
        """The share; 0 before the first step."""
        return ops.divide_no_nan(self.right, self.all)


def _known(truth: Tensor) -> tuple[Tensor, Tensor]:
    # Keras hands targets over as floats.
    labels = ops.cast(truth, "int32")
    valid = ops.not_equal(labels, _NONE)
    return valid, ops.where(valid, labels, 0)
