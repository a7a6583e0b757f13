"""What a fit begins with beside a recipe and its data (a program's own, a trained model), and what its bundle says of that."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from seq2seq_kit.bundles.allow_list import require_storable
from seq2seq_kit.bundles.base import Bundle, Json
from seq2seq_kit.bundles.files import OWN_CLASSES
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.data.tables.scaling import Scaler
from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.recipe.ensemble_fields import seeds_of, steps_of
from seq2seq_kit.recipe.fields import Recipe
from seq2seq_kit.tasks.ensembles import make_members
from seq2seq_kit.training.fit import Fit
from seq2seq_kit.training.own import Own, own_in

if TYPE_CHECKING:
    import keras

    from seq2seq_kit.tasks.job import Job


def require_taken(job: Job, own: Own) -> None:
    """Refuses what a task does not take, and a recipe that names what is not handed over.

    Raises:
        ArgumentError: Likewise.
    """
    if not job.takes_own and (asked := [*own.given, *_asked(job.recipe)]):
        raise ArgumentError(
            f"{', '.join(dict.fromkeys(asked))}: only forecasts over a horizon and autoencoders of windows take these. "
            f"Received: task {job.recipe.task}. Leave them out",
            code="not_supported",
        )
    if lacking := [name for name in own_in(job.recipe) if name not in own.given]:
        raise ArgumentError(
            f"the recipe is of a training whose {' and '.join(lacking)} a program handed over. Expected it again: "
            f"`train(recipe, {', '.join(f'{name}=...' for name in lacking)})`. Received: none",
            code="own_missing",
        )


def require_brought(job: Job) -> None:
    """Refuses a recipe that needs what only `train` hands to a job, where nobody has.

    Raises:
        ArgumentError: It does.
    """
    if job.own is None and (asked := _asked(job.recipe)):
        raise ArgumentError(
            f"the recipe asks for {', '.join(asked)}, which only `train` takes. Expected a recipe without it. Leave it out",
            code="own_missing",
        )


def begin(job: Job) -> keras.Model:
    """See `Job.make`.

    Raises:
        ArgumentError: A program's model does not fit the data, cannot be stored or is no function where there are several
            members; the weights do not fit; no layer is called so.
    """
    return make_members(job.recipe, partial(begin_member, job), logits=job.gives_logits)


def begin_member(job: Job, place: int) -> keras.Model:
    """One model, or the member at a place of an ensemble, counted from 0; errors as of `begin`."""
    from seq2seq_kit.models.own import freeze, own_model, take_weights

    job = job.of_member(place)
    training, given = job.recipe.training, job.own.model if job.own else None
    if given is None:
        require_brought(job)
        model = job.build()
    else:
        reads, gives = job.shapes
        model = own_model(given, job.sizes, reads=reads, gives=gives)
        require_storable(model)
        _require_fixed_steps(model, steps_of(job.recipe.ensemble, place))
    if job.start is not None:
        take_weights(model, _start_of(job, job.start.model, place), origin=str(training.start_from))
    if given is not None or training.freeze:
        freeze(model, training.freeze)
    return model


def _require_fixed_steps(model: keras.Model, steps: int | None) -> None:
    """Refuses a program's model that takes windows of any length as a member that reads so many steps of a longer one."""
    if steps is not None and model.inputs[0].shape[1] is None:
        raise ArgumentError(
            f"ensemble.input_steps: a member reads {steps} steps, and the model that was handed over takes any number of them. "
            "Expected a model whose first input has a fixed number of steps. Build it with `input_steps`, or leave the key out",
            code="model_shape",
        )


def _start_of(job: Job, start: keras.Model, place: int) -> keras.Model:
    """The model that a member starts from: the member at its place of an ensemble, or what all of them start from.

    Raises:
        ArgumentError: It is an ensemble of another number of members.
    """
    from seq2seq_kit.models.ensemble import members_of

    members, count = members_of(start), len(seeds_of(job.recipe.seed, job.recipe.ensemble))
    if len(members) not in (1, count):
        raise ArgumentError(
            f"training.start_from: {job.recipe.training.start_from} is an ensemble of {len(members)} members. Expected one of as "
            f"many as this recipe trains, or a single model. Received: {count}. Set ensemble: {len(members)}",
            code="start_differs",
        )
    return members[place if len(members) > 1 else 0]


def own_classes(job: Job, model: keras.Model) -> Json:
    """What a bundle says of a program's own model: its classes beside the allow-list."""
    return {OWN_CLASSES: require_storable(model)} if job.own and job.own.model is not None else {}


def scaler_of(start: Bundle, recipe: Recipe, fitted: Scaler) -> Scaler:
    """The scaler of a trained model for a training that begins with it.

    Args:
        start: The trained model.
        recipe: Of the training.
        fitted: The scaler of its own training rows, whose clock is kept.

    Raises:
        ArgumentError: The model is of another task, or was trained on other columns or with other transforms.
    """
    origin = recipe.training.start_from
    if not isinstance(start, WindowBundle) or type(start.recipe) is not type(recipe):
        framing = f", {found}" if (found := getattr(start.recipe.data, "framing", None)) else ""
        raise ArgumentError(
            f"training.start_from: {origin} is a model of the task {start.recipe.task}{framing}. Expected one of "
            f"{recipe.task}, of the same framing",
            code="start_differs",
        )
    pairs = {
        "columns": (fitted.columns, start.scaler.columns),
        "data.transform": tuple(getattr(each.data, "transforms", {}) for each in (recipe, start.recipe)),
        "data.window_scaling": tuple(getattr(each.data, "window_scaling", None) for each in (recipe, start.recipe)),
    }
    for what, (expected, received) in pairs.items():
        if expected != received:
            raise ArgumentError(
                f"training.start_from: {origin} was trained with other {what}, so its scale does not fit. Expected: {expected}. "
                f"Received: {received}. Give the recipe the run's, or start anew",
                code="start_differs",
            )
    return replace(start.scaler, times=fitted.times)


def _asked(recipe: Recipe) -> list[str]:
    """What a recipe names that only `train` hands to a job."""
    training = recipe.training
    keys = {"training.start_from": training.start_from, "training.freeze": training.freeze}
    return [*own_in(recipe), *(key for key, value in keys.items() if value)]


def origin_of(fitted: Fit, digest: str, run_id: str) -> dict[str, object]:
    """For a bundle's info: where it comes from."""
    return {
        "run_id": run_id,
        "data_sha256": digest,
        "trained": pd.Timestamp.now(tz="UTC").isoformat(timespec="seconds"),
        "best_epoch": fitted.best_epoch,
    } | ({"best_epochs": [each.best_epoch for each in fitted.members]} if fitted.members else {})
