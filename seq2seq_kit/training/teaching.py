"""What changes from epoch to epoch of a training: a decoder reads more of its own outputs, a latent vector's penalty rises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Course:
    """What a fit does at its epochs beside training.

    Attributes:
        metrics: Watched beside the loss.
        begin_epoch: Told the number of each epoch, from 1, before it begins.
        show: Puts more figures into an epoch's logs.
        first_kept: The first epoch whose weights may be the best.
    """

    metrics: Sequence[keras.Metric] = ()
    begin_epoch: Callable[[int], None] | None = None
    show: Callable[[dict[str, float]], None] | None = None
    first_kept: int = 1


def course_of(model: keras.Model) -> Course:
    """The course of a model whose latent vector is variational; an empty one of any other.

    The penalty rises over the first epochs, of which none is kept: validation knows no penalty, so it would choose one of those.
    The divergence and the loss without it are figures of each epoch.
    """
    from seq2seq_kit.models.drawing import divergence_of, drawn_latent, reconstruction_of

    layer = drawn_latent(model)
    if layer is None:
        return Course()
    return Course([divergence_of(layer)], layer.begin_epoch, reconstruction_of(layer), layer.kl_warmup + 1)
