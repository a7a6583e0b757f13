"""The last fit (`training.final: all`): when a run has been judged, the same recipe is fitted on the rows of all its parts.

As many epochs as the judged fit chose, from the same start, at the learning rates that it had in them. What was fitted on the
training rows (scalers, vocabularies, baselines) is kept: margins of intervals, thresholds and baselines are those that were
judged, and are in the units of that scaler. Only the weights are new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.bundles.files import LAST_FIT
from seq2seq_kit.bundles.intervals import LEARNED_UNTIL
from seq2seq_kit.errors import ArgumentError, TrainingError
from seq2seq_kit.findings import Finding
from seq2seq_kit.tasks.ensembles import fit_members
from seq2seq_kit.tasks.leaving_out import Alive
from seq2seq_kit.training.callbacks import Observer, replay_rates
from seq2seq_kit.training.checkpoint import Checkpoint
from seq2seq_kit.training.fit import Fit, seed_everything
from seq2seq_kit.training.own import Own

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.tasks.job import Job


@dataclass(frozen=True)
class LastFit:
    """What a last fit gives.

    Attributes:
        bundle: With the new weights; the judged one where the fit was interrupted, or none was asked for.
        fit: How it went; None where none was asked for.
        failed: Why it ended without a model; the bundle is the judged one then.
    """

    bundle: Bundle
    fit: Fit | None = None
    failed: str = ""

    @property
    def findings(self) -> list[Finding]:
        """What is said of it."""
        return last_fit_findings(self.fit, self.failed)


def fit_last(
    job: Job,
    judged: Bundle,
    fitted: Fit,
    observers: Sequence[Observer],
    checkpoint: Checkpoint | None,
    *,
    say: Callable[[str], None],
) -> LastFit:
    """Fits a job once more on all its rows, where its recipe asks for that and the judged fit was not cut short.

    Args:
        job: The recipe with its data.
        judged: Of the fit that was judged, as it would be stored.
        fitted: How that fit went.
        observers: Told that it goes on; its epochs are no part of the run's curves, because their validation rows are trained on.
        checkpoint: Of the whole run; a fit that was cut short is resumed.
        say: Told that the fit begins.
    """
    if job.recipe.training.final != "all" or fitted.ended == "interrupted" or not fitted.best_epoch:
        return LastFit(judged)
    say(f"fitting once more on the rows of all parts, {fitted.best_epoch} of {job.recipe.training.epochs} epochs")
    whole = job.on_all_rows()
    seed_everything(job.recipe.seed, deterministic=job.recipe.training.deterministic)
    model = whole.make()
    state = checkpoint.after() if checkpoint else None
    try:
        found = fit_again(whole, model, fitted, [Alive(observer) for observer in observers], state)
    except TrainingError as error:  # its loss was not finite; the judged model is as good as before
        return LastFit(judged, failed=str(error))
    if found.ended == "interrupted":
        return LastFit(judged, found)
    known = getattr(whole, "learned", {}) if LEARNED_UNTIL in judged.info else {}
    epochs = {"best_epochs": [each.best_epoch for each in found.members]} if found.members else {}
    info = judged.info | known | {LAST_FIT: {"rows": "all", "epochs": found.best_epoch} | epochs}
    return LastFit(replace(judged, model=model, info=info), found)  # type: ignore[type-var]  # every bundle is a dataclass


def fit_again(
    whole: Job, model: keras.Model, fitted: Fit, observers: Sequence[Observer], checkpoint: Checkpoint | None
) -> Fit:
    """Fits a model, of an ensemble each member, as another one was fitted: as many epochs as were kept, at their rates.

    Args:
        whole: The job on all rows.
        model: New.
        fitted: How the other one was fitted.
        observers: As of `Job.fit`.
        checkpoint: Likewise.
    """
    members = fitted.members or [fitted]

    def again(
        mine: Job, place: int, model: keras.Model, own: Sequence[Observer], seed: int, state: Checkpoint | None
    ) -> Fit:
        judged, callbacks = members[place], []
        if whole.recipe.training.schedule == "plateau":  # its rates came of validation, which is trained on now
            callbacks.append(replay_rates([epoch.learning_rate for epoch in judged.history]))
        used = whole.own or Own()
        job = replace(mine, own=replace(used, callbacks=callbacks)) if callbacks or used.callbacks else mine
        found = job.fit_one(model, own, seed=seed, stop_after=judged.best_epoch, checkpoint=state)
        job.settle(model, judged)
        return found

    return fit_members(whole, model, observers, stop_after=None, checkpoint=checkpoint, fit=again)


def last_fit_findings(fit: Fit | None, failed: str = "") -> list[Finding]:
    """The finding on a last fit, or on one that was interrupted or failed."""
    if failed:
        said = f"the last fit on all rows failed, so the model is the one that was judged, fitted on the training rows: {failed}"
        return [Finding("last_fit_failed", "warning", said, "Lower training.learning_rate, or leave `final` out")]
    if fit is None:
        return []
    if fit.ended == "interrupted":
        said = "the last fit on all rows was interrupted: the model is the one that was judged, fitted on the training rows"
        return [Finding("last_fit_interrupted", "warning", said, "`train --resume` goes on with it")]
    epochs = (
        f"{fit.best_epoch} epoch{'' if fit.best_epoch == 1 else 's'}{' (mean of the members)' if fit.members else ''}"
    )
    said = (
        f"the model was fitted once more on the rows of all parts, for {epochs}; all figures, margins of intervals and "
        "thresholds are those of the model that was judged before"
    )
    return [Finding("last_fit", "note", said, "Judge this one on rows after those of the run: evaluate --data FILE")]


def refuse_seen_start(start: Bundle | None, digest: str) -> None:
    """Raises `ArgumentError` for a training that starts from a model whose last fit has seen all of these rows.

    Args:
        start: The model of `training.start_from`, if any.
        digest: Of the rows.
    """
    if start is not None and start.info.get(LAST_FIT) and start.info.get("data_sha256") == digest:
        raise ArgumentError(
            "training.start_from: that model was fitted once more on the rows of all parts (training.final), and these are its "
            "rows, so validation and test would be of rows that it has seen. Start from a run without `final: all`",
            code="trained_rows",
        )


def refuse_seen_rows(bundle: Bundle) -> None:
    """Raises `ArgumentError` for a model whose last fit has seen every row of its recipe's source."""
    if bundle.info.get(LAST_FIT):
        raise ArgumentError(
            "the model was fitted once more on the rows of all parts (training.final), so it has seen the test rows, too. The "
            "figures of the one that was judged are in its run. Give rows after those: --data FILE, or `data`",
            code="trained_rows",
        )
