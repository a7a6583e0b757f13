"""The members of an ensemble in a run: each is trained apart, with a seed of its own, and judged beside their mean or median."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.evaluation import Board
from seq2seq_kit.evaluation.members import Member, Members
from seq2seq_kit.findings import Finding
from seq2seq_kit.recipe.ensemble_fields import seeds_of, steps_of
from seq2seq_kit.training.checkpoint import Checkpoint
from seq2seq_kit.training.fit import Fit, Observer, seed_everything
from seq2seq_kit.training.members import OfMember, join_fits

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.recipe.fields import Recipe
    from seq2seq_kit.tasks.job import Job


OneMember: TypeAlias = "Callable[[Job, int, keras.Model, Sequence[Observer], int, Checkpoint | None], Fit]"


def make_members(recipe: Recipe, make: Callable[[int], keras.Model], *, logits: bool) -> keras.Model:
    """The model of a recipe: an ensemble of new members, each with the weights that a run with its seed begins with, or one.

    Args:
        recipe: Its `ensemble` says how many, and how they are combined.
        make: Makes the member at a place, counted from 0.
        logits: Whether members give logits.

    Raises:
        ArgumentError: Members share weights.
    """
    from seq2seq_kit.models.ensemble import join_members

    if recipe.ensemble is None:
        return make(0)
    members = []
    for place, seed in enumerate(seeds_of(recipe.seed, recipe.ensemble)):
        seed_everything(seed, deterministic=recipe.training.deterministic)
        members.append(make(place))
    weights = [id(weight) for member in members for weight in member.weights]
    if len(set(weights)) < len(weights):
        raise ArgumentError(
            f"ensemble: {len(members)} members would share their weights, because `model` is one model. Expected a function, "
            "which is called for each member and builds a new one. Hand one over, or leave `ensemble` out",
            code="ensemble_of_one_model",
        )
    return join_members(members, recipe.ensemble.combine, logits=logits)


def fit_members(
    job: Job,
    model: keras.Model,
    observers: Sequence[Observer],
    *,
    stop_after: int | None = None,
    checkpoint: Checkpoint | None = None,
    fit: OneMember | None = None,
    only: int | None = None,
) -> Fit:
    """Fits a model, of an ensemble its members one after the other, each as a run with its seed alone would be.

    A member whose fit had ended before, by its checkpoint, is not trained again. Ctrl-C ends the member that is trained and
    leaves the others untrained; `kept` is then the model of those that have finished.

    Args:
        job: Its recipe says the seeds.
        model: Of `Job.make`, or one model by itself.
        observers: Told of every member's epochs.
        stop_after: As of `training.fit`, of each member.
        checkpoint: Of the whole fit.
        fit: Fits a member, or the one model, given its own job and its place, counted from 0; default: `Job.fit_one`.
        only: So many members, because the fit of the others was interrupted; default: all.
    """
    import keras

    from seq2seq_kit.models.ensemble import combining, members_of

    def as_ever(
        mine: Job, _: int, model: keras.Model, own: Sequence[Observer], seed: int, state: Checkpoint | None
    ) -> Fit:
        return mine.fit_one(model, own, seed=seed, stop_after=stop_after, checkpoint=state)

    fit = fit or as_ever
    if combining(model) is None:  # as a trial of a sweep is, whatever its recipe says
        return fit(job, 0, model, observers, job.recipe.seed, checkpoint)
    fits: list[Fit] = []
    seeds = seeds_of(job.recipe.seed, job.recipe.ensemble)
    for number, (member, seed) in enumerate(zip(members_of(model), seeds, strict=True), start=1):
        own = [OfMember(observer, number) for observer in observers]
        state = checkpoint.member(number) if checkpoint else None
        # On the same layers: what is compiled would hold its optimizer, in memory and in the bundle.
        trained = keras.Model(member.input, member.output, name=member.name)
        fits.append(fit(job.of_member(number - 1), number - 1, trained, own, seed, state))
        if fits[-1].ended == "interrupted" or len(fits) == only:
            break
    return join_fits(fits, interrupted=only is not None)


def kept(model: keras.Model, fitted: Fit) -> keras.Model:
    """What a fit leaves of a model: of an ensemble that was interrupted the members that have finished."""
    from seq2seq_kit.models.ensemble import first_members

    return first_members(model, len(fitted.members)) if fitted.members else model


def judge_members(job: Job, bundle: Bundle, fitted: Fit, *boards: Board) -> Members | None:
    """What each member has on validation and test, beside what they have together; None of one model.

    Args:
        job: Its recipe says the seeds.
        bundle: Of the ensemble.
        fitted: How its members were fitted.
        boards: Its own evaluations, last of the part that the run is judged by.
    """
    from seq2seq_kit.models.ensemble import combining, members_of, reading_as

    layer = combining(bundle.model)
    if layer is None:
        return None
    parts = {board.part: board for board in boards}
    found = []
    seeds = seeds_of(job.recipe.seed, job.recipe.ensemble)
    for place, (seed, model, fit) in enumerate(zip(seeds, members_of(bundle.model), fitted.members, strict=False)):
        alone = bundle.alone(reading_as(model, bundle.model))  # on the windows of the whole
        own = {part: job.report(alone, part).metrics() for part in parts}
        steps = steps_of(job.recipe.ensemble, place)
        found.append(Member(seed, len(fit.history), fit.best_epoch, own, steps))
    # Intervals are of the ensemble alone.
    titles = {key: title for key, title in boards[-1].columns.items() if key in found[0].figures[boards[-1].part]}
    whole = {part: {key: board.metrics()[key] for key in titles} for part, board in parts.items()}
    return Members(layer.combine, found, whole, titles, boards[-1].headline)


def incomplete(recipe: Recipe, fitted: Fit) -> list[Finding]:
    """The finding on an ensemble that was interrupted."""
    if recipe.ensemble is None or not fitted.members or fitted.ended != "interrupted":
        return []
    wanted, there = recipe.ensemble.members, len(fitted.members)
    last = fitted.members[-1].ended == "interrupted"
    said = "the first one alone, with its best weights so far" if last else f"{there}, those that had finished"
    text = f"interrupted: of {wanted} members the model holds {said}"
    return [Finding("ensemble_incomplete", "warning", text, "`train --resume` trains the others")]
