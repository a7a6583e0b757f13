"""What a fit takes, told before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2seq_kit.findings import Finding
from seq2seq_kit.reports.notes import count_of
from seq2seq_kit.tasks.fitting import share_left_out
from seq2seq_kit.training.estimating import estimate_seconds

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.tasks.job import Job

_LONG_SECONDS = 1800


def seconds_of(job: Job, model: keras.Model) -> float:
    """Seconds of one fit of every member, from a few training steps of one of each length that they read.

    Args:
        job: The recipe with its data.
        model: Of `Job.make`.
    """
    from seq2seq_kit.models.ensemble import members_of

    total, known = 0.0, dict[int | None, float]()
    for place, member in enumerate(members_of(model)):
        steps = member.inputs[0].shape[1]
        if steps not in known:
            known[steps] = estimate_seconds(member, job.of_member(place).examples, job.recipe.training)
        total += known[steps]
    return total


def estimated_time(job: Job, model: keras.Model) -> Finding:
    """The finding on it; arguments as of `seconds_of`."""
    from seq2seq_kit.models.ensemble import members_of

    training, members = job.recipe.training, len(members_of(model))
    counts = ", ".join(f"{job.examples.count(part):,} {part}" for part in ("train", "val", "test"))
    seconds, epochs = seconds_of(job, model), count_of(training.epochs, "epoch")
    if share_left_out(job):
        seconds, epochs = 2 * seconds, f"two fits of {epochs}"
    if members > 1:
        epochs = f"{members} members, each {epochs}"
    if training.final:
        seconds, epochs = 2 * seconds, f"{epochs}, and at most as many on all rows"
    if training.workers > 1:
        epochs += f" of one process, whose steps {training.workers} workers share"
    duration = f"{seconds / 60:.1f} minutes" if seconds >= 90 else count_of(max(round(seconds), 1), "second")
    text = f"{model.count_params():,} parameters; {job.unit}: {counts}; about {duration} for {epochs}"
    shorter = (
        f"If that is too long: a larger {'train_stride or ' if job.unit == 'windows' else ''}batch_size, fewer epochs"
    )
    return Finding("estimated_time", "note", text, shorter if seconds > _LONG_SECONDS else "")
