"""The fit of a job: once, or twice where the worst training examples are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seq2seq_kit.tasks.beginning import require_brought
from seq2seq_kit.tasks.leaving_out import fit_without_the_worst
from seq2seq_kit.training.checkpoint import Checkpoint
from seq2seq_kit.training.fit import Examples, Fit, Observer, fit
from seq2seq_kit.training.teaching import teach

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.tasks.job import Job


def fit_job(
    job: Job,
    model: keras.Model,
    observers: Sequence[Observer],
    *,
    seed: int,
    stop_after: int | None,
    checkpoint: Checkpoint | None,
) -> Fit:
    """See `Job.fit_one`."""
    require_brought(job)
    training = job.recipe.training
    share = share_left_out(job)
    own = job.own.callbacks if job.own else ()

    def once(examples: Examples, observers: Sequence[Observer], checkpoint: Checkpoint | None) -> Fit:
        taught, begin_epoch = teach(model, job.teacher_forcing, epochs=training.epochs, seed=seed)
        loss, metrics = job.objective()
        return fit(
            taught,
            examples,
            training,
            seed=seed,
            loss=loss,
            metrics=metrics,
            begin_epoch=begin_epoch,
            validate=job.validation(model),
            figures=job.figures(model),
            stop_after=stop_after,
            observers=observers,
            checkpoint=checkpoint,
            callbacks=() if share and examples is job.examples else own,  # a program's own see one fit
        )

    if not share:
        return once(job.examples, observers, checkpoint)
    return fit_without_the_worst(
        model,
        share,
        once,
        observers,
        checkpoint,
        examples=job.examples,
        leavable=job.leavable,
    )


def share_left_out(job: Job) -> float:
    """The share of the training examples that the recipe leaves out; 0 of a task that leaves none out."""
    return float(getattr(job.recipe.training, "leave_out", 0.0))
