"""A head that writes several quantiles of each step and target, which cannot cross."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seq2seq_kit.models.arguments import positions, positive_int, refuse, refuse_shape
from seq2seq_kit.models.keras_compat import Tensor
from seq2seq_kit.models.layers import PACKAGE, Shape, SplitSteps

_FIRST = -2.0  # softplus of it, 0.13, is what a new model puts between two quantiles, in scaled units


def odd_count(name: str, count: int) -> int:
    """A number of quantiles, 0 for none; it must be odd, so that the median is among them."""
    if positive_int(name, count, least=0) and (count < 3 or count % 2 == 0):
        refuse(name, count, "be 0, or an odd number of at least 3 with the median in the middle")
    return count


def spread_head(inputs: Tensor, width: int, *, segment_steps: int = 1) -> Tensor:
    """What lies between neighbouring quantiles at every step, before `Quantiles`: as `blocks.head`, layers `spread...`.

    It begins at zero, so that a new model's quantiles lie equally far apart.
    """
    dense = keras.layers.Dense(width * segment_steps, kernel_initializer="zeros", name="spread_dense")
    outputs = keras.layers.TimeDistributed(dense, name="spread")(inputs)
    return SplitSteps(segment_steps, name="spread_split")(outputs) if segment_steps > 1 else outputs


@keras.saving.register_keras_serializable(package=PACKAGE)
class Quantiles(keras.layers.Layer):
    """Quantiles around a median: each lies beyond the one nearer to the median, by a distance that is never negative.

    Args:
        quantiles: How many, an odd number; the one in the middle is the median.
        columns: For each target, its position among the columns that `Normalise` saw.
        independent: Whether the spread is that of channels one after the other, as `SplitChannels` makes them.

    Input shape:
        A list: the medians, `(batch, time, targets)`; the spread, `(batch, time, targets * (quantiles - 1))`, or of independent
        channels `(batch * targets, time, quantiles - 1)`; and the statistics of `Normalise`, where there are any.

    Output shape:
        `(batch, time, targets, quantiles)`.
    """

    def __init__(self, quantiles: int, columns: Sequence[int], *, independent: bool = False, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.quantiles = odd_count("quantiles", quantiles)
        self.columns = positions("columns", columns)
        self.independent = independent

    def build(self, input_shape: Any) -> None:
        medians, spread = input_shape[:2]
        wide = (self.quantiles - 1) * (1 if self.independent else len(self.columns))
        if medians[-1] != len(self.columns) or spread[-1] != wide:
            refuse_shape(f"Quantiles takes {len(self.columns)} medians and {wide} columns of spread", input_shape)

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        medians, spread = inputs[:2]
        steps, targets, half = ops.shape(medians)[1], len(self.columns), self.quantiles // 2
        if self.independent:
            apart = ops.reshape(spread, (-1, targets, steps, self.quantiles - 1))
            apart = ops.transpose(apart, (0, 2, 1, 3))
        else:
            apart = ops.reshape(spread, (-1, steps, targets, self.quantiles - 1))
        apart = ops.softplus(apart + _FIRST)
        if len(inputs) > 2:
            scale = ops.take(inputs[2][:, 1], ops.array(self.columns, dtype="int32"), axis=-1)
            apart = apart * scale[:, None, :, None]
        middle = medians[..., None]
        below = middle - ops.flip(ops.cumsum(apart[..., :half], axis=-1), axis=-1)
        above = middle + ops.cumsum(apart[..., half:], axis=-1)
        return ops.concatenate([below, middle, above], axis=-1)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return (*input_shape[0], self.quantiles)

    def get_config(self) -> dict[str, object]:
        own = {"quantiles": self.quantiles, "columns": self.columns, "independent": self.independent}
        return super().get_config() | own
