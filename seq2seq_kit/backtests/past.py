"""A fit on the rows before an origin: validation at their end, behind it calibration, no test part."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from seq2seq_kit.backtests.schedule import Schedule
from seq2seq_kit.bundles.base import Bundle
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.errors import ArgumentError, RecipeError
from seq2seq_kit.evaluation.naive import require_mase
from seq2seq_kit.intervals.calibration import require_calibration
from seq2seq_kit.recipe.fields import Data, Recipe, Split
from seq2seq_kit.tasks import bundle_class, open_job
from seq2seq_kit.tasks.windows import WindowJob
from seq2seq_kit.training.fit import Fit, Observer, seed_everything
from seq2seq_kit.training.own import own_in


def require_forecast(recipe: Recipe) -> None:
    """Refuses recipes that no origin can fit.

    Raises:
        ArgumentError: It is no forecast, or what it begins with is not here: another run's weights, a program's model.
        RecipeError: Its rows stay on disk.
    """
    if not issubclass(bundle_class(recipe), WindowBundle) or not hasattr(recipe.data, "output_steps"):
        raise ArgumentError(
            f"a backtest is of forecasts, over a horizon or step by step. Received: task {recipe.task}. Name the recipe or "
            "the run of a forecast",
            code="not_backtested",
        )
    training = recipe.training
    keys = {"training.start_from": training.start_from, "training.freeze": training.freeze}
    if asked := [*own_in(recipe), *(key for key, value in keys.items() if value)]:
        raise ArgumentError(
            f"the recipe asks for {', '.join(asked)}: what a fit at a past moment would begin with has seen later rows, or is "
            "not here. Expected a recipe that every origin can fit anew. Leave it out",
            code="not_refittable",
        )
    if getattr(recipe.data, "read", "memory") != "memory":
        raise RecipeError(
            "a backtest reads the whole table. Received: data.read: row_groups. Set data.read: memory",
            code="conflicting_keys",
        )


def past_recipe(recipe: Recipe, schedule: Schedule) -> tuple[Recipe, int]:
    """The recipe of the fits, on rows as `Rows` gives them, and how many of its first output steps lie in the gap.

    A forecast over a horizon jumps over the gap; one that goes step by step walks through it.
    """
    data, fields = recipe.data, type(recipe.data).model_fields
    given: dict[str, object] = dict.fromkeys(
        ("source", "query", "table", "sheet", "time_format", "resample", "labels"), None
    )
    assert isinstance(data, Data)
    given["split"] = _until_the_origin(data.split)
    given |= {"time": getattr(data, "time_name", None), "gap_steps": getattr(data, "gap_steps", 0) + schedule.gap}
    if getattr(data, "short_series", None) == "refuse":
        given["short_series"] = "leave_out"  # which are too short changes with the origin
    skipped = 0
    if "gap_steps" not in fields:
        skipped, given["output_steps"] = schedule.gap, getattr(data, "output_steps", 0) + schedule.gap
    section = data.model_copy(update={key: value for key, value in given.items() if key in fields})
    return recipe.model_copy(update={"data": section, "detect": None, "sweep": None}), skipped


def open_past(recipe: Recipe, rows: pd.DataFrame) -> WindowJob:
    """The job of a fit on rows that were known at an origin.

    Args:
        recipe: Of `past_recipe`.
        rows: Of `Rows.before`.

    Raises:
        DataError: The rows are too few for a window in each part, or for the levels; no epoch could be chosen by
            `training.monitor`; or they do not fit the recipe.
    """
    job = open_job(recipe, rows)
    assert isinstance(job, WindowJob)
    if job.levels:
        require_calibration(job.prepared, job.levels)
    if recipe.training.monitor == "val_mase":
        require_mase(job.prepared)
    return job


def fit_past(
    recipe: Recipe, rows: pd.DataFrame, observers: Sequence[Observer] = (), *, peers: bool = True
) -> tuple[WindowBundle, Fit]:
    """The model that an origin would have had, with its intervals; arguments as in `open_past`, `peers`: with its baselines."""
    import keras

    job = open_past(recipe, rows)
    keras.backend.clear_session()
    seed_everything(recipe.seed, deterministic=recipe.training.deterministic)
    model = job.make()
    fitted = job.fit(model, observers)
    bundle: Bundle = job.detecting(job.bundle(model, {}, peers=peers))[0]
    assert isinstance(bundle, WindowBundle)
    return bundle, fitted


def _until_the_origin(split: Split) -> Split:
    """The split without test rows: numbers of rows stay what they are, shares are those of the rows that are no test rows.

    So an origin at the first test row has the parts that the recipe's own training has.
    """
    held = getattr(split, "calibration", None)
    if split.from_end:
        return split.model_copy(update={"test_steps": 0})
    if split.train is not None:
        counted = {
            "train": None,
            "calibration": None,
            "val_steps": split.val,
            "calibration_steps": held,
            "test_steps": 0,
        }
        return split.model_copy(update=counted)
    left = 1 - split.test
    return split.model_copy(update={"val": split.val / left, "calibration": held and held / left, "test": 0.0})
