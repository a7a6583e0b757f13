"""The fits of an ensemble's members, one after the other, as one fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seq2seq_kit.training.callbacks import Epoch, Observer
from seq2seq_kit.training.fit import Fit


class OfMember:
    """An observer of one member's fit, which is told whose epochs they are."""

    def __init__(self, observer: Observer, number: int) -> None:
        self.observer, self.number, self.on_batch = observer, number, observer.on_batch

    def on_epoch(self, epoch: Epoch) -> None:
        """An epoch of the member."""
        self.observer.on_epoch(replace(epoch, member=self.number))


def join_fits(fits: Sequence[Fit], *, interrupted: bool = False) -> Fit:
    """How the fits of the members went together; of one that was interrupted only what is kept of it.

    Args:
        fits: In the order of the members; only the last one may have been interrupted. Where others have finished it is left
            out: a member that was not trained to its end is no member.
        interrupted: That of others was interrupted.
    """
    ended = fits[-1].ended
    kept = list(fits[:-1] if ended == "interrupted" and len(fits) > 1 else fits)
    if interrupted:
        ended = "interrupted"
    if ended != "interrupted":
        ended = "epochs" if all(each.ended == "epochs" for each in kept) else "early"
    history = [replace(epoch, member=number) for number, each in enumerate(kept, start=1) for epoch in each.history]
    corrections = [each.correction for each in kept if each.correction is not None]
    # Each member leaves out its own examples, the worst first.
    ranks = max(len(each.left_out) for each in kept)
    left_out = [each.left_out[rank] for rank in range(ranks) for each in kept if rank < len(each.left_out)]
    return Fit(
        history=history,
        best_epoch=round(sum(each.best_epoch for each in kept) / len(kept)),
        ended=ended,
        seconds=sum(each.seconds for each in fits),
        left_out=list(dict.fromkeys(left_out)),
        correction=sum(corrections) / len(corrections) if corrections else None,
        members=kept,
    )


def val_losses(fit: Fit) -> list[float]:
    """The validation loss by epoch; of an ensemble the mean over its members, as far as all of them were trained."""
    curves = [[epoch.val_loss for epoch in each.history] for each in fit.members or [fit]]
    return [sum(losses) / len(losses) for losses in zip(*curves, strict=False)]
