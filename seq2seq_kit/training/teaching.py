"""Training a decoder on some of its own outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def teach(
    model: keras.Model, teacher_forcing: Sequence[float], *, epochs: int, seed: int
) -> tuple[keras.Model, Callable[[int], None] | None]:
    """An autoregressive model made ready for training on a mix of true and own outputs.

    Args:
        model: Of a builder whose decoder is autoregressive.
        teacher_forcing: Share of true outputs in the first and in the last epoch.
        epochs: Of the whole training.
        seed: Of the mix.

    Returns:
        The model to fit, on the same weights, and what has to be told before each epoch: the share of true outputs goes from the
        first to the last epoch's in equal steps.
    """
    from seq2seq_kit.models.feedback import with_own_outputs

    first, last = teacher_forcing
    if min(first, last) == 1:
        return model, None
    trained, mix = with_own_outputs(model, seed=seed)

    def begin_epoch(epoch: int) -> None:
        mix.ratio.assign(first + (last - first) * (epoch - 1) / max(epochs - 1, 1))

    return trained, begin_epoch
